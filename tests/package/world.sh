#!/bin/sh
# Runs inside a machine: a simulated Kick, the root's own PostgreSQL with the table and the role of
# README.Debian, and what they say about each other.
set -eu

streamers="ana bea cora"
log=/var/log/kick-sim.log

case $1 in
# Kick begins with every boot, as the real one would be there.
make)
    cat >/etc/rc.local <<EOF
#!/bin/sh
setsid /usr/local/bin/kick-sim --http-port 18080 --push-port 18081 --demo $streamers >$log 2>&1 </dev/null &
exit 0
EOF
    chmod 755 /etc/rc.local
    /etc/rc.local
    service postgresql start
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        runuser -u postgres -- psql -qc 'SELECT' >/dev/null 2>&1 && break
        sleep 1
    done
    runuser -u postgres -- createdb live
    # The statements for a role with a password; not those for the one that peer authentication lets in.
    awk '{ sub(/^ +/, "") }
        /^(CREATE|ALTER|INSERT|GRANT) / { text = ""; on = 1 }
        on { text = text $0 "\n" }
        on && /;( |$)/ { if (text !~ /"kick-monitor"/) printf "%s", text; on = 0 }' \
        /usr/share/doc/kick-monitor/README.Debian | sed 's/THE-PASSWORD/choose-one/' >/root/README.sql
    runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 live </root/README.sql
    runuser -u postgres -- psql -q live -c "DELETE FROM streamers"
    for name in $streamers; do
        runuser -u postgres -- psql -q live -c "INSERT INTO streamers (username) VALUES ('$name')"
    done
    ;;
# The three settings that are required, and where this Kick is, put into the file as an editor would.
settings)
    sed -i '/^KICK_CLIENT_ID=$/d; /^KICK_CLIENT_SECRET=$/d; /^DATABASE_URL=$/d' /etc/kick-monitor/kick-monitor.env
    grep '^[A-Z_]*=' $log >>/etc/kick-monitor/kick-monitor.env
    echo "DATABASE_URL='postgres://kick_monitor:choose-one@127.0.0.1/live'" >>/etc/kick-monitor/kick-monitor.env
    ;;
truth)
    for name in $streamers; do
        case $(grep -E "^# $name (went live|stopped)" $log | tail -n 1) in
        *"went live"*) echo "$name|Online" ;;
        *) echo "$name|Offline" ;;
        esac
    done
    ;;
table)
    runuser -u postgres -- psql -qAt live -c "SELECT username, status FROM streamers ORDER BY username"
    ;;
esac
