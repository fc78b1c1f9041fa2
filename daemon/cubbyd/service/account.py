"""From a mailbox's section to an account that can connect: its password is read, or the source of its tokens made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cubbyd.config import Config, MailboxSection, read_password
from cubbyd.mailbox import Account


def make_account(config_file: Path, name: str, section: MailboxSection, state_directory: Path) -> Account:
    """Make the account of a mailbox; nobody is connected to, and no token asked for. Raises ConfigError."""
    if section.oauth is None:
        return Account(name=name, section=section, password=read_password(config_file, name, section))
    from cubbyd.oauth import open_tokens

    return Account(name=name, section=section, tokens=open_tokens(config_file, name, section, state_directory))


def account_of(config: Config, name: str) -> Account:
    """Make the account of a configured mailbox. Raises ConfigError."""
    return make_account(config.file, name, config.mailboxes[name], config.state.directory)


def login_ends(accounts: Iterable[Account]) -> dict[str, datetime]:
    """Tell by mailbox when a login ends for good and a person has to act, where that is known: a metric warns of it.

    A token's own end is none: it is renewed when it is next needed.
    """
    known = {account.name: account.tokens.credential_ends_at for account in accounts if account.tokens}
    return {name: moment for name, moment in known.items() if moment}
