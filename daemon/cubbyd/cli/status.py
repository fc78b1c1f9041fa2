"""`cubbyd status`: how each mailbox is doing, from the state file alone; the daemon may run meanwhile."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from cubbyd.cli.output import age, console, local_time, say_json, span, table
from cubbyd.clock import SystemClock
from cubbyd.config import Backlog, Config, find_config, load_config
from cubbyd.errors import EXIT_FAILED, StateError
from cubbyd.journal import Journal, is_locked, open_database
from cubbyd.lifecycle import State
from cubbyd.service.health import LONGEST_WAIT, Trouble
from cubbyd.service.view import MailboxView, look_at

ROOM_BYTES = 1024 * 1024
"""What a pass may write before its records fit into what is there already, and some room for SQLite to work in."""

_MAKE_ROOM = "make room there; the next pass goes on where the last one ended, and mail stays in the inbox meanwhile"


@click.command()
@click.option("--check", is_flag=True, help="Only say what is wrong, and exit with 1 where anything is: for a monitor.")
@click.option(
    "--max-wait",
    default=LONGEST_WAIT // timedelta(minutes=1),
    show_default=True,
    type=click.IntRange(1, 100_000),
    metavar="MINUTES",
    help="How long a mail may wait to be filed before that is wrong.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each mailbox.")
@click.pass_obj
def command(config_file: Path | None, *, check: bool, max_wait: int, as_json: bool) -> None:
    """Show per mailbox: the last poll, mail filed, held and quarantined, the oldest unfiled mail, and what has stopped.

    \b
    Example:
      cubbyd --config cubbyd.toml status
      cubbyd --config cubbyd.toml status --check --max-wait 30
    """
    config = load_config(find_config(config_file))
    now = SystemClock().now()
    try:
        journal = Journal(open_database(config.state.directory, read_only=True))
    except StateError:
        if (full := _full_disk(config.state.directory)) is None:
            raise
        _say_full(config, full, as_json=as_json)
        click.get_current_context().exit(EXIT_FAILED)
    is_running = is_locked(config.state.directory)
    try:
        longest_wait = timedelta(minutes=max_wait)
        views = [
            look_at(journal, config, name, now, is_running=is_running, longest_wait=longest_wait) for name in config.mailboxes
        ]
    finally:
        journal.close()
    facts = [_facts(view, config, is_running=is_running) for view in views]
    if as_json:
        for mailbox in facts:
            say_json(mailbox)
    elif not check:
        _show(facts, now)
    else:
        for mailbox in facts:
            _say_trouble(mailbox, now)
    has_trouble = any(mailbox["lasting"] for mailbox in facts)
    if check and not has_trouble and not as_json:
        click.echo("Mail is filed, and none waits too long.")
    click.get_current_context().exit(EXIT_FAILED if check and has_trouble else 0)


def _show(facts: list[dict[str, Any]], now: datetime) -> None:
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


def _facts(view: MailboxView, config: Config, *, is_running: bool) -> dict[str, Any]:
    outcome, mark, lasting = view.outcome, view.mark, view.trouble
    trouble = lasting or _full_disk(config.state.directory) or view.first_sign
    return {
        "mailbox": view.name,
        "last_poll": outcome.started_at if outcome else None,
        "last_success": view.last_success,
        "filed": view.count({State.FILED}),
        "held": view.count({State.HELD}),
        "waiting": view.waiting,
        "quarantined": view.count({State.QUARANTINED}),
        "taken_by_people": view.count({State.GONE}),
        "taken_back": view.count({State.UNDONE}),
        "oldest_unfiled": view.oldest_unfiled,
        "failing_since": outcome.failing_since if outcome else None,
        "error": outcome.error if outcome else None,
        "backlog": config.filing.backlog,
        "old_mail_total": (mark and mark.backlog_total) or 0,
        "old_mail_left": view.old_mail_left,
        "old_mail_seconds_left": None if mark is None or mark.seconds_left is None else round(mark.seconds_left),
        "running": is_running,
        "stopped": bool(lasting and lasting.has_stopped),
        "lasting": lasting is not None,
        "trouble_since": trouble.since if trouble else None,
        "trouble": trouble.what if trouble else None,
        "way_out": trouble.way_out if trouble else None,
    }


def _say_full(config: Config, full: Trouble, *, as_json: bool) -> None:
    """Say that the disk is full where not even a look at the state file is possible: SQLite needs some room for that."""
    if not as_json:
        click.echo(f"filing has stopped: {full.what}\n  {full.way_out}")
        return
    for name in config.mailboxes:
        facts = {"stopped": True, "lasting": True, "trouble_since": None, "trouble": full.what, "way_out": full.way_out}
        say_json({"mailbox": name, **facts})


def _full_disk(directory: Path) -> Trouble | None:
    """Look at the room beside the state file itself: a daemon on a full disk cannot put on record what ails it."""
    try:
        free = shutil.disk_usage(directory).free
    except OSError:
        return None
    if free >= ROOM_BYTES:
        return None
    what = f"the disk that holds {directory} has {free:,} bytes left, and the state file cannot grow"
    return Trouble(has_stopped=False, since=None, what=what, way_out=_MAKE_ROOM)


def _say_trouble(mailbox: dict[str, Any], now: datetime) -> bool:
    if not mailbox["lasting"]:
        return False
    moment = mailbox["trouble_since"]
    since = f" since {local_time(moment)} ({age(moment, now)})" if moment else ""
    verb = "filing has stopped" if mailbox["stopped"] else "mail is left behind"
    click.echo(f"{mailbox['mailbox']}: {verb}{since}: {mailbox['trouble']}\n  {mailbox['way_out']}")
    return True


def _say_old_mail(mailbox: dict[str, Any]) -> None:
    left, total, seconds = mailbox["old_mail_left"], mailbox["old_mail_total"], mailbox["old_mail_seconds_left"]
    if not left:
        return
    if mailbox["backlog"] == Backlog.IGNORE:
        text = f'{left:,} mails were there before cubbyd and are left alone; backlog = "file" in [filing] has them filed.'
    else:
        text = f"{left:,} of {max(total, left):,} mails that were there before cubbyd are still to be filed"
        text += f", about {span(seconds)}." if seconds else "."
    click.echo(f"{mailbox['mailbox']}: {text}")


def _ago(moment: datetime | None, now: datetime) -> str:
    return "never" if moment is None else f"{age(moment, now)} ago"


def _explain(mailbox: dict[str, Any], now: datetime) -> None:
    name = mailbox["mailbox"]
    if not _say_trouble(mailbox, now) and mailbox["trouble"]:
        moment = mailbox["trouble_since"]
        since = f" since {local_time(moment)} ({age(moment, now)})" if moment else ""
        click.echo(f"{name} is failing{since}: {mailbox['trouble']}\n  {mailbox['way_out']}")
    _say_old_mail(mailbox)
    if mailbox["quarantined"]:
        click.echo(
            f"{name}: {mailbox['quarantined']} quarantined, still in the inbox: `cubbyd history --state quarantined` says why; "
            "file them by hand, or `cubbyd retry`."
        )
