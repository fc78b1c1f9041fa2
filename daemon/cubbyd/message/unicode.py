"""One spelling for text: NFC, plain spaces and line feeds, nothing invisible.

NFC and not NFKC, which would turn the half sign and ligatures of names into other letters. Case is kept: a model lowers it
where it wants to. Every function is idempotent and linear in the length of its text.
"""

from __future__ import annotations

import re
import unicodedata

# Soft hyphen, joiners, fillers, zero-width and bidi controls, byte order mark, interlinear marks, tag characters: used to
# hide words from filters and to pad the preview line of newsletters. Emoji of several joined signs become those signs.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("\r\n?|[\v\f\u0085\u2028\u2029]")
# Controls, blanks of all widths, non-characters; a single plain space is left alone, as it is by far the most frequent.
_ASCII_BLANK = re.compile("[\x00-\x09\x0e-\x1f\x7f][\x00-\x09\x0e-\x20\x7f]*| [\x00-\x09\x0e-\x20\x7f]+")
_OTHER_BLANK = re.compile("[\x80-\x84\x86-\xa0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000\ufffc\ufffe\uffff]")
_LINE_EDGE = re.compile(" \n ?|\n ")
_EMPTY_LINES = re.compile("\n{3,}")


def clean_text(text: str) -> str:
    """Normalize text of several lines: no blank at a line's edge, no two blanks in a row, at most one empty line."""
    if not text.isascii():
        text = _LONE_SURROGATE.sub("\ufffd", _INVISIBLE.sub("", text))
        text = _OTHER_BLANK.sub(" ", unicodedata.normalize("NFC", text))
    text = _ASCII_BLANK.sub(" ", _LINE_END.sub("\n", text))
    return _EMPTY_LINES.sub("\n\n", _LINE_EDGE.sub("\n", text)).strip()


def clean_line(text: str) -> str:
    """Normalize text that is one line, as a subject or a name; line ends become spaces."""
    return " ".join(clean_text(text).split())
