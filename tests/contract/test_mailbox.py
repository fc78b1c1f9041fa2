"""One suite for everything that says it is a Mailbox: the double, Dovecot in three layouts, and the demo's server.

Cyrus and Courier pass it in tests/servers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest
from imapclient import IMAPClient
from pydantic import SecretStr
from tests.conftest import start_dovecot
from tests.dovecot import LAYOUTS, PASSWORD, Dovecot
from tests.mail import RECEIVED, mail

from cubbyd.config import MailboxSection
from cubbyd.demo.server import embedded_server
from cubbyd.errors import CommandRefused
from cubbyd.mailbox import Account, Mailbox, open_mailbox, session
from cubbyd.message.identity import fingerprint
from cubbyd.testing import FakeServer

INBOX = "INBOX"
# The demo's server, pymap, takes a sequence number for a UID in SEARCH, which a search in windows would show.
KEEP_UIDS_IN_SEARCH = ["fake", *(layout.name for layout in LAYOUTS)]


@dataclass(frozen=True, slots=True)
class Rig:
    """A server with one account: how to connect to it as cubbyd, and how to act on it as somebody else."""

    connect: Callable[[], Mailbox]
    deliver_at: Callable[[bytes, datetime], None]
    keeps_keywords: bool = True

    @property
    def is_pymap(self) -> bool:
        return not self.keeps_keywords

    def deliver(self, raw: bytes) -> None:
        self.deliver_at(raw, RECEIVED)


def account(host: str, port: int, user: str, password: str, security: str = "plain") -> Account:
    section = MailboxSection(host=host, port=port, security=security, username=user, password_env="UNUSED")
    return Account(name="office", section=section, password=SecretStr(password))


def fake() -> Rig:
    server = FakeServer()
    return Rig(server.connect, lambda raw, received: void(server.deliver(raw, received)))


def void(_: object) -> None:
    """Drop a result."""


def real(stack: ExitStack, who: Account, *, keeps_keywords: bool = True) -> Rig:
    client = stack.enter_context(IMAPClient(who.section.host, port=who.section.effective_port, ssl=False, timeout=30))
    assert who.password is not None
    client.login(who.section.username, who.password.get_secret_value())

    def connect() -> Mailbox:
        mailbox = open_mailbox(who)
        stack.callback(mailbox.close)
        return mailbox

    return Rig(connect, lambda raw, received: void(client.append(INBOX, raw, (), received)), keeps_keywords)


@contextmanager
def opened(kind: str, dovecots: dict[str, Dovecot], user: str) -> Iterator[Rig]:
    with ExitStack() as stack:
        if kind == "fake":
            yield fake()
        elif kind == "pymap":
            pytest.importorskip("pymap", reason="the demo's server is not installed")
            server = stack.enter_context(embedded_server())
            yield real(stack, account(server.host, server.port, server.user, server.password), keeps_keywords=False)
        else:
            layout = next(layout for layout in LAYOUTS if layout.name == kind)
            dovecot = start_dovecot(dovecots, layout)
            yield real(stack, account("127.0.0.1", dovecot.port, user, PASSWORD))


@pytest.fixture(params=[*KEEP_UIDS_IN_SEARCH, "pymap"])
def rig(request: pytest.FixtureRequest, dovecots: dict[str, Dovecot], user: str) -> Iterator[Rig]:
    with opened(request.param, dovecots, user) as made:
        yield made


@pytest.fixture(params=KEEP_UIDS_IN_SEARCH)
def rig_with_small_windows(
    request: pytest.FixtureRequest, dovecots: dict[str, Dovecot], user: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    monkeypatch.setattr(session, "SEARCH_WINDOW", 1)
    with opened(request.param, dovecots, user) as made:
        yield made


def relocate(mailbox: Mailbox, uids: list[int], folder: str) -> dict[int, int]:
    """Move as filing does: by MOVE, and where the server has none, by a copy and the removal of the originals."""
    if mailbox.capabilities.move:
        return mailbox.move(uids, folder)
    copied = mailbox.copy(uids, folder)
    assert mailbox.remove(uids)
    return copied


def test_new_mail_is_found_above_the_watermark_and_nothing_below_it(rig: Rig) -> None:
    rig.deliver(mail("one", number=1))
    rig.deliver(mail("two", number=2))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=True)
    first, second = mailbox.all_uids()
    assert mailbox.uids_above(0) == [first, second]
    assert mailbox.uids_above(first) == [second]
    assert mailbox.uids_above(second) == []


def test_mail_that_comes_while_the_folder_is_open_is_found(rig: Rig) -> None:
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=True)
    rig.deliver(mail("just now"))
    assert len(mailbox.uids_above(0)) == 1


def test_mail_of_late_is_told_from_older_mail_to_the_second(rig: Rig) -> None:
    tell_mail_of_late(rig)


def test_mail_of_late_is_told_in_small_windows_too(rig_with_small_windows: Rig) -> None:
    tell_mail_of_late(rig_with_small_windows)


def tell_mail_of_late(rig: Rig) -> None:
    for ago in (timedelta(days=40), timedelta(days=1), timedelta(seconds=1), timedelta(), timedelta(days=-5)):
        rig.deliver_at(mail("one"), RECEIVED - ago)
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=True)
    uids = mailbox.all_uids()
    assert len(uids) == 5
    assert mailbox.all_uids(RECEIVED) == uids[3:]
    assert mailbox.all_uids(RECEIVED.astimezone(timezone(timedelta(hours=14)))) == uids[3:]
    assert mailbox.all_uids(RECEIVED - timedelta(days=41)) == uids
    assert mailbox.all_uids(RECEIVED + timedelta(days=9)) == []


def test_an_empty_inbox_has_no_mail(rig: Rig) -> None:
    mailbox = rig.connect()
    assert mailbox.select(INBOX, read_only=True).exists == 0
    assert mailbox.all_uids() == mailbox.uids_above(0) == []
    assert mailbox.present([1, 2]) == set()
    assert mailbox.fetch([1]) == {}


def test_fetched_mail_is_whole_and_stays_unread(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    (uid,) = mailbox.all_uids()
    raw = mailbox.fetch([uid])[uid]
    assert raw.content == mail("one")
    assert raw.received_at == RECEIVED
    assert not raw.is_deleted
    assert not raw.is_truncated


def test_mail_that_arrives_meanwhile_is_seen_after_opening_the_inbox_again(rig: Rig) -> None:
    mailbox = rig.connect()
    before = mailbox.select(INBOX, read_only=False)
    rig.deliver(mail("late"))
    after = mailbox.select(INBOX, read_only=False)
    assert after.uidvalidity == before.uidvalidity
    assert len(mailbox.uids_above(0)) == 1


def test_a_moved_mail_is_in_the_folder_under_the_uid_that_was_told(rig: Rig) -> None:
    for number in range(3):
        rig.deliver(mail(f"mail {number}", number=number))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    uids = mailbox.all_uids()
    assert mailbox.ensure_folder("Meals & Allergies")
    moved = relocate(mailbox, uids[:2], "Meals & Allergies")
    assert sorted(moved) == uids[:2]
    assert mailbox.present(uids) == {uids[2]}
    assert set(mailbox.fingerprints("Meals & Allergies", 1)) == set(moved.values())


def test_a_mail_keeps_its_identity_when_it_is_moved(rig: Rig) -> None:
    from cubbyd.message.identity import fingerprint

    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    (uid,) = mailbox.all_uids()
    raw = mailbox.fetch([uid])[uid]
    identity = fingerprint(raw.content, raw.received_at.isoformat())
    mailbox.ensure_folder("Absence")
    relocate(mailbox, [uid], "Absence")
    assert set(mailbox.fingerprints("Absence", 1).values()) == {identity}
    assert list(mailbox.find([identity], RECEIVED)) == [identity]


def test_a_message_id_finds_its_mails_wherever_they_lie_and_no_other(rig: Rig) -> None:
    rig.deliver(mail("one", number=1))
    rig.deliver(mail("another with the same id", number=1))
    rig.deliver(mail("eleven", number=11))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    first, second, _ = mailbox.all_uids()
    mailbox.ensure_folder("Absence")
    known = mailbox.fingerprints(INBOX, 1)
    relocate(mailbox, [first], "Absence")

    assert mailbox.with_message_id("1@example.com") == {known[first], known[second]}
    assert mailbox.with_message_id("nobody@example.com") == set()


def test_moving_mail_that_is_gone_confirms_nothing(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    (uid,) = mailbox.all_uids()
    mailbox.ensure_folder("Absence")
    relocate(mailbox, [uid], "Absence")
    assert relocate(mailbox, [uid], "Absence") == {}


def test_moving_to_a_missing_folder_is_refused_and_moves_nothing(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    (uid,) = mailbox.all_uids()
    with pytest.raises(CommandRefused):
        relocate(mailbox, [uid], "Nowhere")
    assert mailbox.present([uid]) == {uid}


def test_a_copy_and_the_removal_of_its_original_are_a_move(rig: Rig) -> None:
    rig.deliver(mail("one", number=1))
    rig.deliver(mail("two", number=2))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    first, second = mailbox.all_uids()
    mailbox.ensure_folder("Absence")
    copied = mailbox.copy([first], "Absence")
    assert mailbox.present([first, second]) == {first, second}
    assert mailbox.remove([first])
    assert mailbox.present([first, second]) == {second}
    assert set(mailbox.fingerprints("Absence", 1)) == set(copied.values())


def test_removing_twice_is_no_error(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    (uid,) = mailbox.all_uids()
    assert mailbox.remove([uid])
    assert mailbox.remove([uid])


@pytest.mark.parametrize(
    "folder", ["Absence", "Sorted/Meals & Allergies", "Kündigung", "İstanbul & Ärger", "欠席", "Pick-up (3 p m)"]
)
def test_a_folder_is_created_once_in_any_language(rig: Rig, folder: str) -> None:
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    assert mailbox.status(folder) is None
    assert mailbox.ensure_folder(folder)
    assert not mailbox.ensure_folder(folder)
    status = mailbox.status(folder)
    assert status is not None
    assert status.exists == 0


def test_the_status_of_a_folder_gives_a_bound_for_new_uids(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    mailbox.ensure_folder("Absence")
    before = mailbox.status("Absence")
    moved = relocate(mailbox, mailbox.all_uids(), "Absence")
    assert before is not None
    assert before.uidnext is not None
    assert min(moved.values()) >= before.uidnext


def test_a_keyword_is_kept_or_said_not_to_be(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    status = mailbox.select(INBOX, read_only=False)
    assert status.keywords_allowed == rig.keeps_keywords
    assert mailbox.add_keyword(mailbox.all_uids(), "cubbyd-absence") == rig.keeps_keywords


def test_a_folder_opened_read_only_cannot_be_changed(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=True)
    mailbox.ensure_folder("Absence")
    uids = mailbox.all_uids()
    for effect in (mailbox.move, mailbox.copy):
        with pytest.raises(CommandRefused):
            effect(uids, "Absence")
    with pytest.raises(CommandRefused):
        mailbox.remove(uids)
    with pytest.raises(CommandRefused):
        mailbox.add_keyword(uids, "cubbyd-absence")
    assert mailbox.present(uids) == set(uids)
    assert mailbox.fingerprints("Absence", 1) == {}


def test_looking_into_another_folder_comes_back_to_the_inbox(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    mailbox.ensure_folder("Absence")
    mailbox.fingerprints("Absence", 1)
    uids = mailbox.all_uids()
    assert len(uids) == 1
    assert relocate(mailbox, uids, "Absence")


def test_all_mail_of_a_large_folder_is_found_from_another_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        rig.deliver(mail("one", number=number))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    mailbox.ensure_folder("Absence")
    uids = list(relocate(mailbox, mailbox.all_uids(), "Absence").values())
    if not rig.is_pymap:
        monkeypatch.setattr(session, "SEARCH_WINDOW", 1)
    assert sorted(mailbox.fingerprints("Absence", uids[1])) == uids[1:]
    assert sorted(mailbox.fingerprints("Absence", 1, 2)) == uids[:2]


@pytest.mark.parametrize("folder", ["Sorted/Absence", INBOX])
def test_a_look_into_a_folder_tells_what_is_there_and_comes_back(rig: Rig, folder: str) -> None:
    for number in range(2):
        rig.deliver(mail("one", number=number))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    uids = mailbox.all_uids()
    if folder != INBOX:
        mailbox.ensure_folder(folder)
        uids = sorted(relocate(mailbox, uids, folder).values())
    mailbox.select(mailbox.name_on_server(folder), read_only=False)
    mailbox.add_keyword(uids[:1], "\\Flagged")
    rig.deliver(mail("new"))
    status = mailbox.select(INBOX, read_only=False)
    found = mailbox.look_into(folder, [*uids, uids[-1] + 70])

    assert found is not None
    assert found[0] == (status if folder == INBOX else mailbox.status(folder)).uidvalidity  # type: ignore[union-attr]
    assert {uid: "\\flagged" in flags for uid, flags in found[1].items()} == {uids[0]: True, uids[1]: False}
    mailbox.ensure_folder("Kept")
    assert relocate(mailbox, mailbox.all_uids()[-1:], "Kept"), "the inbox is open still, and can be written to"


def test_a_look_into_a_folder_that_is_not_there_finds_nothing_and_comes_back(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=True)
    assert mailbox.look_into("No such folder", [1, 2]) is None
    assert len(mailbox.all_uids()) == 1


def test_opening_a_folder_that_does_not_exist_is_refused(rig: Rig) -> None:
    with pytest.raises(CommandRefused):
        rig.connect().select("No such folder", read_only=True)


def test_mail_goes_back_to_the_inbox_by_the_servers_own_name_for_it(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    mailbox.ensure_folder("Sorted/Absence")
    filed = relocate(mailbox, mailbox.all_uids(), "Sorted/Absence")
    mailbox.select(mailbox.name_on_server("Sorted/Absence"), read_only=False)
    back = relocate(mailbox, list(filed.values()), INBOX)
    assert mailbox.fingerprints("Sorted/Absence", 1) == {}
    mailbox.select(INBOX, read_only=True)
    assert mailbox.all_uids() == list(back.values())
    assert set(mailbox.fingerprints(INBOX, 1)) == set(back.values())


def test_flags_are_told_of_what_is_there_and_a_keyword_comes_off_again(rig: Rig) -> None:
    rig.deliver(mail("one", number=1))
    rig.deliver(mail("two", number=2))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    first, second = mailbox.all_uids()
    assert mailbox.flags([first, second, second + 7]).keys() == {first, second}
    mailbox.add_keyword([first], "\\Flagged")
    assert "\\flagged" in mailbox.flags([first])[first]
    mailbox.remove_keyword([first, second, second + 7], "\\Flagged")
    assert not any("\\flagged" in flags for flags in mailbox.flags([first, second]).values())
    mailbox.add_keyword([first], "cubbyd-Absence")
    assert ("cubbyd-absence" in mailbox.flags([first])[first]) == rig.keeps_keywords
    mailbox.remove_keyword([first], "cubbyd-Absence")
    assert "cubbyd-absence" not in mailbox.flags([first])[first]


def test_a_keyword_cannot_be_taken_off_where_the_folder_was_opened_read_only(rig: Rig) -> None:
    rig.deliver(mail("one"))
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=True)
    with pytest.raises(CommandRefused):
        mailbox.remove_keyword(mailbox.all_uids(), "cubbyd-absence")


def test_a_mail_of_our_own_is_put_into_a_folder_unread_and_found_there_by_its_identity(rig: Rig) -> None:
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    mailbox.ensure_folder("Digest")
    before = mailbox.status("Digest")
    raw = mail("our own")
    mailbox.append("Digest", raw, RECEIVED)
    assert before is not None
    found = mailbox.fingerprints("Digest", before.uidnext or 1)
    assert list(found.values()) == [fingerprint(raw, RECEIVED.isoformat())]
    assert mailbox.all_uids() == [], "the folder that was open still is"
    mailbox.select(mailbox.name_on_server("Digest"), read_only=True)
    assert "\\seen" not in mailbox.flags(list(found))[next(iter(found))]


def test_a_mail_cannot_be_put_into_a_folder_that_is_not_there(rig: Rig) -> None:
    mailbox = rig.connect()
    mailbox.select(INBOX, read_only=False)
    with pytest.raises(CommandRefused):
        mailbox.append("Nowhere", mail("our own"), RECEIVED)
