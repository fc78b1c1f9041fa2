"""What must hold of every mail whatever: the one check that the fuzzer and the ordinary test share."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from cubbyd.message import ClassifierInput, ParsedMessage, parse, render
from cubbyd.message.identity import fingerprint
from cubbyd.message.language import guess_language
from cubbyd.message.parser import _parse
from cubbyd.message.render import MAX_ATTACHMENTS, MAX_QUOTED_CHARS, MAX_SENDER_CHARS, MAX_SUBJECT_CHARS, MAX_TEXT_CHARS

ROOT: Final = Path(__file__).resolve().parents[2]
GOLDEN: Final = ROOT / "tests" / "golden"
SHARED: Final = Path(os.environ.get("CUBBYD_SHARED") or ROOT.parent / "shared")

BLOCK_BYTES: Final = 64 * 1024
SECONDS_A_BLOCK: Final = 0.25
"""Of processor time for each block begun; a hundred times what a real mail of that length takes."""
MOST_GROWTH: Final = 4
"""Characters out for each byte in: a list item and a line break in a quote write more than they read."""
FREE_CHARS: Final = 2_000
"""What may come out of nearly nothing, such as the words of an invitation."""

_UNWANTED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)

T = TypeVar("T")


class Finding(AssertionError):
    """Something that must hold does not. What stands before the first colon is the same for every input of one kind."""


def allowed_seconds(size: int) -> float:
    """Give the processor time that an input of some length may take."""
    return SECONDS_A_BLOCK * (size // BLOCK_BYTES + 1)


def measure(work: Callable[[], T]) -> tuple[T, float]:
    """Do the work, and tell the processor time that it took."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def check_mail(raw: bytes) -> float:
    """Read and render a mail, and raise where something does not hold; give the share of the allowed time that it took.

    The inner function is called, because `parse` turns an exception into a defect.
    """
    message, seconds = measure(lambda: _parse(raw))
    rendered = render(message)
    if message != parse(raw) or rendered != render(message):
        raise Finding("two results for one mail")
    guess_language(message)
    if fingerprint(raw, "") != fingerprint(raw, ""):
        raise Finding("two fingerprints for one mail")
    for name, text in _texts(message):
        _check_text(name, text)
    _check_size(message, len(raw))
    _check_limits(rendered)
    return seconds / allowed_seconds(len(raw))


def _texts(message: ParsedMessage) -> Iterator[tuple[str, str]]:
    """Give every text of a message that came from outside, and what it is."""
    for name in ("subject", "text", "quoted", "signature", "list_id", "message_id"):
        yield name, getattr(message, name)
    for name, several in (("to", message.to), ("cc", message.cc), ("reply-to", message.reply_to), ("sender", [message.sender])):
        for one in several:
            yield f"name in {name}", one.name
            yield f"address in {name}", one.address
    yield from (("attachment", attachment.name) for attachment in message.attachments)
    yield from (("content type", attachment.content_type) for attachment in message.attachments)
    yield from (("reference", reference) for reference in message.references)
    yield from (("defect", defect) for defect in message.defects)


def _check_text(name: str, text: str) -> None:
    if unwanted := _UNWANTED.search(text):
        raise Finding(f"unprintable character in {name}: {unwanted[0]!a}")
    if not unicodedata.is_normalized("NFC", text):
        raise Finding(f"not NFC in {name}")
    if text != text.strip():
        raise Finding(f"blanks around {name}")
    if name not in ("text", "quoted", "signature") and "\n" in text:
        raise Finding(f"line end in {name}")


def _check_size(message: ParsedMessage, size: int) -> None:
    made = sum(len(text) for text in (message.subject, message.text, message.quoted, message.signature))
    if made > MOST_GROWTH * size + FREE_CHARS:
        raise Finding(f"much out of little: {made} characters out of {size} bytes")
    if message.date is not None and message.date.tzinfo is None:
        raise Finding("date without a zone")


def _check_limits(rendered: ClassifierInput) -> None:
    within = {
        "subject": len(rendered.subject) <= MAX_SUBJECT_CHARS,
        "text": len(rendered.text) <= MAX_TEXT_CHARS,
        "quoted": len(rendered.quoted) <= MAX_QUOTED_CHARS,
        "sender": len(rendered.sender) <= MAX_SENDER_CHARS,
        "attachments": len(rendered.attachments) <= MAX_ATTACHMENTS,
    }
    for name, holds in within.items():
        if not holds:
            raise Finding(f"rendered beyond the limit of {name}")


def golden_mails() -> list[bytes]:
    """Read the mails of tests/golden."""
    return [mail.read_bytes() for mail in sorted(GOLDEN.glob("*.eml"))]


def malformed_mails() -> list[bytes]:
    """Read the real and malformed mails that are no part of the repository; none where they are absent."""
    return [mail.read_bytes() for mail in sorted((SHARED / "torture").rglob("*.eml"))]
