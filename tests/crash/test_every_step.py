"""Killed after each step: the connection cut, or the process gone, at every command and every commit of a pass.

After each of these deaths one clean pass follows, and the server itself is asked: every mail is in exactly one place, the
right one; nobody's mail is gone; and each mail was classified once, but where the death came between the classifier's
answer and its commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.crash.dying import Death, DyingJournal, Fuse
from tests.mail import RECEIVED, mail
from tests.rig import Office, rules, words_classifier

from cubbyd.errors import MailboxUnavailable
from cubbyd.journal import Journal
from cubbyd.lifecycle import State
from cubbyd.testing import DELETED, FakeServer, WordClassifier

MAILS = {
    "ill again": "Absence",
    "ill today": "Absence",
    "the invoice": "Billing",
    "no milk": "Meals",
    "hello": "INBOX",  # no category is sure enough
}
COMMITS = ("open_folder", "record_scan", "begin", "note_backlog", "claim", "identify", "advance", "postpone", "release")


def server(*, move: bool = True, uidplus: bool = True) -> FakeServer:
    made = FakeServer(move=move, uidplus=uidplus)
    for number, subject in enumerate(MAILS):
        made.deliver(mail(subject, number=number), RECEIVED)
    made.deliver(mail("somebody deletes this", number=99), RECEIVED)
    made.folders["INBOX"].mails[len(MAILS) + 1].flags.add(DELETED)
    return made


def places(found: FakeServer) -> Counter[tuple[str, str]]:
    return Counter((name, subject(one.raw)) for name, folder in found.folders.items() for one in folder.mails.values())


def subject(raw: bytes) -> str:
    return raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode()


SETUPS = {
    "move": (rules(), {}),
    "copy and expunge": (rules(), {"move": False}),
    "copy without uidplus": (rules(), {"move": False, "uidplus": False}),
    "label and move": (rules(label=True), {}),
}


def run_until_death(office: Office, fuse_for: str, burns_at: int | None) -> Fuse:
    wrap: Callable[[Journal], object]
    if fuse_for == "commits":
        fuse = Fuse(burns_at, Death)
        wrap = partial(DyingJournal, tick=fuse, commits=COMMITS)
    else:
        fuse = Fuse(burns_at, partial(MailboxUnavailable, "cut"))
        wrap = lambda journal: journal  # noqa: E731
    fake: FakeServer = office.connect.__self__  # type: ignore[attr-defined]
    fake.fault = fuse if fuse_for == "commands" else lambda _: None
    try:
        office.run(wrap=wrap)  # type: ignore[arg-type]
    except (Death, MailboxUnavailable):
        pass
    finally:
        fake.fault = lambda _: None
    return fuse


@pytest.mark.parametrize("fuse_for", ["commands", "commits"])
@pytest.mark.parametrize("setup", SETUPS)
def test_whatever_step_it_dies_at_every_mail_ends_in_one_right_place(setup: str, fuse_for: str, tmp_path: Path) -> None:
    wanted_rules, capabilities = SETUPS[setup]
    steps = run_until_death(
        Office(state=tmp_path / "count", connect=server(**capabilities).connect, rules=wanted_rules), fuse_for, None
    ).steps
    assert len(steps) > 5
    for burns_at in range(1, len(steps) + 1):
        found = server(**capabilities)
        classifier = words_classifier()
        office = Office(state=tmp_path / str(burns_at), connect=found.connect, rules=wanted_rules, classifier=classifier)
        run_until_death(office, fuse_for, burns_at)
        office.run()
        if burns_at % 5 == 0:
            assert not office.run().became
        check(found, office, classifier, at=steps[burns_at - 1], uidplus=capabilities.get("uidplus", True))


def check(found: FakeServer, office: Office, classifier: WordClassifier, *, at: str, uidplus: bool) -> None:
    expected = Counter({(folder, subject): 1 for subject, folder in MAILS.items()})
    expected["INBOX", "somebody deletes this"] = 1
    here = places(found)
    if not uidplus:  # where nothing can be expunged alone, our originals stay, marked, beside the other person's
        marked = {subject(one.raw) for one in found.folders["INBOX"].mails.values() if DELETED in one.flags}
        here -= Counter({("INBOX", name): 1 for name in marked if name in MAILS})
    assert here == expected, f"died at {at}"
    asked = Counter(classifier.asked)
    in_window = at in ("before advance", "after identify")  # the answer was given and not yet on disk
    assert set(asked) == set(MAILS), f"died at {at}"
    assert max(asked.values()) == 1 or in_window, f"died at {at}: {asked}"
    states = Counter(record.state for record in office.records())
    assert states[State.HELD] == 1, f"died at {at}: {states}"
    assert not [one for folder in found.folders.values() for one in folder.mails.values() if "\\Seen" in one.flags]


def test_a_death_in_the_middle_of_a_move_leaves_both_copies_and_one_is_removed(tmp_path: Path) -> None:
    """MOVE is not atomic on real servers: a killed server leaves mails in both folders."""
    found = server()
    office = Office(state=tmp_path / "state", connect=found.connect)

    def half_a_move(command: str) -> None:
        if command == "move:done":
            for folder in ("Absence", "Billing", "Meals"):
                for one in found.folders[folder].mails.values() if folder in found.folders else ():
                    found.folders["INBOX"].mails[_uid_of(one.raw)] = one
            raise MailboxUnavailable("killed")

    found.fault = half_a_move
    with pytest.raises(MailboxUnavailable):
        office.run()
    assert sum(places(found).values()) > len(MAILS) + 1
    found.fault = lambda _: None
    office.run()
    assert places(found) == Counter({(folder, name): 1 for name, folder in {**MAILS, "somebody deletes this": "INBOX"}.items()})


def _uid_of(raw: bytes) -> int:
    return list(MAILS).index(subject(raw)) + 1
