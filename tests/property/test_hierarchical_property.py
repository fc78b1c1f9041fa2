"""The arithmetic of the hierarchical classifier, on any probabilities and any groups at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.composite import Told, ToldChooser, mail, only

from cubbyd.classify.grouping import GroupSum
from cubbyd.classify.hierarchical import HierarchicalClassifier, choose_groups
from cubbyd.classify.members import normalize
from cubbyd.config import Labels
from cubbyd.taxonomy import CategoryId, GroupId

CATEGORIES = tuple(CategoryId(name) for name in "abcdefgh")
GROUP_IDS = tuple(GroupId(CategoryId(name)) for name in ("one", "two", "three", "four"))
NUMBERS = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-300, 5e-324]))

Groups = dict[GroupId, tuple[CategoryId, ...]]


@st.composite
def groupings(draw: st.DrawFn) -> Groups:
    """Deal the categories over some of the groups."""
    dealt = draw(st.lists(st.sampled_from(GROUP_IDS), min_size=len(CATEGORIES), max_size=len(CATEGORIES)))
    return {
        group: tuple(category for category, its in zip(CATEGORIES, dealt, strict=True) if its == group)
        for group in dict.fromkeys(dealt)
    }


def chances(data: st.DataObject, names: tuple[CategoryId, ...]) -> dict[CategoryId, float]:
    numbers = data.draw(st.lists(NUMBERS, min_size=len(names), max_size=len(names)))
    return normalize(dict(zip(names, numbers, strict=True)))


TRIED, ENOUGH = st.integers(1, 6), st.floats(0, 1)


@given(st.data(), groupings(), TRIED, ENOUGH, st.one_of(st.none(), st.lists(st.sampled_from(CATEGORIES), unique=True)))
def test_they_sum_to_one_and_each_group_keeps_what_it_was_given(
    data: st.DataObject, groups: Groups, tried: int, enough: float, known: list[CategoryId] | None
) -> None:
    coarse = chances(data, tuple(groups))
    full = Told(categories=CATEGORIES, otherwise=chances(data, CATEGORIES))
    within = full if known is None else ToldChooser(categories=tuple(known))
    shares = data.draw(st.one_of(st.none(), st.just(chances(data, CATEGORIES))))
    both = HierarchicalClassifier(
        Told(categories=tuple(groups), otherwise=coarse), within, groups, tried=tried, enough=enough, shares=shares
    )

    found = only(both.classify([mail("x")])).probabilities

    assert set(found) == set(CATEGORIES)
    assert sum(found.values()) == pytest.approx(1.0)
    assert all(0.0 <= p <= 1.0 + 1e-12 for p in found.values())
    for group, categories in groups.items():
        assert sum(found[category] for category in categories) == pytest.approx(coarse[group], abs=1e-9)


@given(st.data(), groupings())
def test_a_classifier_s_own_sums_and_its_own_answer_within_give_its_own_answer_back(
    data: st.DataObject, groups: Groups
) -> None:
    """p(c) is p(group) times p(c | group): where all groups are tried nothing is lost."""
    fine = chances(data, CATEGORIES)
    sums = {CategoryId(group): sum(fine[category] for category in categories) for group, categories in groups.items()}
    both = HierarchicalClassifier(
        Told(categories=tuple(groups), otherwise=sums),
        Told(categories=CATEGORIES, otherwise=fine),
        groups,
        tried=len(groups),
        enough=1.0,
        shares=fine,
    )

    assert only(both.classify([mail("x")])).probabilities == pytest.approx(fine, abs=1e-9)


@given(st.data(), TRIED, ENOUGH)
def test_tried_are_the_likeliest_and_no_more_of_them_than_it_takes(data: st.DataObject, tried: int, enough: float) -> None:
    coarse = chances(data, GROUP_IDS)

    chosen = choose_groups(coarse, tried, enough)

    left = [p for group, p in coarse.items() if group not in chosen]
    assert 1 <= len(chosen) <= min(tried, len(coarse))
    assert all(coarse[group] >= max(left, default=0.0) for group in chosen)
    assert len(chosen) == 1 or sum(coarse[group] for group in chosen[:-1]) < enough


@given(st.data(), groupings(), TRIED, ENOUGH, st.booleans())
def test_where_a_mail_can_have_many_labels_none_is_more_probable_than_its_group(
    data: st.DataObject,
    groups: Groups,
    tried: int,
    enough: float,
    can_choose: bool,  # noqa: FBT001
) -> None:
    coarse, fine = ({name: data.draw(NUMBERS) for name in names} for names in (tuple(map(CategoryId, groups)), CATEGORIES))
    within = (ToldChooser if can_choose else Told)(categories=CATEGORIES, otherwise=fine)
    both = HierarchicalClassifier(
        Told(categories=tuple(groups), otherwise=coarse), within, groups, tried=tried, enough=enough, labels=Labels.MANY
    )

    found = only(both.classify([mail("x")])).probabilities

    for group, categories in groups.items():
        assert all(0.0 <= found[category] <= coarse[group] for category in categories)


@given(st.data(), groupings())
def test_many_labels_of_one_classifier_asked_for_all_are_its_own(data: st.DataObject, groups: Groups) -> None:
    """Grouped by the chance that any of them is right, and divided by it again within."""
    fine = {category: data.draw(st.floats(0.001, 0.999)) for category in CATEGORIES}
    member = Told(categories=CATEGORIES, otherwise=fine, batch_size=1)
    both = HierarchicalClassifier(
        GroupSum(member, groups, Labels.MANY), member, groups, tried=len(groups), enough=1.0, labels=Labels.MANY
    )

    assert only(both.classify([mail("x")])).probabilities == pytest.approx(fine, abs=1e-9)
