"""`cubbyd finetune list`: what was started from here, and what is still at the vendor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cubbyd.cli.finetune.common import JSON_HELP, open_records, say_epochs, say_state, sweep_facts, working
from cubbyd.cli.output import local_time, say_json
from cubbyd.config import Config, find_config, load_config
from cubbyd.errors import TuningError

if TYPE_CHECKING:
    from cubbyd.training.finetune.record import Sweep


@click.command()
@click.option("--offline", is_flag=True, help="Do not ask the vendor how the jobs are.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_obj
def command(config_file: Path | None, *, offline: bool, as_json: bool) -> None:
    """List what was started from here, and which files are still at the vendor; deleting them is tried again.

    \b
    Example:
      cubbyd finetune list
    """
    config = load_config(find_config(config_file))
    sweeps = list(open_records(config).read())
    if not offline:
        sweeps = [_refreshed(config, sweep) for sweep in sweeps]
    if as_json:
        for sweep in sweeps:
            say_json(sweep_facts(sweep))
        return
    if not sweeps:
        click.echo("Nothing was started from here yet.")
        return
    for sweep in sweeps:
        click.echo(f"{sweep.name}, {local_time(sweep.created)}: {sweep.lines} lines for {sweep.base} at {sweep.base_url}")
        for job in sweep.jobs:
            model = f", model {job.model}" if job.model else ""
            click.echo(f"  {job.id or 'no id'}, {say_epochs(job)}: {say_state(job)}{model}")
        if sweep.left_behind:
            click.echo(f"  files at the vendor: {', '.join(sweep.left_behind)}")


def _refreshed(config: Config, sweep: Sweep) -> Sweep:
    """Look at what is not over yet; what cannot be found out is said, and stays as it was known last."""
    if sweep.is_done:
        return sweep
    try:
        with working(config, [sweep]) as (_, work):
            for job in sweep.jobs:
                sweep = sweep if job.is_over else work.look(sweep, job)
            return work.clean(sweep) if sweep.is_over else sweep
    except TuningError as error:
        click.echo(f"{sweep.name}: this is what was known last: {error}", err=True)
        return sweep
