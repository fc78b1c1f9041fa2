"""Make docs/demo.svg and docs/redact.svg, the pictures of the docs, from what cubbyd really prints: python docs/picture.py"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parent
COLUMNS = 112
SOLID = "\N{NO-BREAK SPACE}"
"""Some viewers of SVG drop spaces at the beginning of a line."""

FIRST_ROWS = 38
ROSTER = "[children]\nMila Hofmann\n[parents]\nJana Hofmann\n[staff]\nRosa Delgado\n"
LETTER = """\
From: Jana Hofmann <jana.hofmann@mail.example>
To: office@littlecubby.example
Date: Tue, 17 Nov 2026 07:02:11 -0500
Subject: Mila out until Thursday

Dear Miss Rosa,

Mila (born 03/14/2023) threw up twice and has 102.4, so she stays home until
Thursday. Dr. Okonkwo saw her at 8:30. If Friday is the picnic, my mother Ludmila
picks her up at 3, you can reach her at (415) 555-0132.

We moved, by the way: 214 Maple Grove Ave, Apt 3B, Springfield, IL 62704.

Thanks,
Jana
"""


def main() -> None:
    """Draw both."""
    draw_demo()
    draw_redact()


def draw_demo() -> None:
    """Run the demo, keep its beginning and its sums, and draw them as a terminal."""
    lines = [line.rstrip() for line in _run("demo").splitlines()]
    folders = next(number for number, line in enumerate(lines) if line.startswith("The folders"))
    last = next(number for number, line in enumerate(lines) if line.startswith("Next, with"))
    shown = [*lines[:FIRST_ROWS], "   …", "", *lines[folders : last - 1]]
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ make demo", style="bold green"))
    for line in shown:
        for part in textwrap.wrap(line, COLUMNS, drop_whitespace=False) or [""]:
            console.print(Text(part.replace(" ", SOLID), style=_style(line)), soft_wrap=True)
    _save(console, "cubbyd demo", "demo.svg")


def draw_redact() -> None:
    """Mask a mail made for this, and draw what a person sees."""
    with tempfile.TemporaryDirectory() as folder:
        mail, roster = Path(folder) / "mail.eml", Path(folder) / "roster.txt"
        mail.write_text(LETTER, encoding="utf-8")
        roster.touch(mode=0o600)
        roster.write_text(ROSTER, encoding="utf-8")
        shown = _run("redact", "--roster", "roster.txt", "mail.eml", folder=Path(folder), colored=True)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ cubbyd redact --roster roster.txt mail.eml", style="bold green"))
    console.print(Text.from_ansi(shown.rstrip().replace(" ", SOLID)), soft_wrap=True)
    _save(console, "cubbyd redact", "redact.svg")


def _run(*arguments: str, folder: Path = DOCS, colored: bool = False) -> str:
    environment = {**os.environ, "COLUMNS": str(COLUMNS)} | ({"FORCE_COLOR": "1"} if colored else {})
    command = [sys.executable, "-m", "cubbyd", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder).stdout


def _save(console: Console, title: str, name: str) -> None:
    drawn = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title=title), flags=re.DOTALL)  # no font from afar
    (DOCS / name).write_text(drawn, encoding="utf-8")


def _style(line: str) -> str:
    return {"✓": "green", "✗": "red", "?": "yellow"}.get(line[:1], "")


if __name__ == "__main__":
    main()
