"""What a mail holds, of what the walk through its parts meets: its text, its attachments, the mails attached to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from cubbyd.message.body import Body, choose_body
from cubbyd.message.calendar import describe_invitation
from cubbyd.message.header import EMPTY, Headers
from cubbyd.message.html import Allowance
from cubbyd.message.marker import neutralize
from cubbyd.message.model import Attachment, Flag
from cubbyd.message.part import MAIL_TYPES, Part, Walk
from cubbyd.message.sealed import Seal
from cubbyd.message.special import flags_of_part

MAX_ATTACHMENTS = 100
"""Listed of one mail; their names are a feature, and the first few say what they are."""
MAX_CALENDARS = 3
"""Invitations that are read of one mail; a whole calendar that was sent along is no letter."""
MAX_MAILS = 10
"""Attached mails that are read; who forwards more wrote something above them."""
MAX_REPORT_CHARS = 2_000
"""Of a delivery report that stands for a bounce's missing text: one recipient's, with its diagnosis."""

TNEF = "winmail.dat: its contents cannot be read"

_CONTROL_PARTS = frozenset(
    ("application/pgp-encrypted", "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
)
"""For a mail program alone: detached signatures, and the version line of PGP/MIME (RFC 3156, 4)."""
_READABLE = frozenset(("text/plain", "text/enriched", "text/richtext", "text/markdown", "text/html"))
_DATA = frozenset(
    ("text/rtf", "text/css", "text/csv", "text/xml", "text/javascript", "text/vcard", "text/x-vcard", "text/directory")
)
_CALENDARS = frozenset(("text/calendar", "text/x-vcalendar", "application/ics"))
_ABOUT_A_MAIL = frozenset(("message/delivery-status", "message/global-delivery-status", "message/disposition-notification"))
_REPORTS = _ABOUT_A_MAIL | {"message/feedback-report", "text/rfc822-headers", "message/external-body"}
_SHOWN = re.compile(r"cid:([^\s\"'<>()]{1,300})")
# Names that mail programs give to the logos and buttons of a signature, as Outlook's "image001.png".
_DECORATION = re.compile(
    r"(?:image\d{3}|logo.*|icon.*|banner.*|signature.*|spacer.*|pixel.*|outlook-.*|facebook|instagram|linkedin|twitter|x"
    r"|youtube|atta?\d+)"
    r"\.(?:png|jpe?g|gif|bmp|wmz|svg|webp)",
    re.IGNORECASE,
)


@dataclass
class _Mail:
    """The parts of one mail that are read, and the files listed of it."""

    headers: Headers = EMPTY
    texts: list[Part] = field(default_factory=list)
    calendars: list[Part] = field(default_factory=list)
    reports: list[Part] = field(default_factory=list)
    files: list[Part] = field(default_factory=list)

    @cached_property
    def pictures(self) -> frozenset[str]:
        """The lower-case Content-IDs of the pictures that its HTML shows."""
        pages = (part.reading.text.lower() for part in self.texts if part.content_type == "text/html")
        return frozenset(found for page in pages for found in _SHOWN.findall(page))


class Contents:
    """What the parts of one mail hold."""

    def __init__(self, walk: Walk) -> None:
        """Take all parts of a walk."""
        self.flags: frozenset[Flag] = frozenset()
        self._walk = walk
        self._allowance = Allowance()
        self._said: list[str] = []
        self._mails = {0: _Mail()}
        self._parts: list[Part] = []
        for part in walk:
            self._add(part)
        self._body = self._own_body()
        self.text = self._body.text
        self.is_cut = self._body.is_cut
        self.attachments = self._list()

    def defects(self) -> list[str]:
        """Tell what was wrong, of all that was looked at until now."""
        of_headers = [defect for part in self._parts for defect in part.headers.defects]
        return [*self._walk.defects, *of_headers, *self._said]

    def open_mails(self) -> Iterator[tuple[Headers, Body]]:
        """Read the attached mails, at most MAX_MAILS; their files are listed instead of them."""
        inner = [mail for number, mail in self._mails.items() if number]
        if not inner:
            return
        if len(inner) > MAX_MAILS:
            self._said.append("too many attached mails")
        self.attachments = self._list(with_inner=True)
        for mail in inner[:MAX_MAILS]:
            body = self._read(mail)
            self._said += body.defects
            self.is_cut = self.is_cut or body.is_cut
            yield mail.headers, body

    def _add(self, part: Part) -> None:
        self._parts.append(part)
        kind = part.content_type
        mail = self._mails.get(part.mail)
        if mail is None:
            mail = self._mails[part.mail] = _Mail(headers=part.headers)
        if not part.mail:
            self._tell(part)
        if kind in _REPORTS:
            mail.reports.append(part)
        elif kind in _CALENDARS or (kind == "application/octet-stream" and part.name.lower().endswith(".ics")):
            mail.calendars.append(part)
            if part.is_attachment or part.name:
                mail.files.append(part)
        elif kind.startswith("multipart/") or kind in MAIL_TYPES or kind in _CONTROL_PARTS or part.seal is Seal.SIGNED:
            return
        elif _is_readable(part):
            if part.name and mail.texts:
                mail.files.append(part)
            mail.texts.append(part)
        elif not (kind.startswith("text/") and part.choice):  # a form of the text for other programs, such as AMP
            mail.files.append(part)

    def _tell(self, part: Part) -> None:
        """Take the flags of a part, and what cannot be read of it."""
        flags = flags_of_part(part)
        if not flags:
            return
        self.flags |= flags
        if Flag.TNEF in flags:
            self._said.append(TNEF)
        if part.seal:
            self._said.append(part.seal.value)

    def _own_body(self) -> Body:
        body = self._read(self._mails[0])
        self._said += body.defects
        reports = self._mails[0].reports
        if not body.text and Flag.BOUNCE in self.flags:
            return Body(text="\n\n".join(part.reading.text for part in reports)[:MAX_REPORT_CHARS])
        return body

    def _read(self, mail: _Mail) -> Body:
        """Read a mail's text; its invitations stand above it, or for it where there is none."""
        body = choose_body(mail.texts, self._allowance)
        if not mail.calendars:
            return body
        if len(mail.calendars) > MAX_CALENDARS:
            self._said.append("too many invitations")
        # A program sends one invitation twice, for old and new readers.
        read = [part.reading.text for part in mail.calendars[:MAX_CALENDARS]]
        told = dict.fromkeys(describe_invitation(text, is_brief=bool(body.text)) for text in read)
        gap = "\n" if body.text else "\n\n"
        return Body(text=gap.join(filter(None, (*told, body.text))), defects=body.defects, is_cut=body.is_cut)

    def _list(self, *, with_inner: bool = False) -> tuple[Attachment, ...]:
        """List the files of a mail; an attached mail stands by its subject, until it is read."""
        found = [attachment for part in self._mails[0].files if (attachment := self._attachment(part))]
        for number, mail in self._mails.items():
            if number and with_inner:
                found += [attachment for part in mail.files if (attachment := self._attachment(part))]
            elif number and Flag.BOUNCE not in self.flags:
                found.append(Attachment(name=neutralize(mail.headers.text("subject")), content_type="message/rfc822"))
        if len(found) > MAX_ATTACHMENTS:
            self._said.append("too many attachments")
        return tuple(found[:MAX_ATTACHMENTS])

    def _attachment(self, part: Part) -> Attachment | None:
        """Describe a file by name and type; pictures that decorate the HTML are none of the sender's files."""
        if part.content_type.startswith("image/") and not part.is_attachment and self._decorates(part):
            return None
        return Attachment(name=part.name, content_type=part.content_type)

    def _decorates(self, picture: Part) -> bool:
        """Tell whether the HTML shows a picture beside text, and its name is none that a person or a camera gives."""
        if not picture.content_id or (picture.name and not _DECORATION.fullmatch(picture.name)):
            return False
        has_words = picture.mail or any(letter.isalpha() for letter in self.text)
        return bool(has_words) and picture.content_id.lower() in self._mails[picture.mail].pictures


def _is_readable(part: Part) -> bool:
    """Tell whether a part is to be read; text of an unknown type is, as plain text (RFC 2046, 4.1.4)."""
    kind = part.content_type
    if part.is_attachment or not kind.startswith("text/"):
        return False
    return kind in _READABLE or not (kind in _DATA or part.name or part.choice)
