"""How well classifiers find all labels of a text that has several: nlupp, 62 labels, beside one-against-the-rest baselines.

    python -m benchmarks.several [--write]

Two protocols of the set's own folds: *large*, trained on sixteen of the twenty and asked about four, and *low-data*, trained on
one and asked about nineteen. A label is given where its probability is 0.5 or more. ECE is that of all labels of all texts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from benchmarks.method import EMBEDDING_MODEL, ask, make_embedder, words_and_grams
from benchmarks.page import write_part
from benchmarks.trial import SHARED, Probabilities
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from cubbyd.classify.local import LocalClassifier
from cubbyd.config import Labels
from cubbyd.dataset.example import Example
from cubbyd.evaluation.metric import calibration_error
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import train_local

YES: Final = 0.5
LARGE: Final = 16
"""Folds to train on; the rest of the twenty are asked about."""

Truths = NDArray[np.bool_]
Ask = Callable[[Sequence[str]], Probabilities]
Rows = Sequence[Mapping[str, Any]]


def main() -> None:
    """Measure both protocols with each method, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the table into docs/classifiers/measured.md")
    options = parser.parse_args()
    file = SHARED / "data" / "nlupp" / "data.jsonl"
    rows = [json.loads(line) for line in file.open(encoding="utf-8")]
    lines = [
        "| protocol | method | micro-F1 | macro-F1 | all labels right | ECE | train, s | predictions/s |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for protocol, is_train in {"large": lambda fold: fold < LARGE, "low-data": lambda fold: fold == 0}.items():
        train, test = ([row for row in rows if is_train(row["fold"]) is part and row["labels"]] for part in (True, False))
        for name, method in METHODS.items():
            if name == "embeddings" and not os.environ.get(EMBEDDING_MODEL):
                continue
            lines.append(f"| {protocol} | {name} | {' | '.join(measure(train, test, method))} |")
            print(lines[-1], flush=True)
    if options.write:
        write_part("several", "\n".join(lines))


def measure(train: Rows, test: Rows, method: Callable[[Rows, Sequence[str]], Ask]) -> list[str]:
    """Give the cells of one row."""
    labels = sorted({label for row in train for label in row["labels"]})
    truths = np.array([[label in row["labels"] for label in labels] for row in test])
    begin = time.process_time()
    ask_it = method(train, labels)
    middle = time.process_time()
    probabilities = ask_it([row["text"] for row in test])
    end = time.process_time()
    given = probabilities >= YES
    scores = [_f1(given[:, place], truths[:, place]) for place in range(len(labels)) if truths[:, place].any()]
    error = calibration_error(probabilities.ravel(), truths.ravel())
    exact = float((given == truths).all(axis=1).mean())
    numbers = (_f1(given, truths), float(np.mean(scores)), exact, error)
    return [*(f"{number:.3f}" for number in numbers), f"{middle - begin:.1f}", f"{len(test) / (end - middle):,.0f}"]


def _f1(given: Truths, truths: Truths) -> float:
    return float(2 * (given & truths).sum() / max(given.sum() + truths.sum(), 1))


def _examples(rows: Rows) -> list[Example]:
    return [Example(subject="", body=row["text"], labels=tuple(map(CategoryId, row["labels"]))) for row in rows]


def train_ours(rows: Rows, _: Sequence[str]) -> Ask:
    """Train the local classifier; its categories are in alphabetical order too."""
    answer = ask(LocalClassifier(train_local(_examples(rows), labels=Labels.MANY)))
    return lambda texts: answer([render_text("", text) for text in texts])


def train_vectors(rows: Rows, _: Sequence[str]) -> Ask:
    """Train the embeddings classifier."""
    from cubbyd.classify.embedding.classifier import EmbeddingClassifier
    from cubbyd.training.embedding import Plan, train_embeddings

    embedder = make_embedder()
    answer = ask(EmbeddingClassifier(train_embeddings(_examples(rows), embedder, plan=Plan(labels=Labels.MANY)), embedder))
    return lambda texts: answer([render_text("", text) for text in texts])


def one_against_rest(make: Callable[[], Any]) -> Callable[[Rows, Sequence[str]], Ask]:
    """Make a method of a pipeline of scikit-learn's, trained for each label against the rest."""

    def train(rows: Rows, labels: Sequence[str]) -> Ask:
        truths = np.array([[label in row["labels"] for label in labels] for row in rows]).astype(int)
        features, model = make()
        fitted = OneVsRestClassifier(model).fit(features.fit_transform([row["text"] for row in rows]), truths)
        return lambda texts: np.asarray(fitted.predict_proba(features.transform(texts)))

    return train


METHODS: Final[Mapping[str, Callable[[Rows, Sequence[str]], Ask]]] = {
    "local": train_ours,
    "embeddings": train_vectors,
    "naive-bayes": one_against_rest(lambda: (make_pipeline(CountVectorizer()), MultinomialNB())),
    "grams+lr": one_against_rest(lambda: (words_and_grams(), LogisticRegression(C=10, max_iter=1000))),
}


if __name__ == "__main__":
    main()
