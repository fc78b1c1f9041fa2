"""When a digest is due: by the calendar of its zone, also where that has days of 23 and 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cubbyd.config import DigestSection, Every, Weekday
from cubbyd.service.daemon import digest_calendar
from cubbyd.service.due import LONGEST_SPAN, begin_of, latest_due

BERLIN = "Europe/Berlin"
DAY = timedelta(days=1)
MOMENTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
"""From 2020 to 2034."""


def daily(at: str = "06:30") -> DigestSection:
    return DigestSection(every=Every.DAY, at=at, time_zone=BERLIN)


def there(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-21T06:29", "2026-11-20T06:30"),
        ("2026-11-21T06:30", "2026-11-21T06:30"),
        ("2026-11-21T23:59", "2026-11-21T06:30"),
        ("2026-11-22T00:01", "2026-11-21T06:30"),
        ("2026-03-29T07:00", "2026-03-29T06:30"),  # the clocks went ahead at 2
        ("2026-10-25T06:00", "2026-10-24T06:30"),  # and back at 3
    ],
)
def test_a_daily_one_is_due_at_its_time_there(now: str, due: str) -> None:
    assert latest_due(daily(), there(now).astimezone(UTC)) == there(due)


@pytest.mark.parametrize(
    ("now", "due"), [("2026-11-23T06:29", "2026-11-16"), ("2026-11-23T06:30", "2026-11-23"), ("2026-11-29T12:00", "2026-11-23")]
)
def test_a_weekly_one_is_due_on_its_day(now: str, due: str) -> None:
    section = DigestSection(every=Every.WEEK, weekday=Weekday.MONDAY, time_zone=BERLIN)

    assert latest_due(section, there(now)) == there(f"{due}T06:30")


@settings(max_examples=40)
@given(MOMENTS, st.sampled_from(Every), st.sampled_from(Weekday), st.times())
def test_it_is_never_due_in_the_future_nor_longer_ago_than_its_span(
    now: datetime, every: Every, weekday: Weekday, at: object
) -> None:
    section = DigestSection(every=every, weekday=weekday, at=str(at)[:5], time_zone=BERLIN)

    due = latest_due(section, now)

    assert timedelta(0) <= now - due <= (8 if every is Every.WEEK else 2) * DAY
    assert latest_due(section, due) == due, "at that very moment it is due"


@settings(max_examples=40)
@given(MOMENTS, st.sampled_from(Weekday))
def test_the_scheduler_wakes_at_just_that_moment(now: datetime, weekday: Weekday) -> None:
    section = DigestSection(every=Every.WEEK, weekday=weekday, time_zone=BERLIN)
    calendar = digest_calendar(section)
    assert calendar is not None

    wake = calendar.get_next_fire_time(None, now)

    assert latest_due(section, wake) == wake


def test_no_calendar_where_none_is_sent() -> None:
    assert digest_calendar(DigestSection()) is None


def test_it_tells_what_happened_since_the_last_one_also_after_days_without_power() -> None:
    due = there("2026-11-21T06:30")

    assert begin_of(due, Every.DAY, None) == due - DAY
    assert begin_of(due, Every.DAY, due - DAY) == due - DAY
    assert begin_of(due, Every.DAY, due - 4 * DAY) == due - 4 * DAY
    assert begin_of(due, Every.WEEK, due - 400 * DAY) == due - LONGEST_SPAN


def test_without_a_zone_the_machines_own_counts() -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    due = latest_due(DigestSection(every=Every.DAY), now)

    assert due.astimezone().strftime("%H:%M") == "06:30"
    assert timedelta(0) <= now - due < DAY
