"""`cubbyd corrections`: what people moved to another category, from the state file; and, on request, examples of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from cubbyd.cli.history import Since
from cubbyd.cli.output import console, local_time, say_json, table
from cubbyd.clock import SystemClock
from cubbyd.config import Config, find_config, load_config
from cubbyd.journal import Journal, Moves, open_database

MOMENT = timedelta(seconds=1)
FOR_PEOPLE = "held for people"


@click.command()
@click.option(
    "--since", type=Since(), default="30d", show_default=True, metavar="TIME", help="A date, a time, or an age such as 7d."
)
@click.option("--mailbox", metavar="NAME", help="Only this mailbox.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read those mails on the server, where they lie now, and write them as examples.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each line of the table.")
@click.pass_obj
def command(config_file: Path | None, *, since: datetime, mailbox: str | None, out: Path | None, as_json: bool) -> None:
    """Show what people moved from the folder of one category to that of another, as the daemon saw it.

    A move counts once the mail has stayed there for ten minutes. With --out the mails become examples to train on, each with
    the category that a person gave it; nothing in the account changes, and the daemon may run meanwhile.

    \b
    Example:
      cubbyd --config cubbyd.toml corrections --since 7d
      cubbyd --config cubbyd.toml corrections --out corrections.jsonl
    """
    config = load_config(find_config(config_file))
    if mailbox is not None and mailbox not in config.mailboxes:
        known = ", ".join(config.mailboxes)
        raise click.BadParameter(f"{mailbox!r} is not in the configuration; known: {known}", param_hint="--mailbox")
    names = [mailbox] if mailbox else list(config.mailboxes)
    until = SystemClock().now() + MOMENT
    journal = Journal(open_database(config.state.directory, read_only=True))
    try:
        moves = {name: journal.tally.moves(name, since, until) for name in names}
        if as_json:
            _say_as_json(moves)
        else:
            _show(config, moves, since)
        if out is not None:
            _write(config, journal, names, since, until, out, as_json=as_json)
    finally:
        journal.close()
    if out is None and not as_json and any(moves.values()):
        click.echo("Next: `cubbyd corrections --out corrections.jsonl`, to train on them.")


def _say_as_json(moves: dict[str, list[Moves]]) -> None:
    for name, some in moves.items():
        for one in some:
            say_json({"mailbox": name, "was": one.was, "category": one.category, "mails": one.mails})


def _show(config: Config, moves: dict[str, list[Moves]], since: datetime) -> None:
    def named(category: str | None) -> str:
        return config.taxonomy[category].name if category in config.taxonomy else category or FOR_PEOPLE  # type: ignore[index]

    corrected = [(name, one) for name, some in moves.items() for one in some if one.is_correction]
    if corrected:
        rows = [(name, named(one.was), named(one.category), one.mails) for name, one in corrected]
        console().print(table("", ["mailbox", "was", "is now", "mails"], rows))
    agreed = sum(one.mails for some in moves.values() for one in some if not one.is_correction)
    deeds = [
        ("moved {} to another category", sum(one.mails for _, one in corrected if one.was is not None)),
        ("filed {} that had been held for them", sum(one.mails for _, one in corrected if one.was is None)),
        ("put {} where cubbyd would have put it", agreed),
    ]
    said = [deed.format(_mails(count)) for deed, count in deeds if count] or ["moved nothing that cubbyd knows"]
    click.echo(f"Since {local_time(since)}, people {'; '.join(said)}.")


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count:,} mails"


def _write(
    config: Config, journal: Journal, names: list[str], since: datetime, until: datetime, out: Path, *, as_json: bool
) -> None:
    from cubbyd.dataset import write_examples
    from cubbyd.service.corrected import Lesson

    lesson = Lesson(config, journal, since, until)
    count = write_examples(out, (example for name in names for example in lesson.examples(name)))
    if as_json:
        facts: dict[str, Any] = {"out": str(out), "examples": count, "missing": lesson.missing}
        say_json(facts)
        return
    click.echo(f"Wrote {count:,} {'example' if count == 1 else 'examples'} to {out}.")
    if lesson.missing:
        click.echo(f"Left out: {_mails(lesson.missing)} no longer where a person put it, or without words.")
    if count:
        click.echo(f"Next: `cubbyd dataset import EXAMPLES {out} --out all.jsonl`, with the examples of the last training.")
