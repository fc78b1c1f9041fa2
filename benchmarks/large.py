"""A large set through the whole toolkit: 120,000 examples with 230 labels; seconds and peak memory of each command.

    python -m benchmarks.large [--examples 120000] [--labels 230] [--write]

The texts are made: sixty words each, twenty of them from the forty words of their label, and every twentieth text nearly the
same as the one before. They are far from mail; what is measured is size, not how well anything is told apart. Seconds are
processor time, and depend on the machine; memory is the peak of the process (VmHWM, proc_pid_status(5)), and hardly does.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.page import DOCS, write_part

WORDS: Final = [f"{first}{number}" for first in ("ba", "ku", "lo", "mi", "ne", "so", "ti", "va") for number in range(900)]
MEASURE: Final = """
import re, sys, time
from pathlib import Path
from cubbyd.cli import cli
try:
    cli(sys.argv[1:], prog_name="cubbyd")
finally:
    peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
    Path("measured").write_text(f"{time.process_time()} {int(peak) / 1024}")
"""
STEPS: Final = (
    ("import", "dataset import raw.jsonl --out examples.jsonl"),
    ("stats", "dataset stats examples.jsonl"),
    ("split", "dataset split examples.jsonl --out sets"),
    ("train", "train sets/train.jsonl --out cubbyd.model"),
    ("evaluate", "--config cubbyd.toml evaluate sets/test.jsonl --out report.html"),
)


def main() -> None:
    """Make the set, run the commands one after the other, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--examples", type=int, default=120_000)
    parser.add_argument("--labels", type=int, default=230)
    parser.add_argument("--write", action="store_true", help="write the table into docs/datasets.md")
    options = parser.parse_args()
    lines = ["| command | processor time, s | peak memory, MB |", "|---|---:|---:|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_examples(folder / "raw.jsonl", options.examples, options.labels)
        write_configuration(folder / "cubbyd.toml", options.labels)
        for step, command in STEPS:
            seconds, peak = run(folder, command)
            lines.append(f"| `{step}` | {seconds:,.0f} | {peak:,.0f} |")
            print(lines[-1], flush=True)
        sizes = {file: (folder / file).stat().st_size / 1e6 for file in ("raw.jsonl", "cubbyd.model", "report.html")}
    lines += ["", "; ".join(f"{file}: {size:,.0f} MB" for file, size in sizes.items())]
    print(lines[-1])
    if options.write:
        write_part("large", "\n".join(lines), DOCS / "datasets.md")


def write_examples(file: Path, examples: int, labels: int) -> None:
    """Write the set; the same at every call."""
    draw = random.Random(11)
    topics = [draw.sample(WORDS, 40) for _ in range(labels)]
    text = ""
    with file.open("w", encoding="utf-8") as stream:
        for number in range(examples):
            label = draw.randrange(labels)
            if number % 20:
                text = " ".join([*draw.choices(topics[label], k=20), *draw.choices(WORDS, k=40)])
            stream.write(json.dumps({"body": f"{text} {number}", "label": f"topic-{label}"}) + "\n")


def write_configuration(file: Path, labels: int) -> None:
    """Write a configuration with all labels as categories."""
    categories = "\n".join(
        f'[[categories]]\nid = "topic-{number}"\ncode = {number + 1}\nname = "{number}"' for number in range(labels)
    )
    mailbox = '[mailboxes.office]\nhost = "mail.example.org"\nusername = "office"\npassword_file = "office.password"'
    file.touch(mode=0o600)
    file.write_text(f"{mailbox}\n{categories}\n", encoding="utf-8")


def run(folder: Path, command: str) -> tuple[float, float]:
    """Run one command; give its processor time in seconds and its peak of memory in MB."""
    subprocess.run([sys.executable, "-c", MEASURE, *command.split()], cwd=folder, stdout=subprocess.DEVNULL, check=True)
    seconds, peak = (folder / "measured").read_text(encoding="utf-8").split()
    return float(seconds), float(peak)


if __name__ == "__main__":
    main()
