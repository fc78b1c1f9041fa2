"""What is in a data set: counts, lengths, duplicates, threads. One pass, a few hundred bytes an example."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from cubbyd.dataset.example import Example
from cubbyd.taxonomy import CategoryId

NO_LABEL: Final = "(no label)"
NO_ORIGIN: Final = "(not said)"

SHOWN: Final = 10
"""Lines that are shown of each kind of finding."""

QUANTILES: Final = (0.0, 0.1, 0.5, 0.9, 1.0)

EVEN: Final = 1.5
"""Largest category over smallest: up to here there is nothing to do."""

FEW: Final = 20
"""Examples below which a category is too small to be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What was found; counts are of examples, lengths in characters, places are lines of the file."""

    examples: int
    categories: Counter[CategoryId]
    """With several labels an example counts for each of them."""
    unlabeled: int
    several_labels: int
    origins: dict[str, Counter[str]]
    """Per origin, the examples of each category."""
    lengths: tuple[int, ...]
    """Of subject and body together, at QUANTILES."""
    exact: int
    """Examples that repeat the text of one before them."""
    contradictions: int
    """Texts that occur under different labels."""
    contradicting: tuple[tuple[int, int], ...]
    """The first of them: the line, and the line that says otherwise."""
    near: int
    """Examples that have a near-duplicate which is no exact one."""
    near_clusters: tuple[tuple[int, ...], ...]
    """The largest of them: some of their lines."""
    threads: int
    in_threads: int
    """Examples that share their group with another."""
    senders: int
    dated: int
    first: datetime | None
    last: datetime | None

    @property
    def imbalance(self) -> float:
        """How many times as many examples the largest category has as the smallest."""
        return max(self.categories.values()) / min(self.categories.values()) if self.categories else 1.0

    @property
    def small(self) -> list[CategoryId]:
        """The categories with few examples, the smallest first."""
        return [id_ for id_, count in reversed(self.categories.most_common()) if count < FEW]


class Collector:
    """Looks at one example after the other."""

    def __init__(self, *, near: bool = True) -> None:
        """near: look for near-duplicates too, which takes most of the time."""
        from cubbyd.dataset.near import NearIndex

        self._index = NearIndex() if near else None
        self._categories: Counter[CategoryId] = Counter()
        self._origins: dict[str, Counter[str]] = {}
        self._lengths, self._lines = array("L"), array("L")
        self._unlabeled = self._several = self._exact = self._contradictions = self._dated = 0
        self._seen: dict[bytes, tuple[int, bytes]] = {}
        self._different: list[int] = []
        self._contradicting: list[tuple[int, int]] = []
        self._groups: Counter[bytes] = Counter()
        self._senders: set[bytes] = set()
        self._first: datetime | None = None
        self._last: datetime | None = None

    def add(self, example: Example) -> None:
        """Count an example."""
        self._lines.append(example.line)
        self._lengths.append(len(example.subject) + len(example.body))
        self._unlabeled += not example.labels
        self._several += len(example.labels) > 1
        self._categories.update(example.labels)
        self._origins.setdefault(example.origin or NO_ORIGIN, Counter()).update(example.labels or (NO_LABEL,))
        if example.group:
            self._groups[digest(example.group)] += 1
        if example.sender:
            self._senders.add(digest(example.sender))
        if example.date:
            self._dated += 1
            self._first = min(self._first or example.date, example.date)
            self._last = max(self._last or example.date, example.date)
        self._compare(example)

    def _compare(self, example: Example) -> None:
        """Look whether the text was there before; only a new one goes into the index of near-duplicates."""
        text = text_digest(example)
        labels = digest("\n".join(sorted(example.labels)))
        line, said = self._seen.setdefault(text, (example.line, labels))
        if line != example.line:
            self._exact += 1
            if said != labels:
                self._contradictions += 1
                if len(self._contradicting) < SHOWN:
                    self._contradicting.append((example.line, line))
            return
        if self._index is not None:
            self._index.add(f"{example.subject}\n{example.body}")
            self._different.append(example.line)

    def finish(self) -> Stats:
        """Give what was found."""
        near, clusters = self._near()
        shared = [count for count in self._groups.values() if count > 1]
        return Stats(
            examples=len(self._lines),
            categories=self._categories,
            unlabeled=self._unlabeled,
            several_labels=self._several,
            origins=self._origins,
            lengths=quantiles(sorted(self._lengths)),
            exact=self._exact,
            contradictions=self._contradictions,
            contradicting=tuple(self._contradicting),
            near=near,
            near_clusters=clusters,
            threads=len(shared),
            in_threads=sum(shared),
            senders=len(self._senders),
            dated=self._dated,
            first=self._first,
            last=self._last,
        )

    def _near(self) -> tuple[int, tuple[tuple[int, ...], ...]]:
        from cubbyd.dataset.near import Clusters, cluster_near

        if self._index is None:
            return 0, ()
        clusters = Clusters(len(self._index))
        count = cluster_near(self._index, clusters)
        roots = clusters.roots()
        sizes = [(root, size) for root, size in Counter(roots).most_common(SHOWN) if size > 1]
        lines: dict[int, list[int]] = {root: [] for root, _ in sizes}
        for place, root in enumerate(roots):
            if root in lines and len(lines[root]) < SHOWN:
                lines[root].append(self._different[place])
        return count, tuple(tuple(some) for some in lines.values())


def collect_stats(examples: Iterable[Example], *, near: bool = True) -> Stats:
    """Look at examples in one pass."""
    collector = Collector(near=near)
    for example in examples:
        collector.add(example)
    return collector.finish()


def digest(value: str) -> bytes:
    """Shorten a key to 8 bytes: of a million different ones hardly two are alike."""
    return blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def text_digest(example: Example) -> bytes:
    """Give a key of the words of an example; case and blanks do not count."""
    return digest(" ".join(f"{example.subject} \n {example.body}".casefold().split()))


def quantiles(ascending: Sequence[int]) -> tuple[int, ...]:
    """Give the values at QUANTILES; zeros where there is none."""
    if not ascending:
        return (0,) * len(QUANTILES)
    return tuple(int(ascending[round(share * (len(ascending) - 1))]) for share in QUANTILES)


def stats_to_json(stats: Stats) -> dict[str, Any]:
    """Give the findings for a program."""
    return {
        "examples": stats.examples,
        "categories": dict(stats.categories.most_common()),
        "unlabeled": stats.unlabeled,
        "several_labels": stats.several_labels,
        "imbalance": round(stats.imbalance, 2),
        "origins": {origin: dict(counts.most_common()) for origin, counts in stats.origins.items()},
        "lengths": dict(zip(("shortest", "p10", "median", "p90", "longest"), stats.lengths, strict=True)),
        "exact_duplicates": stats.exact,
        "contradictions": stats.contradictions,
        "contradicting_lines": [list(pair) for pair in stats.contradicting],
        "near_duplicates": stats.near,
        "near_duplicate_lines": [list(lines) for lines in stats.near_clusters],
        "threads": stats.threads,
        "examples_in_threads": stats.in_threads,
        "senders": stats.senders,
        "dated": stats.dated,
        "first": stats.first,
        "last": stats.last,
    }
