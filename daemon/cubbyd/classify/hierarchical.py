"""The hierarchical classifier: first the group, then the category within it, for hundreds of categories.

With p(g) what the one gives to a group, and p(c | g) what the other gives to a category among those of its group::

    p(c) = p(g) * p(c | g)      for the categories of a group that was tried
    p(c) = p(g) * share(c)      for those of every other group

where share(c) is the part that c has of its group's training examples, or 1 / (categories of the group) where none are known.
Tried are the likeliest groups, not only the first, because a wrong group cannot be put right within it. Both p(c | g) and
share(c) sum to 1 in each group, so that p sums to 1.

Where a mail can have many labels nothing sums to 1: p(g) is that any category of the group is right, p(c | g) what one that was
asked about the group alone said, or, of one that was asked about all, p(c) / p(any of the group).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from cubbyd.classify.grouping import Groups, GroupSum, any_of, ask_about_groups, read_groups
from cubbyd.classify.hierarchyfile import KIND, HierarchicalModel, load_hierarchical
from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.members import (
    OpenKind,
    Outcome,
    add_costs,
    ask,
    ask_member,
    cover,
    join_ids,
    normalize,
    open_members,
    scale,
    settle,
)
from cubbyd.classify.protocol import Chooser, Classifier, Prediction, Provenance, Reason
from cubbyd.config import Config, HierarchicalSection, Labels, MemberSection
from cubbyd.errors import ClassifierError, ModelFileError
from cubbyd.message import RENDERER_VERSION
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId, GroupId

FEWEST: Final = 2
"""Among fewer categories there is nothing to choose."""
MAX_REASONS: Final = 5

ASKED_ABOUT_GROUPS: Final = frozenset({"openai"})
"""Kinds that take any closed set from the configuration: they are asked for the group. The answers of others are summed."""


@dataclass(frozen=True, slots=True)
class InnerModels:
    """The local models within the groups of a model file: each can choose among the categories of its own group."""

    provenance: Provenance
    categories: tuple[CategoryId, ...]
    """Those of groups that have a model."""
    batch_size: int
    _by_category: Mapping[CategoryId, LocalClassifier]

    @classmethod
    def of(cls, model: HierarchicalModel) -> InnerModels:
        """Take those of a model that was trained or loaded."""
        found: dict[CategoryId, LocalClassifier] = {}
        for group in model.groups:
            if group.model is not None:
                found |= dict.fromkeys(group.categories, LocalClassifier(group.model))
        provenance = Provenance(kind="local", model=model.identity, renderer=model.among.renderer)
        return cls(provenance, tuple(found), LocalClassifier.batch_size, found)

    def classify_among(
        self, inputs: Sequence[ClassifierInput], among: Sequence[Sequence[CategoryId]], /
    ) -> Sequence[Prediction]:
        """Answer for each input, in order; `among` has categories of one group for each."""
        return [self._by_category[few[0]].classify([given])[0] for given, few in zip(inputs, among, strict=True)]

    def close(self) -> None:
        """Do nothing: the models are in memory alone."""


@dataclass(slots=True)
class _Case:
    """One mail whose group was asked for: the groups to look into, likeliest first, and what was found there so far."""

    given: ClassifierInput
    groups: Prediction
    tried: tuple[GroupId, ...]
    found: dict[GroupId, Prediction]
    error: ClassifierError | None = None


class HierarchicalClassifier:
    """One classifier for the groups and one for the categories within them; as thread-safe as they are."""

    def __init__(
        self,
        groups: Classifier,
        within: Classifier | InnerModels,
        taxonomy: Groups,
        *,
        tried: int = 3,
        enough: float = 0.99,
        shares: Mapping[CategoryId, float] | None = None,
        labels: Labels = Labels.ONE,
        order: Iterable[CategoryId] = (),
    ) -> None:
        """Take the members, which are closed with this, the categories of each group, and the order to list them in.

        `groups` chooses among the ids of the groups, `within` among the categories; shares are those of the module's text.
        """
        grouped = [category for categories in taxonomy.values() for category in categories]
        self.categories = tuple(dict.fromkeys([*(category for category in order if category in grouped), *grouped]))
        self.batch_size = min(groups.batch_size, within.batch_size)
        parts = ">".join(f"{one.provenance.kind}:{one.provenance.model}" for one in (groups, within))
        renderers = dict.fromkeys((groups.provenance.renderer, within.provenance.renderer))
        self.provenance = Provenance(kind=KIND, model=f"{parts} tried={tried} enough={enough:g}", renderer="+".join(renderers))
        self._groups, self._within, self._taxonomy = groups, within, taxonomy
        self._can_choose = isinstance(within, Chooser | InnerModels)
        self._tried, self._enough, self._labels = tried, enough, labels
        self._group_of = {category: group for group, categories in taxonomy.items() for category in categories}
        self._shares = {
            group: normalize({category: (shares or {}).get(category, 0.0) for category in categories})
            for group, categories in taxonomy.items()
        }
        known = set(within.categories)
        self._askable = {
            group: few
            for group, categories in taxonomy.items()
            if len(few := tuple(category for category in categories if category in known)) >= FEWEST
        }

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input, in order. Raises ClassifierUnavailable where the one for the groups is down.

        Where the other is, that is the answer for the mails that need it. A mail has no answer where one of its groups has
        none: the others' would pass for more than they are.
        """
        outcomes, labels = settle(ask_member(self._groups, inputs)), self._labels
        cases: dict[int, _Case] = {}
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, Prediction):
                groups = replace(outcome, probabilities=scale(cover(outcome.probabilities, self._taxonomy), labels))
                tried = choose_groups(groups.probabilities, self._tried, self._enough, labels)
                cases[place] = _Case(inputs[place], groups, tried, {})
        self._look_into(list(cases.values()))
        for place, case in cases.items():
            outcomes[place] = case.error or self._combine(case)
        return outcomes

    def close(self) -> None:
        """Close both."""
        with ExitStack() as stack:
            stack.callback(self._groups.close)
            stack.callback(self._within.close)

    def _look_into(self, cases: Sequence[_Case]) -> None:
        within = self._within
        if isinstance(within, Chooser | InnerModels):
            for number in range(self._tried):
                self._choose(within, number, [case for case in cases if number < len(case.tried) and case.error is None])
            return
        asked = [case for case in cases if any(group in self._askable for group in case.tried)]
        for case, answer in zip(asked, ask_member(within, [case.given for case in asked]), strict=True):
            if isinstance(answer, Prediction):
                case.found.update((group, answer) for group in case.tried if group in self._askable)
            else:
                case.error = answer

    def _choose(self, within: Chooser | InnerModels, number: int, cases: Sequence[_Case]) -> None:
        """Look into one group of each mail: its likeliest, its second, and so on."""
        asked = [case for case in cases if case.tried[number] in self._askable]
        given, among = [case.given for case in asked], [self._askable[case.tried[number]] for case in asked]
        answers = ask(given, within.batch_size, lambda places: within.classify_among(given[places], among[places]))
        for case, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Prediction):
                case.found[case.tried[number]] = answer
            else:
                case.error = answer

    def _combine(self, case: _Case) -> Prediction:
        found: dict[CategoryId, float] = {}
        for group, categories in self._taxonomy.items():
            there = case.found[group].probabilities if group in case.found else {}
            inside = cover(there, categories)
            spread = self._given_the_group(inside) if any(inside.values()) else self._shares[group]
            found |= {category: case.groups.probabilities[group] * p for category, p in spread.items()}
        probabilities = cover(found, self.categories)
        top = max(probabilities, key=lambda category: probabilities[category])
        decisive = case.found.get(self._group_of[top]) if self._can_choose else next(iter(case.found.values()), None)
        asked = _different((case.groups, *case.found.values()))
        held = next((one for one in (case.groups, decisive) if one and one.hold), None)
        return Prediction(
            probabilities=probabilities,
            provenance=self.provenance,
            cost=add_costs(asked),
            reasons=self._reasons(case, top),
            request_id=join_ids(asked),
            hold=held.hold if held else self._disagreement(case),
            stays=held.stays if held else False,
            urgent=next((one.urgent for one in asked if one.urgent), ""),
        )

    def _given_the_group(self, inside: Mapping[CategoryId, float]) -> Mapping[CategoryId, float]:
        """Turn what was said of a group's categories into p(c | g)."""
        if self._labels is Labels.ONE:
            return normalize(inside)
        if self._can_choose:
            return inside
        least = any_of(inside.values())
        return {category: min(1.0, p / least) if least else 0.0 for category, p in inside.items()}

    def _disagreement(self, case: _Case) -> str:
        """Say so where the one within, asked about all categories, likes one best that is in no group that was tried.

        Its answer, cut to a group, would count for certainty there, and mean nothing.
        """
        answer = next(iter(case.found.values()), None)
        if answer is None or self._can_choose:
            return ""
        inside = max(answer.probabilities.get(category, 0.0) for group in case.tried for category in self._taxonomy[group])
        if answer.probabilities[answer.top] <= inside:
            return ""
        return f"the classifiers disagree: group {case.groups.top} / {answer.top}"

    def _reasons(self, case: _Case, top: CategoryId) -> tuple[Reason, ...]:
        """Give what spoke for the group and for the category within it, by half each, and then which groups were tried."""
        group = self._group_of[top]
        inside = case.found.get(group)
        spoke = [case.groups] if case.groups.top == group else []
        if inside is not None and max(self._taxonomy[group], key=lambda one: inside.probabilities.get(one, 0.0)) == top:
            spoke.append(inside)
        weighed: dict[str, float] = {}
        for answer in spoke:
            for reason in answer.reasons:
                weighed[reason.text] = weighed.get(reason.text, 0.0) + reason.weight / len(spoke)
        strongest = sorted(weighed.items(), key=lambda item: -item[1])[:MAX_REASONS]
        tried = ", ".join(f"{one} {case.groups.probabilities[one]:.2f}" for one in case.tried)
        return (
            *(Reason(text=text, weight=min(weight, 1.0)) for text, weight in strongest),
            Reason(text=f"groups: {tried}", weight=0.0),
        )


def choose_groups(
    probabilities: Mapping[CategoryId, float], tried: int, enough: float, labels: Labels = Labels.ONE
) -> tuple[GroupId, ...]:
    """Give the groups to look into, likeliest first: one at least, `tried` at most, fewer once they hold `enough` together.

    Where a mail can have many labels groups do not share one certainty: those of less than 1 - enough are passed over.
    """
    chosen: list[GroupId] = []
    held = 0.0
    for group, p in sorted(probabilities.items(), key=lambda item: -item[1])[:tried]:
        is_enough = held >= enough if labels is Labels.ONE else p < 1.0 - enough
        if chosen and (is_enough or p <= 0.0):
            break
        chosen.append(GroupId(group))
        held += p
    return tuple(chosen)


def _different(answers: Sequence[Prediction]) -> list[Prediction]:
    """Give each answer once: one that was asked about all categories counts for several groups, and was paid once."""
    return list({id(answer): answer for answer in answers}.values())


def open_hierarchical(config: Config, open_kind: OpenKind) -> HierarchicalClassifier:
    """Open what [classifier.hierarchical] describes. Raises ConfigError, ModelFileError, and what its members raise."""
    section = config.classifier.hierarchical or HierarchicalSection()
    taxonomy = read_groups(config)
    for_groups: _Source
    inside: _Source
    if section.groups and section.within:
        for_groups, inside, shares = section.groups, section.within, None
    else:
        model = _load(config, taxonomy)
        for_groups, inside, shares = section.groups or model, section.within or model, model.shares
    with ExitStack() as stack:
        groups = _open_groups(config, open_kind, taxonomy, for_groups)
        stack.callback(groups.close)
        within = _open_within(config, open_kind, inside)
        stack.pop_all()
    return HierarchicalClassifier(
        groups,
        within,
        taxonomy,
        tried=section.tried,
        enough=section.enough,
        shares=shares,
        labels=config.classifier.labels,
        order=config.taxonomy.ids,
    )


_Source = MemberSection | HierarchicalModel


def _open_groups(config: Config, open_kind: OpenKind, taxonomy: Groups, source: _Source) -> Classifier:
    if isinstance(source, HierarchicalModel):
        return LocalClassifier(source.among)
    if source.kind in ASKED_ABOUT_GROUPS:
        return open_members(ask_about_groups(config), open_kind, (source,), KIND)[0]
    return GroupSum(open_members(config, open_kind, (source,), KIND)[0], taxonomy, config.classifier.labels)


def _open_within(config: Config, open_kind: OpenKind, source: _Source) -> Classifier | InnerModels:
    if isinstance(source, HierarchicalModel):
        return InnerModels.of(source)
    return open_members(config, open_kind, (source,), KIND)[0]


def _load(config: Config, taxonomy: Groups) -> HierarchicalModel:
    """Load the model file. Raises ModelFileError where it is not of the configuration's groups."""
    file = config.classifier.model
    if not file.exists():
        raise ModelFileError(
            file, f"there is no model yet; make one: cubbyd train EXAMPLES.jsonl --kind hierarchical --out {file}"
        )
    model = load_hierarchical(file, renderer=RENDERER_VERSION)
    group_of = {category: group for group, categories in taxonomy.items() for category in categories}
    for group in model.groups:
        for category in group.categories:
            if category not in group_of:
                raise ModelFileError(
                    file,
                    f"was trained with the category {category!r}, which the configuration does not have; "
                    "add it under [[categories]], or train again with the configuration's categories",
                )
            if group_of[category] != group.id:
                raise ModelFileError(
                    file,
                    f"was trained with the category {category!r} in the group {group.id!r}, and the configuration has it in "
                    f"{group_of[category]!r}; train again, or put it back",
                )
    return model
