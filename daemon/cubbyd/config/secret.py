"""Where a password or a key comes from: a file of mode 0600, a systemd credential, or an environment variable."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from cubbyd.config.hosted import OpenAISection
from cubbyd.config.learned import LEARNED
from cubbyd.config.model import MailboxSection, credentials_directory
from cubbyd.config.oauth import OAuthKind, OAuthSection
from cubbyd.errors import ConfigError, Problem, SecretHidden

LONGEST_SECRET = 8192
"""Bytes; more is no password but a wrong file."""

LONGEST_KEY_FILE = 65_536
"""Bytes of a certificate with its chain and its key, or of a service account's key."""

NO_KEY = "none"
"""What a server on this machine is given where no key is configured: the SDK must have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """The three keys of a table that can say where a secret is; at most one of them is set."""

    table: str
    """The table's name, for errors: "mailboxes.office"."""
    prefix: str
    """What the keys begin with: "password" for password_file and so on."""
    file: Path | None
    credential: str | None
    variable: str | None
    has_lines: bool = False
    """Whether the secret is a whole file, such as a key in PEM or JSON."""


def read_password(
    config_file: Path, name: str, mailbox: MailboxSection, environment: Mapping[str, str] | None = None
) -> SecretStr:
    """Read the password of a mailbox. Raises ConfigError that names the key; the secret itself is in no message."""
    place = SecretPlace(
        table=f"mailboxes.{name}",
        prefix="password",
        file=mailbox.password_file,
        credential=mailbox.password_credential,
        variable=mailbox.password_env,
    )
    return read_secret(config_file, place, environment)


def read_oauth_secret(
    config_file: Path, name: str, section: OAuthSection, environment: Mapping[str, str] | None = None
) -> SecretStr | None:
    """Read what an OAuth client proves itself with; None for a kind that has nothing.

    It is a client secret, a certificate with its key (PEM), or a service account's key (JSON). Raises ConfigError that names
    the key; the secret itself is in no message.
    """
    if section.kind is OAuthKind.MICROSOFT_DEVICE:
        return None
    prefix, has_lines = "client_secret", False
    if section.kind is OAuthKind.GOOGLE_SERVICE:
        prefix, has_lines = "service_account", True
    elif section.certificate_file or section.certificate_credential:
        prefix, has_lines = "certificate", True
    place = SecretPlace(
        table=f"mailboxes.{name}.oauth",
        prefix=prefix,
        file=getattr(section, f"{prefix}_file"),
        credential=getattr(section, f"{prefix}_credential"),
        variable=getattr(section, f"{prefix}_env", None),
        has_lines=has_lines,
    )
    return read_secret(config_file, place, environment)


def read_api_key(config_file: Path, section: OpenAISection, environment: Mapping[str, str] | None = None) -> SecretStr:
    """Read the key of a hosted classifier; a server on this machine may have none. Raises ConfigError, as for passwords."""
    place = SecretPlace(
        table="classifier.openai",
        prefix="api_key",
        file=section.api_key_file,
        credential=section.api_key_credential,
        variable=section.api_key_env,
    )
    if section.is_loopback and not (place.file or place.credential or place.variable):
        return SecretStr(NO_KEY)
    key = read_secret(config_file, place, environment)
    value = key.get_secret_value()
    if not value.isascii() or set(value) & set(" \t"):
        raise _error(config_file, f"{place.table}.{place.prefix}", "a key has ASCII letters, digits and signs alone, no blank")
    return key


def read_secret(config_file: Path, place: SecretPlace, environment: Mapping[str, str] | None = None) -> SecretStr:
    """Read a secret from where the configuration says, and keep it out of the log. Raises ConfigError that names the key.

    No error has the secret. It is a SecretHidden where systemd has handed the credential to another process of the service
    alone.
    """
    secret = _read(config_file, place, environment)
    LEARNED.learn(secret)
    return secret


def _read(config_file: Path, place: SecretPlace, environment: Mapping[str, str] | None) -> SecretStr:
    environment = os.environ if environment is None else environment
    key = f"{place.table}.{place.prefix}"
    if place.variable:
        secret = environment.get(place.variable, "")
        if not secret:
            raise _error(config_file, f"{key}_env", f"the environment variable {place.variable} is not set")
        return SecretStr(secret)
    if place.credential:
        file = credentials_directory(environment) / place.credential
        return _from_credential(config_file, f"{key}_credential", file, has_lines=place.has_lines)
    if place.file is None:
        raise _error(config_file, place.table, f"no {place.prefix} is configured")
    _refuse_open_file(config_file, f"{key}_file", place.file)
    return _from_file(config_file, f"{key}_file", place.file, has_lines=place.has_lines)


def _from_credential(config_file: Path, key: str, file: Path, *, has_lines: bool) -> SecretStr:
    try:
        return _from_file(config_file, key, file, has_lines=has_lines)
    except ConfigError as error:
        if isinstance(error.__cause__, PermissionError):
            raise SecretHidden(config_file, error.problems) from error.__cause__
        raise


def _from_file(config_file: Path, key: str, file: Path, *, has_lines: bool) -> SecretStr:
    longest = LONGEST_KEY_FILE if has_lines else LONGEST_SECRET
    try:
        with file.open("rb") as stream:
            content = stream.read(longest + 1)
        secret = content.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise _error(config_file, key, f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise _error(config_file, key, f"{file} is not UTF-8") from None  # the cause would hold the bytes
    if not secret or len(content) > longest:
        raise _error(config_file, key, f"{file} is empty or too long for a secret")
    if not has_lines and not secret.isprintable():
        raise _error(config_file, key, f"{file} must hold the secret alone, on one line")
    return SecretStr(secret)


def _refuse_open_file(config_file: Path, key: str, file: Path) -> None:
    try:
        found = file.stat()
    except OSError as error:
        raise _error(config_file, key, f"{file} cannot be read: {error.strerror}") from error
    mode = found.st_mode
    if not stat.S_ISREG(mode):
        raise _error(config_file, key, f"{file} is no regular file")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _error(config_file, key, f"{file} can be read by others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {file}")
    if found.st_uid not in {0, os.geteuid()}:
        reason = f"{file} belongs to another user (uid {found.st_uid}), who can read and change it; run: chown root {file}"
        raise _error(config_file, key, reason)


def _error(config_file: Path, key: str, reason: str) -> ConfigError:
    return ConfigError(config_file, (Problem(key=key, found="", allowed=reason),))
