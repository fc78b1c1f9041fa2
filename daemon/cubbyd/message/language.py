"""Which language a mail is in: as its header says, else by a vote of small words, or by its script.

For people who look at mail (`cubbyd parse`), not for filing: a classifier needs no language, so that the daemon never asks.
"""

# ruff: noqa: RUF001 - letters of other alphabets are meant

from __future__ import annotations

import re
from collections import Counter

from cubbyd.message.model import ParsedMessage

MAX_CHARS = 2_000
"""Of the text that is looked at: some 300 words, of which 100 are small."""
ENOUGH_WORDS = 4
"""Deciding words that a language needs; in fewer, names and loan words decide."""
CLEAR_LEAD = 1.3
"""How many times as many words as the next language it needs; neighbors such as Spanish and Portuguese share many."""

LANGUAGES = frozenset(["en", "de", "es", "fr", "it", "nl", "pl", "pt", "tr", "ru", "ar", "he", "zh", "ja", "ko", "el"])

_WORDS = {
    "en": "the and is are was to of for in on that this with you your she he her his not will we have has be at please from my"
    " can would today tomorrow thanks it but if do when so as they our i",
    "de": "der die das und ist sind nicht ein eine ich wir sie er mit für auf zu den dem im am von es hat haben bitte heute"
    " morgen kann wird auch bei uns noch wenn aber dass meine mein ihr oder liebe grüße",
    "es": "el la los las y es son no un una yo que de en con por para del al su mi se le hoy mañana está pero como muy esta"
    " nos gracias hola porque si qué cuando también hija hijo ha",
    "fr": "le la les et est sont ne pas un une je nous vous il elle que de des du en avec pour dans au sur ce cette qui mon ma"
    " votre bonjour merci demain aujourd'hui mais ou bien sera été a",
    "it": "il lo la gli e è sono non un una io che di del della in con per da al alla mia mio si oggi domani ma come grazie"
    " questo questa anche ci ha perché sarà buongiorno i le",
    "nl": "de het een en is zijn niet ik wij we hij zij dat van in op met voor te aan bij om naar mijn uw u ook vandaag morgen"
    " maar als er kan wordt heeft hebben graag bedankt groet",
    "pl": "i w na z do nie się jest są to że o po od dla jak ale czy mam proszę dziś jutro będzie tak ma jej jego oraz przez"
    " dziękuję pozdrawiam córka syn dzień dobry",
    "pt": "o a os as e é são não um uma eu que de do da em no na com por para se meu minha hoje amanhã mas como muito está"
    " obrigada obrigado ao também ele ela você foi bom dia",
    "tr": "ve bir bu da de için ile değil ne çok var yok ben biz siz o olarak daha gibi ama bugün yarın lütfen teşekkürler"
    " kızım oğlum merhaba olan sonra kadar mi mı iyi gün",
}  # fmt: skip
_WHOLE_VOTE = 12  # can be shared by two, three, four or six languages
_VOTES: dict[str, tuple[str, ...]] = {}
for _language, _words in _WORDS.items():
    for _word in _words.split():
        _VOTES[_word] = (*_VOTES.get(_word, ()), _language)

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_CODE = re.compile(r"\s*([A-Za-z]{2})(?:[-_][A-Za-z0-9]{1,8}){0,3}\s*(?:,|$)")
# Scripts that decide alone, by letters; a letter of Han, Hangul or kana stands for a word or more.
_SCRIPTS = (
    ("ja", re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")),
    ("ko", re.compile(r"[\uac00-\ud7a3]")),
    ("zh", re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]")),
    ("ru", re.compile(r"[\u0400-\u04ff]+")),
    ("ar", re.compile(r"[\u0620-\u064a\u066e-\u06d3]+")),
    ("he", re.compile(r"[\u05d0-\u05ea]+")),
    ("el", re.compile(r"[\u0370-\u03ff]+")),
)


def guess_language(message: ParsedMessage) -> str:
    """Give the two letters of a message's language; empty where unsure. Cyrillic text is called "ru"."""
    return message.content_language or language_of_text(f"{message.subject}\n{message.text}")


def read_content_language(value: str) -> str:
    """Give the first language of a Content-Language field (RFC 3282) in two letters; empty where it is none of LANGUAGES."""
    match = _CODE.match(value)
    code = match[1].lower() if match else ""
    code = "ru" if code == "uk" else code
    return code if code in LANGUAGES else ""


def language_of_text(text: str) -> str:
    """Let the first MAX_CHARS of a text vote; empty where they do not decide."""
    text = text[:MAX_CHARS].lower()
    if not text.isascii() and (language := _language_of_script(text)):
        return language
    votes: Counter[str] = Counter()
    for word in _WORD.findall(text.replace("\u2019", "'")):
        languages = _VOTES.get(word, ())
        for language in languages:
            votes[language] += _WHOLE_VOTE // len(languages)  # a word of one language counts more than one of several
    (first, most), (_, next_most) = (*votes.most_common(2), ("", 0), ("", 0))[:2]
    return first if most >= _WHOLE_VOTE * ENOUGH_WORDS and most >= CLEAR_LEAD * next_most else ""


def _language_of_script(text: str) -> str:
    words = len(_WORD.findall(text))
    for language, letters in _SCRIPTS:
        count = len(letters.findall(text))
        if count >= ENOUGH_WORDS and 2 * count >= words:
            return language
    return ""
