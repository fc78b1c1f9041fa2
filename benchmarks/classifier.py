"""How good and how fast the local classifier is, beside scikit-learn's multinomial naive Bayes in the same run.

    python benchmarks/classifier.py [--sets clinc150,banking77,sa_lists] [--json]

clinc150 and banking77: 14 categories drawn from the set, 5, 10, or 40 to 100 examples of each, the mean of three draws.
Out of scope are clinc150's own texts of that name, and for banking77 the texts of the categories that were not drawn.
sa_lists: real mail of eleven mailing lists, in order of time. The data is not part of the repository: it is looked for in
the folder `data` of $CUBBYD_SHARED, by default `../shared` beside the repository, and what is absent is said to be skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from cubbyd.classify.local import LocalClassifier
from cubbyd.dataset.example import Example
from cubbyd.message.model import ClassifierInput
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import expected_calibration_error, macro_f1, train_local

SHARED: Final = Path(os.environ.get("CUBBYD_SHARED") or Path(__file__).resolve().parents[2] / "shared")

CATEGORIES: Final = 14
SIZES: Final = ((5, 5), (10, 10), (40, 100))
"""From how many to how many examples of each category."""
SEEDS: Final = (0, 1, 2)
MAX_OUT_OF_SCOPE: Final = 1000
OUT_OF_SCOPE: Final = "oos"
"""clinc150's label of the texts that belong to no category."""

Row: TypeAlias = dict[str, Any]
Probabilities: TypeAlias = NDArray[np.float64]
Classify: TypeAlias = Callable[[Sequence[ClassifierInput]], Probabilities]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What to train on, and what to ask for."""

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    out_of_scope: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The result of one trial, or the mean of several."""

    accuracy: float
    macro_f1: float
    calibration_error: float
    out_of_scope_auroc: float | None
    """How well the top probability tells texts of a category from texts of none; None where the set has none of these."""
    train_seconds: float
    mails_per_second: float


def main() -> None:
    """Run the trials of the sets that were asked for, and print their scores."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS), help="which sets, separated by commas")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    names = options.sets.split(",")
    if unknown := set(names) - set(SETS):
        parser.error(f"unknown set {min(unknown)}; there are {', '.join(SETS)}")
    if not options.json:
        print("set        examples  method          acc     F1    ECE  AUROC  train s  mails/s")
    for name in names:
        file = SHARED / "data" / name / "data.jsonl"
        if not file.is_file():
            print(f"{name}: skipped, there is no {file}", file=sys.stderr)
            continue
        rows = [json.loads(line) for line in file.open(encoding="utf-8")]
        for size, trials in SETS[name](rows):
            _report(name, size, trials, as_json=options.json)


def _report(name: str, size: str, trials: Sequence[Trial], *, as_json: bool) -> None:
    scores = {method: _mean([_run(train, trial) for trial in trials]) for method, train in METHODS.items()}
    ratio = scores["local"].accuracy / scores["naive bayes"].accuracy
    if as_json:
        results = {method: asdict(score) for method, score in scores.items()}
        print(json.dumps({"set": name, "examples": size, "accuracy_ratio": ratio, **results}), flush=True)
        return
    for method, score in scores.items():
        quality = (score.accuracy, score.macro_f1, score.calibration_error, score.out_of_scope_auroc)
        speed = f"{score.train_seconds:8.2f} {score.mails_per_second:8.0f}"
        shown = " ".join("     -" if number is None else f"{number:6.3f}" for number in quality)
        print(f"{name:10} {size:9} {method:12} {shown} {speed}", flush=True)
    print(f"{name:10} {size:9} {'ratio':12} {ratio:6.3f}", flush=True)


# --- the trials --------------------------------------------------------------------------------------------------------


def draw_trials(rows: Sequence[Row]) -> Iterator[tuple[str, list[Trial]]]:
    """Draw categories, and examples of each, for every size and seed."""
    for fewest, most in SIZES:
        trials = [_draw(rows, np.random.default_rng(seed), fewest, most) for seed in SEEDS]
        yield str(most) if fewest == most else f"{fewest}-{most}", trials


def _draw(rows: Sequence[Row], generator: np.random.Generator, fewest: int, most: int) -> Trial:
    labels = sorted({row["label"] for row in rows} - {OUT_OF_SCOPE})
    drawn = {str(label) for label in generator.choice(labels, CATEGORIES, replace=False)}
    train = []
    for label in sorted(drawn):
        there = [row for row in rows if row["label"] == label and row["split"] == "train"]
        size = generator.integers(fewest, most + 1)
        train += [there[place] for place in generator.permutation(len(there))[:size]]
    test = [row for row in rows if row["split"] == "test"]
    own_out_of_scope = [row for row in test if row["label"] == OUT_OF_SCOPE]
    strangers = own_out_of_scope or [row for row in test if row["label"] not in drawn]
    chosen = generator.permutation(len(strangers))[:MAX_OUT_OF_SCOPE]
    return Trial(
        train=tuple(map(_example, train)),
        test=tuple(_example(row) for row in test if row["label"] in drawn),
        out_of_scope=tuple(_example(strangers[place]) for place in chosen),
    )


def split_by_time(rows: Sequence[Row]) -> Iterator[tuple[str, list[Trial]]]:
    """Take the set's own split, in order of time."""
    train, test = (tuple(_example(row) for row in rows if row["split"] == split) for split in ("train", "test"))
    yield "all", [Trial(train=train, test=test, out_of_scope=())]


def _example(row: Row) -> Example:
    body = row["body"] if "body" in row else row["text"]
    return Example(subject=row.get("subject", ""), body=body, labels=(CategoryId(row["label"]),))


SETS: Final = {"clinc150": draw_trials, "banking77": draw_trials, "sa_lists": split_by_time}


# --- the methods -------------------------------------------------------------------------------------------------------


def train_ours(examples: Sequence[Example]) -> Classify:
    """Train the local classifier; its categories are in alphabetical order."""
    classifier = LocalClassifier(train_local(examples))

    def classify(mails: Sequence[ClassifierInput]) -> Probabilities:
        return np.array([list(answer.probabilities.values()) for answer in classifier.classify(mails)])

    return classify


def train_naive_bayes(examples: Sequence[Example]) -> Classify:
    """Train scikit-learn's multinomial naive Bayes with its own defaults on the same rendered texts."""

    def text(mail: ClassifierInput) -> str:
        return f"{mail.subject}\n{mail.text}\n{mail.quoted}"

    pipeline = make_pipeline(CountVectorizer(), MultinomialNB())
    pipeline.fit([text(render_text(example.subject, example.body)) for example in examples], _labels(examples))
    return lambda mails: np.asarray(pipeline.predict_proba([text(mail) for mail in mails]))


METHODS: Final = {"local": train_ours, "naive bayes": train_naive_bayes}


# --- the measuring -----------------------------------------------------------------------------------------------------


def _run(train: Callable[[Sequence[Example]], Classify], trial: Trial) -> Score:
    categories = sorted(set(_labels(trial.train)))
    labels = np.array([categories.index(label) for label in _labels(trial.test)])
    asked = [render_text(example.subject, example.body) for example in trial.test]
    strangers = [render_text(example.subject, example.body) for example in trial.out_of_scope]
    started = time.perf_counter()
    classify = train(trial.train)
    trained = time.perf_counter()
    probabilities = classify(asked)
    answered = time.perf_counter()
    predicted = probabilities.argmax(axis=1)
    return Score(
        accuracy=float((predicted == labels).mean()),
        macro_f1=macro_f1(predicted, labels),
        calibration_error=expected_calibration_error(probabilities, labels),
        out_of_scope_auroc=_auroc(probabilities.max(axis=1), classify(strangers).max(axis=1)) if strangers else None,
        train_seconds=trained - started,
        mails_per_second=len(asked) / (answered - trained),
    )


def _labels(examples: Sequence[Example]) -> list[str]:
    return [example.labels[0] for example in examples]


def _auroc(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """Give how often a text of a category has a greater top probability than one of none; equals count half."""
    ordered = np.sort(outside)
    below, not_above = ordered.searchsorted(inside, "left"), ordered.searchsorted(inside, "right")
    return float((below + not_above).mean() / 2 / len(outside))


def _mean(scores: Sequence[Score]) -> Score:
    columns: dict[str, list[Any]] = {field.name: [getattr(score, field.name) for score in scores] for field in fields(Score)}
    means: dict[str, Any] = {name: None if None in column else float(np.mean(column)) for name, column in columns.items()}
    return Score(**means)


if __name__ == "__main__":
    main()
