r"""Postal addresses: a street with its number, and the town that stands with it; English, German, Spanish, French ways.

A street without a number is no address here; its words are looked at as names. No pattern can hang: every quantifier is
bounded, and two that follow one another cannot take the same letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cubbyd.redaction.model import Finder, Kind, Span
from cubbyd.redaction.words import WORDS


def _any(name: str) -> str:
    """Make one alternative of the words of a list, the longest first."""
    return "|".join(re.escape(word) for word in sorted(WORDS[name], key=len, reverse=True))


_LETTER = "A-Za-zÀ-ÖØ-öø-ÿĀ-ž"
_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŴŶŸŹŻŽ"
_CAP = rf"(?-i:[{_CAPITAL}][\w.'’-]{{0,30}})"
_NOT_BEFORE = r"(?<![\w$€£/.:,-])"

# --- towns -----------------------------------------------------------------------------------------------------------

_STATES = _any("states")
_EU_JOIN = _any("eu_join")
_ZIP = r"\d{5}(?:-\d{4})?(?!\w)"
_UK_CODE = r"(?-i:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)(?!\w)"  # and Canada's
_GAP = r"[ ]{0,2}[,;·|–-]?[ ]{0,2}\n?[ ]{0,2}"
_TOWN = rf"{_CAP}(?:[ ]{_CAP}){{0,3}}"
_US_TOWN = (
    rf"(?:{_GAP}{_TOWN},?[ ](?-i:(?:{_STATES})|[A-Z][a-z]{{3,12}}(?:[ ][A-Z][a-z]{{3,10}})?)\.?,?[ ]{_ZIP}"
    rf"|{_GAP}(?:{_TOWN}{_GAP})?{_UK_CODE}"
    rf"|{_GAP}{_TOWN},?[ ](?-i:{_STATES})(?!\w)"
    rf"|{_GAP}(?:[a-z][\w.']{{1,20}}[ ]){{0,2}}(?:{_STATES})?[ ]?{_ZIP})"
)
_EU_TOWN = (
    rf"(?:{_GAP}(?:[A-Z]{{1,2}}-)?\d{{4,5}}[ ]{_CAP}(?:[ /](?:{_CAP}|(?:{_EU_JOIN})[ ]{_CAP})){{0,3}}(?:[ ]\([\w ]{{2,20}}\))?)"
)

# --- streets ---------------------------------------------------------------------------------------------------------

_ENGLISH_KINDS = _any("english_kinds")
_PLAIN_KINDS = _any("plain_kinds")
_SPANISH_KINDS = _any("spanish_kinds")
_FRENCH_KINDS = _any("french_kinds")
_WIND = r"(?:(?:NE|NW|SE|SW|N|S|E|W|North|South|East|West)\.?[ ])?"
_UNIT = (
    r"(?:,?[ ]{0,2}\n?(?:(?:apt|apartment|unit|suite|ste|flat|floor|fl|bldg|building|lot)\b\.?[ ]?#?[ ]?[\w-]{1,6}|#[ ]?\w{1,6}"
    r"|\d{1,2}(?:st|nd|rd|th)[ ]floor))?"
)
_ENGLISH = re.compile(
    rf"{_NOT_BEFORE}\d{{1,6}}(?:[ ]?[A-Za-z](?!\w))?(?:-\d{{1,5}})?,?[ ]{_WIND}"
    rf"(?:(?:(?:{_CAP}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}?(?:{_ENGLISH_KINDS})\b\.?(?:[ ](?-i:NE|NW|SE|SW|N|S|E|W)\b\.?)?"
    rf"|(?-i:Broadway|Park|Highway|Route|County Road|The [A-Z][a-z]{{2,15}})(?:[ ]\d{{1,4}})?\b)"
    rf"{_UNIT}{_US_TOWN}?"
    rf"|\bP\.?[ ]?O\.?[ ]?Box[ ]\d{{1,6}}{_US_TOWN}?"
    rf"|{_NOT_BEFORE}\d{{1,6}}[ ](?:{_CAP}[ ]){{0,4}}{_CAP}{_UNIT}{_GAP}{_TOWN},?[ ](?-i:{_STATES})(?:,?[ ]{_ZIP})(?!\w)",
    re.IGNORECASE,
)
_TYPED_LOW = re.compile(
    rf"{_NOT_BEFORE}\d{{1,6}}[ ]{_WIND}(?:(?:[a-z][\w'.]{{1,20}}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,2}}?(?:{_PLAIN_KINDS})\b\.?"
    rf"(?![ ](?:time|trip|visit|day|appointment))"
    rf"{_UNIT}{_US_TOWN}?",
    re.IGNORECASE,
)
_SPANISH_KINDS = _any("spanish_kinds")
_SPANISH_WORD = rf"(?:{_CAP}|d[’']{_CAP}|\d{{1,2}}|(?:de|del|la|las|los|el|san|santa|santo|y|e)(?!\w))"
_SPANISH = re.compile(
    rf"(?<!\w)(?:{_SPANISH_KINDS})[ ]?{_SPANISH_WORD}(?:[ ]{_SPANISH_WORD}){{0,6}},?[ ]?"
    rf"(?:(?:n[ºo°]?\.?[ºo°]?|núm\.?|num\.?|número|#)[ ]?)?\d{{1,5}}(?!\w|:|[.,]\d)(?:[ ]?(?:bis|[a-z])(?!\w))?"
    rf"(?:,?[ ]?(?:\d{{1,2}}[ ]?[ºª°]\.?[ ]?-?[ ]?(?:(?:izq|dcha|izda|der|[a-z0-9])\b\.?)?"
    r"|(?:piso|planta|puerta|esc\.?|escalera|bajo|[áa]tico|pta\.?|int\.?|depto\.?|dpto\.?|apto\.?|portal|bloque)"
    r"[ ]?[\wºª]{0,4})){0,3}"
    rf"{_EU_TOWN}?"
    rf"|\bapartado(?: de correos)?[ ]\d{{1,6}}{_EU_TOWN}?",
    re.IGNORECASE,
)
_FRENCH_KINDS = _any("french_kinds")
_FRENCH_WORD = rf"(?:{_CAP}|[dl][’'][{_LETTER}][\w’'-]{{0,30}}|\d{{1,2}}|(?:de|du|des|la|le|les|à|aux|au|et|sur|en)(?!\w))"
_FRENCH = re.compile(
    rf"(?<![\w/.:-])\d{{1,4}}(?:[ ]?(?:bis|ter|quater|[a-d])(?!\w))?,?[ ](?:{_FRENCH_KINDS})[ ]{_FRENCH_WORD}"
    rf"(?:[ ]{_FRENCH_WORD}){{0,6}}"
    rf"(?:,?[ ](?:b[âa]t(?:iment)?|appt?|appartement|esc|[ée]tage|r[ée]sidence)\b\.?[ ]?\w{{1,12}}){{0,2}}{_EU_TOWN}?"
    rf"|\b(?-i:B\.?P\.?)[ ]\d{{1,5}}{_EU_TOWN}?",
    re.IGNORECASE,
)
_TOWN_ALONE = re.compile(
    rf"{_NOT_BEFORE}(?-i:{_TOWN},[ ](?:{_STATES})[ ]{_ZIP})"
    rf"|(?<![\w$€£/.:,-])(?:[A-Z]{{1,2}}-)?\d{{5}}[ ]{_CAP}(?![ ]?(?:Euro|EUR|€))|{_NOT_BEFORE}{_UK_CODE}",
    re.IGNORECASE,
)

# --- German: the kind of street ends a word, so a pattern finds word and number, and code looks at the word -------------

_GERMAN_ENDINGS = tuple(WORDS["german_endings"])
_GERMAN_OPENINGS = re.compile(
    rf"(?<!\w)(?:(?:(?:Am|An[ ]de[rn]|Auf[ ]de[rm]|Im|In[ ]de[rn]|Zum|Zur|Unter[ ]den|Hinter[ ]de[rm]|Vor[ ]de[rm]|Beim"
    rf"|Alte[rs]?|Neue[rs]?|Große[rs]?|Kleine[rs]?|Lange[rs]?|Obere[rs]?|Untere[rs]?)[ ]{_CAP}(?:[ ]{_CAP})?"
    rf"|Stra(?:ß|ss)e[ ]de[rs][ ](?:\d{{1,2}}\.[ ])?{_CAP}))$"
)
_NOT_STREETS = frozenset(WORDS["not_streets"])
_GERMAN = re.compile(
    rf"(?<![\w-])([{_LETTER}][\w.'’-]{{1,60}}+)[ ](?:Nr\.?[ ])?\d{{1,4}}(?:[ ]?[a-z](?!\w))?(?:[ ]?[-/–][ ]?\d{{1,4}}[a-z]?)?"
    rf"(?![\w:]|[.,]\d|[ ]?(?:uhr|h|€|euro|eur|kinder|min)\b)"
    rf"(?:,?[ ](?:EG|OG|DG|HH|VH|\d{{1,2}}\.[ ]?(?:OG|Stock|Etage)))?{_EU_TOWN}?",
    re.IGNORECASE,
)
_LEADING_WORDS = re.compile(rf"(?:{_CAP}[ ]){{1,3}}$")
_BEFORE = 80


def find_addresses(text: str) -> Iterator[Span]:
    """Find postal addresses in a text."""
    if not any(letter.isdigit() for letter in text):
        return
    for pattern in (_ENGLISH, _TYPED_LOW, _SPANISH, _FRENCH, _TOWN_ALONE):
        for match in pattern.finditer(text):
            yield _address(match.start(), match.end())
    yield from _german(text)


def _german(text: str) -> Iterator[Span]:
    for match in _GERMAN.finditer(text):
        if not match[1][0].isupper():
            continue
        word = match[1].lower()
        before = text[max(0, match.start() - _BEFORE) : match.end(1)]
        if opening := _GERMAN_OPENINGS.search(before):
            yield _address(match.end(1) - len(before) + opening.start(), match.end())
        elif word.endswith(_GERMAN_ENDINGS):
            leading = _LEADING_WORDS.search(before, 0, len(before) - len(match[1]))
            is_kind_alone = word in _GERMAN_ENDINGS
            if is_kind_alone and (leading is None or word in _NOT_STREETS):
                continue
            yield _address(match.start() - (len(leading[0]) if leading and is_kind_alone else 0), match.end())


def _address(start: int, end: int) -> Span:
    return Span(start=start, end=end, kind=Kind.ADDRESS, finder=Finder.PATTERN)
