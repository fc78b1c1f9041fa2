"""What must hold of every masked mail whatever: the one check that the fuzzer and the ordinary test share.

An input is UTF-8 text of some fields, cut at NUL bytes: subject, text, quoted mail, signature, the sender's name and address.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Final

from tests.fuzz.checks import ROOT, Finding, golden_mails, measure

from cubbyd.message import Address, Attachment, ParsedMessage, parse
from cubbyd.redaction import Redacted, Redactor, Span, load_vocabulary, parse_roster
from cubbyd.redaction.redactor import MAX_TEXT_CHARS

REDACTION: Final = ROOT / "tests" / "redaction"
FIELDS: Final = 6
BLOCK_CHARS: Final = 8_000
SECONDS_A_BLOCK: Final = 0.05
"""Of processor time for each block begun."""
ROSTER: Final = """
[children]
Mia Hofmann
Will Baker
May Chen
Zoë Müller
Amir bin Khalid
Jo
Anne-Marie O’Neill
[parents]
Jana Hofmann
Mary Kate van der Berg
[staff]
Rosa Delgado
"""
WRITTEN: Final = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
OTHER: Final = Address(name="Dr. Hans-Peter Yılmaz", address="H.P.Yilmaz+kita@praxis.example")

_PLACEHOLDER: Final = re.compile(r"\[[A-Z]{2,12}_\d{1,5}\]")
_WORD: Final = re.compile(r"[^\W\d_]+")


@cache
def redactor() -> Redactor:
    """Give the redactor with all that it can know."""
    return Redactor(parse_roster(ROSTER, "roster.txt"), load_vocabulary(), keep=["Ladybug Room"])


def allowed_seconds(size: int) -> float:
    """Give the processor time that so many characters may take."""
    return SECONDS_A_BLOCK * (size // BLOCK_CHARS + 1)


def check_redaction(raw: bytes) -> float:
    """Mask a mail, and raise where something does not hold; give the share of the allowed time that it took."""
    message = _message(raw)
    people = (message.sender, *message.to)
    texts = (message.subject, message.text, message.quoted, message.signature, message.sender.name, message.attachments[0].name)
    done, seconds = measure(lambda: redactor().mask(texts, people, WRITTEN.date()))
    redacted, again = redactor().redact(message)
    if done != again:
        raise Finding("two results for one mail")
    shown = (redacted.subject, redacted.text, redacted.quoted, redacted.signature, redacted.sender.name)
    if shown != done.texts[:5] or redacted.attachments[0].name != done.texts[5]:
        raise Finding("the mail has other texts than were masked")
    rests = [_check_text(*each) for each in zip(texts, done.texts, done.spans, strict=True)]
    _check_leaks(rests, done, people)
    return seconds / allowed_seconds(sum(map(len, texts)))


def _message(raw: bytes) -> ParsedMessage:
    """Make a mail of an input; bytes that are no UTF-8 become lone surrogates, which a text in JSON may have, too."""
    subject, text, quoted, signature, name, address, *_ = [
        *raw.decode("utf-8", "surrogateescape").split("\x00", FIELDS - 1),
        *[""] * FIELDS,
    ]
    return ParsedMessage(
        subject=subject,
        text=text,
        quoted=quoted,
        signature=signature,
        sender=Address(name=name, address=address),
        to=(OTHER,),
        date=WRITTEN,
        attachments=(Attachment(name=f"{subject[:40]}.pdf", content_type="application/pdf"),),
    )


def _check_text(text: str, masked: str, spans: Sequence[Span]) -> str:
    """Check that placeholders stand where the spans are, and everything else is as it was; give that."""
    text = text[:MAX_TEXT_CHARS]
    if any(span.start >= span.end or span.start < 0 or span.end > len(text) for span in spans):
        raise Finding("a span outside of its text")
    if any(one.end > other.start for one, other in pairwise(spans)):
        raise Finding("spans that overlap, or are not in order")
    rests, position, place = [], 0, 0
    for span in spans:
        rests.append(text[position : span.start])
        placeholder = _PLACEHOLDER.match(masked, place + len(rests[-1]))
        if not masked.startswith(rests[-1], place) or not placeholder:
            raise Finding("changed outside of the spans, or no placeholder for one")
        position, place = span.end, placeholder.end()
    if masked[place:] != text[position:]:
        raise Finding("changed behind the last span")
    return "\n".join([*rests, text[position:]])


def _check_leaks(rests: Sequence[str], done: Redacted, people: Sequence[Address]) -> None:
    """Check that what is known is gone, or is said to be still there."""
    if done.leaks:
        return
    for rest in rests:
        lowered = rest.lower()
        if any(person.address and person.address.lower() in lowered for person in people):
            raise Finding("an address of the header is left, and no leak is told")
        words = f" {' '.join(_words(rest))} "
        for person in redactor().roster.people:
            name = _words(person.name)
            if len(name) > 1 and f" {' '.join(name)} " in words:
                raise Finding("a full name of the roster is left, and no leak is told")


def _words(text: str) -> list[str]:
    """Give the words of a text without case and accents: by other code than cubbyd's."""
    spread = unicodedata.normalize("NFD", text.casefold())
    return _WORD.findall("".join(letter for letter in spread if unicodedata.category(letter) != "Mn"))


def redaction_seeds() -> list[bytes]:
    """Give the texts of the golden mails, and the templates on which the recall is measured, filled in."""
    seeds = []
    for message in map(parse, golden_mails()):
        sender = message.sender
        fields = (message.subject, message.text, message.quoted, message.signature, sender.name, sender.address)
        seeds.append("\x00".join(fields).encode())
    for line in (REDACTION / "validation" / "templates.jsonl").read_text(encoding="utf-8").splitlines():
        template = json.loads(line)
        seeds.append(
            _filled(f"{template['subject']}\x00{template['body']}\x00\x00\x00Jana Hofmann\x00jana@example.com").encode()
        )
    return seeds


def _filled(text: str) -> str:
    """Put something for each blank such as {child.first}."""
    values = {"child": "Mia Hofmann", "parent": "Jana Hofmann", "staff": "Rosa Delgado", "other": "Omar Haddad"}

    def value(found: re.Match[str]) -> str:
        who, _, part = found[1].partition(".")
        name = values.get(who, "+1 415 555 0100")
        return name.split()[-1 if part == "last" else 0] if part else name

    return re.sub(r"\{([\w.]+)\}", value, text)
