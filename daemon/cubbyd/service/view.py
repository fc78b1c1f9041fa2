"""How a mailbox does, read from the state file: what `cubbyd status`, /healthz, the metrics and the digest all tell of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cubbyd.config import Config, FilingAction
from cubbyd.journal import Journal, Mark, PollOutcome
from cubbyd.lifecycle import SETTLED, UNFINISHED, WAITING, State
from cubbyd.service.health import LONGEST_WAIT, Signs, Trouble, find_first_sign, find_trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxView:
    """One mailbox, as the state file knows it."""

    name: str
    counts: Mapping[State, int]
    """Mails on record by state."""
    outcome: PollOutcome | None
    """How the last polls went; None where there was none."""
    oldest_unfiled: datetime | None
    """When the oldest mail came in that staff may still wait for."""
    last_change: datetime | None
    """When something last happened to any mail."""
    mark: Mark | None
    """How far the inbox was read; None where it was never opened."""
    trouble: Trouble | None
    """What is wrong; None where mail is filed and none waits too long."""
    first_sign: Trouble | None
    """What went wrong at the last poll, perhaps for a moment only; None where nothing did."""

    def count(self, states: Collection[State]) -> int:
        """Count the mails in these states."""
        return sum(self.counts.get(state, 0) for state in states)

    @property
    def waiting(self) -> int:
        """How many mails are in the inbox with work to be done."""
        return self.count(WAITING | UNFINISHED)

    @property
    def last_success(self) -> datetime | None:
        """When a pass last went through."""
        return self.outcome.succeeded_at if self.outcome else None

    @property
    def old_mail_left(self) -> int:
        """How many mails that were there before cubbyd are left alone, or still to be filed."""
        return (self.mark.backlog_left or 0) if self.mark else 0


def look_at(
    journal: Journal,
    config: Config,
    name: str,
    now: datetime,
    *,
    is_running: bool,
    longest_wait: timedelta = LONGEST_WAIT,
) -> MailboxView:
    """Read a mailbox's state and weigh it. With action = "observe", what is decided waits as it should. Raises StateError."""
    outcome, last_change = journal.poll_outcome(name), journal.last_change(name)
    observing = config.filing.action is FilingAction.OBSERVE
    signs = Signs(
        poll_seconds=config.mailboxes[name].poll_seconds,
        is_running=is_running,
        outcome=outcome,
        last_change=last_change,
        last_settled=journal.last_change(name, SETTLED),
        wait=journal.wait(name, {State.SEEN} if observing else WAITING | UNFINISHED),
    )
    return MailboxView(
        name=name,
        counts=journal.counts(name),
        outcome=outcome,
        oldest_unfiled=journal.oldest_unfiled(name),
        last_change=last_change,
        mark=journal.mark(name, config.mailboxes[name].inbox),
        trouble=find_trouble(signs, now, longest_wait),
        first_sign=find_first_sign(signs, now),
    )
