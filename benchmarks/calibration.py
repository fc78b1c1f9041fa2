"""What calibration and measured thresholds are worth on real mail, in order of time; draws docs/calibration.svg with --draw.

    python -m benchmarks.calibration [--json] [--draw]

sa_lists: real mail of eleven mailing lists. A model is trained on the first part of it, probabilities and thresholds are
found on the middle, and what they promised is looked at on the end, which nothing has seen. Beside the local classifier
stand two of scikit-learn's with its defaults: logistic regression on TF-IDF, which is not sure enough, and multinomial naive
Bayes, which is far too sure. The data is not part of the repository:
it is looked for in the folder `data` of $CUBBYD_SHARED, by default `../shared` beside the repository, and skipped where absent.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline

from cubbyd.classify.local import LocalClassifier
from cubbyd.dataset import Example
from cubbyd.evaluation.answer import Answers, collect_answers, number_groups
from cubbyd.evaluation.fit import fit_calibration
from cubbyd.evaluation.metric import Bin, accuracy_at_coverage, calibration_error, reliability
from cubbyd.evaluation.threshold import Promise, find_thresholds
from cubbyd.message import render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import train_local

SHARED: Final = Path(os.environ.get("CUBBYD_SHARED") or Path(__file__).resolve().parents[2] / "shared")
PICTURE: Final = Path(__file__).resolve().parents[1] / "docs" / "calibration.svg"

PARTS: Final = (0.5, 0.75)
"""Where the middle begins and ends, as shares of each list's mail in order of time."""
PRECISIONS: Final = (0.8, 0.9, 0.95)
CONFIDENCE: Final = 0.9
SMALLEST: Final = -600.0
"""The logarithm of the smallest probability; naive Bayes knows smaller ones than a float does, and 0 could not be mended."""

Ask: TypeAlias = Callable[[Sequence[Example]], Answers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Mail in order of time."""

    first: tuple[Example, ...]
    middle: tuple[Example, ...]
    end: tuple[Example, ...]


def main() -> None:
    """Measure each method, print what was found, and draw the picture where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--draw", action="store_true", help=f"draw {PICTURE.name}")
    options = parser.parse_args()
    file = SHARED / "data" / "sa_lists" / "data.jsonl"
    if not file.is_file():
        print(f"skipped, there is no {file}", file=sys.stderr)
        return
    parts = split([json.loads(line) for line in file.open(encoding="utf-8")])
    panels: list[tuple[str, list[Bin], float]] = []
    for name, train in METHODS.items():
        ask = train(parts.first)
        middle, end = ask(parts.middle), ask(parts.end)
        outcome = fit_calibration(middle)
        states = {"as it is": (middle, end), "calibrated": (outcome.held_out, end.calibrated(outcome.best.curve))}
        for state, (_, later) in states.items():
            error = calibration_error(later.confidence, later.right)
            if (title := f"{name}, {state}") in DRAWN:
                panels.append((title, reliability(later.confidence, later.right, 10), error))
        report(name, outcome.best.method, {state: later for state, (_, later) in states.items()}, as_json=options.json)
        keep_promises(name, middle.calibrated(outcome.best.curve), states["calibrated"][1], as_json=options.json)
    if options.draw:
        PICTURE.write_text(draw(panels), encoding="utf-8")


def split(rows: Sequence[dict[str, Any]]) -> Parts:
    """Take each list's mail apart in order of time, so that every part has mail of every list."""
    parts: tuple[list[Example], ...] = ([], [], [])
    for label in sorted({str(row["label"]) for row in rows}):
        mine = sorted((row for row in rows if row["label"] == label), key=lambda row: float(row["date"]))
        for number, row in enumerate(mine):
            example = Example(subject=row["subject"], body=row["body"], labels=(CategoryId(label),), date=float(row["date"]))
            parts[sum(number >= share * len(mine) for share in PARTS)].append(example)
    return Parts(first=tuple(parts[0]), middle=tuple(parts[1]), end=tuple(parts[2]))


# --- the methods -------------------------------------------------------------------------------------------------------


def train_ours(examples: Sequence[Example]) -> Ask:
    """Train the local classifier."""
    classifier = LocalClassifier(train_local(examples))
    return lambda asked: collect_answers(classifier, asked)


def train_naive_bayes(examples: Sequence[Example]) -> Ask:
    """Train multinomial naive Bayes on counts of words."""
    return _train_pipeline(make_pipeline(CountVectorizer(), MultinomialNB()), examples)


def train_regression(examples: Sequence[Example]) -> Ask:
    """Train logistic regression on TF-IDF of words."""
    return _train_pipeline(make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000)), examples)


def _train_pipeline(pipeline: Pipeline, examples: Sequence[Example]) -> Ask:
    """Train on the same rendered texts as ours."""

    def texts(some: Iterable[Example]) -> list[str]:
        rendered = (render_text(example.subject, example.body) for example in some)
        return [f"{mail.subject}\n{mail.text}\n{mail.quoted}" for mail in rendered]

    pipeline.fit(texts(examples), [example.labels[0] for example in examples])

    def ask(asked: Sequence[Example]) -> Answers:
        probabilities = np.exp(np.maximum(pipeline.predict_log_proba(texts(asked)), SMALLEST))
        return Answers(
            categories=tuple(pipeline.classes_),
            probabilities=probabilities / probabilities.sum(axis=1, keepdims=True),
            truths=np.array([pipeline.classes_ == example.labels[0] for example in asked]),
            held=np.zeros(len(asked), dtype=bool),
            groups=number_groups(asked),
            dates=np.array([example.date for example in asked]),
        )

    return ask


METHODS: Final = {"local": train_ours, "logistic regression": train_regression, "naive Bayes": train_naive_bayes}
DRAWN: Final = ("local, as it is", "logistic regression, as it is", "logistic regression, calibrated")


# --- the results -------------------------------------------------------------------------------------------------------


def report(name: str, method: str, states: dict[str, Answers], *, as_json: bool) -> None:
    """Print how good the probabilities are on the end."""
    for state, end in states.items():
        facts = {
            "classifier": name,
            "probabilities": state if state == "as it is" else f"{state} ({method})",
            "mails": len(end),
            "accuracy": round(float(end.right.mean()), 3),
            "calibration_error": round(calibration_error(end.confidence, end.right), 3),
            "accuracy_at_80": round(accuracy_at_coverage(end.confidence, end.right, 0.8), 3),
        }
        print(json.dumps(facts) if as_json else "  ".join(f"{key} {value}" for key, value in facts.items()), flush=True)


def keep_promises(name: str, middle: Answers, end: Answers, *, as_json: bool) -> None:
    """Find thresholds on the middle, and look at the end whether they keep what they promise."""
    for precision in PRECISIONS:
        promise = find_thresholds(middle, precision=precision, confidence=CONFIDENCE)
        filed, right, broken = look_later(promise, end, precision)
        facts = {
            "classifier": name,
            "wanted": precision,
            "with_threshold": sum(one.threshold is not None for one in promise.categories),
            "of": len(promise.categories),
            "filed_on_the_middle": round(promise.filed / promise.mails, 3),
            "filed_on_the_end": round(filed / len(end), 3),
            "precision_on_the_end": round(right / filed, 3) if filed else None,
            "categories_below": broken,
        }
        print(json.dumps(facts) if as_json else "  ".join(f"{key} {value}" for key, value in facts.items()), flush=True)


def look_later(promise: Promise, end: Answers, precision: float) -> tuple[int, int, list[str]]:
    """Count the mails of the end that reach their threshold, the right ones of them, and name the broken promises."""
    filed = right = 0
    broken = []
    for column, one in enumerate(promise.categories):
        if one.threshold is None:
            continue
        reached = (end.tops == column) & (end.probabilities[:, column] >= one.threshold)
        hits = int((reached & end.right).sum())
        filed, right = filed + int(reached.sum()), right + hits
        if reached.any() and hits / reached.sum() < precision:
            broken.append(f"{one.category} {hits}/{reached.sum()}")
    return filed, right, broken


# --- the picture -------------------------------------------------------------------------------------------------------

SIDE: Final = 190
GAP: Final = 50
TOP: Final = 34


def draw(panels: Sequence[tuple[str, list[Bin], float]]) -> str:
    """Draw one reliability diagram a panel: how often answers of a confidence are right, against that confidence."""
    width, height = GAP + len(panels) * (SIDE + GAP), TOP + SIDE + 48
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *(_panel(GAP + number * (SIDE + GAP), *panel) for number, panel in enumerate(panels)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(left: float, title: str, bins: Sequence[Bin], error: float) -> str:
    bottom = TOP + SIDE
    most = max(one.count for one in bins)
    shapes = [
        f'<text x="{left}" y="14" font-weight="bold">{title}</text>',
        f'<text x="{left}" y="28" fill="#555">calibration error {error:.3f}</text>',
        f'<rect x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>',
        f'<path d="M{left} {bottom}L{left + SIDE} {TOP}" stroke="#999" stroke-dasharray="4 3"/>',
        f'<text x="{left + SIDE / 2}" y="{bottom + 30}" text-anchor="middle" fill="#555">probability given</text>',
        f'<text transform="translate({left - 32} {TOP + SIDE / 2}) rotate(-90)" text-anchor="middle" fill="#555">right</text>',
    ]
    for share in (0, 0.5, 1):
        shapes.append(f'<text x="{left + share * SIDE:g}" y="{bottom + 14}" text-anchor="middle">{share:g}</text>')
        shapes.append(f'<text x="{left - 6}" y="{bottom - share * SIDE + 4:g}" text-anchor="end">{share:g}</text>')
    for one in bins:
        x, tall = left + one.low * SIDE, one.accuracy * SIDE
        shapes.append(
            f'<rect x="{x + 1:.1f}" y="{bottom - tall:.1f}" width="{(one.high - one.low) * SIDE - 2:.1f}" height="{tall:.1f}" '
            f'fill="#4878a8" fill-opacity="{0.25 + 0.65 * one.count / most:.2f}"><title>{one.count} mails</title></rect>'
        )
    return "\n".join(shapes)


if __name__ == "__main__":
    main()
