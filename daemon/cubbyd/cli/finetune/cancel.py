"""`cubbyd finetune cancel`: jobs are ended at the vendor, and files that no job needs any more are deleted there."""

from __future__ import annotations

from pathlib import Path

import click

from cubbyd.cli.finetune.common import open_records, say_left_behind, say_state, working
from cubbyd.config import find_config, load_config


@click.command()
@click.argument("jobs", nargs=-1, required=True)
@click.pass_obj
def command(config_file: Path | None, *, jobs: tuple[str, ...]) -> None:
    """Cancel JOBS, or all jobs of a start; files that no job needs any more are deleted at the vendor.

    \b
    Example:
      cubbyd finetune cancel ftjob-abc123
    """
    from cubbyd.training.finetune.work import find_jobs

    config = load_config(find_config(config_file))
    found = find_jobs(open_records(config).read(), jobs)
    sweeps = {sweep.name: sweep for sweep, _ in found}
    with working(config, list(sweeps.values())) as (_, work):
        for sweep, job in found:
            after = sweeps[sweep.name] if job.is_over else work.cancel(sweeps[sweep.name], job)
            newest = after.job(job.run)
            name = newest.id or "A job without an id"
            is_ours = newest.status == "cancelled" and not job.is_over
            click.echo(f"Canceled {name}." if is_ours else f"{name}: {say_state(newest)}.")
            sweeps[sweep.name] = after
    for sweep in sweeps.values():
        say_left_behind(sweep)
