#!/usr/bin/env bash
# What can be said of the package without booting anything: lint, docs, unit, and a root of each suite
# where nothing may be started. files.sh lint|unit|chroot|piuparts|repro. Needs the package.
# shellcheck source=tests/package/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/package/machines.sh
. "$here/machines.sh"
export stage=${1:?STAGE}
version=$(dpkg-parsechangelog -l "$tree/debian/changelog" -S Version)

built() {
    the_deb
    ls "$tree"/target/deb/kick-monitor-dbgsym_*.deb
    same "$version" "$(sed -n 's/^version = "\(.*\)"/\1/p' "$tree/Cargo.toml" | head -n 1)" "the versions"
    local depends
    depends=$(dpkg-deb -f "$(the_deb)" Depends)
    for package in adduser ca-certificates libssl3; do
        echo "$depends" | grep -w "$package" || fail "it does not depend on $package"
    done
}

linted() {
    local said
    said=$(cd "$tree/target/deb" && lintian --pedantic --allow-root --fail-on error,warning ./*.changes)
    same "$(echo "$said" | grep '^[EW]:' || true)" "" "what lintian says"
    ! ls "$tree"/debian/*.lintian-overrides 2>/dev/null || fail "overrides want arguments in the closing note"
}

scripts_linted() {
    cd "$tree"
    shellcheck debian/kick-monitor.init debian/kick-monitor.postinst debian/kick-monitor.prerm \
        debian/kick-monitor.postrm debian/tests/service
    shellcheck -x -P . tests/needs.sh tests/mutants.sh tests/package/*.sh tests/package/run .ci/run
    checkbashisms debian/kick-monitor.init debian/kick-monitor.postinst debian/kick-monitor.prerm \
        debian/kick-monitor.postrm debian/tests/service tests/package/world.sh
    bash -n debian/completions/kick-monitor
}

documented() {
    local files program option page=$tree/etc/man/kick-monitor.8.md
    files=$(dpkg-deb -c "$(the_deb)" | awk '{print $6}')
    for file in man/man8/kick-monitor.8.gz man/man5/kick-monitor.env.5.gz doc/kick-monitor/README.Debian \
        doc/kick-monitor/operating.md.gz doc/kick-monitor/copyright doc/kick-monitor/crates.gz \
        doc/kick-monitor/examples/rsyslog.conf doc/kick-monitor/examples/credential.conf \
        doc/kick-monitor/examples/nginx.conf doc/kick-monitor/examples/Caddyfile \
        bash-completion/completions/kick-monitor; do
        echo "$files" | grep -x "./usr/share/$file" || fail "$file is missing"
    done
    rm -rf "$work/unpacked"
    dpkg-deb -x "$(the_deb)" "$work/unpacked"
    for file in "$work"/unpacked/usr/share/man/man*/*; do
        same "$(man --warnings -l "$file" 2>&1 >/dev/null)" "" "what man says of $file"
        # A command that is divided at its hyphen cannot be copied.
        same "$(MANWIDTH=60 man -l "$file" | col -b | grep -n 'kick-$' || true)" "" "divided names in $file"
    done
    program=$work/unpacked/usr/bin/kick-monitor
    for command in run check status schema; do
        for option in $("$program" help $command | grep -o -- '--[a-z-]*' | sort -u); do
            grep -q -- "\*\*$option\*\*" "$page" || fail "kick-monitor(8) does not have $option"
            grep -q -- "$command) .*$option" "$tree/debian/completions/kick-monitor" ||
                fail "the completion of $command does not have $option"
        done
    done
    rm -rf "$work/unpacked"
}

# Without a package, into a directory of its own, and out of it again.
installed_by_make() {
    local copy=$work/copy dest=$work/dest
    rm -rf "$copy" "$dest"
    mkdir -p "$copy/target/release"
    cp -r "$tree/Makefile" "$tree/etc" "$tree/debian" "$copy"
    dpkg-deb --fsys-tarfile "$(the_deb)" | tar -xO ./usr/bin/kick-monitor >"$copy/target/release/kick-monitor"
    make -C "$copy" install PREFIX=/opt/km DESTDIR="$dest"
    same "$("$dest/opt/km/bin/kick-monitor" --version)" "kick-monitor $version" "the version"
    for file in man/man8/kick-monitor.8 man/man5/kick-monitor.env.5 bash-completion/completions/kick-monitor \
        kick-monitor/kick-monitor.env kick-monitor/kick-monitor.rules.yml; do
        [ -s "$dest/opt/km/share/$file" ] || fail "$file is missing"
    done
    grep -q '^ExecStart=/opt/km/bin/kick-monitor ' "$dest/opt/km/lib/systemd/system/kick-monitor.service" ||
        fail "the unit starts another program"
    make -C "$copy" uninstall PREFIX=/opt/km DESTDIR="$dest"
    same "$(find "$dest" ! -type d)" "" "what uninstall leaves"
    rm -rf "$copy" "$dest"
}

unit_judged_here() {
    mkdir -p "$work/unit"
    # verify looks whether the program is there.
    sed 's|/usr/bin/kick-monitor|/usr/bin/true|' "$tree/debian/kick-monitor.service" >"$work/unit/kick-monitor.service"
    same "$(systemd-analyze verify --man=no "$work/unit/kick-monitor.service" 2>&1)" "" "what verify says"
    systemd-analyze security --no-pager --offline=true --threshold=12 "$work/unit/kick-monitor.service"
}

# By each suite's own systemd, in its root.
unit_judged() {
    local root
    root=$(base "$1" systemd)
    # shellcheck disable=SC2016 # the inner shell's
    unshare --mount bash -c '
        set -e
        mount -t tmpfs none "$1/mnt"
        cp "$2/debian/kick-monitor.service" "$1/mnt/"
        # verify looks whether the program is there.
        sed -i "s|/usr/bin/kick-monitor|/usr/bin/true|" "$1/mnt/kick-monitor.service"
        mount -t proc none "$1/proc"
        said=$(chroot "$1" systemd-analyze verify --man=no /mnt/kick-monitor.service 2>&1)
        [ -z "$said" ] || { echo "$said"; exit 1; }
        chroot "$1" systemd-analyze security --no-pager --offline=true --threshold=12 /mnt/kick-monitor.service
    ' judge "$root" "$tree"
}

# Where policy-rc.d forbids every start, as in an image that is being made.
chrooted() {
    local root=$roots/machines/chroot-$1
    claim "chroot-$1"
    new_machine "chroot-$1" "$1" systemd
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    cp "$(the_deb)" "$root/root/first.deb"
    chroot "$root" apt-get install -q -y /root/first.deb </dev/null
    # shellcheck disable=SC2016 # dpkg-query's
    same "$(chroot "$root" dpkg-query -W -f '${db:Status-Abbrev}' kick-monitor)" "ii " "the package's state"
    same "$(chroot "$root" kick-monitor --version)" "kick-monitor $version" "the version"
    gives 78 chroot "$root" kick-monitor check --offline
    chroot "$root" stat -c '%U:%G %a' /etc/kick-monitor/kick-monitor.env | grep -x 'root:kick-monitor 640'
    chroot "$root" apt-get purge -q -y kick-monitor
    same "$(find "$root/etc" "$root/usr" "$root/var/lib" -name '*kick-monitor*' -print)" "" "what stays"
    remove_machine "chroot-$1"
}

piuparted() {
    local root
    root=$(base bookworm sysvinit)
    PATH=$PATH:/usr/sbin piuparts --no-eatmydata -d bookworm -e "$root" --warn-on-others --skip-logrotatefiles-test \
        "$(the_deb)" >"$work/piuparts.log" 2>&1 || { tail -n 40 "$work/piuparts.log"; fail "piuparts"; }
    tail -n 1 "$work/piuparts.log"
}

# The same .deb from another directory.
reproducible() {
    local elsewhere
    elsewhere=$(mktemp -d /var/tmp/kick-monitor-again.XXXXXX)
    tar -C "$tree" -c --exclude=./target --exclude=./.git --exclude=./.env . | tar -x -C "$elsewhere"
    make -C "$elsewhere" deb >"$work/again.log" 2>&1 || { tail -n 40 "$work/again.log"; fail "make deb"; }
    for file in "$tree"/target/deb/*.deb; do
        same "$(sha256sum <"$file")" "$(sha256sum <"$elsewhere/target/deb/$(basename "$file")")" "$(basename "$file")"
    done
    rm -rf "$elsewhere"
}

say "== $stage"
case $stage in
lint)
    prove "1 24" "built: versions agree, dependencies, debug symbols" built
    prove "2" "lintian --pedantic: no error, no warning, no override" linted
    prove "2" "shellcheck, checkbashisms" scripts_linted
    prove "2 18" "the unit, by this systemd: nothing to say, exposure at most 1.2" unit_judged_here
    prove "24" "manual pages, completion and examples fit the program" documented
    prove "24" "make install and make uninstall" installed_by_make
    ;;
unit)
    prove "2 18" "the unit on bookworm: nothing to say, exposure at most 1.2" unit_judged bookworm
    prove "2 18" "the unit on trixie: nothing to say, exposure at most 1.2" unit_judged trixie
    ;;
chroot)
    prove "1 4 7" "installed on bookworm where nothing may be started, and purged" chrooted bookworm
    prove "1 4 7" "installed on trixie where nothing may be started, and purged" chrooted trixie
    ;;
piuparts) prove "2 23" "piuparts" piuparted ;;
repro) prove "25" "built again in another directory: the same, byte by byte" reproducible ;;
esac
