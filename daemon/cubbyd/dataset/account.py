"""A mail account's own folders as examples: years of filing by people, read without changing anything.

Folders are opened with EXAMINE and mails fetched with BODY.PEEK, by an adapter that is given. The work goes on in chunks; after
each the examples and how far it came are on the disk, so that a stopped import goes on where it stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from cubbyd.dataset.mail import mail_to_example
from cubbyd.dataset.reading import Reading
from cubbyd.dataset.writer import OWNER_ALONE, open_new, spell_line
from cubbyd.errors import InputFileError
from cubbyd.taxonomy import CategoryId, Taxonomy

CHUNK: Final = 50
"""Mails that are fetched at once: at most 13 MB of them are in memory."""

FORMAT: Final = 1
"""Of the file that remembers how far an import came."""

SPECIAL: Final[Mapping[str, str]] = {
    "\\sent": "sent mail",
    "\\drafts": "drafts",
    "\\trash": "trash",
    "\\junk": "junk",
    "\\all": "a view of all mail",
    "\\flagged": "a view of flagged mail",
    "\\important": "a view of important mail",
}
"""Special uses (RFC 6154, RFC 8457) of folders that say nothing of what a mail is about."""

NAMED: Final[Mapping[str, str]] = {
    "sent mail": (
        "sent|sent items|sent messages|sent mail|gesendet|gesendete elemente|gesendete objekte|envoyés|éléments envoyés"
        "|messages envoyés|enviados|elementos enviados|posta inviata|inviata|verzonden|verzonden items|skickat|sendt|wysłane"
        "|itens enviados|отправленные|送信済み"
    ),
    "drafts": (
        "drafts|draft|entwürfe|brouillons|borradores|bozze|concepten|utkast|kladder|wersje robocze|szkice|rascunhos|черновики"
        "|下書き"
    ),
    "trash": (
        "trash|deleted items|deleted messages|bin|papierkorb|gelöscht|gelöschte elemente|gelöschte objekte|corbeille"
        "|éléments supprimés|papelera|elementos eliminados|cestino|posta eliminata|prullenbak|verwijderde items|papperskorgen"
        "|kosz|elementy usunięte|lixeira|удаленные|корзина|ゴミ箱"
    ),
    "junk": (
        "junk|spam|junk e-mail|junk email|bulk mail|unerwünscht|junk-e-mail|werbung|courrier indésirable|indésirables|pourriel"
        "|correo no deseado|no deseado|posta indesiderata|ongewenste e-mail|ongewenst|skräppost|wiadomości-śmieci"
        "|lixo eletrônico|нежелательная почта|迷惑メール"
    ),
    "unsent mail": ("outbox|postausgang|boîte d'envoi|bandeja de salida|posta in uscita|postvak uit"),
}
"""The names of such folders on servers that do not tell special uses; lower case, separated by |."""


class Mail(Protocol):
    """A mail as fetched."""

    @property
    def content(self) -> bytes:
        """The beginning of the mail."""
        ...

    @property
    def received_at(self) -> datetime:
        """When it arrived."""
        ...

    @property
    def is_deleted(self) -> bool:
        r"""Whether it is marked \Deleted."""
        ...


class Listed(Protocol):
    """A folder as the server names it."""

    @property
    def name(self) -> str:
        """Its whole name."""
        ...

    @property
    def delimiter(self) -> str:
        """What separates the levels."""
        ...

    @property
    def uses(self) -> frozenset[str]:
        """Its attributes, lower case."""
        ...


class Opened(Protocol):
    """A folder as opened."""

    @property
    def uidvalidity(self) -> int:
        """As long as it stays, so do the UIDs."""
        ...


class Account(Protocol):
    """What is needed of a mailbox; cubbyd.mailbox.session.ImapMailbox has it."""

    def folders(self) -> Sequence[Listed]:
        """List the folders that can be opened."""
        ...

    def name_on_server(self, folder: str) -> str:
        """Spell a folder of the configuration as the server does."""
        ...

    def select(self, folder: str, *, read_only: bool) -> Opened:
        """Open a folder by the server's name."""
        ...

    def all_uids(self) -> list[int]:
        """Give the UIDs in the open folder, ascending."""
        ...

    def fetch(self, uids: Sequence[int]) -> Mapping[int, Mail]:
        """Fetch mails without marking them read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A folder that is read, and what its mails are labeled with."""

    folder: str
    label: CategoryId


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far an import came: what is needed to go on."""

    account: str
    folders: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Per folder, its UIDVALIDITY and the last UID that was read."""
    written: int = 0
    bytes: int = 0
    """Of the unfinished file: whatever is behind them is cut off before going on."""
    skipped: dict[str, int] = field(default_factory=dict)


# --- which folders -----------------------------------------------------------------------------------------------------


def choose_folders(account: Account, reading: Reading, *, inbox: str, every: bool) -> list[Chosen]:
    """Choose the folders to read and their labels; what is left out goes into reading.skips.

    The user's list of meanings counts first, by the server's name or its last level; then the configuration's folders; then,
    where `every` folder is wanted, the name itself. Sent mail, drafts, trash, junk and views are never read, unless the list
    names a folder that merely sounds like one.
    """
    ours = _folders_of(account, reading.meanings.taxonomy)
    chosen: list[Chosen] = []
    for listed in account.folders():
        label, reason = _label(listed, reading.meanings.given, ours, inbox=inbox, every=every)
        if label:
            chosen.append(Chosen(folder=listed.name, label=CategoryId(reading.label or label)))
        else:
            reading.skips.skip(reason, listed.name)
    return chosen


def _folders_of(account: Account, taxonomy: Taxonomy | None) -> dict[str, list[str]]:
    """Give the categories of each folder of the configuration, by the server's name, lower case."""
    found: dict[str, list[str]] = {}
    for category in taxonomy or ():
        found.setdefault(account.name_on_server(category.folder).casefold(), []).append(category.id)
    return found


def _label(
    listed: Listed, given: Mapping[str, str], ours: Mapping[str, Sequence[str]], *, inbox: str, every: bool
) -> tuple[str, str]:
    """Give the label of a folder, or why it has none."""
    for use in sorted(listed.uses):
        if use in SPECIAL:
            return "", f"folder of {SPECIAL[use]}"
    last = listed.name.split(listed.delimiter)[-1] if listed.delimiter else listed.name
    meant = given.get(listed.name) or given.get(last)
    if meant:
        return meant, ""
    if listed.name.casefold() == inbox.casefold():
        return "", "the inbox: nobody has filed its mail"
    for what, names in NAMED.items():
        if last.casefold() in names.split("|"):
            return "", f"folder of {what}, by its name"
    categories = ours.get(listed.name.casefold(), ())
    if len(categories) == 1:
        return categories[0], ""
    if categories:
        return "", "folder of several categories; say with --map which one is meant"
    return (listed.name, "") if every else ("", "folder of no category; name it in --map, or take --all-folders")


# --- reading -----------------------------------------------------------------------------------------------------------


class AccountImport:
    """Reads folders into a file, chunk by chunk; begun again with the same file it goes on."""

    def __init__(self, name: str, out: Path) -> None:
        """name: the mailbox in the configuration; out: the file of examples. Raises InputFileError."""
        self.out = out
        self.unfinished = out.with_name(f"{out.name}.unfinished")
        self.memory = out.with_name(f"{out.name}.progress")
        self.progress = self._remember(name)
        self.is_resumed = bool(self.progress.folders)

    def _remember(self, name: str) -> Progress:
        try:
            text = self.memory.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Progress(account=name)
        except OSError as error:
            raise InputFileError(self.memory, f"cannot be read: {error.strerror}") from error
        progress = _read_progress(text)
        if progress is None or progress.account != name:
            reason = f"is of another import; delete it and {self.unfinished.name} to begin again, or choose another --out"
            raise InputFileError(self.memory, reason)
        return progress

    def run(self, account: Account, chosen: Iterable[Chosen], reading: Reading, tell: Callable[[str, int, int], None]) -> int:
        """Read the folders to their ends; tell is called with a folder, mails read in it, and mails in it.

        Gives how many examples the file has; then it has its name. Raises InputFileError, and what the account raises: the
        unfinished file stays for the next time.
        """
        try:
            handle = os.open(self.unfinished, os.O_RDWR | os.O_CREAT, OWNER_ALONE)
            with os.fdopen(handle, "r+b") as stream:
                self._check_size(stream)
                stream.truncate(self.progress.bytes)
                stream.seek(self.progress.bytes)
                reading.skips.counts.update(self.progress.skipped)  # of the time before
                for one in chosen:
                    self._read_folder(account, one, reading, stream, tell)
            self.unfinished.replace(self.out)
            self.memory.unlink(missing_ok=True)
        except OSError as error:
            raise InputFileError(self.out, f"cannot be written: {error.strerror}; choose another file or folder") from error
        return self.progress.written

    def _check_size(self, stream: BinaryIO) -> None:
        if os.fstat(stream.fileno()).st_size < self.progress.bytes:
            reason = f"is shorter than {self.memory.name} says; delete both and begin again"
            raise InputFileError(self.unfinished, reason)

    def _read_folder(
        self,
        account: Account,
        one: Chosen,
        reading: Reading,
        stream: BinaryIO,
        tell: Callable[[str, int, int], None],
    ) -> None:
        validity = account.select(one.folder, read_only=True).uidvalidity
        known, last = self.progress.folders.get(one.folder, (validity, 0))
        if known != validity:
            reason = f"the server has rebuilt the folder {one.folder!r} since; delete {self.memory.name} and begin again"
            raise InputFileError(self.memory, reason)
        uids = account.all_uids()
        waiting = [uid for uid in uids if uid > last]
        for start in range(0, len(waiting), CHUNK):
            chunk = waiting[start : start + CHUNK]
            found = account.fetch(chunk)
            for uid in chunk:
                self._take(one, uid, found.get(uid), reading, stream)
            self._save(one.folder, validity, chunk[-1], stream)
            tell(one.folder, len(uids) - len(waiting) + start + len(chunk), len(uids))

    def _take(self, one: Chosen, uid: int, mail: Mail | None, reading: Reading, stream: BinaryIO) -> None:
        place = f"{one.folder}, UID {uid}"
        if mail is None:
            return self._skip("the server did not give it", place, reading)
        if mail.is_deleted:
            return self._skip("marked as deleted", place, reading)
        labels = (one.label,)
        example = mail_to_example(mail.content, labels, origin=reading.origin, received=mail.received_at)
        if example is None:
            return self._skip("no words in subject and text", place, reading)
        line = spell_line(example).encode()
        stream.write(line)
        self.progress.written += 1
        self.progress.bytes += len(line)
        return None

    def _skip(self, reason: str, place: str, reading: Reading) -> None:
        reading.skips.skip(reason, place)
        self.progress.skipped[reason] = self.progress.skipped.get(reason, 0) + 1

    def _save(self, folder: str, validity: int, uid: int, stream: BinaryIO) -> None:
        """Put the examples on the disk, and then how far they go."""
        stream.flush()
        os.fsync(stream.fileno())
        self.progress.folders[folder] = (validity, uid)
        with open_new(self.memory) as memory:
            json.dump({"format": FORMAT, **asdict(self.progress)}, memory)


def _read_progress(text: str) -> Progress | None:
    """Read what a file remembers; None where it is none of ours."""
    try:
        known = json.loads(text)
        if known.pop("format") != FORMAT:
            return None
        known["folders"] = {folder: (int(validity), int(uid)) for folder, (validity, uid) in known["folders"].items()}
        return Progress(**known)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
