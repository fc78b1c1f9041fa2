"""Faults of the state file under the installed command: no room, held by somebody, lost. What the admin reads, and what is filed."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.dovecot import Dovecot
from tests.mail import Outside, mail

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

SUBJECTS = [f"{name} is ill today" for name in ("Emma", "Noah", "Mia", "Leo", "Ava", "Ben", "Zoe", "Max")] * 5


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str, model: Path) -> Cubbyd:
    shutil.copy(model, tmp_path / "cubbyd.model")
    with Outside(dovecot, user) as outside:
        outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS)))
    return Cubbyd(tmp_path, dovecot, user)


def run_once(cubbyd: Cubbyd, *, file_size: int | None = None) -> subprocess.CompletedProcess[str]:
    """One pass; with file_size no file of it can grow beyond so many bytes, as if the disk were full."""

    def limit() -> None:
        if file_size:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    command = cubbyd.command("run", "--once", "--json")
    return subprocess.run(
        command, preexec_fn=limit, capture_output=True, text=True, cwd=cubbyd.folder, timeout=120, check=False
    )


def check_all_filed(cubbyd: Cubbyd, dovecot: Dovecot, user: str) -> None:
    done = run_once(cubbyd)
    assert done.returncode == 0, done.stderr
    with Outside(dovecot, user) as outside:
        assert outside.everything().keys() == {"Absence"}
        assert sorted(outside.subjects("Absence")) == sorted(SUBJECTS)


@pytest.mark.parametrize("room", [0, 4, 20, 60, 120])
def test_a_full_disk_ends_the_pass_with_a_sentence_and_nothing_is_filed_twice_or_lost(
    cubbyd: Cubbyd, dovecot: Dovecot, user: str, room: int
) -> None:
    """room: kilobytes that the write-ahead log can still grow to; with none, not even the state file can be made."""
    if room:
        assert cubbyd("history").returncode in {0, 1}
    done = run_once(cubbyd, file_size=room * 1024 or 1)

    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert "cubbyd.sqlite" in done.stderr
    check_all_filed(cubbyd, dovecot, user)


def test_a_state_file_that_somebody_holds_is_named_and_nothing_is_lost(cubbyd: Cubbyd, dovecot: Dovecot, user: str) -> None:
    assert run_once(cubbyd, file_size=None).returncode == 0
    with Outside(dovecot, user) as outside:
        outside.deliver(mail("Tom is ill today", number=99, body="Tom is ill today"))
    held = sqlite3.connect(cubbyd.folder / "state" / "cubbyd.sqlite")
    held.execute("BEGIN IMMEDIATE")

    done = run_once(cubbyd)

    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert "locked" in done.stderr
    held.close()
    assert run_once(cubbyd).returncode == 0
    with Outside(dovecot, user) as outside:
        assert len(outside.subjects("Absence")) == len(SUBJECTS) + 1


def test_a_lost_state_file_files_no_mail_a_second_time(cubbyd: Cubbyd, dovecot: Dovecot, user: str) -> None:
    assert run_once(cubbyd).returncode == 0
    shutil.rmtree(cubbyd.folder / "state")

    check_all_filed(cubbyd, dovecot, user)
