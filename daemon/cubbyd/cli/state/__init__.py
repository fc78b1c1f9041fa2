"""`cubbyd state`: one thin module for each subcommand, imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import click

from cubbyd.cli import LateGroup

SUBCOMMANDS: Final[Mapping[str, str]] = {
    "backup": "Copy the state file, while the daemon runs.",
    "check": "Look the state file over, and say what to do.",
    "prune": "Remove what is older than the days that are kept.",
}


class StateGroup(LateGroup):
    """The subcommands of `cubbyd state`."""

    late: ClassVar[Mapping[str, str]] = SUBCOMMANDS
    package: ClassVar[str] = "cubbyd.cli.state"


@click.group(cls=StateGroup)
def command() -> None:
    """Look after the state file: what cubbyd remembers of each mail. The daemon may run meanwhile.

    \b
    Example:
      cubbyd --config cubbyd.toml state backup /var/backups/cubbyd.sqlite
      cubbyd --config cubbyd.toml state check
      cubbyd --config cubbyd.toml state prune --dry-run
    """
