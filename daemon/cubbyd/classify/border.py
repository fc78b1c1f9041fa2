"""The border of the building: every text that a remote backend sends is made here, masked and looked through once more."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from cubbyd.config import Config
from cubbyd.message import ClassifierInput, render
from cubbyd.message.render import Limits
from cubbyd.redaction import RedactionFailed, Redactor, Roster, load_vocabulary, read_roster


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail's text as it may leave the building. Remote backends take nothing else, and only Border makes it."""

    given: ClassifierInput
    is_redacted: bool


class Border:
    """Lets text out: masked, unless the admin has allowed names to leave in so many words."""

    def __init__(self, redactor: Redactor | None, limits: Limits | None = None) -> None:
        """Take the redactor, or None where names may leave, and how much text the backend is given."""
        self._redactor = redactor
        self._limits = limits or Limits()

    def let_out(self, given: ClassifierInput) -> Outgoing:
        """Make the text that may leave. Raises RedactionFailed where a known name or address is still in it."""
        if self._redactor is None:
            return Outgoing(render(given.message, self._limits), is_redacted=False)
        message, done = self._redactor.redact(given.message)
        if done.leaks:
            raise RedactionFailed(done.leaks)
        return Outgoing(render(replace(message, signature=""), self._limits), is_redacted=True)


def make_redactor(config: Config) -> Redactor:
    """Make the redactor of a facility: its roster, its words, its categories. Raises InputFileError, NamesMissing."""
    file = config.redaction.roster_path(os.environ)
    keep = [*config.redaction.keep, *(category.name for category in config.taxonomy)]
    return Redactor(read_roster(file) if file else Roster(), load_vocabulary(), keep)


def open_border(config: Config, limits: Limits | None = None) -> Border:
    """Make the border that the configuration describes. Raises InputFileError, NamesMissing."""
    return Border(None if config.redaction.allow_names_to_leave_the_building else make_redactor(config), limits)
