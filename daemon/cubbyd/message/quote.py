"""What the sender wrote now, what is quoted from earlier mail, and the signature: split line by line, never deleted.

One table serves English, Spanish, German, French and a few more, as mails mix them. Three things open earlier mail: an
attribution ("On Tue, Oct 6, 2026 at 4:12 PM Dana wrote:"), a divider ("-----Original Message-----"), a block of header lines
(Outlook's From / Sent / To / Subject). After a divider or a block the rest is earlier mail. After an attribution only
lines marked with ">" are, so that answers between them count as new; where none is marked, the rest is.

The time is linear: a pattern sees one line, or three joined, of at most MAX_LINE_CHARS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from cubbyd.message.signature import split_signature

MAX_CHARS = 200_000
MAX_LINES = 4_000
MAX_LINE_CHARS = 400
MAX_FORWARDS = 3

_ATTRIBUTION_LINES = 3
_BLOCK_LINES = 9
_LONGEST_FIELD_NAME = 40

_VERB = r"(?:wrote|writes|schrieb|geschrieben|escribi[óo]|a [ée]crit|ha scritto|escreveu|schreef|skrev|napisa[łl])"
_FIRST_WORDS = frozenset(("on", "am", "le", "el", "il", "em", "op", "den", "dnia", "im"))
_ATTRIBUTION = re.compile(rf"(?=.*(?:\d|@)).{{3,300}}\b{_VERB}\b.{{0,200}}:$", re.IGNORECASE)
_NAME_FIRST = re.compile(rf".{{1,200}}\b{_VERB}\b (?:am|on|el|le|il|op|den) .{{0,10}}\d.{{0,100}}:$", re.IGNORECASE)
_DATE_FIRST = re.compile(r"\d{4}-\d\d-\d\d\b.{0,200}<\S+@\S+>:$")
_ABOVE_MARKED = re.compile(rf".{{0,120}}\b(?:{_VERB}|said|says)\W{{0,3}}:$", re.IGNORECASE)
_QUOTING = re.compile(r"(?:Quoting|Zitat von|Citando a|Citando|Quoting from) .{1,200}:$")

_DIVIDER = re.compile(r"[-_=*]{2,40}\s*+([^-_=*].{3,60}?)\s*[-_=*]{2,40}|(?P<bare>[^-_=*].{3,60}):")
_EARLIER = frozenset(
    (
        "original message", "original email", "original-mail", "original appointment", "reply message",
        "original-nachricht", "originalnachricht", "originalmail", "ursprüngliche nachricht", "ursprüngliche e-mail",
        "urspr. nachricht", "ursprünglicher termin",
        "mensaje original", "mensagem original",
        "message d'origine", "message original",
        "messaggio originale", "oorspronkelijk bericht",
    )
)  # fmt: skip
_FORWARDED = frozenset(
    (
        "forwarded message", "forwarded mail", "begin forwarded message", "start of forwarded message",
        "weitergeleitete nachricht", "weitergeleitete e-mail", "anfang der weitergeleiteten nachricht",
        "mensaje reenviado", "email reenviado", "inicio del mensaje reenviado", "mensagem encaminhada",
        "message transféré", "message transmis", "début du message transféré", "début du message réexpédié",
        "messaggio inoltrato", "doorgestuurd bericht",
    )
)  # fmt: skip
_RULE_SIGNS = "-_=*"
_RULE = re.compile(r"[_-]{20,100}")


class _Field(Enum):
    """The header lines that mail programs put above a quoted mail."""

    FROM = auto()
    DATE = auto()
    TO = auto()
    CC = auto()
    SUBJECT = auto()


_FIELD_NAMES = {
    **dict.fromkeys(("from", "von", "de", "da", "van", "från", "fra", "od", "expéditeur", "remitente"), _Field.FROM),
    **dict.fromkeys(("sent", "date", "gesendet", "datum", "enviado", "enviado el", "fecha", "envoyé", "inviato"), _Field.DATE),
    **dict.fromkeys(("data", "verzonden", "skickat", "sendt", "date d'envoi", "enviada em", "sent at", "wysłano"), _Field.DATE),
    **dict.fromkeys(("to", "an", "para", "à", "a", "aan", "till", "til", "do", "destinataire", "pour"), _Field.TO),
    **dict.fromkeys(("cc", "kopie", "copie", "copia", "kopia", "bcc", "reply-to", "antwort an", "importance"), _Field.CC),
    **dict.fromkeys(("attachments", "anlagen", "organization", "wichtigkeit", "importancia", "responder a"), _Field.CC),
    **dict.fromkeys(
        ("subject", "betreff", "asunto", "objet", "oggetto", "assunto", "onderwerp", "ämne", "temat"), _Field.SUBJECT
    ),
    **dict.fromkeys(("emne", "sujet", "betrifft"), _Field.SUBJECT),
}
_FIELD_LINE = re.compile(r"[*_]{0,2}([^\W\d_][^\W\d_.' -]{0,14}(?:[ '-][^\W\d_]{1,8}){0,2}) ?[*_]{0,2} ?:[*_]{0,2}(?: (.*))?$")


class _Opening(Enum):
    """What opens earlier mail."""

    ATTRIBUTION = auto()
    BLOCK = auto()
    FORWARD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The parts of a text."""

    new: str = ""
    quoted: str = ""
    signature: str = ""
    forwarded: bool = False
    """A forwarded mail is in `new`: it is what the sender wants to be read."""


def split_text(text: str, *, forward: bool = False) -> Split:
    """Split normalized text (unicode.clean_text); forward says that the subject calls it a forward. Never raises."""
    lines = text[:MAX_CHARS].split("\n")[:MAX_LINES]
    new: list[str] = []
    quoted: list[str] = []
    signature: list[str] = []
    forwarded = False
    for _ in range(MAX_FORWARDS):
        fresh, marked, rest, opening = _open_marked(*_split_lines(lines))
        fresh, signed = split_signature(fresh)
        new += fresh
        quoted += marked
        signature += signed
        if not (opening is _Opening.FORWARD or (opening is _Opening.BLOCK and (forward or not _has_words(new)))):
            return _make(new, quoted + _strip_block(_unmark(rest)), signature, forwarded=forwarded)
        forwarded = True
        lines = ["", *_strip_block(_unmark(rest))] if _has_words(new) else _strip_block(_unmark(rest))
    return _make(new, quoted + lines, signature, forwarded=forwarded)


def _make(new: list[str], quoted: list[str], signature: list[str], *, forwarded: bool) -> Split:
    return Split(new=_join(new), quoted=_join(quoted), signature=_join(signature), forwarded=forwarded)


def _join(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _has_words(lines: list[str]) -> bool:
    return any(letter.isalnum() for line in lines for letter in line)


def _split_lines(lines: list[str]) -> tuple[list[str], list[str], list[str], _Opening | None]:
    """Split into new lines, marked lines without their marks, the lines after an opening that takes all, and that opening."""
    new: list[str] = []
    marked: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        if line.startswith(">"):
            marked.append(line.lstrip("> "))
        elif found := _opening_at(lines, position):
            opening, after = found
            if opening is not _Opening.ATTRIBUTION or not _is_marked(lines, after):
                return new, marked, lines[after:], opening
            position = after
            continue
        else:
            new.append(line)
        position += 1
    return new, marked, [], None


def _open_marked(
    new: list[str], marked: list[str], rest: list[str], opening: _Opening | None
) -> tuple[list[str], list[str], list[str], _Opening | None]:
    """See through marks around a whole forward, divider and all, as a block quote puts them."""
    if opening is None and (first := next((number for number, line in enumerate(marked) if line), None)) is not None:
        found = _opening_at(marked, first)
        if found and found[0] is _Opening.FORWARD:
            return new, [], marked[found[1] :], _Opening.FORWARD
    return new, marked, rest, opening


def _is_marked(lines: list[str], position: int) -> bool:
    """Tell whether the first line with text from here on is marked as quoted."""
    return next((line.startswith(">") for line in lines[position:] if line), False)


def _unmark(lines: list[str]) -> list[str]:
    """Take one level of marks off where most lines bear one, as in a mail that Apple Mail forwards."""
    filled = [line for line in lines if line]
    if 2 * sum(line.startswith(">") for line in filled) <= len(filled):
        return lines
    return [line[1:].lstrip() if line.startswith(">") else line for line in lines]


# --- openings ------------------------------------------------------------------------------------------------------


def _opening_at(lines: list[str], position: int) -> tuple[_Opening, int] | None:
    """Find what opens earlier mail at a line, and the line after it."""
    line = lines[position]
    if not _may_open(line):
        return None
    if opening := _divider(line):
        return opening, position + 1
    if _is_block(lines, position):
        return _Opening.BLOCK, position
    if _RULE.fullmatch(line) and _is_block(lines, position + 1):
        return _Opening.BLOCK, position + 1
    after = _end_of_attribution(lines, position)
    return (_Opening.ATTRIBUTION, after) if after else None


def _may_open(line: str) -> bool:
    """Rule out nearly all lines of ordinary text before any pattern is tried."""
    if not line or len(line) > MAX_LINE_CHARS:
        return False
    return ":" in line or line[-1] in _RULE_SIGNS or line.partition(" ")[0].lower() in _FIRST_WORDS


def _divider(line: str) -> _Opening | None:
    if line[-1] not in _RULE_SIGNS and line[-1] != ":":
        return None
    match = _DIVIDER.fullmatch(line)
    if not match:
        return None
    words = (match[1] or match["bare"]).strip(" :*").lower().replace("\u2019", "'")
    if words in _FORWARDED or words.startswith("forwarded by "):
        return _Opening.FORWARD
    return _Opening.BLOCK if words in _EARLIER and not match["bare"] else None


def _end_of_attribution(lines: list[str], position: int) -> int:
    """Give the line after an attribution that begins here and may be wrapped; 0 where there is none."""
    line = lines[position]
    if line.endswith(":") and (_NAME_FIRST.match(line) or _DATE_FIRST.match(line) or _QUOTING.match(line)):
        return position + 1
    if line.endswith(":") and _ABOVE_MARKED.match(line) and _is_marked(lines, position + 1):
        return position + 1
    if line.partition(" ")[0].lower() not in _FIRST_WORDS:
        return 0
    joined = ""
    for after in range(position, min(position + _ATTRIBUTION_LINES, len(lines))):
        if not lines[after] or len(lines[after]) > MAX_LINE_CHARS:
            return 0
        joined = f"{joined} {lines[after]}" if joined else lines[after]
        if joined.endswith(":"):
            return after + 1 if _ATTRIBUTION.match(joined) else 0
    return 0


def _field_of(line: str) -> _Field | None:
    if line.find(":", 0, _LONGEST_FIELD_NAME) < 0 or len(line) > MAX_LINE_CHARS:
        return None
    match = _FIELD_LINE.match(line)
    return _FIELD_NAMES.get(match[1].lower()) if match else None


def _is_block(lines: list[str], position: int) -> bool:
    """Tell whether header lines of an earlier mail begin at or just below a line: From and two others, close together."""
    while position < len(lines) and not lines[position]:
        position += 1
    if position >= len(lines) or _field_of(lines[position]) is None:
        return False
    seen = {_field_of(line) for line in lines[position : position + _BLOCK_LINES]} - {None}
    return _Field.FROM in seen and len(seen) >= 3  # noqa: PLR2004 - fewer occur in forms and lists


def _strip_block(lines: list[str]) -> list[str]:
    """Take the header lines off the top of an earlier mail; its subject stays, as words of its own."""
    position = 0
    while position < len(lines) and not lines[position]:
        position += 1
    if not _is_block(lines, position):
        return lines
    kept: list[str] = []
    end = position
    while end < len(lines) and (count := _lines_of_field(lines, end)):
        if _field_of(lines[end]) is _Field.SUBJECT:
            kept.append(lines[end].partition(":")[2].strip("* "))
        end += count
    return [*kept, *lines[end:]]


def _lines_of_field(lines: list[str], position: int) -> int:
    """Count the lines of the header line here: itself, and where it breaks off inside a list of addresses, those after it."""
    if _field_of(lines[position]) is None:
        return 0
    end = position + 1
    while end < min(len(lines), position + _BLOCK_LINES) and lines[end - 1].endswith((";", ",", "<")):
        end += 1
    return end - position
