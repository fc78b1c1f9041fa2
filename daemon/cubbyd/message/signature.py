"""Where a text ends and its signature begins.

Five marks: the line "--" (RFC 3676, 4.3), a mailing list's rule of underscores, a phone's own line ("Sent from my iPhone",
anywhere), a lawyer's notice, and a closing phrase above a few lines that can only be a name or a contact. What could be a
message stays text.
"""

from __future__ import annotations

import re

MAX_SIGNATURE_LINES = 15
MAX_CONTACT_LINES = 6
MAX_CONTACT_CHARS = 70
MAX_DEVICE_CHARS = 120

_DASHES = re.compile(r"--|—|_{10,100}")
_DEVICE = re.compile(
    r"sent (?:from|via|with|using) \S|sent by \w+ mail|get outlook for "
    r"|(?:diese nachricht wurde )?von meine[mr] \S+.{0,30} gesendet\.?$|gesendet (?:von|mit|über|aus) \S"
    r"|outlook für \w+ (?:beziehen|herunterladen)|holen sie sich outlook"
    r"|enviado (?:desde|con|por|do) \S|obt[ée]n(?:er|ga)? outlook para "
    r"|envoy[ée] (?:de|depuis|[àa] partir de) \S|t[ée]l[ée]charge[rz] outlook|obtenez outlook"
    r"|inviato da|verzonden vanaf",
    re.IGNORECASE,
)
_DEVICE_WORD = re.compile(
    r"iphone|ipad|ipod|apple watch|android|samsung|galaxy|huawei|pixel|blackberry|smartphone|mobile|handy|phone|tablet"
    r"|tel[ée]fono|m[óo]vil|celular|t[ée]l[ée]phone|outlook|yahoo|gmx|web\.de|gmail|proton|aol|\bmail\b|correo|windows|nokia"
    r"|motorola|xiaomi",
    re.IGNORECASE,
)
_CLOSINGS = (
    r"(?:(?:with )?(?:kind|kindest|best|warm|warmest|many) )?(?:regards|wishes|greetings)",
    r"best|cheers|yours(?: sincerely| truly| faithfully)?|sincerely(?: yours)?|respectfully|cordially|love",
    r"all the best|take care|warmly|with (?:gratitude|appreciation)",
    r"(?:many )?(?:thanks|thx)(?: again| so much| in advance| a lot)?|thank you(?: so much| very much| in advance)?",
    r"(?:mit )?(?:freundliche|liebe|viele|herzliche|beste|sch[öo]ne|sonnige)[nrm]? gr(?:ü|ue)(?:ß|ss)(?:e|en)?",
    r"mfg|lg|vg|gru(?:ß|ss)|gr(?:ü|ue)(?:ß|ss)e|hochachtungsvoll|danke(?: sch[öo]n)?|(?:vielen|besten|lieben) dank",
    r"saludos(?: cordiales)?|un (?:cordial )?saludo|cordiales saludos|atentamente|cordialmente|(?:muchas |mil )?gracias",
    r"(?:un )?abrazos?|(?:bien )?cordialement|bien [àa] vous|(?:sinc[èe]res )?salutations|merci(?: beaucoup)?|bonne journ[ée]e",
)
_CLOSING = re.compile(rf"(?:{'|'.join(_CLOSINGS)})(?: from| de| de parte de)?\s?[,.!\u2013-]{{0,3}}", re.IGNORECASE)
_CONTACT = re.compile(
    r"@|www\.|https?:|(?:\+|\b\d|\()[\d() ./-]{6,30}|^(?:tel|phone|cell|mobile|mobil|fax|t|m|p)\b\s?[.:]", re.IGNORECASE
)
_NOTICE = re.compile(
    r"(?:\W{0,3}confidential(?:ity notice| notice)?\b.{0,3}:"
    r"|(?=.{0,250}(?:confidential|protected|privileged|intended (?:only|solely)))"
    r"(?:this (?:e-?mail|message|communication)|the (?:information|contents?)) "
    r"|(?=.{0,250}vertraulich)(?:diese|der inhalt dieser) (?:e-?mail|nachricht)"
    r"|(?=.{0,250}confidencial)(?:este|el contenido de este) (?:correo|mensaje|e-?mail)"
    r"|(?=.{0,250}confidentiel)(?:ce|le contenu de ce) (?:courriel|message|mail))",
    re.IGNORECASE,
)
_POSTSCRIPT = re.compile(r"p\.? ?s\b|n\.? ?b\b", re.IGNORECASE)
_SMALL_WORDS = frozenset(
    (
        *("and", "y", "e", "und", "et", "of", "the", "to", "de", "la", "del", "der", "die", "von", "van"),
        *("mom", "mum", "dad", "mama", "papa", "mamma", "mamá", "papá", "mother", "father", "parent"),
    )
)


def split_signature(lines: list[str]) -> tuple[list[str], list[str]]:
    """Split the new lines of a mail into text and signature."""
    text: list[str] = []
    signature: list[str] = []
    for line in lines:
        (signature if _is_device_line(line) else text).append(line)
    start = _start_of_signature(text)
    return text[:start], [line for line in text[start:] if not _DASHES.fullmatch(line)] + signature


def _start_of_signature(lines: list[str]) -> int:
    """Find the first line of the signature among the last lines; the number of lines where there is none."""
    first = max(0, len(lines) - MAX_SIGNATURE_LINES - 1)
    first = next((position for position in range(first, len(lines)) if any(lines[: position + 1])), len(lines))
    end = next((position for position in range(first + 1, len(lines)) if _opens_end(lines[position])), len(lines))
    for position in range(first + 1, end):
        if _is_closing(lines[position]) and _are_contact_lines(lines[position + 1 : end]):
            return position
    return end


def _opens_end(line: str) -> bool:
    return bool(_DASHES.fullmatch(line) or _NOTICE.match(line))


def _is_device_line(line: str) -> bool:
    return len(line) <= MAX_DEVICE_CHARS and bool(_DEVICE.match(line.lstrip("*_ ")) and _DEVICE_WORD.search(line))


def _is_closing(line: str) -> bool:
    return len(line) <= MAX_CONTACT_CHARS and bool(_CLOSING.fullmatch(line))


def _are_contact_lines(lines: list[str]) -> bool:
    filled = [line for line in lines if line]
    return len(filled) <= MAX_CONTACT_LINES and all(_is_contact_line(line) for line in filled)


def _is_contact_line(line: str) -> bool:
    """Tell whether a line can only be a name, a title or a way to reach somebody."""
    if len(line) > MAX_CONTACT_CHARS or "?" in line or _POSTSCRIPT.match(line):
        return False
    if _CONTACT.search(line):
        return True
    words = [word for part in line.split() if (word := part.strip(".,;:()'\"-\u2013!|/&*"))]
    if len(words) <= 2:  # noqa: PLR2004 - "anna b", as typed on a phone
        return not any(word.isdigit() for word in words)
    return all(word[0].isupper() or word[0].isdigit() or word.lower() in _SMALL_WORDS for word in words)
