r"""Bytes of a mail to a ParsedMessage: total, bounded in time and memory, whatever the bytes are.

    bytes -> one kind of line end -> header, MIME tree -> the text -> unicode -> new / quoted / signature

An error of our own is caught once, here, and gives a message with an empty body and a defect that names the error, so that
the mail stays in the inbox for a person.
"""

from __future__ import annotations

import re
from dataclasses import replace

from cubbyd.message.contents import Contents
from cubbyd.message.header import keep_fields, parse_date
from cubbyd.message.inline import cut_files
from cubbyd.message.language import read_content_language
from cubbyd.message.link import drop_link_targets
from cubbyd.message.marker import neutralize
from cubbyd.message.model import Address, Flag, ParsedMessage
from cubbyd.message.part import Walk
from cubbyd.message.quote import split_text
from cubbyd.message.sealed import Seal, open_pgp
from cubbyd.message.special import auto_submitted, flags_of_headers
from cubbyd.message.subject import read_subject
from cubbyd.message.unicode import clean_text

MAX_MESSAGE_BYTES = 25 * 1024 * 1024
"""Of one mail; few servers take a larger one, and the daemon fetches less."""
MAX_DEFECTS = 20
"""Named for one mail; who reads more of them?"""
FEW_WORDS = 5
"""Above an attached mail: "FYI" or "please see below" means that the attached mail is the message."""

TOO_LONG = "text too long"

_BEFORE_HEADER = re.compile(rb"(?:\xef\xbb\xbf|[ \t]*+\n)*+(?:>?From [^\n]*+\n)?")


def parse(raw: bytes) -> ParsedMessage:
    """Read one mail, whole or cut off anywhere. Never raises."""
    try:
        return _parse(raw)
    except Exception as error:  # noqa: BLE001 - the last resort: one mail must not stop the daemon, and the defect tells of it
        return ParsedMessage(defects=(f"exception: {type(error).__name__}",))


def from_text(subject: str, body: str, *, from_list: bool = False, is_bounce: bool = False) -> ParsedMessage:
    """Make a message of a raw subject and a decoded body: the way that mails and examples have in common.

    from_list says that the subject may begin with a mailing list's [tag]; is_bounce that header lines of the returned mail in
    the text are the report itself.
    """
    title = read_subject(subject, from_list=from_list)
    rest, files, defects = cut_files(body)
    text, is_encrypted = open_pgp(neutralize(drop_link_targets(clean_text(rest))))
    split = split_text(
        text,
        forward=Flag.FORWARD in title.flags,
        reply=Flag.REPLY in title.flags,
        bounce=is_bounce,
        is_dashed="\n-- \n" in body or "\n-- \r\n" in body,
    )
    flags = title.flags
    if split.forwarded:
        flags |= {Flag.FORWARD}
    if is_encrypted:
        flags |= {Flag.ENCRYPTED}
        defects.append(Seal.PGP.value)
    if split.is_cut:
        flags |= {Flag.TRUNCATED}
        defects.append(TOO_LONG)
    if title.is_cut:
        defects.append("subject too long")
    return ParsedMessage(
        subject=neutralize(title.text),
        text=split.new,
        quoted=split.quoted,
        signature=split.signature,
        attachments=tuple(replace(file, name=neutralize(file.name)) for file in files),
        flags=flags,
        defects=tuple(defects),
    )


def _parse(raw: bytes) -> ParsedMessage:
    walk = Walk(_normalize(raw[:MAX_MESSAGE_BYTES]))
    contents = Contents(walk)
    headers = walk.top.headers
    flags = contents.flags | flags_of_headers(headers)
    message = from_text(headers.text("subject"), contents.text, from_list="list-id" in headers, is_bounce=Flag.BOUNCE in flags)
    if Flag.BOUNCE not in flags and not message.quoted and len(message.text.split()) < FEW_WORDS:
        message = _with_attached_mails(message, contents)
    is_too_long = len(raw) > MAX_MESSAGE_BYTES
    if walk.is_cut or contents.is_cut or is_too_long:
        flags |= {Flag.TRUNCATED}
    sender = _sender(headers.addresses("from") or headers.addresses("sender"))
    to, cc, reply_to = (headers.addresses(name) for name in ("to", "cc", "reply-to"))
    references = headers.ids("references", "in-reply-to")
    # What was cut of the header is known only now.
    defects = [*contents.defects(), *message.defects, *(("too long",) if is_too_long else ())]
    return replace(
        message,
        sender=sender,
        to=to,
        cc=cc,
        reply_to=reply_to,
        references=references,
        date=parse_date(headers.raw("date")) if "date" in headers else None,
        message_id=next(iter(headers.ids("message-id")), ""),
        list_id=headers.text("list-id"),
        auto_submitted=auto_submitted(headers),
        headers=keep_fields(headers),
        content_language=read_content_language(headers.raw("content-language")),
        attachments=contents.attachments + message.attachments,
        flags=message.flags | flags,
        defects=_at_most(tuple(dict.fromkeys(defects))) if defects else (),
    )


def _with_attached_mails(message: ParsedMessage, contents: Contents) -> ParsedMessage:
    """Where the sender wrote nothing, or a word or two, the mails that she attached are what she wants to be read."""
    for headers, body in contents.open_mails():
        inner = from_text(headers.text("subject"), body.text)
        message = replace(
            message,
            text="\n\n".join(filter(None, (message.text, f"{inner.subject}\n{inner.text}".strip()))),
            quoted="\n\n".join(filter(None, (message.quoted, inner.quoted))),
            signature="\n\n".join(filter(None, (message.signature, inner.signature))),
            attachments=message.attachments + inner.attachments,
            flags=message.flags | {Flag.FORWARD} | (inner.flags & {Flag.ENCRYPTED, Flag.TRUNCATED}),
            defects=message.defects + inner.defects,
        )
    return message


def _at_most(defects: tuple[str, ...]) -> tuple[str, ...]:
    return defects if len(defects) <= MAX_DEFECTS else (*defects[: MAX_DEFECTS - 1], "more defects")


def _normalize(raw: bytes) -> bytes:
    r"""Give a mail the line end \n throughout, and take off what may stand before its header: mark, blank lines, mbox line."""
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    before = _BEFORE_HEADER.match(raw)
    return raw[before.end() :] if before and before.end() else raw


def _sender(addresses: tuple[Address, ...]) -> Address:
    """Choose the first that has an address; a name alone is better than nothing."""
    chosen = next((address for address in addresses if "@" in address.address), None) or next(iter(addresses), Address())
    name = neutralize(chosen.name)
    return chosen if name == chosen.name else replace(chosen, name=name)
