"""Training mixes: how they are put together, what a second stage does, and what follows from the numbers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from tests.calibration import NAMES, answers

from cubbyd.classify.local import LocalClassifier
from cubbyd.dataset import Example
from cubbyd.errors import InputFileError
from cubbyd.evaluation.comparison import mcnemar
from cubbyd.evaluation.recipe import Tasting, Trial, find_big, taste
from cubbyd.evaluation.score import Judged, judge, score
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.head import regress, separate
from cubbyd.training.local import Way, train_local
from cubbyd.training.recipe import Name, Recipe, list_recipes, refuse_unfair, try_recipe
from cubbyd.training.stage import regress_further, separate_further

ABSENCE, BILLING, PICKUP, MEALS = NAMES
TOPICS = {
    "absence": "fever sick stays home ill cough stomach bug nurse bed",
    "billing": "invoice tuition receipt payment paid twice autopay bank statement due",
    "meals": "lunch peanuts milk snack menu allergy vegan soup bread fruit",
}


def write(topic: str, count: int, *, origin: str = "real", seed: int = 0) -> list[Example]:
    """Mails of three words of a topic and one of another, no two alike."""
    generator, words = np.random.default_rng((seed, len(topic), len(origin))), TOPICS[topic].split()
    other = [word for one, text in TOPICS.items() if one != topic for word in text.split()]
    return [
        Example(
            subject=f"No {seed}{origin[0]}{number}",
            body=" ".join([*generator.choice(words, 3), str(generator.choice(other))]),
            labels=(CategoryId(topic),),
            origin=origin,
            line=number,
        )
        for number in range(1, count + 1)
    ]


REAL = [*write("absence", 40), *write("billing", 12), *write("meals", 14)]
MADE = [*write("billing", 20, origin="synthetic:model"), *write("meals", 20, origin="synthetic")]
TEST = [example for topic in TOPICS for example in write(topic, 20, seed=7)]


# --- the mixes ---------------------------------------------------------------------------------------------------------


def found(recipes: list[Recipe]) -> dict[Name, Recipe]:
    return {recipe.name: recipe for recipe in recipes}


def test_every_recipe_is_made_of_the_right_examples() -> None:
    recipes, skipped = list_recipes([*MADE, *REAL], draws=3)

    assert skipped == []
    assert [recipe.name for recipe in recipes] == list(Name), "the baseline first"
    mixes = {name: recipe.mixes[0] for name, recipe in found(recipes).items()}
    assert mixes[Name.REAL].examples == REAL
    assert (mixes[Name.UNWEIGHTED].examples, mixes[Name.UNWEIGHTED].way) == (REAL, Way(balanced=False))
    assert mixes[Name.BOTH].examples == [*REAL, *MADE]
    assert (mixes[Name.SYNTHETIC_FIRST].way.earlier, mixes[Name.SYNTHETIC_FIRST].examples) == (MADE, REAL)
    assert (mixes[Name.REAL_FIRST].way.earlier, mixes[Name.REAL_FIRST].examples) == (REAL, MADE)


def test_trimming_cuts_each_category_to_the_smallest_in_several_draws() -> None:
    trimmed = found(list_recipes(REAL, draws=3)[0])[Name.TRIMMED]

    drawn = [mix.examples for mix in trimmed.mixes]

    assert [Counter(example.labels[0] for example in mix) for mix in drawn] == [dict.fromkeys(TOPICS, 12)] * 3
    assert len({tuple(example.line for example in mix) for mix in drawn}) == 3, "each draw is another one"
    assert drawn == [mix.examples for mix in found(list_recipes(REAL, draws=3)[0])[Name.TRIMMED].mixes], "of the same seed"
    assert drawn[0] != found(list_recipes(REAL, seed=1)[0])[Name.TRIMMED].mixes[0].examples


def test_one_category_of_three_examples_does_not_take_all_others_down_unless_asked() -> None:
    few = [*REAL[:40], *write("billing", 3)]

    by_itself, asked = (found(list_recipes(few, at_most=most, draws=1)[0])[Name.TRIMMED] for most in (None, 3))

    assert Counter(example.labels[0] for example in by_itself.mixes[0].examples) == {"absence": 10, "billing": 3}
    assert len(asked.mixes[0].examples) == 6


def test_what_cannot_be_tried_is_named_with_its_reason() -> None:
    even = [*write("absence", 12), *write("billing", 12)]

    recipes, skipped = list_recipes(even)

    assert [recipe.name for recipe in recipes] == [Name.REAL, Name.UNWEIGHTED]
    why = {one.name: one.why for one in skipped}
    assert "no synthetic examples" in why[Name.BOTH]
    assert "more than 12" in why[Name.TRIMMED]


def test_synthetic_examples_of_one_category_are_no_stage_of_their_own() -> None:
    recipes, skipped = list_recipes([*REAL, *MADE[:20]])

    assert Name.BOTH in found(recipes)
    assert {one.name for one in skipped} == {Name.SYNTHETIC_FIRST, Name.REAL_FIRST}


# --- the test set ------------------------------------------------------------------------------------------------------


def example(body: str, *, origin: str = "", group: str = "", line: int = 1) -> Example:
    return Example(subject="Hi", body=body, labels=(ABSENCE,), origin=origin, group=group, line=line)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (example("new words", origin="synthetic:model", line=4), "synthetic"),
        (example("FEVER today", line=4), "read the same"),
        (example("new words", group="thread 1", line=4), "of the same group"),
    ],
)
def test_a_test_set_that_would_not_be_fair_is_refused(other: Example, said: str) -> None:
    training = [example("fever today"), example("still a fever", group="thread 1")]

    with pytest.raises(InputFileError, match=said) as caught:
        refuse_unfair([example("no more fever"), other], training, Path("test.jsonl"), "train.jsonl")

    assert caught.value.line == 4


def test_another_text_of_another_thread_is_fair() -> None:
    training = [example("fever today", group="thread 1"), example("fever", origin="synthetic")]

    refuse_unfair([example("no more fever", group="thread 2")], training, Path("test.jsonl"), "train.jsonl")


# --- two stages --------------------------------------------------------------------------------------------------------


def blobs(seed: int, counts: tuple[int, ...] = (30, 10, 20)) -> tuple[csr_array, np.ndarray]:
    """Points around the corners of a space with five axes; their categories as one true a row."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    points = 0.7 * np.eye(5)[labels] + 0.4 * generator.standard_normal((len(labels), 5))
    return csr_array(points.astype(np.float32)), np.eye(len(counts), dtype=bool)[labels]


def test_from_nothing_a_second_stage_is_an_ordinary_training() -> None:
    """With weights of 0 to begin with, our loss is that of LinearSVC and of LogisticRegression."""
    rows, targets = blobs(1)
    nothing = (np.zeros((5, 3), dtype=np.float32), np.zeros(3, dtype=np.float32))

    weights, bias = separate_further(rows, targets, nothing, strength=0.5)
    usual, usual_bias = separate(rows, targets, is_one=True, strength=0.5, seed=0)
    np.testing.assert_allclose(weights, usual, atol=0.01)
    np.testing.assert_allclose(bias, usual_bias, atol=0.01)

    weights, bias = regress_further(rows, targets, nothing, strength=10.0)
    usual, usual_bias = regress(rows, targets, is_one=True, strength=10.0, seed=0)
    np.testing.assert_allclose(weights, usual, atol=0.05)
    np.testing.assert_allclose(bias - bias.mean(), usual_bias - usual_bias.mean(), atol=0.05)


@pytest.mark.parametrize("further", [separate_further, regress_further])
def test_the_weaker_a_second_stage_the_nearer_it_stays_to_the_first(further: object) -> None:
    assert callable(further)
    start = separate(*blobs(1), is_one=True, strength=0.5, seed=0)

    moved = [np.abs(further(*blobs(2), start, strength=strength)[0] - start[0]).max() for strength in (1e-6, 0.01, 1.0)]

    assert moved[0] < 1e-3
    assert moved[0] < moved[1] < moved[2]


@pytest.mark.parametrize("further", [separate_further, regress_further])
def test_a_category_without_an_example_in_the_second_stage_stays_as_it_was(further: object) -> None:
    assert callable(further)
    start = separate(*blobs(1), is_one=True, strength=0.5, seed=0)
    rows, targets = blobs(2, (30, 10))
    targets = np.column_stack([targets, np.zeros(40, dtype=bool)])

    weights, bias = further(rows, targets, start, strength=1.0)

    assert weights[:, 2].tolist() == start[0][:, 2].tolist()
    assert bias[2] == start[1][2]
    assert np.abs(weights[:, :2] - start[0][:, :2]).max() > 0.05


def test_what_the_first_stage_alone_taught_is_still_known_after_the_second() -> None:
    model = train_local([*write("absence", 12, seed=1), *write("billing", 12, seed=1)], way=Way(earlier=REAL))

    (told,) = LocalClassifier(model).classify([render_text("", "peanuts in the snack menu")])

    assert told.top == "meals"
    assert model.quality.examples == 24, "held out is from the second stage alone"


def test_what_is_in_both_stages_belongs_to_the_second() -> None:
    model = train_local(REAL[:60], way=Way(earlier=[*REAL, *MADE]))

    assert model.quality.examples == 60
    assert sum(model.examples) == len(REAL) + len(MADE)


@pytest.mark.parametrize(
    ("earlier", "later", "said"),
    [(REAL, REAL, "no texts of its own"), (REAL, [*MADE[:1], *MADE[20:21]], "a single example in the second stage")],
)
def test_a_stage_without_anything_to_learn_is_refused(earlier: list[Example], later: list[Example], said: str) -> None:
    with pytest.raises(InputFileError, match=said):
        train_local(later, way=Way(earlier=earlier))


def test_without_weights_the_large_category_is_likelier() -> None:
    unclear = [render_text("", "hello from the office")]
    examples = [*write("absence", 60), *write("billing", 4)]

    weighed, natural = (
        LocalClassifier(train_local(examples, way=Way(balanced=balanced))).classify(unclear)[0].probabilities[ABSENCE]
        for balanced in (True, False)
    )

    assert natural > weighed + 0.1


# --- the numbers -------------------------------------------------------------------------------------------------------


def judged(tops: list[int], right: list[int]) -> Judged:
    return judge(answers(np.eye(3)[tops], right), np.ones(3))


def trial(name: str, *draws: Judged) -> Trial:
    return Trial(name=name, said="", draws=draws)


RIGHT = [0] * 60 + [1] * 30 + [2] * 30
FAVORING = [0] * 60 + [0] * 20 + [1] * 10 + [0] * 10 + [2] * 20
"""Thirty mails of the small ones are taken for the big one."""
COUNTS = {ABSENCE: 60, BILLING: 30, PICKUP: 30}


def test_the_numbers_are_those_of_evaluate() -> None:
    given = judged(FAVORING, RIGHT)

    (one,) = taste([trial("a", given)], COUNTS).results

    other = score(given)
    assert one.accuracy == other.numbers["accuracy"]
    assert one.macro_f1 == other.numbers["macro_f1"]
    assert one.bias == other.categories[0].bias
    assert one.bias is not None
    assert one.bias.value == pytest.approx(90 / 60)


def compare(baseline: list[int], *others: list[int]) -> Tasting:
    trials = [trial(f"recipe {number}", judged(tops, RIGHT)) for number, tops in enumerate((baseline, *others))]
    return taste(trials, COUNTS)


def test_a_recipe_that_is_proven_better_is_recommended() -> None:
    tasting = compare(FAVORING, RIGHT, FAVORING)

    assert tasting.recommended == "recipe 1"
    assert "+25.0 points" in tasting.sentence
    better, same = (one.gain for one in tasting.results[1:])
    assert better is not None
    assert same is not None
    assert (better.alone, better.baseline_alone, better.verdict) == (30, 0, 1)
    assert better.p_value == pytest.approx(2 * mcnemar(30, 0)), "corrected for two recipes"
    assert (same.verdict, same.p_value, same.p_macro_f1) == (0, 1.0, 1.0)


def test_where_nothing_can_be_seen_the_sentence_says_so_and_how_much_could_hide() -> None:
    slightly = [1, *RIGHT[1:]]

    tasting = compare(RIGHT, slightly)

    assert tasting.recommended == "recipe 0"
    assert "no difference to recipe 1 can be seen with 120 test mails" in tasting.sentence
    gain = tasting.results[1].gain
    assert gain is not None
    assert f"{-100 * gain.accuracy.low:.1f} points" in tasting.sentence


def test_a_recipe_that_is_proven_worse_is_named() -> None:
    tasting = compare(RIGHT, FAVORING, RIGHT)

    assert tasting.recommended == "recipe 0"
    assert tasting.sentence.endswith("Proven to be worse: recipe 1.")


def test_of_several_draws_the_mean_counts_and_the_middle_one_is_tested() -> None:
    worst, middle, best = ([0] * 120, FAVORING, RIGHT)
    given = trial("draws", *(judged(tops, RIGHT) for tops in (best, worst, middle)))

    tasting = taste([trial("a", judged(RIGHT, RIGHT)), given], COUNTS)

    one = tasting.results[1]
    assert one.accuracy.value == pytest.approx((1 + 0.5 + 0.75) / 3)
    assert given.spread == (0.5, 1.0)
    assert one.gain is not None
    assert (one.gain.alone, one.gain.baseline_alone) == (0, 30)


def test_a_big_category_has_more_than_a_fair_share_and_among_equals_there_is_none() -> None:
    assert find_big(COUNTS) == (ABSENCE,)
    assert find_big({ABSENCE: 100, BILLING: 100, PICKUP: 20, MEALS: 20}) == (ABSENCE, BILLING)
    assert find_big(dict.fromkeys(NAMES, 30)) == ()
    assert taste([trial("a", judged(RIGHT, RIGHT))], dict.fromkeys(NAMES, 30)).results[0].bias is None


def test_a_recipe_is_trained_and_asked_about_the_test_set() -> None:
    recipe = found(list_recipes(REAL, draws=2)[0])[Name.TRIMMED]
    said: list[str] = []

    tried, model = try_recipe(recipe, TEST, tuple(map(CategoryId, TOPICS)), source="train.jsonl", progress=said.append)

    assert len(tried.draws) == 2
    assert model.examples == (12, 12, 12)
    assert min(float(one.right.mean()) for one in tried.draws) > 0.8
    assert said == ["training: trimmed, draw 1 of 2", "training: trimmed, draw 2 of 2"]
