"""The life of a mail, as one table: the states that it can be in, and which may follow which.

Nothing else in cubbyd compares or lists states; the sets below are the only groups that have a name, and `diagram` draws
the picture in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a mail stands; the journal keeps it, a transaction changes it."""

    SEEN = "seen"  # found in the inbox; not classified yet, or to be tried again
    DECIDED = "decided"  # classified, and the decision is on disk; the mailbox is untouched
    PLANNED = "planned"  # the mailbox is about to be touched, or was: only a look at the server can tell
    COPIED = "copied"  # a copy lies in the target; the original is ours to remove from the inbox
    FILED = "filed"  # done: where the decision wanted it
    HELD = "held"  # left, or put, where staff look: too unsure, nothing to read, or put back by a person
    QUARANTINED = "quarantined"  # the attempts are used up; it stays in the inbox and shows in `cubbyd status`
    GONE = "gone"  # a person moved or deleted it first, and the person was right
    UNDOING = "undoing"  # being taken back to the inbox, or was: only a look at the server can tell
    UNDONE = "undone"  # taken back: in the inbox, without our keywords
    VOID = "void"  # its UID means nothing any more: UIDVALIDITY of the inbox changed


TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.SEEN: frozenset({State.DECIDED, State.FILED, State.HELD, State.QUARANTINED, State.GONE, State.VOID}),
        State.DECIDED: frozenset({State.PLANNED, State.HELD, State.QUARANTINED, State.GONE, State.VOID}),
        State.PLANNED: frozenset({State.DECIDED, State.COPIED, State.FILED, State.HELD, State.GONE, State.VOID}),
        State.COPIED: frozenset({State.FILED, State.HELD}),
        State.FILED: frozenset({State.UNDOING}),
        State.HELD: frozenset({State.UNDOING}),
        State.QUARANTINED: frozenset({State.SEEN, State.DECIDED, State.GONE, State.VOID}),
        State.GONE: frozenset(),
        State.UNDOING: frozenset({State.UNDONE, State.SEEN, State.FILED, State.HELD, State.GONE}),
        State.UNDONE: frozenset(),
        State.VOID: frozenset(),
    }
)

UNFINISHED = frozenset({State.PLANNED, State.COPIED})
"""The server must be looked at before anything else happens to these."""

WAITING = frozenset({State.SEEN, State.DECIDED})
"""In the inbox, with work to be done."""

UNFILED = WAITING | UNFINISHED | {State.QUARANTINED}
"""What `oldest unfiled mail` looks at: a mail that staff may wait for."""

SETTLED = frozenset({State.FILED, State.HELD})
"""cubbyd is done with these, whether they were filed or left to people."""

TOUCHED_BY_PEOPLE = frozenset({State.GONE})
"""A person handled these before cubbyd could."""

TELLS = SETTLED | TOUCHED_BY_PEOPLE | {State.DECIDED, State.COPIED}
"""A person's move of these says something: filed, held, or taken before cubbyd could; decided, where cubbyd only observes; and
copied, where the server cannot expunge the original. Of what is planned nobody knows where it lies."""

BEING_UNDONE = frozenset({State.UNDOING})
"""An undo was begun: the server must be looked at, and the undo be finished."""

TAKEN_BACK = BEING_UNDONE | {State.UNDONE}
"""What cubbyd filed and an undo took back, or is about to."""

IN_HAND = UNFILED | BEING_UNDONE
"""Not done with: its row is needed, however old."""

VOIDABLE = WAITING | {State.QUARANTINED}
"""What a new UIDVALIDITY makes void; unfinished mail is looked for first."""


def sources_of(target: State) -> frozenset[State]:
    """Name the states from which a mail may come to `target`."""
    return frozenset(state for state, followers in TRANSITIONS.items() if target in followers)


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.SEEN}"]
    for state, followers in TRANSITIONS.items():
        lines += [f"    {state} --> {follower}" for follower in sorted(followers)]
        if not followers or state in SETTLED:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)
