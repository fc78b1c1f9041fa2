"""From a decision to a plan: which actions on the mailbox carry it out. Pure.

A new effect on the mailbox is a new variant of Action; `assert_never` makes the type checker name every place to extend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cubbyd.config import Backlog, Config, FilingAction, Labels, Unsure
from cubbyd.filing.decision import Decision, Hold
from cubbyd.taxonomy import CategoryId, Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Put a keyword on the mail, or the system flag that mail clients show as a star."""

    keyword: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocate:
    """Take the mail out of the inbox into a folder."""

    folder: str


Action = Label | Relocate

FLAGGED = "\\Flagged"
"""The one mark that every mail client shows (RFC 9051, 2.3.2)."""

URGENT_KEYWORD = "cubbyd-urgent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration wants done with decided mail."""

    taxonomy: Taxonomy
    threshold: float
    attempts: int
    """How often a mail is tried before it is quarantined."""
    observe: bool
    """Decide and record, and open the inbox read-only."""
    move: bool
    label: bool
    review_folder: str | None
    """Where unsure mail goes; None: it stays in the inbox."""
    labels: Labels = Labels.ONE
    """How many categories a mail can have."""
    flag_urgent: bool = True
    """Whether mail that a person should look at soon is flagged."""
    backlog: Backlog | int = Backlog.IGNORE
    """What is done with mail that was there before cubbyd was; a number: what came in so many days before is filed."""


def rules_of(config: Config, *, observe: bool = False, thresholds: Mapping[CategoryId, float] | None = None) -> Rules:
    """Read the rules out of the configuration; `observe` overrides its action.

    `thresholds` are those measured for the classifier: they stand below a category's own, and above the general one.
    """
    action = config.filing.action
    return Rules(
        taxonomy=config.taxonomy.with_thresholds(thresholds or {}),
        threshold=config.classifier.threshold,
        labels=config.classifier.labels,
        attempts=config.classifier.attempts,
        observe=observe or action is FilingAction.OBSERVE,
        move=action in (FilingAction.MOVE, FilingAction.MOVE_LABEL),
        label=action in (FilingAction.LABEL, FilingAction.MOVE_LABEL),
        review_folder=config.review_folder if config.filing.unsure is Unsure.REVIEW else None,
        flag_urgent=config.filing.flag_urgent,
        backlog=config.filing.backlog,
    )


def plan(decision: Decision, rules: Rules) -> tuple[Action, ...]:
    """Give the actions, in the order in which they are to be done; none where the mail is to stay as it is."""
    if decision.hold in (Hold.PUT_BACK, Hold.TAKEN_BACK) or (decision.hold and decision.stays):
        return ()  # a person chose the inbox, or a rule says so
    return (*_urgent_marks(decision, rules), *_labels(decision, rules), *_move(decision, rules))


def _urgent_marks(decision: Decision, rules: Rules) -> tuple[Action, ...]:
    if not (decision.urgent and rules.flag_urgent):
        return ()
    return (Label(keyword=FLAGGED), Label(keyword=URGENT_KEYWORD)) if rules.label else (Label(keyword=FLAGGED),)


def _labels(decision: Decision, rules: Rules) -> tuple[Action, ...]:
    if decision.category is None or not rules.label:
        return ()
    return tuple(Label(keyword=rules.taxonomy[category].keyword) for category in (decision.category, *decision.others))


def _move(decision: Decision, rules: Rules) -> tuple[Action, ...]:
    if decision.category is None:
        return (Relocate(folder=rules.review_folder),) if rules.review_folder is not None else ()
    return (Relocate(folder=rules.taxonomy[decision.category].folder),) if rules.move else ()
