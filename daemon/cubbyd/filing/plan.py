"""From a decision to a plan: which actions on the mailbox carry it out. Pure.

A new effect on the mailbox is a new variant of Action; `assert_never` makes the type checker name every place to extend.
"""

from __future__ import annotations

from dataclasses import dataclass

from cubbyd.config import Config, FilingAction, Unsure
from cubbyd.filing.decision import Decision, Hold
from cubbyd.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Put a keyword on the mail."""

    keyword: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocate:
    """Take the mail out of the inbox into a folder."""

    folder: str


Action = Label | Relocate


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


def rules_of(config: Config, *, observe: bool = False) -> Rules:
    """Read the rules out of the configuration; `observe` overrides its action."""
    action = config.filing.action
    return Rules(
        taxonomy=config.taxonomy,
        threshold=config.classifier.threshold,
        attempts=config.classifier.attempts,
        observe=observe or action is FilingAction.OBSERVE,
        move=action in (FilingAction.MOVE, FilingAction.MOVE_LABEL),
        label=action in (FilingAction.LABEL, FilingAction.MOVE_LABEL),
        review_folder=config.review_folder if config.filing.unsure is Unsure.REVIEW else None,
    )


def plan(decision: Decision, rules: Rules) -> tuple[Action, ...]:
    """Give the actions, in the order in which they are to be done; none where the mail is to stay as it is."""
    if decision.category is None:
        goes = rules.review_folder is not None and decision.hold != Hold.PUT_BACK  # a person chose the inbox
        return (Relocate(folder=rules.review_folder),) if goes and rules.review_folder else ()
    category = rules.taxonomy[decision.category]
    label: tuple[Action, ...] = (Label(keyword=category.keyword),) if rules.label else ()
    move: tuple[Action, ...] = (Relocate(folder=category.folder),) if rules.move else ()
    return label + move
