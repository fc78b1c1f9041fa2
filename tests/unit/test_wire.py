"""What cubbyd knows of imapclient's private parts: an upgrade that changes them fails here."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient import IMAPClient
from tests.patience import PATIENCE_SECONDS

from cubbyd.mailbox import wire

CAPABILITIES = b"* CAPABILITY IMAP4rev1 IDLE UIDPLUS MOVE\r\nTAG OK Done\r\n"


class Script:
    """A server on the loopback interface that greets, and answers each command from a list; CAPABILITY it knows by itself."""

    def __init__(self, *answers: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._answers = iter(answers)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"* OK ready\r\n")
            with suppress(ConnectionError):
                for line in lines:
                    tag, command = line.split()[:2]
                    answer = CAPABILITIES if command == b"CAPABILITY" else next(self._answers, b"")
                    connection.sendall(answer.replace(b"TAG", tag))

    def close(self) -> None:
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)


def connect(script: Script) -> IMAPClient:
    return wire.open_client("127.0.0.1", script.port, None, connect_seconds=5, read_seconds=5)


def copyuid_of(*lines: bytes) -> dict[int, int]:
    """Take COPYUID from what a server says in answer to a COPY."""
    said = b"".join(b"* OK [COPYUID " + line + b"] Copied\r\n" for line in lines)
    with closing(Script(said + b"TAG OK Done\r\n")) as script:
        client = connect(script)
        client._imap.state = "SELECTED"
        client.copy([1], "Billing")
        try:
            pairs = wire.take_copyuid(client)
            assert wire.take_copyuid(client) == {}, "it is taken but once"
        finally:
            client.shutdown()
        return pairs


# --- FETCH -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("news", [b"* 16 FETCH (FLAGS (\\Deleted))", b"* 16 fetch (Flags (\\Deleted $x) MODSEQ (12))"])
@pytest.mark.parametrize("when", ["before", "with the answer", "after it"])
def test_news_of_the_sixteenth_mail_is_not_taken_for_the_one_with_uid_16(news: bytes, when: str) -> None:
    """Seen on Dovecot in one of 200 rounds of kills: a person deleted mail while cubbyd looked for new mail."""
    said, line = b"* 9 FETCH (UID 16 FLAGS (\\Seen))\r\n", news + b"\r\n"
    noop = line if when == "before" else b""
    answer = {"before": said, "with the answer": line + said, "after it": said + line}[when]
    with closing(Script(noop + b"TAG OK Done\r\n", answer + b"TAG OK Done\r\n")) as script:
        client = connect(script)
        client._imap.state = "SELECTED"
        try:
            client.noop()
            assert client.fetch([16], ["FLAGS"])[16][b"FLAGS"] == (b"\\Seen",)
        finally:
            client.shutdown()


def test_what_was_asked_for_is_no_news() -> None:
    for line in (
        b"* 9 FETCH (UID 16 FLAGS (\\Seen))",
        b"* 9 FETCH (FLAGS (\\Seen) UID 16)",
        b"* 9 FETCH (FLAGS (x) BODY[] {5}",
    ):
        assert wire.mend_line(line) == line


# --- COPYUID -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        (b"38505 304,319:320 3956:3958", {304: 3956, 319: 3957, 320: 3958}),  # RFC 4315, 3.
        (b"1 5 9", {5: 9}),
        (b"1 3:1 7:9", {1: 7, 2: 8, 3: 9}),  # a range means the same both ways (RFC 9051, 9, uid-range)
        (b"1 4294967295 4294967294", {4294967295: 4294967294}),
    ],
)
def test_the_new_uids_are_read(line: bytes, pairs: dict[int, int]) -> None:
    assert copyuid_of(line) == pairs


def test_several_lines_of_one_command_are_put_together() -> None:
    """MOVE may answer in parts (RFC 6851, 4.3)."""
    assert copyuid_of(b"1 1 10", b"1 2:3 11:12") == {1: 10, 2: 11, 3: 12}


@pytest.mark.parametrize(
    "line",
    [
        b"", b"1", b"1 2", b"x 1 2", b"1 a b", b"1 1,2 5", b"1 1:3 5:6", b"1 , ,", b"1 : :", b"1 * 5", b"1 1:* 5:9", b"-1 -2 -3",
        b"1 1:2:3 4", b"1 1:2:3 1:2:3", b"1 5 " + b"9" * 5000,
    ],
)  # fmt: skip
def test_nonsense_is_nothing_said(line: bytes) -> None:
    """By then the mail is moved: nonsense must cost no more than a look at the target."""
    assert copyuid_of(line) == {}


def test_without_copyuid_nothing_is_said() -> None:
    assert copyuid_of() == {}


@pytest.mark.parametrize("line", [b"1 1:4294967295 1:4294967295", b"1 1:4294967295,5 7"])
def test_a_huge_range_does_not_fill_the_memory(line: bytes) -> None:
    assert len(copyuid_of(line)) <= wire.LONGEST_EXPANSION


def test_two_huge_sets_of_different_lengths_do_not_match() -> None:
    """Cut at the same length they would seem to, and give mails the UIDs of others."""
    assert copyuid_of(b"1 1:200000 1:300000") == {}


# --- sets of UIDs ------------------------------------------------------------------------------------------------------

UIDS = st.lists(st.integers(1, 2**32 - 1))
MANY = st.builds(lambda digits, count: [10 ** (digits - 1)] * count, st.integers(1, 9), st.integers(0, 1500))
"""As many as fill several commands, of one length, so that a set can be full to the last octet."""


@given(UIDS)
def test_sets_hold_every_uid_once_in_order(uids: list[int]) -> None:
    assert [uid for part in wire.in_sets(uids) for uid in part] == uids


@given(UIDS | MANY)
def test_each_set_fits_into_a_command_and_none_is_empty(uids: list[int]) -> None:
    parts = list(wire.in_sets(uids))

    assert all(parts)
    assert all(len(",".join(map(str, part))) <= wire.LONGEST_SET for part in parts)


@given(UIDS | MANY)
def test_no_two_sets_would_have_fitted_into_one(uids: list[int]) -> None:
    parts = list(wire.in_sets(uids))

    for part, following in pairwise(parts):
        assert len(",".join(map(str, [*part, following[0]]))) + 1 > wire.LONGEST_SET


@given(st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=50))
def test_a_set_is_expanded_to_what_it_was_made_of(uids: list[int]) -> None:
    assert list(wire.expand(",".join(map(str, uids)).encode())) == uids


@given(st.integers(1, 2**31), st.integers(0, 300))
def test_a_range_is_expanded_from_its_low_to_its_high_end(first: int, more: int) -> None:
    whole = list(range(first, first + more + 1))

    assert list(wire.expand(b"%d:%d" % (first, first + more))) == whole
    assert list(wire.expand(b"%d:%d" % (first + more, first))) == whole


# --- the connection ----------------------------------------------------------------------------------------------------


@pytest.fixture
def loud_logging() -> Iterator[list[logging.LogRecord]]:
    """Everything that any library says, with imapclient asked to say all."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    root, library, handler = logging.getLogger(), logging.getLogger("imapclient"), Keep()
    before = root.level, library.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    library.setLevel(logging.DEBUG)
    yield records
    root.removeHandler(handler)
    root.setLevel(before[0])
    library.setLevel(before[1])


def test_no_mail_and_no_password_is_logged_even_where_everything_is(
    loud_logging: list[logging.LogRecord], capfd: pytest.CaptureFixture[str]
) -> None:
    fetched = b"* 1 FETCH (UID 1 BODY[] {7}\r\nlettuce)\r\nTAG OK Done\r\n"
    with closing(Script(b"TAG OK Logged in\r\n", fetched)) as script:
        client = connect(script)
        client.login("office", "hunter2")
        client._imap.state = "SELECTED"
        assert client.fetch([1], ["BODY.PEEK[]"])[1][b"BODY[]"] == b"lettuce"
        assert client._imap.debug == 0
        assert not logging.getLogger("imapclient").isEnabledFor(logging.DEBUG)
        client.shutdown()

    said = [record.getMessage() for record in loud_logging] + list(capfd.readouterr())
    assert not any("lettuce" in text or "hunter2" in text for text in said)


def test_a_line_that_came_with_the_answer_to_idle_is_not_lost() -> None:
    """In one segment with the continuation: imaplib has read it into its buffer, and no poll of the socket will tell."""
    with closing(Script(b"+ idling\r\n* 7 EXISTS\r\n")) as script:
        client = connect(script)
        client._imap.state = "SELECTED"
        client.idle()
        wake, _other = socket.socketpair()
        with wake, _other:
            assert wire.wait_idle(client, wake, seconds=2)
        client.shutdown()


def test_waiting_ends_when_the_time_is_up_or_somebody_wakes_it() -> None:
    with closing(Script(b"+ idling\r\n")) as script:
        client = connect(script)
        client._imap.state = "SELECTED"
        client.idle()
        wake, other = socket.socketpair()
        with wake, other:
            assert not wire.wait_idle(client, wake, seconds=0.05)
            other.send(b"!")
            assert not wire.wait_idle(client, wake, seconds=30)
        client.shutdown()


def test_cutting_ends_a_read_in_another_thread() -> None:
    with closing(Script()) as script:
        client = connect(script)
        ended = threading.Event()

        def read() -> None:
            with pytest.raises((IMAPClient.Error, OSError)):
                client.noop()
            ended.set()

        reader = threading.Thread(target=read)
        reader.start()
        wire.cut(client)
        assert ended.wait(4), "sooner than the read times out"
        reader.join()
        wire.cut(client)  # a second time is no error
        client.shutdown()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (logging.NOTSET, logging.INFO),
        (logging.DEBUG, logging.INFO),
        (logging.INFO, logging.INFO),
        (logging.WARNING, logging.WARNING),
    ],
)
def test_imapclient_never_logs_mails_and_is_not_made_to_say_more_than_was_wanted(before: int, after: int) -> None:
    logger = logging.getLogger("imapclient")
    kept = logger.level
    try:
        logger.setLevel(before)
        wire.silence_logging()
        assert logger.level == after
    finally:
        logger.setLevel(kept)
