"""The installed command, as a user calls it, with a configuration for a server of the tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.desk import filing_old_mail
from tests.dovecot import PASSWORD, Dovecot
from tests.patience import PATIENCE_SECONDS

EXAMPLES = {
    "absence": [
        "{} is ill today",
        "{} has a fever and stays home",
        "no daycare for {} tomorrow, she is sick",
        "{} is sick, home today",
    ],
    "billing": [
        "the invoice for {} is wrong",
        "please send {}'s receipt",
        "tuition payment for {}",
        "question on the bill of {}",
    ],
    "meals": ["{} has a milk allergy", "no nuts for {} please", "what is for lunch, {} asks", "{} drinks oat milk now"],
}
NAMES = ["Emma", "Noah", "Mia", "Leo", "Ava", "Ben", "Zoe", "Max"]

CATEGORIES = """
[[categories]]
id = "absence"
code = 1
name = "Absence"

[[categories]]
id = "billing"
code = 2
name = "Billing"

[[categories]]
id = "meals"
code = 3
name = "Meals"
"""


def write_examples(file: Path) -> Path:
    lines = [
        json.dumps({"subject": text.format(name), "body": f"Hello, {text.format(name)}. Thank you", "label": label})
        for label, texts in EXAMPLES.items()
        for text in texts
        for name in NAMES
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


class Cubbyd:
    """A folder with a configuration, a password and a model, and the command that works on it."""

    def __init__(self, folder: Path, server: Dovecot, user: str, *, mailbox: str = "", more: str = "") -> None:
        self.folder = folder
        self.config = folder / "cubbyd.toml"
        self._server, self._user = server, user
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o600)
        self.write(mailbox=mailbox, more=more)

    def write(self, *, mailbox: str = "", more: str = "") -> None:
        tls = f'host = "localhost"\nport = {self._server.tls_port}\nca_file = "{self._server.certificate}"'
        self.config.write_text(
            f'[mailboxes.office]\n{mailbox or tls}\nusername = "{self._user}"\npassword_file = "password"\npoll_seconds = 5\n'
            f'[classifier]\nmodel = "cubbyd.model"\n[state]\ndirectory = "state"\n{filing_old_mail(more)}\n{CATEGORIES}'
        )

    def __call__(self, *arguments: str, timeout: float = PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=timeout, check=False, cwd=self.folder
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "cubbyd", "--config", str(self.config), *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        log = (self.folder / "log").open("w")
        with log:
            return subprocess.Popen(self.command("run", *arguments), stderr=log, stdout=log, text=True, cwd=self.folder)

    def log(self) -> list[dict[str, Any]]:
        lines = (self.folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def events(self) -> list[str]:
        return [line["event"] for line in self.log()]

    def train(self) -> None:
        done = self("train", str(write_examples(self.folder / "examples.jsonl")), "--out", str(self.folder / "cubbyd.model"))
        assert done.returncode == 0, done.stderr
