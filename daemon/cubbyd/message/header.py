"""The header of a mail or of a part: fields, encoded words, parameters, addresses, dates.

Everything takes any bytes and gives what can be understood of them. A line that is no field is passed over and does not end
the header, as it does in the standard library's parser. Values are cut before they are looked at, because the clock cannot
be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from cubbyd.message.charset import decode
from cubbyd.message.model import Address
from cubbyd.message.transfer import decode_base64, decode_quoted_printable
from cubbyd.message.unicode import clean_line

MAX_HEADER_BYTES = 256 * 1024
"""Of a whole header; servers take no more than a megabyte, real mails have under 64 KiB."""
MAX_VALUE_BYTES = 16 * 1024
"""Of one field: four hundred addresses, and what an encoded word of a hostile subject may cost."""
MAX_FIELDS = 1000
"""Of one header; real mails have under 150."""
MAX_ADDRESSES = 200
"""Of all To or Cc fields; nobody looks at more, and the fields are cut as well."""
MAX_IDS = 100
"""Of the mails that a mail refers to: the first and the newest are kept, those between are not needed to find a thread."""
MAX_PARAMETERS = 100
"""Of one field; hostile ones have 100,000."""
MAX_DATE_CHARS = 100
"""Of a Date field, before it is parsed; a true one has under 60."""
MAX_KEPT_FIELDS = 100
"""Of a mail, beyond its reading: real mails have under 100, and fifty mails are in memory at once."""
MAX_KEPT_ALIKE = 20
"""Of these, with one name."""
MAX_KEPT_BYTES = 1000
"""Of one of these."""
YEARS = range(1970, 2101)
"""In which a mail can have been written; others are a broken clock."""

# A field with its folded lines (RFC 5322, 2.2.3); blanks before the colon are obsolete syntax (4.5) that still occurs.
_FIELD = re.compile(rb"^([!-9;-~]{1,100}+)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)

# RFC 2047, but tolerant: no space around a word is demanded, blanks in it are taken, and up to three raw question marks.
_ENCODED_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*+(?:\?(?!=)[^?]*+){0,3}+)\?=")

_PARAMETER = re.compile(r""";\s*([^\s=;"]++)\s*=\s*("(?:[^"\\]++|\\.)*+"?|[^;]*+)""", re.DOTALL)
_CONTINUED = re.compile(r"([^*]+)\*(\d{1,3})?(\*)?")

# A line of blanks alone ends the header too, unless a field or a folded line follows (RFC 5322, 4.2 knew them as folds).
_BLANK_LINE = re.compile(rb"\n[ \t]++\n(?![ \t]|[!-9;-~]{1,100}+[ \t]*+:)")
_BLANK_FIRST_LINE = re.compile(rb"[ \t]*+\n(?![ \t]|[!-9;-~]{1,100}+[ \t]*+:)")

_COMMENT = r"\(((?:[^()\\]++|\\.|\((?:[^()\\]++|\\.)*+\))*+)\)?"
_IN_ANGLE = re.compile(rf"{_COMMENT}|\s++|^@[^:]*+:", re.DOTALL)  # what an address may bear beside itself (RFC 5322, 4.4)
_ADDRESS_TOKEN = re.compile(rf'"((?:[^"\\]++|\\.)*+)"?|{_COMMENT}|<([^>]*+)>?|([,;:])|([^"(<,;:]++)', re.DOTALL)
_SOMEWHERE = re.compile(r'[^\s<>"(),;:@]{1,64}@[^\s<>"(),;:@]{1,255}')
_SECOND_HALF = re.compile(r"\s*[^\W\d_][^\s<>\"(),;:@]*+(?: [^\s<>\"(),;:@]++){0,2}+ *<[^<>\s]+@")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_QUOTE = re.compile(r'\\(["\\])')
_HALF_DAY_CLOCK = re.compile(r"\b(\d{1,2})(:\d\d(?::\d\d)?)\s?([AP])M\b", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields of a header: lower-case names to their raw values, in the order of the mail."""

    fields: Mapping[str, tuple[bytes, ...]]
    defects: list[str] = field(default_factory=list)
    """What of the header was left out; grows as fields are read."""

    def __contains__(self, name: str) -> bool:
        """Tell whether a field is there, even if empty."""
        return name in self.fields

    def raw(self, name: str) -> str:
        """Give the first field of a name, unfolded, with its encoded words as they stand; empty where there is none."""
        values = self.fields.get(name)
        return _unfold(values[0]) if values else ""

    def text(self, name: str) -> str:
        """Give the first field of a name as clean text."""
        value = self.raw(name)
        return decode_words(value) if value else ""

    def addresses(self, name: str) -> tuple[Address, ...]:
        """Give the addresses of all fields of a name, at most MAX_ADDRESSES."""
        found: list[Address] = []
        for value in self.fields.get(name, ()):
            for address in parse_addresses(_unfold(value)):
                if len(found) == MAX_ADDRESSES:
                    self.defects.append("too many addresses")
                    return tuple(found)
                found.append(address)
        return tuple(found)

    def parameters(self, name: str) -> tuple[str, dict[str, str]]:
        """Give the first field of a name as its lower-case value and its parameters, at most MAX_PARAMETERS."""
        value, parameters = parse_parameters(self.raw(name))
        if len(parameters) == MAX_PARAMETERS:
            self.defects.append("too many parameters")
        return value, parameters

    def ids(self, *names: str) -> tuple[str, ...]:
        """Give the message ids in the first fields of these names, at most MAX_IDS."""
        ids = parse_ids(" ".join(self.raw(name) for name in names))
        if len(ids) == MAX_IDS:
            self.defects.append("too many references")
        return ids


EMPTY = Headers({})


def keep_fields(headers: Headers) -> dict[str, tuple[bytes, ...]]:
    """Give the first MAX_KEPT_FIELDS fields with the first MAX_KEPT_BYTES of their values: copies, not the mail itself.

    The fields that the own mail server has put on top are among the first; a sender can push out none but those of the mail.
    """
    kept: dict[str, tuple[bytes, ...]] = {}
    room = MAX_KEPT_FIELDS
    for name, values in headers.fields.items():
        kept[name] = tuple(value[:MAX_KEPT_BYTES] for value in values[: min(room, MAX_KEPT_ALIKE)])
        room -= len(kept[name])
        if room <= 0:
            break
    return kept


def read_values(fields: Mapping[str, tuple[bytes, ...]], name: str) -> tuple[str, ...]:
    """Give every kept field of a name, in any case, as clean text."""
    return tuple(decode_words(_unfold(value)) for value in fields.get(name.lower(), ()))


def split_header(raw: bytes, start: int, end: int) -> tuple[Headers, int]:
    r"""Read the header in raw[start:end], whose lines end in \n, and tell where the body begins.

    A block without a single field is all body. Where no empty line ends the header, the last field does.
    """
    if raw.startswith(b"\n", start):
        return EMPTY, start + 1
    if raw[start : start + 1] in (b" ", b"\t") and (blank := _BLANK_FIRST_LINE.match(raw, start, end)):
        return EMPTY, blank.end()
    gap = raw.find(b"\n\n", start, end)
    stop, body = (gap, gap + 2) if gap >= 0 else (end, -1)
    has_blanks = raw.find(b" \n", start, stop) >= 0 or raw.find(b"\t\n", start, stop) >= 0
    if has_blanks and (blank := _BLANK_LINE.search(raw, start, stop)):
        stop, body = blank.start(), blank.end()
    fields: dict[str, tuple[bytes, ...]] = {}
    last, size = start, 0
    defects: list[str] = []
    for count, match in enumerate(_FIELD.finditer(raw, start, stop), start=1):
        name, value = match[1].decode("ascii").lower(), match[2]
        if len(value) > MAX_VALUE_BYTES:
            value = value[:MAX_VALUE_BYTES]
            defects.append("header too long")
        size += len(name) + len(value)
        if size > MAX_HEADER_BYTES or count > MAX_FIELDS:
            defects.append("header too long")
            break
        fields[name] = (*fields[name], value) if name in fields else (value,)
        last = match.end()
    if not fields:
        return EMPTY, start
    return Headers(fields, defects), body if body >= 0 else min(last + 1, end)


def _unfold(value: bytes) -> str:
    """Undo folding (RFC 5322, 2.2.3); raw 8-bit letters are UTF-8 or else windows-1252."""
    text, _ = decode(value.replace(b"\n", b""))
    return text.strip()


# --- encoded words -------------------------------------------------------------------------------------------------


def decode_words(value: str) -> str:
    """Decode the encoded words of a value and clean it.

    Neighbors of one charset are joined before they are decoded: senders cut words inside a character.
    """
    if "=?" not in value:
        return clean_line(value)
    pieces: list[str] = []
    charset, pending = "", b""
    position = 0
    for match in _ENCODED_WORD.finditer(value):
        gap = value[position : match.start()]
        apart = bool(gap.strip()) or position == 0
        if pending and (apart or match[1].lower() != charset):
            pieces.append(decode(pending, charset)[0])
            pending = b""
        if apart:
            pieces.append(gap)
        charset = match[1].lower()
        pending += _decode_word(match[2], match[3])
        position = match.end()
    if pending:
        pieces.append(decode(pending, charset)[0])
    pieces.append(value[position:])
    return clean_line("".join(pieces))


def _decode_word(encoding: str, word: str) -> bytes:
    data = word.encode("utf-8", "replace")
    if encoding in "bB":
        return decode_base64(data)
    return decode_quoted_printable(data.replace(b"_", b" "))


# --- parameters ----------------------------------------------------------------------------------------------------


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split a structured value such as Content-Type into its lower-case main value and its parameters (RFC 2045, RFC 2231)."""
    main, semicolon, rest = value.partition(";")
    main = main.strip().lower()
    if not semicolon:
        return main, {}
    plain: dict[str, str] = {}
    continued: dict[str, list[tuple[int, bool, str]]] = {}
    for count, match in enumerate(_PARAMETER.finditer(semicolon + rest)):
        if count == MAX_PARAMETERS:
            break
        name, content = match[1].lower(), _unquote(match[2])
        pieces = _CONTINUED.fullmatch(name) if "*" in name else None
        if pieces:
            continued.setdefault(pieces[1], []).append((int(pieces[2] or 0), bool(pieces[3] or not pieces[2]), content))
        else:
            plain.setdefault(name, decode_words(content) if "=?" in content else content)
    return main, plain | {name: _join_continued(pieces) for name, pieces in continued.items()}


def _unquote(value: str) -> str:
    r"""Take the quotes off; a backslash before another letter is none of RFC 5322's, but Windows' in "C:\scan\note.pdf"."""
    if not value.startswith('"'):
        return value.strip()
    return _ESCAPED_QUOTE.sub(r"\1", value[1:].removesuffix('"'))


def _join_continued(pieces: list[tuple[int, bool, str]]) -> str:
    """Join the pieces of one parameter; the first extended piece names the charset: utf-8'en'name (RFC 2231, section 4)."""
    charset, data = "", b""
    for number, (_, extended, content) in enumerate(sorted(pieces, key=lambda piece: piece[0])):
        text = content
        if extended and number == 0 and content.count("'") >= 2:  # noqa: PLR2004 - charset'language'text
            charset, _, text = content.split("'", 2)
        data += unquote_to_bytes(text) if extended else text.encode("utf-8", "replace")
    return decode(data, charset)[0]


# --- addresses, dates, ids -----------------------------------------------------------------------------------------


def parse_addresses(value: str) -> Iterator[Address]:
    """Read an address list (RFC 5322, 3.4) in one pass; groups are opened, comments name an address that has no name."""
    words: list[str] = []
    comment = angle = ""
    for match in _ADDRESS_TOKEN.finditer(value):
        quoted, remark, inside, mark, plain = match.groups()
        if mark == ":" and not angle:
            if words and words[-1].strip().lower() != "mailto":
                words, comment = [], ""  # the name of a group
        elif (
            mark == ","
            and not angle
            and words
            and not _SOMEWHERE.search("".join(words))
            and _is_half_a_name(value, match.end())
        ):
            words.append(", ")  # Berg, Anna <anna@example.com>
        elif mark:
            yield from _make_address(words, comment, angle)
            words, comment, angle = [], "", ""
        elif inside is not None:
            angle = angle or inside
        elif remark is not None:
            comment = comment or _ESCAPED.sub(r"\1", remark)
        else:
            words.append(plain if plain is not None else _ESCAPED.sub(r"\1", quoted))
    yield from _make_address(words, comment, angle)


def _is_half_a_name(value: str, position: int) -> bool:
    """Tell whether what follows a comma is the other half of a name that should have been in quotes."""
    return bool(_SECOND_HALF.match(value, position))


def _make_address(words: list[str], comment: str, angle: str) -> Iterator[Address]:
    name, address = "".join(words).strip(), _IN_ANGLE.sub("", angle)
    if not address and (found := _SOMEWHERE.search(name)):
        address = found[0]
        rest = f"{name[: found.start()]} {name[found.end() :]}".strip(" <>\"',;")
        name = rest if any(letter.isalpha() for letter in rest) else ""
    address = clean_line(address)
    if address[:7].lower() == "mailto:":
        address, name = address[7:], name.removesuffix("mailto")
    name = decode_words(name or (comment if address else ""))
    if len(name) > 2 and name[0] == name[-1] == "'":  # noqa: PLR2004 - more than the quotes that Outlook puts
        name = name[1:-1].strip()
    if address or (name[:1] != "@" and any(letter.isalnum() for letter in name)):
        yield Address(name="" if name == address else name, address=address)


def parse_date(value: str) -> datetime | None:
    """Read a Date field (RFC 5322, 3.3), also by a clock of twelve hours; a date without a zone is UTC, nonsense is None."""
    try:
        date = parsedate_to_datetime(_HALF_DAY_CLOCK.sub(_whole_day, value[:MAX_DATE_CHARS]))
    except (ValueError, TypeError, IndexError, OverflowError):  # what it raises on nonsense differs from version to version
        return None
    if date.year not in YEARS:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _whole_day(time: re.Match[str]) -> str:
    return f"{int(time[1]) % 12 + 12 * (time[3] in 'pP'):02}{time[2]}"


def parse_ids(value: str) -> tuple[str, ...]:
    """Find message ids (RFC 5322, 3.6.4), angle brackets kept, each once, at most MAX_IDS: the first and the newest ones."""
    ids = tuple(dict.fromkeys(clean_line(found) for found in _MESSAGE_ID.findall(value)))
    return ids if len(ids) <= MAX_IDS else (ids[0], *ids[1 - MAX_IDS :])
