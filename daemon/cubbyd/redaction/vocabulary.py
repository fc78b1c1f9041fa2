"""What the name recognizer knows of words: lists of names (Faker) and of ordinary words (pyspellchecker), by language.

Both come as Python packages with permissive licenses and are loaded once, when the first mail is masked: about 0.8 seconds
and 60 MB. No list is complete; what each contributes is in docs/redaction.md.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass
from functools import cache

from cubbyd.errors import CubbydError
from cubbyd.redaction.roster import fold

LANGUAGES = ("en", "de", "es", "fr")
LISTED = 50
"""The count that pyspellchecker gives a word of its list that it never saw in its texts."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class NamesMissing(CubbydError):
    """The lists of names are not installed; add them with: pip install 'cubbyd[redaction]'."""


@dataclass(frozen=True, slots=True, repr=False)
class Vocabulary:
    """First names and last names, folded; ordinary words with their counts in a large corpus, lower case, by language."""

    first: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()
    words: tuple[tuple[str, dict[str, int]], ...] = ()

    def count(self, word: str, languages: frozenset[str]) -> int:
        """Tell how ordinary a lower-case word is: its count in the corpus of a language; 0 where it is in none."""
        return max((words.get(word, 0) for language, words in self.words if language in languages), default=0)


NOTHING = Vocabulary()
"""Knows no word: only the roster, the header, cues and patterns find anything."""


@cache
def load_vocabulary() -> Vocabulary:
    """Load the lists. Raises NamesMissing where the packages are not installed."""
    try:
        first, last = _names()
        return Vocabulary(first=first, last=last, words=tuple((language, _words(language)) for language in LANGUAGES))
    except ImportError as error:
        raise NamesMissing from error


def _names() -> tuple[frozenset[str], frozenset[str]]:
    """Gather the names of every locale that Faker has; its lists are class attributes, there is no other door to them."""
    import faker.providers.person as locales

    first: set[str] = set()
    last: set[str] = set()
    for module in pkgutil.iter_modules(locales.__path__):
        provider = importlib.import_module(f"{locales.__name__}.{module.name}").Provider
        for attribute in dir(provider):
            names = first if attribute.startswith("first_name") else last if attribute.startswith("last_name") else None
            values = getattr(provider, attribute) if names is not None else None
            if names is not None and isinstance(values, (tuple, list, dict)):
                names.update(fold(word) for value in values if isinstance(value, str) for word in _WORD.findall(value))
    return frozenset(name for name in first if len(name) > 1), frozenset(name for name in last if len(name) > 1)


def _words(language: str) -> dict[str, int]:
    from spellchecker import SpellChecker

    counts: dict[str, int] = SpellChecker(language=language, distance=1).word_frequency.dictionary
    return counts
