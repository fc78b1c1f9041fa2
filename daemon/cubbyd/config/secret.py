"""Where a mailbox's password comes from: a file of mode 0600, a systemd credential, or an environment variable."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from cubbyd.config.model import MailboxSection, credentials_directory
from cubbyd.errors import ConfigError, Problem

LONGEST_SECRET = 8192
"""Bytes; more is no password but a wrong file."""


def read_password(
    config_file: Path, name: str, mailbox: MailboxSection, environment: Mapping[str, str] | None = None
) -> SecretStr:
    """Read the password of a mailbox. Raises ConfigError that names the key; the secret itself is in no message."""
    environment = os.environ if environment is None else environment
    key = f"mailboxes.{name}"
    if mailbox.password_env:
        secret = environment.get(mailbox.password_env, "")
        if not secret:
            raise _error(config_file, f"{key}.password_env", f"the environment variable {mailbox.password_env} is not set")
        return SecretStr(secret)
    if mailbox.password_credential:
        file = credentials_directory(environment) / mailbox.password_credential
        return _from_file(config_file, f"{key}.password_credential", file)
    if mailbox.password_file is None:
        raise _error(config_file, key, "no password is configured")
    _refuse_open_file(config_file, f"{key}.password_file", mailbox.password_file)
    return _from_file(config_file, f"{key}.password_file", mailbox.password_file)


def _from_file(config_file: Path, key: str, file: Path) -> SecretStr:
    try:
        with file.open("rb") as stream:
            content = stream.read(LONGEST_SECRET + 1)
        secret = content.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise _error(config_file, key, f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise _error(config_file, key, f"{file} is not UTF-8") from None  # the cause would hold the bytes
    if not secret or len(content) > LONGEST_SECRET:
        raise _error(config_file, key, f"{file} is empty or too long for a password")
    if not secret.isprintable():
        raise _error(config_file, key, f"{file} must hold the password alone, on one line")
    return SecretStr(secret)


def _refuse_open_file(config_file: Path, key: str, file: Path) -> None:
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise _error(config_file, key, f"{file} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise _error(config_file, key, f"{file} is no regular file")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _error(config_file, key, f"{file} can be read by others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {file}")


def _error(config_file: Path, key: str, reason: str) -> ConfigError:
    return ConfigError(config_file, (Problem(key=key, found="", allowed=reason),))
