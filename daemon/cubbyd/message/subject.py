"""A subject without what mail programs put before it; what they said becomes flags."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cubbyd.message.model import Flag
from cubbyd.message.unicode import clean_line

MAX_SUBJECT_CHARS = 1000
MAX_PREFIXES = 8

# English, German, Spanish, French, Dutch, the Nordic languages, Polish, Portuguese.
_REPLY = r"r[eé]|aw|antw|antwort|sv|vs|odp|resp|rép|réf"
_FORWARD = r"fwd?|wg|tr|rv|reenv|vl|vb|doorst|enc|pd|i\.?f"
_GATEWAY = r"ext|extern|extern[oa]|external|external email|externe|spam|spam\?|bulk|suspected spam|caution"
_PREFIX = re.compile(
    rf"\s*+(?:(?:(?P<reply>{_REPLY})|(?P<forward>{_FORWARD}))\s?(?:\[\d{{1,3}}\]|\(\d{{1,3}}\)|\^\d{{1,3}})?\s?[:\uff1a]"
    rf"|\[(?:{_GATEWAY})\]:?|\*{{2,5}}\s?(?:{_GATEWAY})\s?\*{{2,5}}:?)",
    re.IGNORECASE,
)
_LIST_TAG = re.compile(r"\s*+\[[^\[\]]{1,40}\]")
_AUTOMATIC = re.compile(
    r"(?:automati(?:c|sche|sch|que)[ -](?:reply|antwort|antw|response)|auto(?:-?reply|response|matic response)?:"
    r"|respuesta autom|réponse automatique|out of (?:the )?office|abwesenheits(?:notiz|nachricht|meldung)?\b"
    r"|fuera de (?:la )?oficina|absence du bureau|vacation reply|I am out of the office)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A subject and what its prefixes told: reply, forward, auto-reply."""

    text: str
    flags: frozenset[Flag]


def read_subject(value: str, *, from_list: bool = False) -> Subject:
    """Strip at most MAX_PREFIXES prefixes off a subject; of a mailing list's mail also the list's [tag]."""
    text = clean_line(value[: 2 * MAX_SUBJECT_CHARS])[:MAX_SUBJECT_CHARS]
    flags: set[Flag] = set()
    for _ in range(MAX_PREFIXES):
        match = _PREFIX.match(text) or (_LIST_TAG.match(text) if from_list else None)
        if not match:
            break
        kind = match.lastgroup
        if kind:
            flags.add(Flag.REPLY if kind == "reply" else Flag.FORWARD)
        text = text[match.end() :].lstrip()
    if _AUTOMATIC.match(text):
        flags.add(Flag.AUTO_REPLY)
    return Subject(text=text, flags=frozenset(flags))
