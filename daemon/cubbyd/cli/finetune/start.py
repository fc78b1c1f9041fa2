"""`cubbyd finetune start`: labeled mail is checked and priced, somebody is asked, and jobs begin at the vendor."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.finetune.common import JSON_HELP, open_records, say_epochs, say_left_behind, sweep_facts, working
from cubbyd.cli.labeled import write_private
from cubbyd.cli.output import say_json
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.dataset import digest_examples, read_examples
from cubbyd.errors import InputFileError, TuningNotPermitted

if TYPE_CHECKING:
    from cubbyd.training.finetune.estimate import Estimate
    from cubbyd.training.finetune.lesson import Lesson, Teacher
    from cubbyd.training.finetune.record import Sweep

SHOWN_SKIPPED = 5
DAY = 86_400
MOST_JOBS = 10
MOST_EPOCHS = 50
LONGEST_SUFFIX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What `start` was told."""

    base: str
    teach: str | None
    epochs: tuple[int | None, ...]
    suffix: str
    seed: int
    price: float | None
    keep_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be sent, and what it would cost."""

    teacher: Teacher
    training: Lesson
    checking: Lesson | None
    data_sha256: str
    estimate: Estimate
    price: float | None
    """Of a million training tokens."""


class Epochs(click.ParamType[Any]):
    """One or several numbers of epochs, or "auto"."""

    name = "N,N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | None, ...]:
        """Read them; each number is a job of its own."""
        if isinstance(value, tuple):
            return value
        if value == "auto":
            return (None,)
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= MOST_EPOCHS for part in parts):
            self.fail(f'{value!r}: give numbers from 1 to {MOST_EPOCHS}, as in 2,4,8, or "auto"', param, ctx)
        numbers = tuple(dict.fromkeys(int(part) for part in parts))
        if len(numbers) > MOST_JOBS:
            self.fail(f"{len(numbers)} jobs at once; {MOST_JOBS} at most", param, ctx)
        return numbers


def _suffix(_: click.Context, __: click.Parameter, value: str) -> str:
    is_plain = value.isascii() and all(letter.isalnum() or letter == "-" for letter in value)
    if not is_plain or len(value) > LONGEST_SUFFIX:
        raise click.BadParameter(f"has letters, digits and - alone, {LONGEST_SUFFIX} at most; it stands in the model's name")
    return value


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--base", required=True, metavar="MODEL", help="The vendor's model that is to learn.")
@click.option(
    "--validation", type=click.Path(path_type=Path), metavar="FILE", help="More labeled mail, on which losses are measured."
)
@click.option(
    "--teach",
    type=click.Choice(["code", "schema"]),
    help="What the model learns to answer: a code, or JSON; default: code, for many labels schema.",
)
@click.option(
    "--epochs", type=Epochs(), default="auto", show_default=True, help="How often it sees each example; a job for each number."
)
@click.option("--suffix", default="cubbyd", show_default=True, callback=_suffix, help="A part of the tuned model's name.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1), help="For the vendor.")
@click.option("--price", type=click.FloatRange(0), help="Of a million training tokens; else price_per_million_training_tokens.")
@click.option(
    "--keep-days",
    default=3,
    show_default=True,
    type=click.IntRange(1, 30),
    help="The vendor deletes the files after so long, should we fail to.",
)
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the training lines, as they would leave.")
@click.option("--dry-run", is_flag=True, help="Check and price; send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_obj
def command(
    config_file: Path | None,
    /,
    *,
    examples: Path,
    validation: Path | None,
    save: Path | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Start one job or several on EXAMPLES, JSON lines as for `cubbyd train`; names are masked before anything leaves.

    \b
    Example:
      cubbyd finetune start examples.jsonl --base gpt-4o-mini-2024-07-18 --validation more.jsonl --epochs 2,4,8
    """
    from cubbyd.training.finetune.shutdown import SHUTDOWN

    config, wanted = load_config(find_config(config_file)), Given(**given)
    plan = _plan(config, wanted, examples, validation)
    click.echo("\n".join([*SHUTDOWN, ""]), err=True)
    _say_plan(plan, wanted)
    if save is not None:
        write_private(save, plan.training.content.decode())
        click.echo(f"Wrote {save}: what would leave the building, word for word.", err=True)
    _refuse_problems(plan, examples, validation)
    if dry_run:
        click.echo("Nothing was sent (--dry-run).", err=True)
        return
    _ask_consent(config, plan, wanted, yes=yes)
    sweep = _start(config, wanted, plan)
    if as_json:
        facts = {"money": plan.estimate.money(plan.price, wanted.epochs), "tokens": plan.estimate.tokens}
        say_json(sweep_facts(sweep) | facts | {"skipped": len(plan.training.skipped)})
        return
    for job in sweep.jobs:
        click.echo(f"Started {job.id} ({say_epochs(job)}).")
    click.echo("Next: `cubbyd finetune watch`; the jobs go on whether somebody watches or not.")


def _plan(config: Config, wanted: Given, examples: Path, validation: Path | None) -> Plan:
    """Read and mask the examples, and count. Raises InputFileError, ConfigError, NamesMissing."""
    from cubbyd.training.finetune.estimate import estimate
    from cubbyd.training.finetune.lesson import Taught, Teacher

    usual = "schema" if config.classifier.labels is Labels.MANY else "code"
    teacher = Teacher(config, Taught(wanted.teach or usual))
    read = list(read_examples(examples))
    training = teacher.teach(read)
    section = config.classifier.openai
    return Plan(
        teacher=teacher,
        training=training,
        checking=teacher.teach(read_examples(validation)) if validation else None,
        data_sha256=digest_examples(read),
        estimate=estimate(training, config.taxonomy.ids),
        price=wanted.price if wanted.price is not None or section is None else section.price_per_million_training_tokens,
    )


def _refuse_problems(plan: Plan, examples: Path, validation: Path | None) -> None:
    """Refuse what a vendor would refuse, and what would mislead. Raises InputFileError."""
    from cubbyd.training.finetune.lesson import shared

    if plan.estimate.problems:
        raise InputFileError(examples, "; ".join(plan.estimate.problems))
    if plan.checking is None or validation is None:
        return
    if not plan.checking.lines:
        raise InputFileError(validation, "has no line that can be used")
    if places := shared(plan.checking.texts, plan.training.texts):
        raise InputFileError(
            validation,
            f"{len(places)} of its mails are among the examples too: its losses would seem better than they are; take them out",
        )


def _say_plan(plan: Plan, wanted: Given) -> None:
    facts, skipped = plan.estimate, plan.training.skipped
    lines = [
        f"{facts.lines} lines, {facts.bytes:,} bytes, about {facts.tokens:,} tokens an epoch; the longest {facts.longest:,}.",
        "Examples: " + ", ".join(f"{category} {count}" for category, count in facts.per_category.items()),
        *(f"Left out: line {one.line} {one.why}." for one in skipped[:SHOWN_SKIPPED]),
        *([f"Left out: {len(skipped) - SHOWN_SKIPPED} more."] if len(skipped) > SHOWN_SKIPPED else []),
        *(f"Warning: {warning}." for warning in facts.warnings),
    ]
    if plan.checking is not None:
        left = f", {len(plan.checking.skipped)} left out" if plan.checking.skipped else ""
        lines.append(f"Validation: {len(plan.checking.lines)} lines{left}.")
    each = " and ".join("auto" if epochs is None else str(epochs) for epochs in wanted.epochs)
    lines.append(f"Epochs: {each}. Price: {_say_money(plan, wanted)}.")
    click.echo("\n".join(lines), err=True)


def _say_money(plan: Plan, wanted: Given) -> str:
    """Say the price; where the vendor chooses the epochs, that of one."""
    money = plan.estimate.money(plan.price, wanted.epochs)
    if money is not None:
        return f"about {money:.2f} in the currency of your prices"
    one = plan.estimate.money(plan.price, [1])
    return "unknown" if one is None else f"about {one:.2f} an epoch, in the currency of your prices"


def _ask_consent(config: Config, plan: Plan, wanted: Given, *, yes: bool) -> None:
    address = config.classifier.openai.base_url if config.classifier.openai else ""
    mails = plan.estimate.lines + (len(plan.checking.lines) if plan.checking else 0)
    question = f"Send {mails} masked mails to {address}, and train? Price: {_say_money(plan, wanted)}."
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Add --yes to do so")
    click.confirm(question, abort=True, err=True)


def _start(config: Config, wanted: Given, plan: Plan) -> Sweep:
    from cubbyd.training.finetune.shutdown import REFUSED
    from cubbyd.training.finetune.work import Wish

    assert config.classifier.openai is not None  # nosec B101  # noqa: S101  (the teacher has seen it)
    wish = Wish(
        base_url=config.classifier.openai.base_url,
        base=wanted.base,
        taught=plan.teacher.taught,
        suffix=wanted.suffix,
        seed=wanted.seed,
        epochs=wanted.epochs,
        keep_seconds=wanted.keep_days * DAY,
        fingerprint=plan.teacher.fingerprint,
        data_sha256=plan.data_sha256,
    )
    with working(config) as (_, work):
        known = {sweep.name for sweep in open_records(config).read()}
        try:
            return work.start(wish, plan.training, plan.checking)
        except TuningNotPermitted as error:
            raise TuningNotPermitted(f"{error}. {REFUSED}") from error
        finally:
            _say_broken_off([sweep for sweep in open_records(config).read() if sweep.name not in known])


def _say_broken_off(sweeps: Sequence[Sweep]) -> None:
    """Say on standard error what of a start is at the vendor though it was broken off."""
    from cubbyd.training.finetune.record import NEVER_STARTED

    for sweep in sweeps:
        if all(job.id for job in sweep.jobs):
            continue
        for job in sweep.jobs:
            if job.id:
                click.echo(f"Started all the same: {job.id} ({say_epochs(job)}).", err=True)
            elif job.status != NEVER_STARTED:
                click.echo("Whether a job was started is not known; `cubbyd finetune list` finds out.", err=True)
        say_left_behind(sweep)
