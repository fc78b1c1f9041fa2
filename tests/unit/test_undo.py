"""What was filed is taken back: by one mail, a run, a category, a time, a model; what a person touched since is left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.mail import RECEIVED, mail
from tests.rig import Office, rules, words_classifier
from tests.undoing import MAILS, flags, later, live, look, places, server, states, undo, with_context

from cubbyd.errors import CommandRefused, CubbydError, MailboxUnavailable
from cubbyd.filing.undo import Fate, UndoContext, finish, survey, take_back
from cubbyd.journal import Record, Selection
from cubbyd.lifecycle import State
from cubbyd.testing import DELETED, FakeServer, HandClock


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


# --- what is taken back ------------------------------------------------------------------------------------------------


def test_everything_goes_back_and_the_next_passes_leave_it_there(office: Office, found: FakeServer) -> None:
    assert places(found) == Counter({(folder, name): 1 for name, folder in MAILS.items()})

    assert len(undo(office).undone) == 3

    assert places(found) == Counter({("INBOX", name): 1 for name in MAILS})
    for _ in range(2):
        office.run(full_scan=True)
        later(office)
    assert places(found) == Counter({("INBOX", name): 1 for name in MAILS})
    assert states(office) == {State.UNDONE: 3, State.HELD: 4}
    assert Counter(record.hold for record in office.records() if record.state is State.HELD) == {
        "taken back by an undo": 3,
        "unsure": 1,
    }


def test_nobody_asks_the_classifier_again_for_what_was_taken_back(office: Office) -> None:
    undo(office)
    office.classifier = words_classifier()
    office.run()
    assert office.classifier.asked == []


def test_with_again_a_better_model_files_it_anew(office: Office, found: FakeServer) -> None:
    undo(office, Selection(category="absence"), again=True)
    office.classifier = words_classifier(ill="meals")

    office.run()
    later(office)
    office.run(full_scan=True)

    assert places(found) == Counter(
        {("Meals", "ill again"): 1, ("Meals", "ill today"): 1, ("Billing", "the invoice"): 1, ("INBOX", "hello"): 1}
    )
    assert sorted(office.classifier.asked) == ["ill again", "ill today"]


def test_what_was_filed_anew_and_put_back_by_a_person_stays_there(office: Office, found: FakeServer) -> None:
    undo(office, Selection(category="billing"), again=True)
    office.run()
    later(office)
    found.drag(max(found.folders["Billing"].mails), "Billing", "INBOX")
    office.run()
    assert ("INBOX", "the invoice") in places(found)


@pytest.mark.parametrize(
    ("wanted", "back"),
    [
        (Selection(uid=3), {"the invoice"}),
        (Selection(category="absence"), {"ill again", "ill today"}),
        (Selection(run=1), {"ill again", "ill today", "the invoice"}),
        (Selection(run=2), {"no milk"}),
        (Selection(model="words-1"), {"ill again", "ill today", "the invoice", "no milk"}),
        (Selection(model="words-2"), set()),
        (Selection(run=1, category="billing"), {"the invoice"}),
        (Selection(category="pickup"), set()),
    ],
    ids=lambda value: ", ".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_a_selection_takes_back_what_fits_it_and_nothing_else(
    office: Office, found: FakeServer, wanted: Selection, back: set[str]
) -> None:
    found.deliver(mail("no milk", number=9), RECEIVED)
    office.run()
    undo(office, wanted)
    assert {name for folder, name in places(found) if folder == "INBOX"} == back | {"hello"}


def test_a_time_range_counts_from_when_the_mail_was_filed(office: Office, found: FakeServer) -> None:
    later(office, 3600)
    noon = office.clock.now()
    found.deliver(mail("no milk", number=9), RECEIVED)
    office.run()
    assert {one.record.category for one in look(office, Selection(until=noon))} == {"absence", "billing"}
    assert {one.record.category for one in look(office, Selection(since=noon))} == {"meals"}


def test_mail_in_the_review_folder_comes_back_too(tmp_path: Path, found: FakeServer) -> None:
    office = Office(state=tmp_path / "review", connect=found.connect, rules=rules(review="Review"), clock=HandClock())
    office.run()
    undo(office)
    assert places(found) == Counter({("INBOX", name): 1 for name in MAILS})


@pytest.mark.parametrize("capabilities", [{}, {"move": False}, {"move": False, "uidplus": False}], ids=str)
def test_any_server_gives_its_mail_back(tmp_path: Path, capabilities: dict[str, bool]) -> None:
    found = server(**capabilities)
    office = Office(state=tmp_path / "state", connect=found.connect, clock=HandClock())
    office.run()
    later(office)
    undo(office)
    office.run()
    assert live(found) == Counter({("INBOX", name): 1 for name in MAILS})


def test_days_later_on_a_renumbered_folder_the_mail_is_found_by_what_it_is(office: Office, found: FakeServer) -> None:
    later(office, 9 * 86_400)
    found.renumber("Absence")
    found.folders["Absence"].add(found.folders["Absence"].mails.pop(1))
    undo(office)
    assert places(found) == Counter({("INBOX", name): 1 for name in MAILS})


# --- keywords ----------------------------------------------------------------------------------------------------------


def test_our_keywords_go_and_those_of_people_stay(tmp_path: Path, found: FakeServer) -> None:
    office = Office(state=tmp_path / "labels", connect=found.connect, rules=rules(label=True), clock=HandClock())
    office.run()
    found.folders["Billing"].mails[1].flags |= {"$label1", "\\Seen"}
    assert "cubbyd-billing" in flags(found, "Billing")["the invoice"]

    undo(office)

    assert flags(found, "INBOX")["the invoice"] == {"$label1", "\\Seen"}
    assert flags(found, "INBOX")["ill again"] == set()


@pytest.mark.parametrize("again", [False, True])
def test_labeled_mail_in_the_inbox_loses_its_label_and_gets_another_only_where_that_is_wanted(
    tmp_path: Path, found: FakeServer, *, again: bool
) -> None:
    labeling = rules(move=False, label=True)
    office = Office(state=tmp_path / "labels", connect=found.connect, rules=labeling, clock=HandClock())
    office.run()
    undo(office, Selection(category="absence"), again=again)
    assert flags(found, "INBOX")["ill again"] == set()
    office.classifier = words_classifier(ill="meals")

    office.run(full_scan=True)

    assert flags(found, "INBOX")["ill again"] == ({"cubbyd-meals"} if again else set())
    assert flags(found, "INBOX")["the invoice"] == {"cubbyd-billing"}


# --- people ------------------------------------------------------------------------------------------------------------


def test_what_people_moved_or_deleted_since_is_left_alone_and_said_where(office: Office, found: FakeServer) -> None:
    absence = found.folders["Absence"]
    first, second = sorted(absence.mails)
    found.drag(first, "Absence", "Desk")
    absence.mails[second].flags.add(DELETED)
    found.folders["Billing"].mails.clear()
    before = places(found)

    fates = {one.record.uid: (one.fate, one.folder) for one in look(office)}
    undo(office)

    assert fates == {1: (Fate.ELSEWHERE, "Desk"), 2: (Fate.DELETED, "Absence"), 3: (Fate.GONE, None)}
    assert places(found) == before
    assert states(office)[State.FILED] == 3


def test_what_a_person_put_back_already_is_left_alone(office: Office, found: FakeServer) -> None:
    found.drag(1, "Billing", "INBOX")
    (billing,) = look(office, Selection(category="billing"))
    assert (billing.fate, billing.folder) == (Fate.ELSEWHERE, "INBOX")


def test_what_a_person_takes_between_the_look_and_the_deed_is_let_go_of(office: Office, found: FakeServer) -> None:
    def work(context: UndoContext) -> None:
        where = survey(context, context.journal.undoable("office", Selection(category="billing")))
        found.drag(1, "Billing", "Desk")
        take_back(context, where, undo=1, again=False)

    with_context(office, work)

    assert ("Desk", "the invoice") in places(found)
    assert states(office)[State.GONE] == 1


def test_a_look_changes_nothing(office: Office, found: FakeServer) -> None:
    before = places(found), office.records()
    assert [one.fate for one in look(office)] == [Fate.BACK] * 3
    assert (places(found), office.records()) == before


def test_of_two_mails_that_differ_in_nothing_each_comes_back_once(tmp_path: Path) -> None:
    found = FakeServer()
    for _ in range(2):
        found.deliver(mail("ill again"), RECEIVED)
    office = Office(state=tmp_path / "state", connect=found.connect, clock=HandClock())
    office.run()
    later(office)
    undo(office, Selection(uid=1), again=True)
    office.run()
    later(office)
    assert places(found) == {("Absence", "ill again"): 2}
    undo(office)
    assert places(found) == {("INBOX", "ill again"): 2}


# --- servers that refuse, and processes that die -----------------------------------------------------------------------


def test_what_the_server_refuses_stays_filed_and_can_be_tried_again_by_the_same_words(
    office: Office, found: FakeServer
) -> None:
    until = office.clock.now()

    def full(command: str) -> None:
        if command == "move":
            raise CommandRefused("over quota", code="OVERQUOTA")

    found.fault = full
    problems: Sequence[CubbydError] = undo(office, Selection(until=until)).problems
    found.fault = lambda _: None

    assert {str(problem) for problem in problems} == {"over quota"}
    assert states(office)[State.FILED] == 3
    assert len(undo(office, Selection(until=until)).undone) == 3
    assert places(found) == Counter({("INBOX", name): 1 for name in MAILS})


def test_an_original_that_the_server_will_not_remove_is_tried_again_until_it_is_gone(tmp_path: Path) -> None:
    found = server(move=False)
    office = Office(state=tmp_path / "state", connect=found.connect, clock=HandClock())
    office.run()
    later(office)

    def no_right(command: str) -> None:
        if command == "expunge":
            raise CommandRefused("no right to delete", code="NOPERM")

    found.fault = no_right
    problems = undo(office, Selection(category="billing")).problems
    assert [str(problem) for problem in problems] == ["no right to delete"]
    assert [str(problem) for problem in office.run().problems] == ["no right to delete"], "and it shows in status"
    found.fault = lambda _: None

    office.run()

    assert live(found)["INBOX", "the invoice"] == 1
    assert live(found)["Billing", "the invoice"] == 0
    assert State.UNDOING not in states(office)


def test_an_original_stays_where_a_person_took_its_copy_meanwhile(tmp_path: Path) -> None:
    found = server(move=False)
    office = Office(state=tmp_path / "state", connect=found.connect, clock=HandClock())
    office.run()
    later(office)

    def cut(command: str) -> None:
        if command == "expunge":
            raise MailboxUnavailable("cut")

    found.fault = cut
    with pytest.raises(MailboxUnavailable):
        undo(office, Selection(category="billing"))
    found.fault = lambda _: None
    found.folders["INBOX"].mails.pop(max(found.folders["INBOX"].mails))

    office.run()

    assert places(found)["Billing", "the invoice"] == 1
    assert State.UNDOING not in states(office)


def test_keywords_that_the_server_will_not_take_off_keep_no_mail_from_coming_back(tmp_path: Path, found: FakeServer) -> None:
    office = Office(state=tmp_path / "labels", connect=found.connect, rules=rules(label=True), clock=HandClock())
    office.run()
    later(office)

    def no_right(command: str) -> None:
        if command == "store":
            raise CommandRefused("no right to label", code="NOPERM")

    found.fault = no_right
    problems = undo(office).problems

    assert [str(problem) for problem in problems] == ["no right to label"]
    assert places(found) == Counter({("INBOX", name): 1 for name in MAILS})
    assert states(office)[State.UNDONE] == 3


def test_a_move_of_which_the_server_says_nothing_is_looked_up(office: Office, found: FakeServer) -> None:
    class Silent(type(found.connect())):  # type: ignore[misc]
        def move(self, uids: Sequence[int], folder: str) -> dict[int, int]:
            super().move(uids, folder)
            return {}

    office.connect = lambda: Silent(found)
    assert len(undo(office).undone) == 3
    assert places(found) == Counter({("INBOX", name): 1 for name in MAILS})


# --- the record --------------------------------------------------------------------------------------------------------


def test_an_undo_is_on_record_with_what_it_was_asked_for(office: Office) -> None:
    undo(office, Selection(category="absence", mailbox="office"))
    journal = office.journal()
    (recorded,) = journal.undos()
    journal.close()
    assert (recorded.id, recorded.selection, recorded.again, recorded.mails) == (
        1,
        "--mailbox office --category absence",
        False,
        2,
    )
    back: list[Record] = [record for record in office.records() if record.undo_id == 1]
    assert [record.state for record in back] == [State.UNDONE, State.UNDONE]
    assert all(record.back_uid and record.filed_at for record in back)


def test_finishing_where_nothing_was_begun_touches_no_server(office: Office, found: FakeServer) -> None:
    commands: list[str] = []
    found.fault = commands.append
    with_context(office, finish)
    assert commands == []
