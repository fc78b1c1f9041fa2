"""Bytes to text, where the label may be missing, unknown, or a lie.

The order is the one that left the fewest replacement characters over 2,500 real and malformed mails: byte order mark, valid
UTF-8 under a label of one byte a letter, the label, UTF-8, a sibling that the label is often mistaken for, windows-1252.
A label is looked up in a closed table, never in Python's codec registry, which imports modules by name and knows codecs
that are no charsets (zlib, rot13, idna).
"""

from __future__ import annotations

import re

WESTERN = "cp1252"

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)

# Labels, squeezed to letters and digits, to Python's codec. As in the WHATWG Encoding Standard (section 4.2, names and
# labels) a label stands for the superset that senders mean: latin-1 for windows-1252, gb2312 for gb18030.
_CODECS = {
    **dict.fromkeys(
        ("usascii", "ascii", "ansix341968", "iso88591", "latin1", "l1", "cp1252", "windows1252", "ibm819"), WESTERN
    ),
    **{f"iso8859{number}": f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"{family}125{digit}": f"cp125{digit}" for family in ("windows", "cp") for digit in "01345678"},
    **dict.fromkeys(("iso88599", "latin5"), "cp1254"),
    **dict.fromkeys(("iso885911", "tis620", "windows874", "cp874"), "cp874"),
    **dict.fromkeys(("iso88598i", "iso88598e"), "iso8859-8"),
    "latin2": "iso8859-2",
    "latin9": "iso8859-15",
    **dict.fromkeys(("utf8", "unicode11utf8", "utf8mb4", "cp65001"), "utf-8"),
    **{f"utf{kind}": f"utf-{kind}" for kind in ("7", "16", "32")},
    **dict.fromkeys(("unicode11utf7", "xunicode20utf7", "csunicode11utf7"), "utf-7"),
    **{f"utf{width}{order}": f"utf-{width}-{order}" for width in (16, 32) for order in ("le", "be")},
    "unicode": "utf-16",
    **{f"{family}{page}": f"cp{page}" for family in ("cp", "ibm") for page in (437, 850, 852, 855, 858, 866)},
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    **dict.fromkeys(("macintosh", "mac", "macroman", "xmacroman"), "mac-roman"),
    **dict.fromkeys(("gb2312", "gbk", "gb18030", "cp936", "xgbk", "euccn", "csgb2312"), "gb18030"),
    "hzgb2312": "hz",
    **dict.fromkeys(("big5", "cp950", "xxbig5", "csbig5"), "cp950"),
    "big5hkscs": "big5hkscs",
    **dict.fromkeys(("euckr", "ksc56011987", "ksc5601", "ksc56011989", "cp949", "windows949", "uhc"), "cp949"),
    "iso2022kr": "iso2022_kr",
    **dict.fromkeys(("iso2022jp", "csiso2022jp"), "iso2022_jp_ext"),
    **dict.fromkeys(("shiftjis", "sjis", "xsjis", "mskanji", "windows31j", "cp932"), "cp932"),
    **dict.fromkeys(("eucjp", "xeucjp"), "euc_jp"),
}

# Codecs in which ASCII bytes need not be ASCII text: those that were made to go through seven bits, and wide ones.
_SEVEN_BIT = frozenset(codec for codec in _CODECS.values() if codec.startswith(("utf-7", "iso2022", "hz")))
_STATEFUL = _SEVEN_BIT | {codec for codec in _CODECS.values() if codec.startswith(("utf-16", "utf-32"))}
# A byte for a letter, and real text in them is no valid UTF-8. Short words of Thai and of the pages of DOS may be.
_SINGLE_BYTE = frozenset(codec for codec in _CODECS.values() if codec.startswith(("iso8859", "cp125", "koi8", "mac")))

_SIBLINGS = {
    "iso2022_jp_ext": ("cp932", "euc_jp"),
    "cp932": ("euc_jp", "iso2022_jp_ext"),
    "euc_jp": ("cp932", "iso2022_jp_ext"),
    "gb18030": ("cp950",),
    "cp950": ("gb18030",),
    "hz": ("gb18030",),
    "iso2022_kr": ("cp949",),
}

_NOT_LETTER_OR_DIGIT = re.compile(r"[\W_]+")
_LONGEST_SEQUENCE = 4  # bytes of one character in UTF-8
_WESTERN_LEADS = b"\xc2\xc3\xc4\xc5\xe2\xf0"  # of accented letters, typographic signs, emoji
MAX_LABEL_CHARS = 40
"""Of a charset label, before it is looked up; the longest known one has 17."""


def find_codec(label: str) -> str:
    """Find Python's codec for a charset label; empty where the label is unknown or no charset."""
    if not label:
        return ""
    return _CODECS.get(_NOT_LETTER_OR_DIGIT.sub("", label[:MAX_LABEL_CHARS]).lower(), "")


def decode(data: bytes, label: str = "") -> tuple[str, bool]:
    """Turn bytes into text, and tell whether the label was known and true. Never raises."""
    codec = find_codec(label)
    if codec not in _STATEFUL:
        if data.isascii():
            return data.decode("ascii"), bool(codec or not label)
        if codec in ("", WESTERN, "utf-8") and (text := _decode_utf8(data, labeled=codec == "utf-8")) is not None:
            return text, codec == "utf-8" or not label
        if codec in _SINGLE_BYTE and (text := _decode_strictly(data, "utf-8")) is not None and len(data) - len(text) > 1:
            return text, False
    for mark, marked in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(marked, "replace"), True
    others = () if codec in _SEVEN_BIT and data.isascii() else ("utf-8", *_SIBLINGS.get(codec, ()))
    for candidate in (codec, *others):
        if candidate and (text := _decode_strictly(data, candidate)) is not None:
            return text, candidate == codec
    return _decode_loosely(data, codec or "utf-8"), False


def _decode_strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeError:
        return None


def _decode_utf8(data: bytes, *, labeled: bool) -> str | None:
    """Decode UTF-8, with or without its mark; a last character that a cut mail lost the end of is dropped.

    What ends like that may as well be "café" in windows-1252: so a whole character of UTF-8 must stand before it, or the
    label say UTF-8 and the byte be one that begins the letters and signs of Western text.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or error.start <= len(data) - _LONGEST_SEQUENCE:
            return None
        whole = data[: error.start]
        if whole.isascii() and not (labeled and data[error.start] in _WESTERN_LEADS):
            return None
        return whole.decode("utf-8-sig")


def _decode_loosely(data: bytes, codec: str) -> str:
    """Decode what no codec takes whole: UTF-8 with a few faults, else windows-1252; other labels keep their codec."""
    text = data.decode(codec, "replace")
    if codec != "utf-8":
        return text
    good = sum(1 for letter in text if not letter.isascii() and letter != "\ufffd")
    return text if good > text.count("\ufffd") else data.decode(WESTERN, "replace")
