"""Names that stand for others: equal for equal ones, so that what belongs together can be told without showing what it is."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

DIGEST_CHARS: Final = 16
"""Of a pseudonym: 64 bits, so that two of a million are hardly ever alike."""


def pseudonym(kind: str, value: str) -> str:
    """Give a name that does not show the value; no secret, since a value can be guessed and tried. Empty for an empty one."""
    return f"{kind}-{sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:DIGEST_CHARS]}" if value else ""
