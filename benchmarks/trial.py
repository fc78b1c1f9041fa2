"""What classifiers are trained on and asked in the benchmarks: sets, and draws that are the same for every method.

clinc150 and banking77: 14 categories drawn from the set, 5, 10, or 40 to 100 examples of each, three draws; uneven, 10 to 200
of each of banking77, asked for as many of each; and whole, all categories and examples. Out of scope are clinc150's own texts
of that name, and for banking77 the texts of the categories that were not drawn. sa_lists: real mail of eleven mailing lists, in
order of time. sample: the examples that ship with cubbyd, asked about the sample mailbox.

All but the last is looked for in the folder `data` of $CUBBYD_SHARED, by default `../shared` beside the repository.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cubbyd.dataset.example import Example, read_examples
from cubbyd.demo.sample_mail import sample_mails, write_sample
from cubbyd.message import parse
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

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


def draw_uneven(rows: Sequence[Row]) -> Iterator[tuple[str, list[Trial]]]:
    """Draw categories as ever, and 10 to 200 examples of each, most of them few; asked for the test's own even share."""
    trials = []
    for seed in SEEDS:
        trial = _draw(rows, np.random.default_rng(seed), 10_000, 10_000)
        sizes = np.random.default_rng(seed).permutation(np.geomspace(10, 200, CATEGORIES).round().astype(int))
        of = {
            label: [one for one in trial.train if one.labels[0] == label]
            for label in sorted({one.labels[0] for one in trial.train})
        }
        train = [one for (_, there), size in zip(of.items(), sizes, strict=True) for one in there[:size]]
        trials.append(Trial(train=tuple(train), test=trial.test, out_of_scope=trial.out_of_scope))
    yield "10-200 uneven", trials


def take_all(rows: Sequence[Row]) -> Iterator[tuple[str, list[Trial]]]:
    """Take all categories and the set's own split."""
    inside = [row for row in rows if row["label"] != OUT_OF_SCOPE]
    train, test = (tuple(_example(row) for row in inside if row["split"] == split) for split in ("train", "test"))
    strangers = tuple(_example(row) for row in rows if row["label"] == OUT_OF_SCOPE and row["split"] == "test")
    yield "all", [Trial(train=train, test=test, out_of_scope=strangers)]


def ask_sample() -> Iterator[tuple[str, list[Trial]]]:
    """Train on the examples that ship with cubbyd, and ask about the sample mailbox; what belongs nowhere is out of scope."""
    with tempfile.TemporaryDirectory() as folder:
        train = tuple(read_examples(write_sample(Path(folder))))
    mails = [(parse(mail.raw), mail.truth) for mail in sample_mails()]
    test = [Example(subject=one.subject, body=one.text, labels=(CategoryId(label),)) for one, label in mails if label]
    strangers = [Example(subject=one.subject, body=one.text) for one, label in mails if not label]
    yield "all", [Trial(train=train, test=tuple(test), out_of_scope=tuple(strangers))]


PROTOCOLS: Final[Mapping[str, tuple[str, Callable[[Sequence[Row]], Iterator[tuple[str, list[Trial]]]]]]] = {
    "sample": ("", lambda _: ask_sample()),
    "clinc150": ("clinc150", draw_trials),
    "banking77": ("banking77", draw_trials),
    "banking77 uneven": ("banking77", draw_uneven),
    "sa_lists": ("sa_lists", split_by_time),
    "banking77 whole": ("banking77", take_all),
    "clinc150 whole": ("clinc150", take_all),
}
"""For each name the folder of the data, and how trials are made of its rows."""


def read_trials(name: str) -> list[tuple[str, list[Trial]]]:
    """Give the trials of a protocol by the sizes of their training sets; none where the data is absent."""
    folder, make = PROTOCOLS[name]
    file = SHARED / "data" / folder / "data.jsonl"
    if not folder:
        return list(make(()))
    if not file.is_file():
        print(f"{name}: skipped, there is no {file}", file=sys.stderr)
        return []
    return list(make([json.loads(line) for line in file.open(encoding="utf-8")]))
