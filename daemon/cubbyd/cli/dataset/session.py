"""A person's session of labeling: what is shown, and what each key does."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.cli.output import printable
from cubbyd.config import Config, Labels
from cubbyd.dataset import Example
from cubbyd.dataset.growing import GrowingFile, left_over, text_key
from cubbyd.dataset.labeling import assign_keys, guesses_file, read_guesses, unlabeled_first
from cubbyd.errors import ClassifierError, ConfigError, ModelFileError
from cubbyd.message import render_text
from cubbyd.taxonomy import CategoryId

SHOWN_CHARS: Final = 2000
"""Of a mail's text; + shows the rest."""
LIKELY: Final = 0.5
"""From which probability a category is preselected where a mail can have several."""
ENTER: Final = ("\r", "\n")
ESCAPE: Final = "\x1b"
END: Final = "\x04"
"""Ctrl-D."""


def label_by_hand(
    config: Config, file: Path, given: tuple[list[Example], list[Example]], out: Path, *, guess: bool, may_cost: bool
) -> None:
    """Show what is not labeled yet, one after the other, and write each answer.

    given: the examples that are taken as they are, and all of them. Raises InputFileError, ConfigError.
    """
    kept, every = given
    try:
        keys = assign_keys(config.taxonomy.ids)
    except ValueError as error:
        raise click.UsageError(f"{error}; label in two rounds, with fewer [[categories]] each") from error
    guesses = read_guesses(guesses_file(file))
    classifier = _open_classifier(config, may_cost=may_cost) if guess else None
    try:
        with GrowingFile(out) as growing:
            for example in left_over(kept, growing.examples):
                growing.add(example)
            left = left_over(unlabeled_first(every), growing.examples)
            session = Session(config, keys, growing, left, Guesses(config, classifier, guesses))
            session.run()
    finally:
        if classifier is not None:
            classifier.close()


def _open_classifier(config: Config, *, may_cost: bool) -> Classifier | None:
    """Open the configured classifier; say why there are no guesses where it cannot be, or would cost money."""
    from cubbyd.classify.registry import load_classifier

    try:
        classifier = load_classifier(config)
    except (ModelFileError, ConfigError) as error:
        click.echo(f"No guesses: {error}", err=True)
        return None
    if classifier.batch_size == 1 and not may_cost:
        with closing(classifier):
            click.echo("No guesses: each would be a call to a hosted model; add --yes to have them.", err=True)
        return None
    return classifier


class Guesses:
    """What is preselected for a mail: the label that it has, what a model was asked before, or the classifier's answer."""

    def __init__(self, config: Config, classifier: Classifier | None, noted: Mapping[str, tuple[CategoryId, ...]]) -> None:
        """Take the classifier, where there is one, and the guesses that were noted earlier."""
        self._many = config.classifier.labels is Labels.MANY
        self._taxonomy, self._classifier, self._noted = config.taxonomy, classifier, noted

    def of(self, example: Example) -> tuple[tuple[CategoryId, ...], str]:
        """Give the labels that are preselected, most likely first, and where they come from."""
        if example.labels:
            return example.labels, "its label now"
        if noted := tuple(guess for guess in self._noted.get(text_key(example), ()) if guess in self._taxonomy):
            return noted if self._many else noted[:1], f"a model's guesses: {' or '.join(noted)}"
        given = render_text(example.subject, example.body)
        if self._classifier is None or given.is_empty:
            return (), "no guess"
        try:
            (outcome,) = self._classifier.classify([given])
        except ClassifierError as error:
            outcome = error
        if not isinstance(outcome, Prediction):
            return (), "no guess: the classifier gave no answer"
        said = ", ".join(f"{category} {p:.2f}" for category, p in outcome.ranked[:3])
        likely = tuple(category for category, p in outcome.ranked if p >= LIKELY) if self._many else (outcome.top,)
        return likely, f"the classifier's guess: {said}"


class Session:
    """One sitting: a queue of mails, the answers in a file, and what can be taken back."""

    def __init__(
        self,
        config: Config,
        keys: Mapping[str, CategoryId],
        growing: GrowingFile,
        left: Sequence[Example],
        guesses: Guesses,
    ) -> None:
        """Take the keys of the categories, the file of answers, what is left to label, and where guesses come from."""
        self._taxonomy, self._many = config.taxonomy, config.classifier.labels is Labels.MANY
        self._keys, self._growing, self._guesses = keys, growing, guesses
        self._queue = list(reversed(left))
        self._past: list[tuple[Example, bool]] = []
        """What was shown in this sitting, last last, and whether it was answered."""

    def run(self) -> None:
        """Show mails until none is left, or the person has had enough; everything answered is in the file by then."""
        try:
            with each_key():
                while self._queue and self._show(self._queue[-1]):
                    pass
        except (EOFError, KeyboardInterrupt):
            click.echo("")
        labeled = sum(answered for _, answered in self._past)
        click.echo(f"{labeled} labeled now, {len(self._growing.examples)} in all; {self._left()} left.")

    def _left(self) -> int:
        return len(self._queue) + sum(not answered for _, answered in self._past)

    def _show(self, example: Example) -> bool:
        """Show one mail and take one answer; False ends the session."""
        chosen, origin = self._guesses.of(example)
        self._print_mail(example, SHOWN_CHARS)
        self._print_keys(chosen, origin)
        while True:
            key = read_key()
            if key == "q":
                return False
            if key == "u":
                self._undo()
                return True
            if key == "s":
                self._past.append((self._queue.pop(), False))
                return True
            if key == "+":
                self._print_mail(example, None)
            elif key in ENTER and chosen:
                self._answer(example, chosen)
                return True
            elif key in self._keys and self._many:
                chosen = _toggle(chosen, self._keys[key])
                click.echo(f"  {' + '.join(chosen) or 'none'}")
            elif key in self._keys:
                self._answer(example, (self._keys[key],))
                return True
            elif key.strip():
                click.echo("  that key means nothing here")

    def _answer(self, example: Example, labels: tuple[CategoryId, ...]) -> None:
        self._growing.add(replace(example, labels=labels))
        self._past.append((self._queue.pop(), True))
        click.echo(f"  -> {' + '.join(labels)}")

    def _undo(self) -> None:
        """Take the last answer or skip back; answers of earlier sittings too, once there is nothing else."""
        if self._past:
            example, answered = self._past.pop()
            if answered:
                self._growing.undo()
        else:
            earlier = self._growing.undo()
            if earlier is None:
                click.echo("  there is nothing to take back")
                return
            example = earlier
        self._queue.append(example)
        click.echo("  taken back")

    def _print_mail(self, example: Example, most: int | None) -> None:
        done = len(self._growing.examples)
        click.echo(f"\n----- {done + 1} of {done + self._left()} " + "-" * 50)
        click.echo(f"Subject: {printable(example.subject)}\n")
        click.echo(printable(example.body[:most], lines=True))
        if most is not None and len(example.body) > most:
            click.echo(f"... and {len(example.body) - most} characters more: + shows all")

    def _print_keys(self, chosen: tuple[CategoryId, ...], origin: str) -> None:
        click.echo("")
        for key, category in self._keys.items():
            click.echo(f" {'>' if category in chosen else ' '} {key}  {category}  {printable(self._taxonomy[category].name)}")
        enter = f"Enter {' + '.join(chosen)} ({origin})" if chosen else origin
        click.echo(f"   {enter}   u undo   s skip   q quit")


def _toggle(chosen: tuple[CategoryId, ...], category: CategoryId) -> tuple[CategoryId, ...]:
    if category in chosen:
        return tuple(other for other in chosen if other != category)
    return (*chosen, category)


@contextmanager
def each_key() -> Iterator[None]:
    """Have the terminal hand over each key at once and unseen, and put it back afterwards; nothing where there is none.

    It stays so between two mails, so that keys of a fast hand are not lost. Ctrl-C is still an interrupt.
    """
    if not sys.stdin.isatty():
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def read_key() -> str:
    """Wait for a key; where standard input is no terminal, take the next character of it. Raises EOFError at its end."""
    if not sys.stdin.isatty():
        key = sys.stdin.read(1)
    else:
        key = os.read(sys.stdin.fileno(), 1).decode("ascii", "replace")
        if key == ESCAPE:
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)  # the rest of an arrow or function key is no answer
    if key in {"", END}:
        raise EOFError
    return key
