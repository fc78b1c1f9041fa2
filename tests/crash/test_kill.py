"""kill -9 in the middle of a pass over hundreds of mails on a real Dovecot, again and again, then one pass to the end."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.dovecot import Dovecot
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS
from tests.rig import FOLDERS, WORDS, Office

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

MAILS = 500
KILLS = 8


def subjects() -> dict[str, str]:
    """Each subject with the folder where it belongs; every tenth is for people."""
    words = list(WORDS)
    return {
        f"mail {number} about {'nothing' if number % 10 == 0 else words[number % 3]}": (
            "INBOX" if number % 10 == 0 else FOLDERS[str(WORDS[words[number % 3]])]
        )
        for number in range(MAILS)
    }


def start(dovecot: Dovecot, user: str, state: Path, log: Path) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "tests.crash.daemon_under_test"]
    arguments = ["127.0.0.1", str(dovecot.port), user, str(state), str(log)]
    return subprocess.Popen([*program, *arguments], cwd=ROOT, stderr=subprocess.PIPE)


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def test_killed_again_and_again_every_mail_ends_in_one_right_place_and_is_classified_once(
    dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    wanted = subjects()
    state, log = tmp_path / "state", tmp_path / "asked"
    with Outside(dovecot, user) as outside:
        outside.deliver(*(mail(subject, number=number) for number, subject in enumerate(wanted)))
        dice = random.Random(2)
        kills = 0
        for _ in range(KILLS):
            before = len(lines(log))
            daemon = start(dovecot, user, state, log)
            goal = before + dice.randrange(10, 60)
            while daemon.poll() is None and len(lines(log)) < goal:
                time.sleep(0.002)
            time.sleep(dice.random() * 0.05)
            kills += daemon.poll() is None
            daemon.kill()
            daemon.communicate()
        assert kills >= 3, "the daemon was too quick to be killed in the middle"
        last = start(dovecot, user, state, log)
        _, said = last.communicate(timeout=PATIENCE_SECONDS)
        assert last.returncode == 0, said.decode()
        assert {folder: sorted(here) for folder, here in outside.everything().items()} == by_folder(wanted)
        assert outside.seen() == 0
    asked = Counter(lines(log))
    assert set(asked) == set(wanted)
    assert sum(asked.values()) - len(asked) <= kills, "only an answer that was not on disk yet may be asked for again"
    states = Counter(record.state for record in Office(state=state, connect=lambda: None).records())  # type: ignore[arg-type,return-value]
    assert states == {"filed": MAILS * 9 // 10, "held": MAILS // 10}


def by_folder(wanted: dict[str, str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for subject, folder in wanted.items():
        folders.setdefault(folder, []).append(subject)
    return {folder: sorted(here) for folder, here in folders.items()}
