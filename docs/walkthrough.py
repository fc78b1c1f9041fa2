"""Run the commands of docs/datasets.md and write what they really print: python docs/walkthrough.py [--check]

Each ```console block is run in order, in an empty folder with the sample data as sample.jsonl and the sample mails in mails/.
With --check nothing is written, and it ends with 1 where the page says anything else than the commands.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parent / "datasets.md"
SAMPLE = Path(__file__).parent.parent / "daemon" / "cubbyd" / "demo" / "sample"
BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=```)", re.DOTALL)
ROSTER = "[children]\nMila Hofmann\n[staff]\nRosa Delgado\n"


def run(block: str, folder: Path) -> str:
    """Run the commands of a block, and give them with what they print."""
    lines: list[str] = []
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CUBBYD_", "COLUMNS", "FORCE_"))}
    for line in block.splitlines():
        if not line.startswith("$ "):
            continue
        command = shlex.split(line[2:])
        if command[0] != "cubbyd":
            raise SystemExit(f"{PAGE}: {command[0]} is no command of this page")
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{line}\n{done.stderr}")
        lines += [line, *(printed.rstrip() for printed in done.stdout.splitlines())]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page anew, or compare it."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(SAMPLE / "examples.jsonl", folder / "sample.jsonl")
        shutil.copytree(SAMPLE / "inbox", folder / "mails")
        (folder / "roster.txt").touch(mode=0o600)
        (folder / "roster.txt").write_text(ROSTER, encoding="utf-8")
        made = BLOCK.sub(lambda match: run(match[0], folder), page)
    if "--check" in sys.argv[1:]:
        if made != page:
            raise SystemExit(f"{PAGE} says something else than the commands; run: python docs/walkthrough.py")
    else:
        PAGE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
