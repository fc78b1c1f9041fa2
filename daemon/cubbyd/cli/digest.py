"""`cubbyd digest`: what became of mail in the last days, on the screen or as a mail; the daemon may run meanwhile."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.output import say_json
from cubbyd.clock import SystemClock
from cubbyd.config import Config, find_config, load_config
from cubbyd.errors import ConfigError, Problem
from cubbyd.journal import Journal, is_locked, open_database
from cubbyd.lifecycle import State
from cubbyd.service.digest import Facts, as_html, as_text, compose, gather
from cubbyd.service.due import span_of

if TYPE_CHECKING:
    from cubbyd.mailbox import Account


@click.command()
@click.option("--show", is_flag=True, help="Print it, and put nothing into the account.")
@click.option("--days", type=click.IntRange(1, 366), help='How many days back from now.  [default: 1; 7 with every = "week"]')
@click.option("--mailbox", metavar="NAME", help="One mailbox alone.")
@click.option("--html", "as_page", is_flag=True, help="With --show: print its HTML part.")
@click.option("--json", "as_json", is_flag=True, help="With --show: print one JSON object for each mailbox.")
@click.pass_obj
def command(
    config_file: Path | None, *, show: bool, days: int | None, mailbox: str | None, as_page: bool, as_json: bool
) -> None:
    """Say in plain words what was filed and held, and what needs a person; put it into the account as a mail.

    The mail goes to [digest] folder of the mailbox. The ones that [digest] every sends by itself go out all the same.

    \b
    Example:
      cubbyd --config cubbyd.toml digest --show --days 7
    """
    if (as_page or as_json) and not show:
        raise click.UsageError("--html and --json go with --show")
    file = find_config(config_file)
    config = load_config(file)
    if mailbox is not None and mailbox not in config.mailboxes:
        raise click.BadParameter(f"found {mailbox!r}; allowed: {', '.join(config.mailboxes)}", param_hint="--mailbox")
    if not show and (problem := config.digest_problem):
        raise ConfigError(file, (Problem(key="digest.folder", found="", allowed=problem.partition(": ")[2]),))
    span = timedelta(days=days) if days else span_of(config.digest.every)
    names = [mailbox] if mailbox else list(config.mailboxes)
    facts = _gather(config, names, SystemClock().now(), span)
    if not show:
        _send(file, config, facts)
    for one in facts if show else ():
        if as_json:
            say_json(_as_json(one))
        else:
            click.echo(as_html(one) if as_page else as_text(one))


def _gather(config: Config, names: list[str], now: datetime, span: timedelta) -> list[Facts]:
    is_running = is_locked(config.state.directory)
    with closing(Journal(open_database(config.state.directory, read_only=True))) as journal:
        return [gather(config, journal, name, now - span, now, now, is_running=is_running) for name in names]


def _send(file: Path, config: Config, facts: list[Facts]) -> None:
    from cubbyd.service.build import accounts_of

    accounts = {account.name: account for account in accounts_of(file, config)}
    for one in facts:
        _append(config, accounts[one.view.name], one)
        click.echo(f"{one.view.name}: a digest is in the folder {config.digest_folder}")


def _append(config: Config, account: Account, facts: Facts) -> None:
    from cubbyd.mailbox import open_mailbox

    with closing(open_mailbox(account)) as mailbox:
        mailbox.ensure_folder(config.digest_folder)
        mailbox.append(config.digest_folder, compose(facts, account.section.username), facts.now)


def _as_json(facts: Facts) -> dict[str, Any]:
    view, ends = facts.view, facts.ends
    return {
        "mailbox": view.name,
        "since": facts.since,
        "until": facts.until,
        "filed": dict(ends.filed),
        "held": dict(ends.held),
        "taken_by_people": ends.taken_by_people,
        "taken_back": ends.taken_back,
        "urgent": ends.urgent,
        "waiting": view.waiting,
        "quarantined": view.count({State.QUARANTINED}),
        "held_in_inbox": facts.held_in_inbox,
        "oldest_unfiled": view.oldest_unfiled,
        "tokens": facts.expense.tokens,
        "money": facts.expense.money,
        "trouble": view.trouble.what if view.trouble else None,
    }
