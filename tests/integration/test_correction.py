"""What people move, seen on a real Dovecot: in each layout, by each way in which a mail client moves."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.contract.test_mailbox import account
from tests.dovecot import PASSWORD, Dovecot
from tests.mail import Outside, mail
from tests.rig import Office, rules

from cubbyd.mailbox import open_mailbox
from cubbyd.testing import HandClock

pytestmark = pytest.mark.dovecot

Moved = list[tuple[str | None, str | None]]


def office_of(server: Dovecot, user: str, state: Path, outside: Outside, *subjects: str) -> Office:
    """What was delivered is filed, and the folders are watched."""
    outside.deliver(*(mail(subject, number=number) for number, subject in enumerate(subjects)))
    who = account("127.0.0.1", server.port, user, PASSWORD)
    office = Office(state=state, connect=lambda: open_mailbox(who), rules=rules(review="Sorted/Review"), clock=HandClock())
    office.run(watch=True)
    return office


def an_hour_later(office: Office) -> Moved:
    assert isinstance(office.clock, HandClock)
    for _ in range(4):
        office.clock.advance(900)
        office.run(watch=True)
    return sorted(office.moved_by_people(), key=str)


def only(outside: Outside, folder: str) -> int:
    (uid,) = outside.uids(folder)
    return uid


def test_a_drag_is_seen_in_any_layout_and_nothing_is_read_by_it(any_dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    with Outside(any_dovecot, user) as outside:
        office = office_of(any_dovecot, user, tmp_path / "state", outside, "ill today", "the invoice", "milk", "hello")
        review = next(folder for folder in outside.folders() if folder.endswith("Review"))
        outside.drag(only(outside, review), review, "Meals")
        outside.drag(only(outside, "Absence"), "Absence", "Billing")
        before = outside.everything()

        assert an_hour_later(office) == [("absence", "billing"), (None, "meals")]
        assert outside.everything() == before
        assert outside.seen() == 0


def test_a_client_that_copies_and_marks_the_original_moves_it(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    """Thunderbird with `mark as deleted`, and every client on a server without MOVE."""
    with Outside(dovecot, user) as outside:
        office = office_of(dovecot, user, tmp_path / "state", outside, "ill today", "the invoice", "milk")
        outside.delete(only(outside, "Meals"), "Meals")
        outside.copy(only(outside, "Absence"), "Absence", "Meals")
        outside.copy(only(outside, "Billing"), "Billing", "Meals")
        outside.store("Absence", str(only(outside, "Absence")), "\\Deleted")

        assert an_hour_later(office) == [("absence", "meals")]
        outside.drag(only(outside, "Billing"), "Billing", "Absence")
        assert an_hour_later(office) == [("absence", "meals"), ("billing", "absence")]
