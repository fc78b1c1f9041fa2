"""The pause before a server is asked again: it grows, it scatters, and it is never shorter than the server wants."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cubbyd.errors import CubbydError, LoginRefused, MailboxUnavailable, StateError
from cubbyd.mailbox.pause import ADDED_SHARE, FIRST_SECONDS, LONGEST_ASKED_SECONDS, Pauses

PAUSES = Pauses(longest_seconds=600, login_seconds=900)
DOWN = MailboxUnavailable("down")

lots = st.floats(min_value=0, max_value=1)
counts = st.integers(min_value=1, max_value=10**6)


def test_pauses_double_and_then_stay() -> None:
    assert [PAUSES.after(DOWN, failures, 1.0) for failures in range(1, 10)] == [5, 10, 20, 40, 80, 160, 320, 600, 600]


@given(failures=counts, lot=lots)
def test_no_pause_is_longer_than_the_longest_or_shorter_than_half_of_the_first(failures: int, lot: float) -> None:
    assert FIRST_SECONDS / 2 <= PAUSES.after(DOWN, failures, lot) <= 600


@pytest.mark.parametrize("failures", [1, 4, 20])
def test_fifty_that_fail_in_the_same_moment_come_back_one_by_one(failures: int) -> None:
    """Even lots make even gaps over half of the pause."""
    back = sorted(PAUSES.after(DOWN, failures, place / 50) for place in range(50))
    gap = back[0] / 50
    assert all(later - earlier == pytest.approx(gap) for earlier, later in pairwise(back))


@given(asked=st.floats(min_value=0, max_value=10**7), failures=counts, lot=lots)
def test_a_server_that_names_a_time_is_not_asked_before_it(asked: float, failures: int, lot: float) -> None:
    pause = PAUSES.after(MailboxUnavailable("throttled", retry_after_seconds=asked), failures, lot)
    assert pause >= min(asked, LONGEST_ASKED_SECONDS)
    assert pause <= max(600, LONGEST_ASKED_SECONDS * (1 + ADDED_SHARE))


def test_those_that_a_server_sends_away_for_a_time_do_not_all_return_together() -> None:
    throttled = MailboxUnavailable("throttled", retry_after_seconds=300)
    assert [PAUSES.after(throttled, 1, lot) for lot in (0.0, 0.5, 1.0)] == [300, 330, 360]


@given(failures=counts, lot=lots)
def test_a_refused_login_waits_as_long_at_the_first_time_as_ever(failures: int, lot: float) -> None:
    assert 900 <= PAUSES.after(LoginRefused("no"), failures, lot) <= 900 * (1 + ADDED_SHARE)


@pytest.mark.parametrize("error", [StateError("full"), MailboxUnavailable("gone")])
def test_whatever_else_fails_waits_alike(error: CubbydError) -> None:
    assert PAUSES.after(error, 3, 0.0) == 10
