r"""The name recognizer: which words of a text are names of people.

It knows no text by heart and needs no model. A word is judged by where it stands (after "Dear", "Mrs.", "my son"; alone on the
line below "Thanks"), by its case, by lists of names, and by not being an ordinary word of the language. What is found once is
found everywhere in the mail. The time is linear in the number of words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from cubbyd.redaction.lexicon import COMMON, EVERYDAY, RARE, Lexicon
from cubbyd.redaction.model import Finder, Kind, Span
from cubbyd.redaction.token import Token, lines_of
from cubbyd.redaction.words import (
    ADDRESSEES,
    CLOSINGS,
    FUNCTION_WORDS,
    GREETINGS,
    HONORIFICS,
    INITIALS_THAT_ARE_WORDS,
    INSTITUTIONS,
    JOINING,
    KIN,
    NAMING,
    ORGANIZATION,
    PARTICLES,
    TITLES,
    WORDS_AND_NAMES,
)

RARE_TYPED_LOW = 1_500
"""A name that is less common as a word is a name even in lower case."""
HARDLY_A_WORD = 750
"""A word less common than that, capitalized within a sentence of a language that does not capitalize nouns, is a name."""
SHORT_LINE_WORDS = 4
LONGEST_NAME_WORDS = 6

_RELATIONS = TITLES | GREETINGS | frozenset(KIN) | CLOSINGS
_SIGNS_BEFORE_NAME = tuple(".!?)")
_SIGNS_AFTER_NAME = (":", "&", ",", "(")
_SIGNS_THAT_CUT = frozenset(",|(/:;•·–—-")

Marks = dict[int, tuple[Kind, Finder]]
"""Which words are names, by where they start: whose, and how that was told."""


class Recognizer:
    """Finds names in the texts of one mail; what it finds in one it knows in the others."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Take what is known of words."""
        self.lexicon = lexicon
        self.found: dict[str, Kind] = {}
        """Folded words that are names in this mail."""

    def find(self, tokens: Sequence[Token]) -> Iterator[Span]:
        """Find the names in one text."""
        marks: Marks = {}
        for token in tokens:
            if judged := self._judge(token):
                marks[token.start] = judged
        self._sign_offs(list(lines_of(tokens)), marks)
        self._join(tokens, marks)
        self._extend(tokens, marks)
        self._drop_institutions(tokens, marks)
        yield from self._spans(tokens, marks)

    # --- one word --------------------------------------------------------------------------------------------------

    def _judge(self, token: Token) -> tuple[Kind, Finder] | None:
        lexicon = self.lexicon
        if token.folded in _RELATIONS and not _follows_honorific(token):
            return None
        if lexicon.is_kept(token):
            is_titled = token.previous is not None and token.previous.folded in TITLES
            is_named = token.is_capitalized and (token.folded in lexicon.vocabulary.first or is_titled)
            cue = self._cue(token) if is_named else None  # "Dear April", "my daughter May", "Frau Freitag"
            return (cue, Finder.CUE) if cue else None
        if cue := self._cue(token):
            return cue, Finder.CUE
        if len(token.text) == 1:
            return None
        is_sure = lexicon.capitals_tell and token.is_capitalized and not token.opens and not token.titled
        if token.folded in WORDS_AND_NAMES and is_sure:
            return Kind.PERSON, Finder.NAMES
        if token.folded in FUNCTION_WORDS and not (token.folded in WORDS_AND_NAMES and token.acts):
            return None
        return (Kind.PERSON, Finder.NAMES) if self._is_name(token, is_sure=is_sure) else None

    def _is_name(self, token: Token, *, is_sure: bool) -> bool:
        """Judge a word by its case, the lists and its neighbors; is_sure says that its capital tells something."""
        lexicon, count = self.lexicon, self.lexicon.count(token)
        first = lexicon.is_first(token)
        if not token.is_capitalized:
            return self._is_name_typed_low(token, count, first=first)
        if token.is_capitals:
            return lexicon.is_widespread(token) and count <= RARE
        if self._is_subject(token, count, first=first):
            return True
        if first:
            if not lexicon.capitals_tell:
                return not count or lexicon.is_widespread(token)
            return count <= RARE or (is_sure and count <= EVERYDAY)
        if lexicon.is_last(token):
            return not count or (is_sure and count <= RARE)
        if not lexicon.vocabulary.words or len(token.text) < 3:  # noqa: PLR2004 - "Ok", "Re"
            return False
        if is_sure and lexicon.languages == {"en"} and 0 < count <= HARDLY_A_WORD:
            return not lexicon.is_compound(token)
        if token.opens and lexicon.languages <= {"es", "fr"}:
            return False  # their lists lack too many forms
        return lexicon.is_genitive(token) or not lexicon.is_known(token)

    def _is_name_typed_low(self, token: Token, count: int, *, first: bool) -> bool:
        """Judge a word in lower case: a name that is rare as a word, or such a name with the genitive's s ("theos mom")."""
        if len(token.text) <= 2 or count > RARE_TYPED_LOW or token.folded in PARTICLES:  # noqa: PLR2004 - "jo" may be anything
            return False
        if not first:
            return self.lexicon.is_genitive(token)
        if self.lexicon.languages != {"en"} and count:
            return False
        is_verb = "es" in self.lexicon.languages and self.lexicon.is_spanish_verb(token)
        return not is_verb and (not count or self.lexicon.is_widespread(token))

    def _is_subject(self, token: Token, count: int, *, first: bool) -> bool:
        """Tell "Wren had two bites", "Miles tripped", "Grace: cups": a rare word, or a name, that begins a sentence."""
        after = token.next
        if not token.opens or token.titled or after is None or token.folded in ADDRESSEES or "en" not in self.lexicon.languages:
            return False
        if first and count <= EVERYDAY and (token.is_possessive or token.after.startswith(_SIGNS_AFTER_NAME)):
            return True
        if token.folded in WORDS_AND_NAMES:
            return token.acts
        does = token.acts or (after.adjacent and after.lower.endswith("ed") and not after.is_capitalized)
        return does and count <= (EVERYDAY if first else RARE)

    # --- the words around ------------------------------------------------------------------------------------------

    def _cue(self, token: Token) -> Kind | None:
        """Tell whether the words around say that this is a name, and whose."""
        before = token.previous
        if before is None or (len(token.text) == 1 and not token.is_initial):
            return None
        if before.folded in TITLES and token.adjacent:
            return Kind.PERSON if self._is_titled(token, before) else None
        if token.is_capitalized and token.after.startswith("<"):
            return Kind.PERSON  # as in a quoted header: Jana Hofmann <jana@...>
        if token.place == 0 or len(token.text) == 1:
            return None
        relation = next((part for part in before.folded.split("-") if part in KIN), "")  # great-granddaughter, sister-in-law
        if relation and token.before in ("", ",", ":", "(") and self._may_be_name(token):
            return KIN[relation]
        if token.is_possessive and token.next is not None and token.next.folded in KIN and self._may_be_name(token):
            return Kind.PERSON
        if self._is_naming(token, before) and self._may_be_name(token):
            return Kind.PERSON
        return Kind.PERSON if self._is_greeted(token) else None

    def _is_titled(self, token: Token, title: Token) -> bool:
        """Judge a word after a title: capitalized, a particle ("Dr. van der Berg"), or a name typed low ("miss bea")."""
        if len(title.text) == 1 and (title.text != "M" or len(token.text) == 1):
            return False
        if _is_particle(token):
            return token.next is not None and token.next.adjacent and not token.ends_line
        if not token.is_capitalized and not self.lexicon.is_first(token):
            return False
        if token.is_initial or token.folded in WORDS_AND_NAMES:
            return True
        if title.folded in HONORIFICS:
            return token.folded not in FUNCTION_WORDS
        return not self._is_everyday(token, EVERYDAY)

    def _may_be_name(self, token: Token) -> bool:
        """Judge a word after "my son": a capitalized one that is not everyday, or one in the lists."""
        if token.folded in FUNCTION_WORDS and not (token.is_capitalized and token.folded in WORDS_AND_NAMES):
            return False
        if token.is_capitalized:
            return self.lexicon.is_first(token) or not self._is_everyday(token, RARE if self.lexicon.capitals_tell else 0)
        return token.folded in self.lexicon.vocabulary.first and self.lexicon.count(token) <= EVERYDAY

    def _is_everyday(self, token: Token, limit: int) -> bool:
        return token.folded in FUNCTION_WORDS or token.folded in ADDRESSEES or self.lexicon.count(token) > limit

    def _is_naming(self, token: Token, before: Token) -> bool:
        """Tell "my name is X", "Name: X", "named X", "ich heiße X"."""
        if before.folded in ("is", "ist", "es", "est", "are", "sind", "son", "sont") and token.adjacent:
            return before.previous is not None and before.previous.folded in NAMING
        return before.folded in NAMING and token.before in ("", ":", "=")

    def _is_greeted(self, token: Token) -> bool:
        """Tell "Hi X," and "Good morning X and Y": at most four words from a greeting that opens its line."""
        if token.place > SHORT_LINE_WORDS or not token.is_capitalized or token.folded in ADDRESSEES:
            return False
        word, signs = token, ""
        while word.place > 0 and word.previous is not None:
            signs += word.before if word.place > 1 else ""
            word = word.previous
            is_between = word.folded in GREETINGS or word.folded in TITLES or word.folded in JOINING or word.is_capitalized
            if not is_between:
                return False
        if word.folded not in GREETINGS or any(sign in signs for sign in ",.!?:"):
            return False
        if token.folded in WORDS_AND_NAMES:
            is_full = token.next is not None and token.next.adjacent and token.next.is_capitalized
            return token.after.startswith((",", "!", ":")) or token.ends_line or is_full
        return not self._is_everyday(token, EVERYDAY if self.lexicon.is_first(token) else COMMON)

    # --- several words ---------------------------------------------------------------------------------------------

    def _sign_offs(self, lines: Sequence[Sequence[Token]], marks: Marks) -> None:
        """Mark who signs: the short line below a closing, and a short line of capitalized words that stands alone."""
        for number, line in enumerate(lines[1:], start=1):
            above, below = lines[number - 1], lines[number + 1] if number + 1 < len(lines) else None
            signed = list(takewhile(lambda token: token.place == 0 or not _SIGNS_THAT_CUT & set(token.before), line))
            if len(signed) > SHORT_LINE_WORDS:
                continue
            closes = above[-1].folded in CLOSINGS or (above[0].folded in CLOSINGS and len(above) <= SHORT_LINE_WORDS)
            stands_off = line[0].line > above[-1].line + 1 or line[0].before.endswith(_SIGNS_BEFORE_NAME)
            is_last = below is None or below[0].line > line[-1].line + 1
            is_full_name = len(signed) > 1 and self.lexicon.is_first(signed[0]) and not self.lexicon.is_kept(signed[0])
            is_alone = stands_off and (is_last or is_full_name)
            capitalized = all(token.is_capitalized or token.folded in PARTICLES for token in signed)
            is_closed = closes and len(above) <= 2 * SHORT_LINE_WORDS
            if is_closed or (is_alone and capitalized):
                self._mark_signature(signed, marks, is_closed=is_closed)

    def _mark_signature(self, signed: Sequence[Token], marks: Marks, *, is_closed: bool) -> None:
        """Mark the words of a signature where one of them is a name, or the only one is no everyday word."""
        lexicon = self.lexicon
        if any(token.folded in ORGANIZATION or token.folded in INSTITUTIONS for token in signed):
            return
        telling = [token for token in signed if token.folded not in _RELATIONS and not lexicon.is_kept(token)]
        is_signed = any(
            lexicon.is_first(token) or lexicon.is_last(token) or lexicon.count(token) <= HARDLY_A_WORD for token in telling
        )
        is_one = (
            is_closed and len(telling) == 1 and not self._is_everyday(telling[0], COMMON if telling[0].is_capitalized else RARE)
        )
        for token in telling if is_signed or is_one else ():
            limit = EVERYDAY if token.is_capitalized else RARE
            if token.folded in WORDS_AND_NAMES or (len(token.text) > 1 and not self._is_everyday(token, limit)):
                marks.setdefault(token.start, (Kind.PERSON, Finder.CUE))

    def _join(self, tokens: Sequence[Token], marks: Marks) -> None:
        """Mark the other one in "Mia and Wren", "Hunter & Mary Kate"."""
        for token in tokens:
            joint = token.previous
            if joint is None or joint.previous is None:
                continue
            one, other = joint.previous, token
            if token.before == "," and token.ends_line and self._is_partner(token):
                one = joint  # "Name: Kim, Penny"
            elif "&" in token.before:
                one = joint
            elif joint.folded not in JOINING or not token.adjacent or not joint.adjacent:
                continue
            if one.start in marks and other.start not in marks and self._is_partner(other):
                marks[other.start] = marks[one.start]
            elif other.start in marks and one.start not in marks and self._is_partner(one):
                marks[one.start] = marks[other.start]

    def _is_partner(self, token: Token) -> bool:
        if not token.is_capitalized or token.titled or self.lexicon.is_kept(token) or token.folded in _RELATIONS:
            return False
        if token.folded in WORDS_AND_NAMES:
            return not token.opens
        if self.lexicon.is_first(token):
            return not self._is_everyday(token, EVERYDAY)
        is_rare = self.lexicon.capitals_tell and not self._is_everyday(token, RARE)
        return len(token.text) > 1 and (is_rare or not self.lexicon.is_known(token))

    def _extend(self, tokens: Sequence[Token], marks: Marks) -> None:
        """Take the rest of a name with what was found of it: last name, particles, initials, a first name before."""
        for token in tokens:
            before = token.previous
            if before is None or token.start in marks or not token.adjacent:
                continue
            if before.start in marks and self._continues(token, before):
                marks[token.start] = marks[before.start]
            elif self._are_initials(before, token):
                marks[before.start] = marks[token.start] = (Kind.PERSON, Finder.NAMES)
        for token in reversed(tokens):
            before = token.previous
            if before is None or token.start not in marks or before.start in marks or not token.adjacent:
                continue
            if self._leads(before, token):
                marks[before.start] = marks[token.start]

    def _continues(self, token: Token, before: Token) -> bool:
        lexicon = self.lexicon
        if _is_particle(token) and not token.ends_line and token.next is not None:
            return token.next.adjacent and (token.next.is_capitalized or token.next.folded in PARTICLES)
        if token.is_initial:
            return True
        if lexicon.is_kept(token) or token.folded in FUNCTION_WORDS:
            return False
        if token.folded in _RELATIONS and not lexicon.is_last(token):
            return False
        count = lexicon.count(token)
        if not token.is_capitalized:
            return lexicon.is_last(token) and count <= RARE_TYPED_LOW and len(token.text) > 2  # noqa: PLR2004
        if token.titled or not lexicon.capitals_tell:
            return not count or lexicon.is_last(token)
        follows_first = lexicon.count(before) <= RARE and (lexicon.is_first(before) or not lexicon.is_known(before))
        return follows_first or count <= (EVERYDAY if lexicon.is_last(token) else COMMON)

    def _are_initials(self, one: Token, other: Token) -> bool:
        """Tell "J.T.", as a child may be called, from "U.S." and "P.M."."""
        return one.is_initial and other.is_initial and one.folded + other.folded not in INITIALS_THAT_ARE_WORDS

    def _leads(self, token: Token, after: Token) -> bool:
        """Tell a first name before a last name: "Summer Hofmann", "K. Stroud"."""
        if token.is_initial or (_is_particle(token) and token.is_capitalized):
            return True
        if not token.is_capitalized or not after.is_capitalized or self.lexicon.is_kept(token):
            return False
        if token.folded in FUNCTION_WORDS or token.folded in _RELATIONS or token.folded in ADDRESSEES:
            return False
        if not self.lexicon.capitals_tell:
            return self.lexicon.is_first(token) or not self.lexicon.count(token)
        return self.lexicon.is_first(token) or self.lexicon.count(token) <= HARDLY_A_WORD

    def _drop_institutions(self, tokens: Sequence[Token], marks: Marks) -> None:
        """Unmark what the lists alone found before "Street" or "Elementary": a place or a firm."""
        for token in reversed(tokens):
            before = token.previous
            if not token.is_capitalized or token.folded not in INSTITUTIONS or not token.adjacent or before is None:
                continue
            if self.lexicon.is_widespread(before) or not self.lexicon.is_known(before):
                continue  # "Khalid Church" is a person
            while before is not None and before.start in marks and marks[before.start][1] is Finder.NAMES:
                marks.pop(token.start, None)
                del marks[before.start]
                before = before.previous if before.adjacent else None

    # --- spans -----------------------------------------------------------------------------------------------------

    def _spans(self, tokens: Sequence[Token], marks: Marks) -> Iterator[Span]:
        """Join the marked words of one name."""
        run: list[Token] = []
        for token in tokens:
            if run and not (token.start in marks and token.adjacent and len(run) < LONGEST_NAME_WORDS):
                yield self._name(run, marks)
                run = []
            if token.start in marks:
                run.append(token)
        if run:
            yield self._name(run, marks)

    def _name(self, run: Sequence[Token], marks: Marks) -> Span:
        kind, finder = marks[run[0].start]
        for token in run:
            if len(token.text) > 1 and token.folded not in PARTICLES:
                self.found.setdefault(token.folded, kind)
        return Span(start=run[0].start, end=run[-1].end, kind=kind, finder=finder, key=run[0].folded)


def _is_particle(token: Token) -> bool:
    """Tell what joins the words of one name: van der Berg, de la Cruz, Ó Briain, Puig i Ferrer."""
    return token.folded in PARTICLES or token.text in ("Ó", "i")


def _follows_honorific(token: Token) -> bool:
    """Tell "Ms. Love" from a closing."""
    return token.adjacent and token.previous is not None and token.previous.folded in HONORIFICS and token.is_capitalized
