"""The local classifier: a linear model over words and character n-grams, on this machine, with numpy alone.

One product of a sparse row and a matrix a mail; training is in cubbyd.training.local, the file in cubbyd.classify.modelfile.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.feature import Columns, Floats, count_features
from cubbyd.classify.logit import sigmoid, softmax
from cubbyd.classify.modelfile import KIND, LocalModel
from cubbyd.classify.place import Places, center, place_rows
from cubbyd.classify.protocol import Cost, Prediction, Provenance, Reason
from cubbyd.config import Labels
from cubbyd.message.model import ClassifierInput

MAX_REASONS: Final = 5
MIN_REASON_EXAMPLES: Final = 2
"""A word of a single example may be one family's own: it is never shown as a reason."""

MAX_FILLER_SHARE: Final = 0.04
"""A word of more than this share of all examples ("the", "her", "gracias") explains nothing to a person, in any language."""
MIN_REASON_LETTERS: Final = 3
"""Nobody learns anything from "i" or "to"; one word of a pair must be as long as this."""


class LocalClassifier:
    """A loaded model, ready to classify; it never changes, so that any number of threads may use it."""

    batch_size: int = 50

    def __init__(self, model: LocalModel) -> None:
        """Take a model that was trained or loaded."""
        self.provenance = Provenance(kind=KIND, model=model.identity, renderer=model.renderer)
        self.categories = model.categories
        self._model = model
        whole = sum(model.examples) if model.labels is Labels.ONE else model.vocabulary.examples
        self._prior = np.array(model.examples, dtype=np.float64) / whole
        self._is_telling = _find_telling(model)

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction]:
        """Answer for each input, in order; there is always an answer, and it takes a fraction of a millisecond."""
        return [self._predict(mail) for mail in inputs]

    def close(self) -> None:
        """Do nothing: the model is in memory alone."""

    def place(self, inputs: Sequence[ClassifierInput], /) -> Places:
        """Give where mails lie: by their words and character n-grams, and by the scores that the model gives them."""
        found = [self._model.vocabulary.vectorize(count_features(mail)) for mail in inputs]
        rows = np.flatnonzero([len(columns) > 0 for columns, _ in found])
        told = [found[row] for row in rows]
        weights, bias = self._model.weights, self._model.bias
        scores = np.array([values @ weights.take(columns, axis=0) + bias for columns, values in told], dtype=np.float64)
        scores = scores.reshape(-1, len(self.categories))
        return Places(
            rows=rows,
            before=place_rows(told, len(self._model.vocabulary)),
            after=center(scores),
            is_shared=False,
            before_is="words and character n-grams",
            after_is="the scores of the categories",
        )

    def _predict(self, mail: ClassifierInput) -> Prediction:
        started = time.perf_counter()
        columns, values = self._model.vocabulary.vectorize(count_features(mail))
        weights = self._model.weights.take(columns, axis=0)
        reasons: tuple[Reason, ...] = ()
        if len(columns):
            probabilities = self._to_probabilities(values @ weights + self._model.bias)
            top = int(probabilities.argmax())
            reasons = (*self._explain(columns, values, weights, top), *self._liken(columns, values, top))
        else:
            probabilities = self._prior
        return Prediction(
            probabilities=dict(zip(self._model.categories, probabilities.tolist(), strict=True)),
            provenance=self.provenance,
            cost=Cost(milliseconds=(time.perf_counter() - started) * 1000),
            reasons=reasons,
        )

    def _to_probabilities(self, logits: Floats) -> NDArray[np.float64]:
        model = self._model
        if model.labels is Labels.ONE:
            return softmax(logits / model.temperature)
        return sigmoid(np.array(model.slopes) * logits + np.array(model.shifts))

    def _liken(self, columns: Columns, values: Floats, top: int) -> tuple[Reason, ...]:
        """Name the example that is most like the mail among those of the top category."""
        nearest = self._model.similar.describe_nearest(columns, values, len(self._model.vocabulary.words), top)
        return (Reason(text=nearest, weight=0.0),) if nearest else ()

    def _explain(self, columns: Columns, values: Floats, weights: Floats, top: int) -> tuple[Reason, ...]:
        """Find the telling words that spoke most for the top category, against the average of the others.

        A word is passed over where it is part of a stronger reason, or the other way round. A reason's weight is its
        share of all that words spoke for the category; the grams, which repeat the words' letters, stay out of it.
        """
        vocabulary = self._model.vocabulary
        is_word = columns < len(vocabulary.words)
        columns, values, weights = columns[is_word], values[is_word], weights[is_word]
        others = (weights.sum(axis=1) - weights[:, top]) / (weights.shape[1] - 1)
        support = np.maximum(values * (weights[:, top] - others), 0)
        reasons: list[Reason] = []
        said: set[str] = set()
        for place in np.argsort(-support, kind="stable"):
            word = vocabulary.words[columns[place]]
            if support[place] <= 0 or len(reasons) == MAX_REASONS:
                break
            if self._is_telling[columns[place]] and said.isdisjoint(word.split()):
                reasons.append(Reason(text=word, weight=float(support[place] / support.sum())))
                said.update(word.split())
        return tuple(reasons)


def _find_telling(model: LocalModel) -> np.typing.NDArray[np.bool_]:
    """Tell for each word of the vocabulary whether it may be a reason: not one example's own, and not of filler alone.

    Filler ("the", "her", "gracias") stands in more examples than the largest category has: in no language is it its own.
    """
    most = max(model.examples)
    counted = list(
        zip(model.vocabulary.words, model.vocabulary.document_counts.tolist(), strict=False)
    )  # grams come after words
    filler = {word for word, count in counted if count > most or len(word) < MIN_REASON_LETTERS}
    return np.array([count >= MIN_REASON_EXAMPLES and not filler.issuperset(word.split()) for word, count in counted])
