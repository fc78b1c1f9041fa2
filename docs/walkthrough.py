"""Run the commands of a page and write what they really print: python docs/walkthrough.py datasets|tutorial [--check]

Each ```console block is run in order, all in one folder. A ```toml block is the configuration from there on; an embedded mail
server with the sample mails stands in for the one that it names. datasets finds the sample data as sample.jsonl and the
sample mails in mails/; tutorial finds mails.csv: 600 examples of the sample, with four large categories and ten small ones.
With --check nothing is written, and it ends with 1 where the page says anything else than the commands do. --csv FILE writes
mails.csv.
"""

from __future__ import annotations

import csv
import difflib
import imaplib
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cubbyd.demo.sample_mail import sample_mails
from cubbyd.demo.server import DemoServer, embedded_server

DOCS: Final = Path(__file__).parent
SAMPLE: Final = DOCS.parent / "daemon" / "cubbyd" / "demo" / "sample"
BLOCK: Final = re.compile(r"(?<=```)(console|toml)\n(.*?)(?=```)", re.DOTALL)
SERVER: Final = re.compile(r'host = "mail\.example\.org"\nusername = "[^"]*"\n')
NUMBER: Final = re.compile(r"(\d[\d,]*(?:\.\d+)?)")
NOISY: Final = re.compile(r"[\d,]+(?= ms\b)|[\d,]+(?= +0\.00$)", re.MULTILINE)
"""How long a thousand mails took, in a sentence and in a table, where it stands before the money."""
ROSTER: Final = "[children]\nMila Hofmann\n[staff]\nRosa Delgado\n"
LARGE: Final = ("absence", "billing", "events", "schedule")


def main() -> None:
    """Write a page anew, or compare it."""
    match sys.argv[1:]:
        case ["--csv", file]:
            write_csv(Path(file))
        case [name, *more] if name in PREPARE and more in ([], ["--check"]):
            page = DOCS / f"{name}.md"
            said = page.read_text(encoding="utf-8")
            made = follow(page, said)
            if not more:
                page.write_text(made, encoding="utf-8")
            elif not alike(made, said):
                differences = difflib.unified_diff(said.splitlines(), made.splitlines(), "page", "commands", lineterm="", n=0)
                raise SystemExit(f"{page}: run python docs/walkthrough.py {name}\n" + "\n".join(differences))
        case _:
            raise SystemExit(__doc__)


def follow(page: Path, text: str) -> str:
    """Do what the page says, and give it with what the commands print."""
    with tempfile.TemporaryDirectory() as name, embedded_server() as server:
        folder = Path(name)
        PREPARE[page.stem](folder)
        deliver(server)
        write_secret(folder / "office.password", server.password)

        def do(block: re.Match[str]) -> str:
            if block[1] == "console":
                return f"console\n{run(page, block[2], folder)}"
            here = f'host = "{server.host}"\nport = {server.port}\nsecurity = "plain"\nusername = "{server.user}"\n'
            (folder / "cubbyd.toml").write_text(SERVER.sub(here, block[2]), encoding="utf-8")
            return block[0]

        return BLOCK.sub(do, text)


def alike(made: str, said: str) -> bool:
    """Tell whether the words are the same, and the numbers nearly: another processor adds up in another order."""
    ours, theirs = (NUMBER.split(NOISY.sub("", text)) for text in (made, said))
    if [squeeze(word) for word in ours[::2]] != [squeeze(word) for word in theirs[::2]]:
        return False
    pairs = zip(ours[1::2], theirs[1::2], strict=True)
    return all(abs(value(one) - value(other)) <= max(0.03, 0.1 * abs(value(other))) for one, other in pairs)


def squeeze(text: str) -> str:
    """Take out blanks, of which a table has as many as its longest number wants."""
    return re.sub(r"[ -]+", " ", text)


def value(number: str) -> float:
    """Read a number as it is printed."""
    return float(number.replace(",", ""))


def run(page: Path, block: str, folder: Path) -> str:
    """Run the commands of a block, and give them with what they print."""
    lines: list[str] = []
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CUBBYD_", "COLUMNS", "FORCE_"))}
    for line in block.splitlines():
        if not line.startswith("$ "):
            continue
        command = shlex.split(line[2:])
        if command[0] != "cubbyd":
            raise SystemExit(f"{page}: {command[0]} is no command of this page")
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{line}\n{done.stdout}{done.stderr}")
        lines += [line, *(printed.rstrip().replace(f"{folder}/", "") for printed in done.stdout.splitlines())]
    return "\n".join(lines) + "\n"


def prepare_datasets(folder: Path) -> None:
    """Lay out what docs/datasets.md works on."""
    shutil.copy(SAMPLE / "examples.jsonl", folder / "sample.jsonl")
    shutil.copytree(SAMPLE / "inbox", folder / "mails")
    write_secret(folder / "roster.txt", ROSTER)


def prepare_tutorial(folder: Path) -> None:
    """Lay out what docs/tutorial.md works on."""
    write_csv(folder / "mails.csv")


PREPARE: Final = {"datasets": prepare_datasets, "tutorial": prepare_tutorial}


def write_csv(file: Path) -> None:
    """Write 600 examples of the sample: 75 of each large category, 30 of the others."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line in (SAMPLE / "examples.jsonl").read_text(encoding="utf-8").splitlines():
        example = json.loads(line)
        found[example["label"]].append(example)
    draw = random.Random(1)  # noqa: S311  the same table at every call
    kept = [example for label, examples in found.items() for example in draw.sample(examples, 75 if label in LARGE else 30)]
    draw.shuffle(kept)
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("subject", "body", "category"))
        rows.writerows((example["subject"], example["body"], example["label"]) for example in kept)


def deliver(server: DemoServer) -> None:
    """Put the sample mails into the inbox."""
    with logged_in(server) as client:
        for sample in sample_mails():
            client.append("INBOX", "", None, sample.raw)


@contextmanager
def logged_in(server: DemoServer) -> Iterator[imaplib.IMAP4]:
    """Be another client of the server."""
    with imaplib.IMAP4(server.host, server.port, timeout=30) as client:
        client.login(server.user, server.password)
        yield client


def write_secret(file: Path, text: str) -> None:
    """Write a file for the owner alone."""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
