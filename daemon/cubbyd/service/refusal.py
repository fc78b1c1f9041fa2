"""A start that is refused leaves a trace: what keeps cubbyd from beginning is put on record, for `cubbyd status` to tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from cubbyd.clock import Clock
from cubbyd.config import Config
from cubbyd.errors import CubbydError, StateError
from cubbyd.journal import Journal, open_database


@contextmanager
def refusal_on_record(config: Config, clock: Clock) -> Iterator[None]:
    """Put on record of every mailbox, as the outcome of a poll, why the start failed; what was raised goes on.

    The state directory must be locked by the caller.
    """
    try:
        yield
    except CubbydError as error:
        with suppress(StateError), closing(Journal(open_database(config.state.directory))) as journal:
            for name in config.mailboxes:
                journal.poll_started(name, clock.now())
                journal.poll_failed(name, str(error), clock.now())
        raise
