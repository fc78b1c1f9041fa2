"""The few things that imapclient keeps private and we need, in one place: an upgrade that changes them fails the tests here.

They are: its debug level (it would format every literal), COPYUID of the last command, lines that they would misread,
lines that arrived together with the answer to IDLE, and closing the socket under a waiting thread.
"""

from __future__ import annotations

import logging
import re
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from imapclient import IMAPClient, SocketTimeout

LONGEST_SET = 1_000
"""Octets of a UID set in one command: Courier drops the connection at 30,000, RFC 7162 (2.) asks servers for 8,192 a line."""

COPYUID = re.compile(rb"(\d+) ([\d,:]+) ([\d,:]+)")
NEWS = re.compile(rb"\* \d+ FETCH \(FLAGS \([^()]*\)(?: MODSEQ \(\d+\))?\)", re.IGNORECASE)
UID_RANGE = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?")


def silence_logging() -> None:
    """Keep imapclient from logging whole mails, which it does at debug level; one that is quieter already stays so."""
    logger = logging.getLogger("imapclient")
    logger.setLevel(max(logger.level, logging.INFO))


def open_client(host: str, port: int, context: Any, *, connect_seconds: float, read_seconds: float) -> IMAPClient:
    """Connect, with TLS at once where a context is given, and with limits on both waits."""
    silence_logging()
    client = IMAPClient(
        host,
        port=port,
        ssl=context is not None,
        ssl_context=context,
        timeout=SocketTimeout(connect_seconds, read_seconds),
    )
    client._imap.debug = 0
    client.normalise_times = False
    read = client._imap._get_line
    client._imap._get_line = lambda: mend_line(read())
    return client


def mend_line(line: bytes) -> bytes:
    """Give a line of a server as imapclient can take it.

    A COPYUID that comes without its beginning gets one: imaplib gives up on it, and Exchange 2013 sends MOVE's so. News of
    flags that name no UID are passed over: imapclient would take the sequence number for one, and news stay until a FETCH.
    """
    if line.startswith(b"[COPYUID "):
        return b"* OK " + line
    return b"* OK news" if NEWS.fullmatch(line) else line


def take_copyuid(client: IMAPClient) -> dict[int, int]:
    """Take what COPY or MOVE said of the new UIDs (RFC 4315, 3.); nothing where it said nothing, or nonsense."""
    lines = client._imap.untagged_responses.pop("COPYUID", None) or []
    pairs: dict[int, int] = {}
    for line in lines:
        found = COPYUID.fullmatch(line.strip()) if isinstance(line, bytes) else None
        if found:
            old, new = expand(found[2]), expand(found[3])
            if len(old) == len(new):
                pairs.update(zip(old, new, strict=True))
    return pairs


LONGEST_EXPANSION = 100_000
"""UIDs in one answer; a set such as 1:4294967295 would fill the memory."""


def expand(uid_set: bytes) -> list[int]:
    """Give the UIDs of a set such as 4,7:9 in its order (RFC 9051, 9, uid-set); none where it is none, or too large."""
    uids: list[int] = []
    for part in uid_set.split(b","):
        found = UID_RANGE.fullmatch(part)
        if not found:
            return []
        begin, end = int(found[1]), int(found[2] or found[1])
        if abs(end - begin) + len(uids) >= LONGEST_EXPANSION:
            return []
        uids += range(min(begin, end), max(begin, end) + 1)
    return uids


def in_sets(uids: Sequence[int]) -> Iterator[list[int]]:
    """Cut a list of UIDs so that each part fits into one command."""
    part: list[int] = []
    octets = 0
    for uid in uids:
        octets += len(str(uid)) + 1
        if part and octets > LONGEST_SET:
            yield part
            part, octets = [], len(str(uid)) + 1
        part.append(uid)
    if part:
        yield part


def wait_idle(client: IMAPClient, wake: socket.socket, seconds: float) -> bool:
    """Wait in IDLE until the server says anything, `wake` has a byte, or the time is up; tell whether the server did.

    Looks into the buffers first: a line that came in one segment with the answer to IDLE lies there, and no poll of the
    socket will ever tell (imapclient.idle_check loses it).
    """
    sock = client.socket()
    if _is_buffered(client, sock):
        return True
    poller = select.poll()
    poller.register(sock.fileno(), select.POLLIN)
    poller.register(wake.fileno(), select.POLLIN)
    ready = {descriptor for descriptor, _ in poller.poll(seconds * 1000)}
    return sock.fileno() in ready


def _is_buffered(client: IMAPClient, sock: Any) -> bool:
    pending = getattr(sock, "pending", None)
    if pending is not None and pending():
        return True
    own = getattr(client._imap, "_readbuf", None)  # imaplib's own buffer, Python 3.14
    if own:
        return True
    file = getattr(client._imap, "_file", None) or client._imap.file
    if not hasattr(file, "peek"):
        return False
    sock.settimeout(0.0)
    try:
        with suppress(OSError, ValueError):
            return bool(file.peek(1))
        return False
    finally:
        client._set_read_timeout()


def put_away(client: IMAPClient, *, politely: bool) -> None:
    """Log out where that still works, and close the socket in any case; never raises."""
    if politely:
        with suppress(Exception):  # whatever a dying connection raises: it is only being put away
            client.logout()
    with suppress(Exception):
        client.shutdown()


def cut(client: IMAPClient) -> None:
    """Close the connection's both ways at once; a thread that reads from it sees the end."""
    with suppress(OSError):
        client.socket().shutdown(socket.SHUT_RDWR)
