"""Sends a mailbox's digest once: after a pass, over the connection that is open, when the calendar says so.

The intent is on record before the mail is appended. After a death in between, the folder is asked whether it has it. What fails
is a line in the log, and is tried again a quarter of an hour later.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import structlog

from cubbyd.clock import Clock
from cubbyd.config import Config, Every
from cubbyd.errors import CubbydError
from cubbyd.journal import Journal, Sending
from cubbyd.mailbox import Mailbox
from cubbyd.message.identity import fingerprint
from cubbyd.service.digest import compose, gather
from cubbyd.service.due import begin_of, latest_due

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.service")

RETRY_SECONDS: Final = 900.0


class Postman:
    """Sends the digests of one mailbox; used by the thread that does its passes."""

    def __init__(self, name: str, config: Config, journal: Journal, clock: Clock) -> None:
        """Take the parts; nothing is read yet."""
        self._name, self._config, self._clock = name, config, clock
        self._journal, self._book = journal, journal.digests
        self._done_until: datetime | None = None
        self._not_before = clock.monotonic()

    def send_if_due(self, mailbox: Mailbox) -> bool:
        """Send the digest that is due and was not sent; tell whether one was. Raises CubbydError's kinds, and then waits."""
        if self._config.digest.every is Every.NEVER or self._clock.monotonic() < self._not_before:
            return False
        due = latest_due(self._config.digest, self._clock.now())
        if self._done_until is not None and due <= self._done_until:
            return False
        self._not_before = self._clock.monotonic() + RETRY_SECONDS
        is_sent = self._send(mailbox, due)
        self._done_until, self._not_before = due, self._clock.monotonic()
        return is_sent

    def _send(self, mailbox: Mailbox, due: datetime) -> bool:
        last = self._book.last(self._name)
        if last is None:
            self._book.sent(self._name, due, self._clock.now())  # the first one goes out at the next time
            return False
        if last.sent_at is None and self._is_there(mailbox, last):
            self._book.sent(self._name, last.due_at, self._clock.now())
        sent_until = self._book.last_sent(self._name)
        if sent_until is not None and sent_until >= due:
            return False
        self._append(mailbox, due, begin_of(due, self._config.digest.every, sent_until))
        return True

    def _is_there(self, mailbox: Mailbox, sending: Sending) -> bool:
        folder = self._config.digest_folder
        if sending.fingerprint is None or mailbox.status(folder) is None:
            return False
        return sending.fingerprint in mailbox.fingerprints(folder, sending.first_uid or 1).values()

    def _append(self, mailbox: Mailbox, due: datetime, since: datetime) -> None:
        now = self._clock.now().replace(microsecond=0)
        facts = gather(self._config, self._journal, self._name, since, due, now)
        content = compose(facts, self._config.mailboxes[self._name].username)
        folder = self._config.digest_folder
        mailbox.ensure_folder(folder)
        status = mailbox.status(folder)
        identity = fingerprint(content, now.astimezone(UTC).isoformat())
        self._book.begin(self._name, due, identity, status.uidnext if status else None)
        mailbox.append(folder, content, now)
        self._book.sent(self._name, due, self._clock.now())
        log.info("digest sent", mailbox=self._name, folder=folder)


def try_to_send(postman: Postman, name: str, mailbox: Mailbox) -> CubbydError | None:
    """Send what is due; log what goes wrong, and give it."""
    try:
        postman.send_if_due(mailbox)
    except CubbydError as error:
        log.warning("the digest was not sent; it is tried again", mailbox=name, error=str(error))
        return error
    return None
