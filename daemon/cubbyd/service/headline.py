"""The line that `systemctl status` shows: how much was filed, and which mailbox fails. Pure; no mail text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cubbyd.filing import PassReport
from cubbyd.lifecycle import State


@dataclass(slots=True, kw_only=True)
class Standing:
    """How a mailbox does, since its worker was made."""

    name: str
    became: Counter[State] = field(default_factory=Counter)
    trouble: str | None = None
    """Why its last pass broke off, or what it left undone."""
    has_polled: bool = False
    decided: int = 0
    """Answers that the classifier gave."""

    def add(self, report: PassReport) -> None:
        """Count what a pass did that went through."""
        self.has_polled = True
        self.became += report.became
        self.decided += report.classified
        self.trouble = str(report.problems[0]) if report.problems else None


def headline(standings: Sequence[Standing], *, observe: bool) -> str:
    """Say in one line how all mailboxes do, what fails first."""
    failing = [f"{one.name} fails: {one.trouble}" for one in standings if one.trouble]
    waiting = [one.name for one in standings if not one.has_polled and not one.trouble]
    if waiting:
        failing.append(f"first pass of {', '.join(waiting)} is under way")
    return "; ".join([*failing, _counts(standings, observe=observe)])


def _counts(standings: Sequence[Standing], *, observe: bool) -> str:
    total: Counter[State] = Counter()
    for one in standings:
        total += one.became
    if observe:
        return f"observing: {sum(one.decided for one in standings)} decided, nothing is changed"
    return ", ".join(
        [f"{total[State.FILED]} filed", f"{total[State.HELD]} held"]
        + [f"{total[state]} {state}" for state in (State.QUARANTINED,) if total[state]]
    )
