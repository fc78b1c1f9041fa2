"""`cubbyd rehearse`: what to expect on the mail of this account, before anything is moved; nothing in it changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress

from cubbyd.classify.members import stand_alone
from cubbyd.cli.labeled import say_cost, thresholds_of
from cubbyd.cli.member import members_of
from cubbyd.cli.output import log_warnings, say_json
from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.errors import ClassifierError, ClassifierUnavailable, ConfigError, InputFileError, Problem

if TYPE_CHECKING:
    from cubbyd.classify.protocol import Classifier, Prediction
    from cubbyd.dataset.reading import Skips
    from cubbyd.evaluation.kept import Sheet
    from cubbyd.evaluation.metric import Floats
    from cubbyd.setup.filed import Filed, FiledMail
    from cubbyd.setup.known import Training
    from cubbyd.setup.leaving import Service
    from cubbyd.setup.prospect import Prospect

SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    mailbox: str
    most: int
    trained_on: tuple[Path, ...]
    meanings: Path | None
    mails_per_month: int | None
    precision: float
    yes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What was seen in the account."""

    filed: Filed
    skips: Skips
    missing: tuple[str, ...]
    """Folders that filing would create."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The classifier, opened, and what belongs to it."""

    classifier: Classifier
    bars: Floats
    """Shape (categories,): the threshold of each category."""
    services: tuple[Service, ...]
    standby: tuple[Service, ...]
    """Those that the fallback alone would send mail to."""


@click.command()
@click.argument("mailbox", required=False, default="", metavar="[MAILBOX]")
@click.option(
    "--most", type=click.IntRange(min=1), default=300, show_default=True, help="Read the newest so many mails of each folder."
)
@click.option(
    "--trained-on",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Examples that the model was trained on; their mails are left out. Found by itself beside the model.",
)
@click.option("--map", "meanings", type=click.Path(path_type=Path), metavar="FILE", help="Lines `Folder = category`.")
@click.option("--mails-per-month", type=click.IntRange(min=1), help="How many mails come; else counted by the filed ones.")
@click.option(
    "--precision",
    type=SHARE,
    default=0.95,
    show_default=True,
    help="The share of right ones wanted of what is filed by itself.",
)
@click.option("--yes", is_flag=True, help="Ask a remote classifier too, which may cost money.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(config_file: Path | None, /, *, as_json: bool, **wished: Any) -> None:
    """Say what to expect of the configured classifier, on the mail that people have filed into the folders of MAILBOX.

    How often it is right, what it takes for what, how much it would file by itself and how well, which folders would be
    created, what a month costs, and what would leave the building. Nothing in the account changes: folders are opened
    read-only, and no mail is marked as read.

    \b
    Example:
      cubbyd --config cubbyd.toml rehearse
    """
    from cubbyd.cli.rehearsed import facts, print_prospect
    from cubbyd.setup.known import find_training

    config, wish = load_config(find_config(config_file)), Wish(**wished)
    log_warnings(config)
    name = _choose_mailbox(config, wish.mailbox)
    training = find_training(_without_fallback(config), wish.trained_on, near=(config.file.absolute().parent, Path.cwd()))
    with ExitStack() as stack:
        ready = _open(config, stack)
        account = _look(config, name, wish)
        prospect = _rehearse(config, ready, account, training, wish)
    if as_json:
        say_json({"mailbox": name} | facts(prospect))
    else:
        print_prospect(prospect)


def _choose_mailbox(config: Config, given: str) -> str:
    """Take the mailbox that is named, or the only one. Raises ConfigError, UsageError."""
    known = ", ".join(sorted(config.mailboxes))
    if given and given not in config.mailboxes:
        raise ConfigError(
            config.file, (Problem(key="mailboxes", found=repr(given), allowed=f"no such mailbox; give one of {known}"),)
        )
    if not given and len(config.mailboxes) > 1:
        raise click.UsageError(f"say which MAILBOX: {known}")
    return given or next(iter(config.mailboxes))


def _without_fallback(config: Config) -> Config:
    section = config.classifier.model_copy(update={"fallback": None})
    return config.model_copy(update={"classifier": section}).read_from(config.file)


def _open(config: Config, stack: ExitStack) -> Ready:
    """Open the classifier as the daemon does, but for its fallback: what stands in for it in an outage is another one.

    Its thresholds are those of the whole. Raises UnknownKind, ModelFileError, ConfigError.
    """
    from cubbyd.classify.registry import load_classifier
    from cubbyd.setup.leaving import find_services

    whole = load_classifier(config)
    stack.callback(whole.close)
    bars = thresholds_of(config, whole, config.taxonomy.ids)
    alone = _without_fallback(config)
    classifier = whole
    if config.classifier.fallback is not None:
        classifier = load_classifier(alone)
        stack.callback(classifier.close)
    fallback = config.classifier.fallback
    behind = stand_alone(config, fallback) if fallback is not None else None
    return Ready(
        classifier=classifier,
        bars=bars,
        services=find_services([alone, *(member for _, member in members_of(alone))]),
        standby=find_services([behind, *(member for _, member in members_of(behind))]) if behind is not None else (),
    )


# --- reading -----------------------------------------------------------------------------------------------------------


def _look(config: Config, name: str, wish: Wish) -> Account:
    """Read the folders of the categories. Raises MailboxError, InputFileError."""
    from cubbyd.dataset.account import choose_folders
    from cubbyd.dataset.reading import Meanings, Reading, Skips, read_meanings
    from cubbyd.mailbox import open_mailbox
    from cubbyd.service.account import account_of
    from cubbyd.setup.expectation import WINDOW
    from cubbyd.setup.filed import read_filed

    section = config.mailboxes[name]
    skips = Skips()
    given = read_meanings(wish.meanings) if wish.meanings else {}
    _refuse_unknown(config, wish.meanings, given.values())
    reading = Reading(skips=skips, meanings=Meanings(given=given, taxonomy=config.taxonomy))
    mailbox = open_mailbox(account_of(config, name))
    try:
        order = {category: place for place, category in enumerate(config.taxonomy.ids)}
        chosen = sorted(
            choose_folders(mailbox, reading, inbox=section.inbox, every=False), key=lambda one: (order[one.label], one.folder)
        )
        moves = "move" in config.filing.action or config.filing.action == "observe"
        missing = [folder for folder in config.target_folders if mailbox.status(folder) is None] if moves else []
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("reading", total=None)
            filed = read_filed(
                mailbox,
                chosen,
                most=wish.most,
                since=(SystemClock().now() - WINDOW).date(),
                tell=lambda folder, at, of: bar.update(task, description=f"reading {folder!r}", completed=at, total=of),
            )
    finally:
        mailbox.close()
    return Account(filed=filed, skips=skips, missing=tuple(missing))


def _refuse_unknown(config: Config, file: Path | None, labels: Iterable[str]) -> None:
    """Refuse a map to a category that the configuration does not have. Raises InputFileError."""
    for label in labels:
        if file is not None and label not in config.taxonomy:
            raise InputFileError(file, f"unknown category {label!r}; the configuration has {', '.join(config.taxonomy.ids)}")


# --- asking ------------------------------------------------------------------------------------------------------------


def _rehearse(config: Config, ready: Ready, account: Account, training: Training, wish: Wish) -> Prospect:
    """Ask about all mail that was not trained on, and measure. Raises ClassifierError, UsageError."""
    from cubbyd.evaluation.whole import evaluate
    from cubbyd.setup.prospect import Seen, make_prospect

    mails = [mail for mail in account.filed.mails if not training.knows(mail.example)]
    if not mails:
        raise ClassifierError(_say_nothing_to_ask(len(account.filed.mails)))
    if ready.classifier.batch_size == 1 and not wish.yes:
        raise click.UsageError(f"{say_cost(config, ready.classifier, [mail.example for mail in mails])}; add --yes to do so")
    answered, failures = _ask(ready.classifier, mails)
    sheet = _to_sheet(config, ready.classifier, answered, failures, unread=account.filed.unread)
    click.echo("measuring, with intervals", err=True)
    several = config.classifier.labels is Labels.MANY
    return make_prospect(
        config,
        evaluate(f"the {sheet.provenance.kind} classifier", sheet, ready.bars, several=several),
        Seen(
            filed=account.filed,
            skips=account.skips,
            missing=account.missing,
            training=training,
            left_out=len(account.filed.mails) - len(mails),
            may_be_known=sum(training.may_know(mail) for mail, _ in answered),
            answered=tuple(answered),
            services=ready.services,
            standby=ready.standby,
        ),
        now=SystemClock().now(),
        mails_per_month=wish.mails_per_month,
        precision=wish.precision,
    )


def _say_nothing_to_ask(known: int) -> str:
    if known:
        return (
            f"there is no filed mail to rehearse on: {known} mails were read, and all of them were trained on; divide the "
            "examples with `cubbyd dataset split`, train on train.jsonl alone, and rehearse again"
        )
    return "there is no filed mail to rehearse on; the folders of the categories are empty, or missing (`cubbyd check`)"


def _ask(
    classifier: Classifier, mails: Sequence[FiledMail]
) -> tuple[list[tuple[FiledMail, Prediction]], tuple[ClassifierError, ...]]:
    """Ask as the daemon asks. Raises ClassifierUnavailable when the classifier goes down, else an error where all fail."""
    from cubbyd.classify.members import ask_member
    from cubbyd.classify.protocol import Prediction

    answered: list[tuple[FiledMail, Prediction]] = []
    failures: list[ClassifierError] = []
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(classifier.provenance.kind, total=len(mails))
        for some in _in_parts(mails, classifier.batch_size):
            for mail, outcome in zip(some, ask_member(classifier, [one.given for one in some]), strict=True):
                if isinstance(outcome, ClassifierUnavailable):
                    raise outcome
                if isinstance(outcome, Prediction):
                    answered.append((mail, outcome))
                else:
                    failures.append(outcome)
            bar.update(task, advance=len(some))
    if not answered:
        raise failures[0]
    return answered, tuple(failures)


def _in_parts(mails: Sequence[FiledMail], size: int) -> Iterator[Sequence[FiledMail]]:
    for start in range(0, len(mails), size):
        yield mails[start : start + size]


def _to_sheet(
    config: Config,
    classifier: Classifier,
    answered: Sequence[tuple[FiledMail, Prediction]],
    failures: tuple[ClassifierError, ...],
    *,
    unread: int,
) -> Sheet:
    import numpy as np

    from cubbyd.evaluation.answer import to_answers
    from cubbyd.evaluation.kept import Sheet

    pairs = [(mail.example, said) for mail, said in answered]
    return Sheet(
        provenance=classifier.provenance,
        answers=to_answers(config.taxonomy.ids, pairs, failures),
        mails=tuple(example for example, _ in pairs),
        milliseconds=np.array([said.cost.milliseconds for _, said in pairs]),
        money=np.array([said.cost.money for _, said in pairs]),
        unread=unread,
        reused=0,
    )
