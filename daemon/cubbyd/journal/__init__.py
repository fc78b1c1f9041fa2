"""The state file: a durable record of each mail's life, so that none is handled twice or lost."""

from cubbyd.journal.digest import DigestBook, Sending
from cubbyd.journal.journal import Journal
from cubbyd.journal.lock import is_locked
from cubbyd.journal.record import MARKED_DELETED, Change, Mark, PollOutcome, Record, Selection, Undo, Wait
from cubbyd.journal.sighting import Means, Sighting, SightingBook, Verdict
from cubbyd.journal.store import open_database, state_lock
from cubbyd.journal.tally import Ends, Expense, Moves, Snag, Tally

__all__ = [
    "MARKED_DELETED",
    "Change",
    "DigestBook",
    "Ends",
    "Expense",
    "Journal",
    "Mark",
    "Means",
    "Moves",
    "PollOutcome",
    "Record",
    "Selection",
    "Sending",
    "Sighting",
    "SightingBook",
    "Snag",
    "Tally",
    "Undo",
    "Verdict",
    "Wait",
    "is_locked",
    "open_database",
    "state_lock",
]
