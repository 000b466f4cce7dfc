#!/bin/sh
# Installs what building and testing need and this Debian lacks; with "run" only what the demonstration needs, with
# "deb" what making the package needs, too, with "package-lint" and "package-test" what looking at it and testing it
# do, with "interop" what runs other people's parts; with "suite" only what running tests that were built elsewhere
# needs. Says what before it does it, asks nothing, and is quick when all is there. Without the right to install, it
# prints the command, which is this script with "install" and the packages.
#
# No service of what it installs is started or enabled: the tests start their own.
set -eu

fail() {
    echo "$1" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

lacks_rust() {
    fail "kick-monitor needs Rust 1.85 or newer, and $1.
Install it with rustup, or
    on Debian 12: apt-get install cargo-web rust-web-clippy rustfmt-web
    on Debian 13: apt-get install cargo rust-clippy rustfmt"
}

packages=
wanted=${1-}
if [ "$wanted" = install ]; then
    shift
    packages=" $*"
elif [ "$wanted" != suite ]; then
    has cargo || lacks_rust "there is no cargo in the PATH"
    version=$(cargo --version | cut -d ' ' -f 2)
    minor=$(echo "$version" | cut -d . -f 2)
    [ "${version%%.*}" -gt 1 ] || [ "$minor" -ge 85 ] || lacks_rust "this is cargo $version"

    has make && has cc || packages="$packages build-essential"
    has pkg-config || packages="$packages pkg-config"
    { has pkg-config && pkg-config --exists openssl; } || packages="$packages libssl-dev"
fi

postgres_is_there() { has postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }

if [ "$wanted" != install ]; then
    has setpriv || packages="$packages util-linux"
    postgres_is_there || packages="$packages postgresql"
fi
case $wanted in
install | run) ;;
*)
    has pgbouncer || [ -x /usr/sbin/pgbouncer ] || packages="$packages pgbouncer"
    ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || packages="$packages libfaketime"
    ;;
esac
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
want() { for package; do installed "$package" || packages="$packages $package"; done; }

# By package, as dpkg-buildpackage asks for them.
case $wanted in
deb) want build-essential debhelper go-md2man libssl-dev ;;
interop)
    has node || packages="$packages nodejs"
    has npm || packages="$packages npm"
    has nginx || [ -x /usr/sbin/nginx ] || packages="$packages nginx"
    ;;
package-lint) want devscripts lintian man-db procps shellcheck systemd ;;
package-test) want devscripts lintian man-db mmdebstrap piuparts procps shellcheck systemd-container ;;
esac
# Of Prometheus only what is needed, unpacked here: its package would start a server.
tools=$(dirname "$0")/../target/tools
programs=promtool
case $wanted in
install | run | suite) programs= ;;
interop) programs="promtool prometheus" ;;
esac

as_root=
if [ "$(id -u)" -eq 0 ]; then
    as_root="env"
elif has sudo && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
fi

if [ -n "$packages" ]; then
    has apt-get || fail "These Debian packages, or what your system has in their place, are missing:$packages"
    [ -n "$as_root" ] || fail "Packages are missing, and installing them takes root. Run this, then try again:
    sudo $(realpath "$0") install$packages"
    echo "Installing with apt-get:$packages"

    # Nothing that comes along is started, now or at the next start of the machine.
    policy=/usr/sbin/policy-rc.d
    no_cluster=/etc/postgresql-common/createcluster.d/kick-monitor-tests.conf
    enabled() { ls /etc/systemd/system/*.wants/"$1.service" /etc/rc[2-5].d/S??"$1" >/dev/null 2>&1; }
    servers=
    for server in postgresql pgbouncer nginx; do
        enabled "$server" || servers="$servers $server"
    done
    made=
    tidy() {
        for server in $servers; do
            ! enabled "$server" || {
                $as_root deb-systemd-helper --quiet disable "$server.service" || true
                $as_root update-rc.d "$server" disable || true
            } >/dev/null 2>&1
        done
        # shellcheck disable=SC2086 # words on purpose
        [ -z "$made" ] || $as_root rm -f $made
    }
    trap tidy EXIT
    trap 'exit 130' INT TERM HUP
    if [ ! -e "$policy" ]; then
        made="$made $policy"
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
    fi
    if ! postgres_is_there && [ ! -e "$no_cluster" ]; then
        made="$made $no_cluster"
        $as_root mkdir -p "${no_cluster%/*}"
        echo "create_main_cluster = false" | $as_root tee "$no_cluster" >/dev/null
    fi
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # words on purpose
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages </dev/null
    tidy
    trap - EXIT
fi

unpack() {
    has apt-get || fail "$1 is missing; it comes with Prometheus"
    apt-cache show prometheus >/dev/null 2>&1 || [ -z "$as_root" ] || $as_root apt-get update -qq
    package=prometheus
    ! apt-cache show "$1" >/dev/null 2>&1 || package=$1
    echo "Unpacking $1 from Debian's package $package into target/tools"
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    trap 'exit 130' INT TERM HUP
    # Not as the user _apt, who may not write there.
    (cd "$unpacked" && apt-get -qq -o APT::Sandbox::User=root download "$package") ||
        fail "The package $package cannot be downloaded. Run this, then try again: sudo apt-get update"
    dpkg-deb -x "$unpacked/$package"_*.deb "$unpacked"
    mkdir -p "$tools/usr/bin"
    mv "$unpacked/usr/bin/$1" "$tools/usr/bin/"
    rm -rf "$unpacked"
}

for program in $programs; do
    has "$program" || [ -x "$tools/usr/bin/$program" ] || unpack "$program"
done
