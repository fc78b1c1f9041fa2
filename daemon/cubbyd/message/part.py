r"""The MIME tree of a mail (RFC 2045, 2046), and which of its parts is the text.

The tree is walked over offsets into the one bytes object, without recursion, in the order of the mail; nothing is decoded
that is not used. Limits: 250 parts, 1,000 boundary lines, a depth of 50. Line ends must be \n here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from cubbyd.message.charset import decode
from cubbyd.message.header import Headers, decode_words, split_header
from cubbyd.message.html import html_to_text
from cubbyd.message.transfer import decode_transfer
from cubbyd.message.unicode import clean_line

MAX_PARTS = 250
MAX_BOUNDARY_LINES = 1000
MAX_DEPTH = 50
MAX_BOUNDARY_CHARS = 200
MAX_TEXT_BYTES = 1024 * 1024
MAX_HTML_BYTES = 2 * 1024 * 1024
MAX_TEXT_CHARS = 400_000
MAX_NAME_CHARS = 255

_FEW_WORDS = 12
_MANY_MORE = 1.2
_MANY_WORDS = 60

_CONTENT_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+*-]{1,100}")
_GUESSED_BOUNDARY = re.compile(rb"\s*--([^\s]{1,200})[ \t]*\n")
_META_CHARSET = re.compile(rb"""<meta[^>]{1,200}charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_HTML_SOURCE = re.compile(r"\s*<(?:!doctype html|html|head|body|div|table|p|style|meta|span|font)\b", re.IGNORECASE)
_STUB = re.compile(
    r"im browser (?:an|öffnen)|keine? html|html[ -]?(?:fähig|format|capable|compatible|support|version|e?-?mail|message|view)"
    r"|(?:support|display|show|read|zeig|anzeigen|admite|soporta|affiche|supporte).{0,40}\bhtml"
    r"|view (?:this|it|the).{0,40}browser"
    r"|(?:en el|dans (?:le|votre)) navega?(?:dor|teur)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One node of the MIME tree: its header, and where its body lies in the mail."""

    raw: bytes
    headers: Headers
    start: int
    end: int
    depth: int = 0
    embedded: bool = False
    """It belongs to a mail that is attached to this one."""
    default_type: str = "text/plain"

    @cached_property
    def _type(self) -> tuple[str, dict[str, str]]:
        value, parameters = self.headers.parameters("content-type")
        return (value if _CONTENT_TYPE.fullmatch(value) else self.default_type), parameters

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

    @property
    def name(self) -> str:
        """The file name; empty where there is none."""
        return clean_line(decode_words(self._disposition[1].get("filename") or self.parameter("name")))[:MAX_NAME_CHARS]

    def content(self, max_bytes: int) -> bytes:
        """Give the body without its transfer encoding, at most max_bytes."""
        # No encoding makes of three bytes and a line end less than one byte of text.
        return decode_transfer(self.raw[self.start : min(self.end, self.start + 4 * max_bytes)], self._encoding, max_bytes)

    @property
    def _encoding(self) -> str:
        return self.headers.raw("content-transfer-encoding").partition(";")[0]

    def text(self) -> tuple[str, bool]:
        """Give the body as text, and whether its charset label was known and true."""
        if self.content_type != "text/html":
            return decode(self.content(MAX_TEXT_BYTES), self.parameter("charset"))
        data = self.content(MAX_HTML_BYTES)
        label = self.parameter("charset")
        if not label and (meta := _META_CHARSET.search(data, 0, 2048)):
            label = meta[1].decode("ascii", "replace")
        return decode(data, label)


class Walk:
    """The way through the tree of one mail; tells afterwards what was wrong with it."""

    def __init__(self, raw: bytes) -> None:
        r"""Take a mail whose line ends are \n."""
        headers, start = split_header(raw, 0, len(raw))
        self.top = Part(raw=raw, headers=headers, start=start, end=len(raw))
        self.defects: list[str] = []
        self.is_cut = False
        self._boundary_lines = 0

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
        multipart = part.content_type.startswith("multipart/")
        if not (multipart or part.content_type in ("message/rfc822", "message/global")):
            return []
        if part.depth >= MAX_DEPTH:
            self._cut("nested too deeply")
            return []
        if not multipart:
            return [self._inner(part, part.start, part.end, embedded=True)]
        default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
        children = [self._inner(part, start, end, default_type=default) for start, end in self._pieces(part)]
        if children:
            return children
        self.defects.append("multipart without parts")
        # Its own header goes on to describe the body, all but the type.
        return [Part(raw=part.raw, headers=_untyped(part.headers), start=part.start, end=part.end, depth=part.depth + 1)]

    def _inner(self, parent: Part, start: int, end: int, *, embedded: bool = False, default_type: str = "text/plain") -> Part:
        headers, body = split_header(parent.raw, start, end)
        return Part(
            raw=parent.raw,
            headers=headers,
            start=body,
            end=end,
            depth=parent.depth + 1,
            embedded=parent.embedded or embedded,
            default_type=default_type,
        )

    def _pieces(self, part: Part) -> list[tuple[int, int]]:
        """Cut a multipart at its boundary lines (RFC 2046, 5.1.1); preamble and epilogue fall away."""
        raw = part.raw
        boundary = part.parameter("boundary").strip().encode("utf-8", "replace")[:MAX_BOUNDARY_CHARS]
        if not boundary:
            guess = _GUESSED_BOUNDARY.match(raw, part.start, part.end)
            if not guess:
                return []
            self.defects.append("multipart without boundary parameter")
            boundary = guess[1]
        pieces: list[tuple[int, int]] = []
        open_at = -1
        for line_start, body_start, closes in self._delimiters(part, b"--" + boundary):
            if open_at >= 0:
                pieces.append((open_at, max(open_at, line_start - 1)))
            open_at = -1 if closes else body_start
            if closes:
                break
        if open_at >= 0:
            self._cut("multipart without its end")
            pieces.append((open_at, part.end))
        return pieces

    def _delimiters(self, part: Part, mark: bytes) -> Iterator[tuple[int, int, bool]]:
        """Find the boundary lines: where each begins, where what follows begins, and whether it is the closing one."""
        raw, position = part.raw, part.start
        while (found := raw.find(mark, position, part.end)) >= 0:
            line_end = raw.find(b"\n", found, part.end)
            line_end = part.end if line_end < 0 else line_end
            position = line_end
            if found > part.start and raw[found - 1] != ord("\n"):
                position = found + len(mark)
            elif (tail := raw[found + len(mark) : min(line_end, found + len(mark) + 100)].strip()) in (b"", b"--"):
                yield found, min(line_end + 1, part.end), tail == b"--"
            self._boundary_lines += 1
            if self._boundary_lines >= MAX_BOUNDARY_LINES:
                self._cut("too many boundary lines")
                return

    def _cut(self, defect: str) -> None:
        self.is_cut = True
        self.defects.append(defect)


def _untyped(headers: Headers) -> Headers:
    return Headers({name: values for name, values in headers.fields.items() if name != "content-type"})


# --- which part is the text ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The text of a mail, not yet normalized, and whether every charset label was true."""

    text: str = ""
    labels_were_true: bool = True


def choose_body(plain: list[Part], html: list[Part]) -> Body:
    """Choose between the plain and the HTML parts of a mail.

    Plain text wins unless it has few words, only says that there is HTML, or is HTML itself; then HTML wins if it has more.
    """
    written, written_true = _join(plain)
    if _HTML_SOURCE.match(written):
        written = html_to_text(written)
    written = written[:MAX_TEXT_CHARS].strip()
    words = len(written.split(None, _MANY_WORDS))
    is_stub = words < _MANY_WORDS and bool(_STUB.search(written))
    if not html or (words >= _FEW_WORDS and not is_stub):
        return Body(text=written, labels_were_true=written_true)
    shown, shown_true = _join(html)
    shown = html_to_text(shown).strip()
    if shown and (is_stub or len(shown.split()) > _MANY_MORE * words):
        return Body(text=shown, labels_were_true=shown_true)
    return Body(text=written, labels_were_true=written_true)


def _join(parts: list[Part]) -> tuple[str, bool]:
    """Join parts as a reader sees them one below the other; what is beyond the limit is not even decoded."""
    texts: list[str] = []
    all_true, size = True, 0
    for part in parts:
        if size >= MAX_HTML_BYTES:
            break
        text, is_true = part.text()
        texts.append(text)
        size += len(text)
        all_true = all_true and is_true
    return "\n\n".join(texts), all_true
