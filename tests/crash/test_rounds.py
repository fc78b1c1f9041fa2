"""Round after round: the daemon, the server's process, or both are killed while staff move, read, flag and delete the same mail.

    CUBBYD_ROUNDS=200 make test-slow

After each round one clean pass follows, and everything is asked from outside, on the server.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.crash.test_kill import lines, start
from tests.dovecot import DOVECOT, MAILDIR, Dovecot
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS
from tests.rig import FOLDERS, WORDS

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

ROUNDS = int(os.environ.get("CUBBYD_ROUNDS", "15"))
MAILS = 80
WATCH = "Staff"
FOREIGN = "not ours to delete"
STALE_LOCK_SECONDS = 300
"""A Dovecot session that is killed can leave a lock file, which the others wait for: two minutes at most. A pass waits for one."""
RACES = 1
"""Mails of a round that Dovecot may leave in two places: two clients that move the same mail in the same moment get a copy each,
and neither is told. Seen in three of 460 rounds."""
SEED = int(os.environ.get("CUBBYD_SEED", "20261121"))


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    if DOVECOT is None:
        pytest.skip("no Dovecot on this machine: apt-get install dovecot-imapd")
    with Dovecot(MAILDIR) as running:
        yield running


@dataclass(slots=True)
class Staff:
    """A person at work in the same inbox, through a connection of their own."""

    server: Dovecot
    user: str
    dice: random.Random
    moved: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    is_there: threading.Event = field(default_factory=threading.Event)
    goes: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        with Outside(self.server, self.user) as client:
            self.is_there.set()
            while not self.goes.is_set():
                inbox = {uid: subject for uid, subject in client.subjects_by_uid("INBOX").items() if subject != FOREIGN}
                if not inbox:
                    return
                uid, subject = self.dice.choice(sorted(inbox.items()))
                self._act(client, uid, subject)
                time.sleep(self.dice.random() * 0.01)

    def _act(self, client: Outside, uid: int, subject: str) -> None:
        with suppress(AssertionError):  # the daemon was quicker, and the server said NO
            match self.dice.randrange(4):
                case 0:
                    self.moved.add(subject)
                    client.drag(uid, "INBOX", WATCH)
                case 1:
                    self.deleted.add(subject)
                    client.delete(uid, "INBOX")
                case 2:
                    self.read.add(subject)
                    client.store("INBOX", str(uid), "\\Seen")
                case _:
                    client.store("INBOX", str(uid), "\\Flagged")


def sessions(server: Dovecot) -> set[int]:
    """Give the process ids of the server's IMAP sessions; their title names the instance."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                title = (entry / "cmdline").read_bytes()
                if title.startswith(f"dovecot-{server.folder.name}/imap".encode()) and b"login" not in title:
                    found.add(int(entry.name))
    return found


@pytest.mark.parametrize("number", range(ROUNDS))
def test_after_every_death_each_mail_is_in_one_place_and_what_people_did_stands(
    server: Dovecot, number: int, tmp_path: Path
) -> None:
    dice = random.Random(SEED + number)
    user, state, log = f"round{number}x{os.getpid()}", tmp_path / "state", tmp_path / "asked"
    words = list(WORDS)
    wanted = {f"mail {n} about {words[n % 3]}": FOLDERS[str(WORDS[words[n % 3]])] for n in range(MAILS)}
    with Outside(server, user) as outside:
        outside.deliver(*(mail(subject, number=n) for n, subject in enumerate(wanted)))
        outside.deliver(mail(FOREIGN, number=999))
        outside.store("INBOX", str(MAILS + 1), "\\Deleted")
        staff = Staff(server, user, random.Random(SEED - number))
        thread = threading.Thread(target=staff.work)
        thread.start()
        assert staff.is_there.wait(PATIENCE_SECONDS)
        mine = sessions(server)
        daemon = start(server, user, state, log)
        time.sleep(0.5 + dice.random() * 0.9)
        victim = dice.choice(["daemon", "server", "both"])
        if victim != "daemon":
            for session in sessions(server) - mine:
                with suppress(ProcessLookupError):
                    os.kill(session, signal.SIGKILL)
        if victim != "server":
            daemon.kill()
        daemon.communicate()
        staff.goes.set()
        thread.join()
        pass_to_the_end(server, user, state, log)
        check(outside, staff, wanted, lines(log))


def pass_to_the_end(server: Dovecot, user: str, state: Path, log: Path) -> None:
    """One clean pass; tried again, as the daemon does it, where it gave up waiting for the lock of a session that was killed."""
    for _ in range(3):
        last = start(server, user, state, log)
        _, said = last.communicate(timeout=STALE_LOCK_SECONDS)
        if b"no answer in time" not in said:
            break
    assert last.returncode == 0, said.decode()


def check(outside: Outside, staff: Staff, wanted: dict[str, str], asked: list[str]) -> None:
    places = {
        (subject, folder): number
        for folder, subjects in outside.everything().items()
        for subject, number in Counter(subjects).items()
    }
    raced: list[str] = []
    for subject, folder in wanted.items():
        here = {place: number for (name, place), number in places.items() if name == subject}
        if subject in staff.deleted:
            assert here in ({}, {folder: 1}), f"{subject}: {here}, and a person deleted it"
        elif subject in staff.moved:
            if here == {WATCH: 1, folder: 1}:
                raced.append(subject)
            else:
                assert here in ({WATCH: 1}, {folder: 1}), f"{subject}: {here}, and a person moved it"
        else:
            assert here == {folder: 1}, f"{subject}: {here}"
    assert len(raced) <= RACES, f"{raced} are in two places"
    assert places[FOREIGN, "INBOX"] == 1
    assert outside.seen() <= len(staff.read)
    again = Counter(asked)
    assert sum(again.values()) - len(again) <= 1, "only an answer that was not on disk yet may be asked for again"
