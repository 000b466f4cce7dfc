#!/bin/sh
# Draws docs/demonstration.svg: what a terminal shows of the demonstration, from a real run of it. Needs python3-venv; what
# draws (Rich) is put into target/picture.
set -eu

demo=${1:?the program}
here=target/picture
mkdir -p "$here"
[ -x "$here/venv/bin/python" ] || python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/picture/requirements.txt
# A terminal, so that there are colours.
script --quiet --return --command "stty cols 120; $demo --seconds 15" "$here/said" >/dev/null
"$here/venv/bin/python" tests/picture/draw.py "$here/said" docs/demonstration.svg
