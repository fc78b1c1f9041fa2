"""What people do with mail after it was decided: they drag a wrong one to the right folder, and cubbyd takes note of it."""

from __future__ import annotations

from pathlib import Path

from tests.mail import RECEIVED, mail
from tests.moving import Day
from tests.undoing import undo

from cubbyd.lifecycle import State
from cubbyd.testing import DELETED


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
    day.forget("shelf")
    del day.server.folders["Meals"]
    day.passes(1)
    day.drag("Absence", "Meals")

    assert day.passes() == [("absence", "meals")]


def test_a_folder_that_was_there_before_it_was_first_watched_says_nothing_of_that_time(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    day.forget("shelf")
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


def test_a_mail_that_is_dragged_back_at_once_says_nothing_and_is_known_under_its_new_uid(tmp_path: Path) -> None:
    day = Day(tmp_path, "ill today")
    day.drag("Absence", "Billing")
    day.passes(1)
    day.drag("Billing", "Absence")

    assert day.passes() == []
    assert day.office.records()[0].target_uid == 2
    day.copy("Absence", "Meals")
    assert day.passes() == [], "so that a copy of it is none"


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
