"""`cubbyd status`: how each mailbox is doing, from the state file alone; the daemon may run meanwhile."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cubbyd.cli.output import age, console, local_time, say_json, table
from cubbyd.clock import SystemClock
from cubbyd.config import find_config, load_config
from cubbyd.journal import Journal, open_database
from cubbyd.lifecycle import State


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each mailbox.")
@click.pass_obj
def command(config_file: Path | None, *, as_json: bool) -> None:
    """Show per mailbox: the last poll, mail filed, held and quarantined, the oldest unfiled mail, the last error.

    \b
    Example:
      cubbyd --config cubbyd.toml status
    """
    config = load_config(find_config(config_file))
    now = SystemClock().now()
    journal = Journal(open_database(config.state.directory, read_only=True))
    try:
        facts = [_facts(journal, name) for name in config.mailboxes]
    finally:
        journal.close()
    if as_json:
        for mailbox in facts:
            say_json(mailbox)
        return
    columns = ["mailbox", "last good poll", "filed", "held", "waiting", "quarantined", "oldest unfiled"]
    rows = [
        [
            mailbox["mailbox"],
            _ago(mailbox["last_success"], now),
            mailbox["filed"],
            mailbox["held"],
            mailbox["waiting"],
            mailbox["quarantined"],
            age(mailbox["oldest_unfiled"], now),
        ]
        for mailbox in facts
    ]
    console().print(table("", columns, rows))
    for mailbox in facts:
        _explain(mailbox, now)


def _facts(journal: Journal, name: str) -> dict[str, Any]:
    counts, outcome = journal.counts(name), journal.poll_outcome(name)
    waiting = sum(counts.get(state, 0) for state in (State.SEEN, State.DECIDED, State.PLANNED, State.COPIED))
    return {
        "mailbox": name,
        "last_poll": outcome.started_at if outcome else None,
        "last_success": outcome.succeeded_at if outcome else None,
        "filed": counts.get(State.FILED, 0),
        "held": counts.get(State.HELD, 0),
        "waiting": waiting,
        "quarantined": counts.get(State.QUARANTINED, 0),
        "taken_by_people": counts.get(State.GONE, 0),
        "oldest_unfiled": journal.oldest_unfiled(name),
        "failing_since": outcome.failing_since if outcome else None,
        "error": outcome.error if outcome else None,
    }


def _ago(moment: datetime | None, now: datetime) -> str:
    return "never" if moment is None else f"{age(moment, now)} ago"


def _explain(mailbox: dict[str, Any], now: datetime) -> None:
    name = mailbox["mailbox"]
    if mailbox["error"]:
        since = f"since {local_time(mailbox['failing_since'])} ({age(mailbox['failing_since'], now)})"
        click.echo(f"{name} is failing {since}: {mailbox['error']}")
    if mailbox["quarantined"]:
        click.echo(
            f"{name}: {mailbox['quarantined']} quarantined, still in the inbox: `cubbyd history --state quarantined` says why; "
            "file them by hand, or `cubbyd retry`."
        )
