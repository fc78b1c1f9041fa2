"""`cubbyd finetune watch`: jobs are followed to their end; Ctrl-C ends the watch and not the jobs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cubbyd.cli.finetune.common import open_records, say_left_behind, say_state, working
from cubbyd.clock import SystemClock
from cubbyd.config import find_config, load_config
from cubbyd.errors import TuningError

if TYPE_CHECKING:
    from cubbyd.training.finetune.record import Sweep

ADVICE = {
    "invalid_n_examples": "The file has too few lines; label more mail.",
    "invalid_training_file": "The vendor has no such file any more, or cannot read it: it may have expired; "
    "start again, with a larger --keep-days.",
    "exceeded_quota": "The account has no money left; pay, or raise its limit, and start again.",
}
"""By the vendor's code of an error."""


@click.command()
@click.argument("jobs", nargs=-1)
@click.option(
    "--poll-seconds",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.05, 600),
    help="Between the first looks; later ones are up to a minute apart.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each change as one JSON object a line.")
@click.pass_obj
def command(config_file: Path | None, *, jobs: tuple[str, ...], poll_seconds: float, as_json: bool) -> None:
    """Watch JOBS (default: the newest start) to their end, fetch the losses, and delete the files at the vendor.

    Ctrl-C ends the watch and not the jobs; the next watch goes on where this one was.

    \b
    Example:
      cubbyd finetune watch
    """
    from cubbyd.cli.finetune.show import opened_display
    from cubbyd.training.finetune.watch import Watch
    from cubbyd.training.finetune.work import find_jobs

    config = load_config(find_config(config_file))
    sweeps = list(dict.fromkeys(sweep for sweep, _ in find_jobs(open_records(config).read(), jobs)))
    with working(config, sweeps) as (client, work):
        try:
            with opened_display(as_json=as_json) as display:
                watching = Watch(client, work, SystemClock(), display, first=poll_seconds, sleep=time.sleep)
                ended = [watching.follow(sweep) for sweep in sweeps]
        except KeyboardInterrupt:
            click.echo("The watch ended; the jobs go on. `cubbyd finetune watch` goes on watching.", err=True)
            raise
    _say_end(ended, as_json=as_json)


def _say_end(sweeps: Sequence[Sweep], *, as_json: bool) -> None:
    """Say what became of the jobs, and what to do next; a job that failed makes the command fail."""
    for sweep in sweeps:
        say_left_behind(sweep)
    made = [job for sweep in sweeps for job in sweep.jobs if job.model]
    if made and not as_json:
        click.echo("Next: `cubbyd finetune results --out losses.svg`, then `cubbyd finetune adopt JOB --test held-out.jsonl`.")
    if failed := [job for sweep in sweeps for job in sweep.jobs if job.status != "succeeded"]:
        said = [f"{job.id or 'a job without an id'}: {say_state(job)}" for job in failed]
        advice = dict.fromkeys(ADVICE[job.error_code] for job in failed if job.error_code in ADVICE)
        raise TuningError(" ".join([f"{'; '.join(said)}.", *advice]))
