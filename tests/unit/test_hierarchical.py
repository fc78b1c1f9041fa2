"""The group first, then the category within it: which groups are tried, what is asked, and what an answer is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.composite import DOWN, Told, ToldChooser, mail, only

from cubbyd.classify.grouping import GroupSum
from cubbyd.classify.hierarchical import HierarchicalClassifier, choose_groups
from cubbyd.classify.protocol import Chooser, Prediction
from cubbyd.config import Labels
from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable, NeedsPerson
from cubbyd.taxonomy import CategoryId, GroupId


def ids(text: str) -> tuple[CategoryId, ...]:
    return tuple(map(CategoryId, text.split()))


CHILD, MONEY, HOUSE = (GroupId(name) for name in ids("child money house"))
GROUPS = {CHILD: ids("absence pickup meals"), MONEY: ids("billing subsidy"), HOUSE: ids("vendors")}
CATEGORIES = ids("absence pickup meals billing subsidy vendors")


def numbers(**said: float) -> dict[CategoryId, float]:
    return {CategoryId(name): p for name, p in said.items()}


def coarse(child: float = 0.6, money: float = 0.3, house: float = 0.1, **more: object) -> Told:
    return Told(
        kind="coarse",
        categories=tuple(GROUPS),
        otherwise=numbers(child=child, money=money, house=house),
        **more,  # type: ignore[arg-type]
    )


def fine(**more: object) -> Told:
    said = numbers(absence=0.08, pickup=0.02, meals=0.0, billing=0.3, subsidy=0.1, vendors=0.5)
    return Told(**{"kind": "fine", "categories": CATEGORIES, "otherwise": said, **more})  # type: ignore[arg-type]


def chooser(**more: object) -> ToldChooser:
    """Gives all to the last category that it is asked about."""
    return ToldChooser(kind="chooser", categories=CATEGORIES, **more)  # type: ignore[arg-type]


def put_together(groups: Told, within: Told, **more: object) -> HierarchicalClassifier:
    return HierarchicalClassifier(groups, within, GROUPS, **more)  # type: ignore[arg-type]


# --- which groups, and who is asked what -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tried", "enough", "expected"),
    [
        (1, 1.0, (MONEY,)),
        (2, 1.0, (MONEY, CHILD)),
        (9, 1.0, (MONEY, CHILD, HOUSE)),
        (9, 0.7, (MONEY, CHILD)),
        (9, 0.5, (MONEY,)),
        (9, 0.0, (MONEY,)),
    ],
)
def test_the_likeliest_groups_are_tried_until_they_are_enough(tried: int, enough: float, expected: tuple[GroupId]) -> None:
    assert choose_groups(numbers(child=0.2, money=0.5, house=0.3 - 0.2), tried, enough) == expected


def test_a_group_that_is_impossible_is_not_tried_but_one_always_is() -> None:
    assert choose_groups(numbers(child=1.0, money=0.0, house=0.0), 3, 1.0) == (CHILD,)
    assert choose_groups(numbers(child=0.0, money=0.0, house=0.0), 3, 1.0) == (CHILD,)


def test_one_that_can_choose_is_asked_within_each_group_that_has_a_choice_and_of_no_other_category() -> None:
    within = chooser(money=0.25, request_id="r")
    assert isinstance(within, Chooser)

    answer = only(put_together(coarse(money=0.3), within, enough=1.0).classify([mail("x")]))

    assert within.choices == [GROUPS[CHILD], GROUPS[MONEY]]
    assert answer.probabilities == pytest.approx(
        numbers(absence=0, pickup=0, meals=0.6, billing=0, subsidy=0.3, vendors=0.1), abs=1e-12
    )
    assert (answer.cost.money, answer.cost.input_tokens, answer.request_id) == (0.5, 90, "r r")


def test_one_that_cannot_is_asked_once_and_its_answer_is_cut_to_each_group() -> None:
    within = fine(money=0.25)

    answer = only(put_together(coarse(), within, enough=1.0).classify([mail("x")]))

    assert within.calls == [["x"]]
    assert answer.cost.money == 0.25
    assert answer.probabilities == pytest.approx(
        numbers(absence=0.48, pickup=0.12, meals=0, billing=0.225, subsidy=0.075, vendors=0.1)
    )


def test_a_wrong_first_group_is_put_right_by_a_clear_second() -> None:
    """The reason to try several: torn within the first group, certain within the second."""
    torn = fine(otherwise=numbers(absence=0.1, pickup=0.1, meals=0.1, billing=0.7, subsidy=0.0, vendors=0.0))
    groups = coarse(child=0.5, money=0.4)

    one = only(put_together(groups, torn, tried=1).classify([mail("x")]))
    two = only(put_together(groups, torn, tried=2).classify([mail("x")]))

    assert one.hold == "the classifiers disagree: group child / billing"
    assert (two.top, two.hold) == ("billing", "")
    assert two.probabilities[two.top] == pytest.approx(0.4)


def test_what_was_not_tried_is_shared_out_by_the_examples_or_equally() -> None:
    shares = numbers(billing=0.9, subsidy=0.1)

    known = only(put_together(coarse(), chooser(), tried=1, shares=shares).classify([mail("x")]))
    unknown = only(put_together(coarse(), chooser(), tried=1).classify([mail("x")]))

    assert (known.probabilities[ids("billing")[0]], known.probabilities[ids("subsidy")[0]]) == pytest.approx((0.27, 0.03))
    assert (unknown.probabilities[ids("billing")[0]], unknown.probabilities[ids("subsidy")[0]]) == pytest.approx((0.15, 0.15))


def test_a_group_of_one_category_needs_no_question() -> None:
    within = chooser()

    answer = only(put_together(coarse(child=0.005, money=0.0, house=0.995), within).classify([mail("x")]))

    assert within.calls == []
    assert answer.top == "vendors"
    assert answer.probabilities[answer.top] == pytest.approx(0.995)


def test_only_categories_that_the_one_within_knows_are_asked_for() -> None:
    within = ToldChooser(categories=ids("absence meals billing"))

    answer = only(put_together(coarse(), within).classify([mail("x")]))

    assert within.choices == [ids("absence meals")]
    assert answer.probabilities[ids("pickup")[0]] == 0.0
    assert answer.probabilities[ids("subsidy")[0]] == pytest.approx(0.15), "there was nothing to choose"


def test_one_that_gives_a_group_nothing_leaves_it_to_the_shares() -> None:
    nothing = fine(otherwise=numbers(absence=0, pickup=0, meals=0, billing=0.5, subsidy=0, vendors=0.5))

    answer = only(put_together(coarse(), nothing, tried=3).classify([mail("x")]))

    assert answer.probabilities[ids("absence")[0]] == pytest.approx(0.2)


@pytest.mark.parametrize("within", [fine(batch_size=1), chooser(batch_size=1)])
def test_nobody_gets_more_at_once_than_they_like(within: Told) -> None:
    both = put_together(coarse(), within, tried=1)

    both.classify([mail("one"), mail("two")])

    assert within.calls == [["one"], ["two"]]
    assert both.batch_size == 1


def test_categories_stand_in_the_configurations_order() -> None:
    order = ids("vendors absence billing pickup subsidy meals")
    both = put_together(coarse(), fine(), order=order)

    assert both.categories == tuple(only(both.classify([mail("x")])).probabilities) == order


# --- many labels -------------------------------------------------------------------------------------------------------

TWO = numbers(absence=0.9, pickup=0.2, meals=0.0, billing=0.8, subsidy=0.1, vendors=0.05)
"""A child is ill, and the parents want the fee back."""


def test_where_a_mail_can_have_many_labels_two_groups_can_both_be_right() -> None:
    within = chooser()

    answer = only(put_together(coarse(0.9, 0.8, 0.005), within, labels=Labels.MANY).classify([mail("x")]))

    assert within.choices == [GROUPS[CHILD], GROUPS[MONEY]], "and the third is hardly possible"
    assert answer.probabilities == pytest.approx(
        numbers(absence=0, pickup=0, meals=0.9, billing=0, subsidy=0.8, vendors=0.005), abs=1e-12
    )


def test_many_labels_are_grouped_by_the_chance_that_any_is_right() -> None:
    answer = only(GroupSum(fine(otherwise=TWO), GROUPS, Labels.MANY).classify([mail("x")]))

    assert answer.probabilities == pytest.approx(numbers(child=1 - 0.1 * 0.8, money=1 - 0.2 * 0.9, house=0.05))


def test_many_labels_of_one_that_was_asked_for_all_are_taken_given_their_group() -> None:
    both = put_together(coarse(0.46, 0.82, 0.0), fine(otherwise=TWO), labels=Labels.MANY)

    found = only(both.classify([mail("x")])).probabilities

    assert found[ids("absence")[0]] == pytest.approx(0.9 / 2), "the group is half as probable as it thought"
    assert found[ids("billing")[0]] == pytest.approx(0.8)


# --- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [DOWN, ClassifierRejected("too long"), NeedsPerson("it will not"), ClassifierError("odd")])
@pytest.mark.parametrize("part", ["groups", "within"])
def test_an_error_of_either_is_the_mails_own_and_never_a_category(part: str, error: ClassifierError) -> None:
    says = {"bad": error}
    both = put_together(coarse(says=says), fine()) if part == "groups" else put_together(coarse(), fine(says=says))

    outcomes = both.classify([mail("good"), mail("bad")])

    assert isinstance(outcomes[0], Prediction)
    assert outcomes[1] is error


def test_a_mail_is_not_asked_about_again_once_one_of_its_groups_has_no_answer() -> None:
    within = chooser(outage=DOWN)

    assert put_together(coarse(), within, enough=1.0).classify([mail("one"), mail("two")]) == [DOWN, DOWN]
    assert within.calls == [["one", "two"]]


def test_an_outage_of_the_one_for_the_groups_ends_the_pass() -> None:
    within = fine()

    with pytest.raises(ClassifierUnavailable):
        put_together(coarse(outage=DOWN), within).classify([mail("one"), mail("two")])
    assert within.calls == []


# --- what people are told ----------------------------------------------------------------------------------------------


def test_reasons_are_those_of_both_by_half_and_the_groups_that_were_tried() -> None:
    answer = only(put_together(coarse(), fine(), tried=2).classify([mail("x")]))

    assert [(reason.text, reason.weight) for reason in answer.reasons] == [
        ("a word of coarse", 0.25),
        ("a word of fine", 0.25),
        ("groups: child 0.60, money 0.30", 0.0),
    ]


def test_a_reason_for_another_group_or_category_is_none_for_this() -> None:
    torn = fine(otherwise=numbers(absence=0.1, pickup=0.1, meals=0.1, billing=0.7, subsidy=0.0, vendors=0.0))

    answer = only(put_together(coarse(child=0.5, money=0.4), torn, tried=2).classify([mail("x")]))

    assert answer.top == "billing"
    assert [reason.text for reason in answer.reasons] == ["a word of fine", "groups: child 0.50, money 0.40"]


def test_whoever_wants_a_person_gets_one() -> None:
    assert only(put_together(coarse(hold="torn"), fine(), tried=3).classify([mail("x")])).hold == "torn"
    assert only(put_together(coarse(), chooser(hold="odd"), tried=3).classify([mail("x")])).hold == "odd"
    assert only(put_together(coarse(), fine(hold="odd"), tried=1).classify([mail("x")])).hold == "odd"


def test_what_is_said_within_a_group_that_did_not_win_is_no_reason_for_a_person() -> None:
    """Asked which of a wrong group's categories it is, a classifier may well be at a loss."""

    class LostInMoney(ToldChooser):
        def answer(self, said: Mapping[CategoryId, float] | ClassifierError) -> Prediction | ClassifierError:
            answer = super().answer(said)
            assert isinstance(answer, Prediction)
            return replace(answer, hold="at a loss" if "billing" in answer.probabilities else "", urgent="soon")

    answer = only(put_together(coarse(), LostInMoney(categories=CATEGORIES), enough=1.0).classify([mail("x")]))

    assert (answer.top, answer.hold, answer.urgent) == ("meals", "", "soon")


def test_one_that_likes_best_what_is_in_no_group_that_was_tried_makes_it_a_mail_for_people() -> None:
    held = only(put_together(coarse(), fine(), tried=2).classify([mail("x")]))
    tried = only(put_together(coarse(), fine(), tried=3, enough=1.0).classify([mail("x")]))

    assert held.hold == "the classifiers disagree: group child / vendors"
    assert tried.hold == ""


def test_its_name_changes_with_either_part_and_with_the_rules() -> None:
    names = {
        put_together(coarse(), fine()).provenance.model,
        put_together(coarse(), chooser()).provenance.model,
        put_together(coarse(), fine(), tried=2).provenance.model,
        put_together(coarse(), fine(), enough=0.5).provenance.model,
    }

    assert len(names) == 4
    assert "coarse:1>fine:1 tried=3 enough=0.99" in names


def test_both_are_closed() -> None:
    groups, within = coarse(), fine()

    put_together(groups, within).close()

    assert (groups.closed, within.closed) == (1, 1)


# --- a classifier of categories as one of groups -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected", "reasons"),
    [
        (
            numbers(absence=0.3, pickup=0.2, meals=0.1, billing=0.35, subsidy=0.0, vendors=0.05),
            numbers(child=0.6, money=0.35, house=0.05),
            0,
        ),
        (
            numbers(absence=0.6, pickup=0.2, meals=0.1, billing=0.1, subsidy=0.0, vendors=0.0),
            numbers(child=0.9, money=0.1, house=0.0),
            1,
        ),
        (numbers(absence=0.9, billing=0.9), numbers(child=0.5, money=0.5, house=0.0), 1),
    ],
)
def test_a_group_is_as_probable_as_its_categories_together(
    said: Mapping[CategoryId, float], expected: Mapping[CategoryId, float], reasons: int
) -> None:
    """A reason for the top category is kept where the top group is that category's."""
    summed = GroupSum(fine(otherwise=said), GROUPS)

    answer = only(summed.classify([mail("x")]))

    assert summed.categories == tuple(answer.probabilities) == (CHILD, MONEY, HOUSE)
    assert answer.probabilities == pytest.approx(expected)
    assert len(answer.reasons) == reasons


def test_the_errors_of_one_that_is_summed_stay_errors_and_it_is_closed() -> None:
    member = fine(says={"bad": DOWN})
    summed = GroupSum(member, GROUPS)

    assert summed.classify([mail("bad")]) == [DOWN]
    summed.close()
    assert member.closed == 1
