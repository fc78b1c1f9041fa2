"""An undo killed after each step: the connection cut, or the process gone, at every command and every commit.

After each of these deaths the daemon is started again; every mail is then in one place, and an undo takes back what is left.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.crash.dying import Death, DyingJournal, Fuse
from tests.rig import Office, rules, words_classifier
from tests.undoing import ALL, MAILS, later, live, places, server, states, undo, with_context

from cubbyd.errors import MailboxUnavailable
from cubbyd.filing.undo import UndoContext, survey, take_back
from cubbyd.journal import Selection
from cubbyd.lifecycle import State
from cubbyd.testing import DELETED, FakeServer, HandClock

pytestmark = pytest.mark.slow


@pytest.fixture
def found() -> FakeServer:
    return server()


@pytest.fixture
def office(tmp_path: Path, found: FakeServer) -> Office:
    """Three mails are filed, and one is left in the inbox."""
    made = Office(state=tmp_path / "state", connect=found.connect, clock=HandClock())
    made.run()
    later(made)
    return made


COMMITS = ("advance", "note_back", "begin_undo")


def die_undoing(office: Office, found: FakeServer, fuse_for: str, burns_at: int | None, *, again: bool) -> list[str]:
    commands = fuse_for == "commands"
    fuse = Fuse(burns_at, (lambda: MailboxUnavailable("cut")) if commands else Death)
    if commands:
        found.fault = fuse

    def work(context: UndoContext) -> None:
        if not commands:
            context = replace(context, journal=DyingJournal(context.journal, fuse, COMMITS))  # type: ignore[arg-type]
        where = survey(context, context.journal.undoable("office", ALL))
        number = context.journal.begin_undo(ALL, office.clock.now(), again=again)
        take_back(context, where, undo=number, again=again)

    try:
        with_context(office, work)
    except (Death, MailboxUnavailable):
        pass
    finally:
        found.fault = lambda _: None
    later(office)
    return fuse.steps


SETUPS = {
    "move": (rules(), {}),
    "copy and expunge": (rules(), {"move": False}),
    "copy without uidplus": (rules(), {"move": False, "uidplus": False}),
    "label and move": (rules(label=True), {}),
    "label": (rules(move=False, label=True), {}),
}


def filed(folder: Path, setup: str) -> tuple[Office, FakeServer]:
    wanted, capabilities = SETUPS[setup]
    found = server(**capabilities)
    office = Office(state=folder, connect=found.connect, rules=wanted, clock=HandClock())
    office.run()
    later(office)
    for one in found.folders.values():  # without UIDPLUS originals lie there marked; a client's expunge takes them
        one.mails = {uid: each for uid, each in one.mails.items() if DELETED not in each.flags}
    return office, found


@pytest.mark.parametrize("fuse_for", ["commands", "commits"])
@pytest.mark.parametrize("setup", SETUPS)
def test_whatever_step_it_dies_at_every_mail_is_in_one_place_and_an_undo_finishes(
    setup: str, fuse_for: str, tmp_path: Path
) -> None:
    counted, on = filed(tmp_path / "count", setup)
    steps = die_undoing(counted, on, fuse_for, None, again=False)
    assert len(steps) > 5
    for burns_at in range(1, len(steps) + 1):
        office, found = filed(tmp_path / str(burns_at), setup)
        die_undoing(office, found, fuse_for, burns_at, again=False)
        at = f"died at {steps[burns_at - 1]}"

        office.run()  # the daemon, started again
        later(office)
        assert not [record for record in office.records() if record.state is State.UNDOING], at
        assert Counter({name: count for (_, name), count in live(found).items()}) == Counter(dict.fromkeys(MAILS, 1)), at
        undo(office)
        office.run(full_scan=True)

        assert live(found) == Counter({("INBOX", name): 1 for name in MAILS}), at
        ours = {flag for one in found.folders["INBOX"].mails.values() for flag in one.flags if flag.startswith("cubbyd")}
        assert not ours, at
        assert office.run(full_scan=True).became == {}, at


def test_a_death_in_the_middle_of_a_move_back_leaves_both_copies_and_one_is_removed(office: Office, found: FakeServer) -> None:
    billing = dict(found.folders["Billing"].mails)

    def half_a_move(command: str) -> None:
        if command == "move:done" and not found.folders["Billing"].mails:
            found.folders["Billing"].mails |= billing
            raise MailboxUnavailable("killed")

    found.fault = half_a_move
    with pytest.raises(MailboxUnavailable):
        undo(office, Selection(category="billing"))
    found.fault = lambda _: None
    assert places(found)["INBOX", "the invoice"] == places(found)["Billing", "the invoice"] == 1

    office.run()

    assert places(found)["INBOX", "the invoice"] == 1
    assert places(found)["Billing", "the invoice"] == 0


def test_a_begun_undo_is_finished_also_with_again(office: Office, found: FakeServer) -> None:
    die_undoing(office, found, "commits", 6, again=True)
    assert State.UNDOING in states(office)
    office.classifier = words_classifier(ill="meals", invoice="meals")
    office.run()
    later(office)
    assert places(found)["INBOX", "hello"] == 1
    assert not [one for one in places(found) if one[0] == "INBOX" and one[1] != "hello"]
