"""Mail that cubbyd wrote itself: known by a field of its header, so that a digest in an inbox is left alone."""

from __future__ import annotations

import re
from typing import Final

from cubbyd.message.identity import MAX_HEADER_BYTES

DIGEST_FIELD: Final = "X-Cubbyd-Digest"
_DIGEST = re.compile(rb"^%s:" % DIGEST_FIELD.encode(), re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")


def is_digest(content: bytes) -> bool:
    """Tell whether a mail says that it is a digest. One that says so falsely gains nothing: it stays where people look."""
    header = _END.split(content[:MAX_HEADER_BYTES], maxsplit=1)[0]
    return _DIGEST.search(header) is not None
