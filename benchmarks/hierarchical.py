"""Does the group first pay? The hierarchical classifier beside the flat local one.

    python -m benchmarks.hierarchical [--sets clinc150,banking77] [--each 0,10] [--json]

clinc150: 150 categories in the ten domains that the set itself gives. banking77: 77 categories, which the set does not group;
the groups are made of the flat model's weights by Ward's clustering, ten of them. `--each 10` takes ten examples of each
category, drawn by a generator with seed 0, 0 takes all; the test is always the set's own. Seconds are those of the processor,
which do not count what else runs on the machine. The data is not part of the repository: it is looked for in the folder `data`
of $CUBBYD_SHARED, by default `../shared` beside the repository, and what is absent is said to be skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from cubbyd.classify.hierarchical import HierarchicalClassifier, InnerModels
from cubbyd.classify.hierarchyfile import HierarchicalModel, save_hierarchical
from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.modelfile import LocalModel, save_model
from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.dataset import Example
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId, GroupId
from cubbyd.training.hierarchical import train_hierarchical
from cubbyd.training.local import expected_calibration_error, macro_f1, train_local

SHARED: Final = Path(os.environ.get("CUBBYD_SHARED") or Path(__file__).resolve().parents[2] / "shared")
SETS: Final = ("clinc150", "banking77")
OUT_OF_SCOPE: Final = "oos"
"""clinc150's label of the texts that belong to no category."""
MADE_GROUPS: Final = 10
TRIED: Final = ((1, 0.0), (3, 0.99), (50, 1.0))
"""How many groups are looked into, and what is enough: one, the default, and all."""
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)

Groups = Mapping[GroupId, Sequence[CategoryId]]


def main() -> None:
    """Run the sets and sizes that were asked for, and print the scores."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS), help="which sets, separated by commas")
    parser.add_argument("--each", default="0,10", help="how many examples of each category, separated by commas; 0: all")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    if not options.json:
        print("set        each  method                     acc     F1    ECE  train s   MB  mails/s")
    for name in options.sets.split(","):
        file = SHARED / "data" / name / "data.jsonl"
        if not file.is_file():
            print(f"{name}: skipped, there is no {file}", file=sys.stderr)
            continue
        rows = [json.loads(line) for line in file.open(encoding="utf-8")]
        train, test = ([_example(row) for row in rows if row["split"] == split] for split in ("train", "test"))
        train, test = ([one for one in some if one.labels[0] != OUT_OF_SCOPE] for some in (train, test))
        for each in map(int, options.each.split(",")):
            _compare(name, each, draw(train, each) if each else train, test, as_json=options.json)


def _example(row: Mapping[str, str]) -> Example:
    return Example(subject="", body=row["text"], labels=(CategoryId(row["label"]),))


def draw(examples: Sequence[Example], each: int) -> list[Example]:
    """Draw some examples of each category; the same examples give the same ones."""
    generator, chosen = np.random.default_rng(0), []
    for label in sorted({example.labels[0] for example in examples}):
        there = [example for example in examples if example.labels[0] == label]
        chosen += [there[place] for place in generator.permutation(len(there))[:each]]
    return chosen


def _compare(name: str, each: int, train: Sequence[Example], test: Sequence[Example], *, as_json: bool) -> None:
    started = time.process_time()
    flat = train_local(train)
    flat_seconds = time.process_time() - started
    groups = read_domains(train) if name == "clinc150" else make_groups(flat)
    started = time.process_time()
    deep = train_hierarchical(train, groups)
    deep_seconds = time.process_time() - started
    scores = {"local": {"train_seconds": flat_seconds, "megabytes": _megabytes(flat), **_score(LocalClassifier(flat), test)}}
    for tried, enough in TRIED:
        classifier = HierarchicalClassifier(
            LocalClassifier(deep.among), InnerModels.of(deep), groups, tried=tried, enough=enough, shares=deep.shares
        )
        made = {"train_seconds": deep_seconds, "megabytes": _megabytes(deep)}
        scores[f"hierarchical, {tried} tried"] = made | _score(classifier, test)
    if as_json:
        print(json.dumps({"set": name, "each": each, "groups": len(groups), **scores}), flush=True)
        return
    for method, score in scores.items():
        quality = " ".join(f"{score[key]:6.3f}" for key in ("accuracy", "macro_f1", "calibration_error"))
        cost = f"{score['train_seconds']:8.1f} {score['megabytes']:4.0f} {score['mails_per_second']:8.0f}"
        print(f"{name:10} {each or 'all':>4}  {method:24} {quality} {cost}", flush=True)


def read_domains(examples: Sequence[Example]) -> dict[GroupId, list[CategoryId]]:
    """Give the domains of clinc150 with their categories."""
    domains = json.loads((SHARED / "data" / "clinc150" / "domains.json").read_text(encoding="utf-8"))
    given = {example.labels[0] for example in examples}
    return {GroupId(CategoryId(domain)): [label for label in labels if label in given] for domain, labels in domains.items()}


def make_groups(model: LocalModel) -> dict[GroupId, list[CategoryId]]:
    """Cluster the categories whose weights are alike."""
    from sklearn.cluster import AgglomerativeClustering

    directions = model.weights.T / np.linalg.norm(model.weights, axis=0)[:, None]
    clusters = AgglomerativeClustering(MADE_GROUPS).fit_predict(directions)
    groups: dict[GroupId, list[CategoryId]] = {}
    for category, cluster in zip(model.categories, clusters.tolist(), strict=True):
        groups.setdefault(GroupId(CategoryId(f"g{cluster}")), []).append(category)
    return groups


def _megabytes(model: LocalModel | HierarchicalModel) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "m")
        if isinstance(model, LocalModel):
            save_model(model, file, created=LONG_AGO)
        else:
            save_hierarchical(model, file, created=LONG_AGO)
        return file.stat().st_size / 1e6


def _score(classifier: Classifier, test: Sequence[Example]) -> dict[str, Any]:
    order = sorted(classifier.categories)
    labels = np.array([order.index(example.labels[0]) for example in test])
    mails = [render_text(example.subject, example.body) for example in test]
    started = time.process_time()
    answers = [answer for answer in classifier.classify(mails) if isinstance(answer, Prediction)]
    seconds = time.process_time() - started
    probabilities = np.array([[answer.probabilities[category] for category in order] for answer in answers])
    predicted = probabilities.argmax(axis=1)
    return {
        "accuracy": float((predicted == labels).mean()),
        "macro_f1": macro_f1(predicted, labels),
        "calibration_error": expected_calibration_error(probabilities, labels),
        "mails_per_second": len(mails) / seconds,
    }


if __name__ == "__main__":
    main()
