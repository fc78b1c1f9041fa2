"""How ordinary a word is, and whether it is a name, in the languages that a mail may be in."""

from __future__ import annotations

from dataclasses import dataclass, field

from cubbyd.redaction.inflection import english_bases, infinitives
from cubbyd.redaction.token import Token
from cubbyd.redaction.vocabulary import LANGUAGES, LISTED, Vocabulary
from cubbyd.redaction.words import CALENDARS, NOT_NAMES

RARE = 3_000
"""A name that is less common as a word (the English corpus has 1.6 thousand million) is a name wherever it is capitalized."""
COMMON = 30_000
EVERYDAY = 300_000

EVERY_LANGUAGE = frozenset(LANGUAGES)
_ENGLISH, _GERMAN, _SPANISH = frozenset(("en",)), frozenset(("de",)), frozenset(("es",))

_SHORTEST_COMPOUND = 8
_SHORTEST_PART = 3
_SHORTEST_PLAIN_PART = 4
_LONGEST_NAME = 12
"""Letters; a longer word that begins or ends with half as many that are listed is a compound."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The vocabulary as one mail needs it."""

    vocabulary: Vocabulary
    keep: frozenset[str]
    """Folded words that are never names here."""
    languages: frozenset[str]
    _counted: dict[tuple[str, frozenset[str]], int] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The words of a mail recur, and each is asked for several times."""

    @property
    def capitals_tell(self) -> bool:
        """Tell whether a capital within a sentence tells a name: not in German, where every noun has one."""
        return self.languages != _GERMAN

    def is_kept(self, token: Token) -> bool:
        """Tell words that stay: the configuration's, products, places, and the calendar of the mail's languages."""
        words = set(token.folded.split("-")) - {""}
        calendar = any(words <= CALENDARS[language] for language in self.languages | _ENGLISH)
        return calendar or token.folded in self.keep or token.folded in NOT_NAMES

    def is_first(self, token: Token) -> bool:
        """Tell a first name; of a hyphened one any part counts."""
        return token.folded in self.vocabulary.first or any(part in self.vocabulary.first for part in _parts(token))

    def is_widespread(self, token: Token) -> bool:
        """Tell a first name that several countries have."""
        return token.folded in self.vocabulary.widespread or any(part in self.vocabulary.widespread for part in _parts(token))

    def is_last(self, token: Token) -> bool:
        """Tell a last name; of a hyphened one any part counts."""
        return token.folded in self.vocabulary.last or any(part in self.vocabulary.last for part in _parts(token))

    def count(self, token: Token, languages: frozenset[str] | None = None) -> int:
        """Tell how ordinary a word is; of a hyphened one its least ordinary part, of a plural or genitive its base."""
        languages = languages or self.languages
        key = (token.lower, languages)
        if key not in self._counted:
            self._counted[key] = self._count(token, languages)
        return self._counted[key]

    def _count(self, token: Token, languages: frozenset[str]) -> int:
        words = self.vocabulary
        own = max(words.count(token.lower, languages), words.count(token.folded, languages))  # the Spanish list has no accents
        if own:
            return own
        if parts := _parts(token):
            return min(words.count(part, languages) for part in parts)
        if base := max((words.count(base, languages) for base in english_bases(token.lower)), default=0):
            return base
        return LISTED if "es" in languages and self.is_spanish_verb(token) else 0

    def is_known(self, token: Token) -> bool:
        """Tell whether a word is in the list of any language, or made of such: a mail in one language has words of another."""
        return any(self.count(token, frozenset((language,))) for language in LANGUAGES) or self.is_compound(token)

    def is_spanish_verb(self, token: Token) -> bool:
        """Tell a form of a Spanish verb."""
        return any(self.vocabulary.count(verb, _SPANISH) for verb in infinitives(token.folded))

    def is_genitive(self, token: Token) -> bool:
        """Tell "theos" and "Harpers": a widespread first name and an s, and no word of its own."""
        is_word = self.vocabulary.count(token.lower, EVERY_LANGUAGE)
        return token.folded.endswith("s") and token.folded[:-1] in self.vocabulary.widespread and not is_word

    def is_compound(self, token: Token) -> bool:
        """Tell a compound (Treehouse, Kitaplatz, Eingewöhnungszeit) of words in the list; in German an s may join them."""
        word = token.lower
        if len(word) < _SHORTEST_COMPOUND or not self.vocabulary.words:
            return False
        half = _LONGEST_NAME // 2
        if len(word) >= _LONGEST_NAME and (self._is_german(word[:half]) or self._is_german(word[-half:])):
            return True
        return any(self._is_made_of(word[:cut], word[cut:]) for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1))

    def _is_made_of(self, head: str, tail: str) -> bool:
        if self._is_german(tail) and (self._is_german(head) or self._is_german(head.removesuffix("s"))):
            return min(len(head), len(tail)) >= _SHORTEST_PLAIN_PART or max(len(head), len(tail)) > _SHORTEST_PLAIN_PART
        return all(len(part) >= _SHORTEST_PLAIN_PART and self.vocabulary.count(part, _ENGLISH) > RARE for part in (head, tail))

    def _is_german(self, word: str) -> bool:
        return len(word) >= _SHORTEST_PART and self.vocabulary.count(word, _GERMAN) > 0


def _parts(token: Token) -> list[str]:
    return [part for part in token.folded.split("-") if part] if "-" in token.folded else []
