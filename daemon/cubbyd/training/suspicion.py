"""Labels that a model doubts: what cross-validation says of each example, listed for a person to look through.

Every example is judged by a model that has not seen it, nor anything that is nearly the same. Those whose own label is found
unlikely come first. A doubt is no proof: some are errors of the label, some of the model, some are mails that are two things.
Northcutt, Jiang, Chuang 2021, "Confident Learning", rank by the same number, the probability of the given label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

import numpy as np

from cubbyd.classify.feature import Counts, Vocabulary, count_features, learn_vocabulary
from cubbyd.classify.logit import softmax
from cubbyd.dataset.example import Example
from cubbyd.dataset.near import Clusters, NearIndex, cluster_near
from cubbyd.errors import InputFileError
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.head import separate
from cubbyd.training.local import Integers, Logits, fit_temperature

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FOLDS: Final = 5
STRENGTH: Final = 0.5
"""C of the support vector machine; the middle of those that training tries."""

MOST_EXAMPLES: Final = 5000
"""How many are looked at; of more, a random sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """An example whose label a model doubts."""

    line: int
    id: str
    label: CategoryId
    given: float
    """The probability of the label that it has."""
    better: CategoryId
    probability: float
    """Of the category that the model would choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """What was looked at, and what is doubted, the surest doubts first."""

    looked_at: int
    accuracy: float
    """How often the model agrees with the labels."""
    suspicions: tuple[Suspicion, ...]


def sample_examples(examples: Iterable[Example], most: int = MOST_EXAMPLES, seed: int = 0) -> list[Example]:
    """Take a random sample of labeled examples in one pass (Vitter 1985, "Random sampling with a reservoir"), in file order."""
    random, kept, seen = Random(seed), list[Example](), 0  # noqa: S311  (reproducible, not secret)
    for example in examples:
        if not example.labels:
            continue
        seen += 1
        if len(kept) < most:
            kept.append(example)
        elif (place := random.randrange(seen)) < most:
            kept[place] = example
    return sorted(kept, key=lambda example: example.line)


def find_suspicions(
    examples: Sequence[Example], *, source: str, seed: int = 0, progress: Callable[[str], None] = lambda _: None
) -> Doubts:
    """Cross-validate, and list every example for which the model would choose none of its labels.

    A category with a single example is left out. Raises InputFileError where fewer than two categories are left.
    """
    counted = Counter(example.labels[0] for example in examples)
    usable = [example for example in examples if counted[example.labels[0]] > 1]
    categories = sorted({example.labels[0] for example in usable})
    if len(categories) < 2:  # noqa: PLR2004
        raise InputFileError(source, "labels can be doubted only where two categories have two examples each")
    places = {category: place for place, category in enumerate(categories)}
    labels: Integers = np.array([places[example.labels[0]] for example in usable], dtype=np.int64)
    logits = _hold_out(usable, labels, len(categories), seed, progress)
    temperature, _ = fit_temperature(logits, labels)
    probabilities = softmax(logits / temperature)
    best = probabilities.argmax(axis=1)
    found = [
        Suspicion(
            line=example.line,
            id=example.id,
            label=example.labels[0],
            given=float(row[label]),
            better=categories[choice],
            probability=float(row[choice]),
        )
        for example, row, label, choice in zip(usable, probabilities, labels.tolist(), best.tolist(), strict=True)
        if categories[choice] not in example.labels
    ]
    found.sort(key=lambda one: (one.given - one.probability, one.line))
    return Doubts(looked_at=len(usable), accuracy=float((best == labels).mean()), suspicions=tuple(found))


def _hold_out(
    examples: Sequence[Example], labels: Integers, categories: int, seed: int, progress: Callable[[str], None]
) -> Logits:
    """Give the margins of every example, of a model that was trained without its fold; (examples, categories)."""
    folds = _assign_folds(examples, labels, seed)
    counts = [count_features(render_text(example.subject, example.body)) for example in examples]
    logits = np.zeros((len(examples), categories))
    for number, fold in enumerate(np.unique(folds), start=1):
        progress(f"looking for doubtful labels, {number} of {FOLDS}")
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        vocabulary = learn_vocabulary(counts[place] for place in train)
        rows, asked = (_build_rows(vocabulary, [counts[place] for place in some]) for some in (train, test))
        known, compact = np.unique(labels[train], return_inverse=True)  # a fold may hold all of a category
        if len(known) < 2:  # noqa: PLR2004
            continue
        targets = compact[:, np.newaxis] == np.arange(len(known))
        weights, bias = separate(rows, targets, is_one=True, strength=STRENGTH, seed=seed)
        logits[np.ix_(test, np.setdiff1d(np.arange(categories), known))] = -2.0  # never seen: as unlikely as can be
        logits[np.ix_(test, known)] = asked @ weights + bias
    return logits


def _assign_folds(examples: Sequence[Example], labels: Integers, seed: int) -> Integers:
    """Deal clusters of near-duplicates and threads over the folds, category by category."""
    index, clusters, threads = NearIndex(), Clusters(len(examples)), dict[str, int]()
    for place, example in enumerate(examples):
        index.add(f"{example.subject}\n{example.body}")
        if example.group:
            clusters.join(threads.setdefault(example.group, place), place)
    cluster_near(index, clusters)
    roots = clusters.roots()
    order = np.random.default_rng(seed).permutation(len(examples))
    ordered = sorted(order.tolist(), key=lambda place: int(labels[roots[place]]))
    fold_of: dict[int, int] = {}
    for place in ordered:
        fold_of.setdefault(roots[place], len(fold_of) % FOLDS)
    return np.array([fold_of[root] for root in roots], dtype=np.int64)


def _build_rows(vocabulary: Vocabulary, counts: Sequence[Counts]) -> csr_array:
    """Give one sparse row of features a mail."""
    from scipy.sparse import csr_array  # training alone needs it

    pairs = [vocabulary.vectorize(one) for one in counts]
    ends = np.cumsum([0, *(len(values) for _, values in pairs)])
    columns = np.concatenate([columns for columns, _ in pairs]).astype(np.int32)
    values = np.concatenate([values for _, values in pairs])
    return csr_array((values, columns, ends.astype(np.int32)), shape=(len(pairs), len(vocabulary)))
