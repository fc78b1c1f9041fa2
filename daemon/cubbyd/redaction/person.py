r"""The name recognizer: which words of a text are names of people.

It knows no text by heart and needs no model. A word is judged by where it stands (after "Dear", "Mrs.", "my son"; alone on the
line below "Thanks"), by its case, by lists of names, and by not being an ordinary word of the language. What is found once is
found everywhere in the mail. The time is linear in the number of words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cubbyd.redaction.inflection import infinitives
from cubbyd.redaction.model import Finder, Kind, Span
from cubbyd.redaction.roster import fold
from cubbyd.redaction.vocabulary import LANGUAGES, LISTED, Vocabulary
from cubbyd.redaction.words import (
    ADDRESSEES,
    CALENDAR,
    CLOSINGS,
    DOINGS,
    FUNCTION_WORDS,
    GREETINGS,
    INSTITUTIONS,
    KIN,
    NAMING,
    NOT_NAMES,
    ORGANIZATION,
    PARTICLES,
    TITLES,
)

RARE = 3_000
"""A name that is less common as a word (the English corpus has 1.6 thousand million) is a name wherever it is capitalized."""
RARE_TYPED_LOW = 1_500
"""The same for one that is typed in lower case."""
EVERY_LANGUAGE = frozenset(LANGUAGES)
HARDLY_A_WORD = 750
"""A word less common than that, capitalized within a sentence of a language that does not capitalize nouns, is a name."""
SHORT_LINE_WORDS = 4
LONGEST_NAME_WORDS = 5
MIN_COMPOUND = 9
"""Letters of a German word that may be a compound of two that are in the list."""
LONGEST_NAME = 14
"""Letters of a name that is one word; a longer word that begins or ends with one that is listed is a compound too."""
MAX_CAPITALS = 5
"""Letters of an abbreviation: PTA, VPN, EFT."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*\.?(?:-[^\W\d_]+(?:['’][^\W\d_]+)*)*")
_SENTENCE_END = frozenset('.!?:;"“”„«»()[]{}•*-–—>|/…')
_SIGNS_BEFORE_NAME = tuple(".!?)")
_POSSESSIVES = ("'s", "’s", "'", "’")


@dataclass(slots=True, kw_only=True)
class Token:
    """One word of a text."""

    text: str
    start: int
    end: int
    folded: str
    lower: str
    line: int
    opens: bool
    """It begins a sentence, so that a capital says nothing."""
    adjacent: bool
    """A single blank, or a blank after an abbreviation's point, stands between it and the word before."""
    before: str
    """What stands between it and the word before, blanks aside."""
    previous: Token | None = None
    is_initial: bool = False
    """A capital and a point: "K. Stroud"."""

    @property
    def is_title(self) -> bool:
        """Tell whether it is a title with its point, which a name follows even on the next line."""
        return self.folded in TITLES and self.is_capitalized

    @property
    def is_capitalized(self) -> bool:
        """Tell whether it begins with a capital."""
        return self.text[0].isupper()

    @property
    def is_capitals(self) -> bool:
        """Tell whether it is written in capitals."""
        return len(self.text) > 1 and self.text.isupper()


def tokenize(text: str) -> list[Token]:
    """Cut a text into words with what stands around them."""
    tokens: list[Token] = []
    end, line = 0, 0
    for match in _WORD.finditer(text):
        word, start = match[0], match.start()
        word = word.removesuffix(".")
        for ending in _POSSESSIVES:
            if word.endswith(ending):
                word = word[: -len(ending)]
                break
        between = text[end:start]
        breaks = between.count("\n")
        line += breaks
        signs = between.strip()
        opens = not tokens or breaks > 0 or any(sign in _SENTENCE_END for sign in signs)
        lower = word.lower().replace("’", "'")
        adjacent = bool(tokens) and (between in (" ", ". ", ".", "\u00a0") or (breaks == 1 and tokens[-1].is_title))
        tokens.append(
            Token(
                text=word,
                start=start,
                end=start + len(word),
                folded=fold(word),
                lower=lower,
                line=line,
                opens=opens,
                adjacent=adjacent,
                before=signs,
                previous=tokens[-1] if tokens else None,
                is_initial=len(match[0]) == 2 and match[0][1] == "." and word.isupper(),  # noqa: PLR2004 - letter and point
            )
        )
        end = start + len(word)
    return tokens


class Recognizer:
    """Finds names in the texts of one mail; what it finds in one it knows in the others."""

    def __init__(self, vocabulary: Vocabulary, keep: frozenset[str], languages: frozenset[str]) -> None:
        """Take what is known of words; keep are folded words that are never names."""
        self.vocabulary = vocabulary
        self.keep = keep
        self.languages = languages
        self.found: dict[str, Kind] = {}
        """Folded words that are names in this mail."""

    def find(self, tokens: Sequence[Token]) -> Iterator[Span]:
        """Find the names in one text."""
        lines = _lines(tokens)
        marks: dict[int, tuple[Kind, Finder]] = {}
        for line in lines:
            shouting = _is_shouting(line)
            titled = _is_title_case(line)
            for place, token in enumerate(line):
                if judged := self._judge(line, place, titled=titled or shouting, shouting=shouting):
                    marks[token.start] = judged
        self._sign_offs(lines, marks)
        self._extend(tokens, marks)
        self._drop_institutions(tokens, marks)
        yield from self._spans(tokens, marks)

    # --- one word --------------------------------------------------------------------------------------------------

    def _judge(self, line: Sequence[Token], place: int, *, titled: bool, shouting: bool) -> tuple[Kind, Finder] | None:
        token = line[place]
        if len(token.text) == 1 and not self._is_initial(line, place):
            return None
        if self._is_kept(token):
            is_named = token.folded in CALENDAR and token.folded in self.vocabulary.first and token.is_capitalized
            cue = self._cue(line, place) if is_named else None  # "Dear April", "my daughter May"
            return (cue, Finder.CUE) if cue else None
        if token.folded in TITLES or token.folded in GREETINGS or token.folded in KIN or token.folded in CLOSINGS:
            return None
        if cue := self._cue(line, place):
            return cue, Finder.CUE
        if token.folded in FUNCTION_WORDS:
            return None
        count = self.count(token)
        first = token.folded in self.vocabulary.first
        if not token.is_capitalized:
            return (Kind.PERSON, Finder.NAMES) if self._is_name_typed_low(token, count) else None
        if shouting or token.is_capitals:
            return (Kind.PERSON, Finder.NAMES) if first and count <= RARE else None
        if self._is_name(token, count, first=first, titled=titled) or self._is_subject(line, place, first=first):
            return Kind.PERSON, Finder.NAMES
        return None

    def _is_name(self, token: Token, count: int, *, first: bool, titled: bool) -> bool:
        """Judge a capitalized word without a cue."""
        is_sure_capital = not token.opens and not titled and self.languages != {"de"}
        if first:
            return count <= RARE or (is_sure_capital and count <= 100 * RARE)
        if token.folded in self.vocabulary.last:
            return count <= LISTED or (is_sure_capital and count <= RARE)
        if not self.vocabulary.words or len(token.text) < 3:  # noqa: PLR2004 - "Ok", "Re"
            return False
        if is_sure_capital and count <= HARDLY_A_WORD:
            return not self._is_compound(token)
        return self._is_genitive(token) or (not self._is_known(token) and not self._is_compound(token))

    def _is_name_typed_low(self, token: Token, count: int) -> bool:
        """Judge a word in lower case: a name that is rare as a word, or such a name with the genitive's s ("theos mom")."""
        if len(token.text) <= 2 or count > RARE_TYPED_LOW or token.folded in PARTICLES:  # noqa: PLR2004 - "jo" may be anything
            return False
        if token.folded not in self.vocabulary.first:
            return self._is_genitive(token)
        return not ("es" in self.languages and self._is_spanish_verb(token))

    def _is_genitive(self, token: Token) -> bool:
        """Tell "theos" and "Harpers": a first name and an s, and no word of its own."""
        is_word = self.vocabulary.count(token.lower, EVERY_LANGUAGE)
        return token.folded.endswith("s") and token.folded[:-1] in self.vocabulary.first and not is_word

    def _is_subject(self, line: Sequence[Token], place: int, *, first: bool) -> bool:
        """Tell "Wren had two bites" and "Miles tripped": a rare word, or a name, that begins a sentence and does something."""
        token = line[place]
        if "en" not in self.languages or not token.opens or place + 1 >= len(line) or token.folded in ADDRESSEES:
            return False
        after = line[place + 1]
        does = after.lower in DOINGS or (after.lower.endswith("ed") and not after.is_capitalized)
        return does and after.adjacent and self.count(token) <= (100 * RARE if first else RARE)

    def _is_initial(self, line: Sequence[Token], place: int) -> bool:
        """Tell "Mia H." and "Ms. R." from "I"."""
        token = line[place]
        return (
            place > 0
            and token.adjacent
            and token.is_capitalized
            and line[place - 1].folded in TITLES
            and token.text not in "IAO"
        )

    def _is_kept(self, token: Token) -> bool:
        """Tell words that are never names: the configuration's, and those of the calendar, but for what a cue may make one."""
        return token.folded in self.keep or token.folded in NOT_NAMES or token.folded.replace("-", "") in self.keep

    def count(self, token: Token, languages: frozenset[str] | None = None) -> int:
        """Tell how ordinary a word is; of a hyphened one its least ordinary part, of a plural or genitive its base."""
        words, languages = self.vocabulary, languages or self.languages
        own = max(words.count(token.lower, languages), words.count(token.folded, languages))  # the Spanish list has no accents
        if own:
            return own
        if "-" in token.lower:
            return min((words.count(part, languages) for part in token.lower.split("-") if part), default=0)
        if token.lower.endswith("s") and (base := words.count(token.lower[:-1], languages)):
            return base
        return LISTED if "es" in languages and self._is_spanish_verb(token) else 0

    def _is_spanish_verb(self, token: Token) -> bool:
        spanish = frozenset(("es",))
        return any(self.vocabulary.count(verb, spanish) for verb in infinitives(token.folded))

    def _is_known(self, token: Token) -> bool:
        """Tell whether a word is in the list of any language; a mail in one has words of another."""
        return self.count(token, EVERY_LANGUAGE) > 0

    def _is_compound(self, token: Token) -> bool:
        """Tell a compound (Treehouse, Kitaplatz, Eingewöhnungszeit) of words in the list; in German an s may join them."""
        word = token.lower
        if len(word) < MIN_COMPOUND or not self.vocabulary.words:
            return False
        if len(word) >= LONGEST_NAME and (
            self._is_word(word[: LONGEST_NAME // 2]) or self._is_word(word[-LONGEST_NAME // 2 :])
        ):
            return True
        for cut in range(3, len(word) - 2):
            tail, head = word[cut:], word[:cut]
            if self._is_word(tail) and (self._is_word(head) or (head.endswith("s") and self._is_word(head[:-1]))):
                return True
            if self._is_common(head) and self._is_common(tail):
                return True
        return False

    def _is_word(self, word: str) -> bool:
        return len(word) > 2 and self.vocabulary.count(word, frozenset(("de",))) > 0  # noqa: PLR2004 - syllables

    def _is_common(self, word: str) -> bool:
        return self.vocabulary.count(word, frozenset(("en",))) > RARE

    # --- the words around ------------------------------------------------------------------------------------------

    def _cue(self, line: Sequence[Token], place: int) -> Kind | None:
        """Tell whether the words before say that this is a name, and whose."""
        token = line[place]
        before = token.previous
        if before is None or (token.folded in FUNCTION_WORDS and token.folded not in PARTICLES):
            return None
        if before.folded in TITLES and token.adjacent and self._is_titled(line, place):
            is_title = len(before.text) > 1 or before.text == "M"
            return Kind.PERSON if is_title and not self._is_everyday(token, 100 * RARE) else None
        if place == 0:
            return None
        relation = before.folded.rpartition("-")[2]  # great-granddaughter
        if relation in KIN and token.before in ("", ",", ":") and self._may_be_name(token):
            return KIN[relation]
        if self._is_naming(line, place) and (token.is_capitalized or self._may_be_name(token)):
            return Kind.PERSON
        return Kind.PERSON if self._is_greeted(line, place) else None

    def _is_titled(self, line: Sequence[Token], place: int) -> bool:
        """Judge a word after a title: capitalized, a particle ("Dr. van der Berg"), or a name typed low ("miss bea")."""
        token = line[place]
        return token.is_capitalized or self._is_particle(line, place) or token.folded in self.vocabulary.first

    def _is_particle(self, line: Sequence[Token], place: int) -> bool:
        """Tell "van" in "Dr. van der Berg"."""
        return line[place].folded in PARTICLES and place + 1 < len(line) and line[place + 1].adjacent

    def _may_be_name(self, token: Token) -> bool:
        """Judge a word after "my son": a capitalized one that is not everyday, or one in the lists."""
        if token.is_capitalized:
            return not self._is_everyday(token, RARE) or token.folded in self.vocabulary.first
        return token.folded in self.vocabulary.first and self.count(token) <= 70 * RARE

    def _is_everyday(self, token: Token, limit: int) -> bool:
        return token.folded in FUNCTION_WORDS or token.folded in ADDRESSEES or self.count(token) > limit

    def _is_naming(self, line: Sequence[Token], place: int) -> bool:
        """Tell "my name is X", "Name: X", "named X", "ich heiße X"."""
        back = place - 1
        if line[back].folded in ("is", "ist", "es", "est") and line[place].adjacent:
            back -= 1
            return back >= 0 and line[back].folded in NAMING
        return line[back].folded in NAMING and line[place].before in ("", ":", "=")

    def _is_greeted(self, line: Sequence[Token], place: int) -> bool:
        """Tell "Hi X," and "Good morning X and Y": at most four words from a greeting that opens its line."""
        token = line[place]
        if place > SHORT_LINE_WORDS or line[0].folded not in GREETINGS or not token.is_capitalized:
            return False
        if any("," in word.before or "." in word.before or "!" in word.before for word in line[2 : place + 1]):
            return False
        between = line[1:place]
        if not all(
            word.folded in GREETINGS | TITLES | {"and", "und", "y", "et", "again"} or word.is_capitalized for word in between
        ):
            return False
        return token.folded not in ADDRESSEES and token.folded not in GREETINGS and not self._is_everyday(token, 10 * RARE)

    def _sign_offs(self, lines: Sequence[Sequence[Token]], marks: dict[int, tuple[Kind, Finder]]) -> None:
        """Mark who signs: the short line below a closing, and a short line of capitalized words that stands alone."""
        for number, line in enumerate(lines[1:], start=1):
            above, below = lines[number - 1], lines[number + 1] if number + 1 < len(lines) else None
            if len(line) > SHORT_LINE_WORDS:
                continue
            closes = above[-1].folded in CLOSINGS or (above[0].folded in CLOSINGS and len(above) <= SHORT_LINE_WORDS)
            stands_off = line[0].line > above[-1].line + 1 or line[0].before.endswith(_SIGNS_BEFORE_NAME)
            is_alone = stands_off and (below is None or below[0].line > line[-1].line + 1)
            if closes and len(above) <= 2 * SHORT_LINE_WORDS:
                self._mark_signature(line, marks, 100 * RARE)
            elif is_alone and all(token.is_capitalized or token.folded in PARTICLES for token in line):
                self._mark_signature(line, marks, 10 * RARE)

    def _mark_signature(self, line: Sequence[Token], marks: dict[int, tuple[Kind, Finder]], limit: int) -> None:
        if any(token.folded in ORGANIZATION or token.folded in INSTITUTIONS for token in line):
            return
        for token in line:
            common = 10 * limit if token.folded in self.vocabulary.first else limit
            is_ordinary = self._is_kept(token) or self._is_everyday(token, common if token.is_capitalized else RARE)
            is_relation = token.folded in KIN or token.folded in TITLES or token.folded in GREETINGS or token.folded in CLOSINGS
            if token.start not in marks and not is_ordinary and not is_relation and len(token.text) > 1:
                marks[token.start] = (Kind.PERSON, Finder.CUE)

    def _extend(self, tokens: Sequence[Token], marks: dict[int, tuple[Kind, Finder]]) -> None:
        """Take the rest of a name with what was found of it: last name, particles, initials, a first name before."""
        for place, token in enumerate(tokens):
            if place == 0 or token.start in marks or not token.adjacent:
                continue
            before = tokens[place - 1]
            if before.start not in marks:
                continue
            if self._continues(token, tokens[place + 1] if place + 1 < len(tokens) else None):
                marks[token.start] = marks[before.start]
        for place in range(len(tokens) - 2, -1, -1):
            token, after = tokens[place], tokens[place + 1]
            if token.start not in marks and after.start in marks and after.adjacent and self._leads(token, after):
                marks[token.start] = marks[after.start]

    def _continues(self, token: Token, after: Token | None) -> bool:
        if token.folded in PARTICLES and after is not None:
            return after.adjacent and (after.is_capitalized or after.folded in PARTICLES)
        if token.is_initial:
            return True
        if self._is_kept(token) or token.folded in FUNCTION_WORDS:
            return False
        is_last = token.folded in self.vocabulary.last
        if token.is_capitalized:
            return self.count(token) <= (100 * RARE if is_last or "de" not in self.languages else 0)
        return is_last and self.count(token) <= RARE_TYPED_LOW and len(token.text) > 2  # noqa: PLR2004

    def _leads(self, token: Token, after: Token) -> bool:
        """Tell a first name before a last name: "Summer Hofmann", "K. Stroud"."""
        if token.is_initial:
            return True
        if not token.is_capitalized or not after.is_capitalized or self._is_kept(token) or token.folded in FUNCTION_WORDS:
            return False
        if token.folded in TITLES or token.folded in GREETINGS or token.folded in KIN or token.folded in ADDRESSEES:
            return False
        return token.folded in self.vocabulary.first or self.count(token) <= LISTED

    def _drop_institutions(self, tokens: Sequence[Token], marks: dict[int, tuple[Kind, Finder]]) -> None:
        """Unmark what the lists alone found before "Street" or "Elementary": a place or a firm."""
        for token in reversed(tokens):
            before = token.previous
            if token.is_capitalized and token.folded in INSTITUTIONS and token.adjacent and before is not None:
                while before is not None and before.start in marks and marks[before.start][1] is Finder.NAMES:
                    del marks[before.start]
                    before = before.previous if before.adjacent else None
                marks.pop(token.start, None)

    def _spans(self, tokens: Sequence[Token], marks: dict[int, tuple[Kind, Finder]]) -> Iterator[Span]:
        """Join the marked words of one name."""
        run: list[Token] = []
        for token in tokens:
            if token.start in marks:
                if run and not (token.adjacent and len(run) < LONGEST_NAME_WORDS):
                    yield self._name(run, marks)
                    run = []
                run.append(token)
            elif run:
                yield self._name(run, marks)
                run = []
        if run:
            yield self._name(run, marks)

    def _name(self, run: Sequence[Token], marks: dict[int, tuple[Kind, Finder]]) -> Span:
        kind, finder = marks[run[0].start]
        for token in run:
            if len(token.text) > 1 and token.folded not in PARTICLES:
                self.found.setdefault(token.folded, kind)
        return Span(start=run[0].start, end=run[-1].end, kind=kind, finder=finder, key=run[0].folded)


def _lines(tokens: Sequence[Token]) -> list[list[Token]]:
    lines: list[list[Token]] = []
    for token in tokens:
        if not lines or token.line != lines[-1][-1].line:
            lines.append([])
        lines[-1].append(token)
    return lines


def _is_shouting(line: Sequence[Token]) -> bool:
    long = [token for token in line if len(token.text) > 1]
    return len(long) > 1 and all(token.is_capitals for token in long)


def _is_title_case(line: Sequence[Token]) -> bool:
    """Tell a heading: three words or more with a capital, and hardly one without that is longer than "and"."""
    long = [token for token in line if len(token.text) > 3]  # noqa: PLR2004 - of, and, the
    capitalized = sum(token.is_capitalized for token in long)
    return len(long) > 1 and capitalized >= 0.7 * len(long)
