"""Training of the embeddings classifier: examples and an embedding model in, a model with its own measured quality out.

Every mail becomes features (cubbyd.classify.feature) and a vector; the heads of cubbyd.training.head are trained on them in
cross-validation, their held-out scores are weighed by cubbyd.training.blend, and the heads that count for something are trained
again on all examples. The quality is measured on mails that neither a head nor the weights have seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from cubbyd import __version__
from cubbyd.classify.embedding.cache import Embedder
from cubbyd.classify.embedding.index import Index
from cubbyd.classify.embedding.model import MAX_CATEGORIES, MAX_INDEX, EmbeddingModel, Quality, apply_adapter
from cubbyd.classify.embedding.source import Embedded
from cubbyd.classify.feature import Counts, Floats, Vocabulary, count_features, learn_vocabulary
from cubbyd.config import Labels
from cubbyd.dataset.example import Example
from cubbyd.errors import ClassifierError, InputFileError
from cubbyd.message.model import ClassifierInput
from cubbyd.message.render import RENDERER_VERSION, render_text
from cubbyd.taxonomy import CategoryId, Taxonomy
from cubbyd.training.blend import Blend, fit_blend, to_probabilities
from cubbyd.training.head import HEADS, Rows, Scores, Targets
from cubbyd.training.local import expected_calibration_error, macro_f1
from cubbyd.training.validation import Tell, hold_out, tell_nobody

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DEFAULT_HEADS: Final = ("words", "joint", "logistic", "neighbors")
USUAL_WEIGHTS: Final = {"words": 0.3, "joint": 1.8, "logistic": 1.8, "means": 0.3, "neighbors": 0.1}
"""What the heads count for where a few examples cannot tell; found with five and ten examples a category."""
USUAL_ALONE: Final = 2.0
"""The same for a head that stands alone."""
WITH_WORDS: Final = frozenset({"words", "joint"})
"""Heads that need the vocabulary."""

FOLDS: Final = 5
MAX_HELD_OUT: Final = 4000
"""How many examples cross-validation looks at: enough for a handful of weights."""
NEGLIGIBLE: Final = 0.01
"""A head whose scores move logits by less than this share of all is left out."""
YES: Final = 0.5

_ALWAYS_TRAINING: Final = -1
"""In the place of a fold: never held out."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to train."""

    heads: tuple[str, ...] = DEFAULT_HEADS
    labels: Labels = Labels.ONE
    adapter: bool = False
    """Whether vectors are turned and stretched first, so that the categories of the examples lie apart."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Material:
    """Checked examples as numbers, without repetitions."""

    counts: tuple[Counts, ...]
    vectors: Floats
    targets: Targets
    first: Integers
    """The place of each mail's first category."""
    examples: tuple[Example, ...]
    """What each mail was made of."""
    categories: tuple[CategoryId, ...]


def train_embeddings(
    examples: Sequence[Example],
    embedder: Embedder,
    taxonomy: Taxonomy | None = None,
    *,
    plan: Plan | None = None,
    source: str = "the examples",
    progress: Callable[[str], None] = lambda _: None,
    tell: Tell = tell_nobody,
) -> EmbeddingModel:
    """Train a model on labeled examples; the same examples, embedding model and plan give the same model.

    An example without a label is passed over; with `labels` one, an example counts for its first. The categories are those of
    the taxonomy, or without one all that occur. `source` names the examples in errors, `tell` is given what was said of
    held-out examples. Raises InputFileError where they cannot be learned from, and ClassifierError where the embedding model
    gives no vectors.
    """
    plan = plan or Plan()
    material = _prepare(examples, taxonomy, source, embedder, plan, progress)
    scores, held_out = _cross_validate(material, plan, progress)
    targets = material.targets[held_out]
    probabilities = _answer(scores, targets, plan)
    quality = judge(probabilities, targets, plan.labels)
    tell(
        hold_out(
            [material.examples[place] for place in held_out],
            material.categories,
            probabilities,
            targets,
            different=len(material.targets),
            several=plan.labels is Labels.MANY,
            folds=FOLDS,
        )
    )
    blend = _fit(scores, targets, plan)
    chosen = _choose(plan.heads, blend, scores)
    progress(
        f"held-out accuracy {quality.accuracy:.3f}, macro-F1 {quality.macro_f1:.3f}, "
        f"calibration error {quality.calibration_error:.3f}; heads: {', '.join(chosen)}"
    )
    plan = replace(plan, heads=chosen)
    return _assemble(examples, material, embedder, plan, _fit(scores, targets, plan), quality)


def _assemble(
    examples: Sequence[Example], material: _Material, embedder: Embedder, plan: Plan, blend: Blend, quality: Quality
) -> EmbeddingModel:
    """Train the chosen heads on all examples, and add them up."""
    everything = np.arange(len(material.targets))
    vocabulary = _learn(material, everything, plan)
    adapter = _learn_adapter(material, everything, plan)
    rows = _make_rows(material, everything, vocabulary, adapter, plan)
    heads = {name: HEADS[name](rows, plan.seed) for name in plan.heads}
    categories = len(material.categories)
    totals = {
        "words": np.zeros((len(vocabulary), categories)),
        "vectors": np.zeros((rows.vectors.shape[1], categories)),
        "bias": blend.shifts.copy(),
    }
    neighbors = np.zeros(categories)
    for (name, head), weight in zip(heads.items(), blend.weights, strict=True):
        for part in totals:
            if (array := getattr(head, part)) is not None:
                totals[part] += array * weight * blend.slopes
        if name == "neighbors":
            neighbors += weight * blend.slopes
    return EmbeddingModel(
        labels=plan.labels,
        categories=material.categories,
        examples=tuple(material.targets.sum(axis=0).tolist()),
        embedding_model=embedder.model,
        dimensions=material.vectors.shape[1],
        vocabulary=vocabulary,
        word_weights=totals["words"].astype(np.float32),
        vector_weights=totals["vectors"].astype(np.float32),
        neighbor_weights=neighbors.astype(np.float32),
        bias=totals["bias"].astype(np.float32),
        adapter=adapter,
        index=_make_index(rows, material, plan.seed),
        heads={name: round(float(weight), 4) for name, weight in zip(heads, blend.weights, strict=True)},
        renderer=RENDERER_VERSION,
        data_sha256=_fingerprint(examples),
        quality=quality,
        versions={"cubbyd": __version__, "numpy": np.__version__, "scikit-learn": version("scikit-learn")},
    )


# --- the examples ------------------------------------------------------------------------------------------------------


def _prepare(
    examples: Sequence[Example],
    taxonomy: Taxonomy | None,
    source: str,
    embedder: Embedder,
    plan: Plan,
    progress: Callable[[str], None],
) -> _Material:
    """Check, render and embed the examples; of those that read the same under the same labels, one is kept.

    Repetitions would stand on both sides of cross-validation and make it flatter itself.
    """
    different: dict[tuple[object, ...], tuple[ClassifierInput, tuple[CategoryId, ...], Example]] = {}
    for example in examples:
        labels = example.labels if plan.labels is Labels.MANY else example.labels[:1]
        if unknown := [label for label in labels if taxonomy is not None and label not in taxonomy]:
            known = ", ".join(taxonomy.ids if taxonomy is not None else ())
            raise InputFileError(source, f"unknown label {unknown[0]!r}; the configuration has {known}", line=example.line)
        if labels:
            mail = render_text(example.subject, example.body)
            different.setdefault((labels, mail.subject, mail.text, mail.quoted), (mail, labels, example))
    counts = Counter(label for _, labels, _ in different.values() for label in labels)
    categories = taxonomy.ids if taxonomy is not None else tuple(sorted(counts))
    _check_counts(counts, categories, source)
    progress(f"{len(different)} different examples in {len(categories)} categories")
    mails = [mail for mail, _, _ in different.values()]
    places = {category: place for place, category in enumerate(categories)}
    targets = np.zeros((len(mails), len(categories)), dtype=np.bool_)
    for row, (_, labels, _) in enumerate(different.values()):
        targets[row, [places[label] for label in labels]] = True
    with_words = not WITH_WORDS.isdisjoint(plan.heads)
    return _Material(
        counts=tuple(map(count_features, mails)) if with_words else (),
        vectors=_embed(mails, embedder, progress),
        targets=targets,
        first=np.array([places[labels[0]] for _, labels, _ in different.values()], dtype=np.int64),
        examples=tuple(example for _, _, example in different.values()),
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


def _embed(mails: Sequence[ClassifierInput], embedder: Embedder, progress: Callable[[str], None]) -> Floats:
    """Give one vector a mail. Raises the first error that there is: a model trained on fewer examples would hide it."""
    vectors: list[NDArray[np.float32]] = []
    step = max(embedder.batch_size, 1)
    for start in range(0, len(mails), step):
        for outcome in embedder.embed(mails[start : start + step]):
            if isinstance(outcome, ClassifierError):
                raise outcome
            vectors.append(_sized(outcome))
        if (start // step) % 20 == 0:
            progress(f"embedding, {len(vectors)} of {len(mails)}")
    size = max(map(len, vectors))
    return np.array([vector if len(vector) else np.zeros(size, dtype=np.float32) for vector in vectors])


def _sized(outcome: Embedded) -> NDArray[np.float32]:
    return outcome.vector if outcome.vector.any() else np.zeros(0, dtype=np.float32)


def _fingerprint(examples: Iterable[Example]) -> str:
    """Give the SHA-256 of subjects, bodies and labels, in order; the same as that of a local model."""
    digest = sha256()
    for example in examples:
        digest.update(json.dumps([example.subject, example.body, example.labels]).encode() + b"\n")
    return digest.hexdigest()


# --- cross-validation --------------------------------------------------------------------------------------------------


def _cross_validate(material: _Material, plan: Plan, progress: Callable[[str], None]) -> tuple[dict[str, Scores], Integers]:
    """Score examples by heads that were trained without them; give the scores by head, and which examples they are of.

    Each fold learns its own vocabulary: with words of the held-out examples in it, they would look stranger than later mail.
    """
    fold_of = _assign_folds(material.first, plan.seed)
    scores = {name: np.zeros(material.targets.shape) for name in plan.heads}
    folds = np.unique(fold_of[fold_of != _ALWAYS_TRAINING])
    for number, fold in enumerate(folds, start=1):
        progress(f"cross-validation, {number} of {len(folds)}")
        train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        vocabulary = _learn(material, train, plan)
        adapter = _learn_adapter(material, train, plan)
        rows, asked = (_make_rows(material, places, vocabulary, adapter, plan) for places in (train, test))
        for name in plan.heads:
            scores[name][test] = HEADS[name](rows, plan.seed).score(asked)
    held_out = np.flatnonzero(fold_of != _ALWAYS_TRAINING)
    return {name: score[held_out] for name, score in scores.items()}, held_out


def _assign_folds(first: Integers, seed: int) -> Integers:
    """Deal the examples of each category over the folds, from 0; a category's only example is always in training."""
    folds = np.full(len(first), _ALWAYS_TRAINING, dtype=np.int64)
    generator, dealt = np.random.default_rng(seed), 0
    share = min(1.0, MAX_HELD_OUT / len(first))
    for category in np.unique(first):
        places = np.flatnonzero(first == category)
        if len(places) == 1:
            continue
        chosen = generator.permutation(places)[: max(2, round(share * len(places)))]
        folds[chosen] = (np.arange(len(chosen)) + dealt) % FOLDS
        dealt += len(chosen)
    return folds


def _answer(scores: dict[str, Scores], targets: Targets, plan: Plan) -> Scores:
    """Give the probabilities of a blend whose weights were fitted without the mails that are asked for."""
    probabilities = np.zeros(targets.shape)
    part = np.random.default_rng(plan.seed).permutation(len(targets)) % FOLDS
    for fold in np.unique(part):
        train, test = part != fold, part == fold
        blend = _fit({name: score[train] for name, score in scores.items()}, targets[train], plan)
        probabilities[test] = to_probabilities(blend.logits([scores[name][test] for name in plan.heads]), plan.labels)
    return probabilities


def _fit(scores: dict[str, Scores], targets: Targets, plan: Plan) -> Blend:
    usual = [USUAL_WEIGHTS[name] if len(plan.heads) > 1 else USUAL_ALONE for name in plan.heads]
    return fit_blend([scores[name] for name in plan.heads], targets, plan.labels, usual)


def judge(probabilities: Scores, targets: Targets, labels: Labels) -> Quality:
    """Compare probabilities with what was right."""
    tops = probabilities.argmax(axis=1)
    is_right = targets[np.arange(len(targets)), tops]
    if labels is Labels.ONE:
        truth = targets.argmax(axis=1)
        f1, error = macro_f1(tops, truth), expected_calibration_error(probabilities, truth)
    else:
        f1 = float(np.mean([_f1(p, t) for p, t in zip((probabilities >= YES).T, targets.T, strict=True) if t.any()]))
        pairs = np.stack([1 - probabilities.ravel(), probabilities.ravel()], axis=1)
        error = expected_calibration_error(pairs, targets.ravel().astype(np.int64))
    return Quality(examples=len(targets), accuracy=float(is_right.mean()), macro_f1=f1, calibration_error=error)


def _f1(predicted: NDArray[np.bool_], target: NDArray[np.bool_]) -> float:
    return float(2 * (predicted & target).sum() / (predicted.sum() + target.sum()))


def _choose(names: Sequence[str], blend: Blend, scores: dict[str, Scores]) -> tuple[str, ...]:
    """Leave out the heads that hardly move the sum; at least one stays."""
    moved = [
        weight * float((scores[name] - scores[name].mean(axis=1, keepdims=True)).std())
        for name, weight in zip(names, blend.weights, strict=True)
    ]
    least = NEGLIGIBLE * max(sum(moved), np.finfo(float).tiny)
    chosen = tuple(name for name, much in zip(names, moved, strict=True) if much > least)
    return chosen or tuple(names[:1])


# --- the numbers -------------------------------------------------------------------------------------------------------


def _learn(material: _Material, places: Integers, plan: Plan) -> Vocabulary:
    if WITH_WORDS.isdisjoint(plan.heads):
        none = np.zeros(0, dtype=np.uint64)
        return Vocabulary(words=(), grams=none, document_counts=np.zeros(0, dtype=np.int32), examples=len(places))
    return learn_vocabulary(material.counts[place] for place in places)


def _make_rows(material: _Material, places: Integers, vocabulary: Vocabulary, adapter: Floats, plan: Plan) -> Rows:
    vectors = material.vectors[places]
    if len(adapter):
        vectors = np.array([apply_adapter(adapter, vector) for vector in vectors])
    return Rows(
        features=_make_features(material, places, vocabulary),
        vectors=vectors,
        targets=material.targets[places],
        is_one=plan.labels is Labels.ONE,
    )


def _make_features(material: _Material, places: Integers, vocabulary: Vocabulary) -> csr_array:
    from scipy.sparse import csr_array  # training alone needs it

    if not len(vocabulary):
        return csr_array((len(places), 0), dtype=np.float32)
    columns, values, ends = [], [], [0]
    for place in places:
        row_columns, row_values = vocabulary.vectorize(material.counts[place])
        columns.append(row_columns.astype(np.int32))
        values.append(row_values)
        ends.append(ends[-1] + len(row_values))
    shape = (len(places), len(vocabulary))
    return csr_array((np.concatenate(values), np.concatenate(columns), np.array(ends, dtype=np.int32)), shape=shape)


def _learn_adapter(material: _Material, places: Integers, plan: Plan) -> Floats:
    """Find the linear map after which the examples of one category lie in a ball: whitening by the scatter within them.

    This is the map of linear discriminant analysis; the scatter is shrunk toward a ball's, the more the fewer examples
    there are. An array without rows where the plan wants none.
    """
    dimensions = material.vectors.shape[1]
    if not plan.adapter:
        return np.zeros((0, dimensions), dtype=np.float32)
    vectors, labels = material.vectors[places].astype(np.float64), material.first[places]
    for label in np.unique(labels):
        vectors[labels == label] -= vectors[labels == label].mean(axis=0)
    scatter = vectors.T @ vectors / len(places)
    shrinkage = dimensions / (dimensions + len(places))
    ball = np.eye(dimensions) * max(np.trace(scatter) / dimensions, np.finfo(float).eps)
    sizes, axes = np.linalg.eigh((1 - shrinkage) * scatter + shrinkage * ball)
    return np.ascontiguousarray(axes / np.sqrt(sizes) @ axes.T, dtype=np.float32)


def _make_index(rows: Rows, material: _Material, seed: int) -> Index:
    """Keep the examples, or of too many an even share of each category."""
    order = np.random.default_rng(seed).permutation(len(rows.targets))
    if len(order) > MAX_INDEX:
        share = MAX_INDEX / len(order)
        ranks = np.zeros(len(order))
        for category in np.unique(material.first):
            places = order[material.first[order] == category]
            ranks[places] = np.arange(len(places)) / len(places)
        order = np.argsort(ranks, kind="stable")[: int(share * len(order))]
    places = np.sort(order)
    vectors = rows.vectors[places].astype(np.float16).astype(np.float32)
    lines = np.array([material.examples[place].line for place in places], dtype=np.int32)
    return Index(vectors=vectors, targets=rows.targets[places], lines=lines)
