"""The arithmetic of the classifiers that are made of others, on any probabilities at all."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.composite import DOWN, Told, mail, predictions

from cubbyd.classify.cascade import CascadeClassifier
from cubbyd.classify.ensemble import EnsembleClassifier, fit_weights, mean
from cubbyd.classify.members import normalize
from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.classify.shortlist import ShortlistClassifier, choose_within
from cubbyd.taxonomy import CategoryId

CATEGORIES = tuple(CategoryId(name) for name in "abcdef")
NUMBERS = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-300, 5e-324]))
CLOSE = pytest.approx

Chances = dict[CategoryId, float]


@st.composite
def chances(draw: st.DrawFn) -> Chances:
    numbers = draw(st.lists(NUMBERS, min_size=len(CATEGORIES), max_size=len(CATEGORIES)))
    return normalize(dict(zip(CATEGORIES, numbers, strict=True)))


SHORTLISTS = st.lists(st.sampled_from(CATEGORIES), min_size=2, unique=True)
WEIGHTS = st.lists(st.floats(0.001, 1000), min_size=1, max_size=4)


def is_distribution(found: Chances) -> bool:
    return sum(found.values()) == CLOSE(1.0) and all(0.0 <= p <= 1.0 + 1e-12 for p in found.values())


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_anything_can_be_made_a_distribution(numbers: list[float]) -> None:
    assert is_distribution(normalize(dict(zip(CATEGORIES, numbers, strict=False))))


# --- shortlist ---------------------------------------------------------------------------------------------------------


@given(chances(), SHORTLISTS, st.fixed_dictionaries(dict.fromkeys(CATEGORIES, NUMBERS)))
def test_choosing_keeps_the_sum_the_rest_and_the_list_s_share(first: Chances, listed: list[CategoryId], then: Chances) -> None:
    found = choose_within(first, listed, then)

    assert list(found) == list(first)
    assert is_distribution(found)
    assert all(found[category] == first[category] for category in CATEGORIES if category not in listed)
    assert sum(found[c] for c in listed) == CLOSE(sum(first[c] for c in listed))


@given(chances(), SHORTLISTS, chances())
def test_within_the_list_the_second_s_order_counts(first: Chances, listed: list[CategoryId], then: Chances) -> None:
    if sum(then[category] for category in listed) <= 0.0:
        return
    found = choose_within(first, listed, then)

    for better, worse in pairwise(sorted(listed, key=lambda category: -then[category])):
        assert found[better] >= found[worse]


@given(chances(), SHORTLISTS)
def test_a_second_that_says_the_same_changes_nothing(first: Chances, listed: list[CategoryId]) -> None:
    assert choose_within(first, listed, first) == CLOSE(first, abs=1e-12)


# --- ensemble ----------------------------------------------------------------------------------------------------------


@given(st.data(), WEIGHTS)
def test_a_mean_lies_between_what_it_is_the_mean_of(data: st.DataObject, weights: list[float]) -> None:
    answers = [data.draw(chances()) for _ in weights]

    found = mean(answers, weights)

    assert is_distribution(found)
    for category, p in found.items():
        said = [answer[category] for answer in answers]
        assert min(said) - 1e-9 <= p <= max(said) + 1e-9


@given(st.data(), WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_the_members_makes_no_difference(data: st.DataObject, weights: list[float], random: Random) -> None:
    pairs = [(data.draw(chances()), weight) for weight in weights]
    shuffled = pairs.copy()
    random.shuffle(shuffled)

    one, other = (mean([a for a, _ in some], [w for _, w in some]) for some in (pairs, shuffled))

    assert one == CLOSE(other, abs=1e-9)


@given(st.data(), st.integers(1, 4), st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=8))
def test_fitted_weights_lie_on_the_simplex(data: st.DataObject, members: int, labels: list[CategoryId]) -> None:
    told = Told()
    said: list[list[Prediction]] = [
        [answer for _ in labels if isinstance(answer := told.answer(data.draw(chances())), Prediction)] for _ in range(members)
    ]

    weights = fit_weights(said, labels)

    assert sum(weights) == CLOSE(1.0)
    assert min(weights) >= 0.0


# --- all of them -------------------------------------------------------------------------------------------------------


def told(kind: str, answers: list[Chances | None]) -> Told:
    says = {str(place): DOWN if answer is None else answer for place, answer in enumerate(answers)}
    return Told(kind=kind, says=says, categories=CATEGORIES, batch_size=2)


@given(st.data(), st.integers(0, 5), st.floats(0.01, 1), st.floats(0, 1), st.integers(2, 6))
def test_whatever_the_members_say_all_mails_have_a_sound_answer(
    data: st.DataObject, mails: int, bound: float, margin: float, size: int
) -> None:
    inputs = [mail(str(place)) for place in range(mails)]
    one, two = (told(kind, [data.draw(chances()) for _ in inputs]) for kind in ("one", "two"))
    made: list[Classifier] = [
        CascadeClassifier(one, two, unsure_below=bound, margin_below=margin),
        ShortlistClassifier(one, two, size=size, sure_above=bound),
        EnsembleClassifier([one, two], [bound, 1.0]),
    ]

    for classifier in made:
        answers = predictions(classifier.classify(inputs))
        assert len(answers) == mails
        for answer in answers:
            assert is_distribution(dict(answer.probabilities))
            assert tuple(answer.probabilities) == CATEGORIES


@given(st.data(), st.integers(1, 6), st.floats(0.01, 1))
def test_a_cascade_s_answer_is_one_member_s_and_an_error_is_never_a_category(
    data: st.DataObject, mails: int, bound: float
) -> None:
    firsts = [data.draw(chances()) for _ in range(mails)]
    thens: list[Chances | None] = [data.draw(st.one_of(st.none(), chances())) for _ in range(mails)]
    cascade = CascadeClassifier(told("one", list(firsts)), told("two", thens), unsure_below=bound)
    expected = [first if max(first.values()) >= bound else then for first, then in zip(firsts, thens, strict=True)]

    outcomes = cascade.classify([mail(str(place)) for place in range(mails)])

    assert [outcome.probabilities if isinstance(outcome, Prediction) else None for outcome in outcomes] == expected
