"""Scores, confusions and comparisons against cases worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from tests.calibration import NAMES, answers, world

from cubbyd.classify.protocol import Provenance
from cubbyd.dataset import Example
from cubbyd.evaluation.answer import Answers
from cubbyd.evaluation.comparison import Contestant, compare, correct, mcnemar, paired_difference
from cubbyd.evaluation.confusion import confusion_counts, costliest
from cubbyd.evaluation.kept import Sheet
from cubbyd.evaluation.learning import Learning, Step
from cubbyd.evaluation.metric import calibration_error, macro_f1
from cubbyd.evaluation.score import Estimate, draw_weights, judge, losses, score
from cubbyd.evaluation.whole import evaluate, say_bias, say_filing

ABSENCE, BILLING, PICKUP, MEALS = NAMES
BARS = np.full(3, 0.6)


def told(*rows: tuple[int, int, float]) -> Answers:
    """Answers about three categories: the right column, the chosen one, and its probability."""
    probabilities = [[p if column == chosen else (1 - p) / 2 for column in range(3)] for _, chosen, p in rows]
    return answers(probabilities, [right for right, _, _ in rows])


SIX = told((0, 0, 0.9), (0, 0, 0.5), (0, 1, 0.8), (1, 1, 0.7), (1, 0, 0.95), (2, 0, 0.55))


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def test_six_mails_are_scored_as_by_hand() -> None:
    found = score(judge(SIX, BARS), draws=50)

    assert value(found.numbers["accuracy"]) == pytest.approx(3 / 6)
    assert value(found.numbers["macro_f1"]) == pytest.approx((4 / 7 + 1 / 2 + 0) / 3)
    assert value(found.numbers["weighted_f1"]) == pytest.approx((3 * 4 / 7 + 2 * 1 / 2) / 6)
    assert value(found.numbers["filed"]) == pytest.approx(4 / 6), "two are below the threshold"
    assert value(found.numbers["filed_wrong"]) == pytest.approx(2 / 4)
    expected = [0.9, 0.5, 0.1, 0.7, 0.025, 0.225]
    assert value(found.numbers["log_loss"]) == pytest.approx(-sum(map(math.log, expected)) / 6)
    first, second, third = found.categories
    assert (first.wanted, first.chosen, first.hits) == (3, 4, 2)
    assert (value(first.precision), value(first.recall), value(first.bias)) == pytest.approx((0.5, 2 / 3, 4 / 3))
    assert (value(second.precision), value(second.recall)) == (0.5, 0.5)
    assert third.precision is None, "it was never chosen"
    assert value(third.recall) == 0


def test_the_numbers_are_those_of_the_other_measures() -> None:
    given = world(300, 2.0, seed=5)

    found = score(judge(given, np.full(4, 0.5)), draws=20)

    assert value(found.numbers["macro_f1"]) == pytest.approx(macro_f1(given.tops, given.truths.argmax(axis=1)))
    assert value(found.numbers["calibration_error"]) == pytest.approx(calibration_error(given.confidence, given.right))


def test_what_the_classifier_wants_a_person_for_is_not_filed() -> None:
    given = replace(SIX, held=np.array([True, False, False, False, False, False]))

    assert value(score(judge(given, BARS), draws=5).numbers["filed"]) == pytest.approx(3 / 6)


def test_without_a_filed_mail_there_is_no_share_of_wrong_ones() -> None:
    found = score(judge(SIX, np.full(3, 1.1)), draws=5)

    assert value(found.numbers["filed"]) == 0
    assert found.numbers["filed_wrong"] is None


def test_a_mail_with_several_labels_is_right_with_any_of_them_where_one_is_chosen() -> None:
    both = replace(SIX, truths=SIX.truths | np.array([False, True, False]))

    judged = judge(both, BARS)

    assert judged.right.tolist() == [True, True, True, True, False, False]  # the third mail is billing too


# --- several categories a mail ------------------------------------------------------------------------------------------

MANY = Answers(
    categories=(ABSENCE, BILLING, PICKUP),
    probabilities=np.array([[0.9, 0.8, 0.1], [0.9, 0.2, 0.1], [0.3, 0.7, 0.7], [0.2, 0.2, 0.2]]),
    truths=np.array([[1, 1, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=bool),
    held=np.zeros(4, dtype=bool),
    groups=np.arange(4),
    dates=None,
)


def test_several_labels_are_scored_as_by_hand() -> None:
    found = score(judge(MANY, BARS, several=True), draws=20)

    assert value(found.numbers["exact_match"]) == 1 / 4
    assert value(found.numbers["jaccard"]) == pytest.approx((1 + 1 / 2 + 1 / 2 + 0) / 4)
    assert value(found.numbers["micro_f1"]) == pytest.approx(2 * 4 / (5 + 6))
    assert value(found.numbers["macro_f1"]) == pytest.approx((1 + 2 * 2 / (2 + 3) + 0) / 3)
    assert value(found.numbers["filed"]) == 3 / 4
    assert value(found.numbers["filed_wrong"]) == pytest.approx(1 / 3), "the third goes into a wrong category too"


def test_the_loss_of_several_labels_is_that_of_each() -> None:
    (first, *_) = losses(MANY, several=True)

    assert first == pytest.approx(-(math.log(0.9) + math.log(0.8) + math.log(0.9)) / 3)


def test_a_missed_label_is_confused_with_each_that_was_wrongly_given() -> None:
    wrong = replace(MANY, truths=np.array([[1, 0, 1], [1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=bool))

    counts = confusion_counts(judge(wrong, BARS, several=True))

    assert counts[2, 1] == 1
    assert counts.sum() - np.trace(counts) == 1, "a label that was missed for nothing is no confusion"


# --- intervals ---------------------------------------------------------------------------------------------------------


def test_where_all_is_right_the_interval_says_how_few_mails_there_were() -> None:
    found = score(judge(told(*[(0, 0, 0.9)] * 20), BARS), draws=20)

    accuracy = found.numbers["accuracy"]
    assert accuracy is not None
    assert accuracy.high == 1.0
    assert accuracy.low == pytest.approx(0.025 ** (1 / 20)), "twenty of twenty, one-sided exact bound at 97.5 %"


def test_a_thread_counts_once_in_an_interval() -> None:
    rows = [(0, 0, 0.9), (0, 1, 0.9)] * 40
    alone, threads = told(*rows), replace(told(*rows), groups=np.repeat(np.arange(8), 10))
    halves = replace(threads, groups=np.array([number % 2 + 2 * (number // 20) for number in range(80)]))

    widths = []
    for given in (alone, halves):
        accuracy = score(judge(given, BARS), draws=300).numbers["accuracy"]
        assert accuracy is not None
        widths.append(accuracy.high - accuracy.low)

    assert widths[1] > 2 * widths[0], "eight threads, each all right or all wrong, say less than eighty mails"


def test_draws_take_whole_groups_and_as_many_as_there_are() -> None:
    groups = np.array([7, 7, 3, 9])

    for weights in draw_weights(groups, draws=50):
        assert weights[0] == weights[1]
        assert weights[1:].sum() == 3


def test_the_same_seed_gives_the_same_interval() -> None:
    assert score(judge(SIX, BARS), draws=50, seed=3) == score(judge(SIX, BARS), draws=50, seed=3)


# --- confusions --------------------------------------------------------------------------------------------------------


def test_the_costliest_confusion_is_the_one_that_nobody_would_notice() -> None:
    given = told((0, 1, 0.5), (0, 1, 0.55), (0, 1, 0.5), (2, 1, 0.9), (1, 1, 0.9), (2, 0, 0.5))

    first, second, third = costliest(judge(given, BARS))

    assert (first.right, first.chosen, first.mails, first.filed, first.rows) == (PICKUP, BILLING, 1, 1, (3,))
    assert (second.right, second.chosen, second.mails, second.filed) == (ABSENCE, BILLING, 3, 0)
    assert second.rows[0] == 1, "the surest mistake first"
    assert (third.right, third.chosen) == (PICKUP, ABSENCE)


def test_the_matrix_has_right_categories_down_and_chosen_ones_across() -> None:
    assert confusion_counts(judge(SIX, BARS)).tolist() == [[2, 1, 0], [1, 1, 0], [1, 0, 0]]


# --- comparing ---------------------------------------------------------------------------------------------------------


def contestant(name: str, right: ArrayLike, *, money: float = 0.0) -> Contestant:
    judged = judge(told(*[(0, 0, 0.9) if one else (0, 1, 0.9) for one in np.asarray(right)]), BARS)
    return Contestant(name=name, judged=judged, score=score(judged, draws=20), milliseconds=1.0, money=money)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0, 0, 1.0), (5, 5, 1.0), (8, 0, 2 / 2**8), (9, 1, 2 * (1 + 10) / 2**10), (1, 9, 2 * (1 + 10) / 2**10)],
)
def test_mcnemar_counts_how_often_a_coin_would_do_that(first: int, second: int, expected: float) -> None:
    assert mcnemar(first, second) == pytest.approx(expected)


def test_p_values_are_corrected_for_their_number() -> None:
    assert correct([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert correct([0.9, 0.8]) == [1.0, 1.0]


def test_one_that_is_right_far_more_often_is_recommended_for_that() -> None:
    good, bad = np.arange(200) >= 10, np.arange(200) >= 60

    verdict = compare([contestant("bad", bad), contestant("good", good, money=3.0)])

    assert verdict.recommended.name == "good"
    assert verdict.duels[0].is_decided
    assert (verdict.duels[0].best_alone, verdict.duels[0].other_alone) == (50, 0)
    assert verdict.sentence.startswith("Take good: 95.0% of 200 mails right, 25.0 points more than bad")


def test_of_two_that_cannot_be_told_apart_the_cheaper_is_recommended() -> None:
    one, other = np.arange(100) >= 10, np.arange(100) < 89

    verdict = compare([contestant("dear", one, money=5.0), contestant("cheap", other)])

    assert verdict.best.name == "dear"
    assert verdict.recommended.name == "cheap"
    assert "that difference may be chance" in verdict.sentence


def test_equal_ones_are_called_equal() -> None:
    verdict = compare([contestant("one", [True] * 30 + [False] * 5), contestant("two", [True] * 30 + [False] * 5)])

    assert verdict.sentence.startswith("Take one")
    assert "cannot be told from two" in verdict.sentence


def test_the_paired_difference_sees_what_two_intervals_would_hide() -> None:
    one, other = np.arange(400) % 3 > 0, (np.arange(400) % 3 > 0) & (np.arange(400) % 20 > 0)

    gap = paired_difference(one, other, np.arange(400))

    assert 0 < gap.low < gap.value < gap.high


# --- the learning curve ------------------------------------------------------------------------------------------------


def step(examples: int, right: int) -> Step:
    return Step(examples=examples, right=np.arange(300) < right, groups=np.arange(300))


@pytest.mark.parametrize(
    ("before", "after", "answer"), [(200, 250, "Yes"), (270, 270, "Hardly"), (270, 274, "Yes"), (274, 270, "Hardly")]
)
def test_the_last_doubling_says_whether_more_would_help(before: int, after: int, answer: str) -> None:
    assert Learning(steps=(step(50, before), step(100, after))).sentence.startswith(answer)


def test_a_single_step_is_no_curve() -> None:
    assert "too few" in Learning(steps=(step(50, 100),)).sentence


# --- in words ----------------------------------------------------------------------------------------------------------


def sheet(given: Answers) -> Sheet:
    mails = tuple(Example(subject="a", body="b", labels=(ABSENCE,), line=line) for line in range(1, len(given) + 1))
    zeros = np.zeros(len(given))
    who = Provenance(kind="told", model="1", renderer="2")
    return Sheet(provenance=who, answers=given, mails=mails, milliseconds=zeros + 2, money=zeros, unread=0, reused=0)


def test_a_big_category_that_swallows_a_small_one_is_said_to_be_favored() -> None:
    swallowed = told(*[(0, 0, 0.9)] * 60, *[(1, 0, 0.8)] * 15, *[(1, 1, 0.8)] * 5, *[(2, 2, 0.9)] * 20)

    said = say_bias(evaluate("it", sheet(swallowed), BARS))

    assert said.startswith("Yes, the big category is favored: absence is chosen 1.25 times as often as it is right")
    assert "Of 15 wrong choices 15 (100%) are it, which has 60% of the mail." in said
    assert said.endswith("Passed over: billing (0.25 times, taken most for absence).")


def test_a_fair_classifier_is_not_said_to_favor_anything() -> None:
    fair = told(*[(0, 0, 0.9)] * 60, *[(1, 1, 0.8)] * 20, *[(2, 2, 0.9)] * 20)

    assert say_bias(evaluate("it", sheet(fair), BARS)).startswith("No bias to the big category can be seen")


def test_without_a_big_category_nothing_is_said_about_one() -> None:
    level = told(*[(0, 0, 0.9)] * 30, *[(1, 1, 0.8)] * 30, *[(2, 2, 0.9)] * 30)

    assert say_bias(evaluate("it", sheet(level), BARS)) == "No category of this test set is much bigger than the others."


def test_what_is_filed_by_itself_is_said_in_a_sentence() -> None:
    given = told(*[(0, 0, 0.9)] * 18, *[(1, 0, 0.8)] * 2, *[(2, 2, 0.5)] * 20)

    said = say_filing(evaluate("it", sheet(given), BARS).score)

    assert said.startswith("With these thresholds 50 % of mail is filed by itself and 10.0 in a hundred of those go wrong")


def test_where_nothing_is_filed_the_sentence_says_that() -> None:
    assert "no mail is filed by itself" in say_filing(evaluate("it", sheet(SIX), np.full(3, 1.1)).score)
