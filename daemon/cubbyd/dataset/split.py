"""Divide a data set into training, validation and test so that the test set says the truth.

What belongs together stays on one side: a thread, a sender, near-duplicates. Each side gets its share of every category. What
a machine wrote, and what belongs together with it, is for training alone. One pass over the examples makes a side for each;
the caller writes the files in a second pass.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Final, TypeAlias

from cubbyd.dataset.example import Example
from cubbyd.dataset.near import Clusters, NearIndex, cluster_near
from cubbyd.dataset.stats import NO_LABEL, digest
from cubbyd.errors import CubbydError

COMMON_SENDER: Final = 0.05
"""The share of all examples from which a sender ties nothing together: it is a portal or the office, not a family."""

LARGE_GROUP: Final = 0.2
"""The share of all examples from which a group is worth a warning."""


class Side(StrEnum):
    """Where an example goes."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


SIDES: Final = tuple(Side)
TRAIN, VALIDATION, TEST = range(3)


class Tie(StrEnum):
    """What holds examples together."""

    THREAD = "thread"  # the group of the examples
    SENDER = "sender"
    NEAR = "near"  # nearly the same text


@dataclass(frozen=True, slots=True)
class Part:
    """A wanted size: a share of all, or a count."""

    share: float = 0.0
    count: int = 0

    def of(self, total: int) -> int:
        """Give the number of examples."""
        return self.count or round(self.share * total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to divide; what is left of validation and test is for training."""

    validation: Part
    test: Part
    ties: frozenset[Tie] = frozenset(Tie)
    newest_in_test: bool = False
    seed: int = 0


class CannotSplit(CubbydError):
    """These examples cannot be divided so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """The side of each example, in order, and what there is to know about it."""

    sides: bytes
    """For each example, the place of its side in SIDES."""
    groups: tuple[int, ...]
    """For each example, what it belongs together with: a number that all of those share."""
    counts: tuple[Counter[str], ...]
    """For each side, the labels."""
    largest_group: int
    several: int
    """Groups of more than one example."""
    synthetic: int
    kept_with_synthetic: int
    """Real examples that stay in training because they belong together with a synthetic one."""
    common_senders: int
    test_from: datetime | None = None
    """Where the newest are the test: nothing in training or validation is as new as this."""

    def size(self, side: int) -> int:
        """Count the examples of a side."""
        return self.sides.count(side)


class Splitter:
    """Looks at one example after the other, and then divides them."""

    def __init__(self, wish: Wish) -> None:
        """Take what is wanted."""
        self._wish = wish
        self._index = NearIndex() if Tie.NEAR in wish.ties else None
        self._labels: list[tuple[int, ...]] = []
        self._label_ids: dict[str, int] = {}
        self._known: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._first_of: dict[tuple[Tie, bytes], int] = {}
        self._thread_ties: list[tuple[int, int]] = []
        self._senders: dict[bytes, array[int]] = {}
        self._synthetic: set[int] = set()
        self._dates = array("d")

    def add(self, example: Example) -> None:
        """Take note of an example."""
        place = len(self._labels)
        labels = tuple(self._label_ids.setdefault(label, len(self._label_ids)) for label in example.labels or (NO_LABEL,))
        self._labels.append(self._known.setdefault(labels, labels))
        if example.is_synthetic:
            self._synthetic.add(place)
        if example.group and Tie.THREAD in self._wish.ties:
            first = self._first_of.setdefault((Tie.THREAD, digest(example.group)), place)
            if first != place:
                self._thread_ties.append((first, place))
        if example.sender and Tie.SENDER in self._wish.ties:
            self._senders.setdefault(digest(example.sender), array("L")).append(place)
        if self._index is not None:
            self._index.add(f"{example.subject}\n{example.body}")
        self._dates.append(example.date.timestamp() if example.date else float("-inf"))

    def finish(self) -> Division:
        """Divide. Raises CannotSplit where the wish cannot be met."""
        total = len(self._labels)
        wanted = {VALIDATION: self._wish.validation.of(total), TEST: self._wish.test.of(total)}
        _check(total, wanted)
        roots, common = self._tie()
        members: dict[int, list[int]] = {}
        for place, root in enumerate(roots):
            members.setdefault(root, []).append(place)
        sides = bytearray(total)  # TRAIN
        bound = {root for root in members if any(place in self._synthetic for place in members[root])}
        free = [members[root] for root in members if root not in bound]
        border = None
        if self._wish.newest_in_test:
            free, border = self._take_newest(free, sides, wanted[TEST])
        self._deal(free, sides, wanted)
        if wanted[TEST] and TEST not in sides:
            raise CannotSplit(
                "nothing can go into the test set: all belongs together or is synthetic; tie less, with --group-by thread"
            )
        return self._describe(sides, roots, members, bound, common, border)

    # --- what belongs together -----------------------------------------------------------------------------------------

    def _tie(self) -> tuple[list[int], int]:
        """Give for each example the number of its group, and how many senders are too common to tie."""
        clusters, common = Clusters(len(self._labels)), 0
        for one, other in self._thread_ties:
            clusters.join(one, other)
        for places in self._senders.values():
            if len(places) > max(2, COMMON_SENDER * len(self._labels)):
                common += 1
                continue
            for place in places[1:]:
                clusters.join(places[0], place)
        if self._index is not None:
            cluster_near(self._index, clusters)
        return clusters.roots(), common

    # --- by date -------------------------------------------------------------------------------------------------------

    def _take_newest(self, free: list[list[int]], sides: bytearray, wanted: int) -> tuple[list[list[int]], datetime | None]:
        """Put the groups with the newest mail into the test, until there are enough."""
        newest = sorted(((max(self._dates[place] for place in group), group) for group in free), key=lambda one: -one[0])
        taken, border = 0, float("inf")
        rest: list[list[int]] = []
        for date, group in newest:
            if date > float("-inf") and (taken < wanted or date == border):
                for place in group:
                    sides[place] = TEST
                taken += len(group)
                border = date
            else:
                rest.append(group)
        if wanted and not taken:
            raise CannotSplit("no example has a date, so the newest cannot be found; leave --test-by-date out")
        return rest, datetime.fromtimestamp(border).astimezone() if taken else None

    # --- by category ---------------------------------------------------------------------------------------------------

    def _deal(self, free: list[list[int]], sides: bytearray, wanted: dict[int, int]) -> None:
        """Deal groups to sides, large ones first, each to where its categories are still wanted most."""
        random = Random(self._wish.seed)  # noqa: S311  (reproducible, not secret)
        taken = {side: sides.count(side) for side in (VALIDATION, TEST)}
        targets = {side: max(0, wanted[side] - taken[side]) for side in (VALIDATION, TEST)}
        if self._wish.newest_in_test:
            targets[TEST] = 0
        counts = Counter(label for group in free for place in group for label in self._labels[place])
        rest = _quotas(counts, targets, sum(map(len, free)))
        order = list(free)
        random.shuffle(order)
        order.sort(key=len, reverse=True)
        for group in order:
            labels = Counter(label for place in group for label in self._labels[place])
            side = _choose(labels, rest, random)
            for label, count in labels.items():
                rest[side][label] -= count
            for place in group:
                sides[place] = side

    def _describe(
        self,
        sides: bytearray,
        roots: list[int],
        members: dict[int, list[int]],
        bound: set[int],
        common: int,
        border: datetime | None,
    ) -> Division:
        names = list(self._label_ids)
        counts: tuple[Counter[str], ...] = tuple(Counter() for _ in SIDES)
        for place, side in enumerate(sides):
            counts[side].update(names[label] for label in self._labels[place])
        return Division(
            sides=bytes(sides),
            groups=tuple(roots),
            counts=counts,
            largest_group=max(map(len, members.values())),
            several=sum(len(group) > 1 for group in members.values()),
            synthetic=len(self._synthetic),
            kept_with_synthetic=sum(len(members[root]) for root in bound) - len(self._synthetic),
            common_senders=common,
            test_from=border,
        )


Quotas: TypeAlias = list[Counter[int]]
"""For each side, how many of each label it still wants."""


def _check(total: int, wanted: dict[int, int]) -> None:
    if not total:
        raise CannotSplit("there are no examples to divide")
    if sum(wanted.values()) >= total:
        raise CannotSplit(f"validation and test want {sum(wanted.values())} of {total} examples; leave some for training")


def _quotas(counts: Counter[int], targets: dict[int, int], total: int) -> Quotas:
    """Say how many of each label a side is to get: its share, rounded so that the sum is right (largest remainder)."""
    quotas: Quotas = [Counter(counts), Counter(), Counter()]
    labels = sum(counts.values())
    for side in (TEST, VALIDATION):
        wanted = min(1.0, targets[side] / total if total else 0.0)
        exact = {label: wanted * count for label, count in counts.items()}
        quotas[side] = Counter({label: int(share) for label, share in exact.items()})
        missing = round(wanted * labels) - quotas[side].total()
        by_remainder = sorted(exact, key=lambda label: (quotas[side][label] - exact[label], label))
        for label in by_remainder[: max(0, missing)]:
            quotas[side][label] += 1
        quotas[TRAIN] -= quotas[side]
    return quotas


def _choose(labels: Counter[int], rest: Quotas, random: Random) -> int:
    """Choose the side that wants most of a group's labels, and not many that it has enough of; else by what is left."""
    gains = [sum(min(count, 2 * side[label] - count) for label, count in labels.items()) for side in rest]
    best = max(gains)
    equal = [side for side, gain in enumerate(gains) if gain == best]
    if len(equal) == 1:
        return equal[0]
    weights = [max(0, sum(rest[side][label] for label in labels)) for side in equal]
    return random.choices(equal, weights)[0] if any(weights) else TRAIN


def split(examples: Iterable[Example], wish: Wish) -> Division:
    """Divide examples in one pass. Raises CannotSplit."""
    splitter = Splitter(wish)
    for example in examples:
        splitter.add(example)
    return splitter.finish()


def crossing(division: Division) -> Sequence[int]:
    """Give the groups that stand on two sides, by number: none, or something is wrong here."""
    side_of: dict[int, int] = {}
    return [root for root, side in zip(division.groups, division.sides, strict=True) if side_of.setdefault(root, side) != side]
