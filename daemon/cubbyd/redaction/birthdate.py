"""Dates of birth. Dates of care stay: weekdays, "from Nov 23 to 27", and a full date near the mail's own.

Any other full date with a year is taken for one of birth, and so is one that follows a word such as "born".
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date

from cubbyd.redaction.model import Finder, Kind, Span

DATE_OF_CARE_DAYS = 400
"""A full date to come, or less than so many days before the mail, is one of care: the school year, the invoice, the trip."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar jänner enero ene janvier janv", "feb february februar febrero febr février fevrier févr",
            "mar march märz mrz marzo mars", "apr april abril abr avril avr", "may mai mayo", "jun june juni junio juin",
            "jul july juli julio juillet juil", "aug august agosto ago août aout",
            "sep sept september septiembre set septembre", "oct okt october oktober octubre octobre",
            "nov november noviembre novembre", "dec dez december dezember diciembre dic décembre déc",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
DATE = re.compile(
    r"(?<![\w/.-])(?:"
    r"(?P<y1>(?:19|20)\d\d)[-/.](?P<m1>\d{1,2})[-/.](?P<d1>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<sign>[-/.])\s?(?P<b>\d{1,2})(?P=sign)\s?(?P<y2>(?:19|20)?\d\d)"
    rf"|(?:the )?(?P<d3>\d{{1,2}})(?:\.|st|nd|rd|th|er|º)?\s?-?(?:of |de )?(?P<m3>{_MONTH})\b"
    r"\.?,?-?\s?(?:de |del )?(?P<y3>(?:19|20)\d\d)"
    rf"|\b(?P<m4>{_MONTH})\b\.?\s?(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<y4>(?:19|20)\d\d)"
    r")(?!\w|[/.-]\d)",
    re.IGNORECASE,
)
_BIRTH = re.compile(
    r"\b(?:born|birth\w{0,4}|b-?day|dob|d\.o\.b|turns|turned|geb|geboren\w{0,2}|geburt\w{0,8}|geb\.?-?datum"
    r"|nacid[oa]s?|naci[óo]|nacimiento|cumplea[ñn]os|n[ée]e?s?|naissance|anniversaire)\b",
    re.IGNORECASE,
)
_BIRTH_REACH = 48
"""Characters in which a word such as "born" makes a date a birth date."""
_SHORT_DATE = re.compile(
    rf"(?<![\w/.-])(?:\d{{1,2}}[/.]\d{{1,2}}\.?|\d{{1,2}}\.?(?: de)? (?:{_MONTH})\b\.?"
    rf"|\b(?:{_MONTH})\b\.? \d{{1,2}}(?:st|nd|rd|th)?)(?![\w/-])",
    re.IGNORECASE,
)
_PIVOT = 69
"""Two digits of a year: above it they are of the last century (POSIX, strptime %y)."""


def birth_dates(text: str, written: date | None) -> Iterator[Span]:
    """Find dates of birth. written is the day of the mail; without it every full date is taken for one."""
    cues = [match.end() for match in _BIRTH.finditer(text)]
    for match in DATE.finditer(text):
        if _is_cued(match, cues) or not _is_near(match, written):
            yield Span(start=match.start(), end=match.end(), kind=Kind.BIRTHDATE, finder=Finder.PATTERN)
    if cues:
        for match in _SHORT_DATE.finditer(text):
            if _is_cued(match, cues, reach=12):
                yield Span(start=match.start(), end=match.end(), kind=Kind.BIRTHDATE, finder=Finder.PATTERN)


def _is_cued(match: re.Match[str], cues: list[int], reach: int = _BIRTH_REACH) -> bool:
    nearest = bisect_right(cues, match.start()) - 1
    return nearest >= 0 and match.start() - cues[nearest] <= reach


def _is_near(match: re.Match[str], written: date | None) -> bool:
    if written is None:
        return False
    readings = [_day(*numbers) for numbers in _readings(match)]
    return any(day is not None and (written - day).days <= DATE_OF_CARE_DAYS for day in readings)


def _readings(match: re.Match[str]) -> list[tuple[int, int, int]]:
    """Give year, month, day; two readings where a country decides which number is the month."""
    if match["y1"]:
        return [(int(match["y1"]), int(match["m1"]), int(match["d1"]))]
    if match["y2"]:
        year = _full_year(match["y2"])
        return [(year, int(match["a"]), int(match["b"])), (year, int(match["b"]), int(match["a"]))]
    if match["y3"]:
        return [(int(match["y3"]), _MONTHS[match["m3"].lower()], int(match["d3"]))]
    return [(int(match["y4"]), _MONTHS[match["m4"].lower()], int(match["d4"]))]


def _full_year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:  # noqa: PLR2004 - written in full
        return year
    return year + (1900 if year >= _PIVOT else 2000)


def _day(year: int, month: int, number: int) -> date | None:
    try:
        return date(year, month, number)
    except ValueError:
        return None
