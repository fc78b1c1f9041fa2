"""`cubbyd undo` from the configuration to the mailboxes: each is looked at, and then worked on, on a connection of its own.

Looking only reads, and may be done beside the daemon. Taking back needs the state directory for itself: two that move mail of
one mailbox at the same time make copies of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cubbyd.clock import SystemClock
from cubbyd.config import Config
from cubbyd.errors import CubbydError
from cubbyd.filing.undo import TAKES_BACK, Found, UndoContext, survey, take_back
from cubbyd.journal import Journal, Record, Selection, open_database
from cubbyd.mailbox import open_mailbox
from cubbyd.service.account import make_account


@dataclass(slots=True, kw_only=True)
class UndoReport:
    """What an undo did."""

    number: int
    """Under which it is on record."""
    undone: int = 0
    problems: list[CubbydError] = field(default_factory=list)


class Undoing:
    """Looks, and takes back, in the mailboxes of a configuration."""

    def __init__(self, config_file: Path, config: Config, journal: Journal) -> None:
        """Take an open journal; nothing is connected yet."""
        self._file, self._config, self._journal, self._clock = config_file, config, journal, SystemClock()

    def survey(self, wanted: Selection) -> dict[str, list[Found]]:
        """Find the mails that fit, by mailbox, and where each is now; mailboxes without any are not asked.

        Raises ConfigError, MailboxError's kinds.
        """
        found: dict[str, list[Found]] = {}
        for name in [wanted.mailbox] if wanted.mailbox else self._config.mailboxes:
            records = self._journal.undoable(name, wanted)
            if records:
                with self._connected(name) as context:
                    found[name] = survey(context, _with_message_id(context, wanted, records))
        return found

    def take_back(self, wanted: Selection, found: dict[str, list[Found]], *, again: bool) -> UndoReport:
        """Take back what was found; one mailbox's failure stops no other, and what it left is finished by its next pass."""
        report = UndoReport(number=self._journal.begin_undo(wanted, self._clock.now(), again=again))
        for name, some in found.items():
            if any(one.fate in TAKES_BACK for one in some):
                self._take_back_in(name, some, report, again=again)
        return report

    def _take_back_in(self, name: str, found: Sequence[Found], report: UndoReport, *, again: bool) -> None:
        contexts: list[UndoContext] = []
        try:
            with self._connected(name) as context:
                contexts.append(context)
                take_back(context, found, undo=report.number, again=again)
        except CubbydError as error:
            report.problems.append(error)
        for context in contexts:
            report.undone += len(context.undone)
            report.problems += context.problems

    @contextmanager
    def _connected(self, name: str) -> Iterator[UndoContext]:
        section = self._config.mailboxes[name]
        account = make_account(self._file, name, section, self._config.state.directory)
        with closing(open_mailbox(account)) as mailbox:
            yield UndoContext(name=name, inbox=section.inbox, mailbox=mailbox, journal=self._journal, clock=self._clock)


def _with_message_id(context: UndoContext, wanted: Selection, records: Sequence[Record]) -> Sequence[Record]:
    """Leave those that the server says have the Message-ID that is wanted; all where none is."""
    if wanted.message_id is None:
        return records
    identities = context.mailbox.with_message_id(wanted.message_id)
    return [record for record in records if record.fingerprint in identities]


@contextmanager
def open_undo(config_file: Path, config: Config) -> Iterator[Undoing]:
    """Open the state for an undo; it must be there. Raises StateError."""
    with closing(Journal(open_database(config.state.directory, read_only=True))) as journal:
        yield Undoing(config_file, config, journal)
