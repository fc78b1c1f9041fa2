"""Where a text ends and its signature begins.

Four marks: the line "--" (RFC 3676, 4.3), a rule above a mailing list's footer, a phone's own line ("Sent from my iPhone",
anywhere), and a closing phrase above a few lines that can only be a name or a contact. What no person wrote goes to the
signature, too (cubbyd.message.notice). What could be a message stays text.
"""

# ruff: noqa: RUF001 - letters of other alphabets are meant

from __future__ import annotations

import re

from cubbyd.message.notice import cut_banners, cut_footers

MAX_SIGNATURE_LINES = 15
"""Below a closing phrase or a rule; more is text that somebody wrote."""
MAX_DASHED_LINES = 60
"""Below the line "--": an office's contacts, its directors and its notices. More is text behind a line of dashes."""
MAX_CONTACT_LINES = 6
"""Filled lines below a closing phrase."""
MAX_CONTACT_CHARS = 70
"""Of such a line; a sentence is longer."""
MAX_DASHED_CHARS = 200
"""Of a line below "--" that is no sentence: several numbers and addresses, with bars between them."""
MAX_OFFICE_CHARS = 90
"""Of a line of an office's signature: a title, an address, opening hours."""
MAX_DEVICE_CHARS = 120
"""Of a phone's own line; the longest seen has 75."""
MAX_FOOTER_LINES = 8
"""Below a rule, among which the words of a mailing list must come."""

_DASHES = re.compile(r"--|—")
_RULE = re.compile(r"_{10,100}|-{30,100}")
_LIST_WORDS = re.compile(
    r"mailing[- ]?list|unsubscribe|listinfo|mailman|@lists?\.|subscri|abbestell|abmelden|mailingliste|darse de baja|d[ée]sabonn"
    r"|disiscri|uitschrijven",
    re.IGNORECASE,
)
_DEVICE = re.compile(
    r"sent (?:from|via|with|using) \S|sent by \w+ mail|get outlook for "
    r"|(?:diese nachricht wurde )?von meine[mr] \S+.{0,30} gesendet\.?$|gesendet (?:von|mit|über|aus) \S"
    r"|outlook für \w+ (?:beziehen|herunterladen)|holen sie sich outlook"
    r"|enviado (?:desde|con|por|do) \S|obt[ée]n(?:er|ga)? outlook para "
    r"|envoy[ée] (?:de|depuis|[àa] partir de) \S|t[ée]l[ée]charge[rz] outlook|obtenez outlook"
    r"|inviato (?:da|dal|con) |ottieni outlook|(?:verzonden|verstuurd) (?:vanaf|vanuit|met|via) |outlook voor \w+ downloaden"
    r"|wys[łl]an[eo] z |pobierz outlook|obter o outlook"
    r"|skickat fr[åa]n |sendt fra |отправлено (?:с|из) |从我的.{1,20}发送|發自我的|发自我的",
    re.IGNORECASE,
)
# Turkish and Japanese put the device first.
_DEVICE_FIRST = re.compile(r".{2,40}d[ae]n gönderildi|.{2,20}から送信", re.IGNORECASE)
_DEVICE_LETTERS = frozenset("sSgGdDvVoOhHeEtTiIwWpP*_")
_DEVICE_WORD = re.compile(
    r"iphone|ipad|ipod|apple watch|android|samsung|galaxy|huawei|pixel|blackberry|smartphone|mobile|handy|phone|tablet"
    r"|tel[ée]fono|m[óo]vil|celular|t[ée]l[ée]phone|outlook|yahoo|gmx|web\.de|gmail|proton|aol|\bmail\b|correo|windows|nokia"
    r"|motorola|xiaomi|telefon",
    re.IGNORECASE,
)
_CLOSINGS = (
    r"(?:(?:with )?(?:kind|kindest|best|warm|warmest|many) )?(?:regards|wishes|greetings)",
    r"best|cheers|yours(?: sincerely| truly| faithfully)?|sincerely(?: yours)?|respectfully|cordially|love|br|kr|rgds",
    r"all the best|take care|warmly|with (?:gratitude|appreciation)",
    r"(?:many )?(?:thanks|thx)(?: again| so much| in advance| a lot)?|thank you(?: so much| very much| in advance)?",
    (
        r"(?:mit )?(?:ganz |viele |recht )?(?:freundliche|liebe|viele|herzliche|beste|sch[öo]ne|sonnige)[nrm]? gr(?:ü|ue)(?:ß"
        r"|ss)(?:e|en)?"
    ),
    r"mfg|lg|vg|gru(?:ß|ss)|gr(?:ü|ue)(?:ß|ss)e|hochachtungsvoll|danke(?: sch[öo]n)?|(?:vielen|besten|lieben|herzlichen) dank",
    r"saludos(?: cordiales)?|un (?:cordial )?saludo|cordiales saludos|atentamente|cordialmente|(?:muchas |mil )?gracias",
    (
        r"(?:un )?abrazos?|(?:bien )?cordialement|bien [àa] vous|(?:sinc[èe]res )?salutations|merci(?: beaucoup"
        r"| d['\u2019]avance)?"
    ),
    r"(?:bonne|belle) journ[ée]e|(?:cordiali|distinti) saluti|un (?:caro )?saluto|saluti|grazie(?: mille)?",
    r"(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|mvg|groet(?:en|jes)?|(?:hartelijk )?bedankt|dank (?:je|u) wel",
    r"pozdrawiam(?: serdecznie)?|z powa[żz]aniem|dzi[ęe]kuj[ęe]|sayg[ıi]lar[ıi]mla|sayg[ıi]lar|te[şs]ekk[üu]rler|iyi g[üu]nler",
    r"atenciosamente|com os melhores cumprimentos|(?:muito )?obrigad[oa]|с уважением|спасибо",
)
# The first three letters of them all, to tell ordinary lines quickly.
_CLOSING_KEYS = frozenset(
    (
        *(
            "wit",
            "kin",
            "bes",
            "war",
            "man",
            "reg",
            "wis",
            "gre",
            "che",
            "you",
            "sin",
            "res",
            "cor",
            "lov",
            "br",
            "br,",
            "kr",
            "kr,",
        ),
        *(
            "rgd",
            "all",
            "tak",
            "tha",
            "thx",
            "mit",
            "gan",
            "vie",
            "rec",
            "fre",
            "lie",
            "her",
            "sch",
            "son",
            "mfg",
            "lg",
            "lg,",
            "lg ",
        ),
        *("vg", "vg,", "vg ", "gru", "grü", "hoc", "dan", "sal", "un ", "ate", "muc", "mil", "abr", "bie", "mer", "bon", "bel"),
        *(
            "dis",
            "gra",
            "met",
            "vri",
            "har",
            "mvg",
            "gro",
            "bed",
            "poz",
            "z p",
            "dzi",
            "say",
            "teş",
            "tes",
            "iyi",
            "com",
            "mui",
        ),
        *("obr", "с\u0020у", "спа", "br ", "kr ", "br.", "lg.", "vg.", "lg!", "lg-"),
    )
)
_PHRASE = "|".join(_CLOSINGS)
_CLOSING = re.compile(
    rf"(?:{_PHRASE})(?:\s?(?:,|&|\+|and|und|u\.|y|e|et|en|i|ve)\s?(?:{_PHRASE}))?(?: (?:from|de|aus"
    rf"|da)(?: parte de)?(?: [^\W\d_]{{2,20}})?)?"
    r"\s?[,.!\u2013-]{0,3}",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    r"@|www\.|https?:|(?:\+|\b\d|\()[\d() ./-]{6,30}|^(?:tel|phone|cell|mobile|mobil|fax|t|m|p)\b\s?[.:]", re.IGNORECASE
)
_HARD_CONTACT = re.compile(r"\S@\S|www\.|https?:|(?:\+|\b0|\()\d[\d() ./-]{6,30}|\b\d{3}[-. ]\d{3,4}", re.IGNORECASE)
_SENTENCE = re.compile(r"(?:\S+ ){4,}.*[.!?]$|\?|(?:\S+ ){9,}")
_BEHIND_DEVICE = re.compile(
    r"[^,.;:!?]{0,40}[.!]?|\W{0,5}<?https?:\S{1,200}|\W{0,5}(?:please |bitte )?(?:excuse|forgive|pardon|entschuldig|disculpe"
    r"|excuse[rz]|scus)[^.!?]{0,60}[.!]?",
    re.IGNORECASE,
)
_POSTSCRIPT = re.compile(r"p\.? ?s\b|n\.? ?b\b", re.IGNORECASE)
_SMALL_WORDS = frozenset(
    (
        *("and", "y", "e", "und", "et", "of", "the", "to", "de", "la", "del", "der", "die", "von", "van"),
        *("mom", "mum", "dad", "mama", "papa", "mamma", "mamá", "papá", "mother", "father", "parent"),
    )
)
# What parents write below "thanks" in two words and is no name: "mia sick", "Danke / Leo Fieber".
_ORDINARY = frozenset(
    (
        *(
            "sick",
            "ill",
            "fever",
            "cough",
            "cold",
            "flu",
            "lice",
            "home",
            "today",
            "tomorrow",
            "tonight",
            "late",
            "early",
            "asap",
        ),
        *("now", "soon", "yes", "no", "not", "ok", "okay", "please", "pls", "sorry", "is", "has", "was", "will", "can", "are"),
        *(
            "absent",
            "out",
            "off",
            "better",
            "vomiting",
            "pickup",
            "doctor",
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
        ),
        *("krank", "fieber", "husten", "läuse", "heute", "morgen", "später", "spät", "zuhause", "hause", "ja", "nein", "bitte"),
        *("arzt", "ist", "hat", "kommt", "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "abgemeldet", "fehlt"),
        *("enfermo", "enferma", "fiebre", "tos", "hoy", "mañana", "tarde", "casa", "sí", "si", "malo", "mala", "médico"),
        *("malade", "fièvre", "toux", "aujourd'hui", "demain", "retard", "oui", "non", "absente", "médecin"),
        *("malato", "malata", "febbre", "oggi", "domani", "ziek", "koorts", "vandaag", "thuis"),
    )
)


def split_signature(lines: list[str], *, is_dashed: bool = False) -> tuple[list[str], list[str]]:
    """Split the new lines of a mail into text and signature; is_dashed says that a line "--" was exactly "-- "."""
    banners, lines = cut_banners(lines)
    text: list[str] = []
    devices: list[str] = []
    for line in lines:
        (devices if _is_device_line(line) else text).append(line)
    text, footers = cut_footers(text)
    start = _start_of_signature(text, is_dashed=is_dashed)
    signature = [line for line in text[start:] if not (_DASHES.fullmatch(line) or _RULE.fullmatch(line))]
    return text[:start], banners + signature + ["", *footers] + devices


def _start_of_signature(lines: list[str], *, is_dashed: bool) -> int:
    """Find the first line of the signature among the last lines; the number of lines where there is none."""
    first = next((position for position, line in enumerate(lines) if line), len(lines))
    if first < len(lines) and lines[first] == "--" and (is_dashed or _looks_signed(lines[first + 1 :])):
        return first
    far = max(first, len(lines) - MAX_DASHED_LINES - 1)
    signs = (position for position in range(far + 1, len(lines)) if lines[position] and lines[position][0] in "-\u2014_")
    end = next((position for position in signs if _opens_end(lines, position, is_dashed=is_dashed)), len(lines))
    for position in range(max(first, len(lines) - MAX_SIGNATURE_LINES - 1) + 1, end):
        if _is_closing(lines[position]) and _are_contact_lines(lines[position + 1 : end]):
            return position
    return end


def _opens_end(lines: list[str], position: int, *, is_dashed: bool) -> bool:
    line = lines[position]
    if _DASHES.fullmatch(line):
        if not any(lines[position + 1 :]):
            return True  # what stood below, a phone's own line, has been taken out
        return (is_dashed and line == "--") or _looks_signed(lines[position + 1 :])
    if position < len(lines) - MAX_SIGNATURE_LINES or not _RULE.fullmatch(line):
        return False
    below = [line for line in lines[position + 1 :] if line]
    return any(_LIST_WORDS.search(line) for line in below[:MAX_FOOTER_LINES]) or (
        line[0] == "_" and any(_CONTACT.search(line) for line in below) and all(_is_contact_line(line) for line in below)
    )


def _looks_signed(lines: list[str]) -> bool:
    """Tell whether lines below a dash sign are a signature: a name first, or a contact among them, or a few short lines."""
    filled = [line for line in lines if line]
    if not filled or len(filled) > MAX_DASHED_LINES:
        return False
    if any(_is_sentence(line) for line in filled[:MAX_CONTACT_LINES]):
        return any(_CONTACT.search(line) for line in filled) and _is_contact_line(filled[0])
    return len(filled) <= MAX_CONTACT_LINES or any(_CONTACT.search(line) for line in filled)


def _is_device_line(line: str) -> bool:
    """Tell a phone's own line from words that somebody typed behind it."""
    if len(line) > MAX_DEVICE_CHARS or (line[:1] not in _DEVICE_LETTERS and line.isascii()):
        return False
    if not _DEVICE.match(line.lstrip("*_ ")):
        return not line.isascii() and bool(_DEVICE_FIRST.fullmatch(line) and _DEVICE_WORD.search(line))
    devices = list(_DEVICE_WORD.finditer(line))
    return bool(devices and _BEHIND_DEVICE.fullmatch(line, devices[-1].end()))


def _is_closing(line: str) -> bool:
    return len(line) <= MAX_CONTACT_CHARS and line[:3].lower() in _CLOSING_KEYS and bool(_CLOSING.fullmatch(line))


def _are_contact_lines(lines: list[str]) -> bool:
    """Tell whether lines can only be a signature: a few that are names or contacts, or more around a hard contact."""
    filled = [line for line in lines if line]
    if len(filled) <= MAX_CONTACT_LINES and all(_is_contact_line(line) for line in filled):
        return True
    return (
        len(filled) <= MAX_SIGNATURE_LINES
        and _is_contact_line(filled[0])
        and any(_HARD_CONTACT.search(line) for line in filled)
        and not any(len(line) > MAX_OFFICE_CHARS or _is_sentence(line) or _POSTSCRIPT.match(line) for line in filled)
    )


def _is_sentence(line: str) -> bool:
    """Tell whether somebody says something; a line that is too long for a signature does."""
    return len(line) > MAX_DASHED_CHARS or bool(_SENTENCE.search(line))


def _is_contact_line(line: str) -> bool:
    """Tell whether a line can only be a name, a title or a way to reach somebody."""
    if len(line) > MAX_CONTACT_CHARS or "?" in line or _POSTSCRIPT.match(line):
        return False
    if _CONTACT.search(line):
        return True
    words = [word for part in line.split() if (word := part.strip(".,;:()'\"-\u2013!|/&*"))]
    if any(word.lower() in _ORDINARY for word in words):
        return False
    if len(words) == 1 or (len(words) == 2 and len(words[1]) == 1):  # noqa: PLR2004 - "kelly" or "anna b", as typed on a phone
        return not any(word.isdigit() for word in words)
    return all(word[0].isupper() or word[0].isdigit() or word.lower() in _SMALL_WORDS for word in words)
