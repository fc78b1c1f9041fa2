"""The fuzzer's check of the masking over its seeds and some hundred changes of them; needs no atheris."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.fuzz import redaction_checks
from tests.fuzz.checks import Finding
from tests.fuzz.engine import check_in_time
from tests.fuzz.fuzz_redaction import TARGET
from tests.fuzz.redaction_checks import allowed_seconds, check_redaction, redaction_seeds, redactor
from tests.fuzz.redaction_mutations import CHANGES, RedactionMutator

from cubbyd.redaction import Redacted, Redactor

SEEDS = redaction_seeds()
CHANGED = 200
MOST_BYTES = 4_096
ROUNDS = 4
MAIL = "About Zoë\x00Mia Hofmann is sick. Ann\x00\x00\x00Ann Example\x00ann@example.com".encode()


def test_every_seed_holds() -> None:
    redactor()
    assert len(SEEDS) >= 40
    for raw in SEEDS[::3]:
        check_in_time(check_redaction, raw)


@pytest.mark.parametrize("part", range(ROUNDS))
def test_changed_seeds_hold(part: int) -> None:
    redactor()
    mutate = RedactionMutator(SEEDS)
    for number in range(part, CHANGED, ROUNDS):
        raw = mutate(SEEDS[number % len(SEEDS)], random.Random(number), MOST_BYTES)
        try:
            check_in_time(check_redaction, raw)
        except Exception as error:
            error.add_note(f"change number {number}: {raw[:2000]!a}")
            raise


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("raw", [b"", b"\xff", MAIL], ids=["nothing", "no UTF-8", "a mail"])
def test_every_change_takes_any_text_and_changes_a_real_one(change: object, raw: bytes) -> None:
    assert callable(change)
    changed = {change(raw, random.Random(number)) for number in range(60)}
    assert changed != {raw} or len(raw) < 2


# --- the check notices -------------------------------------------------------------------------------------------------


def unmasked(done: Redacted) -> Redacted:
    return replace(done, texts=("About Zoë", "Mia Hofmann is sick. Ann", *done.texts[2:]), spans=((), (), *done.spans[2:]))


def changed_outside(done: Redacted) -> Redacted:
    return replace(done, texts=(done.texts[0], done.texts[1].replace("sick", "well"), *done.texts[2:]))


def twice(done: Redacted) -> Redacted:
    return replace(done, spans=(done.spans[0], (done.spans[1][0], *done.spans[1]), *done.spans[2:]))


def outside(done: Redacted) -> Redacted:
    return replace(done, spans=(done.spans[0], (replace(done.spans[1][0], end=10_000),), *done.spans[2:]))


@pytest.mark.parametrize(
    ("spoil", "phrase"),
    [
        (unmasked, "a full name of the roster is left"),
        (changed_outside, "changed"),
        (twice, "spans that overlap"),
        (outside, "a span outside"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_check_notices_what_is_wrong(spoil: object, phrase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_redaction(MAIL)
    assert callable(spoil)
    mask = Redactor.mask
    monkeypatch.setattr(Redactor, "mask", lambda *arguments: spoil(mask(*arguments)))
    with pytest.raises(Finding, match=f"^{phrase}"):
        check_redaction(MAIL)


def test_a_leak_that_is_told_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = Redactor.mask
    monkeypatch.setattr(
        Redactor, "mask", lambda *arguments: replace(unmasked(mask(*arguments)), leaks=("a name of the roster",))
    )
    assert check_redaction(MAIL) > 0


def test_an_address_that_is_left_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = MAIL.replace(b"is sick", b"ann@example.com")
    check_redaction(raw)
    monkeypatch.setattr(redaction_checks, "_check_text", lambda text, *_: text.replace("Hofmann", ""))
    with pytest.raises(Finding, match="an address of the header is left"):
        check_redaction(raw)


def test_the_target_is_complete() -> None:
    assert TARGET.load() is check_redaction
    assert TARGET.seeds() == SEEDS
    assert TARGET.allowed_seconds(1) == allowed_seconds(7_999) == 0.05
