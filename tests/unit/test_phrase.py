"""Words and phrases are found whole, however they are spelled."""

from __future__ import annotations

import time

import pytest

from cubbyd.message.phrase import PhraseIndex, contains_phrase, normalize_phrase, split_words


def found(phrase: str, text: str) -> bool:
    return bool(PhraseIndex([phrase]).find(split_words(text)))


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("invoice", "INVOICE 12"),
        ("pick up", "Re Pick-up!"),
        ("Straße", "in der STRASSE"),
        ("café", "cafe\u0301 closed"),
        ("l'école", "À l'École"),
        ("gas leak", "a gas, leak"),
        ("हिन्दी", "यह हिन्दी है"),
        ("फीस", "आज फीस, कल"),
        ("42", "room 42"),
    ],
)
def test_a_phrase_is_found_in_any_spelling_of_it(phrase: str, text: str) -> None:
    assert found(phrase, text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("ill", "bill and illness"),
        ("voice", "invoice"),
        ("gas leak", "gas"),
        ("gas leak", "leak gas"),
        ("cafe", "café"),
        ("ह", "हि"),
        ("invoice", "in_voice invoice_2"),
        ("...", "... anything"),
    ],
)
def test_a_part_of_a_word_is_no_word(phrase: str, text: str) -> None:
    assert not found(phrase, text)


def test_phrases_that_begin_alike_or_lie_in_each_other_are_all_found() -> None:
    index = PhraseIndex(["late", "late pick up", "Pick-Up", "late fee", "up the hill"])

    assert index.find(split_words("A late pick-up, the hill")) == {"late", "late pick up", "pick up", "up the hill"}
    assert index.find(split_words("late")) == {"late"}
    assert index.find([]) == frozenset()


def test_a_phrase_is_normalized_to_its_words() -> None:
    assert normalize_phrase("  Pick-Up,\tLATE ") == "pick up late"
    assert contains_phrase("late pick up today", "pick up")
    assert not contains_phrase("late pick ups", "pick up")


@pytest.mark.parametrize(
    "text",
    ["not " * 250_000, "a" * 1_000_000, "\u0915\u093f" * 500_000, "é-" * 500_000, "!" * 1_000_000, "ß" * 1_000_000],
    ids=["one word again and again", "one long word", "letters with marks", "short words", "no word", "letters that grow"],
)
def test_a_megabyte_takes_no_longer_than_it_is_long(text: str) -> None:
    """Ten times the text takes about ten times the time; a search that begins again at each word would take a hundred."""
    index = PhraseIndex(["not " * 11 + "picked", "aa", "\u0915\u093f"])

    def seconds(part: str) -> float:
        began = time.process_time()
        index.find(split_words(part))
        return time.process_time() - began

    tenth = max(min(seconds(text[: len(text) // 10]) for _ in range(3)), 0.002)
    assert seconds(text) < 40 * tenth
