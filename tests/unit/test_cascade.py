"""The cascade: the second is asked where the first is unsure and nowhere else, and what it costs and says is kept."""

from __future__ import annotations

import pytest
from tests.composite import ABSENCE, BILLING, CATEGORIES, DOWN, PICKUP, Told, chances, mail, only, predictions

from cubbyd.classify.cascade import CascadeClassifier
from cubbyd.config import IfThenFails, Labels
from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable, NeedsPerson

SAYS = {"clear": chances(0.9, 0.06, 0.04), "dim": chances(0.5, 0.4, 0.1), "edge": chances(0.8, 0.1, 0.1)}


def cheap(**more: object) -> Told:
    return Told(kind="cheap", says=SAYS, **more)  # type: ignore[arg-type]


def strong(**more: object) -> Told:
    return Told(kind="strong", otherwise=chances(0.02, 0.01, 0.97), money=0.25, request_id="r-9", **more)  # type: ignore[arg-type]


def cascade(first: Told, then: Told, **more: object) -> CascadeClassifier:
    return CascadeClassifier(first, then, **({"unsure_below": 0.8} | more))  # type: ignore[arg-type]


def test_the_second_is_asked_only_where_the_first_is_unsure() -> None:
    first, then = cheap(), strong()

    answers = predictions(cascade(first, then).classify([mail("clear"), mail("dim"), mail("edge"), mail("dim")]))

    assert [answer.top for answer in answers] == [ABSENCE, PICKUP, ABSENCE, PICKUP]
    assert first.calls == [["clear", "dim", "edge", "dim"]]
    assert then.asked == ["dim", "dim"], "exactly 0.8 is not below 0.8"


def test_where_a_mail_can_have_many_labels_two_that_are_probable_are_no_doubt() -> None:
    then = strong()
    first = Told(otherwise=chances(0.95, 0.94, 0.0))

    answer = only(cascade(first, then, margin_below=0.2, labels=Labels.MANY).classify([mail("x")]))

    assert then.asked == []
    assert answer.probabilities == chances(0.95, 0.94, 0.0)


def test_a_small_lead_is_unsure_where_that_is_wanted() -> None:
    then = strong()

    cascade(cheap(), then, unsure_below=0.0, margin_below=0.2).classify([mail("clear"), mail("dim"), mail("edge")])

    assert then.asked == ["dim"]


def test_the_cost_of_both_adds_up_and_both_are_named() -> None:
    sure, unsure = predictions(cascade(cheap(money=0.5), strong()).classify([mail("clear"), mail("dim")]))

    assert (sure.cost.money, sure.cost.milliseconds, sure.cost.input_tokens, sure.request_id) == (0.5, 2.0, 30, "")
    assert (unsure.cost.money, unsure.cost.milliseconds, unsure.cost.input_tokens, unsure.request_id) == (0.75, 4.0, 60, "r-9")
    assert unsure.cost.output_tokens == 8
    assert sure.provenance == unsure.provenance
    assert (sure.provenance.kind, sure.provenance.model.split()[0]) == ("cascade", "cheap:1>strong:1")


def test_the_provenance_changes_with_the_rules() -> None:
    models = {cascade(cheap(), strong(), unsure_below=bound).provenance.model for bound in (0.7, 0.8)}

    assert len(models) == 2


def test_the_reasons_are_those_of_the_one_that_decided_and_say_who_was_unsure() -> None:
    sure, unsure = predictions(cascade(cheap(), strong()).classify([mail("clear"), mail("dim")]))

    assert [reason.text for reason in sure.reasons] == ["a word of cheap"]
    assert [reason.text for reason in unsure.reasons] == ["a word of strong", "cheap was unsure (absence 0.50)"]


@pytest.mark.parametrize("error", [DOWN, ClassifierRejected("too long"), ClassifierError("odd")])
def test_a_mail_without_an_answer_of_the_second_waits_for_it(error: ClassifierError) -> None:
    outcomes = cascade(cheap(), strong(says={"dim": error})).classify([mail("clear"), mail("dim")])

    assert only(outcomes[:1]).top == ABSENCE
    assert outcomes[1] is error


@pytest.mark.parametrize("error", [DOWN, ClassifierRejected("too long"), ClassifierError("odd")])
def test_or_what_the_first_said_holds_where_that_is_wanted(error: ClassifierError) -> None:
    both = cascade(cheap(money=0.5), strong(says={"dim": error}), if_then_fails=IfThenFails.KEEP_FIRST)

    answer = only(both.classify([mail("dim")]))

    assert answer.probabilities == SAYS["dim"]
    assert [reason.text for reason in answer.reasons] == [
        "a word of cheap",
        "cheap was unsure (absence 0.50)",
        "strong gave no answer",
    ]
    assert answer.cost.money == 0.5


def test_what_a_service_will_not_speak_of_goes_to_people_in_any_case() -> None:
    refused = NeedsPerson("urgent: a filter blocked this mail")
    both = cascade(cheap(), strong(says={"dim": refused}), if_then_fails=IfThenFails.KEEP_FIRST)

    assert both.classify([mail("clear"), mail("dim")])[1] is refused


def test_an_outage_of_the_second_touches_none_that_the_first_is_sure_of() -> None:
    then = strong(outage=DOWN, batch_size=1)

    outcomes = cascade(cheap(), then).classify([mail("dim"), mail("clear"), mail("dim")])

    assert outcomes[0] is outcomes[2] is DOWN
    assert only(outcomes[1:2]).top == ABSENCE
    assert then.calls == [["dim"]], "after an outage the others would only wait as long once more"


def test_an_outage_of_the_first_is_raised_and_the_second_is_not_asked_in_its_place() -> None:
    then = strong()
    with pytest.raises(ClassifierUnavailable) as caught:
        cascade(cheap(outage=DOWN), then).classify([mail("dim"), mail("dim")])

    assert caught.value.retry_after_seconds == 7
    assert then.calls == []


def test_an_outage_of_the_second_is_never_raised() -> None:
    """It would end the pass, and mail that the first is sure of would wait behind the one that it is not."""
    assert cascade(cheap(), strong(outage=DOWN)).classify([mail("dim"), mail("dim")]) == [DOWN, DOWN]


def test_an_error_of_the_first_stands_and_the_second_is_not_asked() -> None:
    error, then = ClassifierRejected("no"), strong()

    assert cascade(Told(otherwise=error), then).classify([mail("x")]) == [error]
    assert then.asked == []


def test_the_second_gets_no_more_at_once_than_it_likes() -> None:
    then = strong(batch_size=2)
    both = cascade(cheap(), then)

    both.classify([mail("dim")] * 5)

    assert then.calls == [["dim", "dim"], ["dim", "dim"], ["dim"]]
    assert both.batch_size == 2


def test_categories_that_one_alone_knows_are_listed_in_the_wanted_order() -> None:
    first = Told(
        categories=(PICKUP, BILLING), otherwise={PICKUP: 0.5, BILLING: 0.5}, says={"clear": {PICKUP: 1.0, BILLING: 0.0}}
    )
    both = cascade(first, strong(), order=CATEGORIES)

    sure, unsure = predictions(both.classify([mail("clear"), mail("dim")]))

    assert both.categories == CATEGORIES
    assert sure.probabilities == chances(0.0, 0.0, 1.0)
    assert list(sure.probabilities) == list(unsure.probabilities) == list(CATEGORIES)


def test_a_first_that_wants_a_person_is_unsure_and_a_second_that_does_is_heard() -> None:
    torn = cheap(hold="the classifiers disagree: absence / pickup")

    assert only(cascade(torn, strong()).classify([mail("clear")])).hold == ""
    assert only(cascade(cheap(), strong(hold="ask somebody")).classify([mail("dim")])).hold == "ask somebody"
    kept = cascade(torn, strong(outage=DOWN), if_then_fails=IfThenFails.KEEP_FIRST)
    assert only(kept.classify([mail("clear")])).hold == torn.hold


def test_both_are_closed_even_where_one_cannot_be() -> None:
    class Stuck(Told):
        def close(self) -> None:
            raise OSError("stuck")

    then = strong()
    with pytest.raises(OSError, match="stuck"):
        cascade(Stuck(), then).close()
    assert then.closed == 1

    first = cheap()
    with pytest.raises(OSError, match="stuck"):
        cascade(first, Stuck()).close()
    assert first.closed == 1
