"""A subject without what mail programs put before it; what they said becomes flags."""

# ruff: noqa: RUF001 - letters of other alphabets are meant

from __future__ import annotations

import re
from dataclasses import dataclass

from cubbyd.message.model import Flag
from cubbyd.message.unicode import clean_line

MAX_SUBJECT_CHARS = 1000
"""Of a subject; RFC 5322 allows 998 in a line, people write under 200."""
MAX_PREFIXES = 8
"""Rounds of stripping; a chain of more prefixes has said what it is."""

# English, German, Spanish, French, Dutch, the Nordic languages, Polish, Portuguese, Italian, Turkish, Hungarian, Greek,
# Russian, Chinese, Korean, Japanese, Hebrew, Arabic. Italian's single letters count in upper case alone.
_REPLY = (
    r"r[eé]|aw|antw|antwort|sv|vs|odp|resp|res|rép|réf|rif|ynt|yan|vá|atb|απ|отв|ответ|(?-i:R)"
    r"|回复|回覆|答复|答覆|返信|回信|회신|답장|השב|תשובה|رد"
)
_FORWARD = (
    r"fwd?|fwrd|forward|wg|tr|rv|reenv|vl|vb|doorst|enc|pd|i\.?f|inoltra|ilt|i̇lt|tov|tovább|πρθ|пересл|(?-i:I)"
    r"|转发|轉發|轉寄|転送|전달|הועבר|העבר|إعادة توجيه|تحويل"
)
_GATEWAY = r"ext|extern|extern[oa]|external|external email|externe|spam|spam\?|bulk|suspected spam|caution"
_PREFIX = re.compile(
    rf"\s*+(?:(?:(?P<reply>{_REPLY})|(?P<forward>{_FORWARD}))\s?(?:\[\d{{1,3}}\]|\(\d{{1,3}}\)|\^\d{{1,3}})?\s?[:\uff1a]"
    rf"|\[(?:{_GATEWAY})\]:?|\*{{2,5}}\s?(?:{_GATEWAY})\s?\*{{2,5}}:?)",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(rf"\s*+\[\s?(?:(?:{_FORWARD})|(?P<reply>{_REPLY}))\s?[:\uff1a]", re.IGNORECASE)
_FORWARD_BEHIND = re.compile(r"\s*[(\[](?:fwd?|forwarded|weitergeleitet)[)\]]$", re.IGNORECASE)
_LIST_TAG = re.compile(r"\s*+\[[^\[\]]{1,40}\]")
_TAG_BEFORE_PREFIX = re.compile(rf"\s*+\[[^\[\]]{{1,40}}\](?=\s?(?:{_REPLY}|{_FORWARD})\s?[:\uff1a])", re.IGNORECASE)
_AUTOMATIC = re.compile(
    r"(?:\[[^\[\]]{1,40}\]\s*)?\[?(?:automati(?:c|sche|sch|que)[ -](?:reply|antwort|antw|response)|auto(?:-?reply|response"
    r"|matic response)?:"
    r"|respuesta autom|réponse automatique|risposta automatica|automatisch antwoord|resposta automática"
    r"|automatyczna odpowiedź|otomatik yan[ıi]t|автоответ|autosvar|自动回复|自動回覆|自動応答"
    r"|out of (?:the )?office\b"
    r"|abwesenheits(?:notiz|nachricht|assistent)\s?:|fuera de (?:la )?oficina|absence du bureau\s?:|vacation reply"
    r"|I am out of the office)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A subject and what its prefixes told: reply, forward, auto-reply."""

    text: str
    flags: frozenset[Flag]
    is_cut: bool = False


def read_subject(value: str, *, from_list: bool = False) -> Subject:
    """Strip at most MAX_PREFIXES prefixes off a subject; of a mailing list's mail also the list's [tag].

    A forward may also be told by brackets around it all, "[Fwd: Menu]", or behind it, "Menu (fwd)".
    """
    whole = clean_line(value[: 2 * MAX_SUBJECT_CHARS])
    text = whole[:MAX_SUBJECT_CHARS].rstrip()
    kinds: list[Flag] = []
    for _ in range(MAX_PREFIXES):
        if text.endswith((")", "]")) and (behind := _FORWARD_BEHIND.search(text)):
            text = text[: behind.start()]
            kinds.append(Flag.FORWARD)
        if text.startswith("[") and text.endswith("]") and (match := _IN_BRACKETS.match(text)):
            kinds.append(Flag.REPLY if match["reply"] else Flag.FORWARD)
            text = text[match.end() : -1].strip()
            continue
        found = _PREFIX.match(text)
        if not found and text.startswith("["):
            found = (_LIST_TAG if from_list else _TAG_BEFORE_PREFIX).match(text)
        if not found:
            break
        kind = found.lastgroup
        if kind:
            kinds.append(Flag.REPLY if kind == "reply" else Flag.FORWARD)
        text = text[found.end() :].lstrip()
    # An answer to a forwarded mail is no forward: the outermost prefix says what was done last.
    flags = set(kinds) if kinds[:1] == [Flag.FORWARD] else set(kinds) - {Flag.FORWARD}
    if _AUTOMATIC.match(text):
        flags.add(Flag.AUTO_REPLY)
    is_cut = len(value) > 2 * MAX_SUBJECT_CHARS or len(whole) > MAX_SUBJECT_CHARS
    return Subject(text=text, flags=frozenset(flags), is_cut=is_cut)
