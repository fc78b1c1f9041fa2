"""Training lines for hosted fine-tuning: masked, as the model will be asked, and held against what vendors take."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.finetune import examples, lesson
from tests.hosted import configure, predict, running

from cubbyd.config import Config
from cubbyd.dataset import Example
from cubbyd.errors import ConfigError
from cubbyd.message import render_text
from cubbyd.standin import Standin
from cubbyd.taxonomy import CategoryId
from cubbyd.training.finetune.estimate import estimate
from cubbyd.training.finetune.lesson import Lesson, Taught, Teacher, digest_text, serving_section, shared

BOTH = (CategoryId("absence"), CategoryId("billing"))
LOCAL = "http://127.0.0.1:9/v1"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configure(tmp_path, LOCAL)


def example(text: str = "Mia Hofmann is ill", *labels: str) -> Example:
    return Example(subject=text, body=text, labels=tuple(map(CategoryId, labels)) or BOTH[:1], line=3)


@pytest.mark.parametrize("taught", Taught)
def test_a_training_line_is_the_request_of_the_daemon_with_the_answer_at_its_end(tmp_path: Path, taught: Taught) -> None:
    with Standin({"ill": "absence"}) as standin:
        config = configure(tmp_path, standin.base_url, f'mode = "{taught}"')
        (line,) = lesson(config, example(), taught=taught).lines
        with running(config) as classifier:
            predict(classifier, render_text("Mia Hofmann is ill", "Mia Hofmann is ill"))
        asked = standin.requests[0].body["messages"]

    *told, answer = json.loads(line)["messages"]
    assert told == asked
    assert answer == {"role": "assistant", "content": "A" if taught is Taught.CODE else '{"category": "absence"}'}


def test_no_name_stands_in_a_training_line(config: Config) -> None:
    made = lesson(config, example("Mia Hofmann is ill, mail sabine@example.org or call 0171 2345678"))

    for name in ("Mia", "Hofmann", "sabine", "2345678"):
        assert name not in made.content.decode()
    assert "[CHILD_1]" in made.content.decode()


def test_training_is_refused_where_the_configuration_lets_names_out(tmp_path: Path) -> None:
    sections = "[redaction]\nallow_names_to_leave_the_building = true\n"
    config = configure(tmp_path, LOCAL, "zero_data_retention = true", sections)

    with pytest.raises(ConfigError, match="names are masked in training and in use"):
        Teacher(config, Taught.CODE)


def test_what_cannot_be_a_line_is_left_out_and_told_of(config: Config) -> None:
    made = lesson(
        config,
        example(),
        example("", "absence"),
        replace(example(), labels=()),
        example("x", "lunch"),
        example("y", "absence", "billing"),
    )

    assert len(made.lines) == len(made.labels) == len(made.texts) == 1
    assert [skipped.why for skipped in made.skipped] == [
        "has nothing to read",
        "has no label",
        "has the label 'lunch', which the configuration does not have",
        "has several labels, and a code says one",
    ]
    assert {skipped.line for skipped in made.skipped} == {3}


def test_several_labels_are_taught_as_a_list_and_none_as_an_empty_one(tmp_path: Path) -> None:
    config = configure(tmp_path, LOCAL, labels="many")
    made = lesson(config, example("x", "billing", "absence"), replace(example("y"), labels=()), taught=Taught.SCHEMA)

    answers = [json.loads(json.loads(line)["messages"][-1]["content"]) for line in made.lines]
    assert [list(answer.values()) for answer in answers] == [[["absence", "billing"]], [[]]]
    with pytest.raises(ConfigError, match="a code says one category"):
        Teacher(config, Taught.CODE)


@pytest.mark.parametrize(
    ("more", "taught", "said"),
    [
        ('endpoint = "completions"', Taught.CODE, 'set endpoint = "chat"'),
        ('mode = "schema"\nreasoning_effort = "low"', Taught.CODE, "does not reason"),
        ('mode = "code"\ninstructions = false', Taught.SCHEMA, "false is for --teach code alone"),
    ],
)
def test_settings_by_which_the_model_could_not_be_asked_are_refused_before_it_is_paid_for(
    tmp_path: Path, more: str, taught: Taught, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Teacher(configure(tmp_path, LOCAL, more), taught)


def test_the_fingerprint_follows_what_the_model_is_told_and_not_its_name(tmp_path: Path) -> None:
    plain = Teacher(configure(tmp_path, LOCAL), Taught.CODE).fingerprint

    assert Teacher(configure(tmp_path, LOCAL, 'model = "ft:tuned"'), Taught.CODE).fingerprint == plain
    assert Teacher(configure(tmp_path, LOCAL), Taught.SCHEMA).fingerprint != plain
    assert Teacher(configure(tmp_path, LOCAL, 'mode = "code"\ncodes = "numbers"'), Taught.CODE).fingerprint != plain
    assert Teacher(configure(tmp_path, LOCAL, 'mode = "code"\ninstructions = false'), Taught.CODE).fingerprint != plain


@pytest.mark.parametrize(
    ("model", "effort"),
    [("gpt-6-luna", "none"), ("gpt-4o-mini-2024-07-18", ""), ("ft:gpt-4.1-mini-2025-04-14:facility:cubbyd:x", "")],
)
def test_openai_is_told_not_to_reason_where_the_model_knows_the_word(tmp_path: Path, model: str, effort: str) -> None:
    config = configure(tmp_path, "https://api.openai.com/v1")

    assert serving_section(config, Taught.CODE, model).effort == effort


def test_a_mail_that_was_seen_is_known_again_whatever_its_case() -> None:
    assert digest_text(example("Mia is ILL")) == digest_text(example("mia is ill"))
    assert shared(["a", "b", "c"], ["c", "a"]) == [0, 2]


def test_a_file_that_a_vendor_would_refuse_is_refused_here_with_the_way_out(config: Config) -> None:
    few = estimate(lesson(config, *examples()[:9]), BOTH)

    assert few.problems == ("9 lines can be used, and at least 10 are needed; label more mail",)
    one_sided = estimate(lesson(config, *examples(names=("A", "B", "C"))[:12]), BOTH)
    assert "no example of billing: the model would never choose it" in one_sided.problems[0]
    assert estimate(Lesson(lines=(), labels=(), texts=()), BOTH[:1]).lines == 0


def test_a_small_file_is_taken_with_a_warning(config: Config) -> None:
    facts = estimate(lesson(config), BOTH)

    assert facts.problems == ()
    assert facts.per_category == {"absence": 8, "billing": 8}
    assert facts.warnings == ("16 lines are few; gains are seen from 50 to 100", "fewer than 10 examples of absence, billing")
    assert facts.bytes == len(lesson(config).content)


def test_the_price_is_that_of_all_jobs_and_unknown_where_the_vendor_chooses(config: Config) -> None:
    facts = estimate(lesson(config), BOTH)

    assert facts.money(3.0, [2, 4]) == pytest.approx(facts.tokens * 6 * 3.0 / 1_000_000)
    assert facts.money(0.0, [1]) == 0.0
    assert facts.money(None, [2]) is None
    assert facts.money(3.0, [2, None]) is None
