"""The state file: a durable record of each mail's life, so that none is handled twice or lost."""

from cubbyd.journal.journal import Journal
from cubbyd.journal.record import Change, PollOutcome, Record, Selection, Undo
from cubbyd.journal.store import open_database, state_lock

__all__ = ["Change", "Journal", "PollOutcome", "Record", "Selection", "Undo", "open_database", "state_lock"]
