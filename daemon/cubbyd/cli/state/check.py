"""`cubbyd state check`: is the state file whole, and do its rows hold together."""

from __future__ import annotations

from pathlib import Path

import click

from cubbyd.cli.output import say_json
from cubbyd.config import find_config, load_config
from cubbyd.errors import EXIT_FAILED


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each finding.")
@click.pass_obj
def command(config_file: Path | None, *, as_json: bool) -> None:
    """Look the state file over and say what to do; changes nothing. Exits with 1 where something is at fault.

    Looked at are: who may read it, whether SQLite finds every page and index whole, its version, and whether what it says of
    each mail holds together.

    \b
    Example:
      cubbyd --config cubbyd.toml state check
    """
    from cubbyd.journal.upkeep import examine

    config = load_config(find_config(config_file))
    findings = examine(config.state.directory, tuple(config.mailboxes))
    for finding in findings:
        if as_json:
            say_json({"fault": finding.is_fault, "what": finding.what, "way_out": finding.way_out})
        else:
            click.echo(f"{'FAULT' if finding.is_fault else 'note'}: {finding.what}\n  {finding.way_out}")
    if not findings and not as_json:
        click.echo(f"{config.state.directory}: the state file is whole, and its rows hold together.")
    if any(finding.is_fault for finding in findings):
        click.get_current_context().exit(EXIT_FAILED)
