"""`cubbyd history`: what went where, and why, from the state file alone."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from cubbyd.classify.serial import reason_words
from cubbyd.cli.output import console, local_time, say_json, table
from cubbyd.clock import SystemClock
from cubbyd.config import find_config, load_config
from cubbyd.journal import Journal, Record, Sighting, open_database
from cubbyd.lifecycle import State

UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Since(click.ParamType[datetime]):
    """A time: 2026-11-21, 2026-11-21T08:00, or an age such as 90min, 12h, 7d, 2w."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the time; one without a zone is the reader's own."""
        found = re.fullmatch(r"(\d{1,5})(min|h|d|w)", str(value))
        if found:
            return SystemClock().now() - timedelta(**{UNITS[found[2]]: int(found[1])})
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except ValueError:
            self.fail(f"{value!r} is no time; write 2026-11-21, 2026-11-21T08:00, or an age such as 12h or 7d", param, ctx)


@click.command()
@click.option("--since", type=Since(), metavar="TIME", help="Only what happened since: a date, a time, or an age such as 7d.")
@click.option("--category", metavar="ID", help="Only mail of one category.")
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only mail in one state.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000), help="At most so many, newest first."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each mail.")
@click.pass_obj
def command(
    config_file: Path | None, *, since: datetime | None, category: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """Show what became of mail, newest first: which mail (by UID), what was decided, how sure, and why.

    The state file holds no subjects and senders; the UID finds the mail on the server.

    \b
    Example:
      cubbyd --config cubbyd.toml history --since 7d --category billing
    """
    config = load_config(find_config(config_file))
    if category is not None and category not in config.taxonomy:
        raise click.BadParameter(
            f"{category!r} is no category; known: {', '.join(config.taxonomy.ids)}", param_hint="--category"
        )
    journal = Journal(open_database(config.state.directory, read_only=True))
    try:
        records = journal.history(since=since, category=category, state=State(state) if state else None, limit=limit)
        moved = journal.sightings.latest(record.id for record in records)
    finally:
        journal.close()
    if as_json:
        for record in records:
            say_json(_facts(record, moved.get(record.id)))
        return
    columns = ["when", "mailbox", "uid", "run", "what", "category", "p", "folder", "because of"]
    console().print(table("", columns, [_row(record, moved.get(record.id)) for record in records]))
    if not records:
        click.echo("Nothing on record for that.")
    for model, count in Counter(filter(None, map(_model, records))).most_common():
        click.echo(f"{count} of these decided by {model}")


def _facts(record: Record, moved: Sighting | None) -> dict[str, Any]:
    return {
        "time": record.changed_at,
        "mailbox": record.mailbox,
        "uidvalidity": record.uidvalidity,
        "uid": record.uid,
        "state": record.state,
        "category": record.category,
        "probability": None if record.probability is None else round(record.probability, 4),
        "others": list(record.others or ()),
        "hold": record.hold,
        "urgent": record.urgent,
        "keyword": record.keyword,
        "folder": record.target_folder,
        "folder_uid": record.target_uid,
        "moved_by_person": moved.accepted_at if moved else None,
        "moved_to": moved.category if moved else None,
        "moved_to_folder": moved.folder if moved else None,
        "run": record.run,
        "undo": record.undo_id,
        "received": record.received_at,
        "attempts": record.attempts,
        "error": record.error,
        "reasons": reason_words(record.prediction),
        "model": _model(record),
    }


def _model(record: Record) -> str | None:
    """Give the name and version of the model that decided, as `cubbyd undo --model` takes it."""
    found: str | None = (record.prediction or {}).get("provenance", {}).get("model")
    return found


def _row(record: Record, moved: Sighting | None) -> list[object]:
    why = ", ".join(reason_words(record.prediction)) if record.category else (record.hold or record.error)
    why = f"URGENT ({record.urgent}); {why or ''}" if record.urgent else why
    why = f"MOVED by a person to {moved.folder}; {why or ''}" if moved else why
    categories = " ".join([record.category, *(record.others or ())]) if record.category else None
    p = "" if record.probability is None else f"{record.probability:.2f}"
    state = record.state if record.state is not State.DECIDED else "decided only"
    return [
        local_time(record.changed_at),
        record.mailbox,
        record.uid,
        record.run,
        state,
        categories,
        p,
        record.target_folder,
        why,
    ]
