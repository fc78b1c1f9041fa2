"""One IMAP connection as a Mailbox: thin, without policy. Every command is PEEK, by UID, and in sets that every server takes.

Sources: RFC 9051 (IMAP4rev2), 3501, 6851 (MOVE), 4315 (UIDPLUS), 2342 (NAMESPACE).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from imapclient import DELETED, IMAPClient
from imapclient.exceptions import IMAPClientError, ProtocolError

from cubbyd.errors import CommandRefused, MailboxError
from cubbyd.mailbox import wire
from cubbyd.mailbox.border import ours
from cubbyd.mailbox.connect import Account, capabilities_of, connect
from cubbyd.mailbox.folder import FolderNames
from cubbyd.mailbox.protocol import FolderStatus, ListedFolder, RawMessage
from cubbyd.message.identity import Fingerprint, fingerprint, message_id_of

LARGEST_FETCH = 256 * 1024
"""Bytes of a mail that are fetched: its text stands first, and 50 mails at once must fit in memory."""

SEARCH_WINDOW = 20_000
"""Messages in one SEARCH ALL: imaplib gives up on a line over 1,000,000 bytes, which some 130,000 UIDs make."""

VIEWS = frozenset({"\\all", "\\flagged", "\\important"})
"""Special uses (RFC 6154, RFC 8457) of folders that show mail of other folders."""

HEADER = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM TO SUBJECT RECEIVED)]"
CONTENT = f"BODY.PEEK[]<0.{LARGEST_FETCH}>"
UNREADABLE = (ProtocolError, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What imapclient raises on an answer that it cannot parse."""


def open_mailbox(account: Account, heard: Callable[[], None] = lambda: None) -> ImapMailbox:
    """Connect, log in, and learn what the server can do; `heard` is called at each answer. Raises MailboxError's kinds."""
    client = connect(account, heard=heard)
    try:
        with ours(f"mailbox {account.name}: asking {account.server} what it can do"):
            return ImapMailbox(account.name, client, folder_names(client, account.section.inbox), heard)
    except MailboxError:
        wire.put_away(client, politely=False)
        raise


def folder_names(client: IMAPClient, inbox: str = "INBOX") -> FolderNames:
    """Learn prefix and delimiter: from NAMESPACE, else from LIST "" ""."""
    if client.has_capability("NAMESPACE"):
        personal = client.namespace().personal
        if personal:
            return FolderNames(prefix=personal[0][0], delimiter=_text(personal[0][1]), inbox=inbox)
    listed = client.list_folders("", "")
    return FolderNames(delimiter=_text(listed[0][1]) if listed else "/", inbox=inbox)


def _text(delimiter: str | bytes | None) -> str | None:
    return delimiter.decode("ascii") if isinstance(delimiter, bytes) else delimiter


def _lower(flag: bytes) -> str:
    return flag.decode("ascii", "replace").lower()


class ImapMailbox:
    """An authenticated connection; satisfies cubbyd.mailbox.protocol.Mailbox."""

    def __init__(self, name: str, client: IMAPClient, names: FolderNames, heard: Callable[[], None] = lambda: None) -> None:
        """Take over an authenticated connection; `heard` is called whenever the server has done what was asked."""
        self.capabilities = capabilities_of(client)
        self._name = name
        self._client = client
        self._names = names
        self._heard = heard
        self._selected: tuple[str, bool] | None = None
        self._exists = 0
        self._kept_keywords: dict[str, bool] = {}

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        with ours(f"mailbox {self._name}: {what}"):
            yield
        self._heard()

    # --- the inbox ---------------------------------------------------------------------------------------------------

    def select(self, folder: str, *, read_only: bool) -> FolderStatus:
        """Open the inbox, by the server's own name for it."""
        with self._doing(f"opening {folder}"):
            answer = self._client.select_folder(folder, readonly=read_only)
        self._selected = (folder, read_only)
        self._exists = answer.get(b"EXISTS", 0)
        if b"UIDVALIDITY" not in answer:
            raise CommandRefused(f"mailbox {self._name}: {folder} has no UIDVALIDITY; mail in it cannot be told apart")
        return FolderStatus(
            uidvalidity=answer[b"UIDVALIDITY"],
            uidnext=answer.get(b"UIDNEXT"),
            exists=self._exists,
            keywords_allowed=b"\\*" in answer.get(b"PERMANENTFLAGS", ()),
        )

    def uids_above(self, uid: int) -> list[int]:
        """Search by UID; a server gives the last mail where none is new (RFC 9051, 6.4.4), so the answer is filtered."""
        with self._doing("looking for new mail"):
            self._client.noop()  # without it Dovecot and Courier search what they knew at their last command
            return sorted(found for found in self._client.search(["UID", f"{uid + 1}:*"]) if found > uid)

    def all_uids(self, since: datetime | None = None) -> list[int]:
        """Search for all, and by the day of arrival; of the days about `since`, whose time zone is the server's, ask each mail.

        SINCE disregards time and zone (RFC 9051, 6.4.4), and zones differ by 26 hours at most.
        """
        self._count_anew()
        with self._doing("looking through the whole folder"):
            if since is None:
                return sorted(self._search(self._exists))
            day = since.astimezone(UTC).date()
            perhaps = self._search(self._exists, "SINCE", day - timedelta(days=1))
            surely = self._search(self._exists, "SINCE", day + timedelta(days=2))
        asked = self._fetch(sorted(perhaps - surely), ["INTERNALDATE"])
        received = {uid: answer.get(b"INTERNALDATE") for uid, answer in asked.items()}
        return sorted(surely | {uid for uid, moment in received.items() if uid in perhaps and moment and moment >= since})

    def _count_anew(self) -> None:
        """Open a large folder again before it is searched in windows: what was moved since then counts no more."""
        if self._selected and self._exists > SEARCH_WINDOW:
            self.select(self._selected[0], read_only=self._selected[1])

    def _search(self, exists: int, *criteria: Any) -> set[int]:
        """Search a large folder by sequence number, from the end: what an expunge moves down is still met."""
        if exists <= SEARCH_WINDOW:  # also for pymap, which takes sequence numbers in UID SEARCH for UIDs
            return set(self._client.search(list(criteria) or "ALL"))
        found: set[int] = set()
        for last in range(exists, 0, -SEARCH_WINDOW):
            found.update(self._client.search([f"{max(1, last - SEARCH_WINDOW + 1)}:{last}", *criteria]))
        return found

    def count_since(self, day: date) -> int:
        """Count the mails of the selected folder that arrived on a day or later, by the server's own calendar."""
        with self._doing("counting new mail"):
            return len(self._client.search(["SINCE", day]))

    def present(self, uids: Sequence[int]) -> set[int]:
        """Search for the UIDs themselves."""
        found: set[int] = set()
        with self._doing("looking for known mail"):
            self._client.noop()
            for part in wire.in_sets(uids):
                found.update(self._client.search(["UID", ",".join(map(str, part))]))
        return found & set(uids)

    def flags(self, uids: Sequence[int]) -> dict[int, frozenset[str]]:
        """Fetch the flags alone."""
        with self._doing("looking for known mail"):
            self._client.noop()
        return {
            uid: frozenset(map(_lower, answer[b"FLAGS"]))
            for uid, answer in self._fetch(uids, ["FLAGS"]).items()
            if uid in set(uids) and b"FLAGS" in answer
        }

    def fetch(self, uids: Sequence[int]) -> dict[int, RawMessage]:
        """Fetch the beginning of each mail, flags and the time of arrival, in as few commands as the server takes."""
        found: dict[int, RawMessage] = {}
        for uid, answer in self._fetch(uids, ["INTERNALDATE", "FLAGS", CONTENT]).items():
            content, received = answer.get(b"BODY[]<0>", answer.get(b"BODY[]")), answer.get(b"INTERNALDATE")
            if isinstance(content, bytes) and isinstance(received, datetime):
                found[uid] = RawMessage(
                    uid=uid,
                    content=content,
                    received_at=received.astimezone(UTC),
                    is_truncated=len(content) >= LARGEST_FETCH,
                    is_deleted=DELETED in answer.get(b"FLAGS", ()),
                )
        return found

    def _fetch(self, uids: Sequence[int], items: list[str]) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for part in wire.in_sets(uids):
            with self._doing("fetching mail"):
                try:
                    found |= self._client.fetch(part, items)
                except UNREADABLE:
                    found |= self._fetch_one_by_one(part, items)
        return found

    def _fetch_one_by_one(self, uids: Iterable[int], items: list[str]) -> dict[int, Any]:
        """After an answer that cannot be read: find the mail that makes it so, and leave out that one alone."""
        found: dict[int, Any] = {}
        for uid in uids:
            with suppress(*UNREADABLE):
                found |= self._client.fetch([uid], items)
        return found

    # --- other folders -----------------------------------------------------------------------------------------------

    def status(self, folder: str) -> FolderStatus | None:
        """Ask for a folder by the configuration's name."""
        name = self._names.on_server(folder)
        with self._doing(f"looking at folder {folder}"):
            if not self._is_listed(name):
                return None
            answer = self._client.folder_status(name, ["UIDVALIDITY", "UIDNEXT", "MESSAGES"])
        return FolderStatus(
            uidvalidity=answer[b"UIDVALIDITY"], uidnext=answer.get(b"UIDNEXT"), exists=answer.get(b"MESSAGES", 0)
        )

    def folders(self) -> list[ListedFolder]:
        """List every folder that can be opened, by the server's own names, with its special use where the server says so."""
        with self._doing("listing folders"):
            listed = self._client.list_folders()
        return [
            ListedFolder(name=name, delimiter=_text(delimiter) or "", uses=frozenset(map(_lower, flags)))
            for flags, delimiter, name in listed
            if not {"\\noselect", "\\nonexistent"} & set(map(_lower, flags))
        ]

    def name_on_server(self, folder: str) -> str:
        """Spell a folder of the configuration as the server does. Raises CommandRefused where it has no levels."""
        return self._names.on_server(folder)

    def _is_listed(self, name: str) -> bool:
        """Ask for a folder; Exchange, to whom case is all one, may answer in other letters than it was asked in."""
        listed = self._client.list_folders("", name)
        return any(found.lower() == name.lower() and b"\\Noselect" not in flags for flags, _, found in listed)

    def ensure_folder(self, folder: str) -> bool:
        """Create where LIST does not show it; a failure counts only where LIST still does not show it afterwards."""
        name = self._names.on_server(folder)
        with self._doing(f"creating folder {folder}"):
            if self._is_listed(name):
                return False
            try:
                self._client.create_folder(name)
            except IMAPClientError:
                if not self._is_listed(name):
                    raise
            self._client.subscribe_folder(name)
            return True

    def fingerprints(self, folder: str, uid_from: int, most: int | None = None) -> dict[int, Fingerprint]:
        """Read the headers that make a mail's identity, read-only, and come back to the folder that was open."""
        with self._elsewhere(self._names.on_server(folder)) as found:
            with self._doing(f"looking through folder {folder}"):
                uids = sorted(uid for uid in self._search(found.exists, "UID", f"{uid_from}:*") if uid >= uid_from)
            return self._identities(uids[:most])

    def look_into(self, folder: str, uids: Sequence[int]) -> tuple[int, dict[int, frozenset[str]]] | None:
        """Fetch the flags, and search for what a FETCH leaves out, as that may be an answer that could not be read."""
        name = self._names.on_server(folder)
        try:
            with self._elsewhere(name) as found:
                flags = self.flags(uids)
                if missing := [uid for uid in uids if uid not in flags]:
                    flags |= dict.fromkeys(self.present(missing), frozenset())
                return found.uidvalidity, flags
        except CommandRefused:
            with self._doing(f"looking at folder {folder}"):
                if not self._is_listed(name):
                    return None
            raise

    def find(self, wanted: Sequence[Fingerprint], received: datetime) -> dict[Fingerprint, str]:
        """Look in every folder that can be opened, at the mails of about that day; skips folders that refuse.

        A view of mail that lies in other folders, too, is asked last: Gmail has every mail in All Mail.
        """
        found: dict[Fingerprint, str] = {}
        day = received.date()
        for listed in sorted(self.folders(), key=lambda one: bool(VIEWS & one.uses)):
            if self._selected and listed.name == self._selected[0]:
                continue
            if found.keys() >= set(wanted):
                break
            with suppress(CommandRefused), self._elsewhere(listed.name):
                with self._doing("searching a folder"):
                    uids = self._client.search(["SINCE", day - timedelta(days=1), "BEFORE", day + timedelta(days=2)])
                for identity in self._identities(uids).values():
                    if identity in wanted:
                        found.setdefault(identity, self._names.in_configuration(listed.name))
        return found

    def with_message_id(self, message_id: str) -> set[Fingerprint]:
        """Search every folder that can be opened, and look at what was found: a search also fits a part (RFC 9051, 6.4.4)."""
        found: set[Fingerprint] = set()
        for listed in self.folders():
            with suppress(CommandRefused), self._elsewhere(listed.name):
                with self._doing("searching a folder"):
                    uids = self._client.search(["HEADER", "MESSAGE-ID", message_id])
                headers = self._headers(uids).values()
                found.update(_identity(*one) for one in headers if message_id_of(one[0]) == message_id.encode("ascii"))
        return found

    def _elsewhere(self, name: str) -> _Elsewhere:
        return _Elsewhere(lambda: self._examine(name), self._come_back)

    def _examine(self, name: str) -> FolderStatus:
        with self._doing("opening a folder"):
            answer = self._client.select_folder(name, readonly=True)
        return FolderStatus(uidvalidity=answer.get(b"UIDVALIDITY", 0), exists=answer.get(b"EXISTS", 0))

    def _come_back(self) -> None:
        if self._selected:
            folder, read_only = self._selected
            with self._doing(f"opening {folder} again"):
                self._client.select_folder(folder, readonly=read_only)

    def _identities(self, uids: Sequence[int]) -> dict[int, Fingerprint]:
        return {uid: _identity(*one) for uid, one in self._headers(uids).items()}

    def _headers(self, uids: Sequence[int]) -> dict[int, tuple[bytes, datetime]]:
        """Give the fields that make a mail's identity, and its INTERNALDATE."""
        found: dict[int, tuple[bytes, datetime]] = {}
        for uid, answer in self._fetch(uids, ["INTERNALDATE", HEADER]).items():
            header = next((value for key, value in answer.items() if key.startswith(b"BODY[HEADER")), None)
            received = answer.get(b"INTERNALDATE")
            if isinstance(header, bytes) and isinstance(received, datetime):
                found[uid] = header, received
        return found

    # --- effects -----------------------------------------------------------------------------------------------------

    def append(self, folder: str, content: bytes, received_at: datetime) -> None:
        """APPEND without flags (RFC 9051, 6.3.12)."""
        name = self._names.on_server(folder)
        with self._doing(f"putting a mail into {folder}"):
            self._client.append(name, content, (), received_at)

    def _writable(self) -> None:
        """Refuse to touch a folder that was opened read-only: Dovecot would say OK to a MOVE there, and copy."""
        if self._selected is None or self._selected[1]:
            raise CommandRefused(f"mailbox {self._name}: the folder was opened read-only", code="READ-ONLY")

    def add_keyword(self, uids: Sequence[int], keyword: str) -> bool:
        """Store the keyword, and look once per connection whether the server kept it: some say OK and drop it."""
        self._writable()
        with self._doing(f"labeling mail as {keyword}"):
            for part in wire.in_sets(uids):
                self._client.add_flags(part, [keyword], silent=True)
            if keyword not in self._kept_keywords:
                answer = self._client.fetch(list(uids), ["FLAGS"])
                flags = [{flag.lower() for flag in item.get(b"FLAGS", ())} for item in answer.values()]
                if not flags:
                    return True  # all of them have left the folder; the next mail will tell
                self._kept_keywords[keyword] = any(keyword.lower().encode("ascii") in found for found in flags)
        return self._kept_keywords[keyword]

    def remove_keyword(self, uids: Sequence[int], keyword: str) -> None:
        """Take the keyword off."""
        self._writable()
        with self._doing(f"taking the label {keyword} off"):
            for part in wire.in_sets(uids):
                self._client.remove_flags(part, [keyword], silent=True)

    def move(self, uids: Sequence[int], folder: str) -> dict[int, int]:
        """MOVE (RFC 6851)."""
        return self._relocate(self._client.move, uids, folder, "moving")

    def copy(self, uids: Sequence[int], folder: str) -> dict[int, int]:
        """COPY, whose COPYUID comes with UIDPLUS."""
        return self._relocate(self._client.copy, uids, folder, "copying")

    def _relocate(
        self, command: Callable[[list[int], str], Any], uids: Sequence[int], folder: str, verb: str
    ) -> dict[int, int]:
        self._writable()
        name = self._names.on_server(folder)
        pairs: dict[int, int] = {}
        with self._doing(f"{verb} mail to {folder}"):
            for part in wire.in_sets(uids):
                wire.take_copyuid(self._client)  # an old answer would stay there
                command(part, name)
                pairs |= wire.take_copyuid(self._client)
        wanted = set(uids)
        return {old: new for old, new in pairs.items() if old in wanted}

    def remove(self, uids: Sequence[int]) -> bool:
        r"""Mark \Deleted and expunge these UIDs alone; without UIDPLUS only where nobody else has marked anything."""
        self._writable()
        with self._doing("removing the originals of copied mail"):
            for part in wire.in_sets(uids):
                self._client.add_flags(part, [DELETED], silent=True)
                if self.capabilities.uidplus:
                    self._client.uid_expunge(part)
            if self.capabilities.uidplus:
                return True
            self._client.noop()  # what somebody else has marked meanwhile
        self._count_anew()
        with self._doing("removing the originals of copied mail"):
            if not self._search(self._exists, "DELETED") <= set(uids):
                return False
            self._client.expunge()
            return True

    def close(self) -> None:
        """Log out; a connection that is broken already is not worth an error."""
        wire.put_away(self._client, politely=True)

    def abort(self) -> None:
        """Cut the connection under whoever waits on it."""
        wire.cut(self._client)


def _identity(header: bytes, received: datetime) -> Fingerprint:
    return fingerprint(header, received.astimezone(UTC).isoformat())


class _Elsewhere:
    """Another folder for a while: goes there, and always comes back, unless the connection itself broke.

    Gives what the server says of it.
    """

    def __init__(self, go: Callable[[], FolderStatus], come_back: Callable[[], None]) -> None:
        self._go, self._come_back = go, come_back

    def __enter__(self) -> FolderStatus:
        try:
            return self._go()
        except CommandRefused:
            self._come_back()  # a refused SELECT leaves no folder selected (RFC 9051, 6.3.2)
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, CommandRefused):
            self._come_back()
