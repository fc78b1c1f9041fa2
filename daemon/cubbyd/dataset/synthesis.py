"""Synthetic examples, without a model: how many are wanted, what each is asked to be, and which answers are dropped."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cubbyd.dataset.example import Example
from cubbyd.dataset.growing import text_key
from cubbyd.dataset.near import ALIKE, HASHES, Signatures, sign
from cubbyd.taxonomy import CategoryId

PERSONAS: Final = (
    "a mother in a hurry", "a father who is new here", "a grandmother", "a foster parent", "a parent who works nights",
    "an au pair", "a parent who writes the language as a second one", "a separated father", "a parent of twins",
    "a neighbor who helps out", "a firm that delivers", "a parent who has been here for years",
)  # fmt: skip
LENGTHS: Final = ("one sentence", "two or three sentences", "a short paragraph", "two paragraphs", "a few clipped words")
TONES: Final = (
    "friendly", "worried", "matter-of-fact", "annoyed", "apologetic", "chatty", "formal", "typed on a phone, with slips",
)  # fmt: skip
SEEDS: Final = 3
"""Examples that are shown with each request."""
FEWEST_WORDS: Final = 3

_PLACEHOLDER: Final = re.compile(r"\[[A-Z]{2,12}_[0-9]{1,4}\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one category lacks."""

    category: CategoryId
    real: int
    synthetic: int
    missing: int
    """How many are to be written."""
    capped: int = 0
    """How many more the wanted count would take, were the share of synthetic ones not limited."""


def count_wanted(examples: Iterable[Example], categories: Sequence[CategoryId], to: int, most: float) -> list[Wanted]:
    """Say what each category lacks to the count `to`, so that synthetic ones are at most the share `most` (0 to 1) of it."""
    real: Counter[CategoryId] = Counter()
    synthetic: Counter[CategoryId] = Counter()
    for example in examples:
        (synthetic if example.is_synthetic else real).update(example.labels)
    found = []
    for category in categories:
        lacks = max(0, to - real[category] - synthetic[category])
        room = max(0, int(most * real[category] / (1 - most) + 1e-9) - synthetic[category])
        missing = min(lacks, room)
        counts = {"real": real[category], "synthetic": synthetic[category]}
        found.append(Wanted(category=category, **counts, missing=missing, capped=lacks - missing))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What one synthetic mail is asked to be."""

    category: CategoryId
    persona: str
    length: str
    tone: str
    seeds: tuple[Example, ...]
    """Real examples of the category; they are masked before they leave."""


def draw_brief(category: CategoryId, real: Sequence[Example], seed: int, number: int) -> Brief:
    """Draw who writes, how long and how; the same for the same seed, category and number. real must not be empty."""
    draw = random.Random(f"{seed} {category} {number}")  # noqa: S311  (variety, no secret)
    return Brief(
        category=category,
        persona=draw.choice(PERSONAS),
        length=draw.choice(LENGTHS),
        tone=draw.choice(TONES),
        seeds=tuple(draw.sample(list(real), min(SEEDS, len(real)))),
    )


class Known:
    """The texts that there are, to compare a new one with. 512 bytes a text."""

    def __init__(self, examples: Iterable[Example]) -> None:
        """Take what is there."""
        self._keys: set[str] = set()
        self._signatures: Signatures = np.zeros((1024, HASHES), dtype=np.uint32)
        self._count = 0
        for example in examples:
            self.add(example)

    def add(self, example: Example) -> None:
        """Remember one more."""
        if self._count == len(self._signatures):
            self._signatures = np.concatenate([self._signatures, np.zeros_like(self._signatures)])
        self._signatures[self._count] = sign(f"{example.subject} {example.body}")
        self._count += 1
        self._keys.add(text_key(example))

    def fault(self, example: Example) -> str:
        """Say why a text is of no use whatever it is about: too short, a placeholder left, said before. Empty where it is."""
        text = f"{example.subject} {example.body}"
        if len(text.split()) < FEWEST_WORDS:
            return "too short"
        if _PLACEHOLDER.search(text):
            return "a placeholder of masking is left in it"
        if text_key(example) in self._keys:
            return "a duplicate"
        if self._count and (self._signatures[: self._count] == sign(text)).mean(axis=1).max() >= ALIKE:
            return "a near-duplicate"
        return ""
