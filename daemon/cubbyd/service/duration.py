"""How long something takes, or ago it was, in words. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta


def age(moment: datetime | None, now: datetime) -> str:
    """Say how long ago something was."""
    if moment is None:
        return "-"
    return span((now - moment) / timedelta(seconds=1))


def span(seconds: float) -> str:
    """Say how long something takes, in the largest unit that gives two or more."""
    seconds = max(0, int(seconds))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
