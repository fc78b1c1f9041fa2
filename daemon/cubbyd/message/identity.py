"""Which mail is which: where one lies in a mailbox, and what stays the same when it is moved."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NewType

Fingerprint = NewType("Fingerprint", str)
"""What a mail is known by wherever it lies: a move, a copy, a new UIDVALIDITY keep its header and its INTERNALDATE."""

MAX_HEADER_BYTES = 256 * 1024

_FIELDS = frozenset((b"message-id", b"date", b"from", b"to", b"subject", b"received"))
_END = re.compile(rb"(?:\A|\n)\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageKey:
    """A mail's place: exact as long as the folder's UIDVALIDITY holds (RFC 9051, 2.3.1.1), gone with every move."""

    mailbox: str
    folder: str
    uidvalidity: int
    uid: int


def fingerprint(header: bytes, internal_date: str) -> Fingerprint:
    r"""Hash what identifies a mail: SHA-256 in hex over its identifying fields and the INTERNALDATE as the server spells it.

    Takes a whole mail or its header alone, with the same result: looks no further than the first empty line or
    MAX_HEADER_BYTES.
    The fields are unfolded and sorted, as servers give them back in other orders. Never raises.
    """
    block = header[:MAX_HEADER_BYTES]
    end = _END.search(block)
    lines = sorted(_identifying_lines(block[: end.start()] if end else block))
    lines.append(b"internaldate:" + internal_date.encode("utf-8", "backslashreplace"))
    return Fingerprint(hashlib.sha256(b"\n".join(lines)).hexdigest())


def message_id_of(header: bytes) -> bytes | None:
    """Read the Message-ID out of a header, without its angle brackets; None where there is none. Never raises."""
    for line in _identifying_lines(header[:MAX_HEADER_BYTES]):
        name, _, value = line.partition(b":")
        if name == b"message-id":
            return value.strip().removeprefix(b"<").removesuffix(b">").strip()
    return None


def _identifying_lines(block: bytes) -> list[bytes]:
    """Give the identifying fields as `name:value`, unfolded, their blanks one space; lines that are no field fall away."""
    fields: list[tuple[bytes, list[bytes]]] = []
    for line in block.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if fields:
                fields[-1][1].append(line)
        else:
            name, _, value = line.partition(b":")
            fields.append((name.strip().lower(), [value]))
    return [name + b":" + b" ".join(b" ".join(pieces).split()) for name, pieces in fields if name in _FIELDS]
