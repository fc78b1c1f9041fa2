"""What the name recognizer knows of words: lists of names (Faker) and of ordinary words (pyspellchecker), by language.

Both come as Python packages with permissive licenses and are loaded once, when the first mail is masked: one to three seconds
and some 130 MB. No list is complete; what each contributes is in docs/redaction.md.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

from cubbyd.errors import CubbydError
from cubbyd.redaction.roster import fold

LANGUAGES = ("en", "de", "es", "fr")
LISTED = 50
"""The count that pyspellchecker gives a word of its list that it never saw in its texts."""
WIDESPREAD = 2
"""In so many countries' lists a first name is a name even where it is typed in lower case."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class NamesMissing(CubbydError):
    """The lists of names are not installed; add them with: pip install 'cubbyd[redaction]'."""


@dataclass(frozen=True, slots=True, repr=False)
class Vocabulary:
    """Names, folded; ordinary words in lower case with their counts in a large corpus, by language."""

    first: frozenset[str] = frozenset()
    widespread: frozenset[str] = frozenset()
    """First names that several countries have."""
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
        first, last = _names("first_name"), _names("last_name")
        words = tuple((language, _words(language)) for language in LANGUAGES)
    except ImportError as error:
        raise NamesMissing from error
    widespread = frozenset(name for name, count in first.items() if count >= WIDESPREAD)
    return Vocabulary(first=frozenset(first), widespread=widespread, last=frozenset(last), words=words)


def _names(kind: str) -> Counter[str]:
    """Count in how many of Faker's countries a name occurs; its lists are class attributes, there is no other door to them."""
    import faker.providers.person as countries

    found: Counter[str] = Counter()
    for module in pkgutil.iter_modules(countries.__path__):
        provider = importlib.import_module(f"{countries.__name__}.{module.name}").Provider
        own: set[str] = set()
        for attribute in dir(provider):
            values = getattr(provider, attribute) if attribute.startswith(kind) else None
            if isinstance(values, (tuple, list, dict)):
                own.update(fold(word) for value in values if isinstance(value, str) for word in _WORD.findall(value))
        found.update(name for name in own if len(name) > 1)
    return found


def _words(language: str) -> dict[str, int]:
    from spellchecker import SpellChecker

    counts: dict[str, int] = SpellChecker(language=language, distance=1).word_frequency.dictionary
    return counts
