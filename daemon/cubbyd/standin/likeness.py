"""Answers by likeness: the examples that share the most of their telling words with a text speak for what they stand for.

So a "fine-tuned" model of the stand-in has really learned its lines, and a rehearsal has answers that depend on the mail.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from cubbyd.standin.answers import Guess, mail_in

NEIGHBORS: Final = 40
SHARPNESS: Final = 15.0
"""How much more a nearer example says than a farther one."""
DECISION: Final = 3.0
"""The power to which the voices are raised: at 1 the answers would be right as often, and never sure of anything."""
DOUBT: Final = 0.02
"""The voice that every choice has for nothing; it keeps a probability from being 0."""

_WORD: Final = re.compile(r"[^\W\d_]{2,}")


class Likeness(Guess):
    """Knows examples, and what each of them stands for."""

    def __init__(self, examples: Iterable[tuple[str, str]]) -> None:
        """Learn from pairs of a text and what it stands for."""
        counts = []
        self._meanings: list[str] = []
        for text, meaning in examples:
            counts.append(_features(text))
            self._meanings.append(meaning)
        frequency = Counter(word for count in counts for word in count)
        self._weights = {word: math.log(1 + len(counts) / number) for word, number in frequency.items()}
        self._index: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, count in enumerate(counts):
            for word, weight in self._vector(count).items():
                self._index[word].append((number, weight))

    @property
    def meanings(self) -> list[str]:
        """All that an answer can be, in the order in which it was met."""
        return list(dict.fromkeys(self._meanings))

    def probabilities(self, told: str, options: list[str]) -> dict[str, float]:
        """Give each option the share of the nearest examples' voices that it has."""
        allowed = set(options)
        ranked = sorted(self._similarities(told).items(), key=lambda item: -item[1])
        near = [(number, similarity) for number, similarity in ranked if self._meanings[number] in allowed][:NEIGHBORS]
        voices = dict.fromkeys(options, DOUBT)
        for number, similarity in near:
            voices[self._meanings[number]] += similarity * math.exp(SHARPNESS * (similarity - near[0][1]))
        raised = {option: voice**DECISION for option, voice in voices.items()}
        total = sum(raised.values())
        return {option: voice / total for option, voice in raised.items()}

    def alone(self, told: str, option: str) -> float:
        """Give the share of the voices that one option has among all that is known."""
        return self.probabilities(told, self.meanings).get(option, 0.0)

    def _similarities(self, told: str) -> Mapping[int, float]:
        sums: dict[int, float] = defaultdict(float)
        for word, weight in self._vector(_features(mail_in(told))).items():
            for number, other in self._index.get(word, ()):
                sums[number] += weight * other
        return sums

    def _vector(self, count: Mapping[str, int]) -> dict[str, float]:
        vector = {word: (1 + math.log(number)) * self._weights.get(word, 0.0) for word, number in count.items()}
        length = math.sqrt(sum(weight * weight for weight in vector.values())) or 1.0
        return {word: weight / length for word, weight in vector.items()}


def _features(text: str) -> Counter[str]:
    words = _WORD.findall(text.casefold())
    pairs = (f"{first} {second}" for first, second in pairwise(words))
    return Counter([*words, *pairs])
