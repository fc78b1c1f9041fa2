"""The seam to a mail server: what filing needs of one mailbox, in our words.

The real part is cubbyd.mailbox.session.ImapMailbox; the double in cubbyd.testing passes the same contract suite. Folders are
named as in the configuration, levels separated by "/"; an implementation puts the server's prefix and delimiter in. The
inbox alone is named as the server names it. UIDs mean the folder that was selected last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from cubbyd.message.identity import Fingerprint


class TokenSource(Protocol):
    """Where the tokens of a mailbox come from that logs in without a password; threads may share it."""

    def token(self) -> SecretStr:
        """Give a token that is good for some minutes. Raises LoginRefused, MailboxUnavailable."""

    def renew(self, refused: SecretStr) -> SecretStr:
        """Give another token than the one that the server has just refused. Raises as token() does."""

    @property
    def expires_at(self) -> datetime | None:
        """When the token at hand ends; None before the first one."""

    @property
    def credential_ends_at(self) -> datetime | None:
        """When the login ends for good and a person has to act; None where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the server can do, as it says after login."""

    move: bool
    uidplus: bool
    idle: bool
    names: frozenset[str] = frozenset()
    """Everything that it announced, upper case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStatus:
    """A folder as SELECT or STATUS describes it."""

    uidvalidity: int
    uidnext: int | None = None
    """The UID that the next mail will have, or a lower bound; None where the server does not say."""
    exists: int = 0
    keywords_allowed: bool = False
    """Whether clients may make keywords (PERMANENTFLAGS holds \\*); known after select alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFolder:
    """A folder as LIST names it."""

    name: str
    """As the server spells it."""
    delimiter: str
    """What separates its levels; empty where there are none."""
    uses: frozenset[str] = frozenset()
    """Its attributes, lower case, special uses among them (RFC 6154): \\sent, \\trash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """One mail as fetched; \\Seen was not touched."""

    uid: int
    content: bytes
    """The first bytes of the mail, all of it unless truncated."""
    received_at: datetime
    """INTERNALDATE, aware."""
    is_truncated: bool = False
    is_deleted: bool = False
    """Whether somebody marked it \\Deleted."""


class Mailbox(Protocol):
    """An open connection to one account, used by one thread.

    Every method may raise MailboxUnavailable, after which the connection is dead, or CommandRefused, after which it is not.
    """

    capabilities: Capabilities

    def name_on_server(self, folder: str) -> str:
        """Spell a folder as the server does. Raises CommandRefused where it cannot have such a name there."""
        ...

    def select(self, folder: str, *, read_only: bool) -> FolderStatus:
        """Open a folder by the server's name, and see what is new in it. Raises MailboxReadOnly where writing is refused."""
        ...

    def uids_above(self, uid: int) -> list[int]:
        """Give the UIDs in the selected folder that are higher than `uid`, ascending; mail of this very moment, too."""
        ...

    def all_uids(self, since: datetime | None = None) -> list[int]:
        """Give all UIDs of the selected folder, ascending, however many there are; or of what was received since then alone."""
        ...

    def present(self, uids: Sequence[int]) -> set[int]:
        """Tell which of these UIDs are still in the selected folder, those marked \\Deleted included."""
        ...

    def flags(self, uids: Sequence[int]) -> dict[int, frozenset[str]]:
        """Give the flags and keywords, lower case, of those of these mails that are still in the selected folder."""
        ...

    def fetch(self, uids: Sequence[int]) -> dict[int, RawMessage]:
        """Fetch mails without marking them read; a UID that the server does not answer is missing from the result."""
        ...

    def status(self, folder: str) -> FolderStatus | None:
        """Describe a folder without selecting it; None where there is none."""
        ...

    def ensure_folder(self, folder: str) -> bool:
        """Create and subscribe a folder where it is missing; tell whether it was."""
        ...

    def fingerprints(self, folder: str, uid_from: int, most: int | None = None) -> dict[int, Fingerprint]:
        """Give the identity of each mail in a folder from a UID on, or of the first so many of them.

        What was selected stays selected.
        """
        ...

    def look_into(self, folder: str, uids: Sequence[int]) -> tuple[int, dict[int, frozenset[str]]] | None:
        """Give UIDVALIDITY of a folder, and the flags, lower case, of those of these mails that are in it.

        None where there is no such folder. A mail is missing only where a search misses it, too. What was selected stays
        selected.
        """
        ...

    def find(self, wanted: Sequence[Fingerprint], received: datetime) -> dict[Fingerprint, str]:
        """Look through all folders for mails received on one day; give the folder of each that was found.

        One that shows mail of other folders (all mail, flagged mail) is given only where the mail is in no other.
        """
        ...

    def append(self, folder: str, content: bytes, received_at: datetime) -> None:
        """Put a mail of our own into a folder that is there, unread; received_at becomes its INTERNALDATE."""
        ...

    def with_message_id(self, message_id: str) -> set[Fingerprint]:
        """Look through all folders for mails with a Message-ID, given without its angle brackets; give their identities."""
        ...

    def add_keyword(self, uids: Sequence[int], keyword: str) -> bool:
        """Put a keyword on mails of the selected folder; tell whether the server kept it."""
        ...

    def remove_keyword(self, uids: Sequence[int], keyword: str) -> None:
        """Take a keyword off mails of the selected folder; mails that do not have it, or are gone, are passed over."""
        ...

    def move(self, uids: Sequence[int], folder: str) -> dict[int, int]:
        """Move mails of the selected folder; give the new UID of each that the server says it moved (COPYUID)."""
        ...

    def copy(self, uids: Sequence[int], folder: str) -> dict[int, int]:
        """Copy mails of the selected folder; give the new UIDs as move does."""
        ...

    def remove(self, uids: Sequence[int]) -> bool:
        """Take mails of the selected folder away for good, and nothing else that is marked \\Deleted.

        Only for mails of which a copy of ours is known to lie in another folder. Gives False where the server offers no
        way to expunge them alone: they are then marked \\Deleted and stay for the next expunge of a client.
        """
        ...

    def close(self) -> None:
        """Log out, whatever the state of the connection; never raises."""
        ...

    def abort(self) -> None:
        """Cut the connection at once, from another thread; whatever waits on it raises MailboxUnavailable."""
        ...
