"""Has filing stopped, and why: what the state file tells of a mailbox, weighed whatever the cause. Pure.

A sign of life is a pass that went through, or any mail on which something happened: a first pass over a large inbox takes
hours. A failure counts only while nothing is filed beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cubbyd.journal import PollOutcome, Wait

PASSES_MISSED = 3
SHORTEST_PATIENCE = timedelta(minutes=10)
"""A server that restarts, and a daemon that is updated, are back by then."""

LONGEST_WAIT = timedelta(hours=1)
"""How long a mail may wait to be filed before that is wrong, where nobody says otherwise."""
OVERDUE = 1.2
"""Polls are scattered by a tenth of their interval; one that is later by more is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What is known of one mailbox without asking its server."""

    poll_seconds: int
    is_running: bool
    """Whether a process holds the state directory."""
    outcome: PollOutcome | None
    """How the last polls went; None where there was none."""
    last_change: datetime | None
    """When something last happened to any mail."""
    last_settled: datetime | None
    """When a mail was last filed, or left to people."""
    wait: Wait | None
    """The mails that wait to be filed; None where none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong with a mailbox."""

    has_stopped: bool
    """Whether nothing is filed any more; else it is single mails that wait."""
    since: datetime | None
    """None where it never worked."""
    what: str
    way_out: str


def patience(poll_seconds: int) -> timedelta:
    """Give how long a silence is nothing: a few polls, and some minutes at least."""
    return max(PASSES_MISSED * timedelta(seconds=poll_seconds), SHORTEST_PATIENCE)


def find_trouble(signs: Signs, now: datetime, longest_wait: timedelta) -> Trouble | None:
    """Tell what is wrong, the gravest thing first; None where mail is filed and none waits longer than it may."""
    outcome, limit = signs.outcome, patience(signs.poll_seconds)
    if outcome is None:
        if signs.is_running:
            return None  # it has only just begun: the first poll is on record before anything else
        return Trouble(has_stopped=True, since=None, what="it was never looked at", way_out=_START)
    if outcome.failing_since is not None and now - outcome.failing_since > limit and _nothing_settled(signs, outcome):
        what = f"{outcome.error or 'every pass fails'}{'' if signs.is_running else ' (and cubbyd is not running)'}"
        return Trouble(has_stopped=True, since=outcome.failing_since, what=what, way_out=_MEND)
    last_sign = max((moment for moment in (outcome.succeeded_at, signs.last_change) if moment), default=None)
    if now - (last_sign or outcome.started_at) > limit:
        what, way_out = (
            ("cubbyd runs and gets through no pass", _HANGS) if signs.is_running else ("cubbyd is not running", _START)
        )
        return Trouble(has_stopped=True, since=last_sign, what=what, way_out=way_out)
    if signs.wait is not None and now - signs.wait.since > longest_wait:
        why = f": {signs.wait.error}" if signs.wait.error else ""
        what = f"{signs.wait.mails} mails wait to be filed{why}"
        return Trouble(has_stopped=False, since=signs.wait.since, what=what, way_out=_WAITS)
    return None


def find_first_sign(signs: Signs, now: datetime) -> Trouble | None:
    """Tell what went wrong at the last poll, why mail waits since an earlier one, or that the next one is overdue.

    Perhaps for a moment only, and no alarm yet.
    """
    outcome = signs.outcome
    if outcome is None:
        return None
    if outcome.error is not None:
        return Trouble(has_stopped=False, since=outcome.failing_since, what=outcome.error, way_out=_MEND)
    if signs.wait is not None and signs.wait.error:
        what = f"{signs.wait.mails} mails wait to be filed: {signs.wait.error}"
        return Trouble(has_stopped=False, since=signs.wait.since, what=what, way_out=_WAITS)
    overdue = now - outcome.started_at - OVERDUE * timedelta(seconds=signs.poll_seconds)
    if overdue > timedelta(0) and not signs.is_running:
        return Trouble(has_stopped=False, since=outcome.started_at, what="cubbyd is not running", way_out=_START)
    return None


def _nothing_settled(signs: Signs, outcome: PollOutcome) -> bool:
    return signs.last_settled is None or outcome.failing_since is None or signs.last_settled < outcome.failing_since


_START = "start it (`systemctl start cubbyd`); if it ends at once, its log and `cubbyd check` say why"
_MEND = "`cubbyd check` tries each part by itself; mail stays in the inbox meanwhile and is filed afterwards"
_HANGS = "restart it; its log says how far it came"
_WAITS = "the log says of each mail why; started with --observe, cubbyd decides and files nothing"
