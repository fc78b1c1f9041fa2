"""Thresholds on any answers at all: the bound that was promised is reached, none lower would do, and the promise comes true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.calibration import answers, world

from cubbyd.classify.calibration import Isotonic, Platt, Temperature
from cubbyd.evaluation.answer import Answers
from cubbyd.evaluation.metric import lower_bound
from cubbyd.evaluation.threshold import find_thresholds

WORLDS = st.builds(world, st.integers(1, 250), st.sampled_from([0.5, 1.0, 3.0]), st.integers(0, 10_000))
SHARES = st.floats(0.5, 0.97)


def filed(given: Answers, column: int, threshold: float) -> tuple[int, int]:
    """How many mails the daemon would file there, and how many of them are right."""
    reached = (given.tops == column) & (given.probabilities[:, column] >= threshold)
    return int((reached & given.right).sum()), int(reached.sum())


@settings(deadline=None)  # the first call imports scipy
@given(WORLDS, SHARES, st.sampled_from([0.8, 0.9, 0.95]))
def test_the_lower_bound_reaches_what_was_wanted_and_no_lower_threshold_does(
    given: Answers, precision: float, confidence: float
) -> None:
    for column, one in enumerate(find_thresholds(given, precision=precision, confidence=confidence).categories):
        for threshold in np.unique(given.probabilities[given.tops == column, column]):
            right, asked = filed(given, column, threshold)
            holds = lower_bound(np.array([right]), np.array([asked]), confidence)[0] >= precision
            assert not (holds and (one.threshold is None or threshold < one.threshold))
        if one.threshold is not None:
            right, asked = filed(given, column, one.threshold)
            assert (one.right, one.filed) == (right, asked)
            assert one.bound >= precision
            assert one.bound == pytest.approx(lower_bound(np.array([right]), np.array([asked]), confidence)[0])


@settings(deadline=None)  # the first call imports scipy
@given(WORLDS, SHARES, SHARES)
def test_who_wants_more_never_files_more(given: Answers, one: float, other: float) -> None:
    less, more = sorted((one, other))

    easy, strict = (find_thresholds(given, precision=precision, confidence=0.9) for precision in (less, more))

    assert strict.filed <= easy.filed
    for first, second in zip(easy.categories, strict.categories, strict=True):
        assert second.threshold is None or (first.threshold is not None and first.threshold <= second.threshold)


@settings(deadline=None)  # the first call imports scipy
@given(WORLDS, SHARES)
def test_fewer_right_ones_than_are_needed_in_a_row_are_never_enough(given: Answers, precision: float) -> None:
    promise = find_thresholds(given, precision=precision, confidence=0.9)

    assert all(one.threshold is None for one in promise.categories if one.candidates < promise.needed)
    assert 0 <= promise.right <= promise.filed <= promise.mails == len(given)


@settings(deadline=None)  # the first call imports scipy
@given(WORLDS, SHARES)
def test_a_common_threshold_keeps_the_promise_for_its_categories_together(given: Answers, precision: float) -> None:
    alone = find_thresholds(given, precision=precision, confidence=0.9)
    common = find_thresholds(given, precision=precision, confidence=0.9, together=True)

    for column, (one, shared) in enumerate(zip(alone.categories, common.categories, strict=True)):
        assert shared.together == (one.threshold is None and shared.threshold is not None)
        assert shared.together or shared == one
        if shared.threshold is not None:
            assert (shared.right, shared.filed) == filed(given, column, shared.threshold)
    ours = [one for one in common.categories if one.together]
    assert len({(one.threshold, one.bound) for one in ours}) <= 1
    if ours:
        right, asked = sum(one.right for one in ours), sum(one.filed for one in ours)
        assert lower_bound(np.array([right]), np.array([asked]), 0.9)[0] == pytest.approx(ours[0].bound)
        assert ours[0].bound >= precision
        assert common.filed > alone.filed


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_promise_comes_true_as_often_as_it_says(temperature: float) -> None:
    """Thresholds from 400 mails, looked at on 40,000 others of the same kind: one in ten may miss, at a confidence of 0.9."""
    later = world(40_000, temperature, seed=99_999)
    made = broken = 0
    for seed in range(60):
        promise = find_thresholds(world(400, temperature, seed=seed), precision=0.85, confidence=0.9)
        for column, one in enumerate(promise.categories):
            if one.threshold is not None:
                right, asked = filed(later, column, one.threshold)
                made, broken = made + 1, broken + (right / asked < 0.85)
    assert made > 130
    assert broken / made < 0.15


@settings(deadline=None)  # the first call imports scipy
@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda row: sum(row) > 0.01), st.floats(0.05, 50))
def test_a_temperature_keeps_the_order_the_sum_and_what_is_impossible(row: list[float], temperature: float) -> None:
    given = np.array([row]) / sum(row)

    found = Temperature(temperature=temperature).apply(given)

    assert found.sum() == pytest.approx(1.0)
    assert np.all(found[given == 0] == 0)
    assert found[0, given[0].argmax()] == found.max()


POINTS = st.lists(st.floats(0, 1), min_size=1, max_size=6, unique=True).map(sorted)


@settings(deadline=None)  # the first call imports scipy
@given(POINTS, st.lists(st.floats(0.01, 0.99), min_size=6, max_size=6).map(sorted), st.floats(0, 1), st.floats(0, 1))
def test_an_isotonic_curve_rises_and_its_rows_sum_to_one(xs: list[float], ys: list[float], one: float, other: float) -> None:
    curve = Isotonic(curves=(tuple(zip(xs, ys, strict=False)), ((0.0, 0.1), (1.0, 0.9))))
    low, high = sorted((one, other))

    found = curve.apply(np.array([[low, 0.5], [high, 0.5]]))

    assert found.sum(axis=1) == pytest.approx(1.0)
    assert low == 0 or found[0, 0] <= found[1, 0] + 1e-12


@settings(deadline=None)  # the first call imports scipy
@given(st.floats(0.01, 50), st.floats(-50, 50), st.floats(0, 1), st.floats(0, 1))
def test_a_curve_of_platt_s_gives_probabilities_in_the_same_order(
    slope: float, offset: float, one: float, other: float
) -> None:
    low, high = sorted((one, other))

    found = Platt(slopes=(slope, 1.0), offsets=(offset, 0.0), is_shared=False).apply(np.array([[low, 0.5], [high, 0.5]]))

    assert 0 <= found[0, 0] <= found[1, 0] <= 1


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000))
def test_where_a_mail_can_have_several_categories_each_is_judged_alone(seed: int) -> None:
    generator = np.random.default_rng(seed)
    both = answers(generator.random((200, 2)), np.zeros(200))
    promise = find_thresholds(both, precision=0.6, confidence=0.9, several=True)

    assert promise.categories[0].threshold == pytest.approx(both.probabilities[:, 0].min()), "all mail is of the first"
    assert promise.categories[1].threshold is None, "and none of the second"
    assert promise.filed == promise.right == 200
