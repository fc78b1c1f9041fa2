"""Small mails for tests, and a second mail client that looks at a server from outside."""

from __future__ import annotations

import imaplib
from collections import Counter
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from tests.dovecot import PASSWORD

RECEIVED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def mail(subject: str, *, number: int = 1, body: str = "Good morning, please see above. Thank you, Ann") -> bytes:
    lines = [
        "Return-Path: <ann@example.com>",
        f"Received: from mx.example.com by mail.littlecubby.example with ESMTP id {number}; Fri, 20 Nov 2026 09:30:00 +0000",
        "From: Ann Example <ann@example.com>",
        "To: office@littlecubby.example",
        f"Subject: {subject}",
        "Date: Fri, 20 Nov 2026 09:30:00 +0000",
        f"Message-ID: <{number}@example.com>",
        "",
        body,
        "",
    ]
    return "\r\n".join(lines).encode()


class MailServer(Protocol):
    """A server on loopback where any user exists, with the password of all tests."""

    port: int

    @property
    def prefix(self) -> str: ...


class Outside:
    """Another program on the same account, by the standard library's imaplib: a delivery agent, or a person's mail client.

    Folders are named with or without the server's prefix, as one likes, and told without.
    """

    def __init__(self, server: MailServer, user: str) -> None:
        self._prefix = server.prefix
        self._client = imaplib.IMAP4("127.0.0.1", server.port, timeout=150)  # longer than a lock of a killed session
        self._client.login(user, PASSWORD)
        self._abilities = self._client.capability()[1][0].decode().split()

    def _quoted(self, folder: str) -> str:
        has_prefix = folder == "INBOX" or folder.startswith(self._prefix)
        return f'"{folder}"' if has_prefix else f'"{self._prefix}{folder}"'

    def _name(self, line: bytes) -> str:
        return line.decode().rsplit(') "', 1)[1][3:].strip().strip('"').removeprefix(self._prefix)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.logout()

    def deliver(self, *mails: bytes, folder: str = "INBOX", flags: str = "", received: datetime | None = None) -> None:
        if self._client.state == "SELECTED" and self._client.is_readonly:
            self._client.close()  # Courier adds nothing to a folder that the session has opened for reading
        arrived = imaplib.Time2Internaldate(received) if received else None
        for raw in mails:
            self._ok(self._client.append(self._quoted(folder), f"({flags})" if flags else None, arrived, raw))

    def folders(self) -> list[str]:
        _, lines = self._client.list()
        names = [self._name(line) for line in lines if isinstance(line, bytes) and b"\\Noselect" not in line]
        return sorted(set(names))

    def subscribed(self) -> set[str]:
        _, lines = self._client.lsub()
        return {self._name(line) for line in lines if isinstance(line, bytes)}

    def subjects(self, folder: str) -> list[str]:
        self._ok(self._client.select(self._quoted(folder), readonly=True))
        _, data = self._client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [part[1].decode().removeprefix("Subject:").strip() for part in data if isinstance(part, tuple)]

    def subjects_by_uid(self, folder: str) -> dict[int, str]:
        self._ok(self._client.select(self._quoted(folder), readonly=True))
        _, data = self._client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        found = {}
        for part in data:
            if isinstance(part, tuple):
                uid = int(part[0].split(b"UID ")[1].split(b" ")[0])
                found[uid] = part[1].decode().removeprefix("Subject:").strip()
        return found

    def everything(self) -> dict[str, list[str]]:
        """Every folder with the subjects in it, but for the empty ones."""
        return {folder: subjects for folder in self.folders() if (subjects := self.subjects(folder))}

    def count_subjects(self) -> Counter[str]:
        return Counter(subject for subjects in self.everything().values() for subject in subjects)

    def flags(self, folder: str) -> dict[int, set[str]]:
        self._ok(self._client.select(self._quoted(folder), readonly=True))
        _, data = self._client.uid("FETCH", "1:*", "(FLAGS)")
        found = {}
        for line in data:
            if isinstance(line, bytes) and b"FLAGS (" in line:
                uid = int(line.split(b"UID ")[1].split(b" ")[0].rstrip(b")"))
                found[uid] = set(line.split(b"FLAGS (")[1].split(b")")[0].decode().split())
        return found

    def seen(self) -> int:
        return sum("\\Seen" in flags for folder in self.folders() for flags in self.flags(folder).values())

    def store(self, folder: str, uids: str, flag: str, *, take_off: bool = False) -> None:
        self._ok(self._client.select(self._quoted(folder)))
        self._ok(self._client.uid("STORE", uids, "-FLAGS" if take_off else "+FLAGS", f"({flag})"))

    def make_folder(self, folder: str) -> None:
        self._ok(self._client.create(self._quoted(folder)))

    def remove_folder(self, folder: str) -> None:
        self._ok(self._client.delete(self._quoted(folder)))

    def rename_folder(self, folder: str, name: str) -> None:
        self._ok(self._client.rename(self._quoted(folder), self._quoted(name)))

    def drag(self, uid: int, source: str, target: str) -> None:
        self._client.create(self._quoted(target))
        self._ok(self._client.select(self._quoted(source)))
        if "MOVE" in self._abilities:
            self._ok(self._client.uid("MOVE", str(uid), self._quoted(target)))
        else:
            self._ok(self._client.uid("COPY", str(uid), self._quoted(target)))
            self.delete(uid, source)

    def copy(self, uid: int, source: str, target: str) -> None:
        self._ok(self._client.select(self._quoted(source)))
        self._ok(self._client.uid("COPY", str(uid), self._quoted(target)))

    def delete(self, uid: int, folder: str) -> None:
        self.store(folder, str(uid), "\\Deleted")
        self._ok(self._client.uid("EXPUNGE", str(uid)))

    def uids(self, folder: str) -> list[int]:
        self._ok(self._client.select(self._quoted(folder), readonly=True))
        _, data = self._client.uid("SEARCH", "ALL")
        return [int(uid) for uid in data[0].split()]

    @staticmethod
    def _ok(answer: tuple[str, object]) -> None:
        assert answer[0] == "OK", answer
