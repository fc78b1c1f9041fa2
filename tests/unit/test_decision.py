"""The decision: the most probable category where it is probable enough, else a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cubbyd.classify.protocol import Prediction, Provenance
from cubbyd.config import Labels
from cubbyd.errors import NeedsPerson
from cubbyd.filing.decision import Decision, Hold, ask_person, decide, reconsider
from cubbyd.taxonomy import Category, CategoryId, Taxonomy

ABSENCE, BILLING, INCIDENT = CategoryId("absence"), CategoryId("billing"), CategoryId("incident")
GENERAL = 0.6


def category(id_: CategoryId, code: int, threshold: float | None = None) -> Category:
    return Category(
        id=id_, code=code, name=id_.title(), description="", folder=id_.title(), keyword=f"cubbyd-{id_}", threshold=threshold
    )


TAXONOMY = Taxonomy((category(ABSENCE, 1), category(BILLING, 2, threshold=0.4), category(INCIDENT, 3, threshold=0.9)))


def predict(**probabilities: float) -> Prediction:
    return Prediction(
        probabilities={CategoryId(id_): p for id_, p in probabilities.items()},
        provenance=Provenance(kind="test", model="1", renderer="1"),
    )


def test_a_probable_category_is_decided() -> None:
    assert decide(predict(absence=0.7, billing=0.2, incident=0.1), TAXONOMY, GENERAL) == Decision(
        category=ABSENCE, probability=0.7, hold=None
    )


def test_an_unsure_mail_is_held_and_the_probability_says_how_unsure() -> None:
    assert decide(predict(absence=0.5, billing=0.3, incident=0.2), TAXONOMY, GENERAL) == Decision(
        category=None, probability=0.5, hold=Hold.UNSURE
    )


@pytest.mark.parametrize(("probability", "files"), [(0.6, True), (0.5999999, False), (1.0, True)])
def test_a_mail_is_filed_from_the_threshold_on(probability: float, *, files: bool) -> None:
    assert (decide(predict(absence=probability), TAXONOMY, GENERAL).category == ABSENCE) is files


def test_a_categorys_own_threshold_beats_the_general_one_both_ways() -> None:
    low = decide(predict(billing=0.45, absence=0.44, incident=0.11), TAXONOMY, GENERAL)
    high = decide(predict(incident=0.85, absence=0.1, billing=0.05), TAXONOMY, GENERAL)

    assert low.category == BILLING, "0.45 is below the general 0.6, and enough for billing"
    assert high.hold is Hold.UNSURE, "0.85 is above the general 0.6, and not enough for an incident"


def test_with_many_labels_each_that_reaches_its_threshold_is_chosen_most_probable_first() -> None:
    mail = predict(absence=0.7, billing=0.8, incident=0.85)

    many = decide(mail, TAXONOMY, GENERAL, Labels.MANY)
    one = decide(mail, TAXONOMY, GENERAL)

    assert (many.category, many.others, many.probability) == (BILLING, (ABSENCE,), 0.8), "0.85 is not enough for an incident"
    assert (one.category, one.others) == (None, ()), "with one label, the most probable category decides alone"


def test_with_many_labels_none_may_be_reached() -> None:
    nothing = decide(predict(absence=0.5, billing=0.3, incident=0.2), TAXONOMY, GENERAL, Labels.MANY)

    assert (nothing.category, nothing.others, nothing.hold) == (None, (), Hold.UNSURE)


@pytest.mark.parametrize("labels", Labels)
def test_where_a_person_must_decide_no_probability_is_enough_and_what_is_urgent_stays_so(labels: Labels) -> None:
    asked = replace(predict(absence=0.99, billing=0.98), hold="the classifiers disagree", urgent="an injury", stays=True)

    decision = decide(asked, TAXONOMY, GENERAL, labels)

    assert (decision.category, decision.others, decision.hold) == (None, (), "the classifiers disagree")
    assert (decision.urgent, decision.stays) == ("an injury", True)


def test_what_a_classifier_will_not_speak_of_is_urgent_and_no_category() -> None:
    decision = ask_person(NeedsPerson("a filter blocked this mail"))

    assert (decision.category, decision.hold) == (None, "a filter blocked this mail")
    assert decision.urgent


def test_of_several_categories_on_record_those_that_are_gone_are_left_out() -> None:
    gone = CategoryId("gone")
    several = Decision(category=ABSENCE, probability=0.9, hold=None, others=(gone, BILLING), urgent="an injury")

    assert reconsider(several, TAXONOMY).others == (BILLING,)
    lost = reconsider(replace(several, category=gone), TAXONOMY)
    assert (lost.category, lost.others, lost.hold, lost.urgent) == (None, (), Hold.UNKNOWN, "an injury")


def test_a_threshold_of_zero_is_a_threshold() -> None:
    taxonomy = Taxonomy((category(ABSENCE, 1, threshold=0.0), category(BILLING, 2)))

    assert decide(predict(absence=0.3, billing=0.3), taxonomy, 1.0).category == ABSENCE


def test_the_second_best_is_not_chosen_for_its_lower_threshold() -> None:
    """The most probable category alone is asked for its threshold."""
    assert decide(predict(absence=0.55, billing=0.45), TAXONOMY, GENERAL).hold is Hold.UNSURE


def test_a_category_that_the_configuration_does_not_have_is_passed_over() -> None:
    decision = decide(predict(gardening=0.9, billing=0.41), TAXONOMY, GENERAL)

    assert decision == Decision(category=BILLING, probability=0.41, hold=None)


def test_of_equals_the_first_of_the_prediction_counts() -> None:
    taxonomy = Taxonomy((category(ABSENCE, 1), category(BILLING, 2)))

    assert decide(predict(billing=0.5, absence=0.5), taxonomy, 0.5).category == BILLING


def test_a_prediction_of_unknown_categories_alone_leaves_the_mail_to_people() -> None:
    """A backend of another package may answer in categories of its own; that is no reason to stop filing other mail."""
    assert decide(predict(gardening=0.9, plumbing=0.1), TAXONOMY, GENERAL).hold is Hold.UNSURE


@pytest.mark.parametrize("probabilities", [{"absence": 1.0}, {"billing": 0.2, "absence": 0.1}, {"gardening": 1.0}], ids=str)
def test_no_probability_is_enough_where_the_classifier_asks_for_a_person(probabilities: dict[str, float]) -> None:
    decision = decide(replace(predict(**probabilities), hold="the classifiers disagree: absence / billing"), TAXONOMY, 0.0)

    assert decision.category is None
    assert decision.hold == "the classifiers disagree: absence / billing"
    assert decision.probability == max((p for c, p in probabilities.items() if c in TAXONOMY), default=0.0)
    assert reconsider(decision, Taxonomy(())) == decision


def test_a_decision_on_record_holds_as_long_as_its_category_is_there() -> None:
    filed = Decision(category=BILLING, probability=0.9, hold=None)
    held = Decision(category=None, probability=0.3, hold=Hold.UNSURE)

    assert reconsider(filed, TAXONOMY) == filed
    assert reconsider(held, TAXONOMY) == held
    assert reconsider(filed, Taxonomy((category(ABSENCE, 1),))) == Decision(category=None, probability=0.9, hold=Hold.UNKNOWN)
