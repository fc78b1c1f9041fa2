"""Made-up mails for the benchmarks: sentences of labeled examples, recombined, as plain text, replies, HTML, and both.

They have the length, the structure and the words of real mail, and no sense; each is 1 to 20 kB long.
"""

from __future__ import annotations

import html
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from itertools import count
from typing import Final

from cubbyd.dataset.example import Example

FEWEST_OCTETS: Final = 1_500
MOST_OCTETS: Final = 18_900
"""What is aimed at; encoding and headers make a mail longer or shorter than that by some hundred octets."""

HEADER_OCTETS: Final = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A made-up mail, and the category whose examples its words were taken from."""

    content: bytes
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes mails out of examples: a subject of one, sentences of many, always of one category."""

    subjects: Mapping[str, Sequence[str]]
    sentences: Mapping[str, Sequence[str]]

    @classmethod
    def from_examples(cls, examples: Sequence[Example]) -> Writer:
        """Take the examples apart."""
        subjects: dict[str, list[str]] = defaultdict(list)
        sentences: dict[str, list[str]] = defaultdict(list)
        for example in examples:
            for category in example.labels:
                subjects[category].append(example.subject)
                sentences[category] += [text for text in re.split(r"(?<=[.!?])\s+|\n+", example.body) if text]
        return cls(subjects=subjects, sentences=sentences)

    def mails(self, seed: int) -> Iterator[Mail]:
        """Write mails without end; the same seed gives the same mails."""
        draw = random.Random(seed)
        categories = sorted(self.subjects)
        for number in count():
            category = draw.choice(categories)
            yield Mail(content=self._write(draw, category, number).as_bytes(), category=category)

    def _write(self, draw: random.Random, category: str, number: int) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["Received"] = f"from out{number % 7}.example.net by mail.example.org with ESMTPS; {_date(number)}"
        message["From"] = f"Parent {number} <parent{number}@example.net>"
        message["To"] = "Office <office@example.org>"
        message["Subject"] = draw.choice(self.subjects[category])
        message["Date"] = _date(number)
        message["Message-ID"] = f"<{number}.{draw.getrandbits(64):x}@example.net>"
        octets = draw.randint(FEWEST_OCTETS, MOST_OCTETS) - HEADER_OCTETS
        draw.choice(SHAPES)(message, draw, self.sentences[category], octets)
        return message


def _date(number: int) -> str:
    return format_datetime(datetime(2025, 9, 1, tzinfo=UTC) + timedelta(minutes=number))


def _paragraphs(draw: random.Random, sentences: Sequence[str], characters: int) -> list[str]:
    """Recombine sentences to paragraphs of about so many characters together."""
    paragraphs: list[str] = []
    while (missing := characters - sum(len(paragraph) + 2 for paragraph in paragraphs)) > 0:
        paragraphs.append(" ".join(draw.choices(sentences, k=draw.randint(1, 5)))[:missing])
    return paragraphs


def _write_plain(message: EmailMessage, draw: random.Random, sentences: Sequence[str], octets: int) -> None:
    message.set_content("\n\n".join(_paragraphs(draw, sentences, octets)))


def _write_reply(message: EmailMessage, draw: random.Random, sentences: Sequence[str], octets: int) -> None:
    new = "\n\n".join(_paragraphs(draw, sentences, octets // 2))
    quoted = "\n".join(f"> {paragraph}" for paragraph in _paragraphs(draw, sentences, octets // 2))
    message.set_content(f"{new}\n\nOn Mon, Sep 1, 2025 at 7:30 AM Office <office@example.org> wrote:\n\n{quoted}\n")


def _write_html(message: EmailMessage, draw: random.Random, sentences: Sequence[str], octets: int) -> None:
    message.set_content(_as_html(_paragraphs(draw, sentences, octets * 2 // 3)), subtype="html")


def _write_both(message: EmailMessage, draw: random.Random, sentences: Sequence[str], octets: int) -> None:
    paragraphs = _paragraphs(draw, sentences, octets * 2 // 5)
    message.set_content("\n\n".join(paragraphs))
    message.add_alternative(_as_html(paragraphs), subtype="html")


def _as_html(paragraphs: Sequence[str]) -> str:
    body = "\n".join(f'<div style="font: 11pt Calibri"><p class="text">{html.escape(text)}</p></div>' for text in paragraphs)
    return f"<html><head><style>p {{ margin: 0 }}</style></head><body>{body}</body></html>"


SHAPES: Final = (_write_plain, _write_reply, _write_html, _write_both)
