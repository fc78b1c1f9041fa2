"""Servers that answer otherwise than Dovecot does: lines changed on their way, as Courier, Exchange and Gmail send them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.contract.test_mailbox import account
from tests.dovecot import MAILDIR, PASSWORD, Dovecot
from tests.faults.desk import PATIENT_SECONDS, SETUPS, Desk, opened
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.mail import Outside, mail

from cubbyd.errors import CommandRefused, LoginRefused, MailboxUnavailable
from cubbyd.filing import PassReport
from cubbyd.lifecycle import State
from cubbyd.mailbox import open_mailbox, session

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]


@pytest.fixture
def desk(dovecot: Dovecot, user: str, tmp_path: Path) -> Iterator[Desk]:
    with opened(dovecot, SETUPS["maildir"], user, tmp_path / "state") as made:
        made.patience.seconds = PATIENT_SECONDS
        yield made


def substitute(pattern: bytes, by: bytes) -> Callable[[bytes], bytes]:
    return lambda line: re.sub(pattern, by, line)


class CopyuidAtTheEnd:
    """Takes COPYUID out of the untagged line, and puts it into the tagged one, as Gmail does."""

    def __init__(self) -> None:
        self.held = b""
        self.times = 0

    def __call__(self, line: bytes) -> bytes:
        if found := re.match(rb"\* OK (\[COPYUID [^]]+\])", line):
            self.held = found[1]
            return b""
        if self.held and (tagged := re.match(rb"([A-Z]{4}\d+ OK )(.*)", line, re.DOTALL)):
            held, self.held, self.times = self.held, b"", self.times + 1
            return tagged[1] + held + b" " + tagged[2]
        return line


QUIRKS = {
    "COPYUID missing": substitute(rb"\* OK \[COPYUID [^]]+\][^\r]*\r\n", b""),
    "COPYUID without numbers": substitute(rb"\[COPYUID [^]]+\]", b"[COPYUID ]"),
    "COPYUID of two sets that do not match": substitute(rb"\[COPYUID (\d+) [^]]+\]", rb"[COPYUID \1 1:3 7]"),
    "COPYUID of a set without end": substitute(rb"\[COPYUID (\d+) [^]]+\]", rb"[COPYUID \1 1:4294967295 1:4294967295]"),
    "SELECT and STATUS without UIDNEXT": substitute(rb"(\* OK \[UIDNEXT[^\r]*\r\n)|(UIDNEXT \d+ ?)", b""),
    "a blank after SEARCH": substitute(rb"^(\* SEARCH[^\r]*)\r\n", rb"\1 \r\n"),
    "header fields named with quotes": substitute(rb"BODY\[HEADER\.FIELDS \(([A-Z -]+)\)\]", rb'BODY[HEADER.FIELDS ("\1")]'),
    "no NAMESPACE announced": substitute(rb" NAMESPACE", b""),
    "NAMESPACE of nothing": substitute(rb"^\* NAMESPACE [^\r]*", b"* NAMESPACE NIL NIL NIL"),
    "an alert before every answer": lambda line: (
        b"* OK [ALERT] maintenance tonight\r\n" + line if line.startswith(b"* ") else line
    ),
    "flags of other mails in every answer": lambda line: (
        b"* 1 FETCH (FLAGS (\\Answered))\r\n" + line if re.match(rb"[A-Z]{4}\d+ OK ", line) else line
    ),
}


@pytest.mark.parametrize("quirk", QUIRKS)
def test_an_odd_answer_costs_no_mail_its_place(desk: Desk, quirk: str) -> None:
    desk.proxy.rewrite = QUIRKS[quirk]

    desk.run()
    desk.settle()

    desk.check()


def test_copyuid_in_the_tagged_line_is_understood(desk: Desk) -> None:
    quirk = CopyuidAtTheEnd()
    desk.proxy.rewrite = quirk

    report = desk.run()

    assert quirk.times == 3
    assert isinstance(report, PassReport)
    desk.check()


def is_fetched(line: bytes, uid: int) -> bool:
    return re.match(rb"\* \d+ FETCH \([^\r]*UID %d " % uid, line) is not None and b"BODY[]" in line


@pytest.mark.parametrize("spoil", [lambda _: b"", lambda line: line.replace(b"INTERNALDATE", b"INTERNALDATE ) (")])
def test_a_mail_that_the_server_lists_and_does_not_deliver_stops_no_other_and_is_named_at_last(
    desk: Desk, spoil: Callable[[bytes], bytes]
) -> None:
    desk.proxy.rewrite = lambda line: spoil(line) if is_fetched(line, 3) else line

    for _ in range(4):
        desk.run()

    (lost,) = (record for record in desk.office.records() if record.state is State.QUARANTINED)
    assert lost.uid == 3
    assert "lists this mail and does not deliver it" in (lost.error or "")
    assert "the invoice" in desk.outside.subjects("INBOX")

    desk.proxy.rewrite = lambda line: line
    with closing(desk.office.journal()) as journal:
        journal.retry_quarantined("office", desk.clock.now())
    desk.settle()
    desk.check()


def test_a_search_without_an_answer_finds_the_mail_next_time(desk: Desk) -> None:
    desk.proxy.rewrite = lambda line: b"" if line.startswith(b"* SEARCH") else line
    desk.run()
    assert desk.office.records() == []

    desk.proxy.rewrite = lambda line: line
    desk.settle()
    desk.check()


REFUSALS = {
    "[AUTHENTICATIONFAILED] no": LoginRefused,
    "Login failed.": LoginRefused,
    "[UNAVAILABLE] later": MailboxUnavailable,
    "[LIMIT] 15 connections": MailboxUnavailable,
    "[INUSE] somebody else": MailboxUnavailable,
    "Too many simultaneous connections": MailboxUnavailable,
    "Request is throttled. Suggested Backoff Time: 5000 milliseconds": MailboxUnavailable,
}


@pytest.mark.parametrize("says", REFUSALS)
def test_a_refused_login_is_a_wrong_password_only_where_the_server_means_that(desk: Desk, says: str) -> None:
    desk.proxy.rewrite = lambda line: re.sub(
        rb"^([A-Z]{4}\d+) OK (?:\[CAPABILITY[^]]*\] )?Logged in", rb"\1 NO " + says.encode(), line
    )

    failed = desk.run()

    assert type(failed) is REFUSALS[says], failed
    if isinstance(failed, MailboxUnavailable) and "Backoff" in says:
        assert failed.retry_after_seconds == 5.0
    logins = desk.proxy.commands.count("LOGIN")
    assert logins == 1, "what the server refuses is not tried again at once"


def test_a_throttled_command_says_how_long_to_wait(desk: Desk) -> None:
    desk.proxy.fault = Fault(Kind.BAD, "UID FETCH", says="Request is throttled. Suggested Backoff Time: 90000 milliseconds")

    failed = desk.run()

    assert isinstance(failed, MailboxUnavailable)
    assert failed.retry_after_seconds == 90.0
    desk.settle()
    desk.check()


@pytest.mark.parametrize(
    ("code", "command"),
    [("[OVERQUOTA] full", "UID MOVE"), ("[NOPERM] no right", "UID MOVE"), ("[TRYCREATE] no such folder", "UID MOVE"),
     ("[CANNOT] no", "CREATE"), ("[EXPUNGEISSUED] some are gone", "UID MOVE")],
)  # fmt: skip
def test_what_the_server_will_not_file_waits_and_says_why(desk: Desk, code: str, command: str) -> None:
    desk.proxy.fault = Fault(Kind.NO, command, says=code)

    report = desk.run()

    assert isinstance(report, PassReport)
    assert [code in str(problem) for problem in report.problems] == [True]
    assert all(isinstance(problem, CommandRefused) for problem in report.problems)
    desk.settle()
    desk.check()


def test_mail_that_a_person_raced_us_for_is_filed_at_the_next_pass_without_a_pause(desk: Desk) -> None:
    desk.proxy.fault = Fault(Kind.NO, "UID MOVE", says="[EXPUNGEISSUED] some are gone")

    assert len(desk.office.run().problems) == 1
    assert desk.office.run().problems == []

    desk.check()


def test_without_uidplus_even_a_large_inbox_is_searched_in_windows_for_what_others_have_marked(
    user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SEARCH_WINDOW", 2)
    with (
        Dovecot(MAILDIR, capability="IMAP4rev1") as poor,
        Outside(poor, user) as outside,
        FaultProxy(poor.port) as proxy,
        closing(open_mailbox(account("127.0.0.1", proxy.port, user, PASSWORD))) as mailbox,
    ):
        outside.deliver(*(mail("ill", number=number) for number in range(5)))
        outside.store("INBOX", "1", "\\Deleted")
        mailbox.select("INBOX", read_only=False)
        uids = mailbox.all_uids()
        before = len(proxy.commands)

        assert not mailbox.remove(uids[-1:])
        assert proxy.commands[before:].count("UID SEARCH") == 3
        assert mailbox.present(uids) == set(uids)

        outside.store("INBOX", "1", "\\Deleted", take_off=True)
        assert mailbox.remove(uids[-1:])
        assert mailbox.present(uids) == set(uids[:-1])
