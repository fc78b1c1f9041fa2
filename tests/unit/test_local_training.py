"""Training the local classifier: what it learns from, what it refuses, and what it says of its own quality."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.logit import softmax
from cubbyd.config import Labels
from cubbyd.dataset.example import Example
from cubbyd.errors import InputFileError
from cubbyd.message.render import render_text
from cubbyd.taxonomy import Category, CategoryId, Taxonomy
from cubbyd.training import local
from cubbyd.training.head import separate
from cubbyd.training.learner import MACHINES, REGRESSION, USUAL, Learner, list_learners
from cubbyd.training.local import expected_calibration_error, fit_temperature, macro_f1, train_local

TOPICS = {
    "absence": ("fever since last night", "she stays home today", "not coming, stomach bug", "home sick with a fever"),
    "billing": ("a question about the invoice", "the invoice is wrong", "paid tuition twice", "need a tuition receipt"),
    "meals": ("allergic to peanuts at lunch", "no milk with lunch please", "the lunch menu", "peanuts in the snack"),
}


def make_examples(topics: tuple[str, ...] = tuple(TOPICS), size: int = 4) -> list[Example]:
    return [
        Example(subject="Hello", body=text, labels=(CategoryId(topic),), line=line)
        for topic in topics
        for line, text in enumerate(TOPICS[topic][:size], start=1)
    ]


def make_taxonomy(*ids: str) -> Taxonomy:
    return Taxonomy(
        tuple(
            Category(id=CategoryId(id_), code=code, name=id_, description="", folder=id_, keyword=id_)
            for code, id_ in enumerate(ids, start=1)
        )
    )


def classify(examples: list[Example], text: str) -> str:
    return LocalClassifier(train_local(examples)).classify([render_text("", text)])[0].top


def test_a_trained_model_tells_new_texts_apart() -> None:
    examples = make_examples()

    assert classify(examples, "He has a fever and stays home") == "absence"
    assert classify(examples, "Is this invoice for tuition?") == "billing"
    assert classify(examples, "May she have peanuts for lunch?") == "meals"


def test_the_same_examples_and_seed_give_the_same_model_and_other_examples_another() -> None:
    examples = make_examples()
    model = train_local(examples, seed=3)

    assert train_local(examples, seed=3).identity == model.identity
    assert train_local(examples[:-1], seed=3).identity != model.identity
    assert train_local(examples[:-1], seed=3).data_sha256 != model.data_sha256


def test_categories_stand_in_the_order_of_the_taxonomy() -> None:
    model = train_local(make_examples(), make_taxonomy("meals", "absence", "billing"))

    assert model.categories == ("meals", "absence", "billing")
    assert model.examples == (4, 4, 4)


def test_two_categories_are_enough() -> None:
    examples = make_examples(("absence", "meals"))

    assert classify(examples, "fever") == "absence"
    assert classify(examples, "lunch") == "meals"


@pytest.mark.parametrize(("many", "few"), [(2, 2), (2, 1), (3, 1)])
def test_a_handful_of_examples_trains_and_is_measured(many: int, few: int) -> None:
    model = train_local([*make_examples(("absence",), size=many), *make_examples(("meals",), size=few)])

    assert model.examples == (many, few)
    assert model.quality.examples == many + (few if few > 1 else 0)


def test_a_category_with_a_single_example_is_learned_but_not_asked_for() -> None:
    examples = [*make_examples(("absence", "billing")), *make_examples(("meals",), size=1)]
    model = train_local(examples)

    assert model.quality.examples == 8
    assert classify(examples, "allergic to peanuts") == "meals"


def test_repeated_examples_count_once() -> None:
    once = train_local(make_examples())
    thrice = train_local([*make_examples(), *make_examples(), *make_examples()])

    assert thrice.examples == once.examples == (4, 4, 4)
    assert thrice.quality == once.quality


def test_one_text_under_two_labels_is_kept_under_both() -> None:
    doubtful = Example(subject="", body="fever after lunch", labels=(CategoryId("meals"),))
    also = Example(subject="", body="fever after lunch", labels=(CategoryId("absence"),))

    assert train_local([*make_examples(), doubtful, also]).examples == (5, 4, 5)


def test_unlabeled_examples_are_passed_over_and_of_several_labels_the_first_counts() -> None:
    unlabeled = Example(subject="", body="a greeting")
    several = Example(subject="", body="lunch invoice", labels=(CategoryId("meals"), CategoryId("billing")))

    assert train_local([*make_examples(), unlabeled, several]).examples == (4, 4, 5)


def test_a_large_category_does_not_swallow_a_small_one() -> None:
    # One feature in all 4 examples of the small category and in 20 of the 30 of the large one, another in the other 10.
    rows = csr_array(np.array([[1.0, 0.0]] * 20 + [[0.0, 1.0]] * 10 + [[1.0, 0.0]] * 4))
    targets = np.array([[True, False]] * 30 + [[False, True]] * 4)
    weights, bias = separate(rows, targets, is_one=True, strength=0.5, seed=0)
    first, second = weights + bias

    assert first.argmax() == 1  # typical of the small category, though most examples with it are of the large one
    assert second.argmax() == 0


BOTH = [
    Example(subject="", body=f"{absence} and {billing}", labels=(CategoryId("absence"), CategoryId("billing")))
    for absence in TOPICS["absence"]
    for billing in TOPICS["billing"]
]


def test_a_model_of_several_labels_finds_all_that_a_mail_has() -> None:
    classifier = LocalClassifier(train_local([*make_examples(), *BOTH], labels=Labels.MANY))

    both, one = classifier.classify([render_text("", "a fever, and the invoice is wrong"), render_text("", "peanuts at lunch")])

    assert {category for category, p in both.probabilities.items() if p > 0.5} == {"absence", "billing"}
    assert {category for category, p in one.probabilities.items() if p > 0.5} == {"meals"}
    assert sum(both.probabilities.values()) > 1.2, "each is told alone"


def test_with_one_label_the_first_counts_and_a_later_one_may_be_unknown() -> None:
    odd = Example(subject="", body="fever and peanuts", labels=(CategoryId("absence"), CategoryId("nowhere")), line=99)
    taxonomy = make_taxonomy(*TOPICS)

    assert train_local([*make_examples(), odd], taxonomy).examples == (5, 4, 4)
    with pytest.raises(InputFileError, match="line 99: unknown label 'nowhere'"):
        train_local([*make_examples(), odd], taxonomy, labels=Labels.MANY)


def test_an_example_of_several_labels_counts_for_each_of_them() -> None:
    model = train_local([*make_examples(), *BOTH], labels=Labels.MANY)

    assert model.examples == (4 + 16, 4 + 16, 4)
    assert model.vocabulary.examples == 12 + 16


@pytest.mark.parametrize("keep_subjects", [False, True])
def test_examples_are_kept_by_line_and_by_subject_only_where_that_is_wanted(*, keep_subjects: bool) -> None:
    model = train_local(make_examples(), keep_subjects=keep_subjects)

    assert sorted(model.similar.lines.tolist()) == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert model.similar.subjects == (("Hello",) * 12 if keep_subjects else ())


def test_of_too_many_examples_an_even_share_of_each_category_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_SIMILAR", 6)

    assert np.bincount(train_local(make_examples()).similar.labels).tolist() == [2, 2, 2]


def test_progress_tells_the_quality_that_the_model_carries() -> None:
    told: list[str] = []
    model = train_local(make_examples(), progress=told.append)

    assert "12 different examples in 3 categories" in told[0]
    assert any(f"held-out accuracy {model.quality.accuracy:.3f}" in line for line in told)


@pytest.mark.parametrize(
    ("examples", "taxonomy", "reason"),
    [
        ([], None, "at least two categories"),
        (make_examples(("meals",)), None, "at least two categories"),
        (make_examples(size=1), None, "every category has a single example"),
        (make_examples(("absence", "meals")), make_taxonomy("absence", "billing", "meals"), "no example of billing"),
        (
            make_examples(),
            make_taxonomy("absence", "billing"),
            "line 1: unknown label 'meals'; the configuration has absence, billing",
        ),
    ],
    ids=["nothing", "one category", "single examples", "category without example", "unknown label"],
)
def test_examples_that_teach_nothing_are_refused_with_the_way_out(
    examples: list[Example], taxonomy: Taxonomy | None, reason: str
) -> None:
    with pytest.raises(InputFileError, match=reason) as refused:
        train_local(examples, taxonomy, source="examples.jsonl")

    assert str(refused.value).startswith("examples.jsonl")


def test_the_temperature_that_spoiled_logits_is_found_again() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, 5)) * 2
    labels = np.array([generator.choice(5, p=probabilities) for probabilities in softmax(logits)])

    temperature, _ = fit_temperature(logits * 3, labels)

    assert temperature == pytest.approx(3, rel=0.1)


def test_a_few_examples_all_told_right_do_not_make_certainty() -> None:
    logits, labels = np.eye(2)[[0, 1] * 4], np.array([0, 1] * 4)
    temperature, _ = fit_temperature(logits, labels)

    assert 0.9 < softmax(logits / temperature).max() < 0.96


def test_the_measures_of_quality_are_those_of_the_books() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])

    # F1 of category 0: 2 of 3 found right, 2 of 2 found: 4/5; of category 1: 1 of 1, 1 of 2: 2/3.
    assert macro_f1(probabilities.argmax(axis=1), labels) == pytest.approx((4 / 5 + 2 / 3) / 2)
    # Three answers with confidence 0.9 are right twice; one with 0.8 is right.
    assert expected_calibration_error(probabilities, labels) == pytest.approx((abs(2.7 - 2) + abs(0.8 - 1)) / 4)


def test_the_large_category_is_no_likelier_for_being_large() -> None:
    sizes = {"absence": 40, "billing": 4}
    examples = [
        Example(subject="", body=f"{TOPICS[topic][number % 4]}, room {number}", labels=(CategoryId(topic),))
        for topic, size in sizes.items()
        for number in range(size)
    ]
    generator, counted = np.random.default_rng(1), np.array([3600, 400])
    labels = np.repeat([0, 1], counted)
    leaning = np.eye(2)[labels] * 2 + generator.normal(size=(4000, 2)) + np.log(counted / 4000)

    choices = list(local._judge_all(USUAL, leaning, np.eye(2, dtype=bool)[labels], counted, Labels.ONE))
    best = min(choices, key=lambda choice: choice.loss)

    assert not choices[0].offsets.any()
    assert best.offsets[0] < 0 < best.offsets[1]
    assert best.quality.macro_f1 > choices[0].quality.macro_f1
    assert classify(examples, "the invoice, room 3") == "billing"


def test_categories_of_one_size_are_left_where_they_are() -> None:
    labels = np.array([0, 1, 2] * 20)
    choices = local._judge_all(USUAL, np.eye(3)[labels], np.eye(3, dtype=bool)[labels], np.bincount(labels), Labels.ONE)

    assert not any(choice.offsets.any() for choice in choices)


def test_every_model_to_choose_from_tells_a_separable_set_apart() -> None:
    rows = csr_array(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] * 4))
    targets = np.eye(3, dtype=bool)[[0, 1, 2] * 4]

    for learner in (*MACHINES, REGRESSION):
        weights, bias = learner.train(rows, targets, is_one=True, seed=0)
        assert (rows @ weights + bias).argmax(axis=1).tolist() == [0, 1, 2] * 4


@pytest.mark.parametrize(
    ("examples", "categories", "learners"),
    [(770, 77, (*MACHINES, REGRESSION)), (9000, 77, MACHINES), (120_000, 230, (USUAL,))],
)
def test_models_that_would_take_too_long_are_not_tried(examples: int, categories: int, learners: tuple[Learner, ...]) -> None:
    assert list_learners(examples, categories) == learners
