"""What people do with mail is seen right whatever breaks, is renamed, hidden or delivered twice; and it breaks no filing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.mail import RECEIVED, mail
from tests.moving import FIVE_MINUTES, Day
from tests.rig import TAXONOMY
from tests.undoing import undo

from cubbyd.errors import CommandRefused, CubbydError, MailboxUnavailable
from cubbyd.filing import correction
from cubbyd.mailbox import FolderStatus
from cubbyd.taxonomy import CategoryId, Taxonomy
from cubbyd.testing import DELETED, FakeMailbox


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

    assert day.passes() == [("billing", "absence")], "and nobody knows which of the two the way back meant"


def test_a_category_that_shares_its_folder_is_confirmed_by_a_move_there(tmp_path: Path) -> None:
    twins = Taxonomy(tuple(replace(one, folder="Meals") if one.id == "billing" else one for one in TAXONOMY))
    day = Day(tmp_path, "milk", taxonomy=twins, observe=True)
    day.drag("INBOX", "Meals")

    assert day.passes() == [("meals", "meals")]


@pytest.mark.parametrize("error", [MailboxUnavailable, CommandRefused])
@pytest.mark.parametrize("at", range(1, 40))
def test_whatever_breaks_on_the_way_loses_no_correction_and_counts_none_twice(
    tmp_path: Path, at: int, error: type[CubbydError]
) -> None:
    day = Day(tmp_path, "ill today")
    day.drag("Absence", "Billing")
    passed: list[str] = []

    def spoil(command: str) -> None:
        passed.append(command)
        if len(passed) == at:
            raise error("spoiled")

    day.server.fault = spoil
    for _ in range(6):
        day.clock.advance(FIVE_MINUTES)
        with suppress(CubbydError):
            day.office.run(watch=True)

    assert len(passed) >= at
    assert day.office.moved_by_people() == [("absence", "billing")]


class Shut(FakeMailbox):
    """A folder without the right to read it."""

    def look_into(self, folder: str, uids: Sequence[int]) -> tuple[int, dict[int, frozenset[str]]] | None:
        if folder == "Absence":
            raise CommandRefused("no right", code="NOPERM")
        return super().look_into(folder, uids)


def test_a_folder_that_cannot_be_opened_breaks_no_pass_and_what_it_hides_is_asked_for_a_day(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today", "invoice", "ill again")
    day.drag("Absence", "Billing")
    day.office.connect = lambda: Shut(day.server)
    assert day.passes(12) == []
    day.office.connect = day.server.connect
    assert day.passes() == [("absence", "billing")]

    day.drag("Absence", "Billing")
    day.office.connect = lambda: Shut(day.server)
    day.passes(1)
    day.clock.advance(25 * 3_600)
    day.passes(1)
    day.office.connect = day.server.connect
    assert day.passes() == [("absence", "billing")], "after a day it is let go"


def test_a_server_that_fails_at_one_folder_keeps_no_mail_from_being_filed(tmp_path: Path) -> None:
    class Broken(FakeMailbox):
        def status(self, folder: str) -> FolderStatus | None:
            if folder == "Meals":
                raise MailboxUnavailable("NO [SERVERBUG] Internal error")
            return super().status(folder)

    day = Day(tmp_path, first=False)
    day.office.connect = lambda: Broken(day.server)
    for number in range(3):
        day.server.deliver(mail("ill today", number=number), RECEIVED)
        day.passes(1)
        assert len(day.server.folders["Absence"].mails) == number + 1


def test_what_people_move_while_a_long_first_pass_files_old_mail_is_seen(tmp_path: Path) -> None:
    day = Day(tmp_path, first=False)
    for number in range(300):
        day.server.deliver(mail("ill today", number=number), RECEIVED)

    def staff(command: str) -> None:
        if command == "move:done" and len(day.server.folders["Absence"].mails) >= 100:
            day.server.fault = lambda _: None
            for _ in range(20):
                day.drag("Absence", "Billing")

    day.server.fault = staff
    day.passes(1)

    assert day.passes() == [("absence", "billing")] * 20


def test_a_stop_is_heard_between_two_lots_of_what_was_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correction, "JUDGED_AT_ONCE", 10)
    day = Day(tmp_path, *["ill today"] * 50)
    for _ in range(50):
        day.drag("Absence", "Billing")
    day.passes(2)
    day.office.should_stop = lambda: len(day.office.moved_by_people()) >= 1
    assert day.passes(1) == [("absence", "billing")] * 10

    day.office.should_stop = lambda: False
    assert day.passes(1) == [("absence", "billing")] * 50


def test_a_great_many_mails_are_looked_at_in_several_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correction, "LOOKED_AT_ONCE", 20)
    day = Day(tmp_path, *["ill today"] * 50)
    for _ in range(50):
        day.drag("Absence", "Billing")
    assert len(day.passes(3)) == 20

    assert day.passes(3) == [("absence", "billing")] * 50


def test_a_folder_that_was_renamed_on_the_server_after_the_configuration_moved_no_mail(tmp_path: Path) -> None:
    day = Day(tmp_path, *["ill today"] * 3)
    renamed = Taxonomy(tuple(replace(one, folder="Abwesend") if one.id == "absence" else one for one in TAXONOMY))
    day.office.rules = replace(day.office.rules, taxonomy=renamed)
    day.passes(1)
    day.server.folders["Abwesend"] = day.server.folders.pop("Absence")
    assert day.passes() == []
    day.drag("Abwesend", "Billing")

    assert day.passes() == [("absence", "billing")]


def test_a_category_that_has_another_name_now_was_not_corrected(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    sick = Taxonomy(tuple(replace(one, id=CategoryId("sick")) if one.id == "absence" else one for one in TAXONOMY))
    day.office.rules = replace(day.office.rules, taxonomy=sick)
    day.drag("Absence", "Staff")
    day.drag("Staff", "Absence")

    assert day.passes() == []


def test_a_folder_that_the_server_hides_for_a_moment_is_not_looked_through_anew(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    day.copy("Absence", "Billing")
    day.passes()
    day.drag("Absence", "Trash")
    hidden = day.server.folders.pop("Billing")
    day.passes(1)
    day.server.folders["Billing"] = hidden

    assert day.passes() == []


@pytest.mark.parametrize("how", [{"observe": True}, {"move": False, "label": True, "review_folder": None}])
def test_a_copy_of_mail_that_came_back_into_the_inbox_is_none(tmp_path: Path, how: dict[str, Any]) -> None:
    day = Day(tmp_path, "ill today", **how)
    day.drag("INBOX", "Billing")
    assert day.passes() == [("absence", "billing")]
    day.drag("Billing", "INBOX")
    day.passes()
    day.copy("INBOX", "Meals")

    assert day.passes() == [("absence", "billing")]


def test_a_digest_that_a_person_files_teaches_nothing(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.server.deliver(b"X-Cubbyd-Digest: 1\r\n" + mail("what was filed", number=3), RECEIVED)
    day.passes(1)
    day.drag("INBOX", "Billing")

    assert day.passes() == []


def test_a_clock_that_is_set_back_a_little_does_not_make_ten_minutes_pass(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    original = day.copy("Absence", "Billing")
    looks: list[str] = []

    def step(command: str) -> None:
        looks.append(command)
        if command == "status" and looks.count("status") == 4:
            day.clock.set_wall(-0.05)

    day.server.fault = step
    day.passes(1)
    day.server.fault = lambda _: None
    original.flags.add(DELETED)

    assert day.passes() == [("absence", "billing")]


def test_of_two_deliveries_one_is_put_back_and_the_other_still_tells(tmp_path: Path) -> None:
    day = Day(tmp_path)
    for _ in range(2):
        day.server.deliver(mail("ill today"), RECEIVED)
    day.passes(1)
    day.drag("Absence", "INBOX")
    day.passes()
    day.drag("Absence", "Billing")

    assert day.passes() == [("absence", "billing")]


@pytest.mark.parametrize("again", [False, True])
def test_an_undo_that_is_cut_anywhere_is_no_move_of_a_person(tmp_path: Path, *, again: bool) -> None:
    for at in range(1, 30):
        folder = tmp_path / str(at)
        folder.mkdir()
        day = Day(folder, "ill today", "invoice")
        day.server.move = False
        passed: list[str] = []

        def cut(command: str, at: int = at, passed: list[str] = passed) -> None:
            passed.append(command)
            if len(passed) == at:
                raise MailboxUnavailable("cut")

        day.server.fault = cut
        with suppress(MailboxUnavailable):
            undo(day.office, again=again)
        day.server.fault = lambda _: None

        assert day.passes() == [], at


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
