"""Training of the local classifier: examples in, a model with its own measured quality out.

A linear model on the features of cubbyd.classify.feature, one of those in cubbyd.training.learner, with the categories weighted
so that a large one does not swallow a small one. From its margins a share of the logarithm of each category's share of the
examples is taken away, which keeps doubtful mail from the large categories (Menon et al. 2021, "Long-tail learning via logit
adjustment"); then one temperature makes probabilities of them (Guo et al. 2017, "On Calibration of Modern Neural Networks").
Model, share and temperature are those with the least loss on examples that were held out.

scikit-learn and scipy are imported by the functions that need them: the daemon never loads them.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cubbyd import __version__
from cubbyd.classify.feature import Counts, Floats, Vocabulary, count_features, learn_vocabulary
from cubbyd.classify.logit import sigmoid, softmax
from cubbyd.classify.modelfile import MAX_CATEGORIES, LocalModel, Quality
from cubbyd.classify.similar import LONGEST_SUBJECT, MAX_SIMILAR, WORDS_KEPT, Similar
from cubbyd.config import Labels
from cubbyd.dataset.example import Example
from cubbyd.errors import InputFileError
from cubbyd.message.model import ClassifierInput
from cubbyd.message.render import RENDERER_VERSION, render_text
from cubbyd.taxonomy import CategoryId, Taxonomy
from cubbyd.training.blend import fit_blend
from cubbyd.training.head import Targets
from cubbyd.training.learner import Learner, list_learners
from cubbyd.training.validation import HeldOut, Tell, hold_out, tell_nobody

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PRIOR_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How much of the prior to take away, to choose from."""

FOLDS: Final = 5

MAX_HELD_OUT: Final = 4000
"""How many examples cross-validation looks at: enough to choose one number out of three and to fit another."""

_LEFT_OUT: Final = -1
_ALWAYS_TRAINING: Final = -2
"""In the place of a fold: beyond MAX_HELD_OUT; never held out."""

TEMPERATURES: Final = (0.01, 10.0)
"""The bounds of the search; the margins of a support vector machine want about 0.1."""

USUAL_SLOPE: Final = 5.0
"""What the margin of a category alone is usually multiplied by; few examples stay near it."""

CALIBRATION_BINS: Final = 15

Integers: TypeAlias = NDArray[np.int64]
Logits: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How examples are learned from; another than the usual one is for comparisons of training mixes alone."""

    balanced: bool = True
    """Whether the categories are weighed and freed of their prior, so that the large ones gain nothing by being large."""
    earlier: Sequence[Example] = ()
    """Of a first stage: training goes on from what these taught, as in cubbyd.training.stage. Labels.ONE only."""


USUAL_WAY: Final = Way()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Material:
    """Checked examples, rendered, without repetitions."""

    mails: tuple[ClassifierInput, ...]
    examples: tuple[Example, ...]
    """What each mail was made of."""
    subjects: tuple[str, ...]
    targets: Targets
    """Shape (mails, categories): which categories each mail has."""
    first: Integers
    """For each mail, the place of its first category."""
    categories: tuple[CategoryId, ...]
    labels: Labels
    is_earlier: NDArray[np.bool_]
    """Shape (mails,): belongs to the first of two stages; none does where there is one."""
    balanced: bool
    """Whether the categories are weighed, so that the large ones gain nothing by being large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """What cross-validation found best."""

    learner: Learner
    temperature: float
    offsets: Logits
    """What is added to the margin of each category, so that the large ones are no likelier for being large."""
    slopes: tuple[float, ...] = ()
    shifts: tuple[float, ...] = ()
    quality: Quality
    loss: float


def train_local(  # noqa: PLR0913  all but the examples are told by name, and seldom
    examples: Sequence[Example],
    taxonomy: Taxonomy | None = None,
    *,
    labels: Labels = Labels.ONE,
    way: Way = USUAL_WAY,
    keep_subjects: bool = False,
    source: str = "the examples",
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
    tell: Tell = tell_nobody,
) -> LocalModel:
    """Train a model on labeled examples; the same examples and seed give the same model.

    An example with several labels counts for all of them with Labels.MANY, else for its first; one without a label is passed
    over. The categories are those of the taxonomy, or without one all that occur. With keep_subjects the model can show
    examples by their subject, which is mail text; else by their line in the file. `source` names the examples in errors, `tell`
    is given what was said of held-out examples. Where `way` has a first stage, the choice of the model and its calibration look
    at the second stage alone.
    Raises InputFileError where they cannot be learned from: fewer than two categories or too many, a category of the
    taxonomy without an example, a label that the taxonomy does not have, or no category with two examples.
    """
    material = _prepare(examples, taxonomy, labels, way, source)
    progress(f"{len(material.mails)} different examples in {len(material.categories)} categories")
    choice = _cross_validate(material, seed, progress, tell)
    vocabulary = learn_vocabulary(map(count_features, material.mails))
    progress(f"training on all examples with {len(vocabulary.words)} words and {len(vocabulary.grams)} character n-grams")
    rows = _build_matrix(vocabulary, map(count_features, material.mails))
    weights, bias = _fit(choice.learner, rows, np.arange(len(material.mails)), material, seed)
    return LocalModel(
        categories=material.categories,
        examples=tuple(material.targets.sum(axis=0).tolist()),
        vocabulary=vocabulary,
        weights=weights,
        bias=(bias + choice.offsets).astype(np.float32),
        temperature=choice.temperature,
        labels=labels,
        slopes=choice.slopes,
        shifts=choice.shifts,
        similar=_keep_similar(material, rows, len(vocabulary.words), seed, with_subjects=keep_subjects),
        renderer=RENDERER_VERSION,
        data_sha256=_fingerprint([*way.earlier, *examples]),
        quality=choice.quality,
        versions={"cubbyd": __version__, "numpy": np.__version__, "scikit-learn": version("scikit-learn")},
    )


# --- the examples ------------------------------------------------------------------------------------------------------


def _prepare(examples: Sequence[Example], taxonomy: Taxonomy | None, labels: Labels, way: Way, source: str) -> _Material:
    """Check and render the examples; of those that read the same under the same labels, the first is kept.

    Repetitions would stand on both sides of cross-validation and make it flatter itself.
    """
    different: dict[tuple[object, ...], tuple[ClassifierInput, Example, tuple[CategoryId, ...]]] = {}
    stages: dict[tuple[object, ...], bool] = {}
    for place, example in enumerate([*way.earlier, *examples]):
        if not example.labels:
            continue
        counted = example.labels if labels is Labels.MANY else example.labels[:1]
        if taxonomy is not None and (unknown := [label for label in counted if label not in taxonomy]):
            reason = f"unknown label {unknown[0]!r}; the configuration has {', '.join(taxonomy.ids)}"
            raise InputFileError(source, reason, line=example.line)
        mail = render_text(example.subject, example.body)
        text = (counted, mail.subject, mail.text, mail.quoted)
        different.setdefault(text, (mail, example, counted))
        stages[text] = place < len(way.earlier)  # in both stages: it belongs to the second
    counts = Counter(label for _, _, counted in different.values() for label in counted)
    categories = taxonomy.ids if taxonomy is not None else tuple(sorted(counts))
    _check_counts(counts, categories, source)
    if way.earlier:
        _check_stages([(counted[0], stages[text]) for text, (_, _, counted) in different.items()], source)
    places = {category: place for place, category in enumerate(categories)}
    targets = np.zeros((len(different), len(categories)), dtype=np.bool_)
    for row, (_, _, counted) in enumerate(different.values()):
        targets[row, [places[label] for label in counted]] = True
    return _Material(
        mails=tuple(mail for mail, _, _ in different.values()),
        examples=tuple(example for _, example, _ in different.values()),
        subjects=tuple(mail.subject[:LONGEST_SUBJECT] for mail, _, _ in different.values()),
        targets=targets,
        first=np.array([places[counted[0]] for _, _, counted in different.values()], dtype=np.int64),
        categories=categories,
        labels=labels,
        is_earlier=np.fromiter(stages.values(), dtype=np.bool_),
        balanced=way.balanced,
    )


def _keep_similar(material: _Material, rows: csr_array, words: int, seed: int, *, with_subjects: bool) -> Similar:
    """Keep the strongest words of each example, or of too many examples those of an even share of each category."""
    kept = _spread(material.first, MAX_SIMILAR, seed)
    columns, values = np.zeros((len(kept), WORDS_KEPT), dtype=np.int32), np.zeros((len(kept), WORDS_KEPT), dtype=np.float16)
    for row, place in enumerate(kept):
        part = slice(rows.indptr[place], rows.indptr[place + 1])
        is_word = rows.indices[part] < words
        own, strength = rows.indices[part][is_word], rows.data[part][is_word]
        strongest = np.argsort(-strength, kind="stable")[:WORDS_KEPT]
        columns[row, : len(strongest)], values[row, : len(strongest)] = own[strongest], strength[strongest]
    return Similar(
        columns=columns,
        values=values,
        labels=material.first[kept].astype(np.int32),
        lines=np.array([material.examples[place].line for place in kept], dtype=np.int32),
        subjects=tuple(material.subjects[place] for place in kept) if with_subjects else (),
    )


def _spread(first: Integers, most: int, seed: int) -> Integers:
    """Choose places so that each category keeps the same share of its examples, and at least one."""
    generator, share = np.random.default_rng(seed), min(1.0, most / len(first))
    chosen = [
        generator.permutation(places)[: max(1, int(share * len(places)))]
        for places in (np.flatnonzero(first == category) for category in np.unique(first))
    ]
    return np.sort(np.concatenate(chosen))


def _check_counts(counts: Counter[CategoryId], categories: Sequence[CategoryId], source: str) -> None:
    if missing := [category for category in categories if not counts[category]]:
        raise InputFileError(source, f"no example of {', '.join(missing)}; add some, or remove it from the configuration")
    if len(categories) < 2:  # noqa: PLR2004
        raise InputFileError(source, "labels of at least two categories are needed; add examples of another one")
    if len(categories) > MAX_CATEGORIES:
        raise InputFileError(source, f"has labels of {len(categories)} categories; a model has at most {MAX_CATEGORIES}")
    if max(counts.values()) < 2:  # noqa: PLR2004
        raise InputFileError(source, "every category has a single example; add more, ten of each are a good beginning")


def _check_stages(placed: Sequence[tuple[CategoryId, bool]], source: str) -> None:
    """Check the category of each mail with whether it is of the first stage."""
    first, second = (Counter(category for category, is_earlier in placed if is_earlier is stage) for stage in (True, False))
    if len(first) < 2:  # noqa: PLR2004
        raise InputFileError(source, "the first stage has no texts of its own of two categories; train in one stage")
    if max(second.values(), default=0) < 2:  # noqa: PLR2004
        raise InputFileError(source, "every category has a single example in the second stage; train in one stage")


def _fingerprint(examples: Iterable[Example]) -> str:
    """Give the SHA-256 of subjects, bodies and labels, in order."""
    digest = sha256()
    for example in examples:
        digest.update(json.dumps([example.subject, example.body, example.labels]).encode() + b"\n")
    return digest.hexdigest()


# --- cross-validation --------------------------------------------------------------------------------------------------


def _cross_validate(material: _Material, seed: int, progress: Callable[[str], None], tell: Tell) -> _Choice:
    """Choose the model and how its margins become probabilities, and measure both on held-out examples.

    Each fold learns its own vocabulary: with words of the held-out examples in it, they would look stranger than later mail.
    """
    fold_of = np.full(len(material.first), _ALWAYS_TRAINING)
    fold_of[~material.is_earlier] = _assign_folds(material.first[~material.is_earlier], seed)
    counts = [None if fold == _LEFT_OUT else count_features(mail) for mail, fold in zip(material.mails, fold_of, strict=True)]
    held_out = np.flatnonzero((fold_of != _LEFT_OUT) & (fold_of != _ALWAYS_TRAINING))
    folds = np.unique(fold_of[held_out])
    logits = {learner: np.zeros(material.targets.shape) for learner in list_learners(*material.targets.shape)}
    for number, fold in enumerate(folds, start=1):
        progress(f"cross-validation, {number} of {len(folds)}")
        train, test = np.flatnonzero((fold_of != _LEFT_OUT) & (fold_of != fold)), np.flatnonzero(fold_of == fold)
        vocabulary = learn_vocabulary(_pick(counts, train))
        rows, asked = (_build_matrix(vocabulary, _pick(counts, places)) for places in (train, test))
        for learner, own in logits.items():
            weights, bias = _fit(learner, rows, train, material, seed)
            own[test] = asked @ weights + bias
    counted = np.maximum(material.targets.sum(axis=0), 1)
    shares = PRIOR_SHARES if material.balanced else PRIOR_SHARES[:1]
    choices = [
        choice
        for learner, own in logits.items()
        for choice in _judge_all(learner, own[held_out], material.targets[held_out], counted, material.labels, shares)
    ]
    best = min(choices, key=lambda choice: choice.loss)
    progress(
        f"held-out accuracy {best.quality.accuracy:.3f}, macro-F1 {best.quality.macro_f1:.3f}, "
        f"calibration error {best.quality.calibration_error:.3f} ({best.learner.method}, C = {best.learner.strength})"
    )
    tell(_hold_out(material, held_out, best, logits[best.learner][held_out], len(folds)))
    return best


def _fit(learner: Learner, rows: csr_array, places: Integers, material: _Material, seed: int) -> tuple[Floats, Floats]:
    """Train on rows of features, those of the mails at `places`; in two stages where there are two."""
    targets, is_earlier = material.targets[places], material.is_earlier[places]
    is_one, balanced = material.labels is Labels.ONE, material.balanced
    if not is_earlier.any():
        return learner.train(rows, targets, is_one=is_one, seed=seed, balanced=balanced)
    first, second = np.flatnonzero(is_earlier), np.flatnonzero(~is_earlier)
    start = learner.train(rows[first], targets[first], is_one=is_one, seed=seed, balanced=balanced)
    return learner.carry_on(rows[second], targets[second], start)


def _hold_out(material: _Material, places: Integers, choice: _Choice, logits: Logits, folds: int) -> HeldOut:
    """Give the answers of the chosen model about the held-out examples at these places."""
    several = material.labels is Labels.MANY
    if several:
        probabilities = sigmoid(logits * np.array(choice.slopes) + np.array(choice.shifts))
    else:
        probabilities = softmax((logits + choice.offsets) / choice.temperature)
    return hold_out(
        [material.examples[place] for place in places],
        material.categories,
        probabilities,
        material.targets[places],
        different=len(material.mails),
        several=several,
        folds=folds,
    )


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


def _judge_all(
    learner: Learner,
    logits: Logits,
    targets: Targets,
    counted: Integers,
    labels: Labels,
    shares: Sequence[float] = PRIOR_SHARES,
) -> Iterator[_Choice]:
    """Judge a model with each share of the prior taken away; where a mail can have several categories there is none to take.

    `counted` says how many examples each category has in all.
    """
    if labels is Labels.MANY:
        yield _judge_many(learner, logits, targets)
        return
    prior = np.log(counted / counted.sum())
    scale, _ = fit_temperature(logits, targets.argmax(axis=1))
    for share in shares:
        yield _judge(learner, logits, targets, -share * scale * (prior - prior.mean()))


def _judge(learner: Learner, logits: Logits, targets: Targets, offsets: Logits) -> _Choice:
    """Measure; the loss is the mean of two, that of the mean example and that of the mean category.

    By examples alone the large categories would choose, by categories alone the handful of examples of the smallest.
    """
    labels = targets.argmax(axis=1)
    temperature, loss = fit_temperature(logits + offsets, labels)
    probabilities = softmax((logits + offsets) / temperature)
    losses = -np.log(probabilities[np.arange(len(labels)), labels] + np.finfo(float).tiny)
    by_category = np.mean([losses[labels == category].mean() for category in np.unique(labels)])
    quality = Quality(
        examples=len(labels),
        accuracy=float((probabilities.argmax(axis=1) == labels).mean()),
        macro_f1=macro_f1(probabilities.argmax(axis=1), labels),
        calibration_error=expected_calibration_error(probabilities, labels),
    )
    return _Choice(
        learner=learner, temperature=temperature, offsets=offsets, quality=quality, loss=(loss + float(by_category)) / 2
    )


def _judge_many(learner: Learner, logits: Logits, targets: Targets) -> _Choice:
    """Do the same where each category is told alone: Platt's slope and shift of each, held near those of all together."""
    blend = fit_blend([logits], targets, Labels.MANY, [USUAL_SLOPE])
    slopes, shifts = blend.slopes * blend.weights[0], blend.shifts
    moved = logits * slopes + shifts
    told, probabilities = moved >= 0, sigmoid(moved)
    pairs = np.stack([1 - probabilities.ravel(), probabilities.ravel()], axis=1)
    scores = [_f1(told[:, place], targets[:, place]) for place in range(targets.shape[1]) if targets[:, place].any()]
    quality = Quality(
        examples=len(targets),
        accuracy=float(targets[np.arange(len(targets)), moved.argmax(axis=1)].mean()),
        macro_f1=float(np.mean(scores)),
        calibration_error=expected_calibration_error(pairs, targets.ravel().astype(np.int64)),
    )
    loss = float((np.logaddexp(0, moved) - targets * moved).mean())
    return _Choice(
        learner=learner,
        temperature=1.0,
        offsets=np.zeros(targets.shape[1]),
        slopes=tuple(slopes.tolist()),
        shifts=tuple(shifts.tolist()),
        quality=quality,
        loss=loss,
    )


def _f1(told: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (told & truth).sum() / (told.sum() + truth.sum()))


def fit_temperature(logits: Logits, labels: Integers) -> tuple[float, float]:
    """Find what to divide logits by so that their softmax is calibrated; give it and the loss (nats an example) with it.

    The targets are a little below 1, as in Platt's scaling, so that a few examples, all told right, do not make certainty.
    """
    from scipy.optimize import minimize_scalar  # training alone needs it

    doubt = 1 / (len(labels) + 2)

    def loss(log_temperature: float) -> float:
        logs = np.log(softmax(logits / math.exp(log_temperature)) + np.finfo(float).tiny)
        return float(-((1 - doubt) * logs[np.arange(len(labels)), labels] + doubt * logs.mean(axis=1)).mean())

    found = minimize_scalar(loss, bounds=tuple(map(math.log, TEMPERATURES)), method="bounded")
    return math.exp(found.x), float(found.fun)


def macro_f1(predicted: Integers, labels: Integers) -> float:
    """Give the mean F1 over the categories that occur among the labels."""
    scores = []
    for category in np.unique(labels):
        hits = int(((predicted == category) & (labels == category)).sum())
        scores.append(2 * hits / int((predicted == category).sum() + (labels == category).sum()))
    return float(np.mean(scores))


def expected_calibration_error(probabilities: Logits, labels: Integers) -> float:
    """Give the mean gap between the top probability and how often it is right, over bins of equal width (Guo et al. 2017)."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))


# --- the linear model --------------------------------------------------------------------------------------------------


def _build_matrix(vocabulary: Vocabulary, mails: Iterable[Counts]) -> csr_array:
    """Give one sparse row of features a mail."""
    from scipy.sparse import csr_array  # training alone needs it

    columns, values, ends = [], [], [0]
    for counts in mails:
        row_columns, row_values = vocabulary.vectorize(counts)
        columns.append(row_columns.astype(np.int32))
        values.append(row_values)
        ends.append(ends[-1] + len(row_values))
    shape = (len(values), len(vocabulary))
    return csr_array((np.concatenate(values), np.concatenate(columns), np.array(ends, dtype=np.int32)), shape=shape)
