"""Measures, folds, and curves: against numbers worked out by hand, and worlds of which the truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.calibration import NAMES, answers, world
from tests.composite import ABSENCE, DOWN, Told

from cubbyd.classify.calibration import Platt, Temperature
from cubbyd.dataset import Example
from cubbyd.errors import ClassifierError, ClassifierUnavailable
from cubbyd.evaluation.answer import collect_answers, join, number_groups
from cubbyd.evaluation.fit import AS_IT_IS, fit_calibration, fit_isotonic, fit_platt, fit_temperature
from cubbyd.evaluation.fold import FOLDS, assign_folds
from cubbyd.evaluation.metric import (
    accuracy_at_coverage,
    auroc,
    calibration_error,
    lower_bound,
    macro_f1,
    reliability,
    right_in_a_row,
)
from cubbyd.training import local

YES, NO = True, False

# --- measures ----------------------------------------------------------------------------------------------------------


def test_the_calibration_error_is_the_mean_gap_over_the_bins() -> None:
    """Two answers at 0.95 of which one is right, two at 0.55 that are both right: gaps of 0.45 each."""
    confidence, right = np.array([0.95, 0.95, 0.55, 0.55]), np.array([YES, NO, YES, YES])

    assert calibration_error(confidence, right) == pytest.approx(0.45)
    assert [(one.count, one.accuracy) for one in reliability(confidence, right)] == [(2, 1.0), (2, 0.5)]


def test_a_certain_answer_falls_into_the_last_bin() -> None:
    (one,) = reliability(np.array([1.0, 1.0]), np.array([YES, YES]), bins=10)

    assert (one.low, one.high, one.count) == (0.9, 1.0, 2)


def test_the_measures_agree_with_those_of_the_trainer() -> None:
    given = world(300, 2.0, seed=5)
    labels = given.truths.argmax(axis=1)

    assert calibration_error(given.confidence, given.right) == pytest.approx(
        local.expected_calibration_error(given.probabilities, labels)
    )
    assert macro_f1(given.tops, labels) == pytest.approx(local.macro_f1(given.tops, labels))


def test_accuracy_at_coverage_looks_at_the_surest_alone() -> None:
    confidence, right = np.array([0.5, 0.9, 0.7, 0.6]), np.array([NO, YES, YES, NO])

    assert [accuracy_at_coverage(confidence, right, share) for share in (0.01, 0.5, 0.75, 1.0)] == [1.0, 1.0, 2 / 3, 0.5]


def test_auroc_is_how_often_an_insider_is_above_an_outsider() -> None:
    assert auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx((2 + 1.5) / 4)


@pytest.mark.parametrize(("right", "asked", "confidence"), [(10, 10, 0.95), (9, 10, 0.95), (95, 100, 0.9), (1, 400, 0.8)])
def test_were_the_truth_at_the_lower_bound_so_many_right_ones_would_be_a_rare_chance(
    right: int, asked: int, confidence: float
) -> None:
    (bound,) = lower_bound(np.array([right]), np.array([asked]), confidence)

    chance = sum(math.comb(asked, k) * bound**k * (1 - bound) ** (asked - k) for k in range(right, asked + 1))

    assert chance == pytest.approx(1 - confidence)


def test_none_right_proves_nothing() -> None:
    assert lower_bound(np.array([0]), np.array([10]), 0.9)[0] == 0.0


@pytest.mark.parametrize(("precision", "confidence"), [(0.98, 0.9), (0.9, 0.95), (0.5, 0.5)])
def test_right_ones_in_a_row_are_as_many_as_the_bound_needs_and_no_more(precision: float, confidence: float) -> None:
    needed = right_in_a_row(precision, confidence)

    bounds = lower_bound(np.array([needed - 1, needed]), np.array([needed - 1, needed]), confidence)

    assert bounds[0] < precision <= bounds[1] + 1e-12


# --- folds -------------------------------------------------------------------------------------------------------------


def test_a_thread_is_never_on_both_sides() -> None:
    groups = np.random.default_rng(1).integers(0, 40, 200)

    folds = assign_folds(groups)

    assert set(folds) == set(range(FOLDS))
    assert all(len(set(folds[groups == group])) == 1 for group in groups)


def test_with_dates_the_folds_are_stretches_of_time() -> None:
    dates = np.random.default_rng(1).permutation(100).astype(float)

    folds = assign_folds(np.arange(100), dates)

    in_order = folds[np.argsort(dates)]
    assert np.all(np.diff(in_order) >= 0)
    assert np.bincount(folds).tolist() == [20] * 5


def test_what_reads_the_same_is_one_group_unless_the_file_says_otherwise() -> None:
    examples = [
        Example(subject="Sick", body="fever"),
        Example(subject="sick", body="Fever"),
        Example(subject="Sick", body="fever", group="a"),
        Example(subject="Other", body="words", group="a"),
    ]

    assert number_groups(examples).tolist() == [0, 0, 1, 1]


# --- asking ------------------------------------------------------------------------------------------------------------


def labeled(*subjects: str, label: str = ABSENCE) -> list[Example]:
    return [Example(subject=subject, body="See above.", labels=(ABSENCE.__class__(label),)) for subject in subjects]


def test_answers_are_asked_for_in_batches_and_failures_are_set_aside() -> None:
    told = Told(says={"odd": ClassifierError("odd")}, batch_size=2)

    found = collect_answers(told, labeled("one", "odd", "three"))

    assert [len(call) for call in told.calls] == [2, 1]
    assert len(found) == 2
    assert [str(failure) for failure in found.failures] == ["odd"]
    assert found.right.tolist() == [True, True]


def test_a_classifier_that_is_down_ends_the_asking() -> None:
    with pytest.raises(ClassifierUnavailable):
        collect_answers(Told(says={"two": DOWN}, batch_size=1), labeled("one", "two", "three"))


def test_a_mail_whose_category_cannot_be_chosen_counts_as_wrong() -> None:
    found = collect_answers(Told(), labeled("one", label="gardening"))

    assert not found.truths.any()
    assert not found.right.any()


def test_parts_are_put_together_in_order() -> None:
    one, two = world(10, 1.0, seed=1), world(5, 1.0, seed=2)

    both = join([one, two])

    assert len(both) == 15
    assert both.pick(np.arange(10, 15)).probabilities.tolist() == two.probabilities.tolist()


# --- curves ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_a_classifier_is_off_by_is_found(temperature: float) -> None:
    assert fit_temperature(world(4000, temperature, seed=3)).temperature == pytest.approx(temperature, rel=0.08)


def test_a_classifier_that_is_too_sure_is_mended_on_mail_that_the_curve_never_saw() -> None:
    outcome = fit_calibration(world(600, 4.0, seed=4))

    assert outcome.before.error > 0.15
    assert outcome.best.error < 0.06
    assert outcome.best.accuracy == outcome.before.accuracy, "a temperature changes no decision"


def test_probabilities_that_hold_are_left_as_they_are_or_hardly_changed() -> None:
    best = fit_calibration(world(3000, 1.0, seed=6)).best

    assert best.method in (AS_IT_IS, "temperature")
    assert isinstance(best.curve, Temperature)
    assert best.curve.temperature == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("of_each", "tried"), [(9, ["temperature"]), (10, ["temperature", "platt"]), (40, ["temperature", "platt", "isotonic"])]
)
def test_curves_that_overfit_are_not_tried_where_a_category_has_few_examples(of_each: int, tried: list[str]) -> None:
    labels = [0] * of_each + [1] * 60
    given = answers([[0.7, 0.3] if label == 0 else [0.2, 0.8] for label in labels], labels)

    assert [fit.method for fit in fit_calibration(given).tried] == [AS_IT_IS, *tried]


def test_isotonic_curves_are_taken_where_a_stair_fits_and_no_smooth_curve_does() -> None:
    generator = np.random.default_rng(8)
    told, true = np.array([0.1, 0.3, 0.7, 0.9]), np.array([0.05, 0.5, 0.5, 0.95])
    step = generator.integers(0, 4, 4000)
    labels = np.where(generator.random(4000) < true[step], 0, 1)
    given = answers(np.stack([told[step], 1 - told[step]], axis=1), labels)

    outcome = fit_calibration(given)

    assert [fit.method for fit in outcome.tried] == [AS_IT_IS, "temperature", "platt", "isotonic"]
    assert outcome.best.method == "isotonic"
    assert outcome.best.error < 0.03 < outcome.before.error
    assert fit_isotonic(given).apply(given.probabilities).sum(axis=1) == pytest.approx(1.0)


def test_where_a_mail_can_have_several_categories_each_has_a_curve_of_its_own() -> None:
    generator = np.random.default_rng(9)
    chance = generator.random((3000, 2))
    given = replace(
        answers(np.stack([chance[:, 0] ** 2, np.sqrt(chance[:, 1])], axis=1), np.zeros(3000)),
        truths=generator.random((3000, 2)) < chance,
    )

    outcome = fit_calibration(given, several=True)

    assert outcome.best.method == "platt"
    assert outcome.best.error < 0.03 < outcome.before.error


def test_probabilities_of_several_categories_that_hold_are_not_scaled_to_sum_to_one() -> None:
    generator = np.random.default_rng(11)
    chance = generator.choice([0.5, 0.9], (60, 2))
    given = replace(answers(chance, np.zeros(60)), truths=generator.random((60, 2)) < chance)

    before = fit_calibration(given, several=True).before

    assert before.curve.apply(chance) == pytest.approx(chance)


def test_a_category_without_an_example_keeps_its_probabilities() -> None:
    curve = fit_platt(answers([[0.7, 0.3], [0.6, 0.4], [0.8, 0.2]], [0, 0, 0]))

    assert isinstance(curve, Platt)
    assert (curve.slopes[1], curve.offsets[1]) == (1.0, 0.0)


def test_mail_that_a_person_must_decide_teaches_nothing() -> None:
    given = world(400, 1.0, seed=10)
    flipped = replace(given, probabilities=given.probabilities[:, ::-1], held=np.ones(400, dtype=bool))

    assert fit_calibration(join([given, flipped])).best == fit_calibration(given).best


def test_one_thread_alone_cannot_be_calibrated_on() -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        fit_calibration(answers([[0.6, 0.4]] * 60, [0] * 60, groups=[0] * 60))


def test_names_are_as_many_as_the_columns() -> None:
    assert world(5, 1.0, seed=0).categories == NAMES
