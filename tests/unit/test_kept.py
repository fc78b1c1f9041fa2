"""Asking at length: what was answered is kept, and an interrupted run asks about the rest alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.composite import ABSENCE, BILLING, CATEGORIES, DOWN, Told, chances

from cubbyd.dataset import Example
from cubbyd.errors import ClassifierError, ClassifierUnavailable, InputFileError
from cubbyd.evaluation.kept import ask_all
from cubbyd.taxonomy import CategoryId

GARDEN = CategoryId("gardening")


def labeled(*subjects: str, label: CategoryId = ABSENCE) -> list[Example]:
    return [Example(subject=subject, body="See above.", labels=(label,), line=line) for line, subject in enumerate(subjects, 1)]


def test_a_run_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    file, mails = tmp_path / "kept.jsonl", labeled("one", "two", "three", "four")
    with pytest.raises(ClassifierUnavailable):
        ask_all(Told(says={"three": DOWN}, batch_size=1), mails, categories=CATEGORIES, kept_in=file)

    second = Told(batch_size=1)
    sheet = ask_all(second, mails, categories=CATEGORIES, kept_in=file)

    assert second.asked == ["three", "four"]
    assert (len(sheet.answers), sheet.reused) == (4, 2)
    assert sheet.milliseconds.tolist() == [2.0] * 4
    fresh = ask_all(Told(), mails, categories=CATEGORIES)
    assert sheet.answers.probabilities.tolist() == fresh.answers.probabilities.tolist(), "to the last bit"


def test_a_line_that_was_cut_off_is_asked_for_again(tmp_path: Path) -> None:
    file, mails = tmp_path / "kept.jsonl", labeled("one", "two")
    ask_all(Told(), mails, categories=CATEGORIES, kept_in=file)
    file.write_text(file.read_text()[:-40])

    again = Told()
    assert len(ask_all(again, mails, categories=CATEGORIES, kept_in=file).answers) == 2
    assert again.asked == ["two"]
    last = Told()
    ask_all(last, mails, categories=CATEGORIES, kept_in=file)
    assert last.asked == [], "the cut line does not spoil the one behind it"


def test_another_version_of_the_classifier_is_asked_anew(tmp_path: Path) -> None:
    file, mails = tmp_path / "kept.jsonl", labeled("one")
    ask_all(Told(), mails, categories=CATEGORIES, kept_in=file)

    other = Told(kind="other", otherwise=chances(0.1, 0.8, 0.1))
    sheet = ask_all(other, mails, categories=CATEGORIES, kept_in=file)

    assert other.asked == ["one"]
    assert sheet.answers.tops.tolist() == [1]


def test_the_file_holds_no_words_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    ask_all(Told(), labeled("Milas fever"), categories=CATEGORIES, kept_in=file)

    assert "fever" not in file.read_text().lower()
    assert set(json.loads(file.read_text())) == {"who", "mail", "held", "ms", "money", "probabilities"}
    assert file.stat().st_mode & 0o777 == 0o600


def test_texts_that_read_the_same_are_asked_about_once() -> None:
    told = Told()

    sheet = ask_all(told, labeled("one", "two", "one"), categories=CATEGORIES)

    assert told.asked == ["one", "two"]
    assert [mail.line for mail in sheet.mails] == [1, 2, 3]


def test_a_failure_counts_for_nothing_and_is_not_kept(tmp_path: Path) -> None:
    told = Told(says={"odd": ClassifierError("odd")})
    mails = [*labeled("one", "odd"), Example(subject="", body=" ", labels=(BILLING,))]

    sheet = ask_all(told, mails, categories=CATEGORIES, kept_in=tmp_path / "kept.jsonl")

    assert (len(sheet.answers), sheet.unread, [str(one) for one in sheet.answers.failures]) == (1, 1, ["odd"])
    assert len((tmp_path / "kept.jsonl").read_text().splitlines()) == 1


def test_without_any_answer_there_is_the_reason() -> None:
    with pytest.raises(ClassifierError, match="odd"):
        ask_all(Told(otherwise=ClassifierError("odd")), labeled("one"), categories=CATEGORIES)


def test_columns_may_be_more_than_the_classifier_has() -> None:
    sheet = ask_all(Told(), labeled("one", label=GARDEN), categories=(GARDEN, *CATEGORIES))

    assert sheet.answers.probabilities[0].tolist() == [0.0, 0.9, 0.06, 0.04]
    assert not sheet.answers.right.any()


def test_a_file_of_something_else_is_refused_by_its_name(tmp_path: Path) -> None:
    file, mails = tmp_path / "kept.jsonl", labeled("one")
    ask_all(Told(), mails, categories=CATEGORIES, kept_in=file)
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"probabilities": "no"}) + "\n")

    with pytest.raises(InputFileError, match=r"kept\.jsonl: is no file of kept answers"):
        ask_all(Told(), mails, categories=CATEGORIES, kept_in=file)
