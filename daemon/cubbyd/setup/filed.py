"""The mail that people have filed, read as the daemon would read it, without changing anything.

Folders are opened with EXAMINE and mails fetched with BODY.PEEK, by an adapter that is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from cubbyd.dataset.account import CHUNK, Account, Chosen
from cubbyd.dataset.example import Example
from cubbyd.dataset.mail import input_to_example
from cubbyd.message import ClassifierInput, parse, render
from cubbyd.taxonomy import CategoryId

ORIGIN = "real"


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
    arrivals: tuple[datetime, ...]
    """When each mail arrived that was fetched and is not marked as deleted."""
    is_whole: bool
    """Whether all its mails were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """Everything that was read of an account."""

    mails: tuple[FiledMail, ...]
    folders: tuple[FiledFolder, ...]
    unread: int
    """Mails without a word; nobody is asked about them, and the daemon holds them."""


def read_filed(
    account: Account, chosen: Iterable[Chosen], *, most: int, tell: Callable[[str, int, int], None] = lambda *_: None
) -> Filed:
    """Read the newest `most` mails of each folder; tell is called with a folder, mails read of it, and mails to read.

    Raises what the account raises.
    """
    mails: list[FiledMail] = []
    folders: list[FiledFolder] = []
    unread = 0
    for one in chosen:
        account.select(one.folder, read_only=True)
        uids = account.all_uids()
        wanted = uids[-most:]
        arrivals: list[datetime] = []
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            for raw in account.fetch(chunk).values():
                if raw.is_deleted:
                    continue
                arrivals.append(raw.received_at)
                given = render(parse(raw.content))
                example = input_to_example(given, (one.label,), origin=ORIGIN, received=raw.received_at)
                if example is None:
                    unread += 1
                else:
                    mails.append(FiledMail(example=example, given=given, received=raw.received_at))
            tell(one.folder, start + len(chunk), len(wanted))
        folders.append(
            FiledFolder(
                folder=one.folder,
                category=one.label,
                mails=len(uids),
                arrivals=tuple(arrivals),
                is_whole=len(wanted) == len(uids),
            )
        )
    return Filed(mails=tuple(mails), folders=tuple(folders), unread=unread)
