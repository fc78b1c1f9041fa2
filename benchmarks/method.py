"""The ways to classify that the benchmarks compare: ours, and baselines as scikit-learn has them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from benchmarks.trial import Classify, Probabilities
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

from cubbyd.classify.ensemble import EnsembleClassifier
from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.modelfile import save_model
from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.dataset.example import Example
from cubbyd.message.model import ClassifierInput
from cubbyd.message.render import render_text
from cubbyd.training.local import train_local

FOLDS: Final = 5
EMBEDDING_MODEL: Final = "CUBBYD_EMBEDDING_MODEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of training."""

    classify: Classify
    """Gives probabilities, (mails, categories in alphabetical order)."""
    bytes: int = 0
    """The size of the model's file; 0 where there is none."""


Train = Callable[[Sequence[Example]], Trained]


def ask(classifier: Classifier) -> Classify:
    """Make a function of a classifier of ours."""

    def classify(mails: Sequence[ClassifierInput]) -> Probabilities:
        answers = [answer for answer in classifier.classify(mails) if isinstance(answer, Prediction)]
        return np.array([[answer.probabilities[category] for category in sorted(answer.probabilities)] for answer in answers])

    return classify


def make_local() -> Train | None:
    """Train the local classifier."""

    def train(examples: Sequence[Example]) -> Trained:
        model = train_local(examples)
        return Trained(classify=ask(LocalClassifier(model)), bytes=_size(lambda file: save_model(model, file, created=_now())))

    return train


def make_embeddings() -> Train | None:
    """Train the embeddings classifier; None where there is no embedding model."""
    from cubbyd.classify.embedding.classifier import EmbeddingClassifier
    from cubbyd.classify.embedding.model import save_embedding_model
    from cubbyd.training.embedding import train_embeddings

    embedder = make_embedder()
    if embedder is None:
        return None

    def train(examples: Sequence[Example]) -> Trained:
        model = train_embeddings(examples, embedder)
        size = _size(lambda file: save_embedding_model(model, file, created=_now()))
        return Trained(classify=ask(EmbeddingClassifier(model, embedder)), bytes=size)

    return train


def make_ensemble() -> Train | None:
    """Train both, and take the mean."""
    from cubbyd.classify.embedding.classifier import EmbeddingClassifier
    from cubbyd.training.embedding import train_embeddings

    embedder = make_embedder()
    if embedder is None:
        return None

    def train(examples: Sequence[Example]) -> Trained:
        members = LocalClassifier(train_local(examples)), EmbeddingClassifier(train_embeddings(examples, embedder), embedder)
        return Trained(classify=ask(EnsembleClassifier(members, [1, 1])))

    return train


def make_embedder() -> Any:
    """Open the embedding model; vectors are made once for each text of a run."""
    from benchmarks.embeddings import Remembering

    from cubbyd.classify.embedding.cache import Embedder
    from cubbyd.classify.embedding.opening import open_folder

    folder = os.environ.get(EMBEDDING_MODEL)
    return Embedder(Remembering(open_folder(Path(folder)))) if folder else None


def _size(save: Callable[[Path], None]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "model")
        return (Path(folder) / "model").stat().st_size


def _now() -> datetime:
    return datetime.now(UTC)


def baseline(make: Callable[[int], Pipeline]) -> Callable[[], Train]:
    """Make a method of a pipeline of scikit-learn's; `make` is told how few examples a category has."""

    def train(examples: Sequence[Example]) -> Trained:
        labels = [example.labels[0] for example in examples]
        fewest = min(labels.count(label) for label in set(labels))
        pipeline = make(fewest).fit([_text(render_text(one.subject, one.body)) for one in examples], labels)
        return Trained(classify=lambda mails: np.asarray(pipeline.predict_proba([_text(mail) for mail in mails])))

    return lambda: train


def _text(mail: ClassifierInput) -> str:
    return f"{mail.subject}\n{mail.text}\n{mail.quoted}"


def words_and_grams() -> Any:
    """Make the features of the strongest baselines: words, pairs, and character n-grams."""
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, max_features=100_000),
    )


def _calibrated_machine(fewest: int) -> Any:
    """Platt's calibration by cross-validation, with as many folds as the smallest category allows."""
    return CalibratedClassifierCV(LinearSVC(), cv=max(2, min(FOLDS, fewest)))


METHODS: Final[Mapping[str, Callable[[], Train | None]]] = {
    "local": make_local,
    "embeddings": make_embeddings,
    "ensemble": make_ensemble,
    "naive-bayes": baseline(lambda _: make_pipeline(CountVectorizer(), MultinomialNB())),
    "complement-nb": baseline(lambda _: make_pipeline(TfidfVectorizer(), ComplementNB())),
    "words+lr": baseline(lambda _: make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000))),
    "grams+lr": baseline(lambda _: make_pipeline(words_and_grams(), LogisticRegression(C=10, max_iter=1000))),
    "grams+svm": baseline(lambda fewest: make_pipeline(words_and_grams(), _calibrated_machine(fewest))),
}
"""By name; naive-bayes is plain multinomial naive Bayes on word counts, which is what POPFile uses."""
