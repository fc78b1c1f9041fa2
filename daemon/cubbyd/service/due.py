"""When a digest is due, by the calendar of its time zone. Pure, but for the machine's own zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cubbyd.config import DigestSection, Every, Weekday

DAY = timedelta(days=1)
LONGEST_SPAN = timedelta(days=31)
"""What a digest tells of at most, however long the machine was off."""


def zone_of(section: DigestSection) -> ZoneInfo | None:
    """Give the time zone; None for the machine's own."""
    return ZoneInfo(section.time_zone) if section.time_zone else None


def span_of(every: Every) -> timedelta:
    """Tell how much time a digest is about, as a rule; a day where none is sent by itself."""
    return 7 * DAY if every is Every.WEEK else DAY


def latest_due(section: DigestSection, now: datetime) -> datetime:
    """Give the last moment at or before now at which a digest was due."""
    zone = zone_of(section)
    day = now.astimezone(zone).date()
    if section.every is Every.WEEK:
        day -= ((day.weekday() - list(Weekday).index(section.weekday)) % 7) * DAY
    due = _moment(day, section.at, zone)
    return due if due <= now else _moment(day - span_of(section.every), section.at, zone)


def begin_of(due: datetime, every: Every, last_sent: datetime | None) -> datetime:
    """Tell from when on a digest tells what happened: where the last one ended, so that nothing falls between two."""
    usual = due - span_of(every)
    if last_sent is None or last_sent >= due:
        return usual
    return max(last_sent, due - LONGEST_SPAN)


def _moment(day: date, at: str, zone: ZoneInfo | None) -> datetime:
    """Make a moment of a day and a time there; one that the clocks skip is an hour later."""
    there = datetime.combine(day, time.fromisoformat(at), tzinfo=zone)
    return there.astimezone() if zone is None else there
