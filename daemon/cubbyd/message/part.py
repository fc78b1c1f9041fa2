r"""The MIME tree of a mail (RFC 2045, 2046): its parts in the order of the mail, and what each one says of itself.

The tree is walked over offsets into the one bytes object, without recursion; nothing is decoded that is not used. Line ends
must be \n here. What is broken is read as a mail program would show it, and named as a defect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from cubbyd.message.charset import decode
from cubbyd.message.flowed import unflow
from cubbyd.message.header import Headers, decode_words, split_header
from cubbyd.message.marker import neutralize
from cubbyd.message.sealed import Seal, may_be_sealed, open_signed, seal_of
from cubbyd.message.transfer import decode_transfer, guess_encoding
from cubbyd.message.unicode import clean_line

MAX_PARTS = 250
"""Real mails have under 60; a mail of 100,000 parts must not take minutes."""
MAX_BOUNDARY_LINES = 1000
"""Lines that look like a boundary, over the whole mail: bounds the search where boundaries are nested in each other."""
MAX_DEPTH = 50
"""Of nested multiparts and attached mails; a chain of forwards rarely has ten."""
MAX_BOUNDARY_CHARS = 200
"""Of a boundary; RFC 2046, 5.1.1 allows 70."""
MAX_GUESS_BYTES = 16 * 1024
"""Of a multipart, in which its true boundary is looked for where the declared one never occurs."""
MAX_TEXT_BYTES = 1024 * 1024
"""Of a text part. What is beyond is no longer a letter, but a log or a book."""
MAX_HTML_BYTES = 2 * 1024 * 1024
"""Of an HTML part: markup takes more room than its text."""
MAX_META_BYTES = 2048
"""Of an HTML part, in which its charset is looked for; browsers read 1,024."""
MAX_SIGNED_BYTES = 2 * 1024 * 1024
"""Of an S/MIME envelope that is looked into for the text it has signed: the text of a mail, not its photos."""
MAX_ENCODED_BYTES = 32 * 1024 * 1024
"""Of attached mails that are encoded whole, over the mail: an encoded one may lie in an encoded one."""
MAX_NAME_CHARS = 255
"""Of a file's name, as file systems have it."""

_CONTENT_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+*-]{1,100}")
_GUESSED_BOUNDARY = re.compile(rb"(?:\A|\n)--([^\s]{1,200})[ \t]*\n(?=\n|[Cc]ontent-[\w-]{1,40}:)")
_FIRST_LINE_BOUNDARY = re.compile(rb"\s*--([^\s]{1,200})[ \t]*\n")
# Of a path from a root, as scanners and Windows' old programs name their files; "Invoice 3/2026" is none.
_FOLDER = re.compile(r"\A(?:[A-Za-z]:|~|\.{1,2})?[\\/](?:.*[\\/])?(?=[^\\/])")
_META_CHARSET = re.compile(rb"""<meta[^>]{1,200}charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
MAIL_TYPES = frozenset(("message/rfc822", "message/global"))


@dataclass(frozen=True, kw_only=True)
class Part:
    """One node of the MIME tree: its header, and where its body lies in the mail."""

    raw: bytes
    headers: Headers
    start: int
    end: int
    depth: int = 0
    mail: int = 0
    """Which mail it belongs to: 0 is this one, the others are attached to it, in their order."""
    choice: int = 0
    """The outermost multipart/alternative of its mail that it stands in; 0 where there is none."""
    branch: int = 0
    """Which alternative of that choice it belongs to."""
    default_type: str = "text/plain"

    @cached_property
    def _type(self) -> tuple[str, dict[str, str]]:
        value, parameters = self.headers.parameters("content-type")
        if _CONTENT_TYPE.fullmatch(value):
            return value, parameters
        is_file = bool(parameters.get("name")) and bool(value or "content-type" in self.headers)
        return ("application/octet-stream" if is_file else self.default_type), parameters

    @cached_property
    def _disposition(self) -> tuple[str, dict[str, str]]:
        return self.headers.parameters("content-disposition")

    @property
    def content_type(self) -> str:
        """The lower-case media type; the default where it is missing or nonsense (RFC 2045, 5.2)."""
        return self._type[0]

    def parameter(self, name: str) -> str:
        """Give a parameter of the media type; empty where there is none."""
        return self._type[1].get(name, "")

    @property
    def is_attachment(self) -> bool:
        """Tell whether the sender calls it an attachment."""
        return self._disposition[0] == "attachment"

    @cached_property
    def name(self) -> str:
        """The file name; empty where there is none."""
        parameters = self._disposition[1]
        name = parameters.get("filename") or self.parameter("name") or parameters.get("name", "")
        if not name and "content-location" in self.headers:
            location = unquote(self.headers.raw("content-location").partition("?")[0]).rpartition("/")[2]
            name = location if "." in location else ""
        if not name:
            return ""
        name = _FOLDER.sub("", clean_line(decode_words(name)))
        if len(name) > MAX_NAME_CHARS:
            self.headers.defects.append("file name too long")
        return neutralize(name[:MAX_NAME_CHARS])

    @property
    def content_id(self) -> str:
        """What HTML calls it by, without the angle brackets (RFC 2392)."""
        return self.headers.raw("content-id").strip("<> ")

    @cached_property
    def seal(self) -> Seal | None:
        """What S/MIME or OpenPGP has done to it; None where neither did anything."""
        if not may_be_sealed(self.content_type):
            return None
        return seal_of(self.content_type, self.parameter("smime-type"), self.name, lambda: self.content(64))

    def content(self, max_bytes: int) -> bytes:
        """Give the body without its transfer encoding, at most max_bytes."""
        # No encoding makes of three bytes and a line end less than one byte of text.
        return decode_transfer(self.raw[self.start : min(self.end, self.start + 4 * max_bytes)], self._encoding, max_bytes)

    @property
    def _encoding(self) -> str:
        return self.headers.raw("content-transfer-encoding").partition(";")[0]

    @cached_property
    def reading(self) -> Reading:
        """The body as text."""
        is_html = self.content_type == "text/html"
        most = MAX_HTML_BYTES if is_html else MAX_TEXT_BYTES
        data = self.content(most + 1)
        if not self._encoding and (lost := guess_encoding(data)):
            data = decode_transfer(data, lost, most + 1)
            self.headers.defects.append("transfer encoding missing")
        label = self.parameter("charset")
        if is_html and not label and (meta := _META_CHARSET.search(data, 0, MAX_META_BYTES)):
            label = meta[1].decode("ascii", "replace")
        text, is_true = decode(data[:most], label)
        if not is_html and self.parameter("format").lower() == "flowed":
            text = unflow(text, delete_space=self.parameter("delsp").lower() == "yes")
        return Reading(text=text, label_was_true=is_true, is_cut=len(data) > most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A part as text, whether its charset label was known and true, and whether it was too long to be read whole."""

    text: str
    label_was_true: bool
    is_cut: bool


class Walk:
    """The way through the tree of one mail; tells afterwards what was wrong with it."""

    def __init__(self, raw: bytes) -> None:
        r"""Take a mail whose line ends are \n."""
        headers, start = split_header(raw, 0, len(raw))
        self.top = Part(raw=raw, headers=headers, start=start, end=len(raw))
        self.defects: list[str] = []
        self.is_cut = False
        self._boundary_lines = 0
        self._encoded_bytes = 0
        self._mails = 0
        self._choices = 0

    def __iter__(self) -> Iterator[Part]:
        """Give every part in the order of the mail, containers before what they hold; at most MAX_PARTS."""
        pending = [self.top]
        for _ in range(MAX_PARTS):
            if not pending:
                return
            part = pending.pop()
            yield part
            pending += reversed(self._children(part))
        if pending:
            self._cut("too many parts")

    def _children(self, part: Part) -> list[Part]:
        kind = part.content_type
        if kind.startswith("multipart/"):
            opening = self._open_multipart
        elif kind in MAIL_TYPES:
            opening = self._open_mail
        elif part.seal is Seal.SIGNED:
            opening = self._open_signed
        else:
            return []
        if part.depth >= MAX_DEPTH:
            self._cut("nested too deeply")
            return []
        return opening(part)

    def _open_mail(self, part: Part) -> list[Part]:
        raw, start, end = part.raw, part.start, part.end
        if part.headers.raw("content-transfer-encoding").strip().lower() in ("base64", "quoted-printable"):  # against RFC 2046
            self._encoded_bytes += end - start
            if self._encoded_bytes > MAX_ENCODED_BYTES:
                self._cut("too many encoded mails")
                return []
            raw = _with_line_feeds(part.content(end - start))
            start, end = 0, len(raw)
        self._mails += 1
        headers, body = split_header(raw, start, end)
        return [Part(raw=raw, headers=headers, start=body, end=end, depth=part.depth + 1, mail=self._mails)]

    def _open_signed(self, part: Part) -> list[Part]:
        """Read what is signed where it lies in its envelope as it is; the signature is not checked."""
        signed = open_signed(part.content(MAX_SIGNED_BYTES))
        if signed is None:
            self.defects.append("signed text that cannot be read")
            return []
        raw = _with_line_feeds(signed)
        headers, body = split_header(raw, 0, len(raw))
        return [
            Part(
                raw=raw,
                headers=headers,
                start=body,
                end=len(raw),
                depth=part.depth + 1,
                mail=part.mail,
                choice=part.choice,
                branch=part.branch,
            )
        ]

    def _open_multipart(self, part: Part) -> list[Part]:
        default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
        choice = part.choice or self._choice_of(part)
        pieces = self._pieces(part)
        if pieces is not None:
            children: list[Part] = []
            for number, (start, end) in enumerate(pieces):
                child = self._inner(part, start, end, choice, part.branch if part.choice else number, default)
                children.append(child)
                if child.parameter("boundary") == part.parameter("boundary") != "":
                    choice = choice or self._choice_of(child)  # its parts were cut off it: they follow
            return children
        self.defects.append("multipart without parts")
        # Its own header goes on to describe the body, all but the type.
        return [
            Part(
                raw=part.raw,
                headers=_untyped(part.headers),
                start=part.start,
                end=part.end,
                depth=part.depth + 1,
                mail=part.mail,
                choice=part.choice,
                branch=part.branch,
            )
        ]

    def _choice_of(self, part: Part) -> int:
        if part.content_type != "multipart/alternative":
            return 0
        self._choices += 1
        return self._choices

    def _inner(self, parent: Part, start: int, end: int, choice: int, branch: int, default_type: str) -> Part:
        headers, body = split_header(parent.raw, start, end)
        return Part(
            raw=parent.raw,
            headers=headers,
            start=body,
            end=end,
            depth=parent.depth + 1,
            mail=parent.mail,
            choice=choice,
            branch=branch,
            default_type=default_type,
        )

    def _pieces(self, part: Part) -> list[tuple[int, int]] | None:
        """Cut a multipart at its boundary lines (RFC 2046, 5.1.1); None where it has none, not even an undeclared one."""
        boundary = part.parameter("boundary").strip().encode("utf-8", "replace")[:MAX_BOUNDARY_CHARS]
        pieces = self._cut_at(part, boundary) if boundary else None
        if pieces is not None:
            return pieces
        guess = _FIRST_LINE_BOUNDARY.match(part.raw, part.start, part.end) or _GUESSED_BOUNDARY.search(
            part.raw, part.start, min(part.end, part.start + MAX_GUESS_BYTES)
        )
        if not guess or guess[1] == boundary:
            return None
        pieces = self._cut_at(part, guess[1])
        if pieces is not None:
            self.defects.append("wrong boundary parameter" if boundary else "multipart without boundary parameter")
        return pieces

    def _cut_at(self, part: Part, boundary: bytes) -> list[tuple[int, int]] | None:
        pieces: list[tuple[int, int]] = []
        open_at = -1
        found = False
        for line_start, body_start, closes in self._delimiters(part, b"--" + boundary):
            found = True
            if open_at >= 0:
                pieces.append((open_at, max(open_at, line_start - 1)))
            open_at = -1 if closes else body_start
        if open_at >= 0:
            self._cut("multipart without its end")
            pieces.append((open_at, part.end))
        return pieces if found else None

    def _delimiters(self, part: Part, mark: bytes) -> Iterator[tuple[int, int, bool]]:
        """Find the boundary lines: where each begins, where what follows begins, and whether it is a closing one."""
        raw, position = part.raw, part.start
        while (found := raw.find(mark, position, part.end)) >= 0:
            line_end = raw.find(b"\n", found, part.end)
            line_end = part.end if line_end < 0 else line_end
            position = line_end
            if found > part.start and raw[found - 1] != ord("\n"):
                position = found + len(mark)
            elif (tail := raw[found + len(mark) : min(line_end, found + len(mark) + 100)].strip()) in (b"", b"-", b"--"):
                yield found, min(line_end + 1, part.end), tail != b""
            self._boundary_lines += 1
            if self._boundary_lines >= MAX_BOUNDARY_LINES:
                self._cut("too many boundary lines")
                return

    def _cut(self, defect: str) -> None:
        self.is_cut = True
        self.defects.append(defect)


def _with_line_feeds(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in raw else raw


def _untyped(headers: Headers) -> Headers:
    return Headers({name: values for name, values in headers.fields.items() if name != "content-type"})
