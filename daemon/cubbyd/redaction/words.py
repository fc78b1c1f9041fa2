"""The words around names, from words.toml, as sets of folded words."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from cubbyd.redaction.model import Kind
from cubbyd.redaction.roster import fold

WORDS: dict[str, list[str]] = {
    name: words.split() for name, words in tomllib.loads((files("cubbyd.redaction") / "words.toml").read_text("utf-8")).items()
}
"""Every list of the file, as it stands there."""


def _folded(name: str) -> frozenset[str]:
    return frozenset(fold(word) for word in WORDS[name])


WORDS_AND_NAMES = _folded("words_and_names")
JOINING = _folded("joining")
INITIALS_THAT_ARE_WORDS = _folded("initials_that_are_words")

KIN: dict[str, Kind] = {
    word: kind
    for name, kind in (
        ("kin_person", Kind.PERSON),
        ("kin_staff", Kind.STAFF),
        ("kin_parent", Kind.PARENT),
        ("kin_child", Kind.CHILD),
    )
    for word in _folded(name)
}
"""Relations, and who the name after one is."""

TITLES = _folded("titles")
HONORIFICS = _folded("honorifics")
NAMING = _folded("naming")
GREETINGS = _folded("greetings")
ADDRESSEES = _folded("addressees")
CLOSINGS = _folded("closings")
DOINGS = _folded("doings")
CALENDARS = {language: _folded(f"calendar_{language}") for language in ("en", "de", "es", "fr")}
CALENDAR = frozenset().union(*CALENDARS.values())
CALENDAR_CONTEXT = _folded("calendar_context")
INSTITUTIONS = _folded("institutions")
ORGANIZATION = _folded("organization")
PARTICLES = _folded("particles")
FUNCTION_WORDS = _folded("function_words")

NOT_NAMES = _folded("holidays") | _folded("places") | _folded("brands")
"""Capitalized words that carry the category, or say nothing of anybody."""
