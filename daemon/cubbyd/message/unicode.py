"""One spelling for text: NFC, plain spaces and line feeds, nothing invisible.

NFC and not NFKC, which would turn the half sign and ligatures of names into other letters. Case is kept: a model lowers it
where it wants to. Every function is idempotent and linear in the length of its text; ordinary lines are told by methods of
str alone, which are several times faster than a pattern.
"""

from __future__ import annotations

import re
import unicodedata

# Soft hyphen, joiners, zero-width and bidi controls, byte order mark, interlinear marks, tag characters: used to hide words
# from filters. Emoji of several joined signs become those signs.
_UNPRINTABLE = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
# Fillers that Unicode counts as letters or marks: newsletters pad their preview line with them.
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\uffa0"
_BLANK_SIGNS = "\u2800\ufffc"

MAX_MARKS = 30
"""Accents on one letter; as in the Stream-Safe Text Format of Unicode (UAX 15, section 13). No language has more than six."""
_MANY_MARKS = re.compile(rf"[^\w\s\x00-\x7f]{{{MAX_MARKS + 1},}}")  # among them all that combine

_PRINTABLE_BUT_UNSEEN = re.compile(f"[{_FILLERS}{_BLANK_SIGNS}]")
_NOTHING = re.compile(f"[{_UNPRINTABLE}{_FILLERS}]+")
_BLANK = re.compile(f"[\x00-\x1f\x7f-\x9f{_BLANK_SIGNS}\ufffe\uffff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_EMPTY_LINES = re.compile("\n{3,}")


def clean_text(text: str) -> str:
    """Normalize text of several lines: no blank at a line's edge, no two blanks in a row, at most one empty line."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    if text.isascii():
        cleaned = "\n".join([line if line.isprintable() else _strip_unseen(line) for line in lines])
    else:
        every = bool(_PRINTABLE_BUT_UNSEEN.search(text))
        lines = [_strip_unseen(line) if every or not line.isprintable() else line for line in lines]
        # After the stripping: what stood between a letter and its accent may be gone.
        cleaned = _normalize("\n".join(lines))
    return (_EMPTY_LINES.sub("\n\n", cleaned) if "\n\n\n" in cleaned else cleaned).strip("\n")


def clean_line(text: str) -> str:
    """Normalize text that is one line, as a subject or a name; line ends become spaces."""
    return " ".join(clean_text(text).split())


def _normalize(text: str) -> str:
    """Bring text to NFC, whose time is quadratic in a run of marks on one letter: longer runs are cut, before and after.

    A run of more than MAX_MARKS has a mark at one of the places that are looked at; most text has none at all.
    """
    if not any(map(unicodedata.combining, text[:: MAX_MARKS + 1])):
        return unicodedata.normalize("NFC", text)
    return _MANY_MARKS.sub(_cut_marks, unicodedata.normalize("NFC", _MANY_MARKS.sub(_cut_marks, text)))


def _cut_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for sign in run[0]:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        if marks <= MAX_MARKS:
            kept.append(sign)
    return "".join(kept)


def _strip_unseen(line: str) -> str:
    line = _LONE_SURROGATE.sub("\ufffd", _BLANK.sub(" ", _NOTHING.sub("", line)))
    return " ".join(line.split())
