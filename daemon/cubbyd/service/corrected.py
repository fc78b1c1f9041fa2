"""What people moved, as examples: the mails are read where they lie now, and the folder says what they are.

The state file has no text of any mail, so the mail server is asked; nothing in the account changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cubbyd.config import Config
from cubbyd.dataset import Example
from cubbyd.dataset.mail import mail_to_example
from cubbyd.journal import Journal, Sighting
from cubbyd.mailbox import Mailbox, open_mailbox
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
        if mailbox.status(folder) is None:
            self.missing += len(some)
            return
        if mailbox.select(mailbox.name_on_server(folder), read_only=True).uidvalidity != uidvalidity:
            self.missing += len(some)
            return
        for start in range(0, len(some), CHUNK):
            chunk = some[start : start + CHUNK]
            found = mailbox.fetch([one.uid for one in chunk])
            for one in chunk:
                mail, label = found.get(one.uid), (CategoryId(one.category or ""),)
                example = mail_to_example(mail.content, label, origin=ORIGIN, received=mail.received_at) if mail else None
                if example is None:
                    self.missing += 1
                else:
                    yield example
