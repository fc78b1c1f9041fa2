"""Recipes: the ways to put a training set together, each tried with the local classifier on the same test set.

real only                  what people wrote, as `cubbyd train` does it: the baseline
real only, unweighted      the same; the categories are neither weighed nor freed of their prior
real + synthetic           both in one training
synthetic, then real       two stages, as in cubbyd.training.stage: the real mail has the last word
real, then synthetic       the other way round
trimmed                    real; each category cut to the same number at random, several draws
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.modelfile import LocalModel
from cubbyd.dataset.example import Example
from cubbyd.errors import InputFileError
from cubbyd.evaluation.kept import ask_all
from cubbyd.evaluation.recipe import Trial
from cubbyd.evaluation.score import judge
from cubbyd.message import render_text
from cubbyd.taxonomy import CategoryId, Taxonomy
from cubbyd.training.local import USUAL_WAY, Way, train_local

FEWEST_LEFT: Final = 10
"""To fewer examples no category is trimmed unless asked: a single small one would ruin all."""
FEWEST: Final = 2
"""Examples of a category that cross-validation needs to hold one out."""


class Name(StrEnum):
    """The recipes, in the order in which they are shown."""

    REAL = "real only"
    UNWEIGHTED = "real only, unweighted"
    BOTH = "real + synthetic"
    SYNTHETIC_FIRST = "synthetic, then real"
    REAL_FIRST = "real, then synthetic"
    TRIMMED = "trimmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What one model is trained on, and how."""

    examples: Sequence[Example]
    way: Way = USUAL_WAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to put a training set together."""

    name: Name
    said: str
    """How it was done here, for people."""
    mixes: tuple[Mix, ...]
    """One, or as many as there are draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A recipe that cannot be tried."""

    name: Name
    why: str


def list_recipes(
    training: Sequence[Example], *, at_most: int | None = None, draws: int = 5, seed: int = 0
) -> tuple[list[Recipe], list[Skipped]]:
    """Put the mixes together; every example has a label, and counts for its first.

    at_most: how many examples of each category the trimmed recipe keeps; else as many as the smallest has, but not fewer than
    FEWEST_LEFT. The draws of one seed are the same at every call.
    """
    real = [example for example in training if not example.is_synthetic]
    made = [example for example in training if example.is_synthetic]
    recipes = [
        Recipe(name=Name.REAL, said=f"{len(real)} examples", mixes=(Mix(examples=real),)),
        Recipe(name=Name.UNWEIGHTED, said=f"{len(real)} examples", mixes=(Mix(examples=real, way=Way(balanced=False)),)),
    ]
    others = (*_mixed(real, made), _trimmed(real, at_most, draws, seed))
    recipes += [one for one in others if isinstance(one, Recipe)]
    return recipes, [one for one in others if isinstance(one, Skipped)]


def _mixed(real: list[Example], made: list[Example]) -> Iterator[Recipe | Skipped]:
    """Give the recipes with synthetic examples."""
    if not made:
        why = 'TRAINING has no synthetic examples (origin "synthetic"); `cubbyd dataset synthesize` makes some'
        yield from (Skipped(name=name, why=why) for name in (Name.BOTH, Name.SYNTHETIC_FIRST, Name.REAL_FIRST))
        return
    yield Recipe(name=Name.BOTH, said=f"{len(real)} + {len(made)} examples", mixes=(Mix(examples=[*real, *made]),))
    for name, first, second in ((Name.SYNTHETIC_FIRST, made, real), (Name.REAL_FIRST, real, made)):
        if len({example.labels[0] for example in made}) < 2:  # noqa: PLR2004
            yield Skipped(name=name, why="the synthetic examples are all of one category, which is nothing to train a stage on")
        elif max(Counter(example.labels[0] for example in second).values()) < FEWEST:
            yield Skipped(name=name, why="every category has a single example in the second stage")
        else:
            said = f"{len(first)}, then {len(second)} examples"
            yield Recipe(name=name, said=said, mixes=(Mix(examples=second, way=Way(earlier=first)),))


def _trimmed(real: list[Example], at_most: int | None, draws: int, seed: int) -> Recipe | Skipped:
    places: dict[CategoryId, list[int]] = {}
    for place, example in enumerate(real):
        places.setdefault(example.labels[0], []).append(place)
    most = at_most or max(FEWEST_LEFT, min(map(len, places.values()), default=0))
    if all(len(own) <= most for own in places.values()):
        return Skipped(name=Name.TRIMMED, why=f"no category has more than {most} real examples, so that nothing is cut")
    mixes = []
    for draw in range(draws):
        generator = np.random.default_rng((seed, draw))
        kept = sorted(int(one) for own in places.values() for one in generator.permutation(own)[:most])
        mixes.append(Mix(examples=[real[place] for place in kept]))
    said = f"{len(mixes[0].examples)} examples, at most {most} of a category, {draws} draw{'' if draws == 1 else 's'}"
    return Recipe(name=Name.TRIMMED, said=said, mixes=tuple(mixes))


def try_recipe(
    recipe: Recipe,
    test: Sequence[Example],
    categories: tuple[CategoryId, ...],
    *,
    source: str,
    taxonomy: Taxonomy | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Trial, LocalModel]:
    """Train a model for each mix, and ask each about the test set; give what they said, and the model of the first mix.

    A category that a mix has no example of cannot be told by its model, and its mails count as wrong. Raises InputFileError
    where a mix cannot be learned from.
    """
    models = []
    for number, mix in enumerate(recipe.mixes, start=1):
        progress(f"training: {recipe.name}" + (f", draw {number} of {len(recipe.mixes)}" if len(recipe.mixes) > 1 else ""))
        models.append(train_local(mix.examples, _known(taxonomy, mix), way=mix.way, source=source, seed=seed))
    bars = np.ones(len(categories))  # what would be filed is no part of this
    judged = [judge(ask_all(LocalClassifier(model), test, categories=categories).answers, bars) for model in models]
    return Trial(name=recipe.name, said=recipe.said, draws=tuple(judged)), models[0]


def _known(taxonomy: Taxonomy | None, mix: Mix) -> Taxonomy | None:
    """Give the categories that a mix has an example of, in the order in which `cubbyd train` would take them."""
    if taxonomy is None:
        return None
    labels = {label for example in (*mix.way.earlier, *mix.examples) for label in example.labels}
    return Taxonomy(tuple(category for category in taxonomy if category.id in labels))


def refuse_unfair(test: Sequence[Example], training: Sequence[Example], file: Path, other: str) -> None:
    """Refuse a test set that a machine wrote a part of, or that shares a text or a group with the training set.

    `file` is that of the test set, `other` the name of that of the training set. Raises InputFileError.
    """
    if made := [example.line for example in test if example.is_synthetic]:
        reason = f"{len(made)} of its examples are synthetic, which say nothing about your mail; take them out"
        raise InputFileError(file, reason, line=made[0])
    known = {key for example in training for key in _keys(example)}
    if shared := [example.line for example in test if not known.isdisjoint(_keys(example))]:
        reason = (
            f"{len(shared)} of its examples read the same as one in {other}, or are of the same group; the models would know "
            "the answers. Take them out of one of the two, or divide anew with `cubbyd dataset split`"
        )
        raise InputFileError(file, reason, line=shared[0])


def _keys(example: Example) -> Iterator[str]:
    """Name what makes two examples the same: their text, and the thread."""
    given = render_text(example.subject, example.body)
    yield sha256(f"{given.subject}\n{given.text}\n{given.quoted}".casefold().encode()).hexdigest()
    if example.group:
        yield f"group {example.group}"
