# shellcheck shell=bash
# For all stages: where things are, how a proof is run and noted, how to wait.
# Sourced; sets -euo pipefail.
set -euo pipefail

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
tree=$(realpath "$here/../..")
# Roots are large and worth keeping; machines are copies of them.
# shellcheck disable=SC2034 # used by who sources this
roots=${ROOTS:-/var/tmp/kick-monitor-roots}
work=${PACKAGE_TEST_DIR:-$tree/target/package-test}
results=$work/results
mkdir -p "$work"

export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "FAIL: $*"
    exit 1
}

# prove POINTS WHAT COMMAND...: runs the command as a script would that stops at the first failure, and
# notes how it went for these of the 25 points. What it prints is shown if it fails.
prove() {
    local points=$1 what=$2 log from status=0 verdict=ok
    shift 2
    log=$(mktemp "$work/proof.XXXXXX")
    from=$(date +%s%N)
    # Not in a condition: there, bash would not stop at failures.
    set +e
    (
        set -e
        "$@"
    ) >"$log" 2>&1
    status=$?
    set -e
    [ $status -eq 0 ] || verdict=FAIL
    local ms=$((($(date +%s%N) - from) / 1000000))
    printf '%s\t%s\t%s\t%s\t%s\n' "$points" "$verdict" "$ms" "${stage:-?}" "$what" >>"$results"
    printf '  %-4s %3d.%01d s  %s\n' "$verdict" $((ms / 1000)) $((ms % 1000 / 100)) "$what" >&2
    [ $status -eq 0 ] || sed 's/^/         | /' "$log" >&2
    rm -f "$log"
}

# within SECONDS COMMAND...: till the command succeeds.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "not in time: $*"
        sleep 0.2
    done
}

# gives STATUS COMMAND...: it must end with that exit status. What it prints goes through.
gives() {
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    [ "$status" -eq "$wanted" ] || fail "exit status $status instead of $wanted: $*"
}

# same A B WHAT
same() { [ "$1" = "$2" ] || fail "$3: '$1' and '$2' differ"; }

# may_open HARD: how many descriptors an init gives the daemon, both limits. What the unit says, or HARD where that
# is less and this root may not raise it.
may_open() {
    local wanted
    wanted=$(sed -n 's/^LimitNOFILE=//p' "$tree/debian/kick-monitor.service")
    [ "$1" -ge "$wanted" ] || prlimit --nofile="$wanted:$wanted" true 2>/dev/null || wanted=$1
    echo "$wanted $wanted"
}

# The package that make deb has left.
the_deb() {
    local found=("$tree"/target/deb/kick-monitor_*.deb)
    [ -e "${found[0]}" ] || fail "there is no package: run make deb"
    echo "${found[0]}"
}
