r"""Postal addresses: a street with its number, and all that stands with it; English, German, Spanish, French ways.

First the street is found, by its kind and its number; then the rest of the address: flat, floor, district, postcode, town, on
the same line or the next. A street without a number is no address here; its words are looked at as names. No pattern can
hang: every quantifier is bounded, and two that follow one another cannot take the same letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cubbyd.redaction.model import Finder, Kind, Span
from cubbyd.redaction.words import WORDS


def _any(name: str) -> str:
    """Make one alternative of the words of a list, the longest first."""
    return "|".join(re.escape(word) for word in sorted(WORDS[name], key=len, reverse=True))


MAX_STREETS = 60
"""Of one text, for which the rest of the address is looked for."""

_LETTER = "A-Za-zÀ-ÖØ-öø-ÿĀ-ž"
_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŴŶŸŹŻŽ"
_CAP = rf"(?-i:[{_CAPITAL}][\w.'’-]{{0,30}})"
_SMALL = "a-zß-öø-ÿ"
_NOT_BEFORE = r"(?<![\w$€£/.:-])"

# --- the rest of an address ------------------------------------------------------------------------------------------

_STATES = _any("states")
_ZIP = r"\d{5}(?:-\d{4})?(?!\w)"
_CODE = r"(?-i:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]\d[\dW] ?[A-Z\d]{4})(?!\w)"
"""A British, Canadian or Irish postcode."""
_JOIN = _any("eu_join")
_EU_TOWN = (
    rf"(?:[A-Z]{{1,3}}-)?\d{{4,5}}[ ](?:{_CAP}(?:[ /](?:{_CAP}|(?:{_JOIN})[ ]{_CAP})){{0,3}}(?:[ ]\(\w{{2,20}}\))?"
    rf"|(?-i:[{_SMALL}]{{3,20}}(?:-[{_SMALL}]{{2,20}}){{0,3}}))"
)
_AFTER_CODE = rf"(?:[ ]Cedex)?(?:[ ]\d{{1,2}}(?![\d:.,]))?(?:,[ ]{_CAP}\.?(?:[ ]{_CAP}\.?)?(?=[ ]?(?:$|[\n.,;)])))?"
_REST_WITH_CODE = re.compile(
    rf"[^\n!?;]{{0,60}}?(?:\n[^\n!?;]{{0,40}}?){{0,2}}"
    rf"(?:(?-i:{_STATES})\.?,?[ ]{_ZIP}|{_CODE}|{_CAP}[ ]?(?:D\.C\.)?,?[ ]\d{{5,6}}(?:-\d{{4}})?(?!\w)|(?<![\w$€£]){_EU_TOWN}"
    rf"|(?<=, )CP[ ]\d{{5}}|(?:[ ][{_SMALL}]{{3,20}}){{1,3}}[ ](?:{_STATES})[ ]{_ZIP}){_AFTER_CODE}",
    re.IGNORECASE | re.MULTILINE,
)
_UNIT_WORDS = _any("unit_words")
_UNIT = (
    rf"(?:,?[ ]{{0,2}}\n?(?:(?:{_UNIT_WORDS})\b\.?[ ]?#?[ ]?[\wºª/-]{{0,8}}(?:[ ](?:rechts|links|droite|gauche|flat)\b)?"
    r"|#[ ]?\w{1,6}|\d{1,2}(?:st|nd|rd|th|er|e|[èe]me)[ ](?:floor|fl|flr|[ée]tage)\b\.?(?:[ ]porte)?(?:[ ](?:droite|gauche))?"
    r"|\d{1,2}\.[ ]?(?:OG|Stock|Etage)\b|\d{1,2}[ ]?\.?[ºª°]\.?[ ]?-?[ ]?(?:(?:izq|dcha|izda|der|[a-z0-9])\b\.?)?)){0,3}"
)
_PART = rf"(?:(?:{_CAP}|\d{{1,4}}[A-Za-z]?)(?:[ ](?:(?:{_JOIN})[ ])?(?:{_CAP}|\d{{1,2}}(?!\d))){{0,4}})"
"""A piece of an address between commas: Col. Centro, Dublin 2, Co. Dublin."""
_END = r"(?=[ ]?(?:$|[\n.,;:)|]))"
_REST = re.compile(
    rf"{_UNIT}(?:,[ ]?{_PART}{_END}(?![ ]?,[ ](?-i:[a-z]))){{0,3}}(?:,?[ ]{{1,2}}(?:[a-z]{{3,20}}[ ]){{0,2}}{_ZIP})?"
    rf"(?:[ ]?,?[ ]?\n(?!{_any('no_town')}){_PART}(?:,[ ]{_PART}){{0,2}}(?=[ ]?,?(?:\n|$)))?",
    re.IGNORECASE | re.MULTILINE,
)

# --- streets ---------------------------------------------------------------------------------------------------------

_KINDS = _any("english_kinds")
_PLAIN_KINDS = _any("plain_kinds")
_WIND = r"(?:(?:NE|NW|SE|SW|N|S|E|W|North|South|East|West)\.?[ ])?"
_FLAT = r"(?:(?:Flat|Unit|Apt\.?|Apartment|Suite)[ ]\w{1,5}(?:,?[ ]|/))?"
_COUNT = (
    r"(?:(?-i:[NSEW]\d{1,3}[NSEW]\d{3,5}|[NSEW]\d{3,5})|\d{1,6}(?:[ ]?[A-Za-z](?!\w)|[ ]\d/\d|½)?(?:-\d{1,5})?"
    r"|(?-i:One|Two|Three|Four|Five|Six|Seven|Eight|Nine|Ten))"
)
_ENGLISH = re.compile(
    rf"{_NOT_BEFORE}{_FLAT}{_COUNT},?[ ]{_WIND}"
    rf"(?:(?:(?:{_CAP}|\d{{1,3}}(?:st|nd|rd|th)|of|the|and|to|de|la|las|los|del|el|van|von|der)[ ]){{1,5}}?(?:{_KINDS})\b\.?"
    r"(?:[ ](?-i:NE|NW|SE|SW|N|S|E|W)\b\.?)?(?:[ ]\d{1,4}\b)?(?:[ ](?:North|South|East|West)\b)?"
    r"|(?-i:Broadway|(?:(?:US|State|County)[ ])?(?:Highway|Hwy|Route|Rte)|The[ ][A-Z][a-z]{2,15})(?:[ ]\d{1,4})?\b"
    r"(?:[ ](?:North|South|East|West)\b)?|(?<=[NSEW][ ])\d{2,5}[ ](?-i:[NSEW])\b"
    rf"|(?:avenue|ave)\b\.?[ ]of[ ](?:the[ ])?{_CAP})"
    r"|\bPSC[ ]\d{1,4},?[ ]Box[ ]\d{1,5},?[ ](?:FPO|APO|DPO)[ ]A[AEP][ ]\d{5}"
    rf"|\b(?:P\.?[ ]?O\.?[ ]?Box|(?:RR|R\.R\.|HC)[ ]?\d{{1,3}},?[ ]Box)[ ]\d{{1,6}}",
    re.IGNORECASE,
)
_ENGLISH_BY_STATE = re.compile(
    rf"{_NOT_BEFORE}{_COUNT}[ ]{_WIND}(?:(?:{_CAP}|de|del|la|las|los|el)[ ]){{0,4}}{_CAP}{_UNIT},?[ ]?\n?"
    rf"{_CAP}(?:[ ]{_CAP}){{0,3}},?[ ](?-i:{_STATES}),?[ ]{_ZIP}",
    re.IGNORECASE,
)
_TYPED_LOW = re.compile(
    rf"{_NOT_BEFORE}\d{{1,6}}[ ]{_WIND}(?:(?:[a-z][\w'.]{{1,20}}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,2}}?(?:{_PLAIN_KINDS})\b\.?"
    rf"(?![ ](?:time|trip|visit|day|appointment))",
    re.IGNORECASE,
)
_NO_NAME = r"(?!(?:es|está|esta|hasta|desde|a|en|que|por|no|se|hay|con|est|sont|pour|avec|dans|et|ou|merci|depuis)\b)"
_LOW = rf"{_NO_NAME}(?-i:[{_SMALL}]{{2,20}}(?:-[{_SMALL}]{{2,20}}){{0,2}})(?!\w)"
_SPANISH_WORD = rf"(?:{_CAP}|d[’']{_CAP}|\d{{1,2}}(?!\w)|(?:de|del|la|las|los|el|san|santa|santo|y|e|do|da|dos)(?!\w))"
_SPANISH_NUMBER = (
    r"(?:(?:(?:n[ºo°]?\.?[ºo°]?|núm\.?|num\.?|número|#|parcela|manzana|lote|casa)[ ]?)?\d{1,5}(?!\w|:|[.,]\d)(?:-[A-Z\d]{1,4})?"
    r"|km\.?[ ]?\d{1,4}(?:[.,]\d)?|s/n\b|\d{1,3}-[A-Z]\b)"
)
_SPANISH = re.compile(
    rf"(?<!\w)(?:\d{{1,5}}[ ])?(?:{_any('spanish_kinds')})[ ]?(?:{_SPANISH_WORD}(?:[ ]{_SPANISH_WORD}){{0,6}}"
    rf"|{_LOW}(?:[ ]{_LOW}){{0,3}}),?[ ]?{_SPANISH_NUMBER}(?:[ ]?(?:bis|\d?[a-z])(?!\w))?"
    rf"|(?<!\w)\d{{1,5}}[ ](?:calle|camino|avenida|via|paseo|plaza)[ ]{_SPANISH_WORD}(?:[ ]{_SPANISH_WORD}){{0,5}}"
    rf"|(?<!\w)(?:carrera|cra|cr|calle|cl|avenida|av|diagonal|dg|transversal|tv)\.?[ ]\d{{1,3}}[ ]?[a-z]?"
    rf"(?:[ ](?:sur|norte|este|oeste))?[ ]?(?:#|n[o°º]\.?)[ ]?\d{{1,3}}[ ]?[a-z]?[ ]?(?:-|x)[ ]?\d{{1,3}}(?:[ ]y[ ]\d{{1,3}})?"
    rf"|\bmanzana[ ]\d{{1,4}},?[ ]lote[ ]\d{{1,4}}|\bapartado(?: de correos)?[ ]\d{{1,6}}",
    re.IGNORECASE,
)
_FRENCH_WORD = (
    rf"(?:{_CAP}|[dl][’'][{_LETTER}][\w’'-]{{0,30}}|\d{{1,2}}(?!\w)|(?:de|du|des|la|le|les|à|aux|au|et|sur|en)(?!\w))"
)
_FRENCH_KINDS = _any("french_kinds")
_FRENCH = re.compile(
    rf"(?<![\w/.:-])\d{{1,4}}(?:[ ]?(?:bis|ter|quater|[a-d])(?!\w))?,?[ ](?:"
    rf"(?:rue|avenue|boulevard|boul\.?|bd|chemin|impasse|allée|quai|route)[ ](?:{_FRENCH_WORD}|{_LOW})"
    rf"(?:[ ](?:{_FRENCH_WORD}|{_LOW})){{0,6}}"
    rf"|(?:grande[ ])?(?:{_FRENCH_KINDS})[ ]{_FRENCH_WORD}(?:[ ]{_FRENCH_WORD}){{0,6}})"
    rf"|(?<!\w)(?-i:Rue|Avenue|Av\.|Boulevard|Bd|Clos|Place|Chemin|Ch\.|Impasse|Allée|Quai|Cours|Route|Rte|Square|Chaussée)[ ]"
    rf"{_FRENCH_WORD}(?:[ ]{_FRENCH_WORD}){{0,5}}?,?[ ]\d{{1,4}}(?:[ ]?[a-d](?!\w))?(?![\w:]|[.,]\d|[ ]?(?:h|€|euros?)\b)"
    rf"|\b(?-i:B\.?P\.?|Case postale)[ ]\d{{1,5}}"
    rf"|\b(?:lieu-?dit|r[ée]sidence|hameau|ferme)[ ]{_FRENCH_WORD}(?:[ ]{_FRENCH_WORD}){{0,4}}"
    rf"(?=,[ ]?(?:app|b[âa]t)|,?[ ]?\n?(?:\d{{5}})[ ]{_CAP})",
    re.IGNORECASE,
)
_TOWN_ALONE = re.compile(
    rf"{_NOT_BEFORE}(?-i:{_CAP}(?:[ ]{_CAP}){{0,2}},?[ ](?:{_STATES})[ ]{_ZIP})"
    rf"|{_NOT_BEFORE}(?:[A-Z]{{1,3}}-)?\d{{5}}[ ]{_CAP}(?![ ]?(?:Euro|EUR|€))(?:[ ](?:{_JOIN})[ ]{_CAP})?"
    rf"|{_NOT_BEFORE}{_CODE}",
    re.IGNORECASE,
)
_STREETS = (_ENGLISH, _ENGLISH_BY_STATE, _TYPED_LOW, _SPANISH, _FRENCH)

# --- German: the kind of street ends a word, so a pattern finds word and number, and code looks at the word -------------

_GERMAN_ENDINGS = tuple(WORDS["german_endings"])
_NOT_STREETS = frozenset(WORDS["not_streets"])
_GERMAN_OPENINGS = re.compile(
    rf"(?<!\w)(?:(?:Am|An[ ]de[rn]|Auf[ ]de[rm]|Im|In[ ]de[rn]|Zum|Zur|Unter[ ]den|Hinter[ ]de[rm]|Vor[ ]de[rm]|Beim"
    rf"|Alte[rs]?|Neue[rs]?|Große[rs]?|Kleine[rs]?|Lange[rs]?|Obere[rs]?|Untere[rs]?)[ ]{_CAP}(?:[ ]{_CAP})?"
    rf"|Stra(?:ß|ss)e[ ]de[rs][ ](?:\d{{1,2}}\.[ ])?{_CAP})$"
)
_GERMAN = re.compile(
    rf"(?<![\w-])([{_LETTER}][\w.'’-]{{1,60}}+)[ ](?:Nr\.?[ ])?\d{{1,4}}(?:[ ]?[a-z](?!\w))?"
    r"(?:[ ]?[-/–][ ]?\d{1,4}[a-z]?){0,3}"
    r"(?![\w:]|[.,]\d|[ ]?(?:uhr|h|€|euro|eur|kinder|min)\b)",
    re.IGNORECASE,
)
_GERMAN_OTHERS = re.compile(rf"\bPostfach[ ]\d[\d ]{{1,9}}|(?<!\w)[A-Z][ ]?\d{{1,2}},[ ]?\d{{1,3}},?(?=[ ]\d{{5}}[ ]{_CAP})")
_LEADING_WORDS = re.compile(rf"(?:{_CAP}[ ]){{1,3}}$")
_GERMAN_LEADS = ("er ", "Hof ", "Gut ", "Haus ")
_BEFORE = 80
_TYPED_LOW_GERMAN = re.compile(r"\w{3,30}(?:straße|strasse|str\.|weg|allee|gasse|platz)")


def find_addresses(text: str) -> Iterator[Span]:
    """Find postal addresses in a text."""
    if not any(letter.isdigit() for letter in text):
        return
    streets = [match.span() for pattern in _STREETS for match in pattern.finditer(text)]
    for number, (start, end) in enumerate([*streets, *_german(text)]):
        # A text of nothing but streets must not take long; without the search for a town the street is still masked.
        yield (
            _address(text, start, end)
            if number < MAX_STREETS
            else Span(start=start, end=end, kind=Kind.ADDRESS, finder=Finder.PATTERN)
        )
    for match in _TOWN_ALONE.finditer(text):
        yield Span(start=match.start(), end=match.end(), kind=Kind.ADDRESS, finder=Finder.PATTERN)


def _german(text: str) -> Iterator[tuple[int, int]]:
    for match in _GERMAN.finditer(text):
        word = match[1].lower()
        if not match[1][0].isupper() and not _TYPED_LOW_GERMAN.fullmatch(word):
            continue
        before = text[max(0, match.start() - _BEFORE) : match.end(1)]
        if opening := _GERMAN_OPENINGS.search(before):
            yield match.end(1) - len(before) + opening.start(), match.end()
        elif word.endswith(_GERMAN_ENDINGS):
            leading = _LEADING_WORDS.search(before, 0, len(before) - len(match[1]))
            is_kind_alone = word in _GERMAN_ENDINGS
            if not is_kind_alone or (leading is not None and word not in _NOT_STREETS):
                takes_leading = leading is not None and (is_kind_alone or leading[0].endswith(_GERMAN_LEADS))
                yield match.start() - (len(leading[0]) if leading and takes_leading else 0), match.end()
    for match in _GERMAN_OTHERS.finditer(text):
        yield match.span()


def _address(text: str, start: int, end: int) -> Span:
    """Take what belongs to a street: up to the postcode and town, else the flat and a town's name."""
    rest = _REST_WITH_CODE.match(text, end) or _REST.match(text, end)
    return Span(start=start, end=rest.end() if rest else end, kind=Kind.ADDRESS, finder=Finder.PATTERN)
