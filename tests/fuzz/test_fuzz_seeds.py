"""The fuzzer's check over the golden mails and some hundred changes of them, so that it cannot rot; needs no atheris."""

from __future__ import annotations

import random
import time

import pytest
from tests.fuzz import checks
from tests.fuzz.checks import Finding, allowed_seconds, check_mail, golden_mails
from tests.fuzz.engine import check_in_time
from tests.fuzz.fuzz_message import TARGET
from tests.fuzz.mutations import CHANGES, Mutator

from cubbyd.message import Address, ParsedMessage, parser

SEEDS = golden_mails()
CHANGED = 300
MOST_BYTES = 16_384
ROUNDS = 6


def test_every_golden_mail_holds() -> None:
    assert len(SEEDS) >= 15
    for raw in SEEDS:
        check_in_time(check_mail, raw)


@pytest.mark.parametrize("part", range(ROUNDS))
def test_changed_golden_mails_hold(part: int) -> None:
    mutate = Mutator(SEEDS)
    for number in range(part, CHANGED, ROUNDS):
        raw = mutate(SEEDS[number % len(SEEDS)], random.Random(number), MOST_BYTES)
        try:
            check_in_time(check_mail, raw)
        except Exception as error:
            error.add_note(f"change number {number}: {raw[:2000]!a}")
            raise


def test_a_seed_gives_the_same_mail_again_and_another_seed_another() -> None:
    mutate = Mutator(SEEDS)
    mails = [mutate(SEEDS[0], random.Random(number), MOST_BYTES) for number in range(50)]
    assert mails == [mutate(SEEDS[0], random.Random(number), MOST_BYTES) for number in range(50)]
    assert len(set(mails)) > 40
    assert all(len(raw) <= MOST_BYTES for raw in mails)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("raw", [b"", b"\n", SEEDS[0]], ids=["nothing", "a line end", "a mail"])
def test_every_change_takes_any_mail_and_changes_a_real_one(change: object, raw: bytes) -> None:
    assert callable(change)
    changed = {change(raw, random.Random(number)) for number in range(30)}
    assert changed != {raw} or not raw.strip()


# --- the check notices -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "phrase"),
    [
        (ParsedMessage(text="a\u200bb"), "unprintable character in text"),
        (ParsedMessage(subject="a\x1b[0m"), "unprintable character in subject"),
        (ParsedMessage(quoted="e\u0301"), "not NFC in quoted"),
        (ParsedMessage(signature=" Ann"), "blanks around signature"),
        (ParsedMessage(to=(Address(name="An\nn"),)), "line end in name in to"),
        (ParsedMessage(text="x" * 10_000), "much out of little"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_check_notices_what_is_wrong_with_a_message(
    message: ParsedMessage, phrase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_parse", lambda _: message)
    monkeypatch.setattr(checks, "parse", lambda _: message)
    with pytest.raises(Finding, match=f"^{phrase}"):
        check_mail(b"")


def test_an_exception_that_parse_would_hide_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "Walk", lambda _: 1 // 0)
    assert parser.parse(b"").defects == ("exception: ZeroDivisionError",)
    with pytest.raises(ZeroDivisionError):
        check_mail(b"")


def test_the_check_notices_two_results_for_one_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "parse", lambda raw: ParsedMessage(text=f"{len(raw)} at {time.time_ns()}"))
    with pytest.raises(Finding, match=r"^two results"):
        check_mail(SEEDS[0])


def test_what_is_slow_twice_is_a_finding_and_once_is_none() -> None:
    shares = iter([1.5, 0.2, 1.5, 1.2])
    assert check_in_time(lambda _: next(shares), b"") == 0.2
    with pytest.raises(AssertionError, match=r"^slow: 1\.2 times"):
        check_in_time(lambda _: next(shares), b"")


def test_a_longer_mail_may_take_longer() -> None:
    assert allowed_seconds(1000) == 0.25
    assert allowed_seconds(64 * 1024 * 10) == pytest.approx(2.75)


def test_the_target_is_complete() -> None:
    assert TARGET.load() is check_mail
    assert len(TARGET.seeds()) >= len(SEEDS)
    assert TARGET.allowed_seconds(1) == 0.25
