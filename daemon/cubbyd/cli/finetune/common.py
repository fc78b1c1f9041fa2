"""What the subcommands share: the record, the connection, and how jobs are said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.output import log_warnings
from cubbyd.clock import SystemClock
from cubbyd.config import Config
from cubbyd.errors import TuningError

if TYPE_CHECKING:
    from cubbyd.classify.hosted.tuning import TuningClient
    from cubbyd.training.finetune.record import Job, Records, Sweep
    from cubbyd.training.finetune.work import Work

JSON_HELP = "Print the result as one JSON object a line; progress goes to standard error."


def open_records(config: Config) -> Records:
    """Open the record of what was started from this state directory."""
    from cubbyd.training.finetune.record import Records

    return Records(config.state.directory)


@contextmanager
def working(config: Config, sweeps: Sequence[Sweep] = ()) -> Iterator[tuple[TuningClient, Work]]:
    """Connect to the vendor of the configuration, which must be that of these sweeps. Raises ConfigError, TuningError."""
    from cubbyd.classify.hosted.tuning import open_tuning
    from cubbyd.training.finetune.work import Work

    refuse_other_server(config, sweeps)
    log_warnings(config)
    client = open_tuning(config)
    try:
        yield client, Work(client, open_records(config), SystemClock())
    finally:
        client.close()


def refuse_other_server(config: Config, sweeps: Sequence[Sweep]) -> None:
    """Refuse to take a key to another server than the one that jobs were started at. Raises TuningError."""
    base_url = config.classifier.openai.base_url if config.classifier.openai else ""
    for sweep in sweeps:
        if base_url and sweep.base_url != base_url:
            raise TuningError(
                f"{sweep.name} was started at {sweep.base_url}, and base_url of [classifier.openai] is {base_url}; its key "
                "is not for there. Give the configuration of then with --config"
            )


def sweep_facts(sweep: Sweep) -> dict[str, Any]:
    """Give what programs want to know of a start."""
    jobs = [json.loads(job.model_dump_json(include={"id", "epochs", "status", "model", "error_code"})) for job in sweep.jobs]
    known = {"start": sweep.name, "created": sweep.created, "base": sweep.base, "teach": sweep.taught.value}
    return {**known, "lines": sweep.lines, "jobs": jobs, "undeleted": list(sweep.left_behind)}


def say_left_behind(sweep: Sweep) -> None:
    """Say on standard error which files are still at the vendor, though no job needs them any more."""
    if sweep.is_over and sweep.left_behind:
        click.echo(
            f"Still at the vendor, because deleting failed: {', '.join(sweep.left_behind)}; `cubbyd finetune list` tries again."
            + (" Training files are deleted by the vendor when they expire." if sweep.undeleted else ""),
            err=True,
        )


def say_epochs(job: Job) -> str:
    """Say how often a job sees each example."""
    if job.epochs is None:
        return "auto epochs"
    return "1 epoch" if job.epochs == 1 else f"{job.epochs} epochs"


def say_state(job: Job) -> str:
    """Say how a job is, with the vendor's code of an error."""
    return f"{job.status} ({job.error_code})" if job.error_code else job.status
