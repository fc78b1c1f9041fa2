"""The sample mailbox: mails with their true categories, and examples to train on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from cubbyd.taxonomy import CategoryId


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMail:
    """One mail of the sample inbox."""

    file: str
    raw: bytes
    """With CRLF line ends, as RFC 5322 wants them."""
    truth: CategoryId | None
    """The category that it belongs to; None for a mail that belongs nowhere."""


def _sample() -> Traversable:
    return files("cubbyd.demo") / "sample"


def sample_mails() -> list[SampleMail]:
    """Read the sample inbox, shuffled the way mail comes in: by a fixed order that is not the category's."""
    truths = [json.loads(line) for line in (_sample() / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    mails = [
        SampleMail(file=truth["file"], raw=_crlf((_sample() / "inbox" / truth["file"]).read_bytes()), truth=truth["label"])
        for truth in truths
    ]
    return sorted(mails, key=lambda mail: (mail.file.split("-")[1], mail.file))


def _crlf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def write_sample(folder: Path) -> Path:
    """Copy the examples into a folder, where the trainer can read them; give the file."""
    file = folder / "examples.jsonl"
    file.write_bytes((_sample() / "examples.jsonl").read_bytes())
    return file


def sample_examples() -> list[tuple[str, str]]:
    """Read the examples as pairs of a text, subject first, and its category."""
    lines = map(json.loads, (_sample() / "examples.jsonl").read_text(encoding="utf-8").splitlines())
    return [(f"{line['subject']}\n\n{line['body']}", line["label"]) for line in lines]


def sample_roster() -> str:
    """Give the names of the sample facility's families and staff, as the text of a roster file."""
    return (_sample() / "roster.txt").read_text(encoding="utf-8")


def sample_categories() -> str:
    """Give the categories as the TOML text that goes into a configuration."""
    return (_sample() / "categories.toml").read_text(encoding="utf-8")
