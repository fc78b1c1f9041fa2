r"""Bytes of a mail to a ParsedMessage: total, bounded in time and memory, whatever the bytes are.

    bytes -> one kind of line end -> header, MIME tree -> the text -> unicode -> new / quoted / signature

An error of our own is caught once, here, and gives a message with an empty body and a defect that names the error, so that
the mail stays in the inbox for a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from cubbyd.message.calendar import describe_invitation
from cubbyd.message.header import EMPTY, Headers, parse_date, parse_ids
from cubbyd.message.model import Address, Attachment, Flag, ParsedMessage
from cubbyd.message.part import Body, Part, Walk, choose_body
from cubbyd.message.quote import split_text
from cubbyd.message.special import flags_of_headers, flags_of_part
from cubbyd.message.subject import read_subject
from cubbyd.message.unicode import clean_text

MAX_MESSAGE_BYTES = 25 * 1024 * 1024
MAX_ATTACHMENTS = 100
MAX_DEFECTS = 20
MAX_CALENDARS = 3

_BEFORE_HEADER = re.compile(rb"(?:\xef\xbb\xbf|[ \t]*+\n)*+(?:>?From [^\n]*+\n)?")
_PGP_SEALED = "-----BEGIN PGP MESSAGE-----"
_PGP_SIGNED = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash: [^\n]*\n)?|-----BEGIN PGP SIGNATURE-----(?s:.*)")
_DETACHED_SIGNATURES = frozenset(("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"))


def parse(raw: bytes) -> ParsedMessage:
    """Read one mail, whole or cut off anywhere. Never raises."""
    try:
        return _parse(raw)
    except Exception as error:  # noqa: BLE001 - the last resort: one mail must not stop the daemon, and the defect tells of it
        return ParsedMessage(defects=(f"exception: {type(error).__name__}",))


def from_text(subject: str, body: str, *, from_list: bool = False) -> ParsedMessage:
    """Make a message of a raw subject and a decoded body: the way that mails and examples have in common.

    from_list says that the subject may begin with a mailing list's [tag].
    """
    title = read_subject(subject, from_list=from_list)
    text, sealed, _ = clean_text(body).partition(_PGP_SEALED)
    split = split_text(_PGP_SIGNED.sub("", text) if "-----BEGIN PGP" in text else text, forward=Flag.FORWARD in title.flags)
    flags = title.flags
    if split.forwarded:
        flags |= {Flag.FORWARD}
    if sealed:
        flags |= {Flag.ENCRYPTED}
    return ParsedMessage(subject=title.text, text=split.new, quoted=split.quoted, signature=split.signature, flags=flags)


@dataclass(slots=True)
class _Contents:
    """What the walk through the parts has gathered."""

    plain: list[Part] = field(default_factory=list)
    html: list[Part] = field(default_factory=list)
    calendars: list[Part] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: set[Flag] = field(default_factory=set)
    inner: _Contents | None = None
    """Of the mails attached to this one."""
    inner_headers: Headers = EMPTY
    """Of the first of them."""

    def add(self, part: Part) -> None:
        """Put a part where it belongs."""
        kind = part.content_type
        if part.embedded:
            self._add_inner(part)
            return
        self.flags |= flags_of_part(part)
        if kind.startswith("multipart/") or kind in _DETACHED_SIGNATURES:
            return
        if part.is_attachment or not kind.startswith("text/"):
            self._attach(part)
        elif kind == "text/calendar":
            self.calendars.append(part)
        elif kind == "text/html":
            self.html.append(part)
        elif kind in ("text/plain", "text/enriched", "text/markdown"):
            self.plain.append(part)
        else:
            self._attach(part)

    def _add_inner(self, part: Part) -> None:
        if self.inner is None:
            self.inner, self.inner_headers = _Contents(), part.headers
        self.inner.add(replace(part, embedded=False))

    def _attach(self, part: Part) -> None:
        """List a part by its name; pictures that belong to the HTML, and nameless parts, are none of the sender's files."""
        is_picture = bool(self.html) and part.content_type.startswith("image/") and "content-id" in part.headers
        if len(self.attachments) < MAX_ATTACHMENTS and (part.is_attachment or (part.name and not is_picture)):
            self.attachments.append(Attachment(name=part.name, content_type=part.content_type))

    def body(self) -> Body:
        """Choose the text; that of an attached mail, under its subject, where there is nothing else."""
        body = choose_body(self.plain, self.html)
        invitations = [describe_invitation(part.text()[0]) for part in self.calendars[:MAX_CALENDARS]]
        if body.text:
            headings = [invitation.partition("\n")[0] for invitation in invitations]
            return replace(body, text="\n".join(filter(None, (*headings, body.text))))
        if any(invitations):
            return replace(body, text="\n\n".join(filter(None, invitations)))
        return self._inner_body() if self.inner else body

    def _inner_body(self) -> Body:
        body = self.inner.body() if self.inner else Body()
        text = f"{read_subject(self.inner_headers.text('subject')).text}\n{body.text}".strip()
        if text:
            self.flags.add(Flag.FORWARD)
        return replace(body, text=text)


def _parse(raw: bytes) -> ParsedMessage:
    walk = Walk(_normalize(raw[:MAX_MESSAGE_BYTES]))
    contents = _Contents()
    for part in walk:
        contents.add(part)
    body = contents.body()
    headers = walk.top.headers
    message = from_text(headers.text("subject"), body.text, from_list="list-id" in headers)
    defects = list(walk.defects)
    if not body.labels_were_true:
        defects.append("charset label unknown or wrong")
    if len(raw) > MAX_MESSAGE_BYTES:
        defects.append("too long")
    flags = message.flags | contents.flags | flags_of_headers(headers)
    if walk.is_cut or len(raw) > MAX_MESSAGE_BYTES:
        flags |= {Flag.TRUNCATED}
    return replace(
        message,
        sender=_sender(headers),
        to=headers.addresses("to"),
        cc=headers.addresses("cc"),
        reply_to=headers.addresses("reply-to"),
        date=parse_date(headers.raw("date")) if "date" in headers else None,
        message_id=next(iter(parse_ids(headers.raw("message-id"))), ""),
        references=parse_ids(f"{headers.raw('references')} {headers.raw('in-reply-to')}"),
        list_id=headers.text("list-id"),
        attachments=tuple(contents.attachments),
        flags=flags,
        defects=tuple(dict.fromkeys(defects))[:MAX_DEFECTS],
    )


def _normalize(raw: bytes) -> bytes:
    r"""Give a mail the line end \n throughout, and take off what may stand before its header: mark, blank lines, mbox line."""
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    before = _BEFORE_HEADER.match(raw)
    return raw[before.end() :] if before and before.end() else raw


def _sender(headers: Headers) -> Address:
    return next(iter(headers.addresses("from") or headers.addresses("sender")), Address())
