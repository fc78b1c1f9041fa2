"""Noticing that somebody set the clock: the wall clock went another way than the monotonic one."""

from __future__ import annotations

import pytest

from cubbyd.service.step import SMALLEST_STEP_SECONDS, StepWatch
from cubbyd.testing import HandClock

HOUR = 3600.0


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def watch(clock: HandClock) -> StepWatch:
    return StepWatch(clock)


def test_time_that_merely_passes_is_no_step(clock: HandClock, watch: StepWatch) -> None:
    for seconds in (0, 1, 60, HOUR, 1000 * HOUR):
        clock.advance(seconds)
        assert watch.check() is None


@pytest.mark.parametrize("step", [HOUR, -HOUR, 3.0, -3.0, 365 * 24 * HOUR])
def test_a_step_is_told_with_its_size_and_direction(clock: HandClock, watch: StepWatch, step: float) -> None:
    clock.advance(10)
    clock.set_wall(step)

    assert watch.check() == pytest.approx(step, abs=0.001)


def test_a_step_is_told_but_once(clock: HandClock, watch: StepWatch) -> None:
    clock.set_wall(-HOUR)
    watch.check()
    clock.advance(1)

    assert watch.check() is None


def test_a_step_back_and_forth_between_two_looks_is_none(clock: HandClock, watch: StepWatch) -> None:
    clock.set_wall(HOUR)
    clock.set_wall(-HOUR)

    assert watch.check() is None


def test_slewing_is_no_step(clock: HandClock, watch: StepWatch) -> None:
    """NTP takes the clock to the right time in small portions; all of them together may be a lot."""
    for _ in range(100):
        clock.advance(1)
        clock.set_wall(SMALLEST_STEP_SECONDS / 4)
        assert watch.check() is None


def test_the_smallest_step_counts(clock: HandClock, watch: StepWatch) -> None:
    clock.set_wall(SMALLEST_STEP_SECONDS + 0.01)

    assert watch.check() is not None
