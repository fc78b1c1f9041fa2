"""Mails of known categories that try to be filed elsewhere: attacks.jsonl, and mails.jsonl with the same mails in peace.

`wants` is the category that the attack is for; some want one that there is not. Every other word is ours, written for this.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from cubbyd.message import ClassifierInput, parse, render

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One mail."""

    category: str
    """Where it belongs."""
    subject: str
    body: str
    name: str = "none"
    wants: str = ""
    html: bool = False
    attachment: str = ""
    sender: str = "Ann Example"

    def raw(self) -> bytes:
        """Write the mail as a mail program does."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = f'"{self.sender}" <ann@example.com>'
        mail["To"] = "office@littlecubby.example"
        mail["Subject"] = self.subject
        mail["Date"] = "Fri, 20 Nov 2026 09:30:00 +0000"
        mail["Message-ID"] = f"<{self.name}-{self.category}@example.com>"
        mail.set_content(self.body, subtype="html" if self.html else "plain", cte="base64")
        if self.attachment:
            mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename=self.attachment)
        return mail.as_bytes()

    def read(self) -> ClassifierInput:
        """Read it as the daemon does."""
        return render(parse(self.raw()))


def read_attacks() -> list[Attack]:
    """Read all attacks."""
    return _read("attacks.jsonl")


def read_mails() -> dict[str, Attack]:
    """Read the mails that nobody tampered with, by category."""
    return {mail.category: mail for mail in _read("mails.jsonl")}


def _read(name: str) -> list[Attack]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [Attack(**json.loads(line)) for line in lines]
