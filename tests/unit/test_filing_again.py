"""Mail that a pass meets again after something has changed: the configuration, a person's mind, or the process itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.mail import RECEIVED, mail
from tests.rig import TAXONOMY, Office, rules

from cubbyd.errors import MailboxUnavailable
from cubbyd.journal import Change, Journal
from cubbyd.lifecycle import State
from cubbyd.mailbox import RawMessage
from cubbyd.taxonomy import Taxonomy
from cubbyd.testing import FakeMailbox, FakeServer, HandClock

WITHOUT_BILLING = Taxonomy(tuple(category for category in TAXONOMY if category.id != "billing"))


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


def subjects(server: FakeServer, folder: str) -> set[str]:
    found = (message.raw.split(b"Subject: ")[1] for message in server.folders[folder].mails.values())
    return {subject.split(b"\r\n")[0].decode() for subject in found}


def test_a_decided_mail_whose_category_was_taken_out_of_the_configuration_stops_no_other(
    tmp_path: Path, server: FakeServer
) -> None:
    """Decided in a week of observing; then the admin drops the category, and lets cubbyd file."""
    server.deliver(mail("invoice for October", number=1), RECEIVED)
    server.deliver(mail("ill today", number=2), RECEIVED)
    Office(state=tmp_path / "state", connect=server.connect, rules=rules(observe=True)).run()

    after = Office(state=tmp_path / "state", connect=server.connect, rules=replace(rules(), taxonomy=WITHOUT_BILLING))
    after.run()

    assert subjects(server, "Absence") == {"ill today"}
    assert subjects(server, "INBOX") == {"invoice for October"}


def test_a_mail_that_a_person_puts_back_twice_is_left_there_twice(tmp_path: Path, server: FakeServer) -> None:
    clock = HandClock()
    office = Office(state=tmp_path / "state", connect=server.connect, rules=rules(review="Review"), clock=clock)
    server.deliver(mail("invoice for October"), RECEIVED)
    office.run()
    assert subjects(server, "Billing") == {"invoice for October"}

    for folder in ("Billing", "Desk"):
        if folder == "Desk":
            server.drag(max(server.folders["INBOX"].mails), "INBOX", "Desk")
        server.drag(max(server.folders[folder].mails), folder, "INBOX")
        clock.advance(60)
        office.run()

        assert subjects(server, "INBOX") == {"invoice for October"}, f"put back from {folder}"


def test_a_mail_that_killed_the_process_three_times_is_set_aside_and_the_pass_goes_on(
    tmp_path: Path, server: FakeServer
) -> None:
    office = Office(state=tmp_path / "state", connect=server.connect)
    uid = server.deliver(mail("invoice of doom"), RECEIVED)
    journal = office.journal()
    journal.open_folder("office", "INBOX", server.folders["INBOX"].uidvalidity, office.clock.now())
    journal.record_scan("office", "INBOX", server.folders["INBOX"].uidvalidity, [uid], office.clock.now())
    for _ in range(3):
        journal.claim([1], office.clock.now())  # each time, the process died with it in hand
    journal.close()
    server.deliver(mail("ill today", number=2), RECEIVED)

    report = office.run()

    assert report.became == {State.QUARANTINED: 1, State.FILED: 1}
    assert subjects(server, "INBOX") == {"invoice of doom"}


def test_connections_that_break_do_not_make_a_mail_look_like_one_that_kills(tmp_path: Path, server: FakeServer) -> None:
    clock = HandClock()
    office = Office(state=tmp_path / "state", connect=server.connect, rules=rules(attempts=8), clock=clock)
    server.deliver(mail("ill today", number=1), RECEIVED)
    server.deliver(mail("invoice", number=2), RECEIVED)

    def cut(command: str) -> None:
        if command == "fetch":
            raise MailboxUnavailable("cut")

    server.fault = cut
    for _ in range(5):
        with pytest.raises(MailboxUnavailable):
            office.run()
        clock.advance(7 * 3600)
    server.fault = lambda _: None
    office.run()

    assert set(server.folders) == {"INBOX", "Absence", "Billing"}
    assert not server.folders["INBOX"].mails


def test_a_mail_on_which_the_server_always_breaks_off_is_set_aside_and_stops_no_other(
    tmp_path: Path, server: FakeServer
) -> None:
    clock = HandClock()
    office = Office(state=tmp_path / "state", connect=server.connect, rules=rules(attempts=3), clock=clock)
    doom = server.deliver(mail("invoice of doom", number=1), RECEIVED)
    server.deliver(mail("ill today", number=2), RECEIVED)

    class Breaking(FakeMailbox):
        def fetch(self, uids: Sequence[int]) -> dict[int, RawMessage]:
            if doom in uids:
                raise MailboxUnavailable("cut")
            return super().fetch(uids)

    office.connect = lambda: Breaking(server)
    for _ in range(5):
        with suppress(MailboxUnavailable):
            office.run()
        clock.advance(7 * 3600)

    assert subjects(server, "Absence") == {"ill today"}
    assert subjects(server, "INBOX") == {"invoice of doom"}
    assert State.QUARANTINED in {record.state for record in office.records()}


def test_a_quarantined_mail_without_a_decision_is_read_again_after_a_retry(tmp_path: Path, server: FakeServer) -> None:
    office = Office(state=tmp_path / "state", connect=server.connect)
    server.deliver(mail("ill today"), RECEIVED)
    journal: Journal = office.journal()
    journal.open_folder("office", "INBOX", server.folders["INBOX"].uidvalidity, office.clock.now())
    journal.record_scan("office", "INBOX", server.folders["INBOX"].uidvalidity, [1], office.clock.now())
    journal.advance([Change(id=1, to=State.QUARANTINED, fields={"error": "unreadable"})], office.clock.now())
    journal.retry_quarantined("office", office.clock.now())
    journal.close()

    office.run()

    assert subjects(server, "Absence") == {"ill today"}
