"""Mail that is signed or encrypted, by S/MIME (RFC 8551) or OpenPGP (RFC 3156, RFC 9580): recognized, and read where it can be.

Nothing is decrypted and no signature is checked. What is signed and lies open in its envelope is read: a signature hides
nothing. What is encrypted stays a flag and a defect, so that a person opens it with her key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

MAX_CHUNKS = 10_000
"""Pieces of a signed text in one envelope; programs write them of 1,000 bytes and more."""


class Seal(Enum):
    """What was done to a part."""

    SMIME = "encrypted by S/MIME: it cannot be read"
    PGP = "encrypted by PGP: it cannot be read"
    SIGNED = "signed by S/MIME, text and signature in one envelope"


_PGP_TYPES = frozenset(("multipart/encrypted", "application/pgp-encrypted"))
_SMIME_TYPES = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
# Object identifiers of RFC 5652, in DER.
_PKCS7 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
_SIGNED_DATA = _PKCS7 + b"\x02"
_DATA = _PKCS7 + b"\x01"
_OCTETS, _OCTETS_IN_PIECES, _CONTENT = 0x04, 0x24, 0xA0
_INDEFINITE = 0x80
_LONGEST_LENGTH = 4  # bytes of a length; more than 4 GiB is no mail
_MANY_CERTIFICATES = ("certs-only", "signed-receipt")


def may_be_sealed(content_type: str) -> bool:
    """Tell whether a type can be that of a sealed part at all; nearly none can."""
    return content_type in _SMIME_TYPES or content_type in _PGP_TYPES


def seal_of(content_type: str, smime_type: str, name: str, head: Callable[[], bytes]) -> Seal | None:
    """Tell what was done to a part: by its type, its smime-type, its name and, where these are silent, its first bytes."""
    if content_type in _PGP_TYPES:
        return Seal.PGP
    if content_type not in _SMIME_TYPES or smime_type.lower() in _MANY_CERTIFICATES or name.lower().endswith((".p7c", ".p7s")):
        return None
    if smime_type.lower() == "signed-data" or (not smime_type and _SIGNED_DATA in head()):
        return Seal.SIGNED
    return Seal.SMIME


def open_signed(envelope: bytes) -> bytes | None:
    """Find the signed bytes in a signed-data envelope (RFC 5652, section 5); None where it is none or is cut.

    No ASN.1 is read but the one field: the type "data", tag [0], and an octet string, whole or in pieces, of a known or
    an indefinite length (BER), as mail programs write large ones.
    """
    if _SIGNED_DATA not in envelope[:64]:
        return None
    position = envelope.find(_DATA)
    if position < 0:
        return None
    position += len(_DATA)
    tag, length, position = _head(envelope, position)
    if tag != _CONTENT:
        return None
    tag, length, position = _head(envelope, position)
    if tag == _OCTETS and length >= 0:
        return envelope[position : position + length] if position + length <= len(envelope) else None
    if tag != _OCTETS_IN_PIECES:
        return None
    end = len(envelope) if length < 0 else position + length
    return _join_pieces(envelope, position, end)


def _join_pieces(envelope: bytes, position: int, end: int) -> bytes | None:
    pieces: list[bytes] = []
    while position < end and len(pieces) < MAX_CHUNKS:
        tag, length, position = _head(envelope, position)
        if tag == 0 and length == 0:
            break
        if tag != _OCTETS or length < 0 or position + length > len(envelope):
            return None
        pieces.append(envelope[position : position + length])
        position += length
    return b"".join(pieces)


def _head(data: bytes, position: int) -> tuple[int, int, int]:
    """Read the tag and the length of an ASN.1 value, and where it begins; length -1 is indefinite, tag -1 is nonsense."""
    if position + 2 > len(data):
        return -1, 0, position
    tag, first = data[position], data[position + 1]
    position += 2
    if first < _INDEFINITE:
        return tag, first, position
    if first == _INDEFINITE:
        return tag, -1, position
    count = first - _INDEFINITE
    if count > _LONGEST_LENGTH or position + count > len(data):
        return -1, 0, position
    return tag, int.from_bytes(data[position : position + count]), position + count


# --- OpenPGP in the text itself ------------------------------------------------------------------------------------

_BLOCK = re.compile(r"^-----BEGIN PGP MESSAGE-----$(?s:.*?)(?:^-----END PGP MESSAGE-----$|\Z)\n?", re.MULTILINE)
_KEY = re.compile(r"^-----BEGIN PGP PUBLIC KEY BLOCK-----$(?s:.*?)(?:^-----END PGP PUBLIC KEY BLOCK-----$|\Z)\n?", re.MULTILINE)
_SIGNED_HEAD = re.compile(r"^-----BEGIN PGP SIGNED MESSAGE-----\n(?:(?:Hash|NotDashEscaped|Charset): ?[^\n]*\n)*", re.MULTILINE)
_SIGNATURE = re.compile(r"^-----BEGIN PGP SIGNATURE-----$(?s:.*?)(?:^-----END PGP SIGNATURE-----$|\Z)\n?", re.MULTILINE)
_DASH_ESCAPED = re.compile(r"^- (?=-)", re.MULTILINE)


def open_pgp(text: str) -> tuple[str, bool]:
    """Take the armor of OpenPGP out of a normalized text; tell whether something in it was encrypted.

    A clear-signed text (RFC 9580, section 7) is the text without its frame, its signature and its escaped dashes.
    """
    if "-----BEGIN PGP" not in text:
        return text, False
    text, count = _BLOCK.subn("\n", text)
    text = _KEY.sub("\n", text)
    if "-----BEGIN PGP SIGN" in text:
        text = _DASH_ESCAPED.sub("", _SIGNATURE.sub("\n", _SIGNED_HEAD.sub("", text)))
    return text, count > 0
