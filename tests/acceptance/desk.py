"""An admin's desk: a folder with a configuration, and the installed command called in it, as a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_SECONDS

from cubbyd.service.log import STRICT

TEXTS = {
    "absence": ("fever, sick at home today", "he is ill and stays home", "stomach bug, not coming"),
    "billing": ("the invoice for tuition", "a receipt for the payment", "autopay took the payment twice"),
    "pickup": ("grandma collects her at four", "running late for pick-up", "her uncle will collect her"),
}
BACKLOG = 'backlog = "file"\n'
MAIL = b"Subject: sick\r\nFrom: a@example.org\r\n\r\nShe has a fever and stays home today.\r\n"


class Desk:
    """A folder with a configuration, and a way to call cubbyd in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "office.password").touch(mode=0o600)
        (folder / "office.password").write_text("hunter2-lettuce\n")

    def configure(
        self, text: str = "", *, mailbox: str = 'password_file = "office.password"', categories: str = " ".join(TEXTS)
    ) -> None:
        """Write a right configuration with lines added."""
        tables = [
            f'[mailboxes.office]\nhost = "127.0.0.1"\nport = {self.port}\nsecurity = "plain"\nusername = "office"\n{mailbox}',
            '[state]\ndirectory = "state"',
            filing_old_mail(text),
            *(
                f'[[categories]]\nid = "{id_}"\ncode = {code}\nname = "{id_.title()}"'
                for code, id_ in enumerate(categories.split(), 1)
            ),
        ]
        (self.folder / "cubbyd.toml").write_text("\n\n".join(tables))

    def call(
        self, *arguments: str, code: int = 0, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run cubbyd to its end; it ends with this code, and never with a traceback."""
        done = subprocess.run(
            [sys.executable, "-m", "cubbyd", *arguments],
            cwd=self.folder,
            env=clean_environment() | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done
        assert "lettuce" not in done.stdout + done.stderr
        return done


def filing_old_mail(text: str) -> str:
    """Have mail filed that was delivered before the first run, as most tests do it."""
    if "[filing]\n" in text:
        return text.replace("[filing]\n", f"[filing]\n{BACKLOG}", 1)
    keys, table, tables = text.partition("[")  # the keys belong to the table before
    return f"{keys}\n[filing]\n{BACKLOG}\n{table}{tables}"


def clean_environment() -> dict[str, str]:
    """Give the environment without what cubbyd or its output would take from it."""
    ours = ("CUBBYD_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "PYTHONIOENCODING", "COLUMNS", "FORCE_COLOR")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours) or key == STRICT}


def free_port() -> int:
    """Find a port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def json_lines(text: str) -> list[dict[str, Any]]:
    """Read text of which every line is a JSON object, and nothing else."""
    return [json.loads(line) for line in text.splitlines()]


def write_examples(file: Path) -> None:
    """Write six examples of each category."""
    lines = [
        json.dumps({"subject": text, "body": f"{text}, number {number}", "label": label})
        for label, texts in TEXTS.items()
        for number, text in enumerate(texts * 2)
    ]
    file.write_text("\n".join(lines) + "\n")
