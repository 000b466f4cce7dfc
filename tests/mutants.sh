#!/bin/sh
# Changes the program in small ways, one after the other, and runs the tests of the part that was changed: what they do
# not notice is printed as MISSED. PART is a folder of src, and SHARD=N/OF takes each OF-th change of it, because all of
# them take hours. DIFF=REVISION takes those in lines that differ from that revision, in every part.
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
missed=0
for part in monitor wire config gateway/database; do
    mutate "$part" --in-diff target/mutants/diff || missed=1
done
exit $missed
