"""Whole words and phrases in a text, however it is spelled: without case, in NFC, and never a part of a word.

A word is a run of letters, digits and underscores with the marks that combine with them; everything else stands between
words, so that "pick up" is found in "Pick-up!". Where a language is written without blanks, a run of it is one word here.

All phrases are looked for at once, in a tree of their words: the time grows with the text and the longest phrase, not with
the number of phrases, and no pattern is tried twice at one place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final

MAX_PHRASE_WORDS: Final = 12
"""Of one phrase; what is longer is a sentence, and never written twice the same way."""

_RUN = re.compile(r"\w+|[^\w\s]+")


def fold(text: str) -> str:
    """Give text as it is compared: without case (Unicode casefold, so that "STRASSE" is "Straße"), in NFC."""
    return text.casefold() if text.isascii() else unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def split_words(text: str) -> list[str]:
    """Give the words of a text, folded, in order. Linear in its length."""
    if text.isascii():
        return re.findall(r"\w+", text.casefold())
    words: list[str] = []
    pieces: list[str] = []  # of the word that is being read
    end = -1
    for run in _RUN.finditer(fold(text)):
        piece = run[0]
        if run.start() != end and pieces:
            words.append("".join(pieces))
            pieces = []
        end = run.end()
        if piece[0].isalnum() or piece[0] == "_":
            pieces.append(piece)
        elif pieces:  # marks such as the vowel signs of Hindi are no word characters to `re`, and belong to their letter
            marks = "".join(takewhile(_is_mark, piece))
            pieces.append(marks)
            if len(marks) < len(piece):
                words.append("".join(pieces))
                pieces = []
    return [*words, "".join(pieces)] if pieces else words


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M")


def normalize_phrase(text: str) -> str:
    """Give a phrase as its words with one blank between them; empty where it has no word."""
    return " ".join(split_words(text))


def contains_phrase(outer: str, inner: str) -> bool:
    """Tell whether every text with the normalized phrase `outer` has the normalized phrase `inner` too."""
    return f" {inner} " in f" {outer} "


class PhraseIndex:
    """A set of phrases, ready to be looked for in any number of texts; it never changes."""

    def __init__(self, phrases: Iterable[str]) -> None:
        """Take phrases in any spelling; one without a word is never found."""
        self._root: dict[str, _Node] = {}
        for phrase in phrases:
            words = split_words(phrase)
            if words:
                _add(self._root, words)

    def find(self, words: Sequence[str]) -> frozenset[str]:
        """Give the phrases, normalized, that stand in a text of these words (see split_words)."""
        found: set[str] = set()
        root = self._root
        for start, word in enumerate(words):
            node = root.get(word)
            place = start
            while node is not None:
                if node.phrase:
                    found.add(node.phrase)
                place += 1
                node = node.following.get(words[place]) if place < len(words) else None
        return frozenset(found)


class _Node:
    """A place in the tree of words: the phrase that ends here, if any, and the words that go on from here."""

    __slots__ = ("following", "phrase")

    def __init__(self) -> None:
        self.phrase = ""
        self.following: dict[str, _Node] = {}


def _add(root: dict[str, _Node], words: Sequence[str]) -> None:
    following = root
    node = None
    for word in words:
        node = following.setdefault(word, _Node())
        following = node.following
    if node is not None:
        node.phrase = " ".join(words)
