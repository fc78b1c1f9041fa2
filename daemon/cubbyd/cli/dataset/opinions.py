"""Labeling by a hosted model that is asked twice: what agrees is taken, the rest is for a person."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.cli.output import printable_path, say_json
from cubbyd.config import Config, Labels
from cubbyd.dataset import Example
from cubbyd.dataset.growing import GrowingFile, left_over
from cubbyd.dataset.labeling import Opinions, guesses_file, spell_guess
from cubbyd.dataset.writer import OWNER_ALONE
from cubbyd.errors import ClassifierError, ClassifierUnavailable, InputFileError
from cubbyd.message import ClassifierInput, render_text
from cubbyd.taxonomy import CategoryId

AGREED: Final = "agreed"
DISAGREED: Final = "for a person: the answers differ or are unclear"
HELD: Final = "for a person: an answer was held back"
REFUSED: Final = "for a person: no answer for this mail"
EMPTY: Final = "for a person: nothing to read"
KEPT: Final = "had a label"
LIKELY: Final = 0.5
CLEAR: Final = 0.01
"""By how much the likeliest category must lead; a tie names none, whatever rounding makes of it."""
EVERY: Final = 50


def label_by_model(
    config: Config, given: list[Example], out: Path, *, seed: int, second_model: str, is_paid: bool, as_json: bool
) -> None:
    """Ask about each mail that is not in the file yet, say the price before and the counts after.

    Raises InputFileError, ConfigError, and ClassifierUnavailable where the server or the budget ends it; what was answered is
    kept, and the next call goes on.
    """
    from cubbyd.classify.hosted.opinion import estimate_classifying, open_opinions, two_orders

    configs = two_orders(config, seed, second_model)
    with GrowingFile(out) as growing:
        left = left_over(given, growing.examples)
        asked = [one for each in left if (one := _input(each)) is not None]
        price = estimate_classifying(configs[0], asked) + estimate_classifying(configs[1], asked)
        click.echo(f"{len(left):,} left of {len(given):,}; {len(asked):,} are asked about, twice: {price}.", err=True)
        if asked and not is_paid:
            raise click.UsageError("nothing was asked; add --yes to pay for it")
        first, second = open_opinions(configs)
        counts: Counter[str] = Counter()
        with closing(first), closing(second):
            try:
                _label(left, growing, (first, second), guesses_file(out), counts, many=config.classifier.labels is Labels.MANY)
            finally:
                _say(counts, growing, out, as_json=as_json)


def _input(example: Example) -> ClassifierInput | None:
    """Give what is asked about; None where there is nothing to ask."""
    given = render_text(example.subject, example.body)
    return None if example.labels or given.is_empty else given


def _label(
    left: list[Example],
    growing: GrowingFile,
    models: tuple[Classifier, Classifier],
    notes: Path,
    counts: Counter[str],
    *,
    many: bool,
) -> None:
    for number, example in enumerate(left, start=1):
        outcome, opinions = _decide(example, models, many=many)
        if opinions is not None and outcome is not AGREED:
            _note(notes, spell_guess(example, opinions))
        growing.add(replace(example, labels=opinions.agreed) if opinions and outcome is AGREED else example)
        counts[outcome] += 1
        if number % EVERY == 0:
            click.echo(f"asked: {number:,} of {len(left):,}", err=True)


def _decide(example: Example, models: tuple[Classifier, Classifier], *, many: bool) -> tuple[str, Opinions | None]:
    """Ask both. Raises ClassifierUnavailable."""
    if example.labels:
        return KEPT, None
    given = _input(example)
    if given is None:
        return EMPTY, None
    answers: list[Prediction] = []
    for model in models:
        (outcome,) = model.classify([given])
        if isinstance(outcome, ClassifierUnavailable):
            raise outcome
        if isinstance(outcome, ClassifierError):
            return REFUSED, None
        answers.append(outcome)
    opinions = Opinions(first=_named(answers[0], many=many), second=_named(answers[1], many=many))
    if any(answer.hold for answer in answers):
        return HELD, opinions
    return AGREED if opinions.agreed else DISAGREED, opinions


def _named(prediction: Prediction, *, many: bool) -> tuple[CategoryId, ...]:
    if not many:
        (category, most), *others = prediction.ranked
        return (category,) if not others or most - others[0][1] >= CLEAR else ()
    return tuple(category for category, probability in prediction.ranked if probability >= LIKELY)


def _note(file: Path, line: str) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, OWNER_ALONE)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(line)
    except OSError as error:
        raise InputFileError(file, f"cannot be written: {error.strerror}; choose another --out") from error


def _say(counts: Counter[str], growing: GrowingFile, out: Path, *, as_json: bool) -> None:
    labeled = sum(bool(example.labels) for example in growing.examples)
    if as_json:
        say_json({"out": str(out), "examples": len(growing.examples), "labeled": labeled, "now": dict(counts)})
        return
    for outcome, count in counts.most_common():
        click.echo(f"{count:,} {outcome}")
    total = len(growing.examples)
    click.echo(f"{printable_path(out)}: {total:,} examples, {labeled:,} labeled, {total - labeled:,} for a person.")
    if total > labeled:
        click.echo(f"Next: cubbyd dataset label {printable_path(out)} --keep-labels --out FILE, where both guesses are shown.")
