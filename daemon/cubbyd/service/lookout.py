"""What the web page, the metrics and the heartbeat see of the daemon: read from the state file, at most every few seconds.

It has a connection of its own to the database, so that whoever asks, however often, takes none from the work.
"""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cubbyd.clock import Clock
from cubbyd.config import Config
from cubbyd.errors import StateError
from cubbyd.journal import Ends, Journal, Snag, open_database
from cubbyd.service.view import MailboxView, look_at

FRESH_SECONDS = 2.0
"""How long a survey serves all who ask: it counts rows, and a hostile client may ask a thousand times a second."""

SNAGS_SHOWN = 5
DAY, MOMENT = timedelta(days=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One mailbox, with what only a page shows."""

    view: MailboxView
    today: Ends
    """What became of mail in the last 24 hours."""
    snags: tuple[Snag, ...]
    """The last errors of mails that are not filed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All mailboxes at one moment."""

    taken_at: datetime
    sights: tuple[Sight, ...] = ()
    state_bytes: int = 0
    error: str | None = None
    """Why the state cannot be read; there are no mailboxes to see then."""

    @property
    def is_well(self) -> bool:
        """Whether mail is filed in every mailbox and none waits too long: the judgment of `cubbyd status --check`."""
        return self.error is None and not any(sight.view.trouble for sight in self.sights)

    @property
    def last_sign(self) -> datetime | None:
        """When a pass last went through, or something happened to a mail."""
        moments = [moment for sight in self.sights for moment in (sight.view.last_success, sight.view.last_change)]
        return max((moment for moment in moments if moment), default=None)


class Lookout:
    """Surveys the state of the running daemon; safe to call from several threads."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Look at the mailboxes of a configuration; nothing is read yet."""
        self._config, self._clock = config, clock
        self._lock = threading.Lock()
        self._last: tuple[float, Survey] | None = None

    @property
    def config(self) -> Config:
        """The configuration that is served."""
        return self._config

    def turn_to(self, config: Config) -> None:
        """Look at the mailboxes of another configuration from now on."""
        with self._lock:
            self._config, self._last = config, None

    def survey(self) -> Survey:
        """Give what is to be seen, a few seconds old at most; never raises for a state that cannot be read."""
        with self._lock:
            now = self._clock.monotonic()
            if self._last is None or now - self._last[0] > FRESH_SECONDS:
                self._last = (now, self._look())
            return self._last[1]

    def _look(self) -> Survey:
        now, directory = self._clock.now(), self._config.state.directory
        try:
            with closing(Journal(open_database(directory, read_only=True))) as journal:
                sights = tuple(self._see(journal, name, now) for name in self._config.mailboxes)
        except StateError as error:
            return Survey(taken_at=now, error=str(error), state_bytes=size_of(directory))
        return Survey(taken_at=now, sights=sights, state_bytes=size_of(directory))

    def _see(self, journal: Journal, name: str, now: datetime) -> Sight:
        return Sight(
            view=look_at(journal, self._config, name, now, is_running=True),
            today=journal.tally.ends(name, now - DAY, now + MOMENT),
            snags=tuple(journal.tally.snags(name, SNAGS_SHOWN)),
        )


def size_of(directory: Path) -> int:
    """Add up the bytes of the files in the state directory; one that has just gone counts nothing."""
    total = 0
    with suppress(OSError):
        for file in directory.iterdir():
            with suppress(OSError):
                total += file.stat().st_size
    return total
