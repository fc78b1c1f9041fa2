"""What an invitation says (RFC 5545): its method, and the summary, time, place and description of its first event."""

from __future__ import annotations

import re

MAX_EVENT_CHARS = 20_000
"""Of an iCalendar text that is looked at: the first event is at its head, behind at most the rules of a time zone."""
MAX_VALUE_CHARS = 4_000
"""Of one value; what a classifier is given of a mail is no longer."""

_FOLD = re.compile(r"\r?\n[ \t]")
# Alarms and time zones have descriptions and times of their own. Outlook puts "Reminder" into each invitation.
_OTHERS = re.compile(r"^BEGIN:(VALARM|VTIMEZONE)\s*$(?s:.*?)(?:^END:\1\s*$|\Z)", re.MULTILINE | re.IGNORECASE)
_SECOND_EVENT = re.compile(r"^END:(?:VEVENT|VTODO)\s*$", re.MULTILINE | re.IGNORECASE)
_PROPERTY = re.compile(
    r"^(METHOD|SUMMARY|LOCATION|DESCRIPTION|DTSTART|DTEND|STATUS)"
    r"((?:;[^:;\"\r\n]{0,200}(?:\"[^\"\r\n]{0,200}\")?){0,10}):([^\r\n]+)",
    re.MULTILINE | re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\([nN\\,;])")
_ZONE = re.compile(r"TZID=\"?([^\";:]{1,60})", re.IGNORECASE)
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(?:\d\d)?(Z?))?")


def describe_invitation(ical: str, *, is_brief: bool = False) -> str:
    """Put an iCalendar text into lines a person would read; empty where it has nothing of the kind.

    is_brief leaves the description out: the mail has it as its own text.
    """
    text = _OTHERS.sub("", _FOLD.sub("", ical[:MAX_EVENT_CHARS]))
    if end := _SECOND_EVENT.search(text):
        text = text[: end.start()]
    found: dict[str, tuple[str, str]] = {}
    for match in _PROPERTY.finditer(text):
        found.setdefault(match[1].upper(), (match[2], match[3][:MAX_VALUE_CHARS].strip()))
    if not found.keys() - {"METHOD", "STATUS"}:
        return ""
    values = {name: _ESCAPE.sub(_unescape, value).strip() for name, (_, value) in found.items()}
    method = values.get("METHOD", "event").lower()
    is_canceled = method == "cancel" or values.get("STATUS", "").upper() == "CANCELLED"
    heading = f"Calendar {'event canceled' if is_canceled else method}: {values.get('SUMMARY', '')}".rstrip()
    lines = (heading, _describe_time(found), values.get("LOCATION"), "" if is_brief else values.get("DESCRIPTION"))
    return "\n".join(filter(None, lines))


def _unescape(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]


def _describe_time(found: dict[str, tuple[str, str]]) -> str:
    """Say when it is: "2026-11-24 09:00 to 10:00 (Europe/Berlin)"; empty where the time is missing or nonsense."""
    parameters, start = found.get("DTSTART", ("", ""))
    begins = _TIME.fullmatch(start)
    if not begins:
        return ""
    ends = _TIME.fullmatch(found.get("DTEND", ("", ""))[1])
    zone = _ZONE.search(parameters)
    day, time = _day(begins), _clock(begins)
    said = f"{day} {time}".strip()
    if ends and time and _clock(ends):
        said += f" to {_clock(ends)}" if _day(ends) == day else f" to {_day(ends)} {_clock(ends)}"
    if zone:
        said += f" ({zone[1]})"
    elif begins[6]:
        said += " (UTC)"
    return said


def _day(time: re.Match[str]) -> str:
    return f"{time[1]}-{time[2]}-{time[3]}"


def _clock(time: re.Match[str]) -> str:
    return f"{time[4]}:{time[5]}" if time[4] else ""
