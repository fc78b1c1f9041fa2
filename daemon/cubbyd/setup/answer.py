"""What `cubbyd init` has to know: answered by a person, or by a file of answers."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from cubbyd.config import FilingAction, MailboxSection
from cubbyd.config.model import default_state_directory
from cubbyd.config.oauth import OAUTH_PATHS
from cubbyd.config.section import Section, Switch
from cubbyd.errors import ConfigError, Problem

NAME_PATTERN = r"^[A-Za-z0-9_-]{1,40}$"
PATHS = ("password_file", "ca_file")
SECRETS = ("password", "client_secret", "service_account", "_url", "authority")
"""Parts of the names of keys whose value is never shown."""


class Answers(Section):
    """Everything that is asked; the mailbox has the keys that it has in the configuration."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)] = "office"
    """What status and logs call the mailbox."""
    mailbox: MailboxSection
    action: FilingAction = FilingAction.OBSERVE
    leave_out: tuple[str, ...] = ()
    """Folders, as the server or the configuration spells them, that are to be no category."""
    starter_categories: Switch = False
    """Take the categories of the sample facility in place of the account's folders."""
    state_directory: Path | None = None

    @property
    def effective_state_directory(self) -> Path:
        """Where the configuration that is made of this keeps its state, and tokens."""
        return self.state_directory or default_state_directory(os.environ)


def read_answers(file: Path) -> Answers:
    """Read a file of answers. Relative paths in it count from its own folder. Raises ConfigError that names file and key."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _whole(file, f"cannot be read: {error.strerror}; give another with --answers FILE") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _whole(file, f"is no TOML: {error}") from error
    mailbox = values.get("mailbox")
    oauth = mailbox.get("oauth") if isinstance(mailbox, dict) else None
    for table, keys in ((mailbox, PATHS), (oauth, OAUTH_PATHS), (values, ("state_directory",))):
        for key in keys:
            if isinstance(table, dict) and isinstance(table.get(key), str):
                table[key] = file.absolute().parent / table[key]
    try:
        return Answers(**values)
    except ValidationError as error:
        raise ConfigError(file, problems_of(error)) from None  # pydantic's own text repeats the input, a secret perhaps


def make_mailbox(values: dict[str, Any]) -> MailboxSection:
    """Make a mailbox of what a person typed. Raises ConfigError in one sentence for a wrong value."""
    try:
        return MailboxSection(**values)
    except ValidationError as error:
        raise ConfigError("your answers", problems_of(error)) from None


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Say what is wrong with each key; the value of a key for a secret is not repeated."""
    return tuple(_problem(detail) for detail in error.errors(include_url=False))


def _problem(detail: Any) -> Problem:
    key = ".".join(str(part) for part in detail["loc"]) or "(file)"
    given = detail["input"]
    shown = isinstance(given, str | int | float) and not any(word in key for word in SECRETS)
    if detail["type"] == "extra_forbidden":
        return Problem(key=key, found="", allowed="unknown key; docs/operations.md lists those that there are")
    if detail["type"] == "missing":
        return Problem(key=key, found="", allowed="is missing")
    message = str(detail["msg"]).removeprefix("Value error, ")
    return Problem(key=key, found=repr(given)[:60] if shown else "", allowed=message[:1].lower() + message[1:])


def _whole(file: Path, reason: str) -> ConfigError:
    return ConfigError(file, (Problem(key="(file)", found="", allowed=reason),))
