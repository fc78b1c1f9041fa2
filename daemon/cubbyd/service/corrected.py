"""What people moved, as examples: the mails are read where they lie now, and the folder says what they are.

The state file has no text of any mail, so the mail server is asked; nothing in the account changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cubbyd.config import Config, Labels
from cubbyd.dataset import Example
from cubbyd.dataset.mail import mail_to_example
from cubbyd.journal import Journal, Sighting
from cubbyd.mailbox import Mailbox, RawMessage, open_mailbox
from cubbyd.service.account import account_of
from cubbyd.taxonomy import CategoryId

CHUNK: Final = 50
"""Mails that are fetched at once."""

ORIGIN: Final = "real"


@dataclass(slots=True)
class Lesson:
    """The mails whose category a person said, and how many of them could be read."""

    config: Config
    journal: Journal
    since: datetime
    until: datetime
    missing: int = field(default=0, init=False)
    """Mails that are no longer where they were seen, or have no words."""

    def examples(self, name: str) -> Iterator[Example]:
        """Read the mails of one mailbox that a person put where they belong. Raises ConfigError, MailboxError's kinds."""
        wanted = self._places(name)
        if not wanted:
            return
        mailbox = open_mailbox(account_of(self.config, name))
        try:
            for (folder, uidvalidity), some in wanted.items():
                yield from self._read(mailbox, folder, uidvalidity, some)
        finally:
            mailbox.close()

    def _places(self, name: str) -> dict[tuple[str, int], list[Sighting]]:
        """Name the last place of each mail, where that stands for a category that there still is."""
        sightings = self.journal.sightings
        moved = [one.record_id for one in sightings.accepted(name, self.since, self.until) if one.record_id is not None]
        by_folder: dict[tuple[str, int], list[Sighting]] = defaultdict(list)
        for one in sightings.latest(dict.fromkeys(moved)).values():
            if one.accepted_at is not None and one.category in self.config.taxonomy:
                by_folder[one.folder, one.uidvalidity].append(one)
        return by_folder

    def _read(self, mailbox: Mailbox, folder: str, uidvalidity: int, some: Sequence[Sighting]) -> Iterator[Example]:
        is_there = mailbox.status(folder) is not None
        if not is_there or mailbox.select(mailbox.name_on_server(folder), read_only=True).uidvalidity != uidvalidity:
            self.missing += len(some)
            return
        for start in range(0, len(some), CHUNK):
            chunk = some[start : start + CHUNK]
            found = mailbox.fetch([one.uid for one in chunk])
            others = self._others(chunk)
            for one in chunk:
                example = self._example(one, found.get(one.uid), others.get(one.record_id, ()))
                if example is None:
                    self.missing += 1
                else:
                    yield example

    def _example(self, one: Sighting, mail: RawMessage | None, others: Sequence[str]) -> Example | None:
        """Label a mail with what the person said; what else it was thought to be, nobody has contradicted."""
        if mail is None or mail.is_deleted:
            return None
        labels = [one.category or "", *(other for other in others if other in self.config.taxonomy and other != one.category)]
        return mail_to_example(mail.content, tuple(map(CategoryId, labels)), origin=ORIGIN, received=mail.received_at)

    def _others(self, some: Sequence[Sighting]) -> dict[int | None, Sequence[str]]:
        """Give the further categories of each mail, where mail can have several."""
        if self.config.classifier.labels is Labels.ONE:
            return {}
        twins = self.journal.twins(some[0].mailbox, {one.fingerprint for one in some})
        return {record.id: record.others or () for records in twins.values() for record in records}
