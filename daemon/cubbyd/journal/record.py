"""The journal's values: a mail as the journal knows it, a change to it, and how a mailbox's polls went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cubbyd.lifecycle import State
from cubbyd.message.identity import Fingerprint
from cubbyd.taxonomy import CategoryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One mail, as the journal knows it."""

    id: int
    mailbox: str
    folder: str
    uidvalidity: int
    uid: int
    fingerprint: Fingerprint | None
    received_at: datetime | None
    seen_at: datetime
    state: State
    changed_at: datetime
    attempts: int
    not_before: datetime | None
    error: str | None
    category: CategoryId | None
    """The category that was decided; None while undecided, and for a mail to be held."""
    probability: float | None
    hold: str | None
    """Why it is held; None where a category was decided."""
    prediction: Mapping[str, Any] | None
    """The classifier's answer as JSON, probabilities of all categories included."""
    keyword: str | None
    """The keywords and flags that it gets, with a space between them."""
    target_folder: str | None
    target_uidvalidity: int | None
    target_uid_from: int | None
    """The target's UIDNEXT before we touched it, or less: what we put there has this UID or a higher one."""
    target_uid: int | None
    others: Sequence[str] | None = None
    """The further categories of a mail that has several."""
    stays: bool | None = None
    """Held, it is left as it is."""
    urgent: str | None = None
    """Why a person should look soon."""
    left_at: datetime | None = None
    """When it was first missed in the inbox, of a mail that was left there."""
    run: int | None = None
    """In which pass over its mailbox it was filed, counted from 1."""
    filed_at: datetime | None = None
    """When it was filed, of a mail that an undo was begun for; until then `changed_at` says it."""
    undo_id: int | None = None
    """By which undo it was taken back."""
    again: bool | None = None
    """Taken back, it is to be classified and filed anew."""
    back_uidvalidity: int | None = None
    """UIDVALIDITY of the inbox when it was taken back."""
    back_uid_from: int | None = None
    """The inbox's UIDNEXT before it was taken back: there it has this UID or a higher one."""
    back_uid: int | None = None
    """Its UID in the inbox after it was taken back, once that is known."""

    @property
    def is_decided(self) -> bool:
        """Tell whether a classifier's answer is on record."""
        return self.prediction is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One mail's step to another state, with what goes on record with it."""

    id: int
    to: State
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOutcome:
    """How a mailbox's last polls went."""

    mailbox: str
    started_at: datetime
    succeeded_at: datetime | None
    failed_at: datetime | None
    failing_since: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far an inbox was read, and what of it was there before cubbyd was."""

    uidvalidity: int
    last_uid: int
    """The highest UID that was looked at."""
    begun_at: datetime | None
    """When it was first opened; None where that was before it was put on record, and nothing is old mail."""
    epoch_at: datetime | None
    """When its present UIDVALIDITY was first met."""
    backlog_uid: int | None
    """A mail with this UID or a lower one that is not on record is old mail; None where that is not counted yet."""
    backlog_total: int | None
    """Old mails that were counted then."""
    backlog_left: int | None
    """Old mails that are left alone, or are still to be taken in hand."""
    backlog_pace: float | None
    """Seconds that an old mail takes, of late."""

    @property
    def is_first_epoch(self) -> bool:
        """Tell whether UIDVALIDITY is that of the first opening."""
        return self.begun_at is not None and self.begun_at == self.epoch_at

    @property
    def seconds_left(self) -> float | None:
        """How long the old mail will take; None where there is none left, or nothing was measured yet."""
        return self.backlog_left * self.backlog_pace if self.backlog_left and self.backlog_pace else None


MARKED_DELETED = "marked as deleted"
"""The error of a mail that somebody marked \\Deleted: it is left alone, and nobody waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The mails of a mailbox that wait to be filed."""

    mails: int
    since: datetime
    """Since when the first of them is known."""
    error: str | None
    """Why that one was not handled yet, where it was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which filed mail an undo is about: what holds of all of it."""

    mailbox: str | None = None
    uid: int | None = None
    """Its UID in the inbox when it was found there, as `cubbyd history` shows it."""
    run: int | None = None
    category: str | None = None
    since: datetime | None = None
    """Filed then or later."""
    until: datetime | None = None
    """Filed before then."""
    model: str | None = None
    """The version that classified it, as `cubbyd history` shows it."""
    message_id: str | None = None
    """Without angle brackets; asked of the server, as no journal holds it."""

    def __str__(self) -> str:
        """Say it as the options of the command."""
        shown = "…" if self.message_id else None  # what is said here is kept, and a Message-ID names a person
        given = [(name, getattr(self, name)) for name in ("mailbox", "uid", "run", "category", "since", "until", "model")]
        return " ".join(
            f"--{name} {value.isoformat(timespec='seconds') if isinstance(value, datetime) else value}"
            for name, value in [*given, ("message-id", shown)]
            if value is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """An undo on record."""

    id: int
    begun_at: datetime
    selection: str
    again: bool
    mails: int
    """How many it was begun for."""
