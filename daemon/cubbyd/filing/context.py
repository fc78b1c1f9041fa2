"""What the steps of one pass share, and what a pass reports."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from cubbyd.classify.protocol import Classifier
from cubbyd.clock import Clock
from cubbyd.errors import CubbydError
from cubbyd.filing.plan import Rules
from cubbyd.journal import Journal, Mark, Record
from cubbyd.lifecycle import State
from cubbyd.mailbox import FolderStatus, Mailbox

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.filing")


@dataclass(slots=True, kw_only=True)
class PassReport:
    """What one pass over a mailbox did."""

    found: int = 0
    """Mails that were new in the inbox."""
    classified: int = 0
    """Answers that the classifier gave."""
    became: Counter[State] = field(default_factory=Counter)
    """Mails by the state that the pass took them to."""
    has_recovered: bool = False
    """A mail was answered that had waited for a part of the classifier."""
    problems: list[CubbydError] = field(default_factory=list)
    """What went wrong without ending the pass."""
    was_stopped: bool = False
    is_cut: bool = False
    """The connection broke while it was looked for what people moved; what is left waits for the next pass."""
    backlog_left: int = 0
    """Old mails that are left alone, or are still to be filed, as far as the pass looked."""


@dataclass(slots=True, kw_only=True)
class PassContext:
    """One pass over one mailbox: the parts that it works with, and what it learns on the way."""

    name: str
    inbox: str
    rules: Rules
    mailbox: Mailbox
    journal: Journal
    classifier: Classifier
    clock: Clock
    should_stop: Callable[[], bool]
    progress: Callable[[], None]
    """Called whenever mails were judged: a sign that the work goes on."""
    noted: Callable[[Record, State, bool], None]
    """Called for each mail that was taken to a state: with whether it is old mail."""
    moved: Callable[[str | None, str | None], None]
    """Called for each mail that a person moved: with the category that it had, and has; None: for people to decide."""
    unwatched: set[str]
    """Folders of which it was said that they cannot be watched."""
    status: FolderStatus
    """The inbox as it was opened."""
    targets: dict[str, FolderStatus] = field(default_factory=dict)
    """Folders that are known to exist, with a lower bound of their UIDNEXT."""
    mark: Mark | None = None
    """How far the inbox was read, once it was looked at."""
    report: PassReport = field(default_factory=PassReport)
    _run: int | None = None

    @property
    def run(self) -> int:
        """The number of this pass among those that filed anything, so that it can be undone as a whole."""
        if self._run is None:
            self._run = self.journal.last_run(self.name) + 1
        return self._run

    def note(self, record: Record, to: State, *, folder: str | None = None, error: str | None = None) -> None:
        """Count what became of a mail, and log it: ids, category, probability, duration, never mail text."""
        self.report.became[to] += 1
        self.noted(record, to, self.mark is not None and record.uid <= (self.mark.backlog_uid or 0))
        duration = self.clock.now() - record.seen_at
        details = {
            "mailbox": self.name,
            "uidvalidity": record.uidvalidity,
            "uid": record.uid,
            "category": record.category,
            "probability": None if record.probability is None else round(record.probability, 3),
            "others": " ".join(record.others or ()) or None,
            "hold": record.hold,
            "urgent": record.urgent,
            "folder": folder,
            "error": error,
            "duration_ms": duration // timedelta(milliseconds=1),
        }
        level = logging.WARNING if error else logging.INFO
        log.log(level, f"mail {to}", **{key: value for key, value in details.items() if value is not None})  # noqa: G004

    def remark_dropped(self, keyword: str) -> None:
        """Log that the server says OK to a keyword and does not keep it, for mail that goes to its folder all the same."""
        log.warning("keyword is not kept", mailbox=self.name, keyword=keyword)

    def problem(self, error: CubbydError) -> None:
        """Remember what went wrong; the pass goes on with other mail."""
        self.report.problems.append(error)
        log.warning("pass has a problem", mailbox=self.name, error=str(error))
