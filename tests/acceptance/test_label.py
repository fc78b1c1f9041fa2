"""`cubbyd dataset label`: a person at a real terminal, and a model that is asked twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.desk import Desk, clean_environment, json_lines, write_examples
from tests.acceptance.terminal import Terminal

from cubbyd.standin import Fault, Standin
from cubbyd.standin.server import KEY

pytestmark = pytest.mark.slow

WORDS = {"fever": "absence", "invoice": "billing", "grandma": "pickup"}
MAILS = [
    '{"subject": "fever", "body": "he has a fever", "id": "a"}',
    '{"subject": "old", "body": "the invoice is paid", "label": "billing", "id": "b"}',
    '{"subject": "\\u001b]0;owned\\u0007 hi \\u202e", "body": "grandma comes\\u001b[2J\\nat four", "id": "c"}',
]


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(WORDS) as server:
        yield server
    assert server.violations == []


def lay_out(desk: Desk, *mails: str) -> Path:
    desk.configure('[classifier]\nmodel = "cubbyd.model"')
    (desk.folder / "mails.jsonl").write_text("\n".join(mails or MAILS) + "\n")
    return desk.folder / "labeled.jsonl"


def hosted(desk: Desk, standin: Standin, more: str = "") -> None:
    for name, content in (("openai.key", KEY), ("roster.txt", "[children]\nMia Hofmann\n")):
        (desk.folder / name).touch(mode=0o600)
        (desk.folder / name).write_text(content + "\n")
    desk.configure(
        f'[classifier]\nkind = "openai"\n[classifier.openai]\nmodel = "gpt-6-luna"\nmode = "schema"\n'
        f'base_url = "{standin.base_url}"\napi_key_file = "openai.key"\nattempts = 1\n{more}\n'
        '[redaction]\nroster_file = "roster.txt"'
    )


def labels(file: Path) -> dict[str, str | None]:
    return {record["id"]: record.get("label") for record in json_lines(file.read_text())}


def test_a_person_labels_at_a_terminal_takes_back_skips_quits_and_goes_on_later(desk: Desk) -> None:
    out = lay_out(desk)
    write_examples(desk.folder / "train.jsonl")
    desk.call("train", "train.jsonl", "--out", "cubbyd.model")

    person = Terminal(desk.folder, "dataset", "label", "mails.jsonl", "--out", "labeled.jsonl")
    shown = person.wait_for("q quit")
    assert "1 of 3" in shown
    assert "> 1  absence" in shown, "the model's guess is preselected"
    person.press("\r")
    shown = person.wait_for("q quit")
    assert "hi" in shown, "what has no label comes before what has one"
    assert not re.search("[\x1b\x07\u202e]", shown), "a mail cannot steer the terminal"
    assert labels(out) == {"a": "absence"}, "an answer is in the file before the next mail is shown"
    person.press("2")
    person.wait_for("q quit")
    assert labels(out) == {"a": "absence", "c": "billing"}
    person.press("u")
    person.wait_for("q quit")
    assert labels(out) == {"a": "absence"}
    person.press("q")
    assert "1 labeled now, 1 in all; 2 left." in person.wait_for("left.")
    assert person.close() == 0
    assert out.stat().st_mode & 0o777 == 0o600

    person = Terminal(desk.folder, "dataset", "label", "mails.jsonl", "--out", "labeled.jsonl", "--no-guess")
    assert "2 of 3" in person.wait_for("q quit")
    person.press("3")
    assert "its label now" in person.wait_for("q quit")
    person.press("s")
    assert "1 labeled now, 2 in all; 1 left." in person.wait_for("left.")
    assert person.close() == 0
    assert labels(out) == {"a": "absence", "c": "pickup"}


def test_an_interrupt_ends_the_session_and_keeps_the_answers(desk: Desk) -> None:
    out = lay_out(desk)
    person = Terminal(desk.folder, "dataset", "label", "mails.jsonl", "--out", "labeled.jsonl", "--no-guess")
    person.wait_for("q quit")
    person.press("1")
    person.wait_for("q quit")
    os.killpg(person.process.pid, signal.SIGKILL)
    person.close()
    assert labels(out) == {"a": "absence"}

    person = Terminal(desk.folder, "dataset", "label", "mails.jsonl", "--out", "labeled.jsonl", "--no-guess")
    assert "2 of 3" in person.wait_for("q quit")
    person.press("\x03")
    assert "0 labeled now, 1 in all; 2 left." in person.wait_for("left.")
    assert person.close() == 0


def test_a_session_takes_its_keys_from_a_pipe_too(desk: Desk) -> None:
    out = lay_out(desk)
    command = [sys.executable, "-m", "cubbyd", "dataset", "label", "mails.jsonl", "--out", "labeled.jsonl", "--no-guess"]
    done = subprocess.run(
        command, cwd=desk.folder, env=clean_environment(), input="1\n3\n\n", capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert labels(out) == {"a": "absence", "c": "pickup", "b": "billing"}


def test_what_cannot_be_begun_is_said(desk: Desk) -> None:
    lay_out(desk, '{"text": "fever", "label": "garden"}')
    done = desk.call("dataset", "label", "mails.jsonl", "--out", "labeled.jsonl", code=1)
    assert "line 1: unknown label 'garden'" in done.stderr
    lay_out(desk)
    desk.call("dataset", "label", "mails.jsonl", "--out", "mails.jsonl", code=2)
    assert (
        "needs a table [classifier.openai]"
        in desk.call("dataset", "label", "mails.jsonl", "--by", "openai", "--out", "m.jsonl", code=78).stderr
    )


def test_two_orders_that_agree_label_a_mail_and_nothing_is_asked_before_the_price_is_known(
    desk: Desk, standin: Standin
) -> None:
    out = lay_out(desk, *MAILS, '{"text": "fever, says Mia Hofmann", "id": "d"}', '{"text": "hello", "id": "e"}')
    second_of_d = 5
    hosted(desk, standin, "price_per_million_input_tokens = 1.0\nprice_per_million_output_tokens = 4.0")
    ask = ("dataset", "label", "mails.jsonl", "--by", "openai", "--out", "labeled.jsonl")
    refused = desk.call(*ask, code=2)
    assert "4 are asked about, twice: 8 calls" in refused.stderr
    assert "of money" in refused.stderr
    assert standin.requests == []

    standin.then(*[Fault()] * second_of_d, Fault.says('{"category": "billing"}'))
    (said,) = json_lines(desk.call(*ask, "--yes", "--json").stdout)

    assert labels(out) == {"a": "absence", "b": "billing", "c": "pickup", "d": None, "e": None}
    assert said["labeled"] == 3
    assert said["now"] == {"agreed": 2, "had a label": 1, "for a person: the answers differ or are unclear": 2}
    assert b"Hofmann" not in b"".join(request.content for request in standin.requests)
    assert len(standin.requests) == 8
    notes = desk.folder / "labeled.jsonl.guesses"
    assert [note["guesses"] for note in json_lines(notes.read_text())] == [["absence", "billing"], []], "no word: no lead"
    assert "fever" not in notes.read_text()
    assert {file.stat().st_mode & 0o777 for file in (out, notes)} == {0o600}

    desk.call(*ask, "--yes")
    assert len(standin.requests) == 8, "what was asked is not asked again"
    person = Terminal(desk.folder, "dataset", "label", "labeled.jsonl", "--keep-labels", "--no-guess", "--out", "all.jsonl")
    assert "a model's guesses: absence or billing" in person.wait_for("q quit")
    person.press("\r")
    assert "no guess" in person.wait_for("q quit")
    person.press("3")
    person.wait_for("0 left.")
    assert person.close() == 0
    by_hand = {"d": "absence", "e": "pickup"}
    assert labels(desk.folder / "all.jsonl") == {"a": "absence", "b": "billing", "c": "pickup"} | by_hand


def test_an_outage_in_the_middle_keeps_what_was_answered_and_the_next_call_goes_on(desk: Desk, standin: Standin) -> None:
    out = lay_out(desk)
    hosted(desk, standin)
    standin.then(Fault(), Fault(), Fault.error(500))
    ask = ("dataset", "label", "mails.jsonl", "--by", "openai", "--yes", "--out", "labeled.jsonl")
    desk.call(*ask, code=69)
    assert labels(out) == {"a": "absence", "b": "billing"}

    desk.call(*ask)

    assert labels(out) == {"a": "absence", "b": "billing", "c": "pickup"}


def test_the_second_time_another_model_may_be_asked(desk: Desk, standin: Standin) -> None:
    lay_out(desk)
    hosted(desk, standin)
    desk.call(
        "dataset", "label", "mails.jsonl", "--by", "openai", "--second-model", "gpt-6-sol", "--yes", "--out", "labeled.jsonl"
    )
    assert [request.body["model"] for request in standin.requests] == ["gpt-6-luna", "gpt-6-sol"] * 2
