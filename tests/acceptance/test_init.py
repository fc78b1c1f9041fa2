"""`cubbyd init` against a real Dovecot: a person at a terminal, a file of answers, and an account in which nothing changes."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.desk import clean_environment
from tests.acceptance.terminal import Terminal
from tests.conftest import start_dovecot
from tests.dovecot import MAILDIRPP, PASSWORD, Dovecot
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS

from cubbyd.config import FilingAction, load_config

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

LETTERS = [f"{first}{second}{third}o" for first in "bdfgk" for second in "aeiou" for third in "lmnrst"]
"""Words that say nothing, so that no two mails are near-duplicates."""

FOLDERS = {"Absence": 3, "Billing": 2, "Sent": 1, "Garden": 0}


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        fill(client, FOLDERS)
        yield client


def fill(outside: Outside, folders: dict[str, int]) -> None:
    for folder, count in folders.items():
        outside.make_folder(folder)
        outside.deliver(*(mail(f"{folder} {number}", number=number) for number in range(count)), folder=folder)
    outside.deliver(mail("new"))


def snapshot(outside: Outside) -> dict[str, Any]:
    """Everything that another client sees: folders, subscriptions, mails, flags."""
    folders = outside.folders()
    return {
        "subscribed": outside.subscribed(),
        "flags": {folder: outside.flags(folder) for folder in folders},
        "mails": {folder: outside.subjects_by_uid(folder) for folder in folders},
    }


def init(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cubbyd", *arguments],
        cwd=folder,
        env=clean_environment() | {"OFFICE_PASSWORD": PASSWORD},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done


def answer(folder: Path, server: Dovecot, user: str, *, top: str = "", more: str = 'password_env = "OFFICE_PASSWORD"') -> None:
    (folder / "answers.toml").write_text(
        f'{top}\n[mailbox]\nhost = "localhost"\nport = {server.tls_port}\nusername = "{user}"\n'
        f'ca_file = "{server.certificate}"\n{more}\n'
    )


def log_in(person: Terminal, *answers: str) -> None:
    """Answer the questions about the login; an empty answer takes the default, which is the answer of the last time."""
    asked = ("IMAP server", "Security", "Port", "User name", "Name of this", "Read it from", "Which file", "it is not shown")
    for question, answer_ in zip(asked, answers, strict=True):
        person.wait_for(question)
        person.press(f"{answer_}\r")


def again(person: Terminal) -> str:
    shown = person.wait_for("Try again?")
    person.press("\r")
    return shown


def test_a_person_is_led_to_a_configuration_that_works_and_nothing_in_the_account_changes(
    tmp_path: Path, dovecot: Dovecot, user: str, outside: Outside
) -> None:
    before = snapshot(outside)

    person = Terminal(tmp_path, "init")
    log_in(person, "localhost", "", str(dovecot.tls_port), user, "nord", "", "", "wrong-lettuce")
    assert "certificate is not trusted" in person.wait_for("certificate authority, or none")
    person.press(f"{dovecot.certificate}\r")
    again(person)
    log_in(person, *[""] * 7, "wrong-lettuce")
    assert "check username and password" in again(person)
    assert list(tmp_path.iterdir()) == [], "nothing is written before the login worked"
    log_in(person, *[""] * 7, PASSWORD)
    person.wait_for("Folder to watch")
    person.press("nowhere\r")
    person.wait_for("Folder to watch")
    person.press("\r")
    shown = person.wait_for("Their numbers")
    assert "mail is filed in one step" in shown
    assert "Sent: folder of sent mail" in shown
    assert "1  Absence  (3 mails, id absence)" in shown
    person.press("9\r")
    person.wait_for("Their numbers")
    person.press("3\r")
    shown = person.wait_for("rehearse --trained-on")
    assert "dataset label MAILS" in shown, "five mails are too few to learn from"
    assert person.close() == 0

    assert snapshot(outside) == before
    assert "lettuce" not in person.seen
    assert PASSWORD not in person.seen
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cubbyd.toml", "nord.password"]
    assert (tmp_path / "nord.password").read_text() == f"{PASSWORD}\n"
    assert (tmp_path / "nord.password").stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in (tmp_path / "cubbyd.toml").read_text()
    config = load_config(tmp_path / "cubbyd.toml")
    assert config.taxonomy.ids == ("absence", "billing")
    assert config.filing.action is FilingAction.OBSERVE
    checked = init(tmp_path, "check", code=78)
    assert "login: accepted" in checked.stdout, "only the model is missing now"
    assert "there is no model yet" in checked.stdout


def test_one_who_gives_up_leaves_nothing_behind(tmp_path: Path) -> None:
    person = Terminal(tmp_path, "init")
    person.wait_for("IMAP server")
    person.press("localhost\r")
    person.wait_for("Security")
    time.sleep(0.5)  # nobody's hand is quicker; a signal just before the wait for a line is seen with the line
    os.killpg(person.process.pid, signal.SIGINT)
    person.wait_for("interrupted")
    assert person.close() == 130
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_answers_needs_no_questions(tmp_path: Path, dovecot: Dovecot, user: str, outside: Outside) -> None:
    before = snapshot(outside)
    answer(tmp_path, dovecot, user, top='leave_out = ["garden"]\nstate_directory = "state"')

    said = json.loads(init(tmp_path, "--config", "out.toml", "init", "--answers", "answers.toml", "--json").stdout)

    assert snapshot(outside) == before
    assert said["categories"] == [
        {"id": "absence", "name": "Absence", "folder": "Absence", "mails": 3},
        {"id": "billing", "name": "Billing", "folder": "Billing", "mails": 2},
    ]
    assert {"folder": "Garden", "reason": "you leave it out"} in said["left_out"]
    assert {one["ability"] for one in said["capabilities"] if one["offered"]} >= {"MOVE", "UIDPLUS", "IDLE"}
    assert said["next"][1:] == [
        "cubbyd --config out.toml dataset split examples.jsonl --80-20 --out sets",
        f"cubbyd --config out.toml train sets/train.jsonl --out {tmp_path / 'cubbyd.model'}",
        "cubbyd --config out.toml check",
        "cubbyd --config out.toml rehearse --trained-on sets/train.jsonl",
    ]
    written = tomllib.loads((tmp_path / "out.toml").read_text())
    assert written["mailboxes"]["office"]["password_env"] == "OFFICE_PASSWORD"
    assert "login: accepted" in init(tmp_path, "--config", "out.toml", "check", code=78).stdout


WORDS = {
    "INBOX.Absence": "ill fever sick home doctor cough today tomorrow rest thermometer",
    "INBOX.Office.Billing": "invoice tuition receipt payment account bank transfer refund amount due",
}


def test_the_next_commands_work_as_they_are_printed_up_to_the_rehearsal(
    tmp_path: Path, dovecots: dict[str, Dovecot], user: str
) -> None:
    server, draw = start_dovecot(dovecots, MAILDIRPP), random.Random(7)
    answer(tmp_path, server, user)
    with Outside(server, user) as outside:
        for folder, words in WORDS.items():
            outside.make_folder(folder)
            for number in range(60):
                some = " ".join(draw.choices(words.split(), k=6) + draw.choices(LETTERS, k=12))
                raw = mail(some[:30], number=number + 1000 * len(folder), body=some)
                sender = f"parent{folder[-3:]}{number}@example.com".encode()
                outside.deliver(raw.replace(b"ann@example.com", sender), folder=folder)
        before = snapshot(outside)

        done = init(tmp_path, "init", "--answers", "answers.toml").stdout
        commands = [line.partition(": ")[2] for line in done.splitlines() if line.startswith(("Next: ", "then: "))]
        printed = [init(tmp_path, *shlex.split(command)[1:]).stdout for command in commands]

        assert snapshot(outside) == before
    assert [shlex.split(command)[1] for command in commands] == ["dataset", "dataset", "train", "check", "rehearse"]
    assert [one.folder for one in load_config(tmp_path / "cubbyd.toml").taxonomy] == ["Absence", "Office/Billing"]
    assert "Everything is ready" in printed[-2]
    assert "left out are 96 that were trained on" in printed[-1]
    assert "! " not in printed[-1], "nothing flatters"


def test_a_credential_is_named_and_the_password_that_was_typed_is_not_kept(
    tmp_path: Path, dovecot: Dovecot, user: str, outside: Outside
) -> None:
    outside.make_folder("Extra")

    person = Terminal(tmp_path, "init")
    for question, keys in (
        ("IMAP server", "localhost"),
        ("Security", "plain"),
        ("Port", str(dovecot.port)),
        ("User name", user),
        ("Name of this", ""),
        ("Read it from", "credential"),
        ("Which credential", "mail"),
        ("it is not shown", PASSWORD),
        ("Folder to watch", ""),
        ("Their numbers", ""),
    ):
        person.wait_for(question)
        person.press(f"{keys}\r")
    assert "read from the credential mail; it was not kept" in person.wait_for("rehearse --trained-on")
    assert person.close() == 0

    assert [file.name for file in tmp_path.iterdir()] == ["cubbyd.toml"]
    assert PASSWORD not in (tmp_path / "cubbyd.toml").read_text().replace("/run/secrets", "")
    assert load_config(tmp_path / "cubbyd.toml").mailboxes["office"].password_credential == "mail"


def test_nothing_is_overwritten_and_no_question_is_asked_first(tmp_path: Path, dovecot: Dovecot, user: str) -> None:
    (tmp_path / "cubbyd.toml").write_text("mine")
    answer(tmp_path, dovecot, user)

    assert "nothing is overwritten" in init(tmp_path, "init", code=1).stderr
    assert "nothing is overwritten" in init(tmp_path, "init", "--answers", "answers.toml", code=1).stderr

    assert (tmp_path / "cubbyd.toml").read_text() == "mine"
    assert "no such folder" in init(tmp_path, "--config", "gone/c.toml", "init", code=1).stderr


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(
    ("top", "more", "code", "said"),
    [
        ("", 'password_file = "wrong"', 77, "check username and password"),
        ("", 'password_file = "open"', 78, "can be read by others"),
        ('leave_out = ["Gardn"]', 'password_env = "OFFICE_PASSWORD"', 78, "leave_out: found 'Gardn'; no such folder; it has"),
        ('leave_out = ["Garden", "Billing"]', 'password_env = "OFFICE_PASSWORD"', 78, "starter_categories = true"),
        ("", 'password_env = "OFFICE_PASSWORD"\ninbox = "gone"', 69, "opening gone"),
        ("", 'password_env = "NOT_SET"', 78, "NOT_SET is not set"),
    ],
)
def test_answers_that_do_not_work_end_with_a_sentence_and_without_a_file(
    tmp_path: Path, dovecot: Dovecot, user: str, top: str, more: str, code: int, said: str
) -> None:
    for name, mode in (("wrong", 0o600), ("open", 0o644)):
        (tmp_path / name).write_text("lettuce")
        (tmp_path / name).chmod(mode)
    answer(tmp_path, dovecot, user, top=top, more=more)

    done = init(tmp_path, "init", "--answers", "answers.toml", code=code)

    assert said in done.stderr
    assert "lettuce" not in done.stderr
    assert not (tmp_path / "cubbyd.toml").exists()


def test_an_account_without_folders_begins_with_the_sample_facility(tmp_path: Path, dovecot: Dovecot, user: str) -> None:
    answer(tmp_path, dovecot, user, top="starter_categories = true")

    said = init(tmp_path, "init", "--answers", "answers.toml").stdout

    assert "14 categories" in said
    assert len(load_config(tmp_path / "cubbyd.toml").taxonomy) == 14
