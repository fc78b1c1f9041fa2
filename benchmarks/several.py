"""How well the local classifier tells several categories a mail, on nlupp.

    python -m benchmarks.several [--json]

Short texts of a bank's and a hotel's guests, 62 labels, several a text, in 20 folds: trained on 1 fold and asked for the
other 19, or the other way round; the mean of three folds. The data is not part of the repository: it is looked for in the
folder `data` of $CUBBYD_SHARED, by default `../shared` beside the repository. A label that the training folds do not have
counts as missed (micro-F1).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from cubbyd.classify.local import LocalClassifier
from cubbyd.config import Labels
from cubbyd.dataset.example import Example
from cubbyd.evaluation.metric import calibration_error
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.adjust import YES, mean_f1
from cubbyd.training.local import Recipe, train_local

SHARED: Final = Path(os.environ.get("CUBBYD_SHARED") or Path(__file__).resolve().parents[2] / "shared")
DRAWN_FOLDS: Final = (0, 1, 2)
DOMAINS: Final = {"banking": {"banking"}, "hotels": {"hotels"}, "both": {"banking", "hotels"}}

Row: TypeAlias = dict[str, Any]


def main() -> None:
    """Train and ask on each domain, with few examples and with many, and print the scores."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    file = SHARED / "data" / "nlupp" / "data.jsonl"
    if not file.is_file():
        print(f"nlupp: skipped, there is no {file}", file=sys.stderr)
        return
    rows = [json.loads(line) for line in file.open(encoding="utf-8")]
    for name, domains in DOMAINS.items():
        own = [row for row in rows if row["domain"] in domains]
        for size in ("1 fold", "19 folds"):
            scores = [_run(*_split(own, fold, is_few=size == "1 fold")) for fold in DRAWN_FOLDS]
            means = {key: float(np.mean([score[key] for score in scores])) for key in scores[0]}
            _report(name, size, means, as_json=options.json)


def _split(rows: Sequence[Row], fold: int, *, is_few: bool) -> tuple[list[Row], list[Row]]:
    inside, outside = [row for row in rows if row["fold"] == fold], [row for row in rows if row["fold"] != fold]
    return (inside, outside) if is_few else (outside, inside)


def _run(train: Sequence[Row], test: Sequence[Row]) -> dict[str, float]:
    started = time.process_time()
    examples = [Example(subject="", body=row["text"], labels=tuple(map(CategoryId, row["labels"]))) for row in train]
    model = train_local(examples, recipe=Recipe(labels=Labels.MANY))
    trained = time.process_time() - started
    answers = LocalClassifier(model).classify([render_text("", row["text"]) for row in test])
    probabilities = np.array([list(answer.probabilities.values()) for answer in answers])
    targets = np.array([[category in row["labels"] for category in model.categories] for row in test])
    given = probabilities >= YES
    unknown = sum(len(set(row["labels"]) - set(model.categories)) for row in test)
    return {
        "micro_f1": float(2 * (given & targets).sum() / (given.sum() + targets.sum() + unknown)),
        "macro_f1": mean_f1(given, targets),
        "calibration_error": calibration_error(probabilities.ravel(), targets.ravel()),
        "train_seconds": trained,
    }


def _report(name: str, size: str, means: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"set": f"nlupp {name}", "trained_on": size, **means}), flush=True)
        return
    shown = "  ".join(f"{key} {value:.3f}" for key, value in means.items())
    print(f"{name:8} {size:9} {shown}", flush=True)


if __name__ == "__main__":
    main()
