"""Content-Transfer-Encoding (RFC 2045, section 6), read leniently: what can be decoded is, and no more than was asked for."""

from __future__ import annotations

import binascii
import re

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_PLAIN_ALPHABET = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64 = bytes(byte for byte in range(256) if byte not in _BASE64 + b"-_=")
_PADDING = re.compile(rb"=+")
_SOFT_BREAK_WITH_BLANKS = re.compile(rb"=[ \t]+\n")
_LONGEST_UU_LINE = 100
_MOST_UU_LINES = 50_000


def decode_transfer(data: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo a transfer encoding; at most max_bytes come out. An unknown encoding is read as it is. Never raises."""
    match encoding.strip().lower():
        case "base64":
            return decode_base64(data[: max_bytes * 3 // 2])[:max_bytes]
        case "quoted-printable":
            return decode_quoted_printable(data[: max_bytes * 3])[:max_bytes]
        case "x-uuencode" | "uuencode" | "x-uue":
            return _decode_uuencode(data[: max_bytes * 3 // 2])[:max_bytes]
        case _:
            return data[:max_bytes]


def decode_base64(data: bytes) -> bytes:
    """Decode base64 with junk between, padding missing or in the middle, and both alphabets of RFC 4648."""
    letters = data.translate(_TO_PLAIN_ALPHABET, _NOT_BASE64)
    return b"".join(_decode_unpadded(run) for run in _PADDING.split(letters) if run)


def _decode_unpadded(letters: bytes) -> bytes:
    spare = len(letters) % 4
    if spare == 1:  # six bits are no byte
        letters, spare = letters[:-1], 0
    return binascii.a2b_base64(letters + b"=" * (-spare % 4))


def decode_quoted_printable(data: bytes) -> bytes:
    """Decode quoted-printable; blanks after a soft line break are forgiven, a lone equals sign stands for itself."""
    return binascii.a2b_qp(_SOFT_BREAK_WITH_BLANKS.sub(b"=\n", data))


def _decode_uuencode(data: bytes) -> bytes:
    lines: list[bytes] = []
    inside = False
    for line in data.split(b"\n", _MOST_UU_LINES)[:_MOST_UU_LINES]:
        if not inside:
            inside = line.startswith(b"begin ")
        elif line.strip() == b"end":
            break
        else:
            lines.append(_decode_uu_line(line))
    return b"".join(lines)


def _decode_uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line[:_LONGEST_UU_LINE])
    except binascii.Error:  # trailing garbage of old encoders, or no uuencoded line at all
        return b""
