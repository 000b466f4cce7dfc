#!/bin/sh
# Installs what building and testing need and this Debian lacks; with "deb" what making the package
# needs, too, with "package-lint" and "package-test" what looking at it and testing it do, with "interop" what
# runs other people's parts; with "suite" only what running tests that were built elsewhere needs. Says what
# before it does it, asks nothing, and is quick when all is there. Without the right to install, it prints the
# command.
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
if [ "${1-}" != suite ]; then
    has cargo || lacks_rust "there is no cargo in the PATH"
    version=$(cargo --version | cut -d ' ' -f 2)
    minor=$(echo "$version" | cut -d . -f 2)
    [ "${version%%.*}" -gt 1 ] || [ "$minor" -ge 85 ] || lacks_rust "this is cargo $version"

    has make && has cc || packages="$packages build-essential"
    has pkg-config || packages="$packages pkg-config"
    { has pkg-config && pkg-config --exists openssl; } || packages="$packages libssl-dev"
fi

postgres_is_there() { has postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }

has setpriv || packages="$packages util-linux"
postgres_is_there || packages="$packages postgresql"
has pgbouncer || [ -x /usr/sbin/pgbouncer ] || packages="$packages pgbouncer"
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || packages="$packages libfaketime"
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
want() { for package; do installed "$package" || packages="$packages $package"; done; }

# By package, as dpkg-buildpackage asks for them.
case ${1-} in
deb) want build-essential debhelper go-md2man libssl-dev ;;
interop)
    has node || packages="$packages nodejs"
    has npm || packages="$packages npm"
    ;;
package-lint) want devscripts lintian man-db procps shellcheck systemd ;;
package-test) want devscripts lintian man-db mmdebstrap piuparts procps shellcheck systemd-container ;;
esac
[ -n "$packages" ] || exit 0

install="apt-get install -y --no-install-recommends$packages"
has apt-get || fail "These Debian packages, or what your system has in their place, are missing:$packages"
if [ "$(id -u)" -eq 0 ]; then
    as_root="env"
elif has sudo && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    fail "Packages are missing, and installing them takes root. Run this, then try again:
    sudo apt-get update && sudo $install"
fi

echo "Installing with apt-get:$packages"
# The tests start servers of their own; one that Debian would set up beside them is for nobody.
no_cluster=/etc/postgresql-common/createcluster.d/kick-monitor-tests.conf
if ! postgres_is_there && [ ! -e "$no_cluster" ]; then
    trap '$as_root rm -f "$no_cluster"' EXIT
    $as_root mkdir -p "${no_cluster%/*}"
    echo "create_main_cluster = false" | $as_root tee "$no_cluster" >/dev/null
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086 # words on purpose
$as_root env DEBIAN_FRONTEND=noninteractive $install </dev/null
