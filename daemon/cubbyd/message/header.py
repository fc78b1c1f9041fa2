"""The header of a mail or of a part: fields, encoded words, parameters, addresses, dates.

Everything takes any bytes and gives what can be understood of them. A line that is no field is passed over and does not end
the header, as it does in the standard library's parser. Values are cut before they are looked at, because the clock cannot
be: 16 KiB of each field, 256 KiB and 1,000 fields of a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from cubbyd.message.charset import decode
from cubbyd.message.model import Address
from cubbyd.message.transfer import decode_base64, decode_quoted_printable
from cubbyd.message.unicode import clean_line

MAX_HEADER_BYTES = 256 * 1024
MAX_VALUE_BYTES = 16 * 1024
MAX_FIELDS = 1000
MAX_ADDRESSES = 200
MAX_IDS = 100
MAX_PARAMETERS = 100
MAX_DATE_CHARS = 100

# A field with its folded lines (RFC 5322, 2.2.3); blanks before the colon are obsolete syntax (4.5) that still occurs.
_FIELD = re.compile(rb"^([!-9;-~]{1,100}+)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)

# RFC 2047, but tolerant: no space around a word is demanded, blanks in it are taken, and up to three raw question marks.
_ENCODED_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*+(?:\?(?!=)[^?]*+){0,3}+)\?=")

_PARAMETER = re.compile(r""";\s*([^\s=;"]++)\s*=\s*("(?:[^"\\]++|\\.)*+"?|[^;]*+)""", re.DOTALL)
_CONTINUED = re.compile(r"([^*]+)\*(\d{1,3})?(\*)?")

_ADDRESS_TOKEN = re.compile(r'"((?:[^"\\]++|\\.)*+)"?|\(([^()]*+)\)?|<([^>]*+)>?|([,;:])|([^"(<,;:]++)', re.DOTALL)
_SOMEWHERE = re.compile(r'[^\s<>"(),;:@]{1,64}@[^\s<>"(),;:@]{1,255}')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields of a header: lower-case names to their raw values, in the order of the mail."""

    fields: Mapping[str, tuple[bytes, ...]]

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
                    return tuple(found)
                found.append(address)
        return tuple(found)

    def parameters(self, name: str) -> tuple[str, dict[str, str]]:
        """Give the first field of a name as its lower-case value and its parameters."""
        return parse_parameters(self.raw(name))


EMPTY = Headers({})


def split_header(raw: bytes, start: int, end: int) -> tuple[Headers, int]:
    r"""Read the header in raw[start:end], whose lines end in \n, and tell where the body begins.

    A block without a single field is all body. Where no empty line ends the header, the last field does.
    """
    if raw.startswith(b"\n", start):
        return EMPTY, start + 1
    gap = raw.find(b"\n\n", start, end)
    stop = gap if gap >= 0 else end
    fields: dict[str, tuple[bytes, ...]] = {}
    last, size = start, 0
    for count, match in enumerate(_FIELD.finditer(raw, start, stop), start=1):
        name, value = match[1].decode("ascii").lower(), match[2][:MAX_VALUE_BYTES]
        size += len(name) + len(value)
        if size > MAX_HEADER_BYTES or count > MAX_FIELDS:
            break
        fields[name] = (*fields[name], value) if name in fields else (value,)
        last = match.end()
    if not fields:
        return EMPTY, start
    return Headers(fields), gap + 2 if gap >= 0 else min(last + 1, end)


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
    if not value.startswith('"'):
        return value.strip()
    return _ESCAPED.sub(r"\1", value[1:].removesuffix('"'))


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
            words, comment = [], ""  # the name of a group
        elif mark:
            yield from _make_address(words, comment, angle)
            words, comment, angle = [], "", ""
        elif inside is not None:
            angle = angle or inside
        elif remark is not None:
            comment = comment or remark
        else:
            words.append(plain if plain is not None else _ESCAPED.sub(r"\1", quoted))
    yield from _make_address(words, comment, angle)


def _make_address(words: list[str], comment: str, angle: str) -> Iterator[Address]:
    name, address = "".join(words).strip(), clean_line(angle).replace(" ", "")
    if not address and (found := _SOMEWHERE.search(name)):
        address, name = found[0], ""
    name = decode_words(name or comment)
    if name or address:
        yield Address(name="" if name == address else name, address=clean_line(address))


def parse_date(value: str) -> datetime | None:
    """Read a Date field (RFC 5322, 3.3); a date without a zone is taken as UTC, nonsense is None."""
    try:
        date = parsedate_to_datetime(value[:MAX_DATE_CHARS])
    except (ValueError, TypeError, IndexError, OverflowError):  # what it raises on nonsense differs from version to version
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def parse_ids(value: str) -> tuple[str, ...]:
    """Find message ids (RFC 5322, 3.6.4), angle brackets kept, each once, at most MAX_IDS: the first and the newest ones."""
    ids = tuple(dict.fromkeys(clean_line(found) for found in _MESSAGE_ID.findall(value)))
    return ids if len(ids) <= MAX_IDS else (ids[0], *ids[1 - MAX_IDS :])
