"""Training of the hierarchical classifier: one local model for the groups, and one for the categories of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from cubbyd.classify.hierarchyfile import Group, HierarchicalModel
from cubbyd.dataset.example import Example, digest_examples
from cubbyd.errors import InputFileError
from cubbyd.taxonomy import CategoryId, GroupId
from cubbyd.training.local import train_local
from cubbyd.training.validation import HeldOut


def train_hierarchical(
    examples: Sequence[Example],
    groups: Mapping[GroupId, Sequence[CategoryId]],
    *,
    source: str = "the examples",
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
    tell: Callable[[GroupId | None, HeldOut], None] = lambda *_: None,
) -> HierarchicalModel:
    """Train a model on labeled examples; the same examples, groups and seed give the same model.

    An example with several labels counts for its first; one without a label is passed over. `source` names the examples in
    errors, `tell` is given what was said of held-out examples, within a group, or among the groups (None). Raises
    InputFileError where they cannot be learned from: a label that is in no group, a category without an example, or what
    train_local refuses, of all examples by group or of one group's by category.
    """
    labeled = [example for example in examples if example.labels]
    group_of = {category: group for group, categories in groups.items() for category in categories}
    for example in labeled:
        if example.labels[0] not in group_of:
            reason = f"unknown label {example.labels[0]!r}; the configuration has {', '.join(group_of)}"
            raise InputFileError(source, reason, line=example.line)
    given = {example.labels[0] for example in labeled}
    if missing := [category for category in group_of if category not in given]:
        raise InputFileError(source, f"no example of {', '.join(missing)}; add some, or remove it from the configuration")
    coarse = [replace(example, labels=(group_of[example.labels[0]],)) for example in labeled]
    progress(f"the {len(groups)} groups")
    among = train_local(
        coarse, source=f"{source}, by group", seed=seed, progress=progress, tell=lambda held_out: tell(None, held_out)
    )
    made = []
    for number, (group, categories) in enumerate(groups.items(), start=1):
        progress(f"group {group}, {number} of {len(groups)}: {len(categories)} categories")
        model = None
        if len(categories) > 1:
            own = [example for example in labeled if group_of[example.labels[0]] == group]
            model = train_local(own, source=f"{source}, group {group}", seed=seed, progress=progress, tell=partial(tell, group))
        made.append(Group(id=group, categories=tuple(categories), model=model))
    return HierarchicalModel(among=among, groups=tuple(made), data_sha256=digest_examples(examples))


def accuracy_within(model: HierarchicalModel) -> float:
    """Give how often the category is right where the group is given, by cross-validation, 0 to 1.

    The mean over the groups' models, by how many examples each was asked for; a group of one category is not counted, and 1.0
    is given where there is no other.
    """
    qualities = [group.model.quality for group in model.groups if group.model is not None]
    asked = sum(quality.examples for quality in qualities)
    return sum(quality.accuracy * quality.examples for quality in qualities) / asked if asked else 1.0
