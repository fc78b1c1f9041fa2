"""Training and classifying by the installed command: files in, one JSON object a line out, and every broken file named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.acceptance.desk import MAIL, TEXTS, Desk, clean_environment, json_lines
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

# --- training ----------------------------------------------------------------------------------------------------------


def test_training_speaks_json_and_writes_for_the_owner_alone(ready: Desk) -> None:
    done = ready.call("train", "examples.jsonl", "--out", "new.model", "--json")

    (facts,) = json_lines(done.stdout)
    assert (facts["model"], facts["examples"], facts["categories"]) == ("new.model", 18, 3)
    assert 0 <= facts["accuracy"] <= 1
    assert (ready.folder / "new.model").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "arguments", [["train", "broken.jsonl", "--out", "m"], ["classify", "--jsonl", "broken.jsonl", "--json"]]
)
def test_a_broken_examples_file_is_named_with_the_line(ready: Desk, arguments: list[str]) -> None:
    (ready.folder / "broken.jsonl").write_text('{"text": "a fever", "label": "absence"}\n\n{"text": "an invoice", \n')

    done = ready.call(*arguments, code=1)

    (line,) = done.stderr.splitlines()
    assert line.startswith("cubbyd: broken.jsonl, line 3: is no JSON")
    assert not (ready.folder / "m").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no examples"),
        ('{"text": "a fever", "label": "absence"}\n' * 3, "examples.jsonl"),
        ('{"text": "weeds", "label": "gardening"}\n{"text": "a fever", "label": "absence"}\n', "gardening"),
    ],
)
def test_examples_that_teach_nothing_are_refused(ready: Desk, content: str, said: str) -> None:
    (ready.folder / "examples.jsonl").write_text(content)

    done = ready.call("train", "examples.jsonl", "--out", "m", code=1)

    assert said in done.stderr.splitlines()[-1]
    assert not (ready.folder / "m").exists()


def test_a_model_that_cannot_be_written_is_named(ready: Desk) -> None:
    done = ready.call("train", "examples.jsonl", "--out", "nowhere/m", code=78)

    assert done.stderr.splitlines()[-1] == "cubbyd: nowhere/m: cannot be written: No such file or directory"


# --- classifying -------------------------------------------------------------------------------------------------------


def test_examples_are_classified_to_one_json_object_a_line(ready: Desk) -> None:
    done = ready.call("classify", "--jsonl", "examples.jsonl", "--json")

    found = json_lines(done.stdout)
    assert [line["input"] for line in found] == [f"examples.jsonl:{number}" for number in range(1, 19)]
    for line in found:
        assert set(line["probabilities"]) == set(TEXTS)
        assert sum(line["probabilities"].values()) == pytest.approx(1, abs=0.001)
        assert line["decision"] in (*TEXTS, None)
        assert (line["decision"] is None) is (line["hold"] == "unsure")
        assert line["provenance"]["kind"] == "local"
    assert sum(line["decision"] == line["labels"][0] for line in found) > 12, "it was trained on these"
    assert done.stderr == ""


def test_a_mail_is_classified_and_the_reasons_are_words_of_it(ready: Desk) -> None:
    said = ready.call("classify", "mail.eml").stdout
    assert "mail.eml" in said
    assert "absence" in said

    (found,) = json_lines(ready.call("classify", "mail.eml", "--json").stdout)
    assert found["decision"] == "absence"
    assert found["reasons"]
    *words, example = found["reasons"]
    assert all(word in MAIL.decode().lower() for reason in words for word in reason["text"].split())
    assert re.fullmatch(r"like line \d+ of the examples", example["text"])
    assert "labels" not in found


def test_a_file_that_is_not_there_is_named(ready: Desk) -> None:
    (line,) = ready.call("classify", "nowhere.eml", code=1).stderr.splitlines()

    assert line == "cubbyd: nowhere.eml: cannot be read: No such file or directory"


def test_a_mail_without_a_word_is_decided_as_the_daemon_does(ready: Desk) -> None:
    """It says what would be decided: such mail is held, whatever the categories' shares are."""
    ready.configure('[classifier]\nmodel = "cubbyd.model"\nthreshold = 0.1')
    (ready.folder / "empty.eml").write_bytes(b"From: a@example.org\r\n\r\n")

    (found,) = json_lines(ready.call("classify", "empty.eml", "--json").stdout)

    assert (found["decision"], found["hold"]) == (None, "nothing to read")


def test_a_file_name_that_is_no_text_is_no_obstacle(ready: Desk) -> None:
    name = os.fsdecode(b"K\xfcndigung.eml")  # as an old archive has it
    (ready.folder / name).write_bytes(MAIL)

    done = ready.call("classify", name, "--json", environment={"PYTHONIOENCODING": "utf-8:strict"})

    (found,) = json_lines(done.stdout)
    assert found["decision"] == "absence"


# --- model files -------------------------------------------------------------------------------------------------------


def test_without_a_model_it_is_said_how_to_make_one(ready: Desk) -> None:
    (ready.folder / "cubbyd.model").unlink()

    for command in (["classify", "mail.eml"], ["run", "--once"]):
        (line,) = ready.call(*command, code=78).stderr.splitlines()
        assert "there is no model yet; make one: cubbyd train EXAMPLES.jsonl --out" in line


def test_a_model_of_other_categories_is_refused(ready: Desk) -> None:
    ready.configure('[classifier]\nmodel = "cubbyd.model"', categories="absence billing gardening")

    (line,) = ready.call("classify", "mail.eml", code=78).stderr.splitlines()

    assert "was trained with the category 'pickup', which the configuration does not have" in line


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_model_file_that_was_cut_off_is_refused(ready: Desk, share: float) -> None:
    model = ready.folder / "cubbyd.model"
    content = model.read_bytes()
    model.write_bytes(content[: int(len(content) * share)])

    (line,) = ready.call("classify", "mail.eml", code=78).stderr.splitlines()

    assert line.startswith(f"cubbyd: {model}: ")
    assert "cubbyd train EXAMPLES.jsonl" in line


# --- pipes -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The end of a pipe to write to, whose reader has gone, as `| head -0` leaves it."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["classify", "--jsonl", "examples.jsonl", "--json"], ["classify", "mail.eml"], ["train", "--help"]],
    ids=" ".join,
)
def test_a_reader_that_leaves_early_is_no_failure(ready: Desk, closed_pipe: int, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cubbyd", *arguments],
        cwd=ready.folder,
        env=clean_environment(),
        stdout=closed_pipe,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert done.stderr == ""
    assert done.returncode == 0
