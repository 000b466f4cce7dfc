#!/bin/sh
# Changes the program in small ways, one after the other, and runs the tests of the part that was changed: what they do
# not notice is printed as MISSED. PART is a folder of src, and SHARD=N/OF takes each OF-th change of it, because all of
# them take hours. DIFF=REVISION takes those in lines that differ from that revision, in every part; with MOST=N, at
# most N of them, and none of the database's, whose tests take minutes.
set -eu
cd "$(dirname "$0")/.."

mutate() {
    part=$1
    shift
    case $part in
    gateway/database) tests="--test tests -- database::" ;;
    *) tests="--lib -- $part::" ;;
    esac
    mkdir -p "target/mutants/$part"
    # shellcheck disable=SC2086 # words on purpose
    cargo mutants --package kick-monitor --file "src/$part/**" --output "target/mutants/$part" "$@" -- $tests
}

if [ -z "${DIFF-}" ]; then
    mutate "${PART:-monitor}" --sharding round-robin --shard "${SHARD:-0/1}"
    exit
fi
mkdir -p target/mutants
git diff "$DIFF" -- src >target/mutants/diff
if [ -n "${MOST-}" ]; then
    set -- --package kick-monitor --in-diff target/mutants/diff --file 'src/monitor/**' --file 'src/wire/**' --file 'src/config/**'
    found=$(cargo mutants --list "$@" | wc -l)
    [ "$found" -gt 0 ] || exit 0
    # What is built already is used, and a change that never returns costs a minute.
    export CARGO_TARGET_DIR="$PWD/target"
    cargo mutants "$@" --sharding round-robin --shard "0/$(((found + MOST - 1) / MOST))" --timeout 60 --output target/mutants \
        -- --lib -- monitor:: wire:: config::
    exit
fi
missed=0
for part in monitor wire config gateway/database; do
    mutate "$part" --in-diff target/mutants/diff || missed=1
done
exit $missed
