"""`cubbyd state prune`: what is older than the days that are kept goes, fingerprints included."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from cubbyd.cli.output import local_time, say_json
from cubbyd.clock import SystemClock
from cubbyd.config import find_config, load_config
from cubbyd.config.model import LONGEST_KEPT_DAYS


@click.command()
@click.option(
    "--days", type=click.IntRange(1, LONGEST_KEPT_DAYS), help="Keep so many days; otherwise [state] keep_days says how many."
)
@click.option("--dry-run", is_flag=True, help="Count what would go, and remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.pass_obj
def command(config_file: Path | None, *, days: int | None, dry_run: bool, as_json: bool) -> None:
    """Remove from the state file the mails that were done with before the days that are kept.

    Kept, however old: mail that is not finished, mail that may still be in the inbox, and the marks up to which each inbox was
    read. A mail that somebody puts back into the inbox after its row went is taken for a new one.

    \b
    Example:
      cubbyd --config cubbyd.toml state prune --days 365 --dry-run
    """
    from cubbyd.journal.upkeep import prune

    config = load_config(find_config(config_file))
    kept = days or config.state.keep_days
    if not kept:
        raise click.UsageError("how many days are kept? Give --days, or set keep_days in [state]; 0 there keeps everything")
    before = SystemClock().now() - timedelta(days=kept)
    done = prune(config.state.directory, before, dry_run=dry_run)
    if as_json:
        facts = {"before": before, "removed": done.mails, "kept_old": done.kept_old, "dry_run": dry_run}
        say_json(facts)
        return
    verb = "would be removed" if dry_run else "removed"
    click.echo(f"{done.mails} mails {verb} that were done with before {local_time(before)}.")
    if done.kept_old:
        click.echo(f"{done.kept_old} as old are kept: not finished, or perhaps still in the inbox.")
