"""What docs/server-quirks.md says of Cyrus and Courier, asked of the servers themselves, without cubbyd."""

from __future__ import annotations

import imaplib
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from tests.dovecot import PASSWORD
from tests.mail import mail
from tests.servers.server import DebianServer

pytestmark = pytest.mark.servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    moves: bool
    uidnext_in_select: bool
    header: bytes
    beyond_the_end: bytes
    refusal_seconds: float
    rename_keeps_uidvalidity: bool
    takes_30_kb: bool


KNOWN = {
    "cyrus": Facts(
        moves=True,
        uidnext_in_select=True,
        header=b"BODY[HEADER.FIELDS (SUBJECT)]",
        beyond_the_end=b"1",
        refusal_seconds=3,
        rename_keeps_uidvalidity=True,
        takes_30_kb=True,
    ),
    "courier": Facts(
        moves=False,
        uidnext_in_select=False,
        header=b'BODY[HEADER.FIELDS ("SUBJECT")]',
        beyond_the_end=b"",
        refusal_seconds=5,
        rename_keeps_uidvalidity=False,
        takes_30_kb=False,
    ),
}


@pytest.fixture
def facts(server: DebianServer) -> Facts:
    return KNOWN[server.name]


@pytest.fixture
def client(server: DebianServer, user: str) -> Iterator[imaplib.IMAP4]:
    """Logged in, with one mail in the inbox, which is open."""
    made = imaplib.IMAP4("127.0.0.1", server.port, timeout=60)
    made.login(user, PASSWORD)
    made.append("INBOX", None, None, mail("one"))
    made.select()
    yield made
    with suppress(OSError):  # where the server ended the connection
        made.shutdown()


def test_move_is_offered_or_not_and_uidplus_is(client: imaplib.IMAP4, facts: Facts) -> None:
    names = client.capability()[1][0].split()
    assert (b"MOVE" in names) == facts.moves
    assert b"UIDPLUS" in names


def test_select_tells_the_next_uid_or_does_not(client: imaplib.IMAP4, facts: Facts) -> None:
    client.untagged_responses.clear()
    client.select()
    assert (client.response("UIDNEXT")[1] != [None]) == facts.uidnext_in_select


def test_the_fields_of_a_header_come_as_asked_for_or_in_quotes(client: imaplib.IMAP4, facts: Facts) -> None:
    (answer, _), *_ = client.uid("FETCH", "1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    assert facts.header in answer


def test_a_search_beyond_the_end_gives_the_last_mail_or_none(client: imaplib.IMAP4, facts: Facts) -> None:
    assert client.uid("SEARCH", "UID 9:*")[1] == [facts.beyond_the_end]


def test_a_wrong_password_is_refused_late_and_without_a_code(server: DebianServer, user: str, facts: Facts) -> None:
    with imaplib.IMAP4("127.0.0.1", server.port, timeout=60) as stranger:
        begun = time.monotonic()
        with pytest.raises(imaplib.IMAP4.error, match=r"Login failed"):
            stranger.login(user, "wrong")
        assert time.monotonic() - begun >= facts.refusal_seconds - 0.1


def test_a_renamed_folder_keeps_its_uidvalidity_or_does_not(client: imaplib.IMAP4, server: DebianServer, facts: Facts) -> None:
    old, new = f"{server.prefix}Old", f"{server.prefix}New"
    client.create(old)
    before = client.status(old, "(UIDVALIDITY)")[1][0].split()[-1]
    time.sleep(1.1)  # Courier makes it of the time
    client.rename(old, new)
    assert (client.status(new, "(UIDVALIDITY)")[1][0].split()[-1] == before) == facts.rename_keeps_uidvalidity


def test_a_set_of_30_kilobytes_is_taken_or_ends_the_connection(client: imaplib.IMAP4, facts: Facts) -> None:
    uids = ",".join(str(uid) for uid in range(1, 12_001, 2))
    if facts.takes_30_kb:
        assert client.uid("FETCH", uids, "(FLAGS)")[0] == "OK"
    else:
        with pytest.raises(imaplib.IMAP4.abort):
            client.uid("FETCH", uids, "(FLAGS)")
