"""`cubbyd dataset synthesize`: small categories are filled with mail that a chat model writes, checked and marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cubbyd.classify.border import Border, open_border
from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.cli.output import console, printable_path, say_json, table
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.dataset import SYNTHETIC, Example, read_examples, write_examples
from cubbyd.dataset.growing import GrowingFile, text_key
from cubbyd.dataset.synthesis import Brief, Known, Wanted, count_wanted, draw_brief
from cubbyd.errors import ClassifierError, ClassifierUnavailable, InputFileError
from cubbyd.message import render_text
from cubbyd.redaction import RedactionFailed

if TYPE_CHECKING:
    from cubbyd.classify.hosted.compose import Composer
    from cubbyd.classify.hosted.opinion import Estimate

TRIES: Final = 3
"""How many requests a missing example may take, all in all."""
LIKELY: Final = 0.5


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="EXAMPLES and the synthetic ones.")
@click.option(
    "--to", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Examples that a category shall have."
)
@click.option(
    "--most", default=0.5, show_default=True, type=click.FloatRange(0, 0.95), help="The largest share of them, 0 to 1."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Of persona, length and tone.")
@click.option("--yes", is_flag=True, help="Pay for it.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
@click.pass_obj
def command(config_file: Path | None, /, *, examples: Path, out: Path, yes: bool, as_json: bool, **options: Any) -> None:
    """Fill the small categories of EXAMPLES with mail that the model of [classifier.openai] writes, from masked examples.

    The configured classifier checks each: what it takes for another category is dropped, and so are duplicates and
    near-duplicates. Give it the training set of a split, never everything: what was written after mail of the test set would
    teach the test. What is written has the origin "synthetic", which a split leaves out of validation and test.

    \b
    Example:
      cubbyd --config cubbyd.toml dataset synthesize sets/train.jsonl --to 100 --yes --out train-filled.jsonl
    """
    if out.resolve() == examples.resolve():
        raise click.UsageError("--out is the file of examples itself; choose another")
    from cubbyd.service.log import configure_logging

    config = load_config(find_config(config_file))
    configure_logging(config.log)
    given = list(read_examples(examples))
    if not given:
        raise InputFileError(examples, "holds no examples")
    written = _written(examples, given, out)
    wanted = count_wanted([*given, *written], config.taxonomy.ids, options["to"], options["most"])
    missing = sum(one.missing for one in wanted)
    if not as_json:
        _print_wanted(wanted)
    if missing:
        price = _price(config, given, wanted)
        click.echo(f"{missing:,} to be written: {price}; {TRIES} times that at most, where answers are dropped.", err=True)
    if missing and not yes:
        raise click.UsageError("nothing was asked; add --yes to pay for it")
    if not out.exists():
        write_examples(out, given)
    dropped: Counter[str] = Counter()
    try:
        if missing:
            _fill(config, given, wanted, out, options["seed"], dropped)
    finally:
        _say(given, out, dropped, len(written), as_json=as_json)


def _written(file: Path, given: Sequence[Example], out: Path) -> list[Example]:
    """Give the synthetic examples of an earlier call. Raises InputFileError where --out begins with something else."""
    if not out.exists():
        return []
    with GrowingFile(out) as growing:
        there = growing.examples
    begins = [(text_key(one), one.labels) for one in there[: len(given)]] == [(text_key(one), one.labels) for one in given]
    added = there[len(given) :]
    if not begins or not all(one.is_synthetic for one in added):
        raise InputFileError(out, f"is not {printable_path(file)} with synthetic examples behind it; choose another --out")
    return added


def _price(config: Config, given: Sequence[Example], wanted: Sequence[Wanted]) -> Estimate:
    """Estimate what one request for each missing example takes, and its check where that is a call too."""
    from cubbyd.classify.hosted.compose import Composing, spell_wish
    from cubbyd.classify.hosted.opening import require_section
    from cubbyd.classify.hosted.opinion import estimate, estimate_classifying

    section = require_section(config)
    composing = Composing(section)
    bodies = []
    seeds = []
    for one in wanted:
        real = _real(given, one)
        for number in range(one.missing):
            brief = draw_brief(one.category, real, 0, number)
            shown = [render_text(seed.subject, seed.body) for seed in brief.seeds]
            seeds.append(shown[0])
            wish = spell_wish(
                config.taxonomy[one.category], brief.persona, brief.length, brief.tone, [(each, False) for each in shown]
            )
            bodies.append(composing.body(wish))
    price = estimate(section, bodies, composing.output_tokens)
    return price + estimate_classifying(config, seeds) if config.classifier.kind == "openai" else price


def _real(given: Sequence[Example], wanted: Wanted) -> list[Example]:
    return [one for one in given if wanted.category in one.labels and not one.is_synthetic]


def _fill(
    config: Config, given: Sequence[Example], wanted: Sequence[Wanted], out: Path, seed: int, dropped: Counter[str]
) -> None:
    """Have every missing example written, checked and added. Raises ClassifierUnavailable, ConfigError, InputFileError."""
    from cubbyd.classify.hosted.compose import open_composer
    from cubbyd.classify.registry import load_classifier

    with closing(load_classifier(config)) as check, closing(open_composer(config)) as composer, GrowingFile(out) as growing:
        writer = Writer(config, composer, check, Known(growing.examples), dropped)
        for one in wanted:
            real, number, missing = _real(given, one), _next_number(growing.examples, one), one.missing
            for number in range(number, number + TRIES * one.missing):  # noqa: B020  (it begins there)
                if not missing:
                    break
                made = writer.write(draw_brief(one.category, real, seed, number), number)
                if made is not None:
                    growing.add(made)
                    missing -= 1
                    click.echo(f"{one.category}: {one.missing - missing} of {one.missing}", err=True)


def _next_number(there: Sequence[Example], wanted: Wanted) -> int:
    """Give the number behind the last that was kept: a brief is not drawn twice."""
    prefix = f"{SYNTHETIC}-{wanted.category}-"
    numbers = [int(one.id[len(prefix) :]) for one in there if one.id.startswith(prefix) and one.id[len(prefix) :].isdecimal()]
    return max(numbers, default=-1) + 1


class Writer:
    """Has one mail after the other written, and looks at each."""

    def __init__(self, config: Config, composer: Composer, check: Classifier, known: Known, dropped: Counter[str]) -> None:
        """Take who writes, who checks, what is there already, and where is counted what was dropped, and why."""
        self._taxonomy, self._border = config.taxonomy, open_border(config)
        self._many = config.classifier.labels is Labels.MANY
        self._composer, self._check, self._known, self._dropped = composer, check, known, dropped

    def write(self, brief: Brief, number: int) -> Example | None:
        """Have one mail written; None where it was dropped. Raises ClassifierUnavailable."""
        from cubbyd.classify.hosted.compose import spell_wish

        seeds = [each for seed in brief.seeds if (each := let_out(self._border, seed)) is not None]
        if not seeds:
            self._dropped["not asked: its examples could not be masked"] += 1
            return None
        category = self._taxonomy[brief.category]
        try:
            written = self._composer.write(spell_wish(category, brief.persona, brief.length, brief.tone, seeds))
        except ClassifierUnavailable:
            raise
        except ClassifierError:
            self._dropped["no answer"] += 1
            return None
        made = Example(
            subject=" ".join(written.subject.split()),
            body=written.body.strip(),
            labels=(brief.category,),
            id=f"{SYNTHETIC}-{brief.category}-{number}",
            origin=SYNTHETIC,
        )
        fault = self._known.fault(made) or self._disagreement(made)
        if fault:
            self._dropped[fault] += 1
            return None
        self._known.add(made)
        return made

    def _disagreement(self, made: Example) -> str:
        (outcome,) = self._check.classify([render_text(made.subject, made.body)])
        if isinstance(outcome, ClassifierUnavailable):
            raise outcome
        if not isinstance(outcome, Prediction):
            return "the check gave no answer"
        (category,) = made.labels
        fits = outcome.probabilities.get(category, 0.0) >= LIKELY if self._many else outcome.top == category
        return "" if fits else "the check takes it for another category"


def let_out(border: Border, seed: Example) -> tuple[Any, bool] | None:
    """Mask an example that is shown; None where a name would be left in it."""
    try:
        outgoing = border.let_out(render_text(seed.subject, seed.body))
    except RedactionFailed:
        return None
    return outgoing.given, outgoing.is_redacted


def _print_wanted(wanted: Sequence[Wanted]) -> None:
    rows = [[one.category, one.real, one.synthetic, one.missing, one.capped] for one in wanted]
    console().print(table("", ["category", "real", "synthetic", "to be written", "above the share"], rows))


def _say(given: Sequence[Example], out: Path, dropped: Counter[str], before: int, *, as_json: bool) -> None:
    with GrowingFile(out) as growing:
        added = growing.examples[len(given) :]
    now = Counter(one.labels[0] for one in added[before:])
    if as_json:
        say_json({"out": str(out), "examples": len(given) + len(added), "written": dict(now), "dropped": dict(dropped)})
        return
    for reason, count in dropped.most_common():
        click.echo(f"dropped: {count:,} x {reason}")
    click.echo(
        f"{printable_path(out)}: {len(given):,} examples of before and {len(added):,} synthetic, {now.total():,} of them new."
    )
