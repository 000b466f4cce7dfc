#!/bin/sh
# Behaves enough like the daemon for the tests of the harness. Arguments: run --foreground --config FILE
say() { echo "$1" >&2; }
trap 'say "new event=reloaded value=$(grep ^KEY= "$4" | tr -d "'\''")"' HUP
trap 'say "bye event=stopped"; exit 3' TERM
say "hello event=started args=\"$1 $2 $3\" home=${HOME:-none} named=$NAMED"
while :; do sleep 0.01; done
