"""Makes the card of a trained model: what it was trained on, how good it is on what it was not, and by which programs.

The numbers and their intervals are those of cubbyd.evaluation.score, on the answers of cross-validation. Pure but for asking
for the versions of installed packages.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Final

import numpy as np
from pydantic import JsonValue

from cubbyd.classify.card import Card, CategoryCard, DataCard, HeldOutCard, Measured
from cubbyd.classify.hierarchyfile import HierarchicalModel
from cubbyd.dataset.example import Example
from cubbyd.evaluation.metric import Truths
from cubbyd.evaluation.score import CategoryScore, Estimate, estimate_share, judge, score
from cubbyd.message.render import RENDERER_VERSION
from cubbyd.taxonomy import CategoryId, GroupId
from cubbyd.training.validation import HeldOut

YES: Final = 0.5
"""Where a mail can have several categories: the probability from which one counts as chosen."""
PACKAGES: Final = ("numpy", "scipy", "scikit-learn")
SHOWN: Final = ("accuracy", "macro_f1", "weighted_f1", "micro_f1", "jaccard", "exact_match", "log_loss", "calibration_error")
"""What does not depend on the thresholds of a configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What is known of a training but its outcome."""

    kind: str
    format: int
    """The version of the file's format."""
    file: str
    """The name of the file of examples."""
    data_sha256: str
    examples: Sequence[Example]
    seed: int
    settings: Mapping[str, JsonValue]
    created: datetime
    seconds: float
    versions: Mapping[str, str]
    """What the model itself says of the programs that trained it."""


def make_card(training: Training, counts: Mapping[CategoryId, int], held_out: HeldOut) -> Card:
    """Make the card of a model that chooses among all its categories at once.

    `counts` says how many different examples of each category it was trained on.
    """
    bars = np.full(len(held_out.answers.categories), YES)
    scored = score(judge(held_out.answers, bars, several=held_out.several), seed=training.seed)
    numbers = {name: scored.numbers[name] for name in SHOWN if name in scored.numbers}
    scores = {one.category: one for one in scored.categories}
    categories = tuple(_category(category, count, scores[category]) for category, count in counts.items())
    return _assemble(training, held_out, numbers, categories, different=held_out.different)


def make_grouped_card(training: Training, model: HierarchicalModel, among: HeldOut, within: Mapping[GroupId, HeldOut]) -> Card:
    """Make the card of a hierarchical model, of what was said among the groups and, by group, within each.

    An example is right where its group is, and its category among those of that group. The two are cross-validated apart, so
    that nobody knows which category a wrong group would have led to: there is recall, and no precision.
    """
    found = _inside(model, among, within)
    rows = np.array([row for row, line in enumerate(among.lines) if line in found], dtype=np.int64)
    wanted = [found[among.lines[row]][0] for row in rows]
    inside = np.array([found[among.lines[row]][1] for row in rows], dtype=np.bool_)
    right_group, groups, everything = among.answers.right[rows], among.answers.groups[rows], np.ones(len(rows), dtype=np.bool_)

    def share(hits: Truths, of: Truths) -> Estimate | None:
        return estimate_share(hits, of, groups, seed=training.seed)

    numbers = {
        "accuracy": share(right_group & inside, everything),
        "group_accuracy": share(right_group, everything),
        "accuracy_within_group": share(inside, everything),
    }
    counts, categories = count_examples(model), []
    for category, count in counts.items():
        of = np.array([one == category for one in wanted], dtype=np.bool_)
        recall = _measured(share(right_group & inside, of))
        categories.append(
            CategoryCard(id=category, examples=count, asked=int(of.sum()), precision=None, recall=recall, f1=None)
        )
    return _assemble(training, among, numbers, tuple(categories), different=sum(counts.values()))


def count_examples(model: HierarchicalModel) -> dict[CategoryId, int]:
    """Give how many different examples of each category a hierarchical model was trained on."""
    of_group = dict(zip(model.among.categories, model.among.examples, strict=True))
    counts: dict[CategoryId, int] = {}
    for group in model.groups:
        if group.model is None:
            counts[group.categories[0]] = of_group[group.id]
        else:
            counts |= dict(zip(group.model.categories, group.model.examples, strict=True))
    return counts


def _inside(model: HierarchicalModel, among: HeldOut, within: Mapping[GroupId, HeldOut]) -> dict[int, tuple[CategoryId, bool]]:
    """Give, by the line of an example, its category and whether that was chosen where the group was given."""
    found: dict[int, tuple[CategoryId, bool]] = {}
    for held in within.values():
        wanted, right = held.answers.truths.argmax(axis=1), held.answers.right
        for row, line in enumerate(held.lines):
            found[line] = (held.answers.categories[int(wanted[row])], bool(right[row]))
    alone = {group.id: group.categories[0] for group in model.groups if group.model is None}
    wanted = among.answers.truths.argmax(axis=1)
    for row, line in enumerate(among.lines):
        group = GroupId(among.answers.categories[int(wanted[row])])
        if group in alone:
            found[line] = (alone[group], True)
    return found


def _assemble(
    training: Training,
    held_out: HeldOut,
    numbers: Mapping[str, Estimate | None],
    categories: tuple[CategoryCard, ...],
    *,
    different: int,
) -> Card:
    measured = {name: _measured(number) for name, number in numbers.items()}
    origins = Counter(example.origin for example in training.examples)
    return Card(
        kind=training.kind,
        format=training.format,
        renderer=RENDERER_VERSION,
        created=training.created,
        seconds=round(training.seconds, 1),
        seed=training.seed,
        settings=dict(training.settings),
        data=DataCard(
            file=training.file,
            sha256=training.data_sha256,
            examples=len(training.examples),
            different=different,
            origins=dict(origins.most_common()),
        ),
        held_out=HeldOutCard(
            method=held_out.method,
            examples=sum(one.asked for one in categories) if not held_out.several else len(held_out.answers),
            numbers={name: number for name, number in measured.items() if number is not None},
        ),
        categories=categories,
        versions={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}, **training.versions},
    )


def _category(category: CategoryId, count: int, found: CategoryScore) -> CategoryCard:
    return CategoryCard(
        id=category,
        examples=count,
        asked=found.wanted,
        precision=_measured(found.precision),
        recall=_measured(found.recall),
        f1=_measured(found.f1),
    )


def _measured(found: Estimate | None) -> Measured | None:
    """Round: what is beyond four digits says nothing."""
    if found is None:
        return None
    return Measured(value=round(found.value, 4), low=round(found.low, 4), high=round(found.high, 4))
