"""The embeddings classifier, ready to answer: a mail's words and its vector, weighed together; numpy and the embedder alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.embedding.cache import Embedder
from cubbyd.classify.embedding.model import KIND, TRAIN_AGAIN, EmbeddingModel
from cubbyd.classify.embedding.source import Embedded, Vector
from cubbyd.classify.feature import Columns, Floats, count_features
from cubbyd.classify.logit import sigmoid, softmax
from cubbyd.classify.place import Places, center
from cubbyd.classify.protocol import Prediction, Provenance, Reason
from cubbyd.config import Labels
from cubbyd.errors import ClassifierError, ClassifierUnavailable
from cubbyd.message.model import ClassifierInput

MAX_WORDS: Final = 4
MIN_REASON_EXAMPLES: Final = 2
"""A word of a single example may be one family's own: it is never shown as a reason."""
MIN_REASON_LETTERS: Final = 3
HOUR: Final = 3600.0


class EmbeddingClassifier:
    """A trained model with the embedding model that it belongs to; any number of threads may use it."""

    def __init__(self, model: EmbeddingModel, embedder: Embedder) -> None:
        """Take both; the embedder is closed with this."""
        self.provenance = Provenance(kind=KIND, model=f"{model.identity} {model.embedding_model}", renderer=model.renderer)
        self.categories, self.batch_size = model.categories, max(embedder.batch_size, 1)
        self._model, self._embedder = model, embedder
        self._is_telling = _find_telling(model)

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        """Answer for each input, in order. Raises ClassifierUnavailable where none has an answer for that reason."""
        outcomes: list[Prediction | ClassifierError] = []
        for start in range(0, len(inputs), self.batch_size):
            mails = inputs[start : start + self.batch_size]
            try:
                embedded = self._embedder.embed(mails)
            except ClassifierUnavailable as outage:
                if not outcomes:
                    raise
                return outcomes + [outage] * (len(inputs) - start)
            outcomes += [
                self._predict(mail, outcome) if isinstance(outcome, Embedded) else outcome
                for mail, outcome in zip(mails, embedded, strict=True)
            ]
        return outcomes

    def place(self, inputs: Sequence[ClassifierInput], /) -> Places:
        """Give where mails lie: by their vectors, and by what the adapter makes of them, or without one by their scores."""
        outcomes: list[Embedded | ClassifierError] = []
        for start in range(0, len(inputs), self.batch_size):
            outcomes += self._embedder.embed(inputs[start : start + self.batch_size])
        told = [
            (row, outcome.vector)
            for row, outcome in enumerate(outcomes)
            if isinstance(outcome, Embedded) and len(outcome.vector) == self._model.dimensions and outcome.vector.any()
        ]
        vectors = np.array([vector for _, vector in told], dtype=np.float64)
        has_adapter = len(self._model.adapter) > 0
        return Places(
            rows=np.array([row for row, _ in told], dtype=np.int64),
            before=vectors,
            after=np.array([self._model.adapt(vector) for _, vector in told], dtype=np.float64)
            if has_adapter
            else center(np.array([self._score(inputs[row], vector) for row, vector in told]).reshape(-1, len(self.categories))),
            is_shared=has_adapter,
            before_is="the vectors of the embedding model",
            after_is="the vectors behind the adapter" if has_adapter else "the scores of the categories",
        )

    def _score(self, mail: ClassifierInput, vector: Vector) -> NDArray[np.float64]:
        columns, values = self._model.vocabulary.vectorize(count_features(mail))
        return self._model.score(columns, values, self._model.adapt(vector))

    def close(self) -> None:
        """Close the embedder."""
        self._embedder.close()

    def _predict(self, mail: ClassifierInput, embedded: Embedded) -> Prediction | ClassifierError:
        started = time.perf_counter()
        model = self._model
        vector = embedded.vector if len(embedded.vector) else np.zeros(model.dimensions, dtype=np.float32)
        if len(vector) != model.dimensions:
            return ClassifierUnavailable(
                f"the embedding model gives {len(vector)} dimensions, and the classifier was trained with {model.dimensions}; "
                f"{TRAIN_AGAIN}",
                retry_after_seconds=HOUR,
            )
        columns, values = model.vocabulary.vectorize(count_features(mail))
        adapted = model.adapt(vector)
        logits = model.score(columns, values, adapted)
        probabilities = sigmoid(logits) if model.labels is Labels.MANY else softmax(logits)
        top = int(probabilities.argmax())
        here = (time.perf_counter() - started) * 1000
        return Prediction(
            probabilities=dict(zip(model.categories, probabilities.tolist(), strict=True)),
            provenance=self.provenance,
            cost=replace(embedded.cost, milliseconds=embedded.cost.milliseconds + here),
            reasons=(*self._similar(adapted, top), *self._telling(columns, values, top)),
            request_id=embedded.request_id,
        )

    def _similar(self, vector: Vector, top: int) -> tuple[Reason, ...]:
        """Say how many of the most similar examples have the top category, and which is the nearest of them.

        An example is named by its line in the file of examples, which is with the admin: its words are somebody's mail.
        """
        index = self._model.index
        places, cosines = index.nearest(vector)
        has_it = index.targets[places, top]
        if not vector.any() or not has_it.any():
            return ()
        weights = np.maximum(cosines, 0)
        nearest = int(index.lines[places[has_it][0]])
        where = f", the nearest in line {nearest} of the examples" if nearest else ""
        text = f"{int(has_it.sum())} of the {len(places)} most similar examples are {self.categories[top]}{where}"
        return (Reason(text=text, weight=float(weights[has_it].sum() / max(weights.sum(), np.finfo(np.float32).tiny))),)

    def _telling(self, columns: Columns, values: Floats, top: int) -> tuple[Reason, ...]:
        """Find the words that spoke most for the top category, against the mean of the others; shares of what words spoke."""
        words = self._model.vocabulary.words
        is_word = columns < len(words)
        columns, values = columns[is_word], values[is_word]
        if not len(columns):
            return ()
        weights = self._model.word_weights.take(columns, axis=0)
        others = (weights.sum(axis=1) - weights[:, top]) / (weights.shape[1] - 1)
        support = np.maximum(values * (weights[:, top] - others), 0)
        reasons: list[Reason] = []
        said: set[str] = set()
        for place in np.argsort(-support, kind="stable"):
            if support[place] <= 0 or len(reasons) == MAX_WORDS:
                break
            word = words[columns[place]]
            if self._is_telling[columns[place]] and said.isdisjoint(word.split()):
                reasons.append(Reason(text=word, weight=float(support[place] / support.sum())))
                said.update(word.split())
        return tuple(reasons)


def _find_telling(model: EmbeddingModel) -> NDArray[np.bool_]:
    """Tell for each word whether it may be a reason: in several examples, and not filler, which the largest has not alone."""
    most = max(model.examples)
    words = model.vocabulary.words
    counts = model.vocabulary.document_counts[: len(words)].tolist()
    filler = {word for word, count in zip(words, counts, strict=True) if count > most or len(word) < MIN_REASON_LETTERS}
    telling = [
        count >= MIN_REASON_EXAMPLES and not filler.issuperset(word.split()) for word, count in zip(words, counts, strict=True)
    ]
    return np.array(telling, dtype=np.bool_)
