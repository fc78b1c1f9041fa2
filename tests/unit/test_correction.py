"""What people do with mail after it was decided: they drag a wrong one to the right folder, and cubbyd takes note of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.mail import RECEIVED, mail
from tests.rig import TAXONOMY, Office, rules
from tests.undoing import undo

from cubbyd.errors import CommandRefused, MailboxUnavailable
from cubbyd.journal.schema import shelf
from cubbyd.lifecycle import State
from cubbyd.taxonomy import Taxonomy
from cubbyd.testing import DELETED, FakeMessage, FakeServer, HandClock

FIVE_MINUTES = 300


class Day:
    """An office that files and is watched every five minutes, and its staff."""

    def __init__(self, folder: Path, *subjects: str, **how: object) -> None:
        self.clock, self.server = HandClock(), FakeServer()
        for name in ("Absence", "Billing", "Meals", "Review"):
            self.server.create(name)
        made = rules(review="Review")
        self.office = Office(
            state=folder / "state",
            connect=self.server.connect,
            clock=self.clock,
            rules=replace(made, **how),  # type: ignore[arg-type]
        )
        for number, subject in enumerate(subjects):
            self.server.deliver(mail(subject, number=number), RECEIVED)
        self.office.run(watch=True)

    def drag(self, source: str, target: str) -> None:
        self.server.drag(max(self.server.folders[source].mails), source, target)

    def copy(self, source: str, target: str) -> FakeMessage:
        original = self.server.folders[source].mails[max(self.server.folders[source].mails)]
        self.server.folders[target].add(FakeMessage(original.raw, original.received_at))
        return original

    def passes(self, count: int = 4) -> list[tuple[str | None, str | None]]:
        for _ in range(count):
            self.clock.advance(FIVE_MINUTES)
            self.office.run(watch=True)
        return self.office.moved_by_people()


def test_a_mail_that_was_filed_wrongly_and_dragged_to_the_right_folder_is_a_correction(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today", "invoice for October")
    day.drag("Absence", "Billing")

    assert day.passes() == [("absence", "billing")]
    assert day.passes(9) == [("absence", "billing")], "and it is one for ever"


def test_what_cubbyd_itself_files_is_none(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    for number in range(5):
        day.server.deliver(mail("ill again", number=10 + number), RECEIVED)
        assert day.passes(1) == []
    assert len(day.server.folders["Absence"].mails) == 6


def test_it_counts_once_it_has_stayed_there_for_ten_minutes(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    day.drag("Absence", "Billing")

    assert day.passes(2) == []  # seen at the first
    assert day.passes(1) == [("absence", "billing")]


def test_a_folder_that_the_drag_itself_made_is_looked_through_whole(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    del day.server.folders["Meals"]
    day.passes(1)
    day.drag("Absence", "Meals")

    assert day.passes() == [("absence", "meals")]


def test_a_folder_that_was_there_before_it_was_first_watched_says_nothing_of_that_time(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.server.deliver(mail("ill today"), RECEIVED)
    day.office.run()
    with closing(day.office.journal()) as journal, journal._engine.begin() as connection:
        connection.execute(shelf.delete())
    day.drag("Absence", "Billing")

    assert day.passes() == []


def test_only_where_the_dragging_ends_counts(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    day.drag("Absence", "Billing")
    day.passes(1)
    day.drag("Billing", "Meals")

    assert day.passes() == [("absence", "meals")]


def test_a_folder_that_mail_passed_through_between_two_looks_is_empty_again(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    day.drag("Absence", "Billing")
    day.drag("Billing", "Meals")

    assert day.passes() == [("absence", "meals")]


def test_a_mail_that_is_dragged_back_at_once_says_that_all_was_right(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    day.drag("Absence", "Billing")
    day.passes(1)
    day.drag("Billing", "Absence")

    assert day.passes() == [("absence", "absence")]


def test_a_correction_that_is_corrected_later_counts_from_where_it_was(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    day.drag("Absence", "Billing")
    day.passes()
    day.drag("Billing", "Meals")

    assert day.passes() == [("absence", "billing"), ("billing", "meals")]


def test_held_mail_that_a_person_files_is_one_and_so_is_filed_mail_that_a_person_takes_to_review(tmp_path: Path) -> None:
    day = Day(tmp_path, "hello", "ill today")
    day.drag("Review", "Meals")
    day.drag("Absence", "Review")

    assert sorted(day.passes(), key=str) == [("absence", None), (None, "meals")]


def test_a_copy_is_none(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    day.copy("Absence", "Billing")

    assert day.passes() == []
    day.drag("Absence", "Meals")
    assert day.passes() == [("absence", "meals")], "the original still tells"


def test_a_client_that_copies_first_and_marks_the_original_later_moves_it(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    original = day.copy("Absence", "Billing")
    day.passes(1)
    original.flags.add(DELETED)

    assert day.passes() == [("absence", "billing")]


def test_deleted_mail_and_mail_in_folders_of_the_staff_say_nothing(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today", "ill again", "invoice")
    day.server.create("Trash")
    day.drag("Absence", "Trash")
    day.drag("Billing", "Absence")
    day.passes(1)
    day.server.folders["Absence"].mails.popitem()

    assert day.passes() == []


def test_mail_that_a_person_files_by_hand_while_cubbyd_only_observes_tells_whether_it_would_have_been_right(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path, "ill today", "invoice", observe=True)
    day.drag("INBOX", "Billing")
    day.drag("INBOX", "Billing")

    assert sorted(day.passes(), key=str) == [("absence", "billing"), ("billing", "billing")]


def test_labeled_mail_that_a_person_files_is_compared_with_its_label(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today", move=False, label=True, review_folder=None)
    day.drag("INBOX", "Meals")

    assert day.passes() == [("absence", "meals")]


def test_mail_that_is_put_back_and_then_filed_by_a_person(tmp_path: Path) -> None:
    """The copy of a mail whose older place is empty must not be taken for a move from there."""
    day = Day(tmp_path, "ill today")
    day.drag("Absence", "INBOX")
    assert day.passes() == []
    day.drag("INBOX", "Billing")
    assert day.passes() == [(None, "billing")]
    day.copy("Billing", "Meals")

    assert day.passes() == [(None, "billing")]


def test_where_the_server_cannot_expunge_the_original_the_copy_tells(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.server.move = day.server.uidplus = False
    other = day.server.deliver(mail("hello", number=7), RECEIVED)
    day.server.folders["INBOX"].mails[other].flags.add(DELETED)  # so that an expunge would take it along
    day.server.deliver(mail("ill today"), RECEIVED)
    day.passes(1)
    day.drag("Absence", "Billing")

    assert day.passes() == [("absence", "billing")]
    assert {record.state for record in day.office.records()} >= {State.COPIED}


def test_of_two_deliveries_of_one_mail_each_counts_for_itself(tmp_path: Path) -> None:
    day = Day(tmp_path)
    for _ in range(2):
        day.server.deliver(mail("ill today"), RECEIVED)
    day.passes(1)
    day.drag("Absence", "Billing")
    assert day.passes() == [("absence", "billing")]
    day.drag("Absence", "Meals")

    assert day.passes() == [("absence", "billing"), ("absence", "meals")]


def test_what_an_undo_took_back_and_a_person_then_files_was_left_to_people(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    undo(day.office)
    day.passes(1)
    day.drag("INBOX", "Billing")

    assert day.passes() == [(None, "billing")]


def test_where_uidvalidity_changed_nobody_can_tell_and_nothing_is_said(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today", "invoice")
    day.drag("Absence", "Billing")
    day.server.renumber("Absence")
    assert day.passes() == []
    day.server.renumber("Meals")
    day.drag("Billing", "Meals")

    assert day.passes() == [], "what was in a folder when it was first seen is nobody's move"
    day.drag("Meals", "Absence")
    assert day.passes() == [], "its last place on record is void"


def test_a_folder_that_is_gone_or_refuses_keeps_no_other_from_being_watched(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today", "invoice")
    day.drag("Billing", "Absence")
    del day.server.folders["Billing"]

    def refuse(command: str) -> None:
        if command == "status" and day.clock.monotonic() > 2 * FIVE_MINUTES and len(refused) < 1:
            refused.append(command)
            raise CommandRefused("no")

    refused: list[str] = []
    day.server.fault = refuse

    assert day.passes() == [("billing", "absence")]
    assert refused


def test_a_category_that_shares_its_folder_is_not_corrected_by_a_move_there(tmp_path: Path) -> None:
    twins = Taxonomy(tuple(replace(one, folder="Meals") if one.id == "billing" else one for one in TAXONOMY))
    day = Day(tmp_path, "invoice", taxonomy=twins)
    day.drag("Meals", "Absence")
    day.passes()
    day.drag("Absence", "Meals")

    assert day.passes() == [("billing", "absence"), ("absence", "billing")]


def test_a_category_that_shares_its_folder_is_confirmed_by_a_move_there(tmp_path: Path) -> None:
    twins = Taxonomy(tuple(replace(one, folder="Meals") if one.id == "billing" else one for one in TAXONOMY))
    day = Day(tmp_path, "milk", taxonomy=twins, observe=True)
    day.drag("INBOX", "Meals")

    assert day.passes() == [("meals", "meals")]


@pytest.mark.parametrize("at", range(14))
def test_a_connection_that_breaks_anywhere_on_the_way_loses_no_correction_and_counts_none_twice(
    tmp_path: Path, at: int
) -> None:
    day = Day(tmp_path, "ill today")
    day.drag("Absence", "Billing")
    passed: list[str] = []

    def cut(command: str) -> None:
        passed.append(command)
        if len(passed) == at * 3:
            raise MailboxUnavailable("cut")

    for _ in range(6):
        day.clock.advance(FIVE_MINUTES)
        day.server.fault = cut
        try:
            day.office.run(watch=True)
        except MailboxUnavailable:
            continue

    assert day.office.moved_by_people() == [("absence", "billing")]


def test_mail_that_is_being_moved_is_left_out_until_it_is_settled(tmp_path: Path) -> None:
    """A MOVE whose answer was lost: by its UID the mail is a stranger in its folder, and it is cubbyd's own."""
    day = Day(tmp_path)
    day.server.deliver(mail("ill today"), RECEIVED)

    def lose(command: str) -> None:
        if command == "move:done":
            day.server.fault = lambda _: None
            raise MailboxUnavailable("cut")

    day.server.fault = lose
    with pytest.raises(MailboxUnavailable):
        day.office.run(watch=True)

    assert day.passes() == []
