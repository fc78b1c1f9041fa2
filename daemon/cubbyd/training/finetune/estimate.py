"""A training file held against what vendors take, and what it will cost; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cubbyd.classify.hosted.paid import BYTES_PER_TOKEN
from cubbyd.taxonomy import CategoryId
from cubbyd.training.finetune.lesson import Lesson

FEWEST_LINES: Final = 10
"""The API refuses a job with fewer; its documentation sees gains from 50 to 100."""
HELPFUL_LINES: Final = 50
LARGEST_FILE: Final = 512 * 1024 * 1024
"""Bytes, as the SDK's documentation of files.create has it."""
FEW_OF_ONE: Final = 10
MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a training file is, before it is sent."""

    lines: int
    bytes: int
    tokens: int
    """Of one epoch, estimated rather too high: the vendor counts."""
    longest: int
    """Tokens of the longest line."""
    per_category: dict[CategoryId, int]
    problems: tuple[str, ...]
    """Why it must not be sent; empty where it may."""
    warnings: tuple[str, ...]

    def money(self, price: float | None, epochs: Sequence[int | None]) -> float | None:
        """Give the price of training it so many epochs each time; None where the price or a number of epochs is not known."""
        known = [count for count in epochs if count is not None]
        if price is None or len(known) != len(epochs):
            return None
        return self.tokens * sum(known) * price / MILLION


def estimate(lesson: Lesson, categories: Sequence[CategoryId]) -> Estimate:
    """Count a training file and find what speaks against it; each problem says the way out."""
    sizes = [len(line.encode()) + 1 for line in lesson.lines]
    counts = Counter(label for labels in lesson.labels for label in labels)
    per_category = {category: counts[category] for category in categories}
    return Estimate(
        lines=len(sizes),
        bytes=sum(sizes),
        tokens=round(sum(sizes) / BYTES_PER_TOKEN),
        longest=round(max(sizes, default=0) / BYTES_PER_TOKEN),
        per_category=per_category,
        problems=tuple(_problems(sizes, per_category)),
        warnings=tuple(_warnings(len(sizes), per_category)),
    )


def _problems(sizes: Sequence[int], per_category: dict[CategoryId, int]) -> list[str]:
    problems = []
    if len(sizes) < FEWEST_LINES:
        problems.append(f"{len(sizes)} lines can be used, and at least {FEWEST_LINES} are needed; label more mail")
    if missing := [category for category, count in per_category.items() if count == 0]:
        problems.append(
            f"no example of {', '.join(missing)}: the model would never choose it; label some, or take the category out"
        )
    if sum(sizes) > LARGEST_FILE:
        problems.append(f"{sum(sizes):,} bytes, and a vendor takes {LARGEST_FILE:,}; use fewer examples or a lower text_chars")
    return problems


def _warnings(lines: int, per_category: dict[CategoryId, int]) -> list[str]:
    warnings = []
    if FEWEST_LINES <= lines < HELPFUL_LINES:
        warnings.append(f"{lines} lines are few; gains are seen from {HELPFUL_LINES} to 100")
    if few := [category for category, count in per_category.items() if 0 < count < FEW_OF_ONE]:
        warnings.append(f"fewer than {FEW_OF_ONE} examples of {', '.join(few)}")
    return warnings
