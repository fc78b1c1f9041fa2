"""IDLE as a hint to poll now (RFC 2177). Polling is the truth: whatever goes wrong here costs at most one interval.

The watcher has a connection of its own, opened read-only, so that it never stands in the way of filing.
"""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from imapclient import IMAPClient

from cubbyd.errors import MailboxError
from cubbyd.mailbox import wire
from cubbyd.mailbox.border import ours
from cubbyd.mailbox.connect import Account, capabilities_of, connect
from cubbyd.mailbox.pause import Pauses

IDLE_SECONDS = 110.0
"""How long one IDLE lasts: RFC 2177 allows 29 minutes, some servers 5, and a dead connection should show within two."""

PAUSES = Pauses(longest_seconds=300.0, login_seconds=3600.0)
"""After a refused login an hour, as the polls try it too."""


class IdleWatcher(threading.Thread):
    """Waits for the server's word that something is new, and passes it on."""

    def __init__(
        self, account: Account, hint: Callable[[], None], report: Callable[[str], None], *, after_seconds: float = 0.0
    ) -> None:
        """Call `hint` from this thread when new mail may be there, `report` with a sentence when watching stops for a while.

        The first connection is made after so many seconds.
        """
        super().__init__(name=f"idle-{account.name}", daemon=True)
        self._account, self._hint, self._report = account, hint, report
        self._after_seconds, self._failures = after_seconds, 0
        self._stopping = threading.Event()
        self._wake, self._wake_end = socket.socketpair()

    def stop(self) -> None:
        """End the thread; it wakes up at once."""
        self._stopping.set()
        with suppress(OSError):
            self._wake_end.send(b".")

    def run(self) -> None:
        """Watch until stopped; a broken connection is made anew, with growing pauses."""
        try:
            self._keep_watching()
        finally:
            self._wake.close()
            self._wake_end.close()

    def _keep_watching(self) -> None:
        self._stopping.wait(self._after_seconds)
        while not self._stopping.is_set():
            try:
                if not self._watch():
                    return
            except MailboxError as error:
                if self._stopping.is_set():
                    return
                self._report(str(error))
                self._failures += 1
                self._stopping.wait(PAUSES.after(error, self._failures, random.random()))  # noqa: S311  (no secret)

    def _watch(self) -> bool:
        """Watch on one connection until stopped or broken; give False where the server knows no IDLE."""
        client = connect(self._account, attempts=1)
        try:
            if not capabilities_of(client).idle:
                self._report("the server knows no IDLE; new mail is found by polling alone")
                return False
            with ours(f"mailbox {self._account.name}: watching {self._account.section.inbox}"):
                client.select_folder(self._account.section.inbox, readonly=True)
                self._hint()  # what came while nobody watched
                while not self._stopping.is_set():
                    self._idle_once(client)
                    self._failures = 0  # not before: a server that takes the login and ends each IDLE is down as well
            return True
        finally:
            wire.put_away(client, politely=self._stopping.is_set())

    def _idle_once(self, client: IMAPClient) -> None:
        _, before = client.noop()
        if _tells_of_mail(before):
            self._hint()
        client.idle()
        heard = wire.wait_idle(client, self._wake, IDLE_SECONDS)
        _, during = client.idle_done()
        if not self._stopping.is_set() and (heard or _tells_of_mail(during)):
            self._hint()


def _tells_of_mail(responses: list[tuple[object, ...]]) -> bool:
    return any(len(response) > 1 and response[1] == b"EXISTS" for response in responses)
