"""The mail that people have filed, read as the daemon would read it, without changing anything.

Folders are opened with EXAMINE and mails fetched with BODY.PEEK, by an adapter that is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from cubbyd.dataset.account import CHUNK, Account, Chosen, Mail
from cubbyd.dataset.example import Example
from cubbyd.dataset.mail import input_to_example
from cubbyd.message import ClassifierInput, parse, render
from cubbyd.taxonomy import CategoryId

ORIGIN = "real"


class CountingAccount(Account, Protocol):
    """An account that can also count; cubbyd.mailbox.session.ImapMailbox is one."""

    def count_since(self, day: date) -> int:
        """Count the mails of the open folder that arrived on a day or later."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledMail:
    """One mail that a person filed: what the classifier is given of it, and the category of its folder."""

    example: Example
    given: ClassifierInput
    received: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledFolder:
    """A folder, and what was read of it: its newest mails."""

    folder: str
    category: CategoryId
    mails: int
    """How many are in it."""
    read: int
    """How many were read and are not marked as deleted."""
    is_whole: bool
    """Whether all its mails were read."""
    recent: int
    """How many arrived since the day that was asked for."""
    first: datetime | None
    """When the oldest arrived, as far as it was looked at; None for an empty folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """Everything that was read of an account."""

    mails: tuple[FiledMail, ...]
    folders: tuple[FiledFolder, ...]
    unread: int
    """Mails without a word; nobody is asked about them, and the daemon holds them."""


def read_filed(
    account: CountingAccount,
    chosen: Iterable[Chosen],
    *,
    most: int,
    since: date,
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> Filed:
    """Read the newest `most` mails of each folder, and count those that arrived since a day.

    tell is called with a folder, mails read of it, and mails to read. Raises what the account raises.
    """
    reader = _Reader(account, most, since, tell)
    folders = tuple(reader.read(one) for one in chosen)
    return Filed(mails=tuple(reader.mails), folders=folders, unread=reader.unread)


class _Reader:
    """Reads one folder after the other."""

    def __init__(self, account: CountingAccount, most: int, since: date, tell: Callable[[str, int, int], None]) -> None:
        self.mails: list[FiledMail] = []
        self.unread = 0
        self._account, self._most, self._since, self._tell = account, most, since, tell

    def read(self, one: Chosen) -> FiledFolder:
        account = self._account
        account.select(one.folder, read_only=True)
        uids = account.all_uids()
        wanted = uids[-self._most :]
        arrivals = [mail.received_at for mail in account.fetch(uids[:1]).values()] if len(wanted) < len(uids) else []
        read = 0
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            for raw in account.fetch(chunk).values():
                arrivals.append(raw.received_at)
                if not raw.is_deleted:
                    read += 1
                    self._take(one, raw)
            self._tell(one.folder, start + len(chunk), len(wanted))
        return FiledFolder(
            folder=one.folder,
            category=one.label,
            mails=len(uids),
            read=read,
            is_whole=len(wanted) == len(uids),
            recent=account.count_since(self._since) if uids else 0,
            first=min(arrivals, default=None),
        )

    def _take(self, one: Chosen, raw: Mail) -> None:
        given = render(parse(raw.content))
        example = input_to_example(given, (one.label,), origin=ORIGIN, received=raw.received_at)
        if example is None:
            self.unread += 1
        else:
            self.mails.append(FiledMail(example=example, given=given, received=raw.received_at))
