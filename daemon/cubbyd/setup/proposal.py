"""Which categories an account's own folders make. Pure, but for what it asks of the account that it is given."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Final, Protocol

from cubbyd.dataset.account import NAMED, SPECIAL, Listed
from cubbyd.errors import CommandRefused
from cubbyd.taxonomy import FOLDER_SEPARATOR, folder_problem

LONGEST_ID: Final = 40
LONGEST_NAME: Final = 60
ARCHIVES: Final = frozenset({"archive", "archives", "archiv", "archivo", "all mail", "alle nachrichten", "notes", "notizen"})
"""Names of folders that hold mail of every sort, or none; lower case."""
SPELLED: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "ł": "l"})


class Described(Protocol):
    """What STATUS says of a folder."""

    @property
    def exists(self) -> int:
        """How many mails are in it."""
        ...


class FolderSource(Protocol):
    """What is needed of a mailbox; cubbyd.mailbox.session.ImapMailbox has it."""

    def folders(self) -> Sequence[Listed]:
        """List the folders that can be opened."""
        ...

    def name_on_server(self, folder: str) -> str:
        """Spell a folder of the configuration as the server does."""
        ...

    def status(self, folder: str) -> Described | None:
        """Describe a folder without opening it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A category that a folder makes, or that the sample facility has."""

    id: str
    name: str
    folder: str
    """As the configuration spells it; levels are separated by /."""
    mails: int | None = None
    """How many are in it; None where there is no such folder yet."""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A folder that makes no category, by the server's name, and why."""

    folder: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """All that was found in an account."""

    categories: tuple[Proposal, ...]
    left_out: tuple[LeftOut, ...]


def propose(source: FolderSource, *, inbox: str, leave_out: Iterable[str] = ()) -> Proposals:
    """Look at an account's folders; each that people file mail into makes a category.

    Special folders (RFC 6154), their usual names, the inbox, and folders that hold nothing but other folders make none.
    Nothing is opened. Raises what the source raises.
    """
    unwanted = {folder.casefold() for folder in leave_out}
    listed = sorted(source.folders(), key=lambda one: one.name.casefold())
    found: list[tuple[str, int]] = []
    left: list[LeftOut] = []
    for one in listed:
        folder = spell_for_configuration(source, one)
        reason = _reason_against(one, folder, inbox, unwanted)
        mails = 0
        if not reason and folder is not None:
            status = source.status(folder)
            mails = status.exists if status else 0
            if not mails and _has_children(one, listed):
                reason = "holds folders, and no mail"
        if not reason and any(known.casefold() == (folder or "").casefold() for known, _ in found):
            reason = "another folder has this name, but for large and small letters"
        if reason or folder is None:
            left.append(LeftOut(folder=one.name, reason=reason))
        else:
            found.append((folder, mails))
    return Proposals(categories=_name_all(found), left_out=tuple(left))


def starter_proposals() -> tuple[Proposal, ...]:
    """Give the categories of the sample facility, for an account that has no folders of its own yet."""
    from cubbyd.demo.sample_mail import sample_categories

    return tuple(
        Proposal(id=one["id"], name=one["name"], folder=one.get("folder", one["name"]), description=one.get("description", ""))
        for one in tomllib.loads(sample_categories())["categories"]
    )


def spell_for_configuration(source: FolderSource, listed: Listed) -> str | None:
    """Find the name by which a configuration means a folder of the server; None where no name does."""
    levels = listed.name.split(listed.delimiter) if listed.delimiter else [listed.name]
    for start in range(len(levels)):
        folder = FOLDER_SEPARATOR.join(levels[start:])
        try:
            if source.name_on_server(folder) == listed.name:
                return folder
        except CommandRefused:
            continue
    return None


def make_id(name: str) -> str:
    """Make an id of a folder's name: a-z, 0-9 and -; empty where it has none of these."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(SPELLED)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_ID].strip("-")


def _reason_against(one: Listed, folder: str | None, inbox: str, unwanted: set[str]) -> str:
    """Say why a folder makes no category; empty where it may."""
    last = (one.name.split(one.delimiter)[-1] if one.delimiter else one.name).casefold()
    special = next((SPECIAL[use] for use in sorted(one.uses) if use in SPECIAL), "")
    sounds_like = next((what for what, names in NAMED.items() if last in names.split("|")), "")
    if one.name.casefold() == inbox.casefold():
        return "the inbox itself"
    if {one.name.casefold(), (folder or one.name).casefold()} & unwanted:
        return "you leave it out"
    if special or sounds_like:
        return f"folder of {special or sounds_like}"
    if "\\archive" in one.uses or last in ARCHIVES:
        return "an archive, with mail of every sort"
    if folder is None:
        return "belongs to somebody else, or to several"
    return "its name has signs that not every server takes; rename it to use it" if folder_problem(folder) else ""


def _has_children(one: Listed, listed: Iterable[Listed]) -> bool:
    return bool(one.delimiter) and any(other.name.startswith(one.name + one.delimiter) for other in listed)


def _name_all(found: Sequence[tuple[str, int]]) -> tuple[Proposal, ...]:
    """Give each folder an id and a name of its own: of its last level, or where that is taken of its whole name."""
    ids: set[str] = set()
    names: set[str] = set()
    made = []
    for number, (folder, mails) in enumerate(found, start=1):
        last = folder.rpartition(FOLDER_SEPARATOR)[2]
        whole = folder.replace(FOLDER_SEPARATOR, " - ")[:LONGEST_NAME].strip()
        id_ = _first_free((make_id(last), make_id(folder)), f"category-{number}", ids)
        name = _first_free((last, whole), f"Category {number}", names)
        ids.add(id_)
        names.add(name.casefold())
        made.append(Proposal(id=id_, name=name, folder=folder, mails=mails))
    return tuple(made)


def _first_free(wanted: Iterable[str], otherwise: str, taken: set[str]) -> str:
    numbered = (f"{otherwise}-{number}" for number in count(2))
    return next(one for one in chain(wanted, (otherwise,), numbered) if one and one.casefold() not in taken)
