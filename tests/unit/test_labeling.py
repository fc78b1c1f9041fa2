"""The parts of labeling and of synthesis that need no terminal and no model."""

from __future__ import annotations

from pathlib import Path

import pytest

from cubbyd.dataset import Example
from cubbyd.dataset.growing import GrowingFile, left_over, text_key
from cubbyd.dataset.labeling import (
    COMMAND_KEYS,
    MOST_CATEGORIES,
    Opinions,
    assign_keys,
    guesses_file,
    read_guesses,
    spell_guess,
    unlabeled_first,
)
from cubbyd.dataset.synthesis import Known, count_wanted, draw_brief
from cubbyd.errors import InputFileError
from cubbyd.taxonomy import CategoryId

ABSENCE, BILLING = CategoryId("absence"), CategoryId("billing")


def example(text: str, *labels: CategoryId, origin: str = "") -> Example:
    return Example(subject="", body=text, labels=labels, origin=origin)


def test_each_category_has_a_key_of_its_own_that_is_no_command() -> None:
    keys = assign_keys([CategoryId(f"c{number}") for number in range(MOST_CATEGORIES)])
    assert len(keys) == MOST_CATEGORIES
    assert list(keys)[:3] == ["1", "2", "3"]
    assert not set(keys) & {*COMMAND_KEYS, "+"}
    with pytest.raises(ValueError, match="can have a key"):
        assign_keys([CategoryId(f"c{number}") for number in range(MOST_CATEGORIES + 1)])


def test_what_has_no_label_comes_first_and_the_order_stays() -> None:
    one, two, three, four = (example("1", ABSENCE), example("2"), example("3", BILLING), example("4"))
    assert unlabeled_first([one, two, three, four]) == [two, four, one, three]


def test_opinions_agree_where_they_name_the_same_and_something() -> None:
    assert Opinions(first=(ABSENCE, BILLING), second=(BILLING, ABSENCE)).agreed == (ABSENCE, BILLING)
    assert Opinions(first=(ABSENCE,), second=(ABSENCE, BILLING)).agreed == ()
    assert Opinions(first=(), second=()).agreed == ()
    assert Opinions(first=(BILLING,), second=(ABSENCE, BILLING)).guesses == (BILLING, ABSENCE)


def test_guesses_hold_no_words_and_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    file = guesses_file(tmp_path / "out.jsonl")
    assert read_guesses(file) == {}
    mail = example("a secret")
    line = spell_guess(mail, Opinions(first=(ABSENCE,), second=(BILLING,)))
    assert "secret" not in line
    file.write_text(line + line[:9])
    assert read_guesses(file) == {text_key(mail): (ABSENCE, BILLING)}
    file.write_text("[]\n")
    with pytest.raises(InputFileError, match="line 1"):
        read_guesses(file)


def test_a_growing_file_forgets_a_line_that_a_crash_cut_off_and_goes_on_behind_the_whole_ones(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    with GrowingFile(file) as growing:
        growing.add(example("one", ABSENCE))
        growing.add(example("two", BILLING))
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:12])

    with GrowingFile(file) as growing:
        assert [one.body for one in growing.examples] == ["one", "two"]
        assert file.read_bytes() == whole
        assert growing.undo() == growing_line(2, "two", BILLING)
        growing.add(example("three"))
    assert [line[:27] for line in file.read_text().splitlines()] == [
        '{"subject": "", "body": "on',
        '{"subject": "", "body": "th',
    ]


def growing_line(line: int, text: str, label: CategoryId) -> Example:
    return Example(subject="", body=text, labels=(label,), line=line)


@pytest.mark.parametrize("content", ["notes of mine", '{"text": "", "mine": 1}', "one\ntwo"])
def test_a_file_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(content)
    with pytest.raises(InputFileError, match=r"notes\.txt, line 1"):
        GrowingFile(file)
    assert file.read_text() == content


def test_a_last_line_that_is_whole_but_not_ended_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text('{"text": "one"}\n{"text": "two"}')
    with GrowingFile(file) as growing:
        growing.add(example("three"))
    with GrowingFile(file) as growing:
        assert [one.body for one in growing.examples] == ["one", "two", "three"]


def test_two_sessions_do_not_write_one_file(tmp_path: Path) -> None:
    with GrowingFile(tmp_path / "out.jsonl"), pytest.raises(InputFileError, match="another cubbyd"):
        GrowingFile(tmp_path / "out.jsonl")


def test_of_equal_mails_as_many_are_left_as_were_not_answered() -> None:
    mails = [example("same"), example("other"), example("same")]
    assert left_over(mails, [example("same", ABSENCE)]) == [example("other"), example("same")]


def test_a_category_is_filled_to_the_count_but_never_beyond_the_share() -> None:
    mails = [example(f"a{n}", ABSENCE) for n in range(60)] + [example(f"b{n}", BILLING) for n in range(20)]
    mails += [example(f"s{n}", BILLING, origin="synthetic") for n in range(5)]
    empty = CategoryId("meals")

    absence, billing, meals = count_wanted(mails, [ABSENCE, BILLING, empty], to=100, most=0.5)

    assert (absence.missing, absence.capped) == (40, 0)
    assert (billing.missing, billing.capped) == (15, 60), "20 real ones take 20 synthetic ones, and 5 are there"
    assert (meals.missing, meals.capped) == (0, 100), "without a real one nothing is written"
    assert [one.missing for one in count_wanted(mails, [ABSENCE], to=60, most=0.5)] == [0]
    assert [one.missing for one in count_wanted(mails, [ABSENCE], to=100, most=0.0)] == [0]


def test_a_brief_is_the_same_for_the_same_seed_and_others_vary() -> None:
    real = [example(f"mail {n}", ABSENCE) for n in range(9)]
    briefs = [draw_brief(ABSENCE, real, 7, number) for number in range(30)]
    assert briefs[3] == draw_brief(ABSENCE, real, 7, 3)
    assert len({(brief.persona, brief.length, brief.tone) for brief in briefs}) > 20
    assert all(len(set(brief.seeds)) == 3 for brief in briefs)
    assert len(draw_brief(ABSENCE, real[:1], 7, 0).seeds) == 1


def test_what_is_short_said_before_or_left_masked_is_no_example() -> None:
    said = "Mia is ill today and stays at home with her father until the fever has gone down for good"
    known = Known([example(said)])
    assert known.fault(example(said)) == "a duplicate"
    assert known.fault(example(said.upper() + "!")) == "a near-duplicate"
    assert known.fault(example("is ill")) == "too short"
    assert known.fault(example("today [CHILD_1] is ill")) == "a placeholder of masking is left in it"
    new = example("Grandma collects Noah at four today, please let him go with her")
    assert known.fault(new) == ""
    known.add(new)
    assert known.fault(new) == "a duplicate"
