"""An undo on a real Dovecot: in each layout, and with little that the server can do; seen from outside by imaplib."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.contract.test_mailbox import account
from tests.dovecot import MAILDIR, PASSWORD, Dovecot
from tests.mail import Outside, mail
from tests.rig import Office, rules
from tests.undoing import ALL, undo

from cubbyd.filing import Rules
from cubbyd.lifecycle import State
from cubbyd.mailbox import open_mailbox
from cubbyd.testing import HandClock

pytestmark = pytest.mark.dovecot

SUBJECTS = ["ill again", "the invoice", "no milk", "hello"]


def filed(dovecot: Dovecot, user: str, state: Path, outside: Outside, wanted: Rules) -> Office:
    """Four mails went to folders, one of them to the one for review."""
    outside.deliver(*(mail(subject, number=number) for number, subject in enumerate(SUBJECTS)))
    who = account("127.0.0.1", dovecot.port, user, PASSWORD)
    office = Office(state=state, connect=lambda: open_mailbox(who), rules=wanted, clock=HandClock())
    office.run()
    assert isinstance(office.clock, HandClock)
    office.clock.advance(60)
    return office


def test_filed_mail_comes_back_unread_and_bare_in_any_layout(any_dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    with Outside(any_dovecot, user) as outside:
        office = filed(any_dovecot, user, tmp_path / "state", outside, rules(label=True, review="Sorted/Review"))
        assert outside.subjects("INBOX") == []

        assert len(undo(office).undone) == 4

        for _ in range(2):
            assert sorted(outside.subjects("INBOX")) == sorted(SUBJECTS)
            assert outside.count_subjects() == Counter(SUBJECTS)
            assert not [flag for flags in outside.flags("INBOX").values() for flag in flags if flag.startswith("cubbyd")]
            assert outside.seen() == 0
            office.run(full_scan=True)
        assert Counter(record.state for record in office.records()) == {State.UNDONE: 4, State.HELD: 4}


@pytest.mark.parametrize("capability", ["IMAP4rev1 UIDPLUS NAMESPACE", "IMAP4rev1 MOVE", "IMAP4rev1"])
def test_a_server_that_can_little_gives_its_mail_back_and_keeps_other_peoples_deletions(
    capability: str, user: str, tmp_path: Path
) -> None:
    with Dovecot(MAILDIR, capability=capability) as poor, Outside(poor, user) as outside:
        office = filed(poor, user, tmp_path / "state", outside, rules())
        outside.deliver(mail("deleted by ann", number=9), folder="Billing", flags="\\Deleted")

        undo(office)
        office.run()

        alive = {
            folder: sorted(
                subject
                for uid, subject in outside.subjects_by_uid(folder).items()
                if "\\Deleted" not in outside.flags(folder)[uid]
            )
            for folder in outside.folders()
        }
        assert {folder: here for folder, here in alive.items() if here} == {"INBOX": sorted(SUBJECTS)}
        assert "deleted by ann" in outside.subjects("Billing")


def test_what_a_person_moved_or_deleted_since_stays_there(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    with Outside(dovecot, user) as outside:
        office = filed(dovecot, user, tmp_path / "state", outside, rules())
        outside.drag(outside.uids("Absence")[0], "Absence", "Desk")
        outside.store("Billing", "1", "\\Deleted")

        undo(office, ALL)

        assert outside.everything() == {"Desk": ["ill again"], "Billing": ["the invoice"], "INBOX": ["hello", "no milk"]}
