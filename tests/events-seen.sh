#!/bin/sh
# Compares the events that the test suite provoked (a file each in the directory $1) with the manual page:
# none undocumented, none documented but never seen.
set -eu

cd "$(dirname "$0")/.."
documented=$(sed -n '/^# EVENTS$/,/^# PROBLEMS$/s/^\*\*\([a-z_]*\)\*\* (.*/\1/p' etc/man/kick-monitor.8.md | sort)
seen=$(ls "$1" | sort)
# Bugs of ours, which nobody can provoke from outside; unit tests of the supervisor see them.
bugs="fatal
thread_restarted"
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
echo "$documented" >"$temporary/documented"
{ echo "$seen"; echo "$bugs"; } | sort -u >"$temporary/seen"
[ -n "$seen" ] || { echo "no event was seen at all" >&2; exit 1; }
if ! diff "$temporary/documented" "$temporary/seen" >"$temporary/difference"; then
    sed -n 's/^< /documented and never seen: /p; s/^> /seen and not documented: /p' "$temporary/difference" >&2
    exit 1
fi
echo "the suite provoked every documented event, and no other"
