#!/usr/bin/env bash
# The package on a booted machine, from installation to purge: booted.sh SUITE INIT.
# What the name of a proof says is what its function shows. Needs root, the package and kick-sim.
# shellcheck disable=SC2016 # dpkg-query and sed have dollars of their own
# shellcheck source=tests/package/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/package/machines.sh
. "$here/machines.sh"

suite=${1:?SUITE} init=${2:?INIT}
name=$suite-$init
export stage=${stage:-$name}
# How long database and network stay away.
outage=${OUTAGE:-150}
config=/etc/kick-monitor/kick-monitor.env

m() { inside "$name" "$@"; }
service() { m service kick-monitor "$@"; }
systemd() { [ "$init" = systemd ]; }

# What the service's log holds, one line each.
log() {
    if systemd; then
        m journalctl -t kick-monitor -o cat --no-pager
    else
        m sed -nE 's/^.* kick-monitor(\[[0-9]+\])?: //p' /var/log/syslog
    fi
}
count() { log | grep -c -- "$1" || true; }
says_more() { [ "$(count "$1")" -gt "$2" ]; }
pid() { m pgrep -x kick-monitor || true; }
runs() { service status >/dev/null 2>&1 && [ -n "$(pid)" ]; }
is_right() { [ "$(m /root/tree/tests/package/world.sh table)" = "$(m /root/tree/tests/package/world.sh truth)" ]; }

# A change comes by push, and the table is what Kick shows.
follows() {
    runs || fail "it does not run"
    local before
    before=$(count 'event=status_changed .*source=push')
    within 60 says_more 'event=status_changed .*source=push' "$before"
    within 60 is_right
}

apt_install() { m apt-get install -q -y --allow-downgrades "$@" </dev/null; }

# Every file that a package could have left, but for what other programs change while they run.
files() {
    m find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /root -o -path /dev \
        -o -path /var/tmp -o -path /var/cache -o -path /var/backups -o -path /var/lib/dpkg -o -path /var/lib/apt \
        -o -path /var/lib/postgresql -o -path /var/lib/systemd/random-seed -o -path '/var/lib/systemd/timers' \
        -o -path /var/log -o -name '*-' -o -path /etc/rc.local \
        -o -path /var/lib/logrotate -o -path /etc/.pwd.lock -o -path /var/lib/urandom \) -prune -o -print | sort
}

is_installed() { same "$(m dpkg-query -W -f '${db:Status-Abbrev}' kick-monitor)" "ii " "the package's state"; }

## The proofs, in their order.

prepare() {
    new_machine "$name" "$suite" "$init"
    boot "$name"
    local root=$roots/machines/$name
    install -D -m 755 "${KICK_SIM:-$tree/target/release/kick-sim}" "$root/usr/local/bin/kick-sim"
    install -D -m 755 "$here/world.sh" "$root/root/tree/tests/package/world.sh"
    install -D -m 755 "$tree/debian/tests/service" "$root/root/tree/debian/tests/service"
    cp "$(the_deb)" "$root/root/first.deb"
    # The next version is this one under a higher number.
    rm -rf "$work/next-$name"
    dpkg-deb -R "$(the_deb)" "$work/next-$name"
    sed -i 's/^Version: .*/&+next/' "$work/next-$name/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$work/next-$name" "$root/root/next.deb"
    rm -rf "$work/next-$name"
    files >"$work/files-$name"
}

installed() {
    apt_install /root/first.deb >"$work/said-$name"
    cat "$work/said-$name"
    is_installed
    # Calm: what to do is said, and nothing has failed.
    grep -q "service kick-monitor restart" "$work/said-$name"
    gives 1 grep "Could not execute systemctl" "$work/said-$name"
    ! systemd || same "$(m systemctl show -p ActiveState --value kick-monitor)" inactive "the unit's state"
    same "$(m stat -c '%U:%G %a' $config)" "root:kick-monitor 640" "the configuration's owner and mode"
    m cmp $config /usr/share/kick-monitor/kick-monitor.env
    same "$(m getent passwd kick-monitor | cut -d: -f6,7)" "/nonexistent:/usr/sbin/nologin" "home and shell"
    m sh -c '! test -e /nonexistent'
    same "$(pid)" "" "processes"
    ! service restart || fail "restart says that it runs"
    log | grep "kick-monitor check"
    is_installed
}

configured_again() {
    local before
    before=$(m sha256sum $config)
    m dpkg-reconfigure kick-monitor
    m dpkg-reconfigure kick-monitor
    is_installed
    for arguments in "abort-upgrade 0.1.0" "abort-remove" "abort-deconfigure in-favour x 1" "triggered x"; do
        # shellcheck disable=SC2086 # words on purpose
        m /var/lib/dpkg/info/kick-monitor.postinst $arguments
    done
    same "$(m sha256sum $config)" "$before" "the configuration before and after"
}

first_run() {
    # Configures it, restarts it, and looks at changes, an outage and a broken file.
    m env KICK_SIM=/usr/local/bin/kick-sim /root/tree/debian/tests/service
    m sed -i '/^SWEEP_SCS/d' $config
    gives 0 service restart
    follows
    same "$(m stat -c '%U:%G %a' /var/lib/kick-monitor)" "kick-monitor:kick-monitor 750" "the state directory"
    same "$(m stat -c %U "/proc/$(pid)")" kick-monitor "the process's user"
}

commands() {
    gives 0 m kick-monitor check
    gives 0 m kick-monitor status
    gives 0 m kick-monitor schema | grep "CREATE ROLE"
}

known_to_systemd() {
    same "$(m systemctl show -p Type --value kick-monitor)" notify Type
    within 60 has_status_text
    m systemctl status kick-monitor
    m systemctl is-active kick-monitor
}

has_status_text() { [ -n "$(m systemctl show -p StatusText --value kick-monitor)" ]; }

limits() { m awk '/^Max open files/ { print $4, $5 }' "/proc/$1/limits"; }

limited() {
    local hard
    hard=$(limits 1)
    same "$(limits "$(pid)")" "$(may_open "${hard#* }")" "the limits"
}

logged() {
    local pid
    pid=$(pid)
    log >"$work/log-$name"
    # One line an event, of the form that is promised.
    ! grep -v ' event=[a-z_]*' "$work/log-$name" || fail "lines that are no events"
    if systemd; then
        same "$(m journalctl -t kick-monitor _PID="$pid" -o cat | grep -c event=started)" 1 "starts in the journal"
        m journalctl -u kick-monitor -o json _PID="$pid" | grep '"PRIORITY":"5"' | grep event=status_changed
        m journalctl -u kick-monitor -o json _PID="$pid" | grep '"PRIORITY":"6"' | grep event=started
        m journalctl -t kick-monitor -p 3 -o cat | grep event=config_error
    fi
    within 10 m grep -q "kick-monitor\[$pid\]: .*event=started" /var/log/syslog
    same "$(m grep -c "kick-monitor\[$pid\]: .*event=started" /var/log/syslog)" 1 "starts in syslog's file"
}

# The examples for rsyslog and logrotate, and the rules for logcheck, with the lines of this machine.
log_examples() {
    local line
    line=$(m grep -E 'kick-monitor\[.*event=(status_changed|started)' /var/log/syslog | tail -n 1)
    [ -n "$line" ] || fail "there is no line to try"
    same "$(echo "$line" | m grep -Ev -f /etc/logcheck/ignore.d.server/kick-monitor || true)" "" "what logcheck reports"
    line="${line%%: *}: the database cannot be used event=db_unavailable reason=x pending=0"
    echo "$line" | m grep -Ev -f /etc/logcheck/ignore.d.server/kick-monitor
    m sh -c "cp /usr/share/doc/kick-monitor/examples/rsyslog.conf /etc/rsyslog.d/49-kick-monitor.conf
        cp /usr/share/doc/kick-monitor/examples/logrotate /etc/logrotate.d/kick-monitor
        service rsyslog restart"
    gives 0 service restart
    within 20 m grep "event=started" /var/log/kick-monitor.log
    m logrotate -f /etc/logrotate.d/kick-monitor
    m test -e /var/log/kick-monitor.log.1
    within 60 m grep "event=status_changed" /var/log/kick-monitor.log
    m sh -c 'rm /etc/rsyslog.d/49-kick-monitor.conf /etc/logrotate.d/kick-monitor; service rsyslog restart'
}

restarted() {
    local before=""
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        gives 0 service restart
        [ "$(pid)" != "$before" ] || fail "the process is the old one"
        before=$(pid)
        same "$(echo "$before" | wc -w)" 1 "processes"
    done
    follows
}

reloaded() {
    local before beats
    before=$(pid)
    m sed -i '$a HEARTBEAT_SECS=1' $config
    gives 0 service reload
    within 10 says_more event=reloaded 0
    beats=$(count event=heartbeat)
    within 10 says_more event=heartbeat "$beats"
    m sed -i '$a SWEEP_SCS=1' $config
    ! service reload || fail "a broken file was not refused"
    if systemd; then
        within 10 says_more 'event=reload_refused .*SWEEP_SCS' 0
    else
        ! service restart || fail "a broken file was not refused"
    fi
    same "$(pid)" "$before" "the process before and after"
    follows
    gives 78 m kick-monitor check --offline | grep "SWEEP_SCS"
    m sed -i '/^SWEEP_SCS\|^HEARTBEAT_SECS/d' $config
    gives 0 service reload
    same "$(pid)" "$before" "the process before and after"
}

# The status that a request without Kick's headers gets.
answers() { [ "$(m curl -s -o /dev/null -w '%{http_code}' -X POST "${@:2}")" = "$1" ]; }
listens_on_nothing() { ! m ss -Hlntxp | grep '"kick-monitor"'; }

# Where the examples for nginx and Caddy expect it.
webhooks() {
    local socket=/run/kick-monitor/webhook.sock
    listens_on_nothing
    m sed -i '$a WEBHOOK_LISTEN=127.0.0.1:8437' $config
    gives 0 service reload
    within 10 answers 400 http://127.0.0.1:8437/kick
    m sed -i "s|^WEBHOOK_LISTEN=.*|WEBHOOK_LISTEN=unix:$socket|" $config
    gives 0 service reload
    within 10 answers 400 --unix-socket $socket http://localhost/kick
    m sed -i '/^WEBHOOK_LISTEN/d' $config
    gives 0 service reload
    within 10 listens_on_nothing
    m sh -c "! ls $socket"
    follows
}

failing() {
    m sed -i '$a SWEEP_SCS=1' $config
    service stop
    ! service restart || fail "restart says that it runs"
    ! runs || fail "it runs"
    log | grep 'SWEEP_SCS' | tail -1
    if systemd; then
        same "$(m systemctl show -p ExecMainStatus --value kick-monitor)" 78 "the exit status"
        # Longer than RestartSec.
        sleep 7
        same "$(m systemctl show -p ActiveState --value kick-monitor)" failed "the state"
    fi
    m sed -i '/^SWEEP_SCS/d' $config
    gives 0 service restart
    follows
}

variables() {
    local starts
    m sh -c 'echo LOG_LEVEL=error >/etc/default/kick-monitor'
    gives 0 service restart
    starts=$(count event=started)
    gives 0 service restart
    same "$(count event=started)" "$starts" "starts that were logged"
    m mv /etc/default/kick-monitor /root/default
    gives 0 service restart
    runs
    m mv /root/default /etc/default/kick-monitor
    m sh -c 'echo >/etc/default/kick-monitor'
    gives 0 service restart
}

secret() {
    local pid secret=kick-sim-client-secret
    m sh -c 'echo LOG_LEVEL=trace >/etc/default/kick-monitor'
    gives 0 service restart
    pid=$(pid)
    follows
    ! m grep -q -e $secret -e choose-one "/proc/$pid/environ" "/proc/$pid/cmdline" || fail "in /proc"
    ! log | grep -e $secret -e choose-one || fail "in the log"
    ! m sh -c "grep -r -l -e $secret -e choose-one /run/kick-monitor /var/lib/kick-monitor" || fail "in its files"
    if systemd; then
        ! m systemctl show kick-monitor | grep -e $secret -e choose-one || fail "in the unit's properties"
    fi
    m chmod 0644 $config
    ! service restart || fail "a file that all can read was taken"
    log | tail -3 | grep "chmod 0640"
    m chmod 0640 $config
    m sh -c 'echo >/etc/default/kick-monitor'
    gives 0 service restart
}

# As the example of the package says.
credential() {
    m sh -c "umask 077; echo kick-sim-client-secret >/etc/kick-monitor/client-secret
        mkdir -p /etc/systemd/system/kick-monitor.service.d
        cp /usr/share/doc/kick-monitor/examples/credential.conf /etc/systemd/system/kick-monitor.service.d/
        sed -i 's/^KICK_CLIENT_SECRET=.*/KICK_CLIENT_SECRET=/' $config
        systemctl daemon-reload"
    local before
    before=$(count event=token_refreshed)
    gives 0 service restart
    within 30 says_more event=token_refreshed "$before"
    gives 0 service reload
    follows
    m sh -c "rm -r /etc/systemd/system/kick-monitor.service.d /etc/kick-monitor/client-secret
        sed -i 's/^KICK_CLIENT_SECRET=.*/KICK_CLIENT_SECRET=kick-sim-client-secret/' $config
        systemctl daemon-reload"
    gives 0 service restart
}

is_new_process() {
    local now
    now=$(pid)
    [ -n "$now" ] && [ "$now" != "$1" ] && runs
}

hung() {
    local before
    before=$(pid)
    m kill -STOP "$before"
    within 90 is_new_process "$before"
    follows
}

killed() {
    local before
    before=$(pid)
    m kill -9 "$before"
    if systemd; then
        within 30 is_new_process "$before"
    else
        within 5 is_gone
        gives 1 service status
        gives 0 service start
    fi
    follows
}
is_gone() { [ -z "$(pid)" ]; }

weather() {
    local before
    before=$(pid)
    m service postgresql stop
    m ip link set lo down
    sleep "$outage"
    same "$(pid)" "$before" "the process before and in the outage"
    [ "$(log | tail -n +"$(($(log | wc -l) - 200))" | grep -c event=db_unavailable)" -lt 20 ] || fail "a flood"
    m ip link set lo up
    m service postgresql start
    within 90 says_more event=db_recovered 0
    follows
    same "$(pid)" "$before" "the process before and after"
    ! systemd || same "$(m systemctl show -p NRestarts --value kick-monitor)" "$(cat "$work/restarts-$name")" restarts
}
note_restarts() { ! systemd || m systemctl show -p NRestarts --value kick-monitor >"$work/restarts-$name"; }

started_in_bad_weather() {
    m service postgresql stop
    m ip link set lo down
    gives 0 service restart
    runs
    m ip link set lo up
    m service postgresql start
    follows
}

stopped() {
    local from=$SECONDS
    gives 0 service stop
    [ $((SECONDS - from)) -le 11 ] || fail "it took $((SECONDS - from)) s"
    is_gone
    log | tail -1 | grep "event=stopped"
    gives 3 service status
    ! systemd || same "$(m systemctl show -p Result --value kick-monitor)" success "the result"
    gives 0 service stop
    gives 0 service start
}

rebooted() {
    follows
    reboot "$name"
    within 60 runs
    within 90 says_more event=ready 0
    follows
}

powerless() {
    cut_power "$name"
    boot "$name"
    within 60 runs
    follows
}

upgraded() {
    m sed -i '$a HEARTBEAT_SECS=17' $config
    m sh -c 'echo "# mine" >>/etc/default/kick-monitor'
    local sum before starts
    sum=$(m sha256sum $config /etc/default/kick-monitor)
    before=$(pid)
    starts=$(count event=started)
    apt_install /root/next.deb
    is_installed
    same "$(m sha256sum $config /etc/default/kick-monitor)" "$sum" "the configuration before and after"
    is_new_process "$before"
    within 10 says_more event=started "$starts"
    same "$(count event=started)" $((starts + 1)) "starts"
    follows
    apt_install /root/first.deb
    is_installed
    same "$(m sha256sum $config /etc/default/kick-monitor)" "$sum" "the configuration before and after"
    follows
}

disabled() {
    m systemctl disable --now kick-monitor
    apt_install /root/next.deb
    same "$(m systemctl is-enabled kick-monitor || true)" disabled "it is"
    is_gone
    reboot "$name"
    is_gone
    m systemctl mask kick-monitor
    apt_install /root/first.deb
    same "$(m systemctl is-enabled kick-monitor || true)" masked "it is"
    is_gone
    m systemctl unmask kick-monitor
    m systemctl enable --now kick-monitor
    follows
}

disabled_in_sysvinit() {
    service stop
    m update-rc.d kick-monitor disable
    apt_install /root/next.deb
    is_gone
    reboot "$name"
    is_gone
    m update-rc.d kick-monitor enable
    apt_install /root/first.deb
    gives 0 service restart
    follows
}

# The unit by this machine's own systemd.
judged() {
    same "$(m systemd-analyze verify --man=no kick-monitor.service 2>&1)" "" "what verify says"
    m systemd-analyze security --no-pager --threshold=12 kick-monitor.service
}

bare_log() {
    # Syslog is away, and back: nothing breaks, and the log goes on.
    m service rsyslog stop
    m rm -f /dev/log
    gives 0 service restart
    runs
    m service rsyslog start
    local before
    before=$(count event=status_changed)
    within 60 says_more event=status_changed "$before"
}

removed() {
    local uid
    uid=$(m id -u kick-monitor)
    m apt-get remove -q -y kick-monitor
    is_gone
    m test -e $config
    same "$(m sh /etc/init.d/kick-monitor start 2>&1)" "" "what the script prints"
    ! systemd || m sh -c '! systemctl cat kick-monitor.service >/dev/null 2>&1'
    apt_install /root/first.deb
    same "$(m id -u kick-monitor)" "$uid" "the user id"
    follows
}

purged() {
    m apt-get purge -q -y kick-monitor
    is_gone
    files | diff "$work/files-$name" - || fail "files that stay, or are gone"
    m sh -c '! ls /run /var/log | grep kick-monitor'
    m getent passwd kick-monitor
    # An administrator's own idea of the owner, respected from the first moment, and forgotten in the end.
    m dpkg-statoverride --add root adm 0600 $config
    apt_install /root/first.deb
    is_installed
    same "$(m stat -c '%U:%G %a' $config)" "root:adm 600" "the configuration's owner and mode"
    m cmp $config /usr/share/kick-monitor/kick-monitor.env
    m apt-get purge -q -y kick-monitor
    ! m dpkg-statoverride --list $config || fail "an override stays"
    files | diff "$work/files-$name" - || fail "files that stay, or are gone"
}

say "== $name"
claim "$name"
trap 'remove_machine "$name"' EXIT
prove "" "a machine boots" prepare
prove "1 4 5 6 7 10" "installed without a configuration: complete, and says what to do" installed
prove "3 22" "configured again, and with every argument that dpkg may give" configured_again
prove "1 8 10 25" "autopkgtest: configured and restarted; a change by push, an outage" first_run
prove "12 24" "check, status and schema say so" commands
! systemd || prove "9" "systemd knows that it is ready and how it is" known_to_systemd
prove "18 19" "it may open as many descriptors as the unit says" limited
prove "21" "the log: one line an event, once, with its priority" logged
prove "21 24" "the examples for rsyslog and logrotate work; logcheck's rules fit" log_examples
prove "10" "restarted ten times: one process" restarted
prove "11 12" "reloaded; a broken file is refused and the old settings go on" reloaded
prove "18" "takes webhooks on a port or a socket file, and on nothing by default" webhooks
prove "10 12 13" "a restart with a broken file fails, and says why" failing
prove "20" "/etc/default: variables, or nothing" variables
prove "7" "no secret in /proc, the log, the unit; a readable file is refused" secret
! systemd || prove "7 11" "the secret as a credential" credential
! systemd || prove "14" "a process that hangs is restarted" hung
prove "13 17" "killed: it comes back" killed
note_restarts
prove "13 14 15 21" "database and network are away for $outage s: still there, and right afterwards" weather
prove "15" "started without database and network" started_in_bad_weather
prove "17" "stopped within its time, with exit status 0" stopped
prove "15 16" "rebooted: it goes on without a hand" rebooted
prove "16 17" "the power is cut: it goes on without a hand" powerless
prove "6 22" "upgraded and downgraded with an edited configuration" upgraded
if systemd; then
    prove "16" "disabled and masked, over upgrade and reboot" disabled
    prove "2 18" "the unit, by this systemd: nothing to say, exposure at most 1.2" judged
else
    prove "16" "disabled, over upgrade and reboot" disabled_in_sysvinit
    prove "21" "without /dev/log it runs, and its log comes back" bare_log
fi
prove "5 19 23" "removed and installed again" removed
prove "7 23" "purged: nothing stays; an override of the mode is respected" purged
