"""The heads of the embeddings classifier: what turns words and vectors of a mail into a score for each category.

Each is trained alone; cubbyd.training.blend weighs their scores. All but one are linear, so that their weighted sum is again
one matrix over words and one over vectors, and serving a blend costs no more than serving one of them.

    words       linear support vector machines on TF-IDF features, one a category, as in the local classifier
    joint       the same on TF-IDF features and vectors side by side
    logistic    logistic regression on vectors
    means       the mean vector of each category
    neighbors   the votes of the nearest examples

scikit-learn and scipy are imported by the functions that need them: the daemon never loads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.embedding.index import Index
from cubbyd.classify.feature import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Targets: TypeAlias = NDArray[np.bool_]
Scores: TypeAlias = NDArray[np.float64]

WORDS_STRENGTH: Final = 0.5
JOINT_STRENGTH: Final = 0.5
LOGISTIC_STRENGTH: Final = 10.0
VECTOR_SHARE: Final = 1.5
"""How long a vector is beside the words, whose values have length 1, and the grams, whose have too (joint)."""
MEANS_SCALE: Final = 10.0
"""Cosines differ by some tenths, logits by some units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Mails as numbers."""

    features: csr_array
    """Shape (mails, columns of the vocabulary)."""
    vectors: Floats
    """Shape (mails, dimensions), adapted."""
    targets: Targets
    """Shape (mails, categories)."""
    is_one: bool
    """Whether each mail has one category, and no more can be told."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The place of each mail's category, where it has one."""
        return np.asarray(self.targets.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A trained head; what it has no weights for is None."""

    words: Floats | None = None
    """Shape (columns, categories)."""
    vectors: Floats | None = None
    """Shape (dimensions, categories)."""
    bias: Floats | None = None
    index: Index | None = None

    def score(self, rows: Rows) -> Scores:
        """Score mails: (mails, categories)."""
        scores = np.zeros(rows.targets.shape)
        if self.words is not None:
            scores += rows.features @ self.words
        if self.vectors is not None:
            scores += rows.vectors @ self.vectors
        if self.bias is not None:
            scores += self.bias
        if self.index is not None:
            scores += np.array([self.index.votes(vector) for vector in rows.vectors]).reshape(scores.shape)
        return scores


def train_words(rows: Rows, seed: int) -> Head:
    """Train on words and grams alone."""
    weights, bias = separate(rows.features, rows.targets, is_one=rows.is_one, strength=WORDS_STRENGTH, seed=seed)
    return Head(words=weights, bias=bias)


def train_joint(rows: Rows, seed: int) -> Head:
    """Train on words, grams and vectors side by side."""
    from scipy.sparse import csr_array, hstack

    beside = hstack([rows.features, csr_array(rows.vectors * np.float32(VECTOR_SHARE))], format="csr")
    weights, bias = separate(beside, rows.targets, is_one=rows.is_one, strength=JOINT_STRENGTH, seed=seed)
    columns = rows.features.shape[1]
    return Head(words=weights[:columns], vectors=weights[columns:] * np.float32(VECTOR_SHARE), bias=bias)


def train_logistic(rows: Rows, seed: int) -> Head:
    """Train on vectors alone."""
    from sklearn.linear_model import LogisticRegression

    def fit(labels: NDArray[np.generic]) -> tuple[Floats, Floats]:
        machine = LogisticRegression(C=LOGISTIC_STRENGTH, class_weight="balanced", max_iter=2000, random_state=seed)
        machine.fit(rows.vectors, labels)
        return machine.coef_.astype(np.float32), machine.intercept_.astype(np.float32)

    weights, bias = _each(fit, rows.targets, is_one=rows.is_one)
    return Head(vectors=weights, bias=bias)


def train_means(rows: Rows, seed: int) -> Head:  # noqa: ARG001  # the seams of all heads are one
    """Take the mean vector of each category."""
    counts = np.maximum(rows.targets.sum(axis=0), 1)
    means = rows.vectors.T.astype(np.float64) @ rows.targets / counts
    lengths = np.maximum(np.linalg.norm(means, axis=0), np.finfo(float).tiny)
    return Head(vectors=(MEANS_SCALE * means / lengths).astype(np.float32))


def train_neighbors(rows: Rows, seed: int) -> Head:  # noqa: ARG001
    """Remember every example."""
    return Head(index=Index(vectors=rows.vectors, targets=rows.targets, lines=np.zeros(len(rows.targets), dtype=np.int32)))


HEADS: Final[Mapping[str, Callable[[Rows, int], Head]]] = {
    "words": train_words,
    "joint": train_joint,
    "logistic": train_logistic,
    "means": train_means,
    "neighbors": train_neighbors,
}


def separate(
    features: csr_array, targets: Targets, *, is_one: bool, strength: float, seed: int, balanced: bool = True
) -> tuple[Floats, Floats]:
    """Train one support vector machine a category; give weights, (columns, categories), and bias, (categories,).

    `targets`, (mails, categories), says which categories each mail has; is_one: each has one; balanced: an error counts the
    more, the smaller the category.
    """
    from sklearn.svm import LinearSVC

    def fit(labels: NDArray[np.generic]) -> tuple[Floats, Floats]:
        machine = LinearSVC(
            C=strength,
            class_weight="balanced" if balanced else None,
            dual=True,
            tol=1e-3,
            max_iter=10_000,
            random_state=seed,
        )
        machine.fit(features, labels)
        return machine.coef_.astype(np.float32), machine.intercept_.astype(np.float32)

    return _each(fit, targets, is_one=is_one)


def regress(
    features: csr_array, targets: Targets, *, is_one: bool, strength: float, seed: int, balanced: bool = True
) -> tuple[Floats, Floats]:
    """Do the same with logistic regression, of all categories together where each mail has one."""
    from sklearn.linear_model import LogisticRegression

    def fit(labels: NDArray[np.generic]) -> tuple[Floats, Floats]:
        weighting = "balanced" if balanced else None
        machine = LogisticRegression(C=strength, class_weight=weighting, tol=1e-3, max_iter=300, random_state=seed)
        machine.fit(features, labels)
        return machine.coef_.astype(np.float32), machine.intercept_.astype(np.float32)

    return _each(fit, targets, is_one=is_one)


def _each(
    fit: Callable[[NDArray[np.generic]], tuple[Floats, Floats]], targets: Targets, *, is_one: bool
) -> tuple[Floats, Floats]:
    """Train for all categories at once where a mail has one, else for each against the rest.

    A category that every mail has, or none, cannot be told: its weights stay 0, and its bias says so.
    """
    categories = targets.shape[1]
    if is_one:
        there = np.flatnonzero(targets.any(axis=0))
        coefficients, bias = fit(np.searchsorted(there, targets.argmax(axis=1)))
        if len(there) == 2:  # noqa: PLR2004  # scikit-learn gives the second alone; the first is its opposite
            coefficients, bias = np.vstack([-coefficients, coefficients]), np.concatenate([-bias, bias])
        weights = np.zeros((coefficients.shape[1], categories), dtype=np.float32)
        weights[:, there] = coefficients.T
        whole_bias = np.full(categories, bias.min() - 1, dtype=np.float32)
        whole_bias[there] = bias
        return weights, whole_bias
    columns: list[Floats | None] = []
    biases: list[float] = []
    for target in targets.T:
        if target.all() or not target.any():
            columns.append(None)
            biases.append(1.0 if target.all() else -1.0)
            continue
        coefficients, bias = fit(target)
        columns.append(coefficients[0])
        biases.append(float(bias[0]))
    width = next(len(column) for column in columns if column is not None)
    weights = np.column_stack([np.zeros(width, dtype=np.float32) if column is None else column for column in columns])
    return np.ascontiguousarray(weights, dtype=np.float32), np.array(biases, dtype=np.float32)
