#!/bin/sh
# Prints the matrix of faults that the tests left in the directory $1, a file a cell: how long until it was
# noticed and, when it was over, healed; how many statuses were false and how many were lost. Fails when a
# cell is empty or not 0 and 0.
set -eu

cd "$1"
printf '%-42s %10s %10s %6s %5s\n' 'fault' 'noticed' 'healed' 'false' 'lost'
bad=0
for cell in *; do
    fault=$(printf '%s' "$cell" | tr '\t' ':' | sed 's/:/: /')
    if [ -s "$cell" ]; then
        IFS="$(printf '\t')" read -r noticed healed false lost <"$cell"
    else
        noticed=- healed=- false=- lost=-
    fi
    [ "$noticed" = - ] || noticed="$noticed s"
    [ "$healed" = - ] || healed="$healed s"
    printf '%-42s %10s %10s %6s %5s\n' "$fault" "$noticed" "$healed" "$false" "$lost"
    [ "$false $lost" = '0 0' ] || bad=$((bad + 1))
done
[ "$bad" -eq 0 ] || { echo "$bad cells are empty or wrong" >&2; exit 1; }
