"""Draws what a terminal showed (a file of script(1)) as an SVG that loads nothing from elsewhere. For tests/picture/run.sh."""

import io
import re
import sys

from rich.console import Console
from rich.text import Text

WIDTH = 120
# Long enough to see it start, and short enough to see it end.
FIRST, LAST = 24, 8

# As Rich has it, but for fonts that would be loaded from another site.
FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(said: str, picture: str) -> None:
    with open(said, encoding="utf-8") as file:
        lines = [line.rstrip("\r\n") for line in file if not line.startswith("Script ")]
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) > FIRST + LAST:
        lines = lines[:FIRST] + ["…"] + lines[-LAST:]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in lines:
        text = Text.from_ansi(line)
        text.truncate(WIDTH, overflow="ellipsis")
        console.print(text, overflow="ignore", no_wrap=True)
    svg = console.export_svg(title="make run SECONDS=15", code_format=FORMAT, unique_id="demonstration")
    with open(picture, "w", encoding="utf-8") as file:
        file.write(re.sub(r"[ \t]+\n", "\n", svg))


if __name__ == "__main__":
    main(*sys.argv[1:])
