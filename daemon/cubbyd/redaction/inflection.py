"""Forms of words that the lists do not have: Spanish verbs, which begin sentences ("Quiero"), and English endings."""

from __future__ import annotations

from collections.abc import Iterator

from cubbyd.redaction.words import WORDS

_ENDINGS = tuple(sorted(WORDS["spanish_endings"], key=len, reverse=True))
_CLITICS = ("melo", "telo", "selo", "mela", "sela", "nos", "les", "los", "las", "me", "te", "se", "le", "lo", "la")
_SHORTEST_STEM = 2
_ENGLISH_ENDINGS = ("s", "es", "ing", "ings", "ed", "er", "ers", "ly", "ness", "less", "y")
_SHORTEST_BASE = 3


def english_bases(word: str) -> Iterator[str]:
    """Give what a word in lower case may be made of: repaving of repave, waiters of wait."""
    for ending in _ENGLISH_ENDINGS:
        base = word.removesuffix(ending)
        if base != word and len(base) >= (_SHORTEST_BASE if ending == "s" else _SHORTEST_BASE + 1):
            yield base
            if ending[0] in "ei":
                yield f"{base}e"


def infinitives(folded: str) -> Iterator[str]:
    """Give what a folded word may be a form of: regular verbs, with the stem changes ie/e, ue/o, i/e."""
    forms = [folded]
    forms += [folded.removesuffix(clitic) for clitic in _CLITICS if folded.endswith(clitic) and len(folded) > len(clitic) + 3]
    for form in forms:
        for ending in _ENDINGS:
            if form.endswith(ending) and len(form) - len(ending) >= _SHORTEST_STEM:
                yield from _with_stem(form[: -len(ending)])


def _with_stem(stem: str) -> Iterator[str]:
    changed = (stem, stem.replace("ie", "e", 1), stem.replace("ue", "o", 1), stem.replace("i", "e", 1))
    spelled = (stem.removesuffix("qu") + "c", stem.removesuffix("gu") + "g", stem.removesuffix("c") + "z")
    for one in dict.fromkeys((*changed, *spelled)):
        for vowel in "aei":
            yield f"{one}{vowel}r"
