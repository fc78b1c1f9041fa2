"""Names that are known before the text is read: those of the roster, and those in the mail's own header.

Both are looked up word by word in the folded text, so that case and accents do not matter; and both are looked for once more
after masking, by other code, in `leaks_in`: what is still there must not leave.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cubbyd.message.model import Address
from cubbyd.redaction.lexicon import RARE, Lexicon
from cubbyd.redaction.model import Finder, Kind, Span
from cubbyd.redaction.roster import Roster, fold
from cubbyd.redaction.token import Token, tokenize
from cubbyd.redaction.words import CALENDAR, CALENDAR_CONTEXT, FUNCTION_WORDS, GREETINGS, KIN, ORGANIZATION, PARTICLES, TITLES

LONGEST_NAME_WORDS = 6
MAX_ADDRESSES = 50
"""Addresses of a header whose names are looked for."""

_LETTERS = re.compile(r"[^\W\d_]+")
_LOCAL_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Known:
    """The names that are known for one mail."""

    roster: Roster
    header: Mapping[str, str] = field(default_factory=dict)
    """Folded words of names in the header, and whose they are."""
    addresses: tuple[str, ...] = ()
    """Its e-mail addresses, lower case."""

    def find(self, tokens: Sequence[Token], lexicon: Lexicon) -> Iterator[Span]:
        """Find the known names; runs of one source that follow one another are one name."""
        place, done = 0, 0
        while place < len(tokens):
            finder = self._finder(tokens, place, lexicon)
            if finder is None:
                place += 1
                continue
            start, end = place, place + 1
            while start > done and tokens[start].adjacent and self._belongs(tokens[start - 1], finder):
                start -= 1
            while end < len(tokens) and end - start < LONGEST_NAME_WORDS and tokens[end].adjacent:
                if not self._belongs(tokens[end], finder):
                    break
                end += 1
            yield self._span(tokens[start:end], finder)
            place = done = end

    def _finder(self, tokens: Sequence[Token], place: int, lexicon: Lexicon) -> Finder | None:
        token = tokens[place]
        words = _forms(token)
        for names, finder in ((self.roster.parts, Finder.ROSTER), (self.header, Finder.HEADER)):
            if any(word in names for word in words) and is_meant(token, lexicon, is_first=self.is_first(words)):
                return finder
        return None

    def _belongs(self, token: Token, finder: Finder) -> bool:
        """Tell whether a word that follows a known name is another word of one: then it is meant, however ordinary."""
        names = self.roster.parts if finder is Finder.ROSTER else self.header
        return (token.is_capitalized or token.folded not in FUNCTION_WORDS) and any(word in names for word in _forms(token))

    def is_first(self, words: Iterable[str]) -> bool:
        """Tell whether a word is the first of a known name, and not a last name alone."""
        return any(word in self.roster.first or word in self.header for word in words)

    def _span(self, run: Sequence[Token], finder: Finder) -> Span:
        kind, key = Kind.PERSON, run[0].folded
        if finder is Finder.ROSTER:
            words = [next((word for word in _forms(token) if word in self.roster.parts), "") for token in run]
            kind, key = self.roster.identify([word for word in words if word])
        else:
            key = next((self.header[word] for word in _forms(run[0]) if word in self.header), key)
        return Span(start=run[0].start, end=run[-1].end, kind=kind, finder=finder, key=key)


def _forms(token: Token) -> tuple[str, ...]:
    """Give what a word may be a form of: itself, its parts at hyphens, without the genitive's s ("Mias")."""
    forms = [token.folded]
    if "-" in token.folded:
        forms += [part for part in token.folded.split("-") if len(part) > 1]
    if token.folded.endswith("s") and len(token.folded) > 3:  # noqa: PLR2004 - "as", "his"
        forms.append(token.folded[:-1])
    return tuple(forms)


def is_meant(token: Token, lexicon: Lexicon, *, is_first: bool = True) -> bool:
    """Tell a known name from the ordinary word that it also is: "Will" from "will", "May" from "in May", "Day" from "Day 1".

    A last name that is an ordinary word counts where its capital tells something; elsewhere the recognizer finds it beside a
    title or a first name.
    """
    if token.folded in CALENDAR:
        before, after = token.previous, token.next
        is_date = token.before[-1:].isdigit() or token.after[:1].isdigit() or (after is not None and after.before[:1].isdigit())
        in_date = before is not None and token.adjacent and before.folded in CALENDAR_CONTEXT
        return token.is_capitalized and is_first and not is_date and not in_date
    is_word = token.folded in FUNCTION_WORDS or token.folded in GREETINGS or token.folded in KIN
    if not token.is_capitalized:
        return len(token.text) > 2 and not is_word and lexicon.count(token) <= RARE  # noqa: PLR2004 - "an", "jo"
    if not (is_word or lexicon.count(token) > RARE):
        return True
    says_nothing = token.opens or token.titled or not lexicon.capitals_tell
    if is_first:
        return not (says_nothing and is_word) or token.acts or token.ends_line or token.after.startswith((",", ":", "&", "!"))
    return not says_nothing


def know(roster: Roster, people: Iterable[Address], lexicon: Lexicon) -> Known:
    """Gather what is known for one mail: the roster, and the names and addresses in its header."""
    words: dict[str, str] = {}
    addresses: list[str] = []
    for address in list(people)[:MAX_ADDRESSES]:
        own = _words_of_display_name(address.name, lexicon) | _words_of_local_part(address.address, lexicon)
        for word in own:
            words[word] = word if word in words else f"header {address.name or address.address}"
        if address.address:
            addresses.append(address.address.lower())
    return Known(roster, words, tuple(addresses))


def _words_of_display_name(name: str, lexicon: Lexicon) -> set[str]:
    """Take the words of a person's name; those of an office, a firm or a service are none."""
    tokens = [token for token in tokenize(name[:200]) if token.folded not in PARTICLES and len(token.text) > 1]
    if any(token.folded in ORGANIZATION for token in tokens):
        return set()
    named = [
        token
        for token in tokens
        if token.folded not in TITLES and token.folded not in KIN and token.folded not in FUNCTION_WORDS
    ]
    listed = any(lexicon.is_first(token) or not lexicon.count(token) for token in named)
    return {token.folded for token in named} if listed else set()


def _words_of_local_part(address: str, lexicon: Lexicon) -> set[str]:
    """Take the names out of "anna.hofmann82@": words in the lists of names."""
    words = [fold(word) for word in _LOCAL_WORD.findall(address.partition("@")[0])]
    if any(word in ORGANIZATION for word in words):
        return set()
    vocabulary = lexicon.vocabulary
    return {
        word
        for word in words
        if word in vocabulary.first or (word in vocabulary.last and not vocabulary.count(word, lexicon.languages))
    }


# --- the last check --------------------------------------------------------------------------------------------------


def leaks_in(texts: Iterable[str], known: Known, lexicon: Lexicon) -> tuple[str, ...]:
    """Look through masked texts, placeholders taken out, for what must not be there; say it without naming it."""
    leaks: set[str] = set()
    full_names = [" ".join(fold(person.name).split()) for person in known.roster.people]
    full_names = [name for name in full_names if " " in name]
    for text in texts:
        lowered = text.lower()
        if any(address in lowered for address in known.addresses):
            leaks.add("an address of the header")
        folded = f" {' '.join(_LETTERS.findall(fold(text)))} "
        if any(f" {name} " in folded for name in full_names):
            leaks.add("a name of the roster")
        for token in tokenize(text):
            is_known = token.folded in known.roster.parts or token.folded in known.header
            if is_known and is_meant(token, lexicon, is_first=known.is_first([token.folded])):
                leaks.add("a name of the roster" if token.folded in known.roster.parts else "a name of the header")
    return tuple(sorted(leaks))
