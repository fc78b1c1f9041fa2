"""A card says what the model was trained on and how good it is, in numbers that follow from the held-out answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.embeddings import examples

from cubbyd.classify.card import Card, CategoryCard, Measured, card_bytes, read_about
from cubbyd.classify.modelfile import save_model
from cubbyd.cli.carded import to_markdown
from cubbyd.config import Labels
from cubbyd.dataset import Example
from cubbyd.message.render import RENDERER_VERSION
from cubbyd.taxonomy import CategoryId, GroupId
from cubbyd.training.card import Training, count_examples, make_card, make_grouped_card
from cubbyd.training.hierarchical import train_hierarchical
from cubbyd.training.local import train_local
from cubbyd.training.validation import HeldOut

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
CHILD, MONEY = GroupId(CategoryId("child")), GroupId(CategoryId("money"))
GROUPS = {CHILD: (CategoryId("absence"), CategoryId("pickup")), MONEY: (CategoryId("billing"),)}
BAR = "a|b"


def told(given: list[Example], kind: str = "local", *, seed: int = 0) -> Training:
    return Training(
        kind=kind,
        format=3,
        file="mails.jsonl",
        data_sha256="0" * 64,
        examples=given,
        seed=seed,
        settings={"labels": "one", "keep_subjects": False, "groups": [BAR, "c"]},
        created=NOW,
        seconds=1.26,
        versions={"cubbyd": "0.1.0"},
    )


def carded(given: list[Example], labels: Labels = Labels.ONE, *, seed: int = 0) -> tuple[Card, HeldOut]:
    held: list[HeldOut] = []
    model = train_local(given, labels=labels, seed=seed, tell=held.append)
    counts = dict(zip(model.categories, model.examples, strict=True))
    return make_card(told(given, seed=seed), counts, held[0]), held[0]


def by_id(card: Card) -> Mapping[str, CategoryCard]:
    return {category.id: category for category in card.categories}


def test_the_numbers_are_those_of_the_held_out_answers_and_of_the_models_own_quality() -> None:
    held: list[HeldOut] = []
    model = train_local(examples(), tell=held.append)
    card = make_card(told(examples()), dict(zip(model.categories, model.examples, strict=True)), held[0])
    accuracy = card.held_out.numbers["accuracy"]

    assert accuracy.value == pytest.approx(model.quality.accuracy, abs=1e-4)
    assert accuracy.value == pytest.approx(float(held[0].answers.right.mean()), abs=1e-4)
    assert card.held_out.numbers["macro_f1"].value == pytest.approx(model.quality.macro_f1, abs=1e-4)
    assert card.held_out.numbers["calibration_error"].value == pytest.approx(model.quality.calibration_error, abs=1e-4)
    assert all(one.low <= one.value <= one.high for one in card.held_out.numbers.values())
    assert accuracy.high - accuracy.low > 0.05, "fifteen examples say little, and the interval shows it"
    assert card.held_out.examples == 15


def test_what_reads_the_same_counts_once_and_origins_are_counted() -> None:
    given = [replace(example, origin="real") for example in examples()]
    given += [replace(given[0], line=16, origin="synthetic:gpt"), replace(given[1], line=17, labels=())]
    card, _ = carded(given)

    assert (card.data.examples, card.data.different) == (17, 15)
    assert card.data.origins == {"real": 16, "synthetic:gpt": 1}
    assert {id_: one.examples for id_, one in by_id(card).items()} == {"absence": 5, "billing": 5, "pickup": 5}
    assert (card.data.file, card.seconds, card.seed) == ("mails.jsonl", 1.3, 0)
    assert card.renderer == RENDERER_VERSION
    assert {"python", "numpy", "scikit-learn", "scipy", "cubbyd"} == set(card.versions)


def test_the_same_examples_and_seed_give_the_same_card_and_another_seed_its_own_draws() -> None:
    assert carded(examples())[0] == carded(examples())[0]
    assert carded(examples(), seed=1)[0].seed == 1


def test_with_several_labels_the_card_has_their_numbers() -> None:
    given = [
        *examples(),
        *(Example(subject="", body=f"a fever and the invoice {n}", labels=both(), line=20 + n) for n in range(4)),
    ]
    card, held_out = carded(given, Labels.MANY)

    assert {"micro_f1", "jaccard", "exact_match"} <= set(card.held_out.numbers)
    assert card.data.different == 19
    assert sum(one.examples for one in card.categories) == 23
    assert card.held_out.examples == len(held_out.answers) == 19


def both() -> tuple[CategoryId, ...]:
    return CategoryId("absence"), CategoryId("billing")


def grouped(given: list[Example]) -> tuple[Card, dict[GroupId | None, HeldOut]]:
    held: dict[GroupId | None, HeldOut] = {}
    model = train_hierarchical(given, GROUPS, tell=held.__setitem__)
    assert count_examples(model) == {"absence": 5, "pickup": 5, "billing": 5}
    within = {group: one for group, one in held.items() if group is not None}
    return make_grouped_card(told(given, "hierarchical"), model, held[None], within), held


def test_of_a_hierarchical_model_an_example_is_right_where_its_group_and_its_category_are() -> None:
    card, held = grouped(examples())
    among, inside = held[None], held[CHILD]
    right_inside = dict(zip(inside.lines, inside.answers.right.tolist(), strict=True))
    right = [
        bool(right) and right_inside.get(line, True)
        for line, right in zip(among.lines, among.answers.right.tolist(), strict=True)
    ]
    numbers = card.held_out.numbers

    assert set(held) == {None, CHILD}, "a group of a single category has no model"
    assert numbers["accuracy"].value == pytest.approx(sum(right) / 15, abs=1e-4)
    assert numbers["group_accuracy"].value == pytest.approx(float(among.answers.right.mean()), abs=1e-4)
    assert numbers["accuracy"].value <= min(numbers["group_accuracy"].value, numbers["accuracy_within_group"].value)
    assert [one.asked for one in card.categories] == [5, 5, 5]
    assert all(one.precision is None and one.recall is not None for one in card.categories)


def test_the_card_is_in_the_file_and_is_read_back_as_it_was(tmp_path: Path) -> None:
    card, _ = carded(examples())
    save_model(train_local(examples()), tmp_path / "m.model", created=NOW, card=card_bytes(card))
    about = read_about(tmp_path / "m.model")

    assert about.card == card
    assert (about.kind, about.created, about.categories) == ("local", NOW, ("absence", "billing", "pickup"))
    assert about.accuracy == card.held_out.numbers["accuracy"].value


def test_no_word_of_an_example_is_in_the_card() -> None:
    given = [replace(example, subject="Zanzibar", body=f"{example.body} Wellington") for example in examples()]
    said = json.dumps(card_bytes(carded(given)[0]))

    assert "Zanzibar" not in said
    assert "Wellington" not in said
    assert not [word for word in ("fever", "invoice", "grandma", "uncle") if word in said]


def test_as_markdown_every_table_has_its_columns_whatever_the_names_are(tmp_path: Path) -> None:
    card, _ = carded([replace(example, origin="a|b\x1b[31m") for example in examples()])
    save_model(train_local(examples()), tmp_path / "m.model", created=NOW, card=card_bytes(card))
    text = to_markdown(tmp_path / "m.model", read_about(tmp_path / "m.model"))

    assert "\x1b" not in text
    assert "a\\|b" in text
    assert "| accuracy " in text
    for block in text.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({row.replace("\\|", "").count("|") for row in rows}) <= 1


def test_a_model_without_a_card_says_so(tmp_path: Path) -> None:
    save_model(train_local(examples()), tmp_path / "m.model", created=NOW)
    text = to_markdown(tmp_path / "m.model", read_about(tmp_path / "m.model"))

    assert "made no card; train it again" in text
    assert "- pickup" in text


def test_a_number_that_cannot_be_is_no_card() -> None:
    with pytest.raises(ValueError, match="finite"):
        Measured(value=float("nan"), low=0, high=1)
