"""`cubbyd thresholds`: from which probability each category can be believed, so that a wanted share of it is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.labeled import ask_classifier, calibration_file, read_labeled, refuse_known, with_model
from cubbyd.cli.output import console, say_json, say_threshold, table
from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels, find_config, load_config

if TYPE_CHECKING:
    from cubbyd.classify.protocol import Classifier, Provenance
    from cubbyd.dataset import Example
    from cubbyd.evaluation.answer import Answers
    from cubbyd.evaluation.threshold import CategoryThreshold, Promise

SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
INSTEAD = "give labeled mail that it was not trained on, or, for a local model, add --cross-validate"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[MODEL] EXAMPLES")
@click.option(
    "--precision", type=SHARE, default=0.98, show_default=True, help="The share of right ones wanted in each category."
)
@click.option("--confidence", type=SHARE, default=0.9, show_default=True, help="How sure one may be of it.")
@click.option(
    "--together", is_flag=True, help="One threshold for all categories that have too little mail for one of their own."
)
@click.option(
    "--cross-validate", is_flag=True, help="EXAMPLES trained the local model: train it again without each fifth of them."
)
@click.option("--write", is_flag=True, help="Write the thresholds to where `cubbyd run` reads them.")
@click.option("--yes", is_flag=True, help="Ask a remote classifier too, which may cost money.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(  # noqa: PLR0913  click passes every option
    config_file: Path | None,
    *,
    files: tuple[Path, ...],
    precision: float,
    confidence: float,
    together: bool,
    cross_validate: bool,
    write: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Find, per category, the least threshold that keeps the wanted precision, on EXAMPLES: labeled mail, not trained on.

    The classifier is the configured one, or the model file MODEL. The promise is about the lower confidence bound: with few
    examples no threshold keeps it, and a category without one is left to people, or shares one with --together. A threshold
    under [[categories]] stands above a measured one.

    \b
    Example:
      cubbyd --config cubbyd.toml thresholds held-out.jsonl --precision 0.98 --write
    """
    from cubbyd.evaluation.threshold import find_thresholds

    *models, examples = files
    if len(models) > 1:
        raise click.UsageError("give one MODEL at most, and one file of EXAMPLES")
    config = load_config(find_config(config_file))
    if models:
        config = with_model(config, models[0])
    labeled, digest = read_labeled(config, examples)
    if cross_validate and config.classifier.kind != "local":
        raise click.UsageError(
            f'--cross-validate trains local models; kind = "{config.classifier.kind}" cannot be trained here'
        )
    if not cross_validate:
        refuse_known(config, examples, digest, INSTEAD)
    answers, provenance = _ask(config, labeled, examples, cross_validate=cross_validate, yes=yes)
    several = config.classifier.labels is Labels.MANY
    promise = find_thresholds(answers, precision=precision, confidence=confidence, several=several, together=together)
    file = _write(config, provenance, promise, precision, confidence) if write else None
    if as_json:
        say_json(_facts(promise, precision, confidence) | {"model": provenance.model, "file": str(file) if file else None})
        return
    _print(promise, precision, confidence, together=together)
    _say_next(config, file)


def _ask(
    config: Config, labeled: list[Example], source: Path, *, cross_validate: bool, yes: bool
) -> tuple[Answers, Provenance]:
    """Ask about all examples; give the provenance that the daemon knows this classifier by, its fallback included."""
    from cubbyd.classify.fallback import FallbackClassifier
    from cubbyd.classify.registry import open_backend

    classifier = open_backend(config)
    try:
        if cross_validate:
            return _ask_without(classifier, labeled, source), classifier.provenance
        first = classifier.first if isinstance(classifier, FallbackClassifier) else classifier
        return ask_classifier(config, first, labeled, yes=yes), classifier.provenance
    finally:
        classifier.close()


def _ask_without(classifier: Classifier, labeled: list[Example], source: Path) -> Answers:
    """Ask models that were trained without what they are asked about; their probabilities go through the same curve."""
    from cubbyd.classify.calibrated import calibration_in_force
    from cubbyd.training.held_out import answer_held_out

    answers = answer_held_out(
        labeled, classifier.categories, source=str(source), progress=lambda text: click.echo(text, err=True)
    )
    calibration = calibration_in_force(classifier)
    return answers.calibrated(calibration.curve) if calibration else answers


def _write(config: Config, provenance: Provenance, promise: Promise, precision: float, confidence: float) -> Path:
    from cubbyd.classify.calibration import Thresholds, read_calibration, write_calibration

    file = calibration_file(config)
    found = Thresholds(
        kind=provenance.kind,
        model=provenance.model,
        renderer=provenance.renderer,
        created=SystemClock().now(),
        examples=promise.mails,
        labels=config.classifier.labels,
        precision=precision,
        confidence=confidence,
        thresholds={one.category: "never" if one.threshold is None else one.threshold for one in promise.categories},
    )
    write_calibration(file, read_calibration(file).with_thresholds(found))
    return file


def _facts(promise: Promise, precision: float, confidence: float) -> dict[str, Any]:
    return {
        "precision": precision,
        "confidence": confidence,
        "mails": promise.mails,
        "filed": promise.filed,
        "filed_share": round(promise.filed / promise.mails, 4),
        "right": promise.right,
        "needed_in_a_row": promise.needed,
        "categories": {
            one.category: {
                "threshold": one.threshold if one.threshold is not None else "never",
                "examples": one.examples,
                "candidates": one.candidates,
                "filed": one.filed,
                "right": one.right,
                "precision": None if one.precision is None else round(one.precision, 4),
                "lower_bound": round(one.bound, 4),
                "together": one.together,
            }
            for one in promise.categories
        },
    }


def _print(promise: Promise, precision: float, confidence: float, *, together: bool) -> None:
    columns = ["category", "threshold", "examples", "chosen", "filed", "right", "precision", "at least"]
    console().print(table("", columns, [_row(one) for one in promise.categories]))
    share = promise.filed / promise.mails
    click.echo(
        f"{promise.filed} of {promise.mails} mails ({share:.0%}) would be filed by themselves, {promise.right} of them right."
    )
    click.echo(f"`at least` holds with confidence {confidence:g}; {precision:g} was wanted.")
    if any(one.together for one in promise.categories):
        click.echo("* one threshold for these: `at least` is about their mail together, and one of them can be worse.")
    if never := [one.category for one in promise.categories if one.threshold is None]:
        click.echo(
            f"Never filed by itself: {', '.join(never)}. It takes {promise.needed} right ones in a row, more where some are "
            f"wrong: label more mail of these, {'' if together else 'add --together, '}or ask for less with --precision."
        )


def _row(one: CategoryThreshold) -> list[object]:
    precision = "-" if one.precision is None else f"{one.precision:.3f}"
    counts = [one.examples, one.candidates, one.filed, one.right]
    return [one.category, say_threshold(one.threshold), *counts, precision, f"{one.bound:.3f}{'*' if one.together else ''}"]


def _say_next(config: Config, file: Path | None) -> None:
    if file is None:
        click.echo("Nothing was written; add --write to let `cubbyd run` use these thresholds.")
        return
    click.echo(f"Wrote {file}.")
    if config.classifier.calibration is None:
        click.echo(f'Next: put calibration = "{file.name}" into [classifier] of {config.file}, then `cubbyd check`.')
    if own := [category.id for category in config.taxonomy if category.threshold is not None]:
        click.echo(f"Not used where [[categories]] has a threshold: {', '.join(own)}.")
