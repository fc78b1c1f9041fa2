"""What an invitation says (RFC 5545): its method, and the summary, place and description of its first event."""

from __future__ import annotations

import re

_FOLD = re.compile(r"\r?\n[ \t]")
_PROPERTY = re.compile(
    r"^(METHOD|SUMMARY|LOCATION|DESCRIPTION)(?:;[^:\n]{0,500})?:([^\r\n]{1,4000})", re.MULTILINE | re.IGNORECASE
)
_ESCAPE = re.compile(r"\\([nN\\,;])")


def describe_invitation(ical: str) -> str:
    """Put an iCalendar text into lines a person would read; empty where it has nothing of the kind."""
    found: dict[str, str] = {}
    for match in _PROPERTY.finditer(_FOLD.sub("", ical)):
        found.setdefault(match[1].lower(), _ESCAPE.sub(_unescape, match[2]).strip())
    if not found:
        return ""
    heading = f"Calendar {found.get('method', 'event').lower()}: {found.get('summary', '')}"
    return "\n".join(filter(None, (heading, found.get("location"), found.get("description"))))


def _unescape(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]
