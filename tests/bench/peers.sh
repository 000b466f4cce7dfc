#!/bin/sh
# Puts what a user would write instead of kick-monitor, with the libraries that it wants, into target/bench/peers.
# Whatever cannot be had is left out of the benchmark, with a word.
set -u

here=target/bench/peers
mkdir -p "$here"
cp tests/bench/peers/* "$here"
cd "$here" || exit 1

if command -v node >/dev/null && command -v npm >/dev/null; then
    cmp -s package-lock.json installed.json 2>/dev/null \
        || { npm ci --silent --ignore-scripts --no-audit --no-fund && cp package-lock.json installed.json; } \
        || echo "npm cannot install pusher-js and pg: the benchmark goes without Node."
else
    echo "There is no node with npm: the benchmark goes without Node."
fi

if command -v python3 >/dev/null; then
    cmp -s requirements.txt installed.txt 2>/dev/null \
        || { python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt \
            && cp requirements.txt installed.txt; } \
        || echo "pip cannot install websockets and asyncpg (is there python3-venv?): the benchmark goes without Python."
else
    echo "There is no python3: the benchmark goes without Python."
fi
