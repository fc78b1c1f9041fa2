"""The ensemble: the weighted mean counts, all must have answered, and a disagreement can be a mail for people."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from tests.composite import ABSENCE, BILLING, CATEGORIES, DOWN, PICKUP, Told, chances, mail, only

from cubbyd.classify.ensemble import EnsembleClassifier, fit_weights
from cubbyd.classify.protocol import Prediction
from cubbyd.config import Labels
from cubbyd.errors import ClassifierRejected, ClassifierUnavailable
from cubbyd.taxonomy import CategoryId


def one(**more: object) -> Told:
    return Told(kind="one", otherwise=chances(0.8, 0.1, 0.1), money=0.5, request_id="r-1", **more)  # type: ignore[arg-type]


def two(**more: object) -> Told:
    return Told(kind="two", otherwise=chances(0.2, 0.2, 0.6), money=0.25, request_id="r-2", **more)  # type: ignore[arg-type]


def ensemble(*members: Told, weights: Sequence[float] = (3.0, 1.0), review: bool = False) -> EnsembleClassifier:
    return EnsembleClassifier(members, weights, review_on_disagreement=review, order=CATEGORIES)


def test_the_weighted_mean_counts_whatever_the_weights_sum_to() -> None:
    answer = only(ensemble(one(), two()).classify([mail("x")]))

    assert answer.probabilities == pytest.approx(chances(0.65, 0.125, 0.225))
    assert (answer.cost.money, answer.cost.milliseconds, answer.request_id) == (0.75, 4.0, "r-1 r-2")
    assert (answer.provenance.kind, answer.provenance.model) == ("ensemble", "0.75*one:1 + 0.25*two:1")
    assert answer.hold == ""


def test_where_a_mail_can_have_many_labels_the_mean_is_not_scaled_to_one() -> None:
    """Two labels that both members are sure of stay sure."""
    first, second = Told(otherwise=chances(0.9, 0.9, 0.1)), Told(kind="two", otherwise=chances(0.7, 0.9, 0.3))
    one_label = EnsembleClassifier([first, second], [1, 1])
    many = EnsembleClassifier([first, second], [1, 1], labels=Labels.MANY)

    assert only(many.classify([mail("x")])).probabilities == pytest.approx(chances(0.8, 0.9, 0.2))
    assert sum(only(one_label.classify([mail("x")])).probabilities.values()) == pytest.approx(1.0)


def test_the_reasons_are_of_those_that_were_for_it_and_say_who_was_not() -> None:
    answer = only(ensemble(one(), two()).classify([mail("x")]))

    assert [(reason.text, reason.weight) for reason in answer.reasons] == [
        ("a word of one", 0.375),
        ("two was for pickup", 0.0),
    ]


def test_a_disagreement_is_a_mail_for_people_where_that_is_wanted() -> None:
    torn = ensemble(one(says={"agreed": chances(0.1, 0.1, 0.8)}), two(), review=True)

    disagreed, agreed = torn.classify([mail("x"), mail("agreed")])

    assert only([disagreed]).hold == "the classifiers disagree: absence / pickup"
    assert only([agreed]).hold == ""


def test_a_member_that_wants_a_person_is_heard() -> None:
    assert only(ensemble(one(), two(hold="ask somebody")).classify([mail("x")])).hold == "ask somebody"


def test_scores_that_do_not_sum_to_one_count_no_more_than_others() -> None:
    loud = Told(otherwise=chances(1.0, 1.0, 0.0))

    answer = only(ensemble(loud, one(), weights=(1, 1)).classify([mail("x")]))

    assert answer.probabilities == pytest.approx(chances(0.65, 0.3, 0.05))


def test_a_category_that_a_member_does_not_know_gets_nothing_from_it() -> None:
    narrow = Told(categories=(PICKUP, ABSENCE), otherwise={PICKUP: 0.5, ABSENCE: 0.5})
    both = ensemble(narrow, one(), weights=(1, 1))

    assert both.categories == CATEGORIES
    assert only(both.classify([mail("x")])).probabilities == pytest.approx(chances(0.65, 0.05, 0.3))


@pytest.mark.parametrize("members", [(one(outage=DOWN), two()), (one(), two(outage=DOWN))])
def test_one_member_down_is_an_outage(members: tuple[Told, Told]) -> None:
    with pytest.raises(ClassifierUnavailable) as caught:
        ensemble(*members).classify([mail("x"), mail("y")])

    assert caught.value.retry_after_seconds == 7


def test_an_error_is_that_mails_alone_and_it_is_shown_to_nobody_else() -> None:
    refused, then = ClassifierRejected("no"), two()

    outcomes = ensemble(one(says={"bad": refused}), then).classify([mail("x"), mail("bad"), mail("y")])

    assert outcomes[1] is refused
    assert [isinstance(outcome, Prediction) for outcome in outcomes] == [True, False, True]
    assert then.calls == [["x", "y"]]


def test_each_member_gets_no_more_at_once_than_it_likes() -> None:
    first, then = one(batch_size=2), two(batch_size=1)
    both = ensemble(first, then)

    both.classify([mail("x"), mail("y"), mail("z")])

    assert (first.calls, then.calls) == ([["x", "y"], ["z"]], [["x"], ["y"], ["z"]])
    assert both.batch_size == 1


def test_all_are_closed() -> None:
    members = one(), two(), Told()

    ensemble(*members, weights=(1, 1, 1)).close()

    assert [member.closed for member in members] == [1, 1, 1]


# --- weights -----------------------------------------------------------------------------------------------------------


def predict(probabilities: dict[CategoryId, float]) -> Prediction:
    return only(Told(otherwise=probabilities).classify([mail("x")]))


def noisy(labels: Sequence[CategoryId], right: float, seed: int) -> list[Prediction]:
    """A member that gives 0.8 to the right category that often, and else to another."""
    random_ = random.Random(seed)
    answers = []
    for label in labels:
        said = label if random_.random() < right else random_.choice([c for c in CATEGORIES if c != label])
        answers.append(predict({c: 0.8 if c == said else 0.1 for c in CATEGORIES}))
    return answers


def loss(members: Sequence[Sequence[Prediction]], weights: Sequence[float], labels: Sequence[CategoryId]) -> float:
    total = 0.0
    for place, label in enumerate(labels):
        p = sum(weight * member[place].probabilities[label] for member, weight in zip(members, weights, strict=True))
        total -= math.log(max(p, 1e-9))
    return total / len(labels)


LABELS = [CATEGORIES[place % 3] for place in range(300)]


def test_the_better_member_is_found() -> None:
    good, bad = noisy(LABELS, 0.95, 1), noisy(LABELS, 0.4, 2)

    weights = fit_weights([bad, good], LABELS)

    assert weights[1] > 0.95
    assert sum(weights) == pytest.approx(1.0)


def test_members_that_err_on_different_mails_share_the_weight() -> None:
    members = [noisy(LABELS, 0.8, 3), noisy(LABELS, 0.8, 4), noisy(LABELS, 1 / 3, 5)]

    weights = fit_weights(members, LABELS)

    assert min(weights[:2]) > 0.3
    assert weights[2] < 0.1


def test_no_weights_on_a_grid_are_better() -> None:
    members = [noisy(LABELS, 0.9, 6), noisy(LABELS, 0.7, 7), noisy(LABELS, 0.6, 8)]
    found = loss(members, fit_weights(members, LABELS), LABELS)

    steps = [step / 20 for step in range(21)]
    grid = [(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1]

    assert found <= min(loss(members, weights, LABELS) for weights in grid) + 1e-4


def test_one_mail_that_a_member_thought_impossible_does_not_decide() -> None:
    good = [*noisy(LABELS, 1.0, 9), predict(chances(0.0, 1.0, 0.0))]
    dull = [predict(chances(1 / 3, 1 / 3, 1 / 3)) for _ in good]

    assert fit_weights([good, dull], [*LABELS, ABSENCE])[0] > 0.9


def test_a_label_that_no_member_knows_changes_nothing() -> None:
    assert fit_weights([noisy(LABELS, 0.9, 1), noisy(LABELS, 0.9, 1)], [*LABELS[:-1], CategoryId("?")]) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("members", "labels"), [([], [BILLING]), ([[]], []), ([noisy([BILLING], 1, 1), []], [BILLING])], ids=str
)
def test_nothing_to_learn_from_is_refused(members: list[list[Prediction]], labels: list[CategoryId]) -> None:
    with pytest.raises(ValueError, match="one prediction for each label"):
        fit_weights(members, labels)
