"""The shortlist: the second chooses among what the first finds likely, and moves no probability over its border."""

from __future__ import annotations

import pytest
from tests.composite import ABSENCE, BILLING, CATEGORIES, DOWN, PICKUP, Told, ToldChooser, chances, mail, only, predictions

from cubbyd.classify.protocol import Chooser, Prediction
from cubbyd.classify.shortlist import ShortlistClassifier
from cubbyd.config import Labels
from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable

SAYS = {"clear": chances(0.96, 0.03, 0.01), "dim": chances(0.5, 0.4, 0.1), "other": chances(0.1, 0.4, 0.5)}


def cheap(**more: object) -> Told:
    return Told(kind="cheap", says=SAYS, **more)  # type: ignore[arg-type]


def shortlist(first: Told, then: Told, *, size: int = 2, sure_above: float = 0.95, **more: object) -> ShortlistClassifier:
    return ShortlistClassifier(first, then, size=size, sure_above=sure_above, **more)  # type: ignore[arg-type]


def test_one_that_can_choose_is_asked_among_each_mails_own_likely_categories() -> None:
    then = ToldChooser(kind="chooser", money=0.25, request_id="r-1")
    assert isinstance(then, Chooser)

    sure, dim, other = predictions(shortlist(cheap(money=0.5), then).classify([mail("clear"), mail("dim"), mail("other")]))

    assert then.choices == [(ABSENCE, BILLING), (PICKUP, BILLING)]
    assert then.asked == ["dim", "other"]
    assert sure.probabilities == SAYS["clear"]
    assert dim.probabilities == pytest.approx(chances(0.0, 0.9, 0.1))
    assert other.probabilities == pytest.approx(chances(0.1, 0.9, 0.0))
    assert (sure.cost.money, dim.cost.money, dim.request_id) == (0.5, 0.75, "r-1")


def test_one_that_cannot_is_asked_in_full_and_its_answer_is_cut() -> None:
    then = Told(kind="full", otherwise=chances(0.1, 0.6, 0.3))
    assert not isinstance(then, Chooser)

    answer = only(shortlist(cheap(), then).classify([mail("dim")]))

    assert answer.probabilities == pytest.approx(chances(0.9 / 7, 0.9 * 6 / 7, 0.1))
    assert answer.hold == ""
    assert [reason.text for reason in answer.reasons] == ["a word of full", "cheap left the choice among absence, billing"]


def test_a_sure_first_decides_alone_and_keeps_its_reasons() -> None:
    then = Told(outage=DOWN)

    answer = only(shortlist(cheap(), then).classify([mail("clear")]))

    assert then.calls == []
    assert [reason.text for reason in answer.reasons] == ["a word of cheap"]
    assert (answer.provenance.kind, answer.provenance.model.split()[0]) == ("shortlist", "cheap:1>told:1")


def test_a_second_that_likes_best_what_is_not_on_the_list_makes_it_a_mail_for_people() -> None:
    """Cut to the list, a hundredth of its probability would count as certainty."""
    answer = only(shortlist(cheap(), Told(otherwise=chances(0.01, 0.0, 0.99))).classify([mail("dim")]))

    assert answer.probabilities == pytest.approx(chances(0.9, 0.0, 0.1))
    assert answer.hold == "the classifiers disagree: absence / pickup"


def test_a_second_that_gives_the_list_nothing_leaves_the_first_as_it_is() -> None:
    answer = only(shortlist(cheap(), Told(otherwise=chances(0.0, 0.0, 1.0))).classify([mail("dim")]))

    assert answer.probabilities == SAYS["dim"]
    assert answer.hold


def test_a_second_that_cannot_tell_is_not_against_it() -> None:
    assert only(shortlist(cheap(), Told(otherwise=chances(1 / 3, 1 / 3, 1 / 3))).classify([mail("other")])).hold == ""


def test_the_second_is_asked_only_about_categories_that_it_knows() -> None:
    then = ToldChooser(categories=(BILLING, PICKUP))
    answer = only(shortlist(cheap(), then, size=3).classify([mail("dim")]))

    assert then.choices == [(BILLING, PICKUP)]
    assert answer.probabilities == pytest.approx(chances(0.5, 0.0, 0.5))


def test_where_it_knows_one_of_them_there_is_nothing_to_choose() -> None:
    then = ToldChooser(categories=(BILLING,))

    assert only(shortlist(cheap(), then).classify([mail("dim")])).probabilities == SAYS["dim"]
    assert then.calls == []


def test_categories_of_the_second_alone_are_covered_and_stay_at_nothing() -> None:
    first = Told(categories=(ABSENCE, BILLING), otherwise={BILLING: 0.6, ABSENCE: 0.4})
    both = shortlist(first, ToldChooser(), size=3, order=CATEGORIES)

    answer = only(both.classify([mail("x")]))

    assert both.categories == CATEGORIES
    assert answer.probabilities == chances(1.0, 0.0, 0.0)


@pytest.mark.parametrize("error", [DOWN, ClassifierRejected("too long"), ClassifierError("odd")])
def test_a_mail_without_an_answer_of_the_second_has_none(error: ClassifierError) -> None:
    outcomes = shortlist(cheap(), Told(says={"dim": error})).classify([mail("clear"), mail("dim")])

    assert isinstance(outcomes[0], Prediction)
    assert outcomes[1] is error


def test_an_outage_of_the_first_is_raised_and_one_of_the_second_is_the_mails_own() -> None:
    with pytest.raises(ClassifierUnavailable):
        shortlist(cheap(outage=DOWN), Told()).classify([mail("dim"), mail("other")])

    outcomes = shortlist(cheap(), Told(outage=DOWN)).classify([mail("dim"), mail("other"), mail("clear")])

    assert outcomes[:2] == [DOWN, DOWN]
    assert only(outcomes[2:]).top == ABSENCE


@pytest.mark.parametrize("then", [Told(batch_size=1), ToldChooser(batch_size=1)])
def test_the_second_gets_no_more_at_once_than_it_likes(then: Told) -> None:
    both = shortlist(cheap(), then)

    both.classify([mail("dim"), mail("clear"), mail("other")])

    assert then.calls == [["dim"], ["other"]]
    assert both.batch_size == 1


def test_each_mail_keeps_its_own_list_however_many_are_asked_at_once() -> None:
    then = ToldChooser(batch_size=1)

    shortlist(cheap(), then).classify([mail("dim"), mail("clear"), mail("other")])

    assert then.choices == [(ABSENCE, BILLING), (PICKUP, BILLING)]


def test_a_first_that_wants_a_person_never_decides_alone() -> None:
    then = ToldChooser()

    assert only(shortlist(cheap(hold="torn"), then).classify([mail("clear")])).hold == ""
    assert then.asked == ["clear"]
    assert only(shortlist(cheap(hold="torn"), ToldChooser(categories=(PICKUP,))).classify([mail("clear")])).hold == "torn"


def test_both_are_closed() -> None:
    first, then = cheap(), Told()

    shortlist(first, then).close()

    assert (first.closed, then.closed) == (1, 1)


def test_where_a_mail_can_have_many_labels_each_keeps_its_own_probability() -> None:
    """Scaled to sum to 1, two certain labels would both be as good as chance."""
    first = Told(otherwise=chances(0.7, 0.6, 0.4))
    then = Told(otherwise=chances(0.9, 0.8, 0.3))

    asked = only(shortlist(first, then, labels=Labels.MANY).classify([mail("x")]))
    alone = only(shortlist(first, then, sure_above=0.7, labels=Labels.MANY).classify([mail("x")]))

    assert asked.probabilities == chances(0.9, 0.8, 0.4)
    assert alone.probabilities == chances(0.7, 0.6, 0.4)
