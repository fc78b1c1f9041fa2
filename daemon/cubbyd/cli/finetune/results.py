"""`cubbyd finetune results`: the losses of jobs as numbers, and as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from cubbyd.cli.finetune.common import JSON_HELP, open_records, say_epochs, say_state
from cubbyd.config import find_config, load_config
from cubbyd.errors import InputFileError, TuningError


@click.command()
@click.argument("jobs", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw the losses into this file.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_obj
def command(config_file: Path | None, *, jobs: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Show the losses of JOBS (default: the newest start), in training and in validation.

    \b
    Example:
      cubbyd finetune results --out losses.svg
    """
    from cubbyd.cli.finetune.show import print_curves, write_picture
    from cubbyd.training.finetune.curve import read_curves
    from cubbyd.training.finetune.work import find_jobs

    records = open_records(load_config(find_config(config_file)))
    curves = []
    for _, job in find_jobs(records.read(), jobs):
        file = records.result_file(job.id)
        if not job.id or not file.exists():
            click.echo(f"{job.id or 'a job without an id'}: {say_state(job)}, no losses; see `cubbyd finetune watch`", err=True)
            continue
        try:
            curves.append(read_curves(f"{job.id}, {say_epochs(job)}", file.read_bytes()))
        except ValueError as error:
            raise InputFileError(file, str(error)) from error
    if not curves:
        raise TuningError("there are no losses to show")
    if out is not None:
        write_picture(out, curves)
    print_curves(curves, as_json=as_json)
    if out is not None:
        click.echo(f"Wrote {out}.", err=True)
