"""Make docs/demo.svg, the picture in the README, from what `cubbyd demo` really prints: python docs/picture.py"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 112
SOLID = "\N{NO-BREAK SPACE}"
"""Some viewers of SVG drop spaces at the beginning of a line."""

FIRST_ROWS = 38


def main() -> None:
    """Run the demo, keep its beginning and its sums, and draw them as a terminal."""
    environment = {**os.environ, "COLUMNS": str(COLUMNS)}
    command = [sys.executable, "-m", "cubbyd", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    folders = next(number for number, line in enumerate(lines) if line.startswith("The folders"))
    last = next(number for number, line in enumerate(lines) if line.startswith("Next, with"))
    shown = [*lines[:FIRST_ROWS], "   …", "", *lines[folders : last - 1]]
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ make demo", style="bold green"))
    for line in shown:
        for part in textwrap.wrap(line, COLUMNS, drop_whitespace=False) or [""]:
            console.print(Text(part.replace(" ", SOLID), style=_style(line)), soft_wrap=True)
    drawn = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="cubbyd demo"), flags=re.DOTALL)  # no font from afar
    Path(__file__).with_name("demo.svg").write_text(drawn, encoding="utf-8")


def _style(line: str) -> str:
    return {"✓": "green", "✗": "red", "?": "yellow"}.get(line[:1], "")


if __name__ == "__main__":
    main()
