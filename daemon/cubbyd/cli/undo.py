"""`cubbyd undo`: takes back what was filed, after showing what that would do."""

from __future__ import annotations

import re
import sys
from collections import Counter
from contextlib import nullcontext
from datetime import datetime
from typing import Any

import click

from cubbyd.classify.serial import reason_words
from cubbyd.cli.history import Since
from cubbyd.cli.output import console, local_time, log_warnings, say_json, table
from cubbyd.config import Config, find_config, load_config
from cubbyd.filing.undo import TAKES_BACK, Found
from cubbyd.journal import Journal, Selection, open_database, state_lock

SHOWN = 20
"""Mails that are listed one by one before the question."""

SELECTS = ("uid", "message_id", "run", "category", "since", "until", "model")


class MessageId(click.ParamType[str]):
    """A Message-ID, with angle brackets or without."""

    name = "message-id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take the brackets off; refuse what no search of every server can be asked for."""
        bare = str(value).strip().removeprefix("<").removesuffix(">")
        if not re.fullmatch(r"[!-~]+", bare) or re.search(r'[<>"\\(){%*]', bare):
            self.fail(
                f"{value!r} cannot be searched for; give the mail's UID in the inbox: `cubbyd history` shows it", param, ctx
            )
        return bare


@click.command()
@click.option("--mailbox", metavar="NAME", help="Only this mailbox.")
@click.option("--uid", type=click.IntRange(1), help="One mail: the UID that `cubbyd history` shows.")
@click.option(
    "--message-id", type=MessageId(), metavar="ID", help="One mail: the Message-ID in its header, in whatever folder it lies."
)
@click.option("--run", "run", metavar="NUMBER", help='What one pass filed, by its number in `cubbyd history`, or "last".')
@click.option("--category", metavar="ID", help="What was filed as one category.")
@click.option("--since", type=Since(), metavar="TIME", help="What was filed since: a date, a time, or an age such as 12h.")
@click.option("--until", type=Since(), metavar="TIME", help="What was filed before.")
@click.option("--model", metavar="NAME", help="What a model version filed, by its name in `cubbyd history`.")
@click.option("--again", is_flag=True, help="Have it classified and filed anew at the next pass; else it stays in the inbox.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing; the daemon may run meanwhile.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--list", "show_list", is_flag=True, help="Show the undos on record.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each mail; needs --yes or --dry-run.")
@click.pass_context
def command(click_context: click.Context, /, **options: Any) -> None:
    """Take filed mail back to the inbox, without our keywords and flags; what is given must all hold of a mail.

    Mail that a person has moved or deleted since is left alone. What was taken back stays in the inbox for people, unless
    --again is given. Stop the daemon first; an undo that broke off is finished at its next pass.

    \b
    Example:
      cubbyd --config cubbyd.toml undo --category billing --since 12h --dry-run
      cubbyd --config cubbyd.toml undo --run last
      cubbyd --config cubbyd.toml undo --message-id '<CAF3x@mail.example.org>'
      cubbyd --config cubbyd.toml undo --model local-3f9c0d51 --again
    """
    file = find_config(click_context.obj)
    config = load_config(file)
    if options["show_list"]:
        _list(config, as_json=options["as_json"])
        return
    as_json, dry_run, yes = options["as_json"], options["dry_run"], options["yes"]
    if not (dry_run or yes) and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("nobody is there to be asked; add --dry-run to see what would be done, or --yes to do it")
    log_warnings(config)
    from cubbyd.service.undo import open_undo

    with nullcontext() if dry_run else state_lock(config.state.directory), open_undo(file, config) as undoing:
        wanted = _selection(config, options)
        found = undoing.survey(wanted)
        mails = [one for some in found.values() for one in some]
        takable = sum(one.fate in TAKES_BACK for one in mails)
        if as_json:
            for one in mails:
                say_json(_facts(one))
        else:
            _show(mails)
        if dry_run or not takable or not (yes or click.confirm(f"Take {takable} mails back?")):
            if not as_json:
                click.echo("Nothing was changed.")
            return
        report = undoing.take_back(wanted, found, again=options["again"])
    if as_json:
        say_json({"undo": report.number, "undone": report.undone, "problems": list(map(str, report.problems))})
    else:
        click.echo(f"Undo {report.number}: {report.undone} of {takable} mails are taken back.")
    for problem in report.problems:
        click.echo(f"cubbyd: {problem}", err=True)
    click_context.exit(report.problems[0].exit_code if report.problems else 0)


def _selection(config: Config, options: dict[str, Any]) -> Selection:
    """Read the options; raises UsageError where they fit everything, or what is not there."""
    mailbox, category = options["mailbox"], options["category"]
    if all(options[name] is None for name in SELECTS):
        named = ", ".join(f"--{name.replace('_', '-')}" for name in SELECTS[:-1])
        raise click.UsageError(f"what is to be taken back? Give {named} or --{SELECTS[-1]}")
    if mailbox is not None and mailbox not in config.mailboxes:
        raise click.BadParameter(f"{mailbox!r} is not in the configuration; known: {', '.join(config.mailboxes)}")
    if mailbox is None and (options["uid"] or options["run"]):
        if len(config.mailboxes) > 1:
            raise click.UsageError(f"each mailbox counts for itself; add --mailbox: {', '.join(config.mailboxes)}")
        mailbox = next(iter(config.mailboxes))
    run = None if options["run"] is None else _run(config, mailbox, options["run"])
    since: datetime | None = options["since"]
    return Selection(
        mailbox=mailbox,
        uid=options["uid"],
        run=run,
        category=category,
        since=since,
        until=options["until"],
        model=options["model"],
        message_id=options["message_id"],
    )


def _run(config: Config, mailbox: str, given: str) -> int:
    if given.isdecimal():
        return int(given)
    if given != "last":
        raise click.BadParameter(f'{given!r} is no number of a run; `cubbyd history` shows them, or say "last"')
    journal = Journal(open_database(config.state.directory, read_only=True))
    try:
        return journal.last_run(mailbox)
    finally:
        journal.close()


def _show(mails: list[Found]) -> None:
    if not mails:
        click.echo("No filed mail on record fits.")
        return
    columns = ["filed", "mailbox", "uid", "category", "folder", "now in", "what would be done"]
    console().print(table("", columns, [_row(one) for one in mails[:SHOWN]]))
    if len(mails) > SHOWN:
        click.echo(f"… and {len(mails) - SHOWN} more (--json lists them all)")
    for fate, count in Counter(one.fate for one in mails).items():
        click.echo(f"{count}: {fate}")


def _row(one: Found) -> list[object]:
    record = one.record
    when = local_time(record.changed_at)
    return [when, record.mailbox, record.uid, record.category, record.target_folder, one.folder, one.fate]


def _facts(one: Found) -> dict[str, Any]:
    record = one.record
    return {
        "time": record.changed_at,
        "mailbox": record.mailbox,
        "uidvalidity": record.uidvalidity,
        "uid": record.uid,
        "category": record.category,
        "folder": record.target_folder,
        "now_in": one.folder,
        "takes_back": one.fate in TAKES_BACK,
        "what": one.fate,
        "reasons": reason_words(record.prediction),
    }


def _list(config: Config, *, as_json: bool) -> None:
    journal = Journal(open_database(config.state.directory, read_only=True))
    try:
        undos = journal.undos()
    finally:
        journal.close()
    if as_json:
        for undo in undos:
            say_json(
                {"undo": undo.id, "time": undo.begun_at, "selection": undo.selection, "again": undo.again, "mails": undo.mails}
            )
        return
    rows = [[undo.id, local_time(undo.begun_at), undo.selection, "again" if undo.again else "", undo.mails] for undo in undos]
    console().print(table("", ["undo", "when", "of", "", "mails"], rows))
