"""From the configuration to a mailbox's tokens. What a provider needs is loaded here, and only where it is configured."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from cubbyd.clock import Clock, SystemClock
from cubbyd.config import MailboxSection, OAuthKind, OAuthSection, read_oauth_secret
from cubbyd.errors import ConfigError, Problem
from cubbyd.oauth.border import Voice
from cubbyd.oauth.provider import Provider
from cubbyd.oauth.source import Tokens
from cubbyd.oauth.store import GrantStore

PACKAGES: Final = ("msal", "google.auth", "google_auth_oauthlib", "requests")


def open_tokens(
    config_file: Path,
    name: str,
    mailbox: MailboxSection,
    state_directory: Path,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Tokens:
    """Make the source of a mailbox's tokens; nobody is asked yet. Raises ConfigError that names the key."""
    provider = open_provider(config_file, name, mailbox, environment, clock)
    return Tokens(name, provider, open_store(name, mailbox, state_directory), clock)


def open_store(name: str, mailbox: MailboxSection, state_directory: Path) -> GrantStore:
    """Name the file of a mailbox's tokens; it may not be there yet."""
    section = _section(mailbox)
    whose = section.authority if section.kind.is_microsoft else section.token_url
    client = f"{section.kind} {whose} {section.tenant} {section.client_id} {mailbox.username} {section.effective_scope}"
    return GrantStore(state_directory, name, client)


def open_provider(
    config_file: Path,
    name: str,
    mailbox: MailboxSection,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Provider:
    """Make the client of the configured provider. Raises ConfigError that names the key."""
    section = _section(mailbox)
    table = f"mailboxes.{name}.oauth"
    _demand_packages(config_file, table)
    if section.ca_file is not None and not section.ca_file.is_file():
        raise ConfigError(config_file, (Problem(key=f"{table}.ca_file", found=str(section.ca_file), allowed="is no file"),))
    secret = read_oauth_secret(config_file, name, section, environment)
    host = urlsplit(section.authority if section.kind.is_microsoft else section.token_url).hostname or ""
    person = section.kind.needs_person
    voice = Voice(mailbox=name, username=mailbox.username, host=host, needs_person=person, secrets=(secret,))
    try:
        return _provider(section, voice, clock or SystemClock(), secret)
    except ValueError as error:
        key = "service_account" if section.kind is OAuthKind.GOOGLE_SERVICE else "certificate"
        raise ConfigError(config_file, (Problem(key=f"{table}.{key}", found="", allowed=f"{error}"),)) from None


def _provider(section: OAuthSection, voice: Voice, clock: Clock, secret: SecretStr | None) -> Provider:
    match section.kind, secret:
        case OAuthKind.MICROSOFT_DEVICE, _:
            from cubbyd.oauth.microsoft import MicrosoftDevice

            return MicrosoftDevice(section, voice, clock)
        case OAuthKind.MICROSOFT_APP, SecretStr():
            from cubbyd.oauth.microsoft import MicrosoftApp

            return MicrosoftApp(section, voice, clock, secret)
        case OAuthKind.GOOGLE, SecretStr():
            from cubbyd.oauth.google import GooglePerson

            return GooglePerson(section, voice, clock, secret)
        case OAuthKind.GOOGLE_SERVICE, SecretStr():
            from cubbyd.oauth.google import GoogleService

            return GoogleService(section, voice, _json(secret))
        case _:
            raise AssertionError("the configuration demands a secret for every other kind")


def _json(secret: SecretStr) -> dict[str, Any]:
    """Read a key file. Raises ValueError."""
    try:
        return dict(json.loads(secret.get_secret_value()))
    except (ValueError, TypeError):
        raise ValueError("is no key file of a service account, as Google's console gives it (JSON)") from None


def _section(mailbox: MailboxSection) -> OAuthSection:
    if mailbox.oauth is None:
        raise ValueError("this mailbox has a password")
    return mailbox.oauth


def _demand_packages(config_file: Path, table: str) -> None:
    for package in PACKAGES:
        try:
            found = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            text = f"needs the package {package}; install it with: pip install 'cubbyd[oauth]'"
            raise ConfigError(config_file, (Problem(key=table, found="", allowed=text),))
