"""Doubles that pass the contract suites of the real parts: a mail server, a classifier, a clock; and a hosted model's server.

They ship with cubbyd so that whoever writes a backend can test it against the daemon's own filing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from cubbyd.classify.protocol import Prediction, Provenance, Reason
from cubbyd.errors import ClassifierError, CommandRefused, MailboxUnavailable
from cubbyd.mailbox.protocol import Capabilities, FolderStatus, RawMessage
from cubbyd.message import RENDERER_VERSION, ClassifierInput
from cubbyd.message.identity import Fingerprint, fingerprint, message_id_of
from cubbyd.taxonomy import CategoryId

if TYPE_CHECKING:
    from cubbyd.standin import Fault, Recorded, Standin

__all__ = [
    "FakeFolder",
    "FakeMailbox",
    "FakeMessage",
    "FakeServer",
    "Fault",
    "HandClock",
    "Recorded",
    "Standin",
    "WordClassifier",
]

DELETED = "\\Deleted"
SEEN = "\\Seen"


def __getattr__(name: str) -> Any:
    """Load the stand-in for a hosted model only when it is asked for: it needs the extra `openai`."""
    if name in {"Fault", "Recorded", "Standin"}:
        from cubbyd import standin

        return getattr(standin, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)) -> None:
        """Begin at a moment."""
        self._now, self._monotonic = now, 0.0

    def now(self) -> datetime:
        """Give the time that was set."""
        return self._now

    def monotonic(self) -> float:
        """Give the seconds that were let pass."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set_wall(self, seconds: float) -> None:
        """Step the wall clock alone, as an administrator or NTP does."""
        self._now += timedelta(seconds=seconds)


class WordClassifier:
    """Files by the first category whose word stands in the subject; an Exception in the place of an id is raised or given.

    Remembers every text that it was asked about.
    """

    def __init__(
        self, categories: Iterable[str], words: dict[str, str | ClassifierError], *, batch_size: int = 10, sure: float = 0.9
    ) -> None:
        """Map words of a subject to a category's id, or to the error that such a mail meets."""
        self.provenance = Provenance(kind="words", model="words-1", renderer=RENDERER_VERSION)
        self.batch_size = batch_size
        self.asked: list[str] = []
        self.outage: ClassifierError | None = None
        """While set, every call raises it."""
        self.categories = tuple(CategoryId(category) for category in categories)
        self._words, self._sure = words, sure
        self._lock = threading.Lock()

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        """Answer by the words; an unknown subject gets the same probability for every category."""
        if self.outage is not None:
            raise self.outage
        with self._lock:
            self.asked += [given.subject for given in inputs]
        return [self._answer(given) for given in inputs]

    def _answer(self, given: ClassifierInput) -> Prediction | ClassifierError:
        found = next((meaning for word, meaning in self._words.items() if word in given.subject.lower()), None)
        if isinstance(found, ClassifierError):
            return found
        others = len(self.categories)
        flat = dict.fromkeys(self.categories, 1 / others)
        if found is None:
            return Prediction(probabilities=flat, provenance=self.provenance)
        rest = (1 - self._sure) / (others - 1)
        probabilities = {category: self._sure if category == found else rest for category in self.categories}
        return Prediction(probabilities=probabilities, provenance=self.provenance, reasons=(Reason(text=found, weight=1.0),))

    def close(self) -> None:
        """Hold nothing."""


@dataclass(slots=True)
class FakeMessage:
    """One mail in one folder."""

    raw: bytes
    received_at: datetime
    flags: set[str] = field(default_factory=set)


@dataclass(slots=True)
class FakeFolder:
    """A folder with its UIDs."""

    uidvalidity: int
    uidnext: int = 1
    mails: dict[int, FakeMessage] = field(default_factory=dict)

    def add(self, mail: FakeMessage) -> int:
        """Put a mail in; give its UID."""
        uid = self.uidnext
        self.uidnext += 1
        self.mails[uid] = mail
        return uid


@dataclass(slots=True, kw_only=True)
class FakeServer:
    """A mail account in memory, for any number of connections, with capabilities to switch and a place to break it.

    `fault` is called with the name of each command, twice: before and after it took effect ("move", "move:done").
    What it raises goes to the caller, as a cut connection would.
    """

    move: bool = True
    uidplus: bool = True
    keywords: bool = True
    folders: dict[str, FakeFolder] = field(default_factory=lambda: {"INBOX": FakeFolder(uidvalidity=1)})
    subscribed: set[str] = field(default_factory=set)
    fault: Callable[[str], None] = lambda _: None
    _validities: count[int] = field(default_factory=lambda: count(2))

    def deliver(self, raw: bytes, received_at: datetime, folder: str = "INBOX") -> int:
        """Put a mail into a folder, as a delivery agent does; give its UID."""
        return self.folders[folder].add(FakeMessage(raw, received_at))

    def drag(self, uid: int, source: str, target: str) -> int:
        """Move a mail, as a person with a mail client does; give its new UID."""
        self.create(target)
        return self.folders[target].add(self.folders[source].mails.pop(uid))

    def create(self, name: str) -> None:
        """Make a folder where it is missing."""
        if name not in self.folders:
            self.folders[name] = FakeFolder(uidvalidity=next(self._validities))

    def renumber(self, name: str) -> None:
        """Give a folder a new UIDVALIDITY and its mails new UIDs, as a restored server does."""
        old = self.folders[name]
        self.folders[name] = FakeFolder(uidvalidity=old.uidvalidity + 1000)
        for mail in old.mails.values():
            self.folders[name].add(mail)

    def connect(self) -> FakeMailbox:
        """Open a connection."""
        return FakeMailbox(self)


class FakeMailbox:
    """A connection to a FakeServer; satisfies cubbyd.mailbox.protocol.Mailbox."""

    def __init__(self, server: FakeServer) -> None:
        """Connect."""
        self._server = server
        self._selected = ""
        self._read_only = True
        self._is_open = True
        self.capabilities = Capabilities(move=server.move, uidplus=server.uidplus, idle=False)

    def _command(self, name: str) -> None:
        if not self._is_open:
            raise MailboxUnavailable("the connection is closed")
        try:
            self._server.fault(name)
        except MailboxUnavailable:
            self._is_open = False
            raise

    def _done(self, name: str) -> None:
        self._command(f"{name}:done")

    @property
    def _folder(self) -> FakeFolder:
        if self._selected not in self._server.folders:
            raise MailboxUnavailable("the folder was deleted under this connection")
        return self._server.folders[self._selected]

    def select(self, folder: str, *, read_only: bool) -> FolderStatus:
        """Open a folder."""
        self._command("select")
        if folder not in self._server.folders:
            raise CommandRefused(f"no folder {folder}", code="NONEXISTENT")
        self._selected, self._read_only = folder, read_only
        found = self._folder
        return FolderStatus(
            uidvalidity=found.uidvalidity,
            uidnext=found.uidnext,
            exists=len(found.mails),
            keywords_allowed=self._server.keywords and not read_only,
        )

    def name_on_server(self, folder: str) -> str:
        """Spell folders as they are."""
        return folder

    def uids_above(self, uid: int) -> list[int]:
        """List newer mails."""
        self._command("search")
        return sorted(found for found in self._folder.mails if found > uid)

    def all_uids(self, since: datetime | None = None) -> list[int]:
        """List all mails, or those of late."""
        mails = self._folder.mails
        return [uid for uid in self.uids_above(0) if since is None or mails[uid].received_at >= since]

    def present(self, uids: Sequence[int]) -> set[int]:
        """Tell which are there."""
        self._command("search")
        return set(uids) & set(self._folder.mails)

    def flags(self, uids: Sequence[int]) -> dict[int, frozenset[str]]:
        """Give the flags of those that are there."""
        self._command("fetch")
        mails = self._folder.mails
        return {uid: frozenset(flag.lower() for flag in mails[uid].flags) for uid in uids if uid in mails}

    def fetch(self, uids: Sequence[int]) -> dict[int, RawMessage]:
        """Give mails as they are."""
        self._command("fetch")
        mails = self._folder.mails
        return {
            uid: RawMessage(
                uid=uid,
                content=mails[uid].raw,
                received_at=mails[uid].received_at,
                is_deleted=DELETED in mails[uid].flags,
            )
            for uid in uids
            if uid in mails
        }

    def status(self, folder: str) -> FolderStatus | None:
        """Describe a folder."""
        self._command("status")
        found = self._server.folders.get(folder)
        if found is None:
            return None
        return FolderStatus(uidvalidity=found.uidvalidity, uidnext=found.uidnext, exists=len(found.mails))

    def ensure_folder(self, folder: str) -> bool:
        """Make a folder where it is missing."""
        self._command("create")
        is_missing = folder not in self._server.folders
        if is_missing:
            self._server.create(folder)
            self._server.subscribed.add(folder)
        self._done("create")
        return is_missing

    def fingerprints(self, folder: str, uid_from: int, most: int | None = None) -> dict[int, Fingerprint]:
        """Identify the mails of another folder."""
        self._command("search")
        mails = self._server.folders[folder].mails
        return {uid: _identity(mails[uid]) for uid in sorted(uid for uid in mails if uid >= uid_from)[:most]}

    def look_into(self, folder: str, uids: Sequence[int]) -> tuple[int, dict[int, frozenset[str]]] | None:
        """Give the flags of mails in another folder."""
        self._command("examine")
        found = self._server.folders.get(folder)
        if found is None:
            return None
        here = [uid for uid in uids if uid in found.mails]
        return found.uidvalidity, {uid: frozenset(map(str.lower, found.mails[uid].flags)) for uid in here}

    def find(self, wanted: Sequence[Fingerprint], received: datetime) -> dict[Fingerprint, str]:
        """Look for mails in all other folders."""
        self._command("search")
        found: dict[Fingerprint, str] = {}
        for name, folder in self._server.folders.items():
            for mail in folder.mails.values():
                near = abs(mail.received_at - received) < timedelta(days=2)
                if name != self._selected and near and _identity(mail) in wanted:
                    found.setdefault(_identity(mail), name)
        return found

    def append(self, folder: str, content: bytes, received_at: datetime) -> None:
        """Put a mail into a folder."""
        self._command("append")
        self._target(folder).add(FakeMessage(content, received_at))
        self._done("append")

    def with_message_id(self, message_id: str) -> set[Fingerprint]:
        """Look for a Message-ID in all folders."""
        self._command("search")
        mails = [mail for folder in self._server.folders.values() for mail in folder.mails.values()]
        return {_identity(mail) for mail in mails if message_id_of(mail.raw) == message_id.encode("ascii")}

    def add_keyword(self, uids: Sequence[int], keyword: str) -> bool:
        """Flag mails; a server without keywords says OK and drops them."""
        self._writing("store")
        for uid in uids:
            if uid in self._folder.mails and self._server.keywords:
                self._folder.mails[uid].flags.add(keyword)
        self._done("store")
        return self._server.keywords

    def remove_keyword(self, uids: Sequence[int], keyword: str) -> None:
        """Take a flag off."""
        self._writing("store")
        for uid in uids:
            if uid in self._folder.mails:
                self._folder.mails[uid].flags.discard(keyword)
        self._done("store")

    def move(self, uids: Sequence[int], folder: str) -> dict[int, int]:
        """Move mails; those that are gone are passed over in silence."""
        self._writing("move")
        target = self._target(folder)
        pairs = {uid: target.add(self._folder.mails.pop(uid)) for uid in uids if uid in self._folder.mails}
        self._done("move")
        return pairs

    def copy(self, uids: Sequence[int], folder: str) -> dict[int, int]:
        """Copy mails."""
        self._writing("copy")
        target, mails = self._target(folder), self._folder.mails
        pairs = {
            uid: target.add(FakeMessage(mails[uid].raw, mails[uid].received_at, set(mails[uid].flags)))
            for uid in uids
            if uid in mails
        }
        self._done("copy")
        return pairs if self._server.uidplus else {}

    def _target(self, folder: str) -> FakeFolder:
        if folder not in self._server.folders:
            raise CommandRefused(f"no folder {folder}", code="TRYCREATE")
        return self._server.folders[folder]

    def _writing(self, name: str) -> None:
        self._command(name)
        if self._read_only:
            raise CommandRefused("the folder was opened read-only", code="READ-ONLY")

    def remove(self, uids: Sequence[int]) -> bool:
        """Expunge these mails alone, where that is possible."""
        self._writing("expunge")
        marked = {uid for uid, mail in self._folder.mails.items() if DELETED in mail.flags}
        for uid in uids:
            if uid in self._folder.mails:
                self._folder.mails[uid].flags.add(DELETED)
        if not self._server.uidplus and not marked <= set(uids):
            return False
        for uid in uids:
            self._folder.mails.pop(uid, None)
        self._done("expunge")
        return True

    def close(self) -> None:
        """Disconnect."""
        self._is_open = False

    def abort(self) -> None:
        """Cut the connection."""
        self._is_open = False


def _identity(mail: FakeMessage) -> Fingerprint:
    return fingerprint(mail.raw, mail.received_at.isoformat())
