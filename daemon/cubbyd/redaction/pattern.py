r"""What has a shape: e-mail addresses, URLs, account numbers, phone numbers, birth dates, numbers that name a person.

A shape that is masked for nothing costs little, one that is missed is a leak: so a run of seven digits is masked whatever it
is, unless it is plainly a date, a time or money. No pattern can hang: quantifiers are possessive or bounded, and nothing
nests. Dates of birth are in birthdate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from cubbyd.redaction.birthdate import DATE, birth_dates
from cubbyd.redaction.model import Finder, Kind, Span
from cubbyd.redaction.words import WORDS

MIN_PHONE_DIGITS = 7
MAX_PHONE_DIGITS = 15  # ITU-T E.164
MIN_NUMBER_DIGITS = 6
LAST_DAY = 31
LONGEST_TOKEN = 80
"""No word is longer; a token that is may be a key, a tracking code, or a name behind a trick."""

_LONG_TOKEN = re.compile(rf"\S{{{LONGEST_TOKEN},}}+")
_EMAIL = re.compile(
    r"(?:mailto:)?[^\s<>()\[\]\",;:@/|]{1,64}@(?:[^\W_](?:[\w-]{0,62}\.)){1,8}[^\W\d_]{2,24}"
    r"|\b[\w.+-]{1,64}\s?[(\[{]\s?(?:at|ät|@)\s?[)\]}]\s?[\w-]{1,63}"
    r"(?:(?:\.|\s?[(\[{]\s?(?:dot|punkt|punto|point)\s?[)\]}]\s?)[\w-]{1,63}){1,5}"
    r"|[^\s<>()\[\]\"',;:@/|]{1,64}@[\w.-]{1,250}\w",
    re.IGNORECASE,
)
_DOMAINS = (
    "com|org|net|edu|gov|info|biz|app|dev|io|co|us|uk|ca|au|de|at|ch|es|fr|it|nl|be|eu|mx|pl|tr|se|dk|pt|ru|cn|in|online|shop"
    "|site|link|page|cloud|care|school|kids|family|email|health|example|test|invalid|localhost|ai|me|tv|ly|gl|gle|be|to"
)
_URL = re.compile(
    r"\b(?:[a-z][a-z0-9+.-]{1,15}://|www\d?\.)[^\s<>\"]{1,2000}"
    rf"|\b(?<![@\w.-])(?:[a-z0-9](?:[a-z0-9-]{{0,62}})\.){{1,6}}(?:{_DOMAINS})\b(?![\w-]|\.\w)"
    r"(?::\d{1,5})?(?:[/?#][^\s<>\"]{0,2000})?",
    re.IGNORECASE,
)
_MISSING_BLANK = re.compile(
    r"[a-z]{2,30}\.(?:in|it|me|to|be|at|us|so|no|de|es|am|is|my|app|care|school|kids|family|email|page|link|health|site|shop)",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?)]}'\"»“”’*_"

_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z]{4})?(?:[ -]?(?=[A-Z]{0,3}\d)[A-Z0-9]{1,4}+){2,8}+(?!\w)", re.IGNORECASE)
_IBAN_AT_MOST = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}){3,9}", re.IGNORECASE)
_MIN_IBAN_CHARS, _MAX_IBAN_CHARS = 15, 34  # Norway's, and the most that ISO 13616 allows

_DIGITS = re.compile(
    r"(?<![\w/.-])(?:\+|00)?\(?\d(?:[()]{0,2}(?:[ .\-/\u2010-\u2013\u00a0]{1,3}|)[()]{0,2}\d){5,30}(?!\w)"
    r"(?:\s?,?\s?\(?(?:ext|x|extension|durchwahl|dw|poste|int)\.?\s?\d{1,6}(?!\w))?",
    re.IGNORECASE,
)
_PHONE_CUE = re.compile(
    rf"\b(?:{'|'.join(WORDS['phone_cues'])})\b[\s.:#()]{{0,4}}(\(?\+?\d[\d ()./\-\u2013]{{4,24}}\d)(?!\w)",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"\d")
_GROUPS = re.compile(r"\d+")

_SHORT_CUE = 3  # "id" begins too many words
# What a number belongs to; a word that begins with one of these makes the number after it one that names a person.
_CUES = tuple(word for word in WORDS["cues"] if len(word) > _SHORT_CUE)
_SHORT_CUES = frozenset(word for word in WORDS["cues"] if len(word) <= _SHORT_CUE)
_CONNECTORS = frozenset(WORDS["connectors"])
_PIECE = r"(?:[A-Z]{1,6}(?![\w])|[A-Za-z]{0,12}[-/.]?\d[\w./-]{0,38})"
_CANDIDATE = re.compile(rf"(?<![\w@.-]){_PIECE}(?: (?:[A-Z]{{1,6}}(?!\w)|\d[\w./-]{{0,20}})){{0,6}}")
_CUE_REACH = 64
_WORDS_BACK = 5
_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_MIXED = re.compile(
    r"(?<![\w@./-])(?=[A-Za-z0-9/.\-]{0,40}[A-Za-z])(?=(?:[A-Za-z/.\-]{0,20}\d){4})"
    r"[A-Za-z0-9]{1,20}(?:[/.\-][A-Za-z0-9]{1,20}){0,6}(?![\w@])"
)


def find_patterns(text: str, written: date | None) -> Iterator[Span]:
    """Find everything that has a shape. written is the day of the mail; without it every full date is a birth date."""
    for finder in (_long_tokens, _emails, _urls, _ibans, _digit_runs, _cued_phones, _cued_numbers, _mixed_tokens):
        yield from finder(text)
    yield from birth_dates(text, written)


def _span(match: re.Match[str], kind: Kind, group: int = 0) -> Span:
    start, end = match.span(group)
    end -= len(match[group]) - len(match[group].rstrip(_TRAILING))
    return Span(start=start, end=end, kind=kind, finder=Finder.PATTERN)


def _long_tokens(text: str) -> Iterator[Span]:
    for match in _LONG_TOKEN.finditer(text):
        yield _span(match, Kind.NUMBER)


def _emails(text: str) -> Iterator[Span]:
    if "@" not in text and "(" not in text and "[" not in text and "{" not in text:
        return
    for match in _EMAIL.finditer(text):
        yield _span(match, Kind.EMAIL)


def _urls(text: str) -> Iterator[Span]:
    for match in _URL.finditer(text):
        if not _MISSING_BLANK.fullmatch(match[0]):
            yield _span(match, Kind.URL)


def _ibans(text: str) -> Iterator[Span]:
    """Find IBANs: the longest run that the check digits confirm, else what looks like one (a typing error in it)."""
    for match in _IBAN_AT_MOST.finditer(text):
        ends = [place.end() for place in re.finditer(r"[A-Z0-9]+", match[0], re.IGNORECASE)]
        for end in reversed(ends):
            if _is_iban(match[0][:end]):
                yield Span(start=match.start(), end=match.start() + end, kind=Kind.IBAN, finder=Finder.PATTERN)
                break
    for match in _IBAN.finditer(text):
        if sum(letter.isalnum() for letter in match[0]) >= _MIN_IBAN_CHARS:
            yield _span(match, Kind.IBAN)


def _is_iban(text: str) -> bool:
    """Check the digits of an IBAN (ISO 13616: the number, rearranged, is 1 modulo 97)."""
    code = re.sub(r"[^A-Z0-9]", "", text.upper())
    if not _MIN_IBAN_CHARS <= len(code) <= _MAX_IBAN_CHARS:
        return False
    return int("".join(str(int(letter, 36)) for letter in code[4:] + code[:4])) % 97 == 1


def _digit_runs(text: str) -> Iterator[Span]:
    """Find runs of digits: phone numbers, cards, accounts. Dates, years, times and lists of small numbers are none."""
    for match in _DIGITS.finditer(text):
        run = match[0]
        count = len(_DIGIT.findall(run))
        groups = _GROUPS.findall(run)
        if _is_dates(run) or _is_money(text, match) or _is_small_numbers(run, groups):
            continue
        is_phone = (
            not _SSN.fullmatch(run)
            and MIN_PHONE_DIGITS <= count <= MAX_PHONE_DIGITS
            and (len(groups) > 1 or run[0] in "+(0" or count in (10, 11))
        )
        if is_phone or count >= MIN_NUMBER_DIGITS:
            yield _span(match, Kind.PHONE if is_phone else Kind.NUMBER)


_DAY_ALONE = (
    r"(?:(?:19|20)\d\d[/.-]\d\d(?:[/.-]\d\d)?|\d{1,2}[/.-]\d{1,2}(?:[/.-](?:(?:19|20)?\d\d))?\.?|\d{1,2}/(?:19|20)\d\d"
    r"|(?:19|20)\d\d)(?!\d)"
)
_DATES_ALONE = re.compile(rf"{_DAY_ALONE}(?:\s?[-\u2013]\s?(?:{_DAY_ALONE}|\d\d?\.?(?!\d))| {_DAY_ALONE}){{0,3}}")


def _is_dates(run: str) -> bool:
    if not _DATES_ALONE.fullmatch(run.strip("()")):
        return False
    small = [int(group) for group in _GROUPS.findall(run)[:2] if len(group) <= 2]  # noqa: PLR2004 - a day or a month
    return all(1 <= number <= LAST_DAY for number in small)


def _is_money(text: str, match: re.Match[str]) -> bool:
    before, after = text[max(0, match.start() - 4) : match.start()], text[match.end() : match.end() + 4]
    if match[0].isdigit() and len(match[0]) > MIN_PHONE_DIGITS:
        return False
    return any(sign in before or sign in after for sign in "$€£") or "EUR" in before + after or "USD" in before + after


def _is_small_numbers(run: str, groups: list[str]) -> bool:
    """Tell "3 4 5 6 7 8" and "8 - 12 - 16" from a phone number: no group of three digits, no pairs as the French write them."""
    if run[0] in "+(0" or max(map(len, groups)) >= 3:  # noqa: PLR2004 - said above
        return False
    return len(groups) < 4 or any(len(group) == 1 for group in groups)  # noqa: PLR2004 - pairs: 06 12 34 56 78


def _cued_phones(text: str) -> Iterator[Span]:
    for match in _PHONE_CUE.finditer(text):
        run = match[1]
        count = len(_DIGIT.findall(run))
        if count >= MIN_NUMBER_DIGITS and not _is_dates(run) and not _is_small_numbers(run, _GROUPS.findall(run)):
            yield _span(match, Kind.PHONE, 1)


_PLAIN_AMOUNT = re.compile(
    r"(?:19|20)\d\d|\d{1,3}(?:[.,]\d\d)?|\d{1,2}[./-]\d{1,2}(?:[./-](?:\d\d){1,2})?|(?:19|20)\d\d[-/]\d\d(?:\d\d)?"
    r"|\d{1,3}(?:st|nd|rd|th|am|pm|h|ml|mg|kg|cm)",
    re.IGNORECASE,
)


def _cued_numbers(text: str) -> Iterator[Span]:
    for match in _CANDIDATE.finditer(text):
        number = match[0].rstrip(_TRAILING)
        if not _DIGIT.search(number) or _PLAIN_AMOUNT.fullmatch(number) or _is_money(text, match) or _is_dates(number):
            continue
        is_time = text[match.end() : match.end() + 1] == ":"
        if not is_time and _follows_cue(text[max(0, match.start() - _CUE_REACH) : match.start()]):
            yield _span(match, Kind.NUMBER)


def _follows_cue(before: str) -> bool:
    """Tell whether the last words are a cue, with connecting words or at most one other between it and the number."""
    others = 0
    for word in reversed(before.lower().replace("-", " ").split()[-_WORDS_BACK:]):
        bare = word.strip(".,:;()#=\"'")
        if bare in _SHORT_CUES or bare.startswith(_CUES):
            return True
        if bare and bare not in _CONNECTORS:
            others += 1
            if others > 1 or word.endswith((".", "!", "?")):
                return False
    return False


def _mixed_tokens(text: str) -> Iterator[Span]:
    for match in _SSN.finditer(text):
        yield _span(match, Kind.NUMBER)
    for match in _MIXED.finditer(text):
        if not DATE.search(match[0]) and not _ORDINARY_MIX.fullmatch(match[0]):
            yield _span(match, Kind.NUMBER)


_ORDINARY_MIX = re.compile(
    r"(?:\d{1,2}(?:am|pm|h|uhr)?[-./]?){1,4}|\d{4}er|\d+(?:st|nd|rd|th|ml|mg|kg|g|cm|m|am|pm|h)"
    r"|(?:\w{1,12}[-/])?(?:19|20)\d\d(?:[-/](?:\d\d|(?:19|20)\d\d))?",
    re.IGNORECASE,
)
