"""Gmail's and Exchange's ways, as documents and reports show them (docs/server-quirks.md): lines changed on their way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.contract.test_mailbox import account
from tests.dovecot import PASSWORD, Dovecot
from tests.faults.desk import DAY, PATIENT_SECONDS, SETUPS, Desk, opened
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.mail import RECEIVED, Outside, mail
from tests.rig import Office, rules
from tests.undoing import later

from cubbyd.errors import LoginRefused, MailboxUnavailable
from cubbyd.filing import PassReport
from cubbyd.lifecycle import State
from cubbyd.mailbox import open_mailbox

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

ALL_MAIL = "[Gmail]/Alle Nachrichten"
VIEWS = {ALL_MAIL: b"\\All", "[Gmail]/Markiert": b"\\Flagged"}
GMAIL = b"IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE CONDSTORE SPECIAL-USE"
PERMANENT = rb"\[PERMANENTFLAGS \([^)]*\)\]"
EXCHANGE_FLAGS = rb"[PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $MDNSent)]"


@pytest.fixture
def desk(dovecot: Dovecot, user: str, tmp_path: Path) -> Iterator[Desk]:
    with opened(dovecot, SETUPS["maildir"], user, tmp_path / "state") as made:
        made.patience.seconds = PATIENT_SECONDS
        yield made


@pytest.fixture
def proxy(dovecot: Dovecot) -> Iterator[FaultProxy]:
    with FaultProxy(dovecot.port) as made:
        yield made


def office(proxy: FaultProxy, user: str, tmp_path: Path, **wanted: bool) -> Office:
    who = account("127.0.0.1", proxy.port, user, PASSWORD)
    return Office(state=tmp_path / "state", connect=lambda: open_mailbox(who), rules=rules(**wanted))  # type: ignore[arg-type]


def as_gmail(line: bytes) -> bytes:
    """Abilities that come after the login alone, a remark behind every OK, labels in what FETCH answers, views in LIST."""
    line = re.sub(rb"CAPABILITY IMAP4rev1 [^\]\r]*", b"CAPABILITY " + (GMAIL if b"MOVE" in line else b"IMAP4rev1 ID"), line)
    line = re.sub(rb"^([A-Z]{4}\d+ OK [^\r]*)\r\n", rb"\1 [THROTTLED]\r\n", line)
    line = re.sub(rb"^(\* \d+ FETCH \()", rb'\1X-GM-MSGID 1278455344230334865 X-GM-LABELS ("\\\\Important" "Eltern") ', line)
    for folder, use in VIEWS.items():
        if line.startswith(b"* LIST") and folder.encode() in line:
            line = line.replace(b"* LIST (", b"* LIST (" + use + b" ")
    return line


def test_gmails_labels_remarks_and_late_abilities_cost_no_mail_its_place(desk: Desk) -> None:
    desk.proxy.rewrite = as_gmail

    desk.run()
    desk.check()

    assert desk.proxy.commands.count("UID MOVE") == 3, "MOVE is announced after the login alone"
    desk.settle()
    desk.check()


class ViewsFirst:
    """Lists the views before all other folders, in whatever order the server has them."""

    def __init__(self) -> None:
        self._others = b""

    def __call__(self, line: bytes) -> bytes:
        line = as_gmail(line)
        if line.startswith(b"* LIST") and not any(use in line for use in VIEWS.values()):
            self._others += line
            return b""
        if re.match(rb"[A-Z]{4}\d+ ", line):
            line, self._others = self._others + line, b""
        return line


def test_all_mail_in_any_language_is_not_where_a_person_put_a_mail_unless_it_is_nowhere_else(
    dovecot: Dovecot, proxy: FaultProxy, user: str, tmp_path: Path
) -> None:
    proxy.rewrite = ViewsFirst()
    mails = [mail("ill again", number=1), mail("the invoice", number=2)]
    with Outside(dovecot, user) as outside:
        for folder in VIEWS:
            outside.make_folder(folder)
        outside.deliver(*mails, received=RECEIVED)
        outside.deliver(*mails, folder=ALL_MAIL, received=RECEIVED)
        office(proxy, user, tmp_path, observe=True).run()
        outside.drag(1, "INBOX", "Zora")
        outside.delete(2, "INBOX")

        here = office(proxy, user, tmp_path)
        here.run()

        assert [(one.state, one.target_folder) for one in here.records()] == [(State.GONE, "Zora"), (State.GONE, ALL_MAIL)]
        assert outside.everything() == {"Zora": ["ill again"], ALL_MAIL: ["ill again", "the invoice"]}


KEYWORDLESS = {
    "it says so": lambda line: re.sub(PERMANENT, EXCHANGE_FLAGS, line),
    "it says OK and drops them": lambda line: re.sub(rb" ?cubbyd-\w+", b"", line) if b"FLAGS" in line else line,
}


@pytest.mark.parametrize("kind", KEYWORDLESS)
def test_where_keywords_are_not_kept_mail_is_moved_all_the_same_and_what_should_only_be_labeled_waits(
    dovecot: Dovecot, proxy: FaultProxy, user: str, tmp_path: Path, kind: str
) -> None:
    proxy.rewrite = KEYWORDLESS[kind]
    with Outside(dovecot, user) as outside:
        outside.deliver(mail("ill again", number=1))

        here = office(proxy, user, tmp_path, move=False, label=True)
        (refused,) = here.run().problems
        assert re.search("keeps no keywords in INBOX|dropped the keyword cubbyd-absence", str(refused))
        assert 'set action = "move"' in str(refused)
        assert outside.everything() == {"INBOX": ["ill again"]}

        here.rules = rules(label=True)
        later(here, DAY)
        with capture_logs() as logs:
            assert here.run().problems == []
        assert outside.everything() == {"Absence": ["ill again"]}
        assert ("keyword is not kept" in [line["event"] for line in logs]) == ("OK" in kind)


def test_a_login_that_is_accepted_and_gives_no_mailbox_is_a_matter_of_password_and_rights(desk: Desk) -> None:
    desk.proxy.fault = Fault(Kind.BAD, "NAMESPACE", says="User is authenticated but not connected.")

    failed = desk.run()

    assert isinstance(failed, LoginRefused), failed
    assert "may not open that mailbox by IMAP" in str(failed)
    assert desk.proxy.commands.count("LOGIN") == 1, "and it is not tried again at once, or the account gets locked"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("UID FETCH", "[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)"),
        ("SELECT", "Server Unavailable. 15"),
        ("LOGIN", "[ALERT] Too many simultaneous connections. (Failure)"),
        ("LOGIN", "Server Unavailable. 15"),
    ],
)
def test_a_server_that_wants_a_rest_is_unavailable_and_refuses_nobody(desk: Desk, command: str, says: str) -> None:
    desk.proxy.fault = Fault(Kind.NO, command, says=says)

    failed = desk.run()

    assert isinstance(failed, MailboxUnavailable), failed
    assert desk.proxy.commands.count("LOGIN") == 1, "it is not asked again at once"
    desk.settle()
    desk.check()


def test_a_copyuid_without_a_beginning_as_exchange_2013_sends_it_is_understood(desk: Desk) -> None:
    desk.proxy.rewrite = lambda line: re.sub(rb"^\* OK (\[COPYUID [^]]+\])[^\r]*", rb"\1", line)

    report = desk.run()

    assert isinstance(report, PassReport), report
    assert report.problems == []
    desk.check()


def test_a_folder_that_the_server_spells_in_other_letters_is_the_same_folder(desk: Desk) -> None:
    desk.outside.make_folder("Absence")
    desk.proxy.rewrite = lambda line: line.replace(b"Absence", b"ABSENCE") if line.startswith(b"* LIST") else line

    report = desk.run()

    assert isinstance(report, PassReport)
    assert report.problems == []
    desk.check()


def test_the_program_says_who_it_is_before_it_opens_a_folder(desk: Desk) -> None:
    desk.run()

    assert desk.proxy.commands.index("ID") < desk.proxy.commands.index("SELECT")
