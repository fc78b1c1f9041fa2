"""The file that keeps a grant: in the state directory, for its owner alone, always whole.

A refresh token may be good for one use only, so the next one is on the disk before it is needed; and several processes (the
daemon, `cubbyd check`, `cubbyd login`) take turns, or they would use up each other's.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from cubbyd.errors import LoginEnded, LoginRefused, MailboxUnavailable
from cubbyd.oauth.grant import Grant

FOLDER: Final = "tokens"
VERSION: Final = 1
OWNER_ALONE: Final = 0o600
FOLDER_MODE: Final = 0o700


class GrantStore:
    """The grant of one mailbox on the disk."""

    def __init__(self, state_directory: Path, mailbox: str, client: str) -> None:
        """`client` says whose tokens these are (kind, client, user): those of another one are none."""
        self.file = state_directory / FOLDER / f"{mailbox}.json"
        self._mailbox, self._client = mailbox, client

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from this mailbox's tokens meanwhile. Raises LoginRefused where there can be no such file."""
        try:
            self.file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            descriptor = os.open(self.file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ALONE)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def load(self) -> Grant | None:
        """Read the grant; None where there is none, or one of another client.

        Raises LoginEnded where the file is damaged, LoginRefused where others can read it or we cannot.
        """
        try:
            with self.file.open(encoding="utf-8") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                text = stream.read()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable(error) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise LoginRefused(f"{self.file} can be read by others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {self.file}")
        try:
            values = json.loads(text)
            if values["client"] != self._client or values["version"] != VERSION:
                return None
            return _grant(values)
        except (ValueError, KeyError, TypeError):
            reason = f"mailbox {self._mailbox}: {self.file} is damaged; run: cubbyd login {self._mailbox}"
            raise LoginEnded(reason) from None  # the cause would hold the tokens

    def save(self, grant: Grant) -> None:
        """Write the grant: aside, to the disk, then renamed over the old one; killed anywhere, one of both is there, whole.

        Raises MailboxUnavailable where it cannot be written.
        """
        try:
            self.file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            for left in self.file.parent.glob(f".{self.file.name}.*"):
                left.unlink()  # of a process that was killed while it wrote; it has tokens in it
            _replace(self.file, json.dumps(self._values(grant)))
        except OSError as error:
            reason = (
                f"mailbox {self._mailbox}: {self.file} cannot be written: {error.strerror}; see to it before the token ends"
            )
            raise MailboxUnavailable(reason) from error

    def _values(self, grant: Grant) -> dict[str, Any]:
        return {
            "version": VERSION,
            "client": self._client,
            "access_token": grant.access_token.get_secret_value(),
            "expires_at": grant.expires_at.isoformat(),
            "refresh_token": grant.refresh_token.get_secret_value() if grant.refresh_token else None,
            "ends_at": grant.ends_at.isoformat() if grant.ends_at else None,
        }

    def _unusable(self, error: OSError | UnicodeDecodeError) -> LoginRefused:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return LoginRefused(
            f"mailbox {self._mailbox}: the tokens in {self.file} cannot be used: {reason}; run cubbyd as the user that the "
            "state directory belongs to"
        )


def _grant(values: dict[str, Any]) -> Grant:
    refresh, ends = values["refresh_token"], values["ends_at"]
    return Grant(
        access_token=SecretStr(_text(values["access_token"])),
        expires_at=_moment(values["expires_at"]),
        refresh_token=None if refresh is None else SecretStr(_text(refresh)),
        ends_at=None if ends is None else _moment(ends),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _replace(file: Path, text: str) -> None:
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ALONE), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
