"""What opens earlier mail in a text, in the words of the mail programs that people use.

One table serves many languages, as mails mix them. Three things open earlier mail: an attribution ("On Tue, Oct 6, 2026 at
4:12 PM Dana wrote:"), a divider ("-----Original Message-----"), a block of header lines (Outlook's From / Sent / To /
Subject). Parents write lines that look like these: "From: Monday / To: Wednesday" in a note on absence, "am Mittwoch schrieb
der Arzt:" in a sentence. So a block has to name a person and an address or a full date, and an attribution above text that
is not marked has to have an address or a full date.
"""

# ruff: noqa: RUF001 - letters of other alphabets are meant

from __future__ import annotations

import re
from enum import Enum, auto

from cubbyd.message.subject import read_subject

MAX_LINE_CHARS = 400
"""Of a line that a pattern is tried on; attributions and header lines are shorter."""
MAX_ATTRIBUTION_LINES = 3
"""Over which an attribution is wrapped."""
MAX_BLOCK_LINES = 9
"""Among which a block has its header lines; and lines of addresses that one of them goes on with."""
MAX_FIELD_NAME_CHARS = 40
"""Before which the colon of a header line must come."""
MAX_WRAPPED_LINES = 2
"""That go on with a header line which was broken by its length alone."""

_VERB = (
    r"(?:wrote|writes|schrieb|geschrieben|escribi[óo]|a [ée]crit|ha scritto|escreveu|schreef|skrev|napisa[łl](?:\(a\)|a)?|yazdı"
    r"|(?:на)?писал(?:\(а\)|а)?|napsal(?:\(a\)|a)?|írta|a scris|έγραψε|kirjoitti|đã viết|写道|寫道|כתב|كتب)"
)
_FIRST_WORDS = frozenset(("on", "am", "le", "el", "il", "em", "op", "den", "dnia", "im", "vào", "w", "dne"))
_ATTRIBUTION = re.compile(rf"(?=.*(?:\d|@)).{{3,300}}\b{_VERB}(?:\b|\)).{{0,200}}[:\uff1a]$", re.IGNORECASE)
_CERTAIN = re.compile(r"@|(?<!\d)(?:19|20)\d\d(?!\d)|\d{1,2}[./-]\d{1,2}[./-]\d\d")
_NAME_FIRST = re.compile(rf".{{1,200}}\b{_VERB}\b (?:am|on|el|le|il|op|den) .{{0,10}}\d.{{0,100}}:$", re.IGNORECASE)
_DATE_FIRST = re.compile(r"\d{4}-\d\d-\d\d\b.{0,200}<\S+@\S+>:$")
_ABOVE_MARKED = re.compile(
    rf".{{0,200}}(?:\b{_VERB}|\bsaid|\bsays)\W{{0,3}}[:\uff1a]$"
    rf"|(?=.*\d).{{1,300}}[<(]\S{{1,100}}@\S{{1,100}}[>)].{{0,100}}[:\uff1a]$",
    re.IGNORECASE,
)
_QUOTING = re.compile(r"(?:Quoting|Zitat von|Citando a|Citando|Quoting from) .{1,200}:$")

_DIVIDER = re.compile(r"[-_=*]{2,40}\s*+([^-_=*].{3,60}?)\s*[-_=*]{2,40}|(?P<bare>[^-_=*].{3,60}):")
_EARLIER = frozenset(
    (
        "original message", "original email", "original-mail", "original appointment", "reply message",
        "original-nachricht", "originalnachricht", "originalmail", "ursprüngliche nachricht", "ursprüngliche e-mail",
        "urspr. nachricht", "ursprünglicher termin",
        "mensaje original", "mensagem original",
        "message d'origine", "message original",
        "messaggio originale", "oorspronkelijk bericht", "wiadomość oryginalna", "oryginalna wiadomość", "orijinal mesaj",
        "исходное сообщение", "邮件原件", "原始邮件", "原始郵件", "원본 메시지",
    )
)  # fmt: skip
_FORWARDED = frozenset(
    (
        "forwarded message", "forwarded mail", "begin forwarded message", "start of forwarded message",
        "weitergeleitete nachricht", "weitergeleitete e-mail", "anfang der weitergeleiteten nachricht",
        "anfang der weitergeleiteten e-mail",
        "mensaje reenviado", "email reenviado", "inicio del mensaje reenviado", "mensagem encaminhada",
        "início da mensagem encaminhada", "início da mensagem reencaminhada",
        "message transféré", "message transmis", "début du message transféré", "début du message réexpédié",
        "messaggio inoltrato", "inizio messaggio inoltrato", "doorgestuurd bericht", "begin doorgestuurd bericht",
        "wiadomość przekazana", "przekazana wiadomość", "początek przekazywanej wiadomości", "początek przekazanej wiadomości",
        "iletilen ileti", "yönlendirilmiş mesaj", "пересылаемое сообщение", "начало пересылаемого сообщения",
        "转发的邮件", "轉寄的郵件", "전달된 메시지", "転送メッセージ",
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
    **dict.fromkeys(("mittente", "afzender", "kimden", "gönderen", "от", "от кого", "发件人", "寄件者", "差出人"), _Field.FROM),
    **dict.fromkeys(("보낸 사람", "lähettäjä", "absender"), _Field.FROM),
    **dict.fromkeys(("sent", "date", "gesendet", "datum", "enviado", "enviado el", "fecha", "envoyé", "inviato"), _Field.DATE),
    **dict.fromkeys(("data", "verzonden", "skickat", "sendt", "date d'envoi", "enviada em", "sent at", "wysłano"), _Field.DATE),
    **dict.fromkeys(
        ("gönderildi", "tarih", "отправлено", "дата", "发送时间", "寄件日期", "送信日時", "보낸 날짜"), _Field.DATE
    ),
    **dict.fromkeys(("to", "an", "para", "à", "a", "aan", "till", "til", "do", "destinataire", "pour", "kime"), _Field.TO),
    **dict.fromkeys(("кому", "收件人", "收件者", "宛先", "받는 사람", "alıcı"), _Field.TO),
    **dict.fromkeys(("cc", "kopie", "copie", "copia", "kopia", "bcc", "reply-to", "antwort an", "importance"), _Field.CC),
    **dict.fromkeys(("attachments", "anlagen", "organization", "wichtigkeit", "importancia", "responder a"), _Field.CC),
    **dict.fromkeys(
        ("bilgi", "копия", "抄送", "副本", "参照", "anhänge", "pièces jointes", "importanza", "priorité"), _Field.CC
    ),
    **dict.fromkeys(
        ("subject", "betreff", "asunto", "objet", "oggetto", "assunto", "onderwerp", "ämne", "temat"), _Field.SUBJECT
    ),
    **dict.fromkeys(("emne", "sujet", "betrifft", "konu", "тема", "主题", "主旨", "件名", "제목"), _Field.SUBJECT),
}
_FIELD_LINE = re.compile(
    r"[*_]{0,2}([^\W\d_][^\W\d_.' -]{0,14}(?:[ '-][^\W\d_]{1,8}){0,2}) ?[*_]{0,2} ?[:\uff1a][*_]{0,2}(?: ?(.*))?$"
)
_TECHNICAL = re.compile(
    r"(?:received|return-path|message-id|mime-version|content-[\w-]{1,30}|x-[\w-]{1,40}|dkim-signature|resent-[\w-]{1,20}"
    r"|in-reply-to"
    r"|references|user-agent|list-[\w-]{1,20}|delivered-to|thread-[\w-]{1,10}|priority|sensitivity|sender|newsgroups): ?",
    re.IGNORECASE,
)
_FORM_LINE = re.compile(r"[^\W\d_][\w /'()-]{0,30}: ?\S")
_TIME_WORD = re.compile(
    r"(?:mon|tues?|wed(?:nes)?|thurs?|fri|sat(?:ur)?|sun)(?:day)?s?|(?:mon|diens|donners|frei|sams|sonn)tags?|mittwochs?|mo|di"
    r"|mi|do|fr|sa|so"
    r"|lunes|martes|mi[ée]rcoles|jueves|viernes|lundi|mardi|mercredi|jeudi|vendredi|luned[iì]|marted[iì]|maandag|dinsdag"
    r"|jan\w*|feb\w*|m[äa]r\w*|apr\w*|ma[iy]|jun\w*|jul\w*|aug\w*|sep\w*|o[ck]t\w*|nov\w*|de[zc]\w*"
    r"|today|tomorrow|now|next|week|heute|morgen|ab|hoy|uhr|am|pm|noon|the|st|nd|rd|th",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W\d_]+")
_FULL_DATE = re.compile(r"(?=.*(?<!\d)(?:19|20)\d\d(?!\d)).*\d{1,2}[:.h\u6642\u65f6]\d\d")
_BROKEN = 40  # characters; a shorter header line was not broken by its length
_FEWEST_FIELDS = 3  # fewer occur in forms and lists


class Opening(Enum):
    """What opens earlier mail."""

    ATTRIBUTION = auto()
    BLOCK = auto()
    DIVIDER = auto()
    FORWARD = auto()


def opening_at(lines: list[str], position: int) -> tuple[Opening, int] | None:
    """Find what opens earlier mail at a line, and the line after it; a block itself is left for strip_block."""
    line = lines[position]
    if not _may_open(line):
        return None
    if opening := _divider(line):
        return opening, position + 1
    if _is_block(lines, position):
        return Opening.BLOCK, position
    if _RULE.fullmatch(line) and _is_block(lines, position + 1, is_divided=True):
        return Opening.DIVIDER, position + 1
    after = _end_of_attribution(lines, position)
    return (Opening.ATTRIBUTION, after) if after else None


def is_attribution(line: str) -> bool:
    """Tell whether a line can stand above marked lines and say who wrote them."""
    return line.endswith((":", "\uff1a")) and len(line) <= MAX_LINE_CHARS and bool(_ABOVE_MARKED.match(line))


def is_marked(lines: list[str], position: int) -> bool:
    """Tell whether the first line with text from here on is marked as quoted."""
    return next((line.startswith(">") for line in lines[position:] if line), False)


def _may_open(line: str) -> bool:
    """Rule out nearly all lines of ordinary text before any pattern is tried."""
    if not line or len(line) > MAX_LINE_CHARS:
        return False
    return ":" in line or "\uff1a" in line or line[-1] in _RULE_SIGNS or line.partition(" ")[0].lower() in _FIRST_WORDS


def _divider(line: str) -> Opening | None:
    if line[-1] not in _RULE_SIGNS and line[-1] != ":":
        return None
    match = _DIVIDER.fullmatch(line)
    if not match:
        return None
    words = (match[1] or match["bare"]).strip(" :*").lower().replace("\u2019", "'")
    if words in _FORWARDED or words.startswith("forwarded by "):
        return Opening.FORWARD
    return Opening.DIVIDER if words in _EARLIER and not match["bare"] else None


def _end_of_attribution(lines: list[str], position: int) -> int:
    """Give the line after an attribution that begins here and may be wrapped; 0 where there is none."""
    line = lines[position]
    if line.endswith(":") and (_NAME_FIRST.match(line) or _DATE_FIRST.match(line) or _QUOTING.match(line)):
        return position + 1
    begins = line.partition(" ")[0].lower() in _FIRST_WORDS
    if (
        not begins
        and not line.endswith((":", "\uff1a"))
        and not "".join(lines[position + 1 : position + 2]).endswith((":", "\uff1a"))
    ):
        return 0
    joined = ""
    for after in range(position, min(position + MAX_ATTRIBUTION_LINES, len(lines))):
        if not lines[after] or len(lines[after]) > MAX_LINE_CHARS:
            return 0
        joined = f"{joined} {lines[after]}" if joined else lines[after]
        if not joined.endswith((":", "\uff1a")):
            if not begins and after > position:
                return 0
            continue
        is_above_marks = is_marked(lines, after + 1)
        if is_above_marks and _ABOVE_MARKED.match(joined):
            return after + 1
        if begins and _ATTRIBUTION.match(joined) and (is_above_marks or _CERTAIN.search(joined)):
            return after + 1
        return 0
    return 0


# --- blocks of header lines ----------------------------------------------------------------------------------------


def _field_of(line: str) -> _Field | None:
    if len(line) > MAX_LINE_CHARS or (line.find(":", 0, MAX_FIELD_NAME_CHARS) < 0 and "\uff1a" not in line):
        return None
    match = _FIELD_LINE.match(line)
    return _FIELD_NAMES.get(match[1].lower()) if match else None


def _value_of(line: str) -> str:
    return re.split(r"[:\uff1a]", line, maxsplit=1)[1].strip("* ")


def _is_block(lines: list[str], position: int, *, is_divided: bool = False) -> bool:
    """Tell whether header lines of an earlier mail begin at or just below a line; below a divider, two are enough."""
    above = position - 1
    while position < len(lines) and not lines[position]:
        position += 1
    first = _field_of(lines[position]) if position < len(lines) else None
    if first is None:
        return False
    fields: dict[_Field, str] = {}
    for line in lines[position : position + MAX_BLOCK_LINES]:
        if (found := _field_of(line)) and found not in fields:
            fields[found] = _value_of(line)
    if is_divided:
        return len(fields) >= 2 or first is _Field.FROM  # noqa: PLR2004 - the divider has said what they are
    if first not in (_Field.FROM, _Field.DATE) or len(fields) < _FEWEST_FIELDS or not fields.keys() >= {_Field.FROM, _Field.TO}:
        return False
    if above >= 0 and _FORM_LINE.match(lines[above]) and _field_of(lines[above]) is None:
        return False
    has_address = any("@" in value for value in fields.values())
    is_dated = _Field.SUBJECT in fields and bool(_FULL_DATE.search(fields.get(_Field.DATE, "")))
    return (has_address or is_dated) and _names_somebody(fields[_Field.FROM])


def _names_somebody(value: str) -> bool:
    """Tell a sender from a day or an hour: "From: Monday", "Von: 8:00"."""
    if "@" in value:
        return True
    return not value[:1].isdigit() and any(not _TIME_WORD.fullmatch(word) for word in _LETTERS.findall(value))


def strip_block(lines: list[str], *, is_divided: bool = False) -> tuple[list[str], list[str]]:
    """Take the header lines off the top of an earlier mail: its subject, as words of its own, and what is below them."""
    position = 0
    while position < len(lines) and not lines[position]:
        position += 1
    if not _is_block(lines, position, is_divided=is_divided):
        return [], lines
    kept: list[str] = []
    end = position
    while end < len(lines) and (count := _lines_of_field(lines, end)):
        if _field_of(lines[end]) is _Field.SUBJECT:
            kept.append(read_subject(_value_of(lines[end])).text)
        end += count
    if end < len(lines) and _RULE.fullmatch(lines[end]):
        end += 1  # some programs close the block with one
    return kept, lines[end:]


def _lines_of_field(lines: list[str], position: int) -> int:
    """Count the lines of the header line here: itself, and those that go on with it; 0 where there is none."""
    if _field_of(lines[position]) is None and not _TECHNICAL.match(lines[position]):
        return 0
    end = position + 1
    while end < min(len(lines), position + MAX_BLOCK_LINES) and lines[end] and lines[end - 1].endswith((";", ",", "<")):
        end += 1
    # Broken by its length: a line or two that are no header line, right above one.
    if len(lines[end - 1]) < _BROKEN:
        return end - position
    for after in range(end, min(len(lines), end + MAX_WRAPPED_LINES)):
        if not lines[after] or _field_of(lines[after]):
            break
        if after + 1 < len(lines) and _field_of(lines[after + 1]):
            return after + 1 - position
    return end - position
