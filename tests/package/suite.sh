#!/usr/bin/env bash
# The tests of the source, built here and run in a bare root of another Debian, against the PostgreSQL, the
# PgBouncer and the libraries of that: suite.sh SUITE. Needs root and a cargo. Left out are tests that ask
# nothing of the machine. What came of each is in suite-SUITE.log.
# shellcheck source=tests/package/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/package/machines.sh
. "$here/machines.sh"

suite=${1:?SUITE}
name=suite-$suite
export stage=suite
target=${CARGO_TARGET_DIR:-$tree/target}
record=$work/$name.log
: >"$record"

# One line for each program of tests: the directory of its package, its source, the program.
programs() {
    cargo test --manifest-path "$tree/Cargo.toml" --workspace --locked --no-run --message-format=json |
        grep '"test":true},"features"' |
        sed -n 's|.*"manifest_path":"\([^"]*\)/Cargo.toml".*"src_path":"\([^"]*\)".*"executable":"\([^"]*\)".*|\1 \2 \3|p'
}

# Inside, without any network but a loopback of its own; sources and programs are where they are here. /tmp would be
# in memory.
inside_root() {
    local directory=$1
    shift
    systemd-nspawn --quiet --register=no --keep-unit --as-pid2 --pipe --private-network --resolv-conf=off \
        --machine="kick-$name" --directory="$roots/machines/$name" --bind-ro="$tree" --bind-ro="$target" \
        --bind="$target/tmp" --chdir="$directory" --setenv=TMPDIR=/var/tmp \
        --setenv=RUST_TEST_THREADS="${RUST_TEST_THREADS:-6}" "$@" </dev/null
}

# All that the tests need is there already: nothing could be fetched.
needs_nothing() {
    inside_root "$tree" tests/needs.sh suite
    # shellcheck disable=SC2016 # dpkg-query's
    inside_root / dpkg-query -W -f '${Package} ${Version}\n' pgbouncer 'postgresql-[0-9]*' 'libssl3*' >>"$record"
}

tried() {
    local directory=$1 program=$2 said=$work/$name.out status=0
    inside_root "$directory" "$program" --skip house:: --skip simulate:: --skip fuzz:: --skip interop:: \
        >"$said" 2>&1 || status=$?
    cat "$said" >>"$record"
    [ $status -eq 0 ] || { sed -n '/^failures:$/,$p' "$said"; fail "exit status $status: $program"; }
}

say "== $stage"
programs >"$work/$name.programs" || fail "the tests cannot be built"
claim "$name"
trap 'remove_machine "$name"' EXIT
new_machine "$name" "$suite" suite
prove "1" "a bare root of $suite has what tests/needs.sh says that tests need" needs_nothing
while read -r directory source program; do
    prove "1" "the tests of ${source#"$tree/"} on $suite" tried "$directory" "$program"
done <"$work/$name.programs"
outcomes() { grep -c "^test .* $1\$" "$record" || true; }
say "  $(outcomes ok) tests passed, $(outcomes FAILED) failed; each is named in $record"
sed -n 's/^test \(.*\) \.\.\. FAILED$/    \1/p' "$record" >&2
! grep -q "	FAIL	.*	suite	" "$results" || exit 1
