"""What the hierarchical classifier is told about groups by the configuration, and by a classifier that knows none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from cubbyd.classify.members import Outcome, normalize
from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.config import CategorySection, Config
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


class GroupSum:
    """A classifier of categories as one of groups: a group is as probable as its categories together."""

    def __init__(self, member: Classifier, groups: Groups) -> None:
        """Take the classifier, which is closed with this."""
        self.provenance, self.batch_size = member.provenance, member.batch_size
        self.categories: tuple[CategoryId, ...] = tuple(groups)
        self._member, self._groups = member, groups

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input, in order. Raises what the member raises."""
        return [self._sum(one) if isinstance(one, Prediction) else one for one in self._member.classify(inputs)]

    def close(self) -> None:
        """Close the member."""
        self._member.close()

    def _sum(self, answer: Prediction) -> Prediction:
        """Add up; the reasons spoke for a category, and are kept where it is in the likeliest group."""
        sums = {
            CategoryId(group): sum(answer.probabilities.get(category, 0.0) for category in categories)
            for group, categories in self._groups.items()
        }
        summed = replace(answer, probabilities=normalize(sums))
        spoke_for_it = answer.top in self._groups[GroupId(summed.top)]
        return summed if spoke_for_it else replace(summed, reasons=())
