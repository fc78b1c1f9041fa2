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

from cubbyd.errors import LoginEnded, LoginRefused, MailboxError
from cubbyd.mailbox import wire
from cubbyd.mailbox.border import ours
from cubbyd.mailbox.connect import Account, capabilities_of, connect

IDLE_SECONDS = 110.0
"""How long one IDLE lasts: RFC 2177 allows 29 minutes, some servers 5, and a dead connection should show within two."""

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
LOGIN_PAUSE_SECONDS = 3600.0
"""After a refused login: the polls try it too, and servers lock accounts that hammer."""


class IdleWatcher(threading.Thread):
    """Waits for the server's word that something is new, and passes it on."""

    def __init__(self, account: Account, hint: Callable[[], None], report: Callable[[str], None]) -> None:
        """Call `hint` from this thread when new mail may be there, `report` with a sentence when watching stops for a while."""
        super().__init__(name=f"idle-{account.name}", daemon=True)
        self._account, self._hint, self._report = account, hint, report
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
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                if not self._watch():
                    return
                pause = FIRST_PAUSE_SECONDS
            except MailboxError as error:
                if self._stopping.is_set():
                    return
                self._report(str(error))
                is_refused = isinstance(error, LoginRefused) and not isinstance(error, LoginEnded)
                jitter = random.uniform(0.5, 1.0)  # noqa: S311  (no secret)
                self._stopping.wait(LOGIN_PAUSE_SECONDS if is_refused else pause * jitter)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

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
