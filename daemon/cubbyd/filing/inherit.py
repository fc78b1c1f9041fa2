"""What a newly found mail takes over from an earlier sighting of itself. Pure.

A mail comes back under a new UID when a person puts it back, when the server renumbers its folder (UIDVALIDITY), or when
it was delivered twice. It is then neither classified again nor filed against a person's will.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cubbyd.filing.decision import Hold
from cubbyd.journal import Change, Record
from cubbyd.lifecycle import SETTLED, TAKEN_BACK, TOUCHED_BY_PEOPLE, State


def inherit(mail: Record, sightings: Iterable[Record]) -> Change | None:
    """Give the change that an earlier sighting calls for, newest first; None where this mail is really new."""
    others = [earlier for earlier in sightings if earlier.id != mail.id]
    for earlier in [*(one for one in others if _was_brought_here(mail, one)), *others]:
        if earlier.state in TAKEN_BACK:
            return None if earlier.again else _hold(mail, earlier, Hold.TAKEN_BACK)
        if _was_put_back(mail, earlier):
            return _hold(mail, earlier, Hold.PUT_BACK)
        if earlier.state in SETTLED and earlier.target_folder is None and earlier.uidvalidity != mail.uidvalidity:
            return Change(id=mail.id, to=earlier.state, fields={**_decided(earlier), "keyword": earlier.keyword})
        if earlier.is_decided:
            return Change(id=mail.id, to=State.DECIDED, fields=_decided(earlier))
    return None


def _hold(mail: Record, earlier: Record, hold: Hold) -> Change:
    return Change(id=mail.id, to=State.HELD, fields={**_decided(earlier), "category": None, "hold": hold})


def _was_brought_here(mail: Record, earlier: Record) -> bool:
    """Tell whether an undo is known to have put the earlier one under just this UID; twins differ in nothing else."""
    return earlier.back_uid == mail.uid and earlier.back_uidvalidity == mail.uidvalidity


def _was_put_back(mail: Record, earlier: Record) -> bool:
    """Tell whether it left the inbox before this sighting; a twin that was there all the time was not put back."""
    has_left = earlier.state in TOUCHED_BY_PEOPLE or (earlier.state in SETTLED and earlier.target_folder is not None)
    if earlier.hold == Hold.PUT_BACK:
        return True  # once put back is for ever: the person who did it may drag it about as often as they like
    return has_left and earlier.changed_at <= mail.seen_at


def _decided(earlier: Record) -> dict[str, Any]:
    return {
        "category": earlier.category,
        "probability": earlier.probability,
        "hold": earlier.hold,
        "others": earlier.others,
        "stays": earlier.stays,
        "urgent": earlier.urgent,
        "prediction": earlier.prediction,
        "error": None,
        "not_before": None,
    }
