"""`cubbyd corrections` on a real Dovecot: staff drag mails to other folders, and the developer trains on what they said."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.dovecot import Dovecot
from tests.mail import Outside, mail

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

SUBJECTS = ["Emma is ill today", "the invoice for Noah is wrong", "Mia has a milk allergy"]


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str, model: Path, outside: Outside) -> Cubbyd:
    """Three mails are filed, and the folders are watched from now on."""
    shutil.copy(model, tmp_path / "cubbyd.model")
    made = Cubbyd(tmp_path, dovecot, user, more='[filing]\naction = "move"\nunsure = "review"')
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS)))
    assert made("run", "--once").returncode == 0
    assert set(outside.everything()) == {"Absence", "Billing", "Meals"}
    return made


def drag(outside: Outside, source: str, target: str) -> None:
    (uid,) = outside.uids(source)
    outside.drag(uid, source, target)


def a_quarter_of_an_hour_passes(cubbyd: Cubbyd) -> None:
    """Between two passes: what was seen at the first is old enough at the second."""
    assert cubbyd("run", "--once").returncode == 0
    with closing(sqlite3.connect(cubbyd.folder / "state" / "cubbyd.sqlite")) as state, state:
        state.execute("UPDATE sighting SET seen_at = datetime(seen_at, '-15 minutes') || '.000000'")
    assert cubbyd("run", "--once").returncode == 0


def test_what_staff_drag_to_another_folder_is_shown_and_becomes_examples(cubbyd: Cubbyd, outside: Outside) -> None:
    drag(outside, "Billing", "Absence")
    outside.drag(max(outside.uids("Absence")), "Absence", "Meals")  # the invoice went two ways
    drag(outside, "Absence", "Trash")
    a_quarter_of_an_hour_passes(cubbyd)
    before = outside.everything()

    shown = cubbyd("corrections")
    assert shown.returncode == 0, shown.stderr
    assert "Billing" in shown.stdout
    assert "people moved 1 mail to another category.\n" in shown.stdout
    found = cubbyd("corrections", "--json", "--out", "corrections.jsonl")
    assert found.returncode == 0, found.stderr
    counted, written = map(json.loads, found.stdout.splitlines())
    assert counted == {"mailbox": "office", "was": "billing", "category": "meals", "mails": 1}
    assert written == {"out": "corrections.jsonl", "examples": 1, "missing": 0}
    (example,) = map(json.loads, (cubbyd.folder / "corrections.jsonl").read_text().splitlines())
    assert (example["subject"], example["label"]) == ("the invoice for Noah is wrong", "meals")
    assert (cubbyd.folder / "corrections.jsonl").stat().st_mode & 0o777 == 0o600
    assert outside.everything() == before
    assert outside.seen() == 0

    (line,) = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines() if '"uid": 2' in line]
    assert line["moved_to"] == "meals"
    assert "Billing -> Meals" in cubbyd("digest", "--show").stdout


def test_nothing_moved_is_said_so_and_a_wrong_mailbox_too(cubbyd: Cubbyd) -> None:
    said = cubbyd("corrections")
    assert said.returncode == 0
    assert "people moved nothing that cubbyd knows." in said.stdout
    assert "Next" not in said.stdout
    assert cubbyd("corrections", "--mailbox", "nobody").returncode == 2


def test_a_mail_that_is_no_longer_there_is_missing_from_the_examples(cubbyd: Cubbyd, outside: Outside) -> None:
    drag(outside, "Billing", "Meals")
    a_quarter_of_an_hour_passes(cubbyd)
    outside.drag(max(outside.uids("Meals")), "Meals", "Trash")

    said = cubbyd("corrections", "--out", "corrections.jsonl")
    assert "Wrote 0 examples" in said.stdout
    assert "Left out: 1 mail no longer where a person put it" in said.stdout
