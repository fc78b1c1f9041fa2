"""Examples that name nobody: each is read as a mail is, and then masked, in that order.

Reading puts what imitates a placeholder into round brackets (cubbyd.message.marker), so a placeholder in the result is always
ours. Ids, threads and senders get new numbers, and of the date the day is left: an id made of an address can be tried.
It is pseudonymization, not anonymization in the sense of the GDPR: a rare event can name a family without any name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from cubbyd.dataset.example import Example, body_of
from cubbyd.dataset.mail import subject_of
from cubbyd.message.parser import from_text
from cubbyd.redaction import Redactor

SHOWN_LEAKS: Final = 10


@dataclass(slots=True, kw_only=True)
class Masking:
    """What was masked, in counts, and where the last check found something."""

    examples: int = 0
    masked: Counter[str] = field(default_factory=Counter)
    """Per kind of name or number, how many mentions."""
    found_by: Counter[str] = field(default_factory=Counter)
    touched: int = 0
    """Examples in which something was masked."""
    emptied: int = 0
    """Examples of which nothing was left to read, a signature alone: left out."""
    leaks: Counter[str] = field(default_factory=Counter)
    """What is still there, in fixed phrases, by examples."""
    leaking: list[int] = field(default_factory=list)
    """Lines of the first of them."""
    leaking_examples: int = 0


def anonymize(examples: Iterable[Example], redactor: Redactor, masking: Masking) -> Iterator[Example]:
    """Mask examples, one after the other; those in which the last check finds something are counted and left out."""
    numbers: dict[str, str] = {}
    for example in examples:
        masking.examples += 1
        message = replace(from_text(example.subject, example.body), date=example.date)
        masked, done = redactor.redact(message)
        spans = [span for some in done.spans for span in some]
        masking.masked.update(str(span.kind) for span in spans)
        masking.found_by.update(str(span.finder) for span in spans)
        masking.touched += bool(spans)
        if done.leaks:
            _remember(masking, example, done.leaks)
            continue
        if not (masked.subject or masked.text or masked.quoted):
            masking.emptied += 1
            continue
        yield replace(
            example,
            subject=subject_of(masked),
            body=body_of(masked.text, masked.quoted),
            id=f"a{masking.examples}",
            group=_number(numbers, "g", example.group),
            sender=_number(numbers, "s", example.sender),
            date=_day(example.date),
        )


def _remember(masking: Masking, example: Example, leaks: tuple[str, ...]) -> None:
    masking.leaking_examples += 1
    masking.leaks.update(leaks)
    if len(masking.leaking) < SHOWN_LEAKS:
        masking.leaking.append(example.line)


def _number(numbers: dict[str, str], kind: str, key: str) -> str:
    """Give a name that says nothing: the same one for the same key."""
    return numbers.setdefault(f"{kind}:{key}", f"{kind}-{len(numbers) + 1}") if key else ""


def _day(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
