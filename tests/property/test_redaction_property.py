"""Masking any text at all: total, exact about what it changed, and blind to nothing that it was told of."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cubbyd.message.model import Address
from cubbyd.redaction import Redacted, Redactor, load_vocabulary, parse_roster

ROSTER = parse_roster("[children]\nZoë Möller-Ruiz\nWill Day\n[parents]\nAnn O'Neill\n", "roster.txt")
PIECES = st.sampled_from(
    [
        "Zoë", "zoe", "Möller-Ruiz", "Moeller", "Will", "will", "Day", "Ann", "O'Neill", "Dear ", "Mrs. ", "my son ", "Thanks,\n",
        "Theo", "call ", "555-0132", "a@b.example", "(415) ", "12 Elm St", "DE89370400440532013000", "born ", "3/4/2022", "\n", " ",
        ", ", ". ", "'s", "-", ":", "[CHILD_1]", "é", "\u0301", "ß", "漢字", "😀", "x" * 90,
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=30).map("".join))


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(ROSTER, load_vocabulary())


def rebuild(text: str, done: Redacted, place: int) -> str:
    """Put what was masked back where the placeholders are."""
    masked, moved = done.texts[place], 0
    for span in done.spans[place]:
        start = span.start + moved
        stop = masked.index("]", start) + 1
        masked = masked[:start] + text[span.start : span.end] + masked[stop:]
    return masked


@given(st.lists(TEXTS, min_size=1, max_size=3), st.one_of(st.none(), st.dates(date(1990, 1, 1), date(2100, 1, 1))))
def test_nothing_changes_but_what_is_masked(redactor: Redactor, texts: list[str], written: date | None) -> None:
    done = redactor.mask(texts, (Address(name="Ann O'Neill", address="Ann@b.example"),), written)

    for place, text in enumerate(texts):
        spans = done.spans[place]
        assert all(0 <= span.start < span.end <= len(text) for span in spans)
        assert all(one.end <= other.start for one, other in pairwise(spans))
        assert rebuild(text, done, place) == text
    assert redactor.mask(texts, (Address(name="Ann O'Neill", address="Ann@b.example"),), written) == done


@given(TEXTS, TEXTS)
def test_an_address_of_the_header_is_gone_or_the_mail_does_not_leave(redactor: Redactor, before: str, after: str) -> None:
    done = redactor.mask([f"{before} ann.o@b.example {after}"], (Address(address="ann.o@b.example"),))

    assert "ann.o@b.example" not in done.texts[0].lower() or "an address of the header" in done.leaks


@given(TEXTS, TEXTS)
def test_a_full_name_of_the_roster_is_gone_or_the_mail_does_not_leave(redactor: Redactor, before: str, after: str) -> None:
    done = redactor.mask([f"{before} Ann O'Neill {after}"])

    assert "Ann O'Neill" not in done.texts[0] or "a name of the roster" in done.leaks
