"""A daemon for the kill tests: the real Worker and Filer against a real server, with a classifier that writes down each
mail that it was asked about. Run as a program; arguments: host port user state-directory log-of-answers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.contract.test_mailbox import account
from tests.dovecot import PASSWORD
from tests.rig import FOLDERS, WORDS, Office

from cubbyd.classify.protocol import Prediction
from cubbyd.clock import SystemClock
from cubbyd.errors import ClassifierError
from cubbyd.journal import Journal, open_database, state_lock
from cubbyd.mailbox import open_mailbox
from cubbyd.message import ClassifierInput
from cubbyd.testing import WordClassifier


class WritingClassifier(WordClassifier):
    """Writes down, and forces to the disk, the subject of each mail that it answers for, before it answers."""

    def __init__(self, log: Path) -> None:
        super().__init__(FOLDERS, WORDS, batch_size=1)
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        os.write(self._log, "".join(f"{given.subject}\n" for given in inputs).encode())
        return super().classify(inputs)


def main(host: str, port: str, user: str, state: str, log: str) -> None:
    who = account(host, int(port), user, PASSWORD)
    office = Office(
        state=Path(state), connect=lambda: open_mailbox(who), classifier=WritingClassifier(Path(log)), clock=SystemClock()
    )
    with state_lock(Path(state)):
        journal = Journal(open_database(Path(state)))
        mailbox = office.connect()
        office.filer(journal).run(mailbox)
        mailbox.close()
        journal.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
