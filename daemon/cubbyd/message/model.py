"""The values of the message side: what is known of one mail after reading it, and what a classifier is given of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Flag(StrEnum):
    """What a mail is, told by its headers or structure before any model."""

    REPLY = "reply"  # a Re: prefix
    FORWARD = "forward"  # a Fwd: prefix, or a forwarded mail and nothing else
    BULK = "bulk"  # List-Id, List-Unsubscribe or Precedence: bulk
    AUTO_REPLY = "auto-reply"  # Auto-Submitted and the like (RFC 3834)
    BOUNCE = "bounce"  # a delivery report (RFC 3464)
    CALENDAR = "calendar"  # carries a text/calendar part
    ENCRYPTED = "encrypted"  # S/MIME or PGP; its text cannot be read
    TNEF = "tnef"  # carries winmail.dat, whose contents are not read
    TRUNCATED = "truncated"  # a limit of ours or of the fetch cut it


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A mail address with the name beside it; either may be empty."""

    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The name and type of an attachment; its content is never read."""

    name: str
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """One mail, read. Every text is Unicode NFC without control, zero-width and bidi characters."""

    subject: str = ""
    """Without its reply, forward and list prefixes; those are flags."""
    sender: Address = Address()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    date: datetime | None = None
    """From the Date header, aware; None where it is missing or nonsense."""
    message_id: str = ""
    references: tuple[str, ...] = ()
    list_id: str = ""
    auto_submitted: str = ""
    """The keyword of Auto-Submitted (RFC 3834): "no", "auto-replied", "auto-generated"; empty where it is missing."""
    content_language: str = ""
    """Two letters, of Content-Language; empty where it is missing or unknown. See cubbyd.message.language."""
    text: str = ""
    """What the sender wrote now; for a forwarded mail, the forwarded text."""
    quoted: str = ""
    """Earlier mail below or above it."""
    signature: str = ""
    attachments: tuple[Attachment, ...] = ()
    flags: frozenset[Flag] = frozenset()
    headers: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)
    """The header's fields by lower-case name, raw, the first of them and their beginnings; read by cubbyd.message.header."""
    defects: tuple[str, ...] = ()
    """What was wrong with the mail, in short fixed phrases without mail text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierInput:
    """What a classifier is given of a mail; made by cubbyd.message.render alone, in training, evaluation and serving."""

    subject: str
    text: str
    quoted: str
    sender: str
    attachments: tuple[str, ...]
    flags: frozenset[Flag]
    version: str
    """The renderer's version: a model trained on another version is refused."""
    message: ParsedMessage = field(repr=False, compare=False)
    """What it was made of: what leaves the building is made of it anew, masked (cubbyd.classify.border)."""

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to classify at all."""
        return not (self.subject or self.text or self.quoted or self.attachments)
