"""Words of a text, with what stands around each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cubbyd.redaction.roster import fold
from cubbyd.redaction.words import DOINGS, TITLES

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*\.?(?:-[^\W\d_]+(?:['’][^\W\d_]+)*)*")
_SENTENCE_END = frozenset('.!?:;"“”„«»()[]{}•*-–—>|/…&')
_POSSESSIVES = ("'s", "’s", "'", "’")
_ELIDED = re.compile(r"[^\W\d_]{1,2}['’][A-ZÀ-ÖØ-Þ]")
_HEADING_SHARE = 0.7


@dataclass(slots=True, kw_only=True, eq=False)
class Token:
    """One word of a text, without a genitive's 's."""

    text: str
    start: int
    end: int
    folded: str
    lower: str
    line: int
    opens: bool
    """It begins a sentence or follows a sign, so that a capital says nothing."""
    adjacent: bool
    """A single blank, or a blank after an abbreviation's point, stands between it and the word before."""
    before: str
    """What stands between it and the word before, blanks aside."""
    is_initial: bool
    """A capital and a point: "K. Stroud"."""
    is_possessive: bool
    previous: Token | None = None
    next: Token | None = None
    place: int = 0
    """In its line, from 0."""
    titled: bool = False
    """Its line is a heading, or all in capitals: capitals say nothing."""
    shouting: bool = False
    """Its line is all in capitals."""

    @property
    def is_capitalized(self) -> bool:
        """Tell whether it begins with a capital, an elided article aside (d'Aubigné)."""
        return self.text[0].isupper() or bool(_ELIDED.match(self.text))

    @property
    def is_capitals(self) -> bool:
        """Tell whether it is written in capitals."""
        return len(self.text) > 1 and self.text.isupper()

    @property
    def after(self) -> str:
        """What stands between it and the next word, blanks aside; a line's end counts as nothing."""
        return self.next.before if self.next is not None and self.next.line == self.line else ""

    @property
    def acts(self) -> bool:
        """Tell whether a verb follows that only people are followed by: "Will has a cough"."""
        return self.next is not None and self.next.adjacent and self.next.lower in DOINGS

    @property
    def ends_line(self) -> bool:
        """Tell whether it is the last word of its line."""
        return self.next is None or self.next.line != self.line


def tokenize(text: str) -> list[Token]:
    """Cut a text into words."""
    tokens: list[Token] = []
    end, line = 0, 0
    for match in _WORD.finditer(text):
        word = match[0].removesuffix(".")
        ending = next((ending for ending in _POSSESSIVES if word.endswith(ending)), "")
        word = word[: len(word) - len(ending)]
        previous = tokens[-1] if tokens else None
        between = text[end : match.start()]
        breaks = between.count("\n")
        line += breaks
        signs = between.strip()
        token = Token(
            text=word,
            start=match.start(),
            end=match.start() + len(word),
            folded=fold(word),
            lower=word.lower().replace("’", "'"),
            line=line,
            opens=previous is None or breaks > 0 or any(sign in _SENTENCE_END for sign in signs),
            adjacent=previous is not None and _is_adjacent(previous, between),
            before=signs,
            is_initial=len(match[0]) == 2 and match[0][1] == "." and word.isupper(),  # noqa: PLR2004 - letter and point
            is_possessive=bool(ending),
            previous=previous,
            place=0 if breaks or previous is None else previous.place + 1,
        )
        if previous is not None:
            previous.next = token
        tokens.append(token)
        end = token.end
    for words in lines_of(tokens):
        _look_at_line(words)
    return tokens


def _is_adjacent(previous: Token, between: str) -> bool:
    if between in (" ", "\u00a0"):
        return True
    is_short = previous.is_initial or previous.folded in TITLES or previous.folded in ("st", "ste")
    return is_short and (
        between in (". ", ".") or (previous.folded in TITLES and between.strip() in ("", ".") and between.count("\n") == 1)
    )


def lines_of(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Give the words line by line; lines without a word are passed over."""
    line: list[Token] = []
    for token in tokens:
        if line and token.line != line[0].line:
            yield line
            line = []
        line.append(token)
    if line:
        yield line


def _look_at_line(words: Sequence[Token]) -> None:
    """Tell a heading (hardly a longer word without a capital) and a line that shouts."""
    longer = [token for token in words if len(token.text) > 1]
    shouting = len(longer) > 1 and all(token.is_capitals for token in longer)
    telling = [token for token in words if len(token.text) > 3]  # noqa: PLR2004 - of, and, the
    capitalized = sum(token.is_capitalized for token in telling)
    titled = shouting or (len(telling) > 1 and capitalized >= _HEADING_SHARE * len(telling))
    for token in words:
        token.titled, token.shouting = titled, shouting
