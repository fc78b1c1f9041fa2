"""`cubbyd finetune adopt`: a tuned model is measured on a test set, and then named in the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.finetune.common import JSON_HELP, open_records, refuse_other_server, say_state
from cubbyd.cli.output import say_json
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.errors import InputFileError, TuningError

if TYPE_CHECKING:
    from cubbyd.classify.protocol import Classifier
    from cubbyd.dataset import Example
    from cubbyd.training.finetune.record import Job, Sweep


@click.command()
@click.argument("job")
@click.option(
    "--test", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Labeled mail that it did not see."
)
@click.option("--write", is_flag=True, help="Write the model's name into the configuration.")
@click.option("--yes", is_flag=True, help="Ask the model about the whole test set, which costs money.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_obj
def command(config_file: Path | None, *, job: str, test: Path, write: bool, yes: bool, as_json: bool) -> None:
    """Measure the model that JOB made on a test set, then put it into the configuration, or say which lines do so.

    \b
    Example:
      cubbyd finetune adopt ftjob-abc123 --test held-out.jsonl --yes --write
    """
    from cubbyd.training.finetune.adopt import toml_lines
    from cubbyd.training.finetune.adopt import write as write_config

    config = load_config(find_config(config_file))
    sweep, tuned = _find(config, job)
    measured = _measure(config, sweep, tuned, test, yes=yes)
    changes = {"model": tuned.model, "mode": sweep.taught.value}
    if write:
        write_config(config.file, changes)
    notes = _notes(config)
    if as_json:
        known = {"job": tuned.id, **measured, **changes, "file": str(config.file) if write else None}
        say_json(known | {"notes": notes})
        return
    click.echo(f"{tuned.model} on {measured['answered']} of {measured['mails']} mails of {test}:")
    click.echo(f"accuracy {measured['accuracy']:.3f}, macro-F1 {measured['macro_f1']:.3f}")
    if write:
        click.echo(f"Wrote {config.file}. Next: `cubbyd check`.")
    else:
        lines = toml_lines(changes)
        click.echo("\n".join(["Nothing was written. To use it, set in the configuration, or add --write:", *lines]))
    for note in notes:
        click.echo(note)


def _find(config: Config, name: str) -> tuple[Sweep, Job]:
    from cubbyd.training.finetune.work import find_jobs

    found = find_jobs(open_records(config).read(), [name])
    if len(found) != 1:
        raise click.UsageError(f"{name} has {len(found)} jobs; name one: {', '.join(each.id for _, each in found)}")
    sweep, tuned = found[0]
    if not tuned.model:
        raise TuningError(f"{tuned.id or name} is {say_state(tuned)} and has made no model; see: cubbyd finetune watch")
    return sweep, tuned


def _notes(config: Config) -> list[str]:
    """Say what else in the configuration has to change before the model files mail as it should."""
    notes = []
    if config.classifier.kind != "openai":
        notes.append(f'The configuration has kind = "{config.classifier.kind}"; the model answers with kind = "openai".')
    if config.classifier.calibration is not None:
        notes.append("The calibration was measured with another model: run `cubbyd calibrate` and `cubbyd thresholds` again.")
    return notes


def _measure(config: Config, sweep: Sweep, job: Job, test: Path, *, yes: bool) -> dict[str, Any]:
    """Ask the model about the test set as the daemon would. Raises whatever the classifier raises, and InputFileError."""
    from cubbyd.classify.hosted.opening import open_hosted
    from cubbyd.cli.labeled import ask_classifier
    from cubbyd.training.finetune.lesson import Teacher, serving_section
    from cubbyd.training.finetune.measure import measure

    refuse_other_server(config, [sweep])
    if Teacher(config, sweep.taught).fingerprint != sweep.fingerprint:
        raise TuningError(
            "the categories, their codes or the instructions are not those that the model was taught with; put [[categories]] "
            "and [classifier.openai] back as they were, or train again"
        )
    labeled = _read_unseen(config, sweep, test)
    section = serving_section(config, sweep.taught, job.model)
    asked = config.model_copy(update={"classifier": config.classifier.model_copy(update={"openai": section})})
    classifier: Classifier = open_hosted(asked)
    try:
        answers = ask_classifier(asked, classifier, labeled, yes=yes)
    finally:
        classifier.close()
    found = measure(answers, several=config.classifier.labels is Labels.MANY)
    scores = {"accuracy": round(found.accuracy, 4), "macro_f1": round(found.macro_f1, 4)}
    return {"mails": found.mails, "answered": found.answered, **scores}


def _read_unseen(config: Config, sweep: Sweep, test: Path) -> list[Example]:
    """Read the test set. Raises InputFileError where a machine wrote one of its mails, or the model has learned it."""
    from cubbyd.cli.labeled import read_labeled
    from cubbyd.training.finetune.lesson import digest_text, shared

    labeled, _ = read_labeled(config, test)
    if made_up := [example.line for example in labeled if example.is_synthetic]:
        raise InputFileError(test, f"{len(made_up)} of its mails are synthetic; take real mail alone", line=made_up[0])
    if places := shared([digest_text(example) for example in labeled], sweep.seen):
        line = labeled[places[0]].line
        raise InputFileError(
            test, f"{len(places)} of its mails were learned by the model, the first is this; take them out", line=line
        )
    return labeled
