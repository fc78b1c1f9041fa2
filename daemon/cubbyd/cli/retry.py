"""`cubbyd retry`: quarantined mail gets a new budget of attempts."""

from __future__ import annotations

from pathlib import Path

import click

from cubbyd.clock import SystemClock
from cubbyd.config import find_config, load_config
from cubbyd.journal import Journal, open_database


@click.command()
@click.option("--mailbox", metavar="NAME", help="Only this mailbox.")
@click.pass_obj
def command(config_file: Path | None, *, mailbox: str | None) -> None:
    """Give quarantined mail another chance, once what was wrong is mended. The daemon may run meanwhile.

    \b
    Example:
      cubbyd --config cubbyd.toml retry
    """
    config = load_config(find_config(config_file))
    if mailbox is not None and mailbox not in config.mailboxes:
        raise click.BadParameter(f"{mailbox!r} is not in the configuration; known: {', '.join(config.mailboxes)}")
    journal = Journal(open_database(config.state.directory, read_only=True))
    try:
        for name in [mailbox] if mailbox else config.mailboxes:
            count = journal.retry_quarantined(name, SystemClock().now())
            click.echo(f"{name}: {count} mails will be tried again at the next poll.")
    finally:
        journal.close()
