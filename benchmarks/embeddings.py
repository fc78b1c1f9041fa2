"""How good the embeddings classifier is with a local embedding model, how fast, and how much memory it takes.

    python -m benchmarks.embeddings FOLDER [--sets clinc150,banking77,sa_lists] [--json]
    python -m benchmarks.embeddings FOLDER --speed

FOLDER is what `cubbyd embedding-model` wrote. The sets, the draws and where the data is looked for are those of
benchmarks.trial; vectors are made once for each text of a run and remembered in memory. --speed embeds mails of some 250
words one by one on one thread, in this process, and reads its memory from the system.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from benchmarks.trial import SETS, SHARED, Classify, Probabilities, Trial

from cubbyd.classify.embedding.cache import Embedder
from cubbyd.classify.embedding.classifier import EmbeddingClassifier
from cubbyd.classify.embedding.opening import open_folder
from cubbyd.classify.embedding.source import Embedded, Outcome, Source
from cubbyd.classify.protocol import Prediction
from cubbyd.config import Labels
from cubbyd.dataset.example import Example
from cubbyd.message.model import ClassifierInput
from cubbyd.message.render import render_text
from cubbyd.training.embedding import Plan, judge, train_embeddings

PLANS: Final = {
    "blend": Plan(),
    "vectors alone": Plan(heads=("logistic",)),
}
SPEED_MAILS: Final = 60
SPEED_WORDS: Final = 250
MEGABYTE: Final = 1024 * 1024


class Remembering:
    """A source that makes each vector once."""

    def __init__(self, inner: Source) -> None:
        """Take the source that makes them."""
        self.model, self.dimensions, self.batch_size = inner.model, inner.dimensions, inner.batch_size
        self._inner, self._made = inner, dict[str, Outcome]()

    def text(self, given: ClassifierInput) -> str:
        """Give the text of a mail."""
        return self._inner.text(given)

    def embed(self, texts: Sequence[str]) -> list[Outcome]:
        """Make what is missing."""
        for text in texts:
            if text not in self._made:
                (self._made[text],) = self._inner.embed([text])
        return [self._made[text] for text in texts]

    def close(self) -> None:
        """Close the source."""
        self._inner.close()


def method(embedder: Embedder, plan: Plan | None = None) -> Callable[[Sequence[Example]], Classify]:
    """Give the way to train on examples, and then to ask: a row for the table of methods."""

    def train(examples: Sequence[Example]) -> Classify:
        classifier = EmbeddingClassifier(train_embeddings(examples, embedder, plan=plan), embedder)

        def classify(mails: Sequence[ClassifierInput]) -> Probabilities:
            answers = [answer for answer in classifier.classify(mails) if isinstance(answer, Prediction)]
            return np.array([list(answer.probabilities.values()) for answer in answers])

        return classify

    return train


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default=",".join(SETS), help="which sets, separated by commas")
    parser.add_argument("--speed", action="store_true", help="measure speed and memory instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    if options.speed:
        print(json.dumps(measure_speed(options.folder)))
        return
    embedder = Embedder(Remembering(open_folder(options.folder)))
    for name in options.sets.split(","):
        file = SHARED / "data" / name / "data.jsonl"
        if not file.is_file():
            print(f"{name}: skipped, there is no {file}", file=sys.stderr)
            continue
        rows = [json.loads(line) for line in file.open(encoding="utf-8")]
        for size, trials in SETS[name](rows):
            for plan_name, plan in PLANS.items():
                scores = np.mean([run(method(embedder, plan), trial) for trial in trials], axis=0)
                report(name, size, plan_name, scores.tolist(), as_json=options.json)


def report(name: str, size: str, plan: str, scores: list[float], *, as_json: bool) -> None:
    """Print a row."""
    values = dict(zip(("accuracy", "macro_f1", "ece", "auroc"), scores, strict=True))
    if as_json:
        print(json.dumps({"set": name, "examples": size, "method": plan, **values}), flush=True)
        return
    shown = "  ".join(f"{key} {value:.3f}" for key, value in values.items())
    print(f"{name:10} {size:9} {plan:14} {shown}", flush=True)


def run(train: Callable[[Sequence[Example]], Classify], trial: Trial) -> list[float]:
    """Give accuracy, macro-F1, ECE and the out-of-scope AUROC of the top probability (not a number without such texts)."""
    categories = sorted({example.labels[0] for example in trial.train})
    targets = np.array([[example.labels[0] == category for category in categories] for example in trial.test])
    classify = train(trial.train)
    probabilities = classify([render_text(example.subject, example.body) for example in trial.test])
    quality = judge(probabilities, targets, Labels.ONE)
    auroc = float("nan")
    if trial.out_of_scope:
        outside = np.sort(classify([render_text(one.subject, one.body) for one in trial.out_of_scope]).max(axis=1))
        inside = probabilities.max(axis=1)
        ranks = outside.searchsorted(inside, "left") + outside.searchsorted(inside, "right")
        auroc = float(ranks.mean() / 2 / len(outside))
    return [quality.accuracy, quality.macro_f1, quality.calibration_error, auroc]


def measure_speed(folder: Path) -> dict[str, float]:
    """Embed mails one by one; give milliseconds of one processor, and the megabytes that this adds, at rest and at the peak."""
    before = resident_megabytes()
    source = open_folder(folder)
    generator = np.random.default_rng(0)
    words = (
        "the",
        "little",
        "boy",
        "will",
        "be",
        "picked",
        "up",
        "by",
        "his",
        "uncle",
        "today",
        "at",
        "four",
        "and",
        "a",
        "fever",
    )
    texts = [" ".join(generator.choice(words, SPEED_WORDS)) for _ in range(SPEED_MAILS)]
    source.embed(texts[:1])
    at_rest = resident_megabytes()
    started = time.process_time()  # of this process alone: the machine may have other work
    made = [outcome for outcome in source.embed(texts) if isinstance(outcome, Embedded)]
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "mails_per_second": round(len(made) / seconds, 1),
        "milliseconds": round(1000 * seconds / len(made), 1),
        "megabytes_at_rest": round(at_rest - before),
        "megabytes_peak": round(peak - before),
    }


def resident_megabytes() -> float:
    """Read how much memory this process has (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / MEGABYTE


if __name__ == "__main__":
    main()
