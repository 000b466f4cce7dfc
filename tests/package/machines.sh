# shellcheck shell=bash
# Machines with a real init, made of a Debian root each: booted in a container by their own /sbin/init,
# with a loopback of their own and no other network. Sourced after lib.sh; needs root.
# shellcheck disable=SC2154 # what lib.sh sets

mkdir -p "$work/machines"

# Roots and machines are shared by all checkouts, and by whatever containers have this directory: locks tell what
# is in use, for a process id would not.

# claim NAME: the machine is this script's till it ends.
claim() {
    mkdir -p "$roots/machines"
    exec 9>"$roots/machines/$1.lock"
    flock --nonblock 9 || { say "waiting for another package test to leave the machine $1" && flock 9; }
}

# base SUITE INIT: the root that machines are copies of. Made once, in a minute or two. With "suite" as INIT it
# has none, and nothing but what tests/needs.sh says that tests need.
base() {
    local dir=$roots/$1-$2 lock
    mkdir -p "$roots"
    exec {lock}>"$dir.lock"
    flock "$lock"
    if [ "$2" = suite ] && ! cmp -s "$tree/tests/needs.sh" "$dir/root/needs.sh" || [ ! -e "$dir/etc/hostname" ]; then
        make_base "$1" "$2" "$dir" >&2
    fi
    exec {lock}>&-
    echo "$dir"
}

# make_base SUITE INIT DIRECTORY
make_base() {
    local suite=$1 init=$2 dir=$3 site security key packages unit hooks=()
    rm -rf --one-file-system "$dir" "$dir.new"
    say "making a root of $suite with $init in $dir"
    # shellcheck disable=SC2016 # apt's
    site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | awk '/\/debian$/ && !n++')
    security=${site%/debian}/debian-security
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    packages=rsyslog,logrotate,procps,iproute2,adduser,ca-certificates,curl,util-linux,postgresql
    case $init in
    systemd) packages=$packages,systemd,systemd-sysv,dbus ;;
    suite)
        packages=ca-certificates
        hooks=("--customize-hook=copy-in '$tree/tests/needs.sh' /root"
            "--customize-hook=chroot \"\$1\" /root/needs.sh suite")
        ;;
    # Standalone: cron's dependencies would bring systemd in, and rsyslog has its script elsewhere.
    sysvinit)
        packages=$packages,sysvinit-core,sysv-rc,initscripts,insserv,orphan-sysvinit-scripts
        packages=$packages,systemd-standalone-sysusers,systemd-standalone-tmpfiles
        ;;
    esac
    mmdebstrap --quiet --variant=minbase --mode=root --format=directory --keyring="$key" --include="$packages" \
        --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/locale/*' "${hooks[@]}" "$suite" "$dir.new" \
        "deb [signed-by=$key] $site $suite main" \
        "deb [signed-by=$key] $site $suite-updates main" \
        "deb [signed-by=$key] $security $suite-security main" || fail "no root of $suite"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$dir.new/etc/hosts"
    echo "$suite-$init" >"$dir.new/etc/hostname"
    : >"$dir.new/etc/machine-id"
    rm -f "$dir.new/etc/resolv.conf"
    if [ "$init" = systemd ]; then
        for unit in networkd.service networkd.socket networkd-wait-online.service timesyncd.service resolved.service; do
            ln -sf /dev/null "$dir.new/etc/systemd/system/systemd-$unit"
        done
    fi
    mv "$dir.new" "$dir"
}

# new_machine NAME SUITE INIT: a clean one, not booted, of a name that is claimed.
new_machine() {
    local of
    of=$(base "$2" "$3")
    remove_machine "$1"
    cp -a --reflink=auto "$of" "$roots/machines/$1"
    echo "$3" >"$work/machines/$1.init"
}

# boot NAME: till its init says that it is up.
boot() {
    local name=$1 how=(--boot) command=()
    # sysvinit's is started by path: --boot would prefer an installed systemd.
    if [ "$(cat "$work/machines/$name.init")" = sysvinit ]; then
        how=(--kill-signal=SIGPWR)
        command=(/sbin/init)
    fi
    rm -f "$work/machines/$name".{nspawn,wrapper}
    # A modern systemd wants a unified tree of control groups; it is mounted for the container alone.
    # shellcheck disable=SC2016 # the inner shell's
    setsid unshare --mount --propagation private bash -c '
        set -e
        name=$1 state=$2
        shift 2
        echo $$ >"$state.wrapper"
        umount -R /sys/fs/cgroup
        mount -t cgroup2 none /sys/fs/cgroup
        mkdir -p "/sys/fs/cgroup/$name"
        echo $$ >"/sys/fs/cgroup/$name/cgroup.procs"
        mount -t tmpfs -o mode=755 none /run
        mkdir -p /run/systemd /run/lock
        export UNIFIED_CGROUP_HIERARCHY=1
        while :; do
            systemd-nspawn --quiet --register=no --keep-unit --machine="$name" --hostname="$name" --private-network \
                --resolv-conf=off "$@" </dev/null &
            echo $! >"$state.nspawn"
            status=0
            wait $! || status=$?
            # 133: the machine reboots.
            [ $status -eq 133 ] || exit $status
        done
    ' boot "kick-$name" "$work/machines/$name" -D "$roots/machines/$name" "${how[@]}" "${command[@]}" \
        </dev/null >"$work/machines/$name.console" 2>&1 9>&- &
    disown
    within 20 first_process "$name" >/dev/null
    within 90 is_up "$name"
}

# The machine's first process, as seen from here.
first_process() {
    local nspawn
    nspawn=$(cat "$work/machines/$1.nspawn" 2>/dev/null) || return 1
    # The number may be another's by now.
    grep -zqxs -- "--machine=kick-$1" "/proc/$nspawn/cmdline" || return 1
    pgrep -o -P "$nspawn"
}

is_up() {
    if [ "$(cat "$work/machines/$1.init")" = systemd ]; then
        case $(inside "$1" systemctl is-system-running 2>/dev/null) in running | degraded) return 0 ;; esac
        return 1
    fi
    case $(inside "$1" runlevel 2>/dev/null) in *" 2") ;; *) return 1 ;; esac
    ! inside "$1" pgrep -f '^/bin/sh /etc/init.d/rc|startpar' >/dev/null
}

# inside NAME COMMAND...: as root, with a clean environment. Input, output and exit status pass through.
inside() {
    local first
    first=$(first_process "$1") || return 125
    shift
    nsenter --target "$first" --mount --uts --ipc --net --pid --cgroup --root -- /usr/bin/env -C / -i HOME=/root \
        LANG=C.UTF-8 TERM=dumb SYSTEMD_PAGER= SYSTEMD_COLORS=0 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# reboot NAME: by its own init, in order.
reboot() {
    local before
    before=$(first_process "$1")
    inside "$1" sh -c 'nohup /sbin/reboot >/dev/null 2>&1 &'
    within 90 is_another "$1" "$before"
    within 90 is_up "$1"
}

is_another() {
    local now
    now=$(first_process "$1") && [ "$now" != "$2" ]
}

# cut NAME: every process of it dies at once, as when the power goes.
cut_power() {
    local first wrapper nspawn
    first=$(first_process "$1")
    wrapper=$(cat "$work/machines/$1.wrapper")
    nspawn=$(cat "$work/machines/$1.nspawn")
    kill -9 "$first"
    within 20 is_dead "$first"
    kill -9 "$wrapper" "$nspawn" 2>/dev/null || true
}

is_dead() { ! kill -0 "$1" 2>/dev/null; }

# remove_machine NAME: ends it, if it runs, and removes its root.
remove_machine() {
    ! first_process "$1" >/dev/null 2>&1 || cut_power "$1"
    rm -f "$work/machines/$1".*
    find /sys/fs/cgroup/unified/"kick-$1" /sys/fs/cgroup/"kick-$1" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    [ ! -e "$roots/machines/$1" ] || rm -rf --one-file-system "${roots:?}/machines/$1"
}
