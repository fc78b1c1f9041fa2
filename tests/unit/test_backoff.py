"""The wait between two tries of one mail: short at first, never too long, and the whole budget outlasts a night."""

from __future__ import annotations

from datetime import timedelta

from cubbyd.config import ClassifierSection
from cubbyd.filing.backoff import LONGEST, pause_after


def test_the_waits_grow_and_then_stay() -> None:
    assert [pause_after(attempts) // timedelta(minutes=1) for attempts in range(1, 9)] == [1, 4, 16, 64, 256, 360, 360, 360]


def test_the_default_budget_outlasts_a_night() -> None:
    """After the last attempt there is no wait, but quarantine."""
    attempts = ClassifierSection().attempts
    total = sum((pause_after(done) for done in range(1, attempts)), timedelta())

    assert timedelta(hours=16) < total < timedelta(hours=20)


def test_no_number_of_attempts_is_too_many_or_too_few() -> None:
    assert pause_after(0) == pause_after(1)
    assert pause_after(10**9) == LONGEST
