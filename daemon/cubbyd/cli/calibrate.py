"""`cubbyd calibrate`: from labeled mail to the curve that makes the configured classifier's probabilities hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.labeled import ask_classifier, calibration_file, read_labeled, refuse_known
from cubbyd.cli.output import console, say_json, table
from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.errors import InputFileError

if TYPE_CHECKING:
    from cubbyd.evaluation.fit import Outcome


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Ask a remote classifier too, which may cost money.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(config_file: Path | None, *, examples: Path, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Make the probabilities of the configured classifier hold, on EXAMPLES: labeled mail that it was not trained on.

    It is asked about every mail. What is found is written to the file that [classifier] calibration names, for exactly this
    version of the classifier. Whether it helps is measured on mail that it was not found on.

    \b
    Example:
      cubbyd --config cubbyd.toml calibrate held-out.jsonl
    """
    from cubbyd.classify.calibrated import calibrated_provenance
    from cubbyd.classify.calibration import Calibration, read_calibration, write_calibration
    from cubbyd.classify.registry import open_uncalibrated
    from cubbyd.evaluation.fit import fit_calibration

    config = load_config(find_config(config_file))
    labeled, digest = read_labeled(config, examples)
    refuse_known(config, examples, digest, "give labeled mail that came later, or that you kept apart before training")
    file = calibration_file(config)
    known = read_calibration(file)
    classifier = open_uncalibrated(config)
    try:
        answers = ask_classifier(config, classifier, labeled, yes=yes)
        try:
            outcome = fit_calibration(answers, several=config.classifier.labels is Labels.MANY)
        except ValueError as error:
            raise InputFileError(examples, str(error)) from error
        found = Calibration(
            kind=classifier.provenance.kind,
            model=classifier.provenance.model,
            renderer=classifier.provenance.renderer,
            created=SystemClock().now(),
            examples=len(outcome.held_out),
            categories=classifier.categories,
            curve=outcome.best.curve,
            error_before=outcome.before.error,
            error_after=outcome.best.error,
        )
        provenance = calibrated_provenance(classifier.provenance, found)
    finally:
        classifier.close()
    if not dry_run:
        write_calibration(file, known.with_calibration(found))
    facts = {"model": provenance.model, "file": None if dry_run else str(file), **_facts(outcome)}
    if as_json:
        say_json(facts)
    else:
        _print(config, file, outcome, written=not dry_run)


def _facts(outcome: Outcome) -> dict[str, Any]:
    tried = {
        fit.method: {"calibration_error": round(fit.error, 4), "loss": round(fit.loss, 4), "accuracy": round(fit.accuracy, 4)}
        for fit in outcome.tried
    }
    curve = outcome.best.curve.model_dump(include={"temperature"})
    return {"examples": len(outcome.held_out), "method": outcome.best.method, **curve, "tried": tried}


def _print(config: Config, file: Path, outcome: Outcome, *, written: bool) -> None:
    rows = [
        [fit.method, f"{fit.error:.3f}", f"{fit.loss:.3f}", f"{fit.accuracy:.3f}", "← chosen" if fit is outcome.best else ""]
        for fit in outcome.tried
    ]
    console().print(table("", ["probabilities", "calibration error", "log loss", "accuracy", ""], rows))
    by = "stretches of time" if outcome.held_out.dates is not None else "parts"
    click.echo(
        f"On {len(outcome.held_out)} mails, cross-validated over {by}: each is measured with what was found on the others."
    )
    if not written:
        click.echo("Nothing was written (--dry-run).")
        return
    click.echo(f"Wrote {file}.")
    if config.classifier.calibration is None:
        click.echo(f'Next: put calibration = "{file.name}" into [classifier] of {config.file}, then `cubbyd check`.')
    else:
        click.echo(
            "Next: `cubbyd thresholds EXAMPLES.jsonl --write`; thresholds of before do not hold for the new probabilities."
        )
