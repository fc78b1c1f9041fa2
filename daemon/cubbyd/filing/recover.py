"""What became of mail that was planned when something broke off: a look at the server decides, never a guess.

For each mail: is it still in the inbox, and does its like lie in the target, with a UID that was not there before and that
no other mail on record has? MOVE is not atomic on real servers, so both can be true.

| inbox | target | then |
|---|---|---|
| yes | yes | the original is removed (a MOVE or COPY was cut in the middle) |
| yes | no | nothing has happened: decided, to be filed again |
| no | yes | done |
| no | no | a person took it; it is looked for, to say where, and never created again |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby

from cubbyd.filing.context import PassContext
from cubbyd.journal import Change, Record
from cubbyd.lifecycle import State
from cubbyd.message.identity import Fingerprint

TAKEN = "a person took it first"


def recover(context: PassContext) -> list[Record]:
    """Settle every unfinished mail of this mailbox; give those to which nothing has happened: they are decided, as before.

    Raises MailboxError's kinds; what is left is settled next time.
    """
    unfinished = context.journal.unfinished(context.name)
    current = [record for record in unfinished if record.uidvalidity == context.status.uidvalidity]
    in_inbox = context.mailbox.present([record.uid for record in current]) if current else set()
    by_target = sorted(unfinished, key=lambda record: record.target_folder or "")
    untouched: list[Record] = []
    for folder, records in groupby(by_target, key=lambda record: record.target_folder):
        if folder is None:
            _recover_in_place(context, list(records), in_inbox)
        else:
            untouched += _recover_in_folder(context, folder, list(records), in_inbox)
    return untouched


def final_state(record: Record) -> State:
    """Tell how a mail ends whose plan is carried out."""
    return State.HELD if record.hold else State.FILED


def settle(context: PassContext, done: Sequence[tuple[Record, int | None]]) -> None:
    """Put on record that plans are carried out; with each mail goes its UID in the target, where it has one."""
    context.journal.advance(
        [Change(id=record.id, to=final_state(record), fields={"target_uid": uid, "error": None}) for record, uid in done],
        context.clock.now(),
    )
    for record, _ in done:
        context.note(record, final_state(record), folder=record.target_folder)


def finish_copies(context: PassContext, copied: Sequence[tuple[Record, int | None]]) -> None:
    """Remove from the inbox the originals of mails whose copies are known, then settle them."""
    fresh = [(record, uid) for record, uid in copied if record.state is not State.COPIED]
    context.journal.advance(
        [Change(id=record.id, to=State.COPIED, fields={"target_uid": uid}) for record, uid in fresh], context.clock.now()
    )
    if copied and context.mailbox.remove([record.uid for record, _ in copied]):
        settle(context, copied)


def _recover_in_place(context: PassContext, records: Sequence[Record], in_inbox: set[int]) -> None:
    """Labels are idempotent: what is still there is labeled again."""
    here = [record for record in records if _is_here(context, record, in_inbox)]
    context.journal.advance([Change(id=record.id, to=State.DECIDED) for record in here], context.clock.now())
    _lose(context, [record for record in records if record not in here])


def _recover_in_folder(context: PassContext, folder: str, records: Sequence[Record], in_inbox: set[int]) -> list[Record]:
    copies = _unclaimed_copies(context, folder, records)
    both: list[tuple[Record, int | None]] = []
    moved: list[tuple[Record, int | None]] = []
    untouched: list[Record] = []
    lost: list[Record] = []
    for record in records:
        copy = record.target_uid or _take(copies, record)
        match _is_here(context, record, in_inbox), copy is not None:
            case True, True:
                both.append((record, copy))
            case True, False:
                untouched.append(record)
            case False, True:
                moved.append((record, copy))
            case _:
                lost.append(record)
    settle(context, moved)
    context.journal.advance([Change(id=record.id, to=State.DECIDED) for record in untouched], context.clock.now())
    finish_copies(context, both)
    _lose(context, lost)
    return untouched


def _is_here(context: PassContext, record: Record, in_inbox: set[int]) -> bool:
    return record.uidvalidity == context.status.uidvalidity and record.uid in in_inbox


def _unclaimed_copies(context: PassContext, folder: str, records: Sequence[Record]) -> dict[Fingerprint, list[int]]:
    """List, by identity, the mails in the target that may be what we put there."""
    status = context.mailbox.status(folder)
    if status is None:
        return {}
    begins = [record.target_uid_from or 1 for record in records if record.target_uidvalidity == status.uidvalidity]
    uid_from = min(begins) if len(begins) == len(records) else 1
    claimed = context.journal.claimed_uids(context.name, folder, status.uidvalidity)
    copies: dict[Fingerprint, list[int]] = defaultdict(list)
    for uid, identity in sorted(context.mailbox.fingerprints(folder, uid_from).items()):
        if uid not in claimed:
            copies[identity].append(uid)
    return copies


def _take(copies: Mapping[Fingerprint, list[int]], record: Record) -> int | None:
    found = copies.get(record.fingerprint) if record.fingerprint else None
    return found.pop(0) if found else None


def _lose(context: PassContext, records: Sequence[Record]) -> None:
    """Let go of mails that are in neither place: a person moved or deleted them, or UIDVALIDITY changed under us."""
    void = [record for record in records if record.uidvalidity != context.status.uidvalidity]
    context.journal.advance([Change(id=record.id, to=State.VOID) for record in void], context.clock.now())
    for record in records:
        if record in void or record.fingerprint is None or record.received_at is None:
            continue
        where = context.mailbox.find([record.fingerprint], record.received_at).get(record.fingerprint)
        fields = {"error": TAKEN, "target_folder": where, "target_uid": None}
        context.journal.advance([Change(id=record.id, to=State.GONE, fields=fields)], context.clock.now())
        context.note(record, State.GONE, folder=where)
