"""`cubbyd finetune`: a model at a vendor learns labeled mail; started, watched, measured, and adopted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.output import console, say_json, table
from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.dataset import digest_examples, read_examples
from cubbyd.errors import InputFileError, TuningError, TuningNotPermitted, TuningUnavailable

if TYPE_CHECKING:
    from cubbyd.classify.hosted.tuning import TuningClient
    from cubbyd.training.finetune.estimate import Estimate
    from cubbyd.training.finetune.lesson import Lesson, Teacher
    from cubbyd.training.finetune.record import Job, Records, Sweep
    from cubbyd.training.finetune.work import Work

SHOWN_SKIPPED = 5
DAY = 86_400
MOST_JOBS = 10
JSON_HELP = "Print the result as one JSON object a line; progress goes to standard error."


@click.group()
def command() -> None:
    """Fine-tune a model at a vendor, for existing customers of OpenAI and for other vendors that speak its wire.

    The vendor is that of [classifier.openai]. Most facilities do better with `cubbyd train`, on this machine: docs/finetuning.md.

    \b
    Example:
      cubbyd finetune start examples.jsonl --base gpt-4o-mini-2024-07-18 --epochs 2,4
      cubbyd finetune watch
      cubbyd finetune results --out losses.svg
      cubbyd finetune adopt JOB --test held-out.jsonl --write
    """


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


class Epochs(click.ParamType):
    """One or several numbers of epochs, or "auto"."""

    name = "N,N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | None, ...]:
        """Read them; each number is a job of its own."""
        if isinstance(value, tuple):
            return value
        if value == "auto":
            return (None,)
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 50 for part in parts):  # noqa: PLR2004
            self.fail(f'{value!r}: give numbers from 1 to 50, as in 2,4,8, or "auto"', param, ctx)
        numbers = tuple(dict.fromkeys(int(part) for part in parts))
        if len(numbers) > MOST_JOBS:
            self.fail(f"{len(numbers)} jobs at once; {MOST_JOBS} at most", param, ctx)
        return numbers


def _suffix(_: click.Context, __: click.Parameter, value: str) -> str:
    if not value.isascii() or not all(letter.isalnum() or letter == "-" for letter in value) or len(value) > 64:  # noqa: PLR2004
        raise click.BadParameter("has letters, digits and - alone, 64 at most; vendors show it in the model's name")
    return value


@command.command()
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
def start(
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
    """Start one job or several on EXAMPLES, a file of JSON lines as for `cubbyd train`; names are masked before anything leaves.

    \b
    Example:
      cubbyd finetune start examples.jsonl --base gpt-4o-mini-2024-07-18 --validation more.jsonl --epochs 2,4,8
    """
    from cubbyd.training.finetune.estimate import estimate
    from cubbyd.training.finetune.shutdown import SHUTDOWN

    config, wanted = load_config(find_config(config_file)), Given(**given)
    teacher = _teacher(config, wanted)
    training, digest = _lesson(teacher, examples)
    checking = _lesson(teacher, validation)[0] if validation else None
    facts = estimate(training, config.taxonomy.ids)
    _refuse_shared(training, checking, validation)
    money = facts.money(_price(config, wanted), wanted.epochs)
    click.echo("\n".join([*SHUTDOWN, ""]), err=True)
    _say_estimate(facts, training, money, wanted)
    if save is not None:
        _save(save, training.content)
    if facts.problems:
        raise InputFileError(examples, "; ".join(facts.problems))
    if checking is not None and not checking.lines:
        raise InputFileError(validation or examples, "has no line that can be used")
    if dry_run:
        click.echo("Nothing was sent (--dry-run).", err=True)
        return
    _ask_consent(config, facts, money, yes=yes)
    sweep = _start(config, wanted, teacher, digest, training, checking)
    if as_json:
        say_json(_sweep_facts(sweep) | {"money": money, "tokens": facts.tokens, "skipped": len(training.skipped)})
        return
    for job in sweep.jobs:
        click.echo(f"Started {job.id} ({_epochs(job)}).")
    click.echo("Next: `cubbyd finetune watch`; the jobs go on whether somebody watches or not.")


@command.command()
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
def watch(config_file: Path | None, *, jobs: tuple[str, ...], poll_seconds: float, as_json: bool) -> None:
    """Watch JOBS (default: the newest start) to their end, fetch the losses, and delete the files at the vendor.

    Ctrl-C ends the watch and not the jobs; the next watch goes on where this one was.

    \b
    Example:
      cubbyd finetune watch
    """
    import time

    from cubbyd.cli.finetune_show import opened_display
    from cubbyd.training.finetune.watch import Watch
    from cubbyd.training.finetune.work import find_jobs

    config = load_config(find_config(config_file))
    records = _records(config)
    sweeps = list(dict.fromkeys(sweep for sweep, _ in find_jobs(records.read(), jobs)))
    ended: list[Sweep] = []
    with _working(config, sweeps) as (client, work):
        try:
            with opened_display(as_json=as_json) as display:
                watching = Watch(client, work, SystemClock(), display, first=poll_seconds, sleep=time.sleep)
                ended = [watching.follow(sweep) for sweep in sweeps]
        except KeyboardInterrupt:
            click.echo("The watch ended; the jobs go on. `cubbyd finetune watch` goes on watching.", err=True)
            raise
    _say_end(ended)


@command.command(name="list")
@click.option("--offline", is_flag=True, help="Do not ask the vendor how the jobs are.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_obj
def list_command(config_file: Path | None, *, offline: bool, as_json: bool) -> None:
    """List what was started from here, and which files are still at the vendor.

    \b
    Example:
      cubbyd finetune list
    """
    config = load_config(find_config(config_file))
    sweeps = list(_records(config).read())
    if not offline:
        sweeps = [_refreshed(config, sweep) for sweep in sweeps]
    if as_json:
        for sweep in sweeps:
            say_json(_sweep_facts(sweep))
        return
    if not sweeps:
        click.echo("Nothing was started from here yet.")
        return
    columns = ["start", "job", "base", "epochs", "state", "model", "files left"]
    rows = [
        [sweep.name, job.id, sweep.base, job.epochs or "auto", _state(job), job.model, len(sweep.undeleted) or ""]
        for sweep in sweeps
        for job in sweep.jobs
    ]
    console().print(table("", columns, rows))


@command.command()
@click.argument("jobs", nargs=-1, required=True)
@click.pass_obj
def cancel(config_file: Path | None, *, jobs: tuple[str, ...]) -> None:
    """Cancel JOBS, or all jobs of a start; files that no job needs any more are deleted at the vendor.

    \b
    Example:
      cubbyd finetune cancel ftjob-abc123
    """
    from cubbyd.training.finetune.work import find_jobs

    config = load_config(find_config(config_file))
    records = _records(config)
    found = find_jobs(records.read(), jobs)
    with _working(config, [sweep for sweep, _ in found]) as (_, work):
        for sweep, job in found:
            newest = next(known for known in records.read() if known.name == sweep.name)
            if job.is_over or not job.id:
                click.echo(f"{job.id or 'a job without an id'} is {_state(job)} already.")
                continue
            after = work.cancel(newest, job)
            click.echo(f"Canceled {job.id}.")
            _say_undeleted(after)


@command.command()
@click.argument("jobs", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw the losses into this file.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_obj
def results(config_file: Path | None, *, jobs: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Show the losses of JOBS (default: the newest start), in training and in validation.

    \b
    Example:
      cubbyd finetune results --out losses.svg
    """
    from cubbyd.cli.finetune_show import print_curves, write_picture
    from cubbyd.training.finetune.curve import read_curves
    from cubbyd.training.finetune.work import find_jobs

    config = load_config(find_config(config_file))
    records = _records(config)
    curves = []
    for _, job in find_jobs(records.read(), jobs):
        file = records.result_file(job.id)
        if not job.id or not file.exists():
            click.echo(f"{job.id or 'a job without an id'}: {_state(job)}, no losses; see `cubbyd finetune watch`", err=True)
            continue
        try:
            curves.append(read_curves(f"{job.id}, {_epochs(job)}", file.read_bytes()))
        except ValueError as error:
            raise InputFileError(file, str(error)) from error
    if not curves:
        raise TuningError("there are no losses to show")
    if out is not None:
        write_picture(out, curves)
    print_curves(curves, as_json=as_json)
    if out is not None:
        click.echo(f"Wrote {out}.", err=True)


@command.command()
@click.argument("job")
@click.option(
    "--test", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Labeled mail that it did not see."
)
@click.option("--write", is_flag=True, help="Write the model's name into the configuration.")
@click.option("--yes", is_flag=True, help="Ask the model about the whole test set, which costs money.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_obj
def adopt(config_file: Path | None, *, job: str, test: Path, write: bool, yes: bool, as_json: bool) -> None:
    """Measure the model that JOB made on a test set, then put it into the configuration, or say which lines do so.

    \b
    Example:
      cubbyd finetune adopt ftjob-abc123 --test held-out.jsonl --yes --write
    """
    from cubbyd.training.finetune.adopt import toml_lines
    from cubbyd.training.finetune.adopt import write as write_config
    from cubbyd.training.finetune.work import find_jobs

    config = load_config(find_config(config_file))
    found = find_jobs(_records(config).read(), [job])
    if len(found) != 1:
        raise click.UsageError(f"{job} has {len(found)} jobs; name one: {', '.join(each.id for _, each in found)}")
    sweep, tuned = found[0]
    if not tuned.model:
        raise TuningError(f"{tuned.id} is {_state(tuned)} and has made no model; see: cubbyd finetune watch")
    measured = _measure(config, sweep, tuned, test, yes=yes)
    changes = {"model": tuned.model, "mode": sweep.taught.value}
    if write:
        write_config(config.file, changes)
    if as_json:
        say_json({"job": tuned.id, **measured, **changes, "file": str(config.file) if write else None})
        return
    click.echo(f"{tuned.model} on {measured['answered']} of {measured['mails']} mails of {test}:")
    click.echo(f"accuracy {measured['accuracy']:.3f}, macro-F1 {measured['macro_f1']:.3f}")
    if write:
        click.echo(f"Wrote {config.file}. Next: `cubbyd check`.")
    else:
        click.echo(
            "\n".join(["Nothing was written. To use it, set in the configuration, or add --write:", *toml_lines(changes)])
        )
    if config.classifier.kind != "openai":
        click.echo(f'The configuration has kind = "{config.classifier.kind}"; the model answers with kind = "openai".')


# --- what the commands share -------------------------------------------------------------------------------------------


def _teacher(config: Config, wanted: Given) -> Teacher:
    from cubbyd.training.finetune.lesson import Taught, Teacher

    usual = "schema" if config.classifier.labels is Labels.MANY else "code"
    return Teacher(config, Taught(wanted.teach or usual))


def _lesson(teacher: Teacher, file: Path) -> tuple[Lesson, str]:
    examples = list(read_examples(file))
    return teacher.teach(examples), digest_examples(examples)


def _refuse_shared(training: Lesson, checking: Lesson | None, file: Path | None) -> None:
    from cubbyd.training.finetune.lesson import shared

    if checking is not None and file is not None and (places := shared(checking.texts, training.texts)):
        raise InputFileError(
            file,
            f"{len(places)} of its mails are among the examples too: its losses would seem better than they are; take them out",
        )


def _price(config: Config, wanted: Given) -> float | None:
    section = config.classifier.openai
    return wanted.price if wanted.price is not None or section is None else section.price_per_million_training_tokens


def _say_estimate(facts: Estimate, training: Lesson, money: float | None, wanted: Given) -> None:
    def say(text: str) -> None:
        click.echo(text, err=True)

    say(f"{facts.lines} lines, {facts.bytes:,} bytes, about {facts.tokens:,} tokens an epoch; the longest {facts.longest:,}.")
    say("Examples: " + ", ".join(f"{category} {count}" for category, count in facts.per_category.items()))
    for skipped in training.skipped[:SHOWN_SKIPPED]:
        say(f"Left out: line {skipped.line} {skipped.why}.")
    if len(training.skipped) > SHOWN_SKIPPED:
        say(f"Left out: {len(training.skipped) - SHOWN_SKIPPED} more.")
    for warning in facts.warnings:
        say(f"Warning: {warning}.")
    each = " and ".join("auto" if epochs is None else str(epochs) for epochs in wanted.epochs)
    say(f"Epochs: {each}. Price: {_say_money(money)}.")


def _say_money(money: float | None) -> str:
    return "unknown" if money is None else f"about {money:.2f} in the currency of your prices"


def _save(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)  # the umask of the command keeps others out
    except OSError as error:
        raise InputFileError(file, f"cannot be written: {error.strerror}") from error
    click.echo(f"Wrote {file}: what would leave the building, word for word.", err=True)


def _ask_consent(config: Config, facts: Estimate, money: float | None, *, yes: bool) -> None:
    address = config.classifier.openai.base_url if config.classifier.openai else ""
    question = f"Send {facts.lines} masked mails to {address}, and train for a price of {_say_money(money)}?"
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Add --yes to do so")
    click.confirm(question, abort=True, err=True)


def _start(config: Config, wanted: Given, teacher: Teacher, digest: str, training: Lesson, checking: Lesson | None) -> Sweep:
    from cubbyd.training.finetune.shutdown import REFUSED
    from cubbyd.training.finetune.work import Wish

    assert config.classifier.openai is not None  # noqa: S101  (the teacher has seen it)
    wish = Wish(
        base_url=config.classifier.openai.base_url,
        base=wanted.base,
        taught=teacher.taught,
        suffix=wanted.suffix,
        seed=wanted.seed,
        epochs=wanted.epochs,
        keep_seconds=wanted.keep_days * DAY,
        fingerprint=teacher.fingerprint,
        data_sha256=digest,
    )
    with _working(config, []) as (_, work):
        try:
            return work.start(wish, training, checking)
        except TuningNotPermitted as error:
            raise TuningNotPermitted(f"{error}: {REFUSED}") from error


def _measure(config: Config, sweep: Sweep, job: Job, test: Path, *, yes: bool) -> dict[str, Any]:
    """Ask the model about the test set as the daemon would. Raises whatever the classifier raises, and InputFileError."""
    from cubbyd.classify.hosted.opening import open_hosted
    from cubbyd.cli.labeled import ask_classifier, read_labeled
    from cubbyd.training.finetune.lesson import Teacher, digest_text, serving_section, shared
    from cubbyd.training.finetune.measure import measure

    _refuse_other_server(config, [sweep])
    if Teacher(config, sweep.taught).fingerprint != sweep.fingerprint:
        raise TuningError(
            "the categories, their codes or the instructions are not those that the model was taught with; put [[categories]] "
            "and [classifier.openai] back as they were, or train again"
        )
    labeled, _ = read_labeled(config, test)
    if places := shared([digest_text(example) for example in labeled], sweep.seen):
        line = labeled[places[0]].line
        raise InputFileError(
            test, f"{len(places)} of its mails were learned by the model, the first is this; take them out", line=line
        )
    section = serving_section(config, sweep.taught, job.model)
    asked = config.model_copy(update={"classifier": config.classifier.model_copy(update={"openai": section})})
    classifier = open_hosted(asked)
    try:
        answers = ask_classifier(asked, classifier, labeled, yes=yes)
    finally:
        classifier.close()
    found = measure(answers, several=config.classifier.labels is Labels.MANY)
    scores = {"accuracy": round(found.accuracy, 4), "macro_f1": round(found.macro_f1, 4)}
    return {"mails": found.mails, "answered": found.answered, **scores}


def _records(config: Config) -> Records:
    from cubbyd.training.finetune.record import Records

    return Records(config.state.directory)


@contextmanager
def _working(config: Config, sweeps: Sequence[Sweep]) -> Iterator[tuple[TuningClient, Work]]:
    from cubbyd.classify.hosted.tuning import open_tuning
    from cubbyd.training.finetune.work import Work

    _refuse_other_server(config, sweeps)
    client = open_tuning(config)
    try:
        yield client, Work(client, _records(config), SystemClock())
    finally:
        client.close()


def _refuse_other_server(config: Config, sweeps: Sequence[Sweep]) -> None:
    base_url = config.classifier.openai.base_url if config.classifier.openai else ""
    for sweep in sweeps:
        if base_url and sweep.base_url != base_url:
            raise TuningError(
                f"{sweep.name} was started at {sweep.base_url}, and base_url of [classifier.openai] is {base_url}; its key "
                "is not for there. Give the configuration of then with --config"
            )


def _refreshed(config: Config, sweep: Sweep) -> Sweep:
    if sweep.is_over and not sweep.undeleted:
        return sweep
    try:
        with _working(config, [sweep]) as (_, work):
            for job in sweep.jobs:
                if not job.is_over:
                    sweep = work.look(sweep, job)
            return work.clean(sweep) if sweep.is_over else sweep
    except (TuningUnavailable, TuningError) as error:
        click.echo(f"{sweep.name}: this is what was known last: {error}", err=True)
        return sweep


def _sweep_facts(sweep: Sweep) -> dict[str, Any]:
    jobs = [json.loads(job.model_dump_json(include={"id", "epochs", "status", "model", "error_code"})) for job in sweep.jobs]
    known = {"start": sweep.name, "created": sweep.created, "base": sweep.base, "teach": sweep.taught.value}
    return {**known, "lines": sweep.lines, "jobs": jobs, "undeleted": list(sweep.undeleted)}


def _say_end(sweeps: Sequence[Sweep]) -> None:
    """Say what became of the jobs; a job that failed makes the command fail."""
    for sweep in sweeps:
        _say_undeleted(sweep)
    failed = [job for sweep in sweeps for job in sweep.jobs if job.status != "succeeded"]
    if failed:
        raise TuningError("; ".join(f"{job.id or 'a job'}: {_state(job)}{_advice(job)}" for job in failed))


def _advice(job: Job) -> str:
    from cubbyd.cli.finetune_show import ADVICE

    return f". {ADVICE[job.error_code]}" if job.error_code in ADVICE else ""


def _say_undeleted(sweep: Sweep) -> None:
    if sweep.is_over and sweep.undeleted:
        click.echo(
            f"Still at the vendor, because deleting failed: {', '.join(sweep.undeleted)}; `cubbyd finetune list` tries again, and "
            "the vendor deletes them when they expire.",
            err=True,
        )


def _epochs(job: Job) -> str:
    return f"{job.epochs or 'auto'} epochs"


def _state(job: Job) -> str:
    return f"{job.status} ({job.error_code})" if job.error_code else job.status
