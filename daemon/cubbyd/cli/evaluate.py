"""`cubbyd evaluate`: a report on how good the configured classifier is, on labeled mail that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.labeled import (
    answers_file,
    ask_keeping,
    read_labeled,
    refuse_known,
    thresholds_of,
    with_model,
    write_private,
)
from cubbyd.cli.output import say_json
from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.errors import ClassifierError, InputFileError

if TYPE_CHECKING:
    from cubbyd.classify.protocol import Classifier
    from cubbyd.dataset import Example
    from cubbyd.evaluation.atlas import Atlas
    from cubbyd.evaluation.kept import Sheet
    from cubbyd.evaluation.learning import Learning
    from cubbyd.evaluation.whole import Evaluation

INSTEAD = "give labeled mail that came later, or that you kept apart before training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    out: Path | None
    model: Path | None
    training: Path | None
    without_mails: bool
    without_map: bool
    answers: Path | None
    yes: bool


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="REPORT.html", help="The report to write, one HTML file.")
@click.option("--model", type=click.Path(path_type=Path), metavar="MODEL", help="A model file in place of the configured one.")
@click.option(
    "--learning-curve",
    "training",
    type=click.Path(path_type=Path),
    metavar="TRAINING",
    help="Would more examples help? Trains local models on growing parts of TRAINING, the mail that was trained on.",
)
@click.option("--without-mails", is_flag=True, help="Leave all text of mails out of the report.")
@click.option(
    "--without-map", is_flag=True, help="Draw no map: with embeddings it needs the vectors of up to 1000 mails again."
)
@click.option(
    "--answers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where finished answers are kept, so that an interrupted run goes on; default: beside EXAMPLES.",
)
@click.option("--yes", is_flag=True, help="Ask a remote classifier too, which may cost money.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(config_file: Path | None, /, *, examples: Path, as_json: bool, **wished: Any) -> None:
    """Say how good the configured classifier is, on EXAMPLES: labeled mail that it was not trained on.

    The report answers: is it good enough to file by itself, what does it take for what, can its probabilities be believed,
    does it favor the big category. It holds text of mails, and its owner alone can read it.

    \b
    Example:
      cubbyd --config cubbyd.toml evaluate test.jsonl --out report.html
    """
    config, wish = load_config(find_config(config_file)), Wish(**wished)
    if wish.model is not None:
        config = with_model(config, wish.model)
    labeled, digest = read_labeled(config, examples)
    refuse_known(config, examples, digest, INSTEAD)
    learning = _learn(config, wish.training, labeled, examples) if wish.training else None
    wants_map = (wish.out is not None or as_json) and not wish.without_map
    kept_in = answers_file(examples, wish.answers)
    evaluation = _evaluate(config, labeled, learning, kept_in, yes=wish.yes, with_map=wants_map)
    if wish.out is not None:
        from cubbyd.evaluation.report import write_report

        created, with_mails = SystemClock().now(), not wish.without_mails
        write_private(wish.out, write_report(evaluation, source=examples.name, created=created, with_mails=with_mails))
    if as_json:
        from cubbyd.evaluation.whole import facts

        say_json(facts(evaluation) | {"report": str(wish.out) if wish.out else None})
        return
    _print(evaluation, wish.out)


def _evaluate(
    config: Config, labeled: list[Example], learning: Learning | None, kept_in: Path, *, yes: bool, with_map: bool
) -> Evaluation:
    """Ask the configured classifier, without its fallback, and measure what it says."""
    from cubbyd.classify.fallback import FallbackClassifier
    from cubbyd.classify.registry import open_backend
    from cubbyd.evaluation.whole import evaluate

    classifier, categories = open_backend(config), config.taxonomy.ids
    try:
        first = classifier.first if isinstance(classifier, FallbackClassifier) else classifier
        sheet = ask_keeping(config, first, labeled, categories=categories, kept_in=kept_in, yes=yes)
        bars = thresholds_of(config, classifier, categories)
        atlas = _draw_map(first, sheet) if with_map else None
    finally:
        classifier.close()
    several = config.classifier.labels is Labels.MANY
    click.echo("measuring, with intervals", err=True)
    return evaluate(f"the {sheet.provenance.kind} classifier", sheet, bars, several=several, learning=learning, atlas=atlas)


def _draw_map(classifier: Classifier, sheet: Sheet) -> Atlas | None:
    """Draw the map where the classifier has one; the report goes on without it where an embedding model has no answer."""
    from cubbyd.classify.calibrated import CalibratedClassifier
    from cubbyd.evaluation.atlas import make_atlas

    try:
        return make_atlas(classifier.inner if isinstance(classifier, CalibratedClassifier) else classifier, sheet)
    except ClassifierError as error:
        click.echo(f"There is no map: {error}", err=True)
        return None


def _learn(config: Config, training: Path, labeled: list[Example], examples: Path) -> Learning:
    """Train on parts of the training mail. Raises InputFileError where test mail is among it."""
    from cubbyd.dataset import digest_examples
    from cubbyd.training.curve import learn_by_steps

    taught, _ = read_labeled(config, training)
    known = {digest_examples([example]) for example in taught}
    if twice := [example.line for example in labeled if digest_examples([example]) in known]:
        raise InputFileError(
            examples, f"{len(twice)} of its mails are in {training.name} too; take them out of one of the two", line=twice[0]
        )
    return learn_by_steps(
        taught, labeled, config.taxonomy.ids, source=str(training), progress=lambda text: click.echo(text, err=True)
    )


def _print(evaluation: Evaluation, out: Path | None) -> None:
    from cubbyd.evaluation.report import NAMES
    from cubbyd.evaluation.whole import say_bias, say_filing

    click.echo(f"{evaluation.score.mails} mails in {evaluation.score.groups} groups; 95 % intervals in brackets.")
    for key, (name, meaning) in NAMES.items():
        estimate = evaluation.score.numbers.get(key)
        if estimate is not None:
            click.echo(f"{name:<18} {estimate.value:.3f}  [{estimate.low:.3f} to {estimate.high:.3f}]  {meaning}")
    click.echo(
        f"{'per 1000 mails':<18} {evaluation.milliseconds:,.0f} ms, {evaluation.money:.2f} in the currency of your prices"
    )
    click.echo(say_filing(evaluation.score))
    click.echo(say_bias(evaluation))
    if evaluation.learning is not None:
        click.echo(f"Would more examples help? {evaluation.learning.sentence}")
    click.echo(f"Wrote {out}, for your eyes alone." if out else "For pictures and the mails that went wrong: --out report.html")
