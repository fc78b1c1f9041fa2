"""The classifier's view of a mail: the one place that makes a ClassifierInput, for training, evaluation and serving alike.

RENDERER_VERSION changes with every change of what comes out here for some mail, wherever in cubbyd.message it is made: a
model is trained on one version and refused on another.
"""

from __future__ import annotations

from dataclasses import dataclass

from cubbyd.message.model import Address, ClassifierInput, Flag, ParsedMessage
from cubbyd.message.parser import from_text

RENDERER_VERSION = "2"

MAX_SUBJECT_CHARS = 300
MAX_TEXT_CHARS = 4_000
MAX_QUOTED_CHARS = 1_500
MAX_SENDER_CHARS = 300
MAX_ATTACHMENTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many characters a backend is given. Accuracy stops growing long before; the rest costs time and money."""

    text: int = MAX_TEXT_CHARS
    quoted: int = MAX_QUOTED_CHARS


DEFAULT_LIMITS = Limits()

_FEW_WORDS = 5
_FEW_CHARS = 40  # a language that is written without blanks says much in one "word"
_GAP = "\n…\n"
_HEAD_SHARE = 0.75  # people put the request first, or last


def render(message: ParsedMessage, limits: Limits = DEFAULT_LIMITS) -> ClassifierInput:
    """Cut a message to what a classifier is given: 300 characters of subject, head and tail of text, the head of quoted mail.

    Where the sender wrote fewer than five words ("Yes, that works"), the quoted mail is part of the text, with full weight.
    """
    text, quoted = message.text, message.quoted
    if quoted and len(text) < _FEW_CHARS and len(text.split()) < _FEW_WORDS:
        text, quoted = f"{text}\n\n{quoted}".strip(), ""
    flags = message.flags
    if len(text) > limits.text:
        text = _cut_middle(text, limits.text)
        flags |= {Flag.TRUNCATED}
    return ClassifierInput(
        subject=message.subject[:MAX_SUBJECT_CHARS],
        text=text,
        quoted=quoted[: limits.quoted],
        sender=_spell(message.sender)[:MAX_SENDER_CHARS],
        attachments=tuple(attachment.name for attachment in message.attachments[:MAX_ATTACHMENTS] if attachment.name),
        flags=flags,
        version=RENDERER_VERSION,
        message=message,
    )


def render_text(subject: str, body: str) -> ClassifierInput:
    """Make of an example's subject and body what render makes of a mail with that subject and text; the sender is empty."""
    return render(from_text(subject, body))


def _cut_middle(text: str, length: int) -> str:
    head = int(length * _HEAD_SHARE)
    tail = length - head - len(_GAP)
    return f"{text[:head]}{_GAP}{text[-tail:]}"


def _spell(address: Address) -> str:
    if not address.address:
        return address.name
    return f"{address.name} <{address.address}>" if address.name else address.address
