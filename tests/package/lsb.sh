#!/usr/bin/env bash
# The init script's own tests, in a minute and without any container: the script runs in namespaces that
# have an /etc, /run and /var/lib of their own and no systemd. Only its paths of the program and of the
# example are others. Needs root and a built program (DAEMON, or target/debug/kick-monitor).
# shellcheck source=tests/package/lib.sh
. "$(dirname "$0")/lib.sh"
export stage=lsb

if [ "${1-}" != inside ]; then
    export BUILT=${DAEMON:-$tree/target/debug/kick-monitor}
    [ -x "$BUILT" ] || fail "there is no $BUILT"
    [ "$(id -u)" -eq 0 ] || fail "the init script's tests need root"
    exec unshare --mount --pid --fork --mount-proc --kill-child "$0" inside
fi

place=$(mktemp -d /var/tmp/kick-monitor-lsb.XXXXXX)
trap 'umount -l /etc /run /var/lib; rm -rf "$place"' EXIT
chmod 755 "$place"
cp -a /etc "$place/etc"
cp "$BUILT" "$place/kick-monitor"
cp "$tree/etc/kick-monitor.env" "$place/example"
mount --bind "$place/etc" /etc
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /var/lib
[ ! -S /dev/log ] || mount --bind /dev/null /dev/log 2>/dev/null || true

config=/etc/kick-monitor/kick-monitor.env
pid_file=/run/kick-monitor.pid
lock=/run/kick-monitor/lock
script=/etc/init.d/kick-monitor
mkdir -p /etc/kick-monitor /etc/init.d
getent passwd kick-monitor >/dev/null ||
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kick-monitor
sed -e "s|^DAEMON=.*|DAEMON=$place/kick-monitor|" -e "s|^EXAMPLE=.*|EXAMPLE=$place/example|" \
    "$tree/debian/kick-monitor.init" >"$script"
chmod 755 "$script"
cp "$tree/debian/kick-monitor.default" /etc/default/kick-monitor

# Nobody listens there: the daemon runs and waits, which is all that is needed.
configure() {
    printf '%s\n' KICK_CLIENT_ID=id KICK_CLIENT_SECRET=hush DATABASE_URL=postgres://u:p@127.0.0.1:1/d \
        KICK_OAUTH_URL=http://127.0.0.1:1/ KICK_API_URL=http://127.0.0.1:1/ KICK_WEB_URL=http://127.0.0.1:1 \
        KICK_REALTIME_URL=http://127.0.0.1:1/ PUSHER_URL=ws://127.0.0.1:1 "$@" >"$config"
    chown root:kick-monitor "$config"
    chmod 0640 "$config"
}

unconfigure() {
    cp "$place/example" "$config"
    chown root:kick-monitor "$config"
    chmod 0640 "$config"
}

# Without those that only wait to be reaped.
pids() { pgrep -x -r D,R,S kick-monitor || true; }
nobody() { [ -z "$(pids)" ]; }
the_pid() { cat "$pid_file"; }
runs_alone() { same "$(the_pid)" "$(pids)" "the pid file and the processes"; }

unconfigured() {
    unconfigure
    gives 6 "$script" start | tee "$place/said"
    grep -q "not configured" "$place/said"
    grep -q "edit $config" "$place/said"
    gives 6 "$script" restart
    gives 3 "$script" status
    gives 7 "$script" reload
    gives 0 "$script" try-restart
    gives 0 "$script" stop
    rm "$config"
    gives 6 "$script" start | grep "not configured"
    nobody
}

started() {
    configure
    gives 0 "$script" start
    runs_alone
    gives 0 "$script" status
    same "$(stat -c '%U:%G %a' "$pid_file")" "root:root 644" "the pid file's owner and mode"
    same "$(stat -c '%U:%G' "/proc/$(the_pid)")" kick-monitor:kick-monitor "the process's user"
    same "$(stat -c '%U:%G %a' /var/lib/kick-monitor)" "kick-monitor:kick-monitor 750" "the state directory"
    same "$(ps -o ppid= -p "$(the_pid)" | tr -d ' ')" 1 "the parent"
    local before
    before=$(the_pid)
    gives 0 "$script" start
    same "$(the_pid)" "$before" "the process before and after a second start"
    runs_alone
}

limits() { awk '/^Max open files/ { print $4, $5 }' "/proc/$(the_pid)/limits"; }

limited() {
    gives 0 prlimit --nofile=1024: "$script" restart
    same "$(limits)" "$(may_open "$(ulimit -H -n)")" "the limits"
    # As in a container whose root may not raise a limit.
    gives 0 setpriv --inh-caps=-sys_resource --bounding-set=-sys_resource \
        prlimit --nofile=1024:2048 "$script" restart
    same "$(limits)" "2048 2048" "the limits"
    gives 0 "$script" restart
}

reloaded() {
    local before
    before=$(the_pid)
    gives 0 "$script" reload
    gives 0 "$script" force-reload
    configure SWEEP_SCS=3
    gives 6 "$script" reload | tee "$place/said"
    grep -q "SWEEP_SCS" "$place/said"
    gives 6 "$script" restart
    gives 6 "$script" try-restart
    same "$(the_pid)" "$before" "the process before and after what was refused"
    runs_alone
    chmod 0644 "$config"
    gives 6 "$script" restart | grep "chmod 0640"
    runs_alone
    configure
}

restarted() {
    local before=""
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        gives 0 "$script" restart
        [ "$(the_pid)" != "$before" ] || fail "the process is the old one"
        before=$(the_pid)
        runs_alone
    done
    gives 0 "$script" try-restart
    [ "$(the_pid)" != "$before" ] || fail "the process is the old one"
    runs_alone
}

stopped() {
    gives 0 "$script" stop
    nobody
    same "$(ls "$pid_file" "$lock" 2>/dev/null)" "" "pid files"
    gives 3 "$script" status
    gives 0 "$script" stop
    gives 0 "$script" try-restart
    nobody
}

killed() {
    gives 0 "$script" start
    kill -9 "$(the_pid)"
    within 5 nobody
    gives 1 "$script" status
    # A number that somebody else has by now does not count.
    sleep 300 &
    echo $! >"$pid_file"
    gives 1 "$script" status
    gives 0 "$script" stop
    kill -0 $! || fail "stop has killed a stranger"
    gives 0 "$script" start
    runs_alone
    kill $!
}

distrusted() {
    # What the daemon's user writes moves nobody's process.
    sleep 300 &
    local stranger=$!
    echo $stranger >"$lock"
    gives 0 "$script" restart
    kill -0 $stranger || fail "restart has killed a stranger"
    runs_alone
    # And a start that was interrupted before it noted the pid is made good.
    rm "$pid_file"
    gives 0 "$script" start
    runs_alone
    gives 0 "$script" stop
    nobody
    kill $stranger
}

failed() {
    # What it has to write is not its own.
    mkdir "$lock"
    gives 1 "$script" start | tee "$place/said"
    grep -q "failed to write the pid file" "$place/said"
    gives 3 "$script" status
    rmdir "$lock"
    gives 0 "$script" start
    runs_alone
}

variables() {
    echo LOG_LEVEL=loud >/etc/default/kick-monitor
    gives 6 "$script" restart | grep "environment: LOG_LEVEL"
    runs_alone
    echo LOG_LEVEL=debug >/etc/default/kick-monitor
    gives 0 "$script" restart
    tr '\0' '\n' <"/proc/$(the_pid)/environ" | grep -x LOG_LEVEL=debug
    rm /etc/default/kick-monitor
    gives 0 "$script" restart
    runs_alone
}

others() {
    gives 3 "$script" dance
    gives 3 "$script"
    gives 0 setpriv --reuid nobody --regid nogroup --clear-groups "$script" status
    gives 4 setpriv --reuid nobody --regid nogroup --clear-groups "$script" stop
    runs_alone
    gives 0 "$script" stop
    # Removed, but not purged.
    mv "$place/kick-monitor" "$place/gone"
    for verb in start stop restart reload status; do
        same "$(gives 0 "$script" $verb 2>&1)" "" "what $verb prints"
    done
    mv "$place/gone" "$place/kick-monitor"
}

prove "4 19" "init script: without a configuration it says what to do, and 6" unconfigured
prove "8 19" "init script: start, twice; owners, modes and the user" started
prove "18 19" "init script: as many descriptors as under systemd, or as there may be" limited
prove "11 12 19" "init script: a broken configuration is refused before anything is stopped" reloaded
prove "10 19" "init script: restarts leave one process" restarted
prove "17 19" "init script: stop, twice; status 3" stopped
prove "17 19" "init script: after kill -9 status 1, and a start" killed
prove "19" "init script: the daemon's own pid file is not trusted" distrusted
prove "10 19" "init script: a daemon that ends at once is a failure" failed
prove "20" "init script: /etc/default holds variables, or is not there" variables
prove "19" "init script: other verbs, other users, a removed package" others
! grep -q "	FAIL	.*	lsb	" "$results" || exit 1
