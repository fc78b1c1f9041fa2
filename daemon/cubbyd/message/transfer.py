"""Content-Transfer-Encoding (RFC 2045, section 6), read leniently: what can be decoded is, and no more than was asked for."""

from __future__ import annotations

import binascii
import re

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_PLAIN_ALPHABET = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64 = bytes(byte for byte in range(256) if byte not in _BASE64 + b"-_=")
_PADDING = re.compile(rb"=+")
_SOFT_BREAK_WITH_BLANKS = re.compile(rb"=[ \t]+\n")
# What a text looks like whose encoding was not told: no "=" but quoted-printable's, and a letter of UTF-8; nothing but base64.
_ENCODED_LETTER = re.compile(rb"=(?:C[2-9A-F]|D[0-9A-F]|E[0-9A-F]=[89AB][0-9A-F])=[89AB][0-9A-F]")
_LONE_EQUALS_SIGN = re.compile(rb"=(?![0-9A-F]{2}|[0-9A-F]?\Z|[ \t]*+(?:\n|\Z))")
_BASE64_LINES = re.compile(rb"\s*+(?:[A-Za-z0-9+/]{60,76}\s++)++(?:[A-Za-z0-9+/]{1,76}={0,2}\s*+)?")
_BASE64_LINE = re.compile(rb"^[A-Za-z0-9+/]{40,}={0,2}$", re.MULTILINE)
_SAMPLE_BYTES = 400
_FEWEST_SIGNS = 2
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
MAX_UU_LINE_CHARS = 100
"""Of a line of uuencode; a full one has 61."""
MAX_UU_LINES = 50_000
"""Of one part: two megabytes, more than is read of any text."""


def decode_transfer(data: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo a transfer encoding; at most max_bytes come out. An unknown encoding is read as it is. Never raises."""
    match encoding.partition("(")[0].strip("\"' \t").lower():
        case "base64" | "base-64" if _is_plain(data):
            return data[:max_bytes]
        case "base64" | "base-64":
            return decode_base64(data[: max_bytes * 3 // 2])[:max_bytes]
        case "quoted-printable" | "quoted printable" | "quotedprintable":
            return decode_quoted_printable(data[: max_bytes * 3])[:max_bytes]
        case "x-uuencode" | "uuencode" | "x-uue":
            return _decode_uuencode(data[: max_bytes * 3 // 2])[:max_bytes]
        case _:
            return data[:max_bytes]


def _is_plain(data: bytes) -> bool:
    """Tell text that is said to be base64 and is not: blanks within a line, and signs that base64 has not."""
    sample = data[:_SAMPLE_BYTES].strip()
    signs = len(sample.translate(None, _BASE64 + b"-_= \t\n"))
    return signs >= _FEWEST_SIGNS and sample.count(b" ") >= _FEWEST_SIGNS and not _BASE64_LINE.search(sample)


def guess_encoding(data: bytes) -> str:
    """Tell the transfer encoding of a text whose header tells none, as a gateway may have lost it; empty where it has none."""
    if not data.isascii():
        return ""
    if _ENCODED_LETTER.search(data) and not _LONE_EQUALS_SIGN.search(data):
        return "quoted-printable"
    if _BASE64_LINES.fullmatch(data) and _is_text(decode_base64(data)):
        return "base64"
    return ""


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not _CONTROL.search(data)


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
    for line in data.split(b"\n", MAX_UU_LINES)[:MAX_UU_LINES]:
        if not inside:
            inside = line.startswith(b"begin ")
        elif line.strip() == b"end":
            break
        else:
            lines.append(_decode_uu_line(line))
    return b"".join(lines)


def _decode_uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line[:MAX_UU_LINE_CHARS])
    except binascii.Error:  # trailing garbage of old encoders, or no uuencoded line at all
        return b""
