"""Training of the local classifier: examples in, a model with its own measured quality out.

A linear model for each category, on the features of cubbyd.classify.feature, with the categories weighted so that a large one
does not swallow a small one: support vector machines, or logistic regression, whichever has the lower loss on examples that
were held out. Few examples of many alike categories want the latter, many examples mostly the former. Margins become
probabilities in cubbyd.training.adjust. Complement naive Bayes and blends were tried on the sets of the benchmark, and gained
nothing that held on all of them.

scikit-learn and scipy are imported by the functions that need them: the daemon never loads them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import numpy as np

from cubbyd import __version__
from cubbyd.classify.feature import Counts, Floats, count_features, learn_vocabulary
from cubbyd.classify.modelfile import MAX_CATEGORIES, LocalModel
from cubbyd.config import Labels
from cubbyd.dataset.example import Example, digest_examples
from cubbyd.errors import InputFileError
from cubbyd.evaluation.metric import macro_f1
from cubbyd.message.model import ClassifierInput
from cubbyd.message.render import RENDERER_VERSION, render_text
from cubbyd.taxonomy import CategoryId, Taxonomy
from cubbyd.training.adjust import (
    TEMPERATURES,
    Adjustment,
    Integers,
    Logits,
    Targets,
    adjust,
    expected_calibration_error,
    fit_temperature,
)
from cubbyd.training.keep import keep_examples
from cubbyd.training.matrix import build_matrix

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "TEMPERATURES",
    "Integers",
    "Logits",
    "Recipe",
    "expected_calibration_error",
    "fit_temperature",
    "fit_weights",
    "macro_f1",
    "train_local",
]


class Kind(StrEnum):
    """Which linear model."""

    MACHINE = "support vector machines"
    LOGISTIC = "logistic regression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A linear model to choose from."""

    kind: Kind
    strength: float
    """C of scikit-learn: how much an example counts against small weights."""


MACHINES: Final = tuple(Learner(kind=Kind.MACHINE, strength=strength) for strength in (0.15, 0.5, 1.5))
"""Accuracy is flat between these strengths, and falls beyond them on every set of the benchmark."""
LOGISTIC: Final = Learner(kind=Kind.LOGISTIC, strength=10.0)
"""Strengths of 50 and 200 were never better by more than a rounding."""
USUAL: Final = MACHINES[1]

MOST_FOR_LOGISTIC: Final = 200_000
"""Examples times categories; beyond it logistic regression takes minutes and gigabytes, and is no better."""
MANY_EXAMPLES: Final = 20_000
"""From here on USUAL is taken without a choice: with so many examples it hardly matters, and choosing takes minutes."""

FOLDS: Final = 5

MAX_HELD_OUT: Final = 4000
"""How many examples cross-validation looks at: enough to choose one number out of three and to fit another."""

_LEFT_OUT: Final = -1
_ALWAYS_TRAINING: Final = -2
"""In the place of a fold: beyond MAX_HELD_OUT; never held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train."""

    labels: Labels = Labels.ONE
    """How many categories a mail can have."""
    keep_subjects: bool = False
    """Whether the model keeps the subject lines of examples, to show them as reasons."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Material:
    """Checked examples, rendered, without repetitions."""

    mails: tuple[ClassifierInput, ...]
    labels: Integers
    """For each mail, the place of its first category."""
    targets: Targets
    """Shape (mails, categories)."""
    categories: tuple[CategoryId, ...]

    @property
    def counts(self) -> Integers:
        """Count the examples of each category."""
        return np.asarray(self.targets.sum(axis=0), dtype=np.int64)


def train_local(
    examples: Sequence[Example],
    taxonomy: Taxonomy | None = None,
    *,
    source: str = "the examples",
    seed: int = 0,
    recipe: Recipe | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> LocalModel:
    """Train a model on labeled examples; the same examples and recipe give the same model.

    Where a mail has one category, an example with several labels counts for its first; one without a label is passed over.
    The categories are those of the taxonomy, or without one all that occur. `source` names the examples in errors; `seed` is
    that of the recipe where none is given. Raises InputFileError where they cannot be learned from: fewer than two categories
    or too many, a category of the taxonomy without an example, a label that the taxonomy does not have, or no category with
    two examples.
    """
    recipe = recipe or Recipe(seed=seed)
    material = _prepare(examples, taxonomy, source, recipe.labels)
    progress(f"{len(material.mails)} different examples in {len(material.categories)} categories")
    learner, adjustment = _cross_validate(material, recipe, progress)
    vocabulary = learn_vocabulary(map(count_features, material.mails))
    progress(f"training on all examples with {len(vocabulary.words)} words and {len(vocabulary.grams)} character n-grams")
    rows = build_matrix(vocabulary, map(count_features, material.mails))
    weights, bias = _fit(rows, material.labels, material.targets, recipe, learner)
    kept = None
    if recipe.keep_subjects:
        kept = keep_examples(material.mails, material.labels, vocabulary, len(material.categories), recipe.seed)
    return LocalModel(
        categories=material.categories,
        examples=tuple(material.counts.tolist()),
        vocabulary=vocabulary,
        weights=weights * adjustment.slopes.astype(np.float32),
        bias=(bias * adjustment.slopes + adjustment.shifts).astype(np.float32),
        temperature=adjustment.temperature,
        labels=recipe.labels,
        kept=kept,
        renderer=RENDERER_VERSION,
        data_sha256=digest_examples(examples),
        quality=adjustment.quality,
        versions={"cubbyd": __version__, "numpy": np.__version__, "scikit-learn": version("scikit-learn")},
    )


# --- the examples ------------------------------------------------------------------------------------------------------


def _prepare(examples: Sequence[Example], taxonomy: Taxonomy | None, source: str, labels: Labels = Labels.ONE) -> _Material:
    """Check and render the examples; of those that read the same under the same labels, one is kept.

    Repetitions would stand on both sides of cross-validation and make it flatter itself.
    """
    different: dict[tuple[object, ...], tuple[ClassifierInput, tuple[CategoryId, ...]]] = {}
    for example in examples:
        own = example.labels if labels is Labels.MANY else example.labels[:1]
        if not own:
            continue
        if taxonomy is not None and (unknown := [label for label in own if label not in taxonomy]):
            known = ", ".join(taxonomy.ids)
            raise InputFileError(source, f"unknown label {unknown[0]!r}; the configuration has {known}", line=example.line)
        mail = render_text(example.subject, example.body)
        different.setdefault((frozenset(own), mail.subject, mail.text, mail.quoted), (mail, own))
    counts = Counter(label for _, own in different.values() for label in own)
    categories = taxonomy.ids if taxonomy is not None else tuple(sorted(counts))
    _check_counts(counts, categories, source)
    places = {category: place for place, category in enumerate(categories)}
    targets = np.zeros((len(different), len(categories)), dtype=np.bool_)
    for row, (_, own) in enumerate(different.values()):
        targets[row, [places[label] for label in own]] = True
    return _Material(
        mails=tuple(mail for mail, _ in different.values()),
        labels=np.array([places[own[0]] for _, own in different.values()], dtype=np.int64),
        targets=targets,
        categories=categories,
    )


def _check_counts(counts: Counter[CategoryId], categories: Sequence[CategoryId], source: str) -> None:
    if missing := [category for category in categories if not counts[category]]:
        raise InputFileError(source, f"no example of {', '.join(missing)}; add some, or remove it from the configuration")
    if len(categories) < 2:  # noqa: PLR2004
        raise InputFileError(source, "labels of at least two categories are needed; add examples of another one")
    if len(categories) > MAX_CATEGORIES:
        raise InputFileError(source, f"has labels of {len(categories)} categories; a model has at most {MAX_CATEGORIES}")
    if max(counts.values()) < 2:  # noqa: PLR2004
        raise InputFileError(source, "every category has a single example; add more, ten of each are a good beginning")


# --- cross-validation --------------------------------------------------------------------------------------------------


def _cross_validate(material: _Material, recipe: Recipe, progress: Callable[[str], None]) -> tuple[Learner, Adjustment]:
    """Choose the learner, the adjustment for it, and measure both on held-out examples.

    Each fold learns its own vocabulary: with words of the held-out examples in it, they would look stranger than later mail.
    """
    fold_of = _assign_folds(material.labels, recipe.seed)
    counts = [None if fold == _LEFT_OUT else count_features(mail) for mail, fold in zip(material.mails, fold_of, strict=True)]
    held_out = np.flatnonzero((fold_of != _LEFT_OUT) & (fold_of != _ALWAYS_TRAINING))
    folds = np.unique(fold_of[held_out])
    margins = {learner: np.zeros(material.targets.shape) for learner in _candidates(material)}
    for number, fold in enumerate(folds, start=1):
        progress(f"cross-validation, {number} of {len(folds)}")
        train, test = np.flatnonzero((fold_of != _LEFT_OUT) & (fold_of != fold)), np.flatnonzero(fold_of == fold)
        vocabulary = learn_vocabulary(_pick(counts, train))
        rows, asked = (build_matrix(vocabulary, _pick(counts, places)) for places in (train, test))
        for learner, own in margins.items():
            weights, bias = _fit(rows, material.labels[train], material.targets[train], recipe, learner)
            own[test] = asked @ weights + bias
    found = {
        learner: adjust(own[held_out], material.targets[held_out], material.counts, recipe.labels)
        for learner, own in margins.items()
    }
    chosen, best = min(found.items(), key=lambda item: item[1].loss)
    progress(
        f"held-out accuracy {best.quality.accuracy:.3f}, macro-F1 {best.quality.macro_f1:.3f}, "
        f"calibration error {best.quality.calibration_error:.3f} ({chosen.kind}, C = {chosen.strength})"
    )
    return chosen, best


def _candidates(material: _Material) -> tuple[Learner, ...]:
    if len(material.mails) >= MANY_EXAMPLES:
        return (USUAL,)
    return (*MACHINES, LOGISTIC) if material.targets.size <= MOST_FOR_LOGISTIC else MACHINES


def _assign_folds(labels: Integers, seed: int) -> Integers:
    """Deal the examples of each category over the folds, from 0; a category's only example is always in training."""
    folds = np.full(len(labels), _LEFT_OUT, dtype=np.int64)
    generator, dealt = np.random.default_rng(seed), 0
    share = min(1.0, MAX_HELD_OUT / len(labels))
    for category in range(int(labels.max()) + 1):
        places = np.flatnonzero(labels == category)
        if len(places) == 1:
            folds[places] = _ALWAYS_TRAINING
            continue
        chosen = generator.permutation(places)[: max(2, math.ceil(share * len(places)))]
        folds[chosen] = (np.arange(len(chosen)) + dealt) % FOLDS
        dealt += len(chosen)
    return folds


def _pick(counts: Sequence[Counts | None], places: Integers) -> Iterator[Counts]:
    return (there for place in places if (there := counts[place]) is not None)


# --- the linear model --------------------------------------------------------------------------------------------------


def _fit(rows: csr_array, labels: Integers, targets: Targets, recipe: Recipe, learner: Learner) -> tuple[Floats, Floats]:
    """Train all categories at once where a mail has one, else each against the rest."""
    if recipe.labels is Labels.ONE:
        return fit_weights(rows, labels, targets.shape[1], learner, recipe.seed)
    weights, bias = np.zeros((rows.shape[1], targets.shape[1]), dtype=np.float32), np.zeros(targets.shape[1], dtype=np.float32)
    for place, target in enumerate(targets.T):
        if target.all() or not target.any():  # nothing to tell it by: its weights stay 0
            bias[place] = 1.0 if target.all() else -1.0
            continue
        two, two_biases = fit_weights(rows, target.astype(np.int64), 2, learner, recipe.seed)
        weights[:, place], bias[place] = two[:, 1], two_biases[1]
    return weights, bias


def fit_weights(
    rows: csr_array, labels: Integers, categories: int, learner: Learner = USUAL, seed: int = 0
) -> tuple[Floats, Floats]:
    """Train linear models; give the weights, (columns, categories), and the bias, (categories,)."""
    from sklearn.linear_model import LogisticRegression  # training alone needs them
    from sklearn.svm import LinearSVC

    common = {"C": learner.strength, "class_weight": "balanced", "tol": 1e-3, "random_state": seed}
    if learner.kind is Kind.LOGISTIC:
        machine = LogisticRegression(max_iter=300, **common)
    else:
        machine = LinearSVC(dual=True, max_iter=10_000, **common)
    machine.fit(rows, labels)
    weights, bias = machine.coef_.T, machine.intercept_
    if categories == 2:  # noqa: PLR2004  # scikit-learn gives the second alone; the first is its opposite
        weights, bias = np.hstack([-weights, weights]), np.hstack([-bias, bias])
    return np.ascontiguousarray(weights, dtype=np.float32), bias.astype(np.float32)
