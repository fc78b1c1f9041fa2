"""Asking the configured classifier about labeled mail that it has not learned from; what it may cost is said before."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from cubbyd.classify.protocol import Classifier
from cubbyd.cli.output import log_warnings
from cubbyd.config import Config
from cubbyd.dataset import Example, digest_examples, read_examples
from cubbyd.errors import InputFileError
from cubbyd.message import render_text
from cubbyd.taxonomy import CategoryId, Taxonomy

if TYPE_CHECKING:
    from cubbyd.evaluation.answer import Answers
    from cubbyd.evaluation.kept import Sheet
    from cubbyd.evaluation.metric import Floats

CALIBRATION_NAME = "cubbyd.calibration.json"
FEWEST = 50
"""Labeled mails; what fewer say, the next fifty would say otherwise."""

LETTERS_PER_TOKEN = 4
OVERHEAD_TOKENS = 200
"""Of instructions and answer, for one mail, beside its text and the list of categories."""
MILLION = 1_000_000


def calibration_file(config: Config) -> Path:
    """Find the file that is written: the configured one, else one of the usual name beside the configuration."""
    return config.classifier.calibration or config.file.absolute().parent / CALIBRATION_NAME


def read_labeled(config: Config, file: Path) -> tuple[list[Example], str]:
    """Read the labeled examples of a file; give them with the fingerprint of the whole file. Raises InputFileError."""
    examples = list(read_examples(file))
    return _check_labels(config.taxonomy, file, examples), digest_examples(examples)


def read_labels(taxonomy: Taxonomy | None, file: Path) -> list[Example]:
    """Read the labeled examples of a file, whose labels are those of the taxonomy where there is one."""
    return _check_labels(taxonomy, file, list(read_examples(file)))


def _check_labels(taxonomy: Taxonomy | None, file: Path, examples: Sequence[Example]) -> list[Example]:
    labeled = [example for example in examples if example.labels]
    if taxonomy is not None:
        _refuse_unknown(taxonomy, file, labeled)
    if len(labeled) < FEWEST:
        raise InputFileError(file, f"has {len(labeled)} labeled examples; at least {FEWEST} are needed; label more mail")
    return labeled


def _refuse_unknown(taxonomy: Taxonomy, file: Path, labeled: Sequence[Example]) -> None:
    for example in labeled:
        if unknown := [label for label in example.labels if label not in taxonomy]:
            known = ", ".join(taxonomy.ids)
            raise InputFileError(file, f"unknown label {unknown[0]!r}; the configuration has {known}", line=example.line)


def refuse_known(config: Config, file: Path, digest: str, instead: str) -> None:
    """Refuse examples that a model of the classifier was trained on. Raises InputFileError, ModelFileError."""
    from cubbyd.classify.origin import trained_parts

    for part in trained_parts(config):
        if part.origin.data_sha256 == digest:
            raise InputFileError(
                file,
                f"{part.file.name} was trained on exactly these examples: it knows their answers, and would seem surer and "
                f"better than it is on new mail; {instead}",
            )


def with_model(config: Config, model: Path) -> Config:
    """Give the configuration with another model file and its kind. Raises ModelFileError."""
    from cubbyd.classify.origin import read_origin

    changes = {"kind": read_origin(model).kind, "model": model.absolute(), "fallback": None}
    changed = config.model_copy(update={"classifier": config.classifier.model_copy(update=changes)})
    return changed.read_from(config.file)


def ask_keeping(
    config: Config,
    classifier: Classifier,
    examples: Sequence[Example],
    *,
    categories: tuple[CategoryId, ...],
    kept_in: Path,
    yes: bool,
) -> Sheet:
    """Ask about all examples that the file of kept answers does not know yet; otherwise as ask_classifier does."""
    from cubbyd.evaluation.kept import ask_all

    if classifier.batch_size == 1 and not yes:
        raise click.UsageError(f"{say_cost(config, classifier, examples)}; add --yes to do so")
    log_warnings(config)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(classifier.provenance.kind, total=len(examples))
        sheet = ask_all(
            classifier,
            examples,
            categories=categories,
            kept_in=kept_in,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    if sheet.reused:
        click.echo(f"{sheet.reused} answers of an earlier run were taken from {kept_in}.", err=True)
    if sheet.answers.failures:
        click.echo(f"{len(sheet.answers.failures)} mails got no answer and do not count: {sheet.answers.failures[0]}", err=True)
    return sheet


def thresholds_of(config: Config, classifier: Classifier, categories: Sequence[CategoryId]) -> Floats:
    """Give the threshold of each category as the daemon has it; infinite for one that the configuration does not have."""
    import numpy as np

    from cubbyd.classify.calibrated import thresholds_in_force

    taxonomy = config.taxonomy.with_thresholds(thresholds_in_force(config, classifier))
    own = {category.id: category.threshold for category in taxonomy}
    general = config.classifier.threshold
    return np.array([(own[one] if own[one] is not None else general) if one in own else np.inf for one in categories])


def answers_file(examples: Path, given: Path | None) -> Path:
    """Find the file of kept answers: the given one, else one beside the examples."""
    return given or examples.with_name(f"{examples.stem}.answers.jsonl")


def write_private(file: Path, content: str) -> None:
    """Write a file that its owner alone can read, in one step. Raises InputFileError where it cannot be written."""
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(content)
        beside.replace(file)
    except OSError as error:
        raise InputFileError(file, f"cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def ask_classifier(config: Config, classifier: Classifier, examples: Sequence[Example], *, yes: bool) -> Answers:
    """Ask about all examples, with a bar on standard error. Raises UsageError before anything is sent that costs money."""
    from cubbyd.evaluation.answer import collect_answers

    if classifier.batch_size == 1 and not yes:
        raise click.UsageError(f"{say_cost(config, classifier, examples)}; add --yes to do so")
    log_warnings(config)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(classifier.provenance.kind, total=len(examples))
        answers = collect_answers(classifier, examples, progress=lambda done, of: bar.update(task, completed=done, total=of))
    if answers.failures:
        click.echo(f"{len(answers.failures)} mails got no answer and do not count: {answers.failures[0]}", err=True)
    return answers


def say_cost(config: Config, classifier: Classifier, examples: Sequence[Example]) -> str:
    """Say how many calls are made at most, and for about how much money where prices are configured."""
    said = f"{classifier.provenance.kind} would be asked about {len(examples)} mails one by one: up to {len(examples)} calls"
    section = config.classifier.openai
    if section is None:
        return said
    listed = sum(len(category.name) + len(category.description) for category in config.taxonomy)
    texts = [render_text(example.subject, example.body) for example in examples]
    letters = sum(
        len(text.subject) + min(len(text.text), section.text_chars) + min(len(text.quoted), section.quoted_chars) + listed
        for text in texts
    )
    tokens = letters // LETTERS_PER_TOKEN + OVERHEAD_TOKENS * len(examples)
    said += f" and about {tokens:,} tokens"
    price = section.price_per_million_input_tokens
    said += f", about {tokens * price / MILLION:.2f} in the currency of your prices" if price else ""
    return f"{said}; the budget allows {section.calls_per_day} calls a day"
