"""Steps 2 to 7 of the way of one mail: claim, fetch, parse, prepare, classify, decide.

An attempt is counted before anything is tried, so that a mail that kills the process is noticed; a mail that was tried
before is tried alone, so that it harms no other. No failure here ever becomes a category.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from cubbyd.classify.protocol import Prediction
from cubbyd.classify.serial import prediction_to_json
from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable, CommandRefused, MailboxError, NeedsPerson
from cubbyd.filing.backoff import LONGEST, pause_after
from cubbyd.filing.context import PassContext
from cubbyd.filing.decision import NOTHING_TO_READ, OWN_DIGEST, Decision, ask_person, decide
from cubbyd.filing.inherit import inherit
from cubbyd.journal import MARKED_DELETED, Change, Record
from cubbyd.lifecycle import State
from cubbyd.mailbox import RawMessage
from cubbyd.message import ClassifierInput, parse, render
from cubbyd.message.identity import fingerprint
from cubbyd.message.own import is_digest

FETCH_AT_ONCE = 50
"""Mails in one FETCH and in memory at once: at most 50 x 256 KiB."""

DEATHS = 3
"""How often a mail may be in hand when the process dies before it is set aside."""

DELETED_PAUSE = timedelta(minutes=10)
"""A mail that somebody marked \\Deleted is left alone, and looked at again: the mark can be taken off."""

OUTAGE = "classifier unavailable: "
"""Begins the error of a mail that waits for the classifier alone; such mail is due at once when it answers again."""

PART_OUTAGE = "a part of the classifier is unavailable: "
"""The same where the classifier answers for other mail meanwhile: due at once when one of these is answered."""

NOT_DELIVERED = "the server lists this mail and does not deliver it"


def judge_some(context: PassContext) -> int:
    """Take the next waiting mails as far as a decision; give how many were taken in hand.

    Raises ClassifierUnavailable where the classifier gave no answer at all, MailboxError's kinds.
    """
    waiting = context.journal.waiting(context.name, State.SEEN, context.clock.now(), FETCH_AT_ONCE)
    fresh = [record for record in waiting if record.attempts == 0]
    lot = fresh or waiting[:1]
    if not lot:
        return 0
    alive = _set_aside_killers(context, lot)
    context.journal.claim([record.id for record in alive], context.clock.now())
    claimed = [replace(record, attempts=record.attempts + 1) for record in alive]
    try:
        fetched = context.mailbox.fetch([record.uid for record in claimed]) if claimed else {}
        _settle_missing(context, [record for record in claimed if record.uid not in fetched])
    except MailboxError as error:
        _suspect(context, claimed, error)
        raise
    _leave_deleted(context, [record for record in claimed if record.uid in fetched and fetched[record.uid].is_deleted])
    here = [record for record in claimed if record.uid in fetched and not fetched[record.uid].is_deleted]
    _judge(context, _leave_digests(context, _take_over(context, _identify(context, here, fetched)), fetched), fetched)
    return len(lot)


def _set_aside_killers(context: PassContext, lot: Sequence[Record]) -> list[Record]:
    killers = [record for record in lot if record.attempts >= DEATHS and record.error is None]
    for record in killers:
        _quarantine(context, record, f"cubbyd ended {record.attempts} times with this mail in hand")
    return [record for record in lot if record not in killers]


def _suspect(context: PassContext, records: Sequence[Record], error: MailboxError) -> None:
    """Note with which mail in hand the connection broke: each is tried alone next time, and one alone has used an attempt."""
    if len(records) > 1:
        context.journal.postpone([record.id for record in records], until=None, error=str(error))
    else:
        for record in records:
            _try_later(context, record, error)


def _settle_missing(context: PassContext, missing: Sequence[Record]) -> None:
    if not missing:
        return
    present = context.mailbox.present([record.uid for record in missing])
    gone = [record for record in missing if record.uid not in present]
    context.journal.advance([Change(id=record.id, to=State.GONE) for record in gone], context.clock.now())
    for record in gone:
        context.note(record, State.GONE)
    for record in missing:
        if record.uid in present:
            _try_later(context, record, CommandRefused(NOT_DELIVERED))


def _leave_deleted(context: PassContext, deleted: Sequence[Record]) -> None:
    if deleted:
        until = context.clock.now() + DELETED_PAUSE
        context.journal.postpone([record.id for record in deleted], until=until, error=MARKED_DELETED, refund=True)


def _identify(context: PassContext, records: Sequence[Record], fetched: dict[int, RawMessage]) -> list[Record]:
    identified = []
    for record in records:
        raw = fetched[record.uid]
        identity = fingerprint(raw.content, raw.received_at.isoformat())
        identified.append(replace(record, fingerprint=identity, received_at=raw.received_at))
    context.journal.identify(
        {
            record.id: (record.fingerprint, record.received_at)
            for record in identified
            if record.fingerprint and record.received_at
        }
    )
    return identified


def _take_over(context: PassContext, records: Sequence[Record]) -> list[Record]:
    """Settle what an earlier sighting settles; give the mails that are really new."""
    sightings = context.journal.twins(context.name, [record.fingerprint for record in records if record.fingerprint])
    new: list[Record] = []
    changes: list[Change] = []
    for record in records:
        change = inherit(_as_found(context, record), sightings.get(record.fingerprint, ())) if record.fingerprint else None
        if change is None:
            new.append(record)
        else:
            changes.append(change)
            context.note(record, change.to)
    context.journal.advance(changes, context.clock.now())
    return new


def _leave_digests(context: PassContext, records: Sequence[Record], fetched: dict[int, RawMessage]) -> list[Record]:
    """Leave alone what cubbyd wrote itself; give the others."""
    own = [record for record in records if is_digest(fetched[record.uid].content)]
    context.journal.advance([_decided(record, OWN_DIGEST) for record in own], context.clock.now())
    return [record for record in records if record not in own]


def _as_found(context: PassContext, record: Record) -> Record:
    """Say of old mail since when it lies there: longer than it is on record, and nobody put it back."""
    mark = context.mark
    if mark is None or mark.epoch_at is None or record.uid > (mark.backlog_uid or 0):
        return record
    return replace(record, seen_at=min(record.seen_at, mark.epoch_at))


def _judge(context: PassContext, records: Sequence[Record], fetched: dict[int, RawMessage]) -> None:
    size = context.classifier.batch_size
    for start in range(0, len(records), size):
        some = records[start : start + size]
        if context.should_stop():
            _hand_back(context, records[start:], "stopped before its turn")
            return
        inputs = [render(parse(fetched[record.uid].content)) for record in some]
        try:
            _answer(context, some, inputs)
        except ClassifierUnavailable:
            _hand_back(context, records[start + size :], "the classifier was unavailable before its turn")
            raise
        context.progress()


def _hand_back(context: PassContext, records: Sequence[Record], reason: str) -> None:
    """Let mail wait that was claimed and not asked about; the attempt does not count."""
    context.journal.postpone([record.id for record in records], until=None, error=reason, refund=True)


def _answer(context: PassContext, records: Sequence[Record], inputs: Sequence[ClassifierInput]) -> None:
    empty = [record for record, given in zip(records, inputs, strict=True) if given.is_empty]
    asked = [(record, given) for record, given in zip(records, inputs, strict=True) if not given.is_empty]
    changes = [_decided(record, NOTHING_TO_READ) for record in empty]
    failed: list[tuple[Record, ClassifierError]] = []
    try:
        outcomes = context.classifier.classify([given for _, given in asked]) if asked else []
    except ClassifierError as error:
        for record, _ in asked:
            _try_later(context, record, error, OUTAGE if isinstance(error, ClassifierUnavailable) else "")
        if isinstance(error, ClassifierUnavailable):
            context.journal.advance(changes, context.clock.now())
            raise
        outcomes, asked = [], []
    for (record, _), outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, Prediction):
            decision = decide(outcome, context.rules.taxonomy, context.rules.threshold, context.rules.labels)
            changes.append(_decided(record, decision, outcome))
            context.report.classified += 1
            context.report.has_recovered |= (record.error or "").startswith(PART_OUTAGE)
        elif isinstance(outcome, NeedsPerson):
            changes.append(_decided(record, ask_person(outcome)))
        else:
            failed.append((record, outcome))
    context.journal.advance(changes, context.clock.now())
    for record, failure in failed:
        is_outage = isinstance(failure, ClassifierUnavailable)
        _try_later(context, record, failure, PART_OUTAGE if is_outage else "")
        if is_outage and str(failure) not in map(str, context.report.problems):
            context.problem(failure)


def _decided(record: Record, decision: Decision, prediction: Prediction | None = None) -> Change:
    return Change(
        id=record.id,
        to=State.DECIDED,
        fields={
            "category": decision.category,
            "probability": decision.probability,
            "hold": decision.hold,
            "others": list(decision.others),
            "stays": decision.stays,
            "urgent": decision.urgent or None,
            "prediction": prediction_to_json(prediction) if prediction else {},
            "error": None,
            "not_before": None,
        },
    )


def _try_later(context: PassContext, record: Record, error: MailboxError | ClassifierError, prefix: str = "") -> None:
    """Let the mail wait, or set it aside where its attempts are used up or the backend will never take it."""
    text = f"{prefix}{error}"
    if isinstance(error, ClassifierRejected) or (record.attempts >= context.rules.attempts and _is_own_fault(context, prefix)):
        _quarantine(context, record, text)
        return
    pause = pause_after(record.attempts)
    if isinstance(error, ClassifierUnavailable) and error.retry_after_seconds is not None:
        pause = max(pause, timedelta(seconds=min(error.retry_after_seconds, LONGEST.total_seconds())))
    context.journal.postpone([record.id], until=context.clock.now() + pause, error=text)


def _is_own_fault(context: PassContext, prefix: str) -> bool:
    """Tell whether it is this mail that fails, and not the classifier for all: that one may be down for days."""
    if prefix == PART_OUTAGE:
        return context.report.has_recovered
    return prefix != OUTAGE or context.report.classified > 0


def _quarantine(context: PassContext, record: Record, error: str) -> None:
    context.journal.advance([Change(id=record.id, to=State.QUARANTINED, fields={"error": error})], context.clock.now())
    context.note(record, State.QUARANTINED, error=error)
