"""Faults made on a real Dovecot itself: sessions killed, folders changed under us, rights taken away, accounts closed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.contract.test_mailbox import account
from tests.dovecot import MAILDIR, PASSWORD, Dovecot
from tests.faults.proxy import FaultProxy
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS
from tests.rig import Office, rules, words_classifier

from cubbyd.errors import InsecureConnection, LoginRefused, MailboxError, MailboxReadOnly, MailboxUnavailable
from cubbyd.filing import PassReport
from cubbyd.lifecycle import State
from cubbyd.mailbox import Account, open_mailbox
from cubbyd.testing import HandClock

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

SUBJECTS = ("ill again", "the invoice", "no milk", "hello")
PLACED = {"Absence": ["ill again"], "Billing": ["the invoice"], "Meals": ["no milk"], "INBOX": ["hello"]}


def office(who: Account, tmp_path: Path, **parts: object) -> Office:
    parts.setdefault("clock", HandClock())
    return Office(state=tmp_path / "state", connect=lambda: open_mailbox(who), **parts)  # type: ignore[arg-type]


def reach(server: Dovecot, user: str, *, security: str = "plain", **changed: object) -> Account:
    who = account("127.0.0.1", server.port, user, PASSWORD, security)
    return Account(name=who.name, section=who.section.model_copy(update=changed), password=who.password)


def deliver(outside: Outside) -> None:
    outside.deliver(*(mail(subject, number=number) for number, subject in enumerate(SUBJECTS)))


def later(here: Office) -> PassReport:
    """A pass on another day, when whatever waits is due."""
    assert isinstance(here.clock, HandClock)
    here.clock.advance(86_400)
    return here.run()


def renumber(server: Dovecot, user: str) -> None:
    """Give every folder a new UIDVALIDITY, as a restored backup does."""
    server.stop()
    for index in (server.folder / "home" / user / "Maildir").rglob("dovecot*"):
        index.unlink()
    time.sleep(1.1)  # UIDVALIDITY is a time in seconds
    server.start()


def test_a_name_that_does_not_resolve_is_named(tmp_path: Path, dovecot: Dovecot, user: str) -> None:
    with pytest.raises(MailboxUnavailable, match=r"no-such-host\.invalid"):
        office(reach(dovecot, user, host="no-such-host.invalid"), tmp_path).run()


@pytest.mark.parametrize("security", ["tls", "starttls", "plain"])
def test_the_wrong_kind_of_port_is_no_riddle_and_no_password_goes_out(
    tmp_path: Path, dovecot: Dovecot, user: str, security: str
) -> None:
    port = dovecot.tls_port if security != "tls" else dovecot.port
    changed = {"port": port, "connect_timeout_seconds": 1.0, "read_timeout_seconds": 1.0}

    with pytest.raises(MailboxError) as caught:
        office(reach(dovecot, user, security=security, **changed), tmp_path).run()

    assert isinstance(caught.value, MailboxUnavailable | InsecureConnection)
    assert str(port) in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_disabled_account_gives_the_servers_own_words(tmp_path: Path, user: str) -> None:
    with Dovecot(MAILDIR) as server:
        file = server.folder / "dovecot.conf"
        closed = f"args = password={PASSWORD} nologin=y reason=office-closed"
        file.write_text(file.read_text().replace(f"args = password={PASSWORD}", closed))
        server.stop()
        server.start()

        with pytest.raises(LoginRefused, match="office-closed"):
            office(reach(server, user), tmp_path).run()


def test_too_many_connections_are_waited_for_and_are_no_wrong_password(tmp_path: Path, user: str) -> None:
    with Dovecot(MAILDIR, extra="protocol imap {\n  mail_max_userip_connections = 1\n}") as server:
        with Outside(server, user) as outside:
            deliver(outside)
            with pytest.raises(MailboxUnavailable, match="connections") as caught:
                office(reach(server, user), tmp_path).run()
            assert not isinstance(caught.value, LoginRefused)
        office(reach(server, user), tmp_path).run()
        with Outside(server, user) as outside:
            assert outside.everything() == PLACED


@pytest.mark.parametrize(
    ("security", "says"),
    [("plain", rb"\1LOGINDISABLED"), ("starttls", rb"\1X-NOTHING")],
    ids=["no login in the clear", "no STARTTLS"],
)
def test_a_server_that_forbids_the_login_that_is_configured_gets_no_password(
    tmp_path: Path, dovecot: Dovecot, user: str, security: str, says: bytes
) -> None:
    take_away = rb"(CAPABILITY [^\r\]]*)" + (rb"AUTH=PLAIN" if security == "plain" else rb"STARTTLS")
    with FaultProxy(dovecot.port) as proxy:
        proxy.rewrite = lambda line: re.sub(take_away, says, line)

        with pytest.raises(MailboxError) as caught:
            office(reach(dovecot, user, security=security, port=proxy.port), tmp_path).run()

        assert not {"LOGIN", "AUTHENTICATE"} & set(proxy.commands), str(caught.value)
    assert isinstance(caught.value, InsecureConnection)


def make_again(outside: Outside) -> None:
    outside.remove_folder("Absence")
    outside.make_folder("Absence")


FOLDER_CHANGES: dict[str, Callable[[Outside], None]] = {
    "deleted": lambda outside: outside.remove_folder("Absence"),
    "renamed": lambda outside: outside.rename_folder("Absence", "Sick notes"),
    "deleted and made again": make_again,
}


@pytest.mark.parametrize("change", FOLDER_CHANGES)
def test_a_folder_that_changes_under_us_is_made_again_and_nothing_is_lost(
    tmp_path: Path, dovecot: Dovecot, user: str, change: str
) -> None:
    with Outside(dovecot, user) as outside:
        outside.deliver(mail("ill again", number=1))
        here = office(reach(dovecot, user), tmp_path)
        here.run()
        before = sum(outside.count_subjects().values())
        FOLDER_CHANGES[change](outside)
        gone = before - sum(outside.count_subjects().values())
        outside.deliver(mail("ill today", number=2))

        later(here)
        later(here)

        assert outside.subjects("Absence") == ["ill today"]
        assert sum(outside.count_subjects().values()) == before - gone + 1
        assert outside.subjects("INBOX") == []


def test_a_folder_deleted_between_the_decision_and_the_move_gets_the_mail_all_the_same(
    tmp_path: Path, dovecot: Dovecot, user: str
) -> None:
    with Outside(dovecot, user) as outside:
        deliver(outside)
        office(reach(dovecot, user), tmp_path, rules=rules(observe=True)).run()
        here = office(reach(dovecot, user), tmp_path)
        outside.make_folder("Absence")
        outside.remove_folder("Absence")

        here.run()
        later(here)

        assert outside.everything() == PLACED


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").exists(), reason="needs a server that runs as another user")
def test_a_folder_that_cannot_be_written_leaves_its_mail_in_the_inbox_until_it_can(tmp_path: Path, user: str) -> None:
    with Dovecot(MAILDIR) as server, Outside(server, user) as outside:
        outside.make_folder("Absence")
        deliver(outside)
        here = office(reach(server, user), tmp_path)
        target = server.folder / "home" / user / "Maildir" / "Absence"
        inside = [target, *(path for path in target.rglob("*") if path.is_dir())]
        modes = {path: path.stat().st_mode for path in inside}
        for path in inside:
            path.chmod(0o555)

        report = here.run()

        assert len(report.problems) == 1
        assert "Absence" in str(report.problems[0])
        assert sorted(outside.subjects("INBOX")) == ["hello", "ill again"]
        assert outside.subjects("Billing") == ["the invoice"], "other mail is filed"
        for path, mode in modes.items():
            path.chmod(mode)
        later(here)
        assert outside.everything() == PLACED


def test_an_inbox_that_may_only_be_read_is_said_and_nothing_is_asked(tmp_path: Path, user: str) -> None:
    acl = "mail_plugins = acl\nprotocol imap {\n  mail_plugins = acl\n}\nplugin {\n  acl = vfile\n}"
    with Dovecot(MAILDIR, extra=acl) as server:
        with Outside(server, user) as outside:
            deliver(outside)
        (server.folder / "home" / user / "Maildir" / "dovecot-acl").write_text("owner lr\n")
        classifier = words_classifier()

        with pytest.raises(MailboxReadOnly):
            office(reach(server, user), tmp_path, classifier=classifier).run()

        assert classifier.asked == []
        with Outside(server, user) as outside:
            assert outside.everything() == {"INBOX": list(SUBJECTS)}


STATES = ["only seen", "classified", "filed"]


@pytest.mark.parametrize("state", STATES)
def test_new_uids_at_any_state_of_a_mail_lose_nothing_and_ask_nobody_twice(tmp_path: Path, user: str, state: str) -> None:
    classifier = words_classifier()
    with Dovecot(MAILDIR) as server:
        with Outside(server, user) as outside:
            deliver(outside)
        if state == "only seen":
            found = office(reach(server, user), tmp_path, classifier=classifier, should_stop=lambda: True)
        else:
            found = office(reach(server, user), tmp_path, rules=rules(observe=state == "classified"), classifier=classifier)
        found.run()

        renumber(server, user)
        here = office(reach(server, user), tmp_path, classifier=classifier)
        here.run()
        later(here)

        with Outside(server, user) as outside:
            assert outside.everything() == PLACED
    assert Counter(classifier.asked) == Counter(SUBJECTS)


MANY = 1_500


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the server's processes in /proc")
@pytest.mark.parametrize("after_ms", [0, 5, 20, 60, 150])
def test_a_server_killed_in_a_move_of_1500_mails_leaves_each_in_one_place(tmp_path: Path, user: str, after_ms: int) -> None:
    """A MOVE is a copy and an expunge inside: a session killed between them leaves mails in both folders, or in neither list."""
    with Dovecot(MAILDIR) as server:
        with Outside(server, user) as outside:
            outside.deliver(*(mail(f"ill {number}", number=number, body="x") for number in range(MANY)))
        classifier = words_classifier()
        here = office(reach(server, user), tmp_path, rules=rules(observe=True), classifier=classifier)
        here.run()
        here = office(reach(server, user), tmp_path, classifier=classifier)
        killed: list[int] = []
        killer = threading.Thread(target=lambda: killed.extend(_kill_sessions(server, after_ms / 1000)))
        killer.start()
        with suppress(MailboxUnavailable):
            here.run()
        killer.join()
        assert killed

        for _ in range(3):
            later(here)

        with Outside(server, user) as outside:
            assert outside.count_subjects() == Counter(f"ill {number}" for number in range(MANY))
            assert len(outside.subjects("Absence")) == MANY
        assert {record.state for record in here.records()} == {State.FILED}
        assert max(Counter(classifier.asked).values()) == 1


def _kill_sessions(server: Dovecot, seconds: float) -> list[int]:
    """Kill the server's IMAP sessions, and give them, some time after the first mail has arrived in the target folder."""
    arriving = server.folder / "home"
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and not any(arriving.glob("*/Maildir/Absence/[ct][um][rp]/*")):
        time.sleep(0.001)
    time.sleep(seconds)
    found = subprocess.run(
        ["pgrep", "-g", str(server.group), "-x", "imap"], capture_output=True, text=True, check=False
    ).stdout.split()
    for process in found:
        os.kill(int(process), signal.SIGKILL)
    return [int(process) for process in found]
