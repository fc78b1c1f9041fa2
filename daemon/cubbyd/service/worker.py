"""One mailbox's thread: wakes when a poll is due or IDLE hints, does a pass, keeps the connection while it is healthy.

A slow or dead mailbox holds up no other. Failures are put on record for `cubbyd status`, with growing pauses between tries;
a refused login waits long, because servers lock accounts that hammer.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress

import structlog

from cubbyd.clock import Clock
from cubbyd.errors import CubbydError, MailboxError, MailboxUnavailable, StateError
from cubbyd.filing import Filer, PassReport
from cubbyd.journal import Journal
from cubbyd.lifecycle import UNFINISHED, WAITING
from cubbyd.mailbox import Mailbox, Pauses
from cubbyd.service.headline import Standing
from cubbyd.service.observer import Nobody, Observer
from cubbyd.service.postman import Postman, try_to_send

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.service")

PAUSES = Pauses(longest_seconds=600.0, login_seconds=900.0)
"""After a refused login: fewer than five tries an hour, which no lock-out rule that we know of counts."""

SHORTEST_WAIT_SECONDS = 0.05

FULL_SCAN_SECONDS = 86_400.0
"""How often the whole inbox is compared with the record: the safety net under the watermark."""


WATCH_SECONDS = 300.0
"""How often the folders are looked through for mail that people moved: two commands for each folder."""


class Worker:
    """Does the passes of one mailbox, in the thread that calls it."""

    def __init__(
        self,
        *,
        name: str,
        open_mailbox: Callable[[], Mailbox],
        filer: Filer,
        journal: Journal,
        clock: Clock,
        observer: Observer | None = None,
        postman: Postman | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Take the parts; nothing is connected yet.

        The observer hears how each pass went, the postman sends digests. The lots that scatter the pauses are drawn with
        `draw`, from 0 to 1.
        """
        self.name = name
        self._open, self._filer, self._journal, self._clock = open_mailbox, filer, journal, clock
        self._observer, self._postman = observer or Nobody(), postman
        self._mailbox: Mailbox | None = None
        self._next_full_scan = self._next_watch = clock.monotonic()
        self._failures, self._draw = 0, draw
        self.standing = Standing(name=name)
        self.not_before = clock.monotonic()
        """Monotonic time before which a try would only do harm."""

    def run_pass(self) -> PassReport:
        """Do one pass and put its outcome on record. Raises CubbydError where it broke off, and says when to try again."""
        begun = self._clock.monotonic()
        try:
            self._journal.poll_started(self.name, self._clock.now())
            report = self._pass()
        except CubbydError as error:
            self._observer.pass_ended(self.name, self._clock.monotonic() - begun, [error])
            self._failed(error)
            raise
        self._observer.pass_ended(self.name, self._clock.monotonic() - begun, report.problems)
        self._failures = 0
        self.standing.add(report)
        self.standing.trouble = self.standing.trouble or self._left_behind()
        if report.problems:
            self._journal.poll_failed(self.name, str(report.problems[0]), self._clock.now())
        elif not report.was_stopped:
            self._journal.poll_succeeded(self.name, self._clock.now())
        if not report.was_stopped:
            self._send_digest()
        return report

    def _left_behind(self) -> str | None:
        """Tell why mail still waits that an earlier pass could not handle; None where none does."""
        wait = self._journal.wait(self.name, WAITING | UNFINISHED)
        return wait.error if wait else None

    def _send_digest(self) -> None:
        if self._postman is None or self._mailbox is None:
            return
        if isinstance(try_to_send(self._postman, self.name, self._mailbox), MailboxUnavailable):
            self.disconnect()

    def _pass(self) -> PassReport:
        if self._mailbox is None:
            self._mailbox = self._open()
        is_full = self._clock.monotonic() >= self._next_full_scan
        report = self._filer.run(self._mailbox, full_scan=is_full, watch=self._watches)
        if is_full:
            self._next_full_scan = self._clock.monotonic() + FULL_SCAN_SECONDS
        if report.is_cut:
            self.disconnect()
        return report

    def _watches(self) -> bool:
        """Tell whether it is time to look for what people moved, and that it is not again for a while, whatever comes of it."""
        now = self._clock.monotonic()
        if now < self._next_watch:
            return False
        self._next_watch = now + WATCH_SECONDS
        return True

    def _failed(self, error: CubbydError) -> None:
        self._failures += 1
        self.standing.trouble = str(error)
        if isinstance(error, MailboxError | StateError):
            self.disconnect()
        self.not_before = self._clock.monotonic() + PAUSES.after(error, self._failures, self._draw())
        with suppress(StateError):  # which may be the very failure; the log has it
            self._journal.poll_failed(self.name, str(error), self._clock.now())

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection; without one no mail is in hand."""
        return self._mailbox is not None

    @property
    def owes_a_pass(self) -> bool:
        """Whether the last pass broke off, so that one is due at `not_before`, whoever asks for it."""
        return self._failures > 0

    def disconnect(self) -> None:
        """Log out; the next pass connects anew."""
        mailbox, self._mailbox = self._mailbox, None
        if mailbox is not None:
            mailbox.close()

    def abort(self) -> None:
        """Cut the connection from another thread; a pass that waits on it ends."""
        mailbox = self._mailbox
        if mailbox is not None:
            mailbox.abort()


class WorkerThread(threading.Thread):
    """Runs a worker's passes whenever it is woken, one at a time; wakes while a pass runs make one more.

    A pass that broke off is tried again after its pause, without waiting for the next poll.
    """

    def __init__(
        self,
        worker: Worker,
        clock: Clock,
        stopping: threading.Event,
        beat: Callable[[], None] = lambda: None,
        rest_seconds: float | None = None,
    ) -> None:
        """Wait for the first wake; report progress by `beat`, also while there is nothing to do, every `rest_seconds`."""
        super().__init__(name=f"mailbox-{worker.name}", daemon=True)
        self._worker, self._clock, self._stopping = worker, clock, stopping
        self._due = threading.Event()
        self._beat, self._rest_seconds = beat, rest_seconds

    def wake(self) -> None:
        """Ask for a pass soon."""
        self._due.set()

    def run(self) -> None:
        """Do a pass at each wake until the stop; whatever is thrown, the thread lives on."""
        while True:
            is_woken = self._due.wait(self._longest_wait())
            self._due.clear()
            if self._stopping.is_set():
                break
            if (is_woken or self._worker.owes_a_pass) and self._clock.monotonic() >= self._worker.not_before:
                self._pass()
            self._beat()
        with suppress(CubbydError):
            self._worker.disconnect()

    def _longest_wait(self) -> float | None:
        """Give the seconds until something is to be done though nobody wakes; None where nothing is."""
        if not self._worker.owes_a_pass:
            return self._rest_seconds
        pause = max(self._worker.not_before - self._clock.monotonic(), SHORTEST_WAIT_SECONDS)
        return pause if self._rest_seconds is None else min(pause, self._rest_seconds)

    def _pass(self) -> None:
        try:
            report = self._worker.run_pass()
        except CubbydError as error:
            if not self._stopping.is_set():
                log.error("pass failed", mailbox=self._worker.name, kind=type(error).__name__, error=str(error))
        except Exception:
            log.exception("pass failed for a reason that is a fault of cubbyd", mailbox=self._worker.name)
            self._worker.disconnect()
        else:
            if report.found or report.became:
                became = {str(state): count for state, count in report.became.items()}
                log.info("pass done", mailbox=self._worker.name, found=report.found, classified=report.classified, **became)
