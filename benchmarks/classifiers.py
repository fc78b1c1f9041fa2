"""How good, how fast and how large the classifiers of this machine are, beside baselines, on the same draws in the same run.

    make bench-classifiers                               # all that is here; writes docs/classifiers/measured.md
    python -m benchmarks.classifiers --sets sample,sa_lists --methods local,naive-bayes
    python -m benchmarks.classifiers --scale             # 120,000 examples with 230 labels

Each method is run on each set in a process of its own, whose peak memory is told; seconds are processor time, so that a busy
machine disturbs little. What was measured is kept in a file of JSON lines, and not measured again until that file is deleted.
`embeddings` and the ensemble with it run where $CUBBYD_EMBEDDING_MODEL names a folder of `cubbyd embedding-model`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from benchmarks.method import METHODS, Trained
from benchmarks.page import write_part
from benchmarks.trial import PROTOCOLS, Trial, read_trials

from cubbyd.dataset.example import Example
from cubbyd.evaluation.metric import accuracy_at_coverage, auroc, calibration_error, macro_f1
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId

ROOT: Final = Path(__file__).resolve().parents[1]
KEPT: Final = ROOT / ".bench-classifiers.jsonl"
SLOW: Final = {"embeddings": {"banking77 whole", "clinc150 whole"}, "ensemble": {"banking77 whole", "clinc150 whole"}}
"""What is left out unless it is asked for by name: each text takes an embedding model 10 ms and more."""
COVERAGES: Final = (0.80, 0.90, 0.95)
COLUMNS: Final = ("accuracy", "macro_f1", "ece", "at_80", "at_90", "at_95", "auroc", "train_s", "per_s", "mb", "peak_mb")
SCALE: Final = (120_000, 230)

Result = dict[str, Any]


def main() -> None:
    """Measure what was asked for and is not yet measured; print tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", default=",".join(PROTOCOLS), help="which sets, separated by commas")
    parser.add_argument("--methods", default=",".join(METHODS), help="which methods, separated by commas")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/classifiers/measured.md")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--scale", action="store_true", help="train the local classifier on 120,000 examples of 230 labels")
    parser.add_argument("--one", nargs=2, metavar=("SET", "METHOD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        for result in run(*options.one):
            print(json.dumps(result), flush=True)
        return
    if options.scale:
        print(json.dumps(measure_scale()))
        return
    results = measure(options.sets.split(","), options.methods.split(","))
    if options.json:
        print("\n".join(map(json.dumps, results)))
    else:
        tables = "\n".join(make_tables(results))
        print(tables)
        if options.write:
            write_part("measured", tables)


def measure(sets: Sequence[str], methods: Sequence[str]) -> list[Result]:
    """Give a result for each set, size and method; what was measured before is read back."""
    kept = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    whole = len(sets) * len(methods) > len(sets)
    for name in sets:
        for method in methods:
            if any((one["set"], one["method"]) == (name, method) for one in kept) or (whole and name in SLOW.get(method, ())):
                continue
            print(f"{name}, {method} …", file=sys.stderr, flush=True)
            command = [sys.executable, "-m", "benchmarks.classifiers", "--one", name, method]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            found = [json.loads(line) for line in done.stdout.splitlines()]
            kept += found
            with KEPT.open("a") as stream:
                stream.writelines(f"{json.dumps(one)}\n" for one in found)
    return [one for one in kept if one["set"] in sets and one["method"] in methods and "absent" not in one]


def run(name: str, method: str) -> list[Result]:
    """Run one method on all sizes of one set."""
    train = METHODS[method]()
    if train is None:
        return [{"set": name, "method": method, "absent": True}]
    results = []
    for size, trials in read_trials(name):
        scores = [score(train, trial) for trial in trials]
        means = {
            column: None if None in values else float(np.mean(values))
            for column, values in ((column, [one[column] for one in scores]) for column in scores[0])
        }
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        results.append({"set": name, "size": size, "method": method, **means, "peak_mb": peak})
    return results or [{"set": name, "method": method, "absent": True}]


def score(train: Any, trial: Trial) -> Result:
    """Train on one trial, ask about its test mails, and measure."""
    categories = sorted({example.labels[0] for example in trial.train})
    place = {category: number for number, category in enumerate(categories)}
    truth = np.array([place[example.labels[0]] for example in trial.test])
    asked, strange = ([render_text(one.subject, one.body) for one in part] for part in (trial.test, trial.out_of_scope))
    begin = time.process_time()
    trained: Trained = train(trial.train)
    middle = time.process_time()
    probabilities = trained.classify(asked)
    end = time.process_time()
    tops, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = tops == truth
    return {
        "accuracy": float(right.mean()),
        "macro_f1": macro_f1(tops, truth),
        "ece": calibration_error(confidence, right),
        **{f"at_{share * 100:.0f}": accuracy_at_coverage(confidence, right, share) for share in COVERAGES},
        "auroc": auroc(confidence, trained.classify(strange).max(axis=1)) if strange else None,
        "train_s": middle - begin,
        "per_s": len(asked) / max(end - middle, 1e-9),
        "mb": trained.bytes / 1e6 if trained.bytes else None,
    }


def make_tables(results: Sequence[Result]) -> list[str]:
    """Make a table for each set and size; the best of a column is bold."""
    lines: list[str] = []
    for name, size in dict.fromkeys((one["set"], one["size"]) for one in results):
        rows = [one for one in results if (one["set"], one["size"]) == (name, size)]
        lines += [f"\n**{name}, {size}**\n", "| method | " + " | ".join(HEADINGS) + " |", "|---|" + "---:|" * len(HEADINGS)]
        best = {column: _best(column, [row[column] for row in rows if row[column] is not None]) for column in COLUMNS[:7]}
        lines += [
            f"| {row['method']} | " + " | ".join(_cell(column, row[column], best) for column in COLUMNS) + " |" for row in rows
        ]
    return lines


HEADINGS: Final = (
    *("accuracy", "macro-F1", "ECE", "accuracy at 80 %", "90 %", "95 % coverage", "out-of-scope AUROC"),
    *("train, s", "predictions/s", "model, MB", "peak, MB"),
)


def _best(column: str, values: Sequence[float]) -> float | None:
    if not values:
        return None
    return min(values) if column == "ece" else max(values)


def _cell(column: str, value: float | None, best: dict[str, float | None]) -> str:
    if value is None:
        return "-"
    if column in best:
        return f"**{value:.3f}**" if value == best[column] else f"{value:.3f}"
    return f"{value:.2f}" if column == "train_s" else f"{value:,.1f}" if column == "mb" else f"{value:,.0f}"


def measure_scale() -> Result:
    """Train the local classifier on as many examples as a large facility's years have, made up of the sample's own words."""
    from cubbyd.classify.modelfile import save_model
    from cubbyd.training.local import train_local

    examples = make_examples(*SCALE)
    begin = time.process_time(), time.perf_counter()
    model = train_local(examples, progress=lambda text: print(text, file=sys.stderr, flush=True))
    took = time.process_time() - begin[0], time.perf_counter() - begin[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model"
        save_model(model, file, created=datetime.now(UTC))
        size = file.stat().st_size
    return {
        "examples": len(examples),
        "labels": len(model.categories),
        "processor_seconds": round(took[0]),
        "seconds": round(took[1]),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "model_mb": round(size / 1e6, 1),
        "held_out_accuracy": round(model.quality.accuracy, 3),
    }


def make_examples(count: int, labels: int) -> list[Example]:
    """Make examples of some 25 words: each label prefers thirty words of its own among those of the sample examples."""
    from cubbyd.demo.sample_mail import sample_examples

    generator = np.random.default_rng(0)
    words = np.array(sorted({word for text, _ in sample_examples() for word in text.split()}))
    own = [generator.choice(len(words), 30, replace=False) for _ in range(labels)]
    made = []
    for number in range(count):
        label = number % labels
        common, special = generator.integers(len(words), size=20), generator.choice(own[label], 5)
        body = " ".join(words[generator.permutation(np.concatenate([common, special]))])
        made.append(Example(subject="", body=body, labels=(CategoryId(f"label-{label}"),), line=number + 1))
    return made


if __name__ == "__main__":
    main()
