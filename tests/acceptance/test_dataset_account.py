"""Years of filing become training data: the installed command reads the folders of a Dovecot, changes nothing, and resumes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.conftest import start_dovecot
from tests.dovecot import MAILDIRPP, Dovecot
from tests.mail import Outside, mail

pytestmark = pytest.mark.dovecot

FOLDERS = {
    "Absence": ["Emma is ill", "Noah has a fever"],
    "Billing": ["the invoice is wrong"],
    "Entw&APw-rfe": ["half a letter"],
    "Sent": ["Re: the invoice"],
    "Garden": ["who mows the lawn"],
}


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str) -> Cubbyd:
    return Cubbyd(tmp_path, dovecot, user)


def fill(outside: Outside, folders: dict[str, list[str]] = FOLDERS) -> None:
    for folder, subjects in folders.items():
        outside._client.create(folder)
        raw = [mail(subject, number=number, body=f"{subject}, says Ann") for number, subject in enumerate(subjects, 1)]
        outside.deliver(*raw, folder=folder)
    outside.deliver(mail("unfiled"))


def examples(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_folders_become_labels_and_nothing_changes_on_the_server(cubbyd: Cubbyd, outside: Outside) -> None:
    fill(outside)
    flags = {folder: outside.flags(folder) for folder in ("INBOX", *FOLDERS)}

    done = cubbyd("dataset", "import", "imap:office", "--out", "e.jsonl", "--json")

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {reason["reason"]: reason["first"] for reason in result["skipped"]} == {
        "the inbox: nobody has filed its mail": ["INBOX"],
        "folder of drafts, by its name": ["Entwürfe"],
        "folder of sent mail, by its name": ["Sent"],
        "folder of no category; name it in --map, or take --all-folders": ["Garden"],
    }
    assert sorted((one["subject"], one["label"], one["origin"]) for one in examples(cubbyd.folder / "e.jsonl")) == [
        ("Emma is ill", "absence", "real"),
        ("Noah has a fever", "absence", "real"),
        ("the invoice is wrong", "billing", "real"),
    ]
    assert (cubbyd.folder / "e.jsonl").stat().st_mode & 0o777 == 0o600
    assert {folder: outside.flags(folder) for folder in ("INBOX", *FOLDERS)} == flags
    assert sorted(file.name for file in cubbyd.folder.glob("e.jsonl*")) == ["e.jsonl"]


def test_a_list_says_what_other_folders_mean(cubbyd: Cubbyd, outside: Outside) -> None:
    fill(outside)
    (cubbyd.folder / "map").write_text("Garden = meals\n")

    done = cubbyd("dataset", "import", "imap:office", "--map", "map", "--out", "e.jsonl")

    assert done.returncode == 0, done.stderr
    assert ("who mows the lawn", "meals") in [(one["subject"], one["label"]) for one in examples(cubbyd.folder / "e.jsonl")]


def test_a_server_with_a_prefix_and_dots_has_the_same_folders(tmp_path: Path, dovecots: dict[str, Dovecot], user: str) -> None:
    server = start_dovecot(dovecots, MAILDIRPP)
    with Outside(server, user) as outside:
        fill(outside, {"INBOX.Absence": ["Emma is ill"], "INBOX.Trash": ["old"]})
    cubbyd = Cubbyd(tmp_path, server, user)

    done = cubbyd("dataset", "import", "imap:office", "--out", "e.jsonl")

    assert done.returncode == 0, done.stderr
    assert [(one["subject"], one["label"]) for one in examples(tmp_path / "e.jsonl")] == [("Emma is ill", "absence")]


def test_an_import_that_was_killed_goes_on_and_loses_or_doubles_nothing(cubbyd: Cubbyd, outside: Outside) -> None:
    subjects = [f"Emma is ill, day {number}" for number in range(400)]
    fill(outside, {"Absence": subjects, "Billing": ["the invoice is wrong"]})
    command = cubbyd.command("dataset", "import", "imap:office", "--out", "e.jsonl")
    memory, unfinished = cubbyd.folder / "e.jsonl.progress", cubbyd.folder / "e.jsonl.unfinished"
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cubbyd.folder)
    until = time.monotonic() + 30
    while not memory.exists() and running.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    running.send_signal(signal.SIGKILL)
    running.wait(timeout=10)
    assert memory.exists(), "it was over before it could be killed"
    with unfinished.open("ab") as stream:
        stream.write(b'{"subject": "half a li')  # as a crash in the middle of a chunk leaves it

    done = cubbyd("dataset", "import", "imap:office", "--out", "e.jsonl")

    assert done.returncode == 0, done.stderr
    assert "going on behind" in done.stderr
    found = [one["subject"] for one in examples(cubbyd.folder / "e.jsonl")]
    assert sorted(found) == sorted([*subjects, "the invoice is wrong"])
    assert not memory.exists()


def test_progress_of_another_account_is_not_gone_on_with(cubbyd: Cubbyd, outside: Outside) -> None:
    fill(outside)
    (cubbyd.folder / "e.jsonl.progress").write_text('{"format": 1, "account": "other", "folders": {}}')

    done = cubbyd("dataset", "import", "imap:office", "--out", "e.jsonl")

    assert done.returncode == 1
    assert "e.jsonl.progress: is of another import; delete it and e.jsonl.unfinished to begin again" in done.stderr


def test_an_account_that_is_not_configured_is_a_fault_of_the_configuration(cubbyd: Cubbyd) -> None:
    done = cubbyd("dataset", "import", "imap:offcie", "--out", "e.jsonl")

    assert done.returncode == 78
    assert "no such mailbox; give one of imap:office" in done.stderr
