"""What the hierarchical classifier is told about groups by the configuration, and by a classifier that knows none of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from cubbyd.classify.members import Outcome, normalize
from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.config import CategorySection, Config, Labels
from cubbyd.errors import ConfigError, Problem
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId, GroupId

Groups = Mapping[GroupId, Sequence[CategoryId]]

FEWEST_GROUPS: Final = 2


def read_groups(config: Config) -> dict[GroupId, tuple[CategoryId, ...]]:
    """Give the categories of each group, both in the order of the configuration.

    Raises ConfigError that names each category without a group, and where all are in one.
    """
    without = tuple(
        Problem(key=f"categories[{place}].group", found="", allowed=f"category {section.id!r} is in no group; {_WAY_OUT}")
        for place, section in enumerate(config.categories, start=1)
        if section.group is None
    )
    if without:
        raise ConfigError(config.file, without)
    groups = config.taxonomy.groups
    if len(groups) < FEWEST_GROUPS:
        problem = Problem(
            key="categories",
            found="",
            allowed=f"all are in the group {next(iter(groups))!r}; a hierarchical classifier needs two groups at least, "
            'or take another kind, such as "local"',
        )
        raise ConfigError(config.file, (problem,))
    return groups


_WAY_OUT: Final = 'kind = "hierarchical" needs one for each, such as group = "money"'


def ask_about_groups(config: Config) -> Config:
    """Give a configuration whose categories are the groups, described by the names of their categories.

    The names stay words that redaction keeps.
    """
    categories = {category.id: category for category in config.taxonomy}
    sections = tuple(
        CategorySection(
            id=group, code=code, name=group, description="; ".join(categories[category].name for category in members)
        )
        for code, (group, members) in enumerate(read_groups(config).items(), start=1)
    )
    keep = (*config.redaction.keep, *(category.name for category in categories.values()))
    return config.model_copy(update={"categories": sections, "redaction": config.redaction.model_copy(update={"keep": keep})})


def any_of(probabilities: Iterable[float]) -> float:
    """Give the probability that one label at least is right, taking the labels as independent."""
    return 1.0 - math.prod(1.0 - p for p in probabilities)


class GroupSum:
    """A classifier of categories as one of groups: a group is as probable as its categories together.

    Where a mail can have many labels it is as probable as that one of them at least is right.
    """

    def __init__(self, member: Classifier, groups: Groups, labels: Labels = Labels.ONE) -> None:
        """Take the classifier, which is closed with this."""
        self.provenance, self.batch_size = member.provenance, member.batch_size
        self.categories: tuple[CategoryId, ...] = tuple(groups)
        self._member, self._groups, self._labels = member, groups, labels

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input, in order. Raises what the member raises."""
        return [self._sum(one) if isinstance(one, Prediction) else one for one in self._member.classify(inputs)]

    def close(self) -> None:
        """Close the member."""
        self._member.close()

    def _sum(self, answer: Prediction) -> Prediction:
        """Add up; the reasons spoke for a category, and are kept where it is in the likeliest group."""
        given = {group: [answer.probabilities.get(one, 0.0) for one in ids] for group, ids in self._groups.items()}
        probabilities: Mapping[CategoryId, float] = (
            normalize({group: sum(those) for group, those in given.items()})
            if self._labels is Labels.ONE
            else {group: any_of(those) for group, those in given.items()}
        )
        summed = replace(answer, probabilities=probabilities)
        spoke_for_it = answer.top in self._groups[GroupId(summed.top)]
        return summed if spoke_for_it else replace(summed, reasons=())
