"""`cubbyd undo` on a real Dovecot, as an admin meets it after a bad night."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cubbyd import NAMES, Cubbyd
from tests.dovecot import Dovecot
from tests.mail import Outside, mail

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

SUBJECTS = ["Emma is ill today", "the invoice for Noah is wrong", "Mia has a milk allergy"]


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str, model: Path) -> Cubbyd:
    shutil.copy(model, tmp_path / "cubbyd.model")
    return Cubbyd(tmp_path, dovecot, user, more='[filing]\naction = "move+label"')


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.fixture
def filed(cubbyd: Cubbyd, outside: Outside) -> Cubbyd:
    """Three mails are filed."""
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS)))
    assert cubbyd("run", "--once").returncode == 0
    assert set(outside.everything()) == {"Absence", "Billing", "Meals"}
    return cubbyd


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_run_is_taken_back_unread_without_our_keywords_and_stays(filed: Cubbyd, outside: Outside) -> None:
    done = filed("undo", "--run", "last", "--yes")
    assert done.returncode == 0, done.stderr
    assert "Undo 1: 3 of 3 mails are taken back." in done.stdout
    for _ in range(2):
        assert {folder: sorted(here) for folder, here in outside.everything().items()} == {"INBOX": sorted(SUBJECTS)}
        assert not [flag for flags in outside.flags("INBOX").values() for flag in flags if flag.startswith("cubbyd")]
        assert outside.seen() == 0
        assert filed("run", "--once").returncode == 0
    assert Counter(line["state"] for line in lines(filed("history", "--json"))) == {"undone": 3, "held": 3}
    assert {line["hold"] for line in lines(filed("history", "--state", "held", "--json"))} == {"taken back by an undo"}
    (listed,) = lines(filed("undo", "--list", "--json"))
    assert (listed["selection"], listed["mails"]) == ("--mailbox office --run 1", 3)


def test_a_dry_run_shows_where_each_mail_is_beside_a_running_daemon_and_changes_nothing(
    filed: Cubbyd, outside: Outside
) -> None:
    (uid,) = outside.uids("Meals")
    outside.drag(uid, "Meals", "Kitchen")
    before = outside.everything()
    daemon = filed.start()
    try:
        while "started" not in filed.events():
            time.sleep(0.05)
        found = lines(filed("undo", "--since", "1h", "--dry-run", "--json"))
        refused = filed("undo", "--since", "1h", "--yes")
    finally:
        daemon.terminate()
        daemon.wait()
    assert {line["category"]: (line["now_in"], line["takes_back"]) for line in found} == {
        "absence": ("Absence", True),
        "billing": ("Billing", True),
        "meals": ("Kitchen", False),
    }
    assert refused.returncode == 75
    assert outside.everything() == before


def test_one_mail_a_category_and_a_model_are_taken_back_and_what_people_moved_stays(filed: Cubbyd, outside: Outside) -> None:
    history = {line["category"]: line for line in lines(filed("history", "--json"))}
    (uid,) = outside.uids("Meals")
    outside.drag(uid, "Meals", "Kitchen")

    filed("undo", "--uid", str(history["billing"]["uid"]), "--yes")
    assert outside.subjects("INBOX") == [SUBJECTS[1]]
    filed("undo", "--category", "absence", "--yes")
    assert sorted(outside.subjects("INBOX")) == sorted(SUBJECTS[:2])
    model = filed("history").stdout.rsplit("of these decided by ", 1)[1].strip()
    said = filed("undo", "--model", model, "--yes")

    assert "a person moved it" in said.stdout
    assert "Nothing was changed." in said.stdout
    assert outside.everything() == {"INBOX": [SUBJECTS[1], SUBJECTS[0]], "Kitchen": [SUBJECTS[2]]}


def test_one_mail_is_taken_back_by_the_message_id_that_a_mail_client_shows(filed: Cubbyd, outside: Outside) -> None:
    outside.drag(outside.uids("Meals")[0], "Meals", "Kitchen")

    (meals,) = lines(filed("undo", "--message-id", "<2@example.com>", "--dry-run", "--json"))
    assert (meals["category"], meals["now_in"], meals["takes_back"]) == ("meals", "Kitchen", False)
    assert filed("undo", "--message-id", "1@example.com", "--yes").returncode == 0

    assert outside.everything() == {"Absence": [SUBJECTS[0]], "INBOX": [SUBJECTS[1]], "Kitchen": [SUBJECTS[2]]}
    assert "example.com" not in filed("undo", "--list").stdout
    assert "No filed mail on record fits." in filed("undo", "--message-id", "x@y", "--dry-run").stdout


def test_a_message_id_that_no_server_can_be_asked_for_is_wrong_usage(cubbyd: Cubbyd) -> None:
    refused = cubbyd("undo", "--message-id", "two words", "--dry-run")
    assert refused.returncode == 2
    assert "`cubbyd history` shows it" in refused.stderr


def test_with_again_the_next_pass_files_it_anew(filed: Cubbyd, outside: Outside) -> None:
    filed("undo", "--category", "billing", "--again", "--yes")
    assert outside.subjects("INBOX") == [SUBJECTS[1]]
    assert json.loads(filed("run", "--once", "--json").stdout)["filed"] == 1
    assert outside.subjects("Billing") == [SUBJECTS[1]]


def test_nothing_is_taken_back_that_was_not_asked_for_in_so_many_words(filed: Cubbyd, outside: Outside) -> None:
    before = outside.everything()
    for arguments, said in (
        (["--yes"], "what is to be taken back?"),
        (["--category", "billing"], "nobody is there to be asked"),
        (["--run", "first", "--yes"], "no number of a run"),
        (["--mailbox", "kitchen", "--since", "1h", "--yes"], "known: office"),
    ):
        done = filed("undo", *arguments)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "No filed mail on record fits." in filed("undo", "--category", "nothing", "--yes").stdout
    assert outside.everything() == before


def test_without_a_state_it_says_so(cubbyd: Cubbyd) -> None:
    done = cubbyd("undo", "--since", "1h", "--dry-run")
    assert done.returncode == 1
    assert "there is no state yet" in done.stderr


def test_with_the_server_down_it_says_so_and_everything_stays_on_record(filed: Cubbyd) -> None:
    filed.write(mailbox='host = "127.0.0.1"\nport = 1\nsecurity = "plain"')
    assert filed("undo", "--since", "1h", "--yes").returncode == 69
    filed.write()
    assert "Undo 1: 3 of 3" in filed("undo", "--since", "1h", "--yes").stdout


def test_killed_again_and_again_every_mail_comes_back_once(cubbyd: Cubbyd, outside: Outside) -> None:
    subjects = [f"{NAMES[number % len(NAMES)]} is ill today {number}" for number in range(300)]
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(subjects)))
    assert cubbyd("run", "--once").returncode == 0
    assert len(outside.subjects("Absence")) == 300
    dice, kills = random.Random(4), 0
    for _ in range(8):
        process = subprocess.Popen(
            cubbyd.command("undo", "--category", "absence", "--yes"), stdout=subprocess.DEVNULL, cwd=cubbyd.folder
        )
        before, until = outside.count_subjects(), time.monotonic() + 30
        while process.poll() is None and len(outside.uids("Absence")) == before.total() - len(outside.uids("INBOX")):
            assert time.monotonic() < until
        time.sleep(dice.random() * 0.08)
        kills += process.poll() is None
        process.kill()
        process.wait()
        if not outside.uids("Absence"):
            break
    assert kills, "it was too quick to be killed in the middle"
    assert cubbyd("run", "--once").returncode == 0
    assert cubbyd("undo", "--category", "absence", "--yes").returncode == 0
    assert cubbyd("run", "--once").returncode == 0
    assert sorted(outside.subjects("INBOX")) == sorted(subjects)
    assert outside.count_subjects() == Counter(subjects)
    assert not [flag for flags in outside.flags("INBOX").values() for flag in flags if flag.startswith("cubbyd")]
    assert outside.seen() == 0
