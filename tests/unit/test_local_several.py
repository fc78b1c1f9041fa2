"""The local classifier where a mail can have several categories: each has a probability of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.unit.configuration import load

from cubbyd.classify.local import LocalClassifier, sigmoid
from cubbyd.classify.modelfile import LocalModel, load_model, save_model
from cubbyd.classify.protocol import Prediction
from cubbyd.classify.registry import load_classifier
from cubbyd.config import Labels
from cubbyd.dataset.example import Example
from cubbyd.errors import InputFileError, ModelFileError
from cubbyd.message.render import RENDERER_VERSION, render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.adjust import adjust, mean_f1
from cubbyd.training.local import Recipe, train_local

CREATED = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
TEXTS = {
    "absence": ("a fever since last night", "she stays home, sick", "not coming, stomach bug", "home sick with a fever"),
    "billing": ("a question on the invoice", "the invoice is wrong", "paid the tuition twice", "a tuition invoice please"),
    "meals": ("allergic to peanuts at lunch", "no milk with lunch please", "the lunch menu", "peanuts in the snack"),
}
MANY = Recipe(labels=Labels.MANY)


def examples() -> list[Example]:
    """Give mails of one category, of two, and of two in the other order."""
    alone = [Example(subject="", body=text, labels=(CategoryId(label),)) for label, texts in TEXTS.items() for text in texts]
    both = [
        Example(subject="", body=f"{one}, and {other}", labels=(CategoryId("absence"), CategoryId("billing")))
        for one, other in zip(TEXTS["absence"], TEXTS["billing"], strict=True)
    ]
    return [*alone, *both]


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return train_local(examples(), recipe=MANY)


def answer(model: LocalModel, text: str) -> Prediction:
    (found,) = LocalClassifier(model).classify([render_text("", text)])
    assert isinstance(found, Prediction)
    return found


def test_a_mail_about_two_things_gets_both_and_one_about_nothing_none(model: LocalModel) -> None:
    two = answer(model, "a fever, sick at home, and a question on the tuition invoice").probabilities
    none = answer(model, "please on").probabilities

    assert min(two[CategoryId("absence")], two[CategoryId("billing")]) > 0.5 > two[CategoryId("meals")]
    assert sum(two.values()) > 1.0
    assert max(none.values()) < 0.5


def test_a_mail_without_a_known_word_gets_each_categorys_share_of_the_examples(model: LocalModel) -> None:
    assert model.vocabulary.examples == 16
    assert answer(model, "口座").probabilities == {"absence": 8 / 16, "billing": 8 / 16, "meals": 4 / 16}


def test_the_order_of_labels_makes_no_other_example(model: LocalModel) -> None:
    turned = [replace(example, labels=example.labels[::-1]) for example in examples() if len(example.labels) > 1]

    assert train_local([*examples(), *turned], recipe=MANY).examples == model.examples == (8, 8, 4)


def test_every_label_must_be_a_category_of_the_configuration(tmp_path: Path) -> None:
    taxonomy = load(tmp_path / "c.toml").taxonomy
    known = CategoryId(taxonomy.ids[0])
    stray = Example(subject="", body="weeds", labels=(known, CategoryId("gardening")), line=7)

    with pytest.raises(InputFileError, match="line 7: unknown label 'gardening'"):
        train_local([stray], taxonomy, recipe=MANY)


def test_a_category_that_every_mail_has_is_given_to_every_mail() -> None:
    both = [replace(example, labels=(*example.labels, CategoryId("mail"))) for example in examples()]

    assert answer(train_local(both, recipe=MANY), "the invoice").probabilities[CategoryId("mail")] > 0.8


def test_the_file_says_how_many_categories_a_mail_can_have(model: LocalModel, tmp_path: Path) -> None:
    save_model(model, tmp_path / "m", created=CREATED)
    loaded = load_model(tmp_path / "m", renderer=RENDERER_VERSION)

    assert (loaded.labels, loaded.identity) == (Labels.MANY, model.identity)
    assert answer(loaded, "the invoice").probabilities == answer(model, "the invoice").probabilities


@pytest.mark.parametrize(("trained", "configured"), [("one", "many"), ("many", "one")])
def test_a_model_for_the_other_kind_of_labels_is_refused_with_the_way_out(
    tmp_path: Path, trained: str, configured: str
) -> None:
    config = load(tmp_path / "c.toml", f'[classifier]\nmodel = "m"\nlabels = "{configured}"')
    given = [
        replace(one, labels=tuple(CategoryId(config.taxonomy.ids[label == "absence"]) for label in one.labels))
        for one in examples()
    ]
    save_model(train_local(given, recipe=Recipe(labels=Labels(trained))), tmp_path / "m", created=CREATED)

    with pytest.raises(ModelFileError, match=f'for labels = "{trained}", .* has "{configured}".*--labels {configured}'):
        load_classifier(config)


def test_probabilities_of_each_category_alone_are_calibrated_on_what_was_held_out() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(4000, 3)) * 2 - 1
    targets = generator.random(truth.shape) < sigmoid(truth)

    found = adjust(truth / 5 + 0.3, targets, targets.sum(axis=0), Labels.MANY)

    assert found.slopes == pytest.approx([5, 5, 5], rel=0.15)
    assert found.shifts == pytest.approx([-1.5, -1.5, -1.5], rel=0.2)
    assert found.quality.calibration_error < 0.02


def test_the_mean_f1_is_over_the_categories_that_some_mail_has() -> None:
    targets = np.array([[True, False, False], [True, True, False]])
    given = np.array([[True, True, False], [False, True, False]])

    # Category 0: 1 of 1 given is right, 1 of 2 found: 2/3; category 1: 1 of 2, 1 of 1: 2/3; category 2: nobody has it.
    assert mean_f1(given, targets) == pytest.approx(2 / 3)
