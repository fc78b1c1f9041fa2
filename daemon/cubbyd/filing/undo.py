"""Taking back what was filed: a look first, which changes nothing; then the intent on record; then the mailbox.

Mail goes back to the inbox from where cubbyd put it, and loses the keywords and flags that cubbyd gave it. What a person has
moved or deleted since is left alone. An undo that broke off is finished by the next pass, or the next undo: for each mail the
server is asked on which sides it lies.

| folder | inbox | then |
|---|---|---|
| yes | no | it is moved back |
| yes | yes | the one in the folder is removed (a MOVE or COPY was cut in the middle) |
| no | yes | its keywords are taken off: undone |
| no | no | a person took it meanwhile |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby

from cubbyd.clock import Clock
from cubbyd.errors import CommandRefused, CubbydError, MailboxReadOnly
from cubbyd.filing.context import log
from cubbyd.filing.recover import TAKEN, final_state
from cubbyd.journal import Change, Journal, Record
from cubbyd.lifecycle import State
from cubbyd.mailbox import Mailbox
from cubbyd.message.identity import Fingerprint

BACK_AT_ONCE = 50
"""Mails in one MOVE: what a cut connection leaves to be looked up."""

DELETED = "\\deleted"
REFUSED = (CommandRefused, MailboxReadOnly)
"""What a server says to one folder; the connection is still good."""

FRESH = dict.fromkeys(
    ("prediction", "category", "probability", "hold", "others", "stays", "urgent", "keyword", "run", "error", "not_before")
)
"""What is forgotten of a mail that is to be classified anew where it lies."""


class Fate(StrEnum):
    """What an undo would do with a mail, or why it leaves it alone."""

    BACK = "back to the inbox"
    BARE = "stays in the inbox, loses its keywords"
    ELSEWHERE = "left alone: a person moved it"
    DELETED = "left alone: a person marked it as deleted"
    GONE = "left alone: it is not where it was put, nor in another folder"


TAKES_BACK = frozenset({Fate.BACK, Fate.BARE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A filed mail, and where it is now."""

    record: Record
    """As it is on record, with the UID under which it was found."""
    fate: Fate
    folder: str | None = None
    """The folder in which it is, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoContext:
    """One mailbox, and what an undo works with."""

    name: str
    inbox: str
    mailbox: Mailbox
    journal: Journal
    clock: Clock
    undone: list[int] = field(default_factory=list)
    """The rows of mails that are back."""
    problems: list[CubbydError] = field(default_factory=list)

    def advance(self, changes: Sequence[Change]) -> None:
        """Put changes on record."""
        self.journal.advance(changes, self.clock.now())

    def problem(self, error: CubbydError) -> None:
        """Remember what went wrong, once; the undo goes on with other mail."""
        if str(error) in map(str, self.problems):
            return
        self.problems.append(error)
        log.warning("undo has a problem", mailbox=self.name, error=str(error))


# --- the look ----------------------------------------------------------------------------------------------------------


def survey(context: UndoContext, records: Sequence[Record]) -> list[Found]:
    """Find where each mail is now, changing nothing. Raises MailboxError's kinds."""
    found: list[Found] = []
    for folder, some in _by_folder(records):
        found += _look_in_inbox(context, some) if folder is None else _look_in_folder(context, folder, some)
    return found


def _by_folder(records: Iterable[Record]) -> list[tuple[str | None, list[Record]]]:
    ordered = sorted(records, key=lambda record: (record.target_folder or "", record.id))
    return [(folder, list(some)) for folder, some in groupby(ordered, key=lambda record: record.target_folder)]


def _look_in_inbox(context: UndoContext, records: Sequence[Record]) -> list[Found]:
    """Look for labeled mail; what has a row of a newer UIDVALIDITY is that row's."""
    status = context.mailbox.select(context.inbox, read_only=True)
    current = [record for record in records if record.uidvalidity == status.uidvalidity]
    newer = {record.fingerprint for record in current}
    old = [record for record in records if record.uidvalidity != status.uidvalidity and record.fingerprint not in newer]
    flags = context.mailbox.flags([record.uid for record in current]) if current else {}
    here = [
        Found(record=record, fate=_fate(flags[record.uid], Fate.BARE), folder=context.inbox)
        for record in current
        if record.uid in flags
    ]
    return here + _look_elsewhere(context, [*(record for record in current if record.uid not in flags), *old])


def _fate(flags: frozenset[str], otherwise: Fate) -> Fate:
    return Fate.DELETED if DELETED in flags else otherwise


def _look_in_folder(context: UndoContext, folder: str, records: Sequence[Record]) -> list[Found]:
    """Look where the mail was put: by its UID while UIDVALIDITY holds, else by its identity."""
    if context.mailbox.status(folder) is None:
        return _look_elsewhere(context, records)
    uidvalidity = context.mailbox.select(context.mailbox.name_on_server(folder), read_only=True).uidvalidity
    by_uid = [record for record in records if record.target_uid and record.target_uidvalidity == uidvalidity]
    known = {record.id for record in by_uid}
    others = [record for record in records if record.id not in known]
    located = [*by_uid, *_by_identity(context, folder, uidvalidity, others)]
    uids = [record.target_uid for record in located if record.target_uid]
    flags = context.mailbox.flags(uids) if uids else {}
    here = [
        Found(record=record, fate=_fate(flags[record.target_uid], Fate.BACK), folder=folder)
        for record in located
        if record.target_uid in flags
    ]
    found = {one.record.id for one in here}
    return here + _look_elsewhere(context, [record for record in records if record.id not in found])


def _by_identity(context: UndoContext, folder: str, uidvalidity: int, records: Sequence[Record]) -> list[Record]:
    """Find mails whose UID is unknown or void; give them with the UID that they have now."""
    if not records:
        return []
    copies: dict[Fingerprint, list[int]] = defaultdict(list)
    claimed = context.journal.claimed_uids(context.name, folder, uidvalidity)
    for uid, identity in sorted(context.mailbox.fingerprints(folder, 1).items()):
        if uid not in claimed:
            copies[identity].append(uid)
    return [
        replace(record, target_uidvalidity=uidvalidity, target_uid=copies[record.fingerprint].pop(0))
        for record in records
        if record.fingerprint and copies.get(record.fingerprint)
    ]


def _look_elsewhere(context: UndoContext, records: Sequence[Record]) -> list[Found]:
    """Search all folders for mail that is not where it was put, to say where a person has it."""
    where: dict[Fingerprint, str] = {}
    known = [record for record in records if record.fingerprint and record.received_at]
    by_day = defaultdict(list)
    for record in known:
        if record.received_at:
            by_day[record.received_at.date()].append(record)
    for same_day in by_day.values():
        wanted = [record.fingerprint for record in same_day if record.fingerprint]
        if received := same_day[0].received_at:
            where |= context.mailbox.find(wanted, received)
    return [
        Found(record=record, fate=Fate.ELSEWHERE if place else Fate.GONE, folder=place)
        for record in records
        for place in [where.get(record.fingerprint) if record.fingerprint else None]
    ]


# --- the intent --------------------------------------------------------------------------------------------------------


def take_back(context: UndoContext, found: Sequence[Found], *, undo: int, again: bool) -> None:
    """Take back what a survey found to be takable; with `again`, it is then classified and filed as new mail is.

    Raises MailboxError's kinds where the connection broke; what was begun is then on record and is finished by the next pass.
    """
    takable = [one.record for one in found if one.fate in TAKES_BACK]
    for _, records in _by_folder(takable):
        for start in range(0, len(records), BACK_AT_ONCE):
            _begin(context, records[start : start + BACK_AT_ONCE], undo=undo, again=again)
            finish(context)


def _begin(context: UndoContext, records: Sequence[Record], *, undo: int, again: bool) -> None:
    """Put the intent on record, with where each mail was found, and from which UID on it will lie in the inbox."""
    status = context.mailbox.select(context.inbox, read_only=True)
    intent = {
        "undo_id": undo,
        "again": again,
        "back_uidvalidity": status.uidvalidity,
        "back_uid_from": status.uidnext,
        "back_uid": None,
    }
    found = [
        {
            "target_uid": record.target_uid,
            "target_uidvalidity": record.target_uidvalidity,
            "filed_at": record.filed_at or record.changed_at,
        }
        for record in records
    ]
    context.advance(
        [
            Change(id=record.id, to=State.UNDOING, fields={**intent, **known})
            for record, known in zip(records, found, strict=True)
        ]
    )


# --- the mailbox -------------------------------------------------------------------------------------------------------


def finish(context: UndoContext) -> None:
    """Carry out, or finish, every undo that was begun in this mailbox. Raises MailboxError's kinds.

    What the server refuses to give back stays filed; a mail that lies on both sides stays in hand until its original is gone.
    """
    for folder, records in _by_folder(context.journal.undoing(context.name)):
        try:
            returned = records if folder is None else _bring_back(context, folder, records)
        except REFUSED as error:
            context.problem(error)
            ids = {record.id for record in records}
            unmoved = [one for one in context.journal.undoing(context.name) if one.id in ids and one.back_uid is None]
            _leave(context, unmoved)
            continue
        try:
            _strip(context, returned)
        except REFUSED as error:
            context.problem(error)
            if folder is None:
                _leave(context, returned)
            else:
                _settle(context, returned)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """On which sides mails lie."""

    there: list[Record]
    """In the folder alone."""
    both: list[Record]
    back: list[Record]
    """In the inbox alone; these and those of `both` have the UID that they have there."""
    nowhere: list[Record]
    """Where a person has them."""


def _bring_back(context: UndoContext, folder: str, records: Sequence[Record]) -> list[Record]:
    """Take mails from a folder to the inbox; give those that are there. What the server does not confirm is looked up once."""
    sides = _look(context, folder, records)
    returned = [*sides.back, *_remove(context, sides.both)]
    if sides.there:
        moved, refusal = _move(context, sides.there)
        unconfirmed = [record for record in sides.there if record.id not in {one.id for one in moved}]
        returned += moved
        if unconfirmed:
            sides = _look(context, folder, unconfirmed)
            returned += [*sides.back, *_remove(context, sides.both)]
            _leave(context, sides.there)
            if sides.there:
                context.problem(refusal or CommandRefused(f"mailbox {context.name}: {folder} did not give its mail back"))
    return returned


def _look(context: UndoContext, folder: str, records: Sequence[Record]) -> _Sides:
    """Look on both sides; the folder is open for writing afterwards. What is in neither is let go of.

    So is what was seen in the inbox and is there no more: a person has it, and the one in the folder is not ours to remove.
    """
    copies, taken = _copies_in_inbox(context, records)
    here: Mapping[int, frozenset[str]] = {}
    uidvalidity = None
    if context.mailbox.status(folder) is not None:
        uidvalidity = context.mailbox.select(context.mailbox.name_on_server(folder), read_only=False).uidvalidity
        here = context.mailbox.flags([record.target_uid for record in records if record.target_uid])
    sides = _Sides(there=[], both=[], back=[], nowhere=[])
    for record in records:
        uid = record.back_uid or _take(copies, record)
        placed = replace(record, back_uid=uid)
        is_there = record.target_uidvalidity == uidvalidity and record.target_uid in here
        match is_there, uid is not None:
            case True, True if record.id in taken:
                sides.nowhere.append(placed)
            case True, True:
                sides.both.append(placed)
            case True, False:
                sides.there.append(placed)
            case False, True:
                sides.back.append(placed)
            case _:
                sides.nowhere.append(placed)
    context.journal.note_back({record.id: record.back_uid for record in [*sides.both, *sides.back] if record.back_uid})
    _lose(context, sides.nowhere)
    return sides


def _copies_in_inbox(context: UndoContext, records: Sequence[Record]) -> tuple[dict[Fingerprint, list[int]], set[int]]:
    """List, by identity, the mails in the inbox that may be what was taken back: new there, and on record as nothing else.

    Give also the rows of mails that were seen there before, and are gone from there.
    """
    status = context.mailbox.select(context.inbox, read_only=True)
    seen = {record.id: record.back_uid for record in records if record.back_uid}
    epochs = {record.id for record in records if record.back_uidvalidity == status.uidvalidity}
    present = context.mailbox.present(list(seen.values())) if seen else set()
    taken = {row for row, uid in seen.items() if uid not in present or row not in epochs}
    begins = [record.back_uid_from or 1 for record in records if record.back_uidvalidity == status.uidvalidity]
    uid_from = min(begins) if len(begins) == len(records) else 1
    known = context.journal.inbox_uids(context.name, context.inbox, status.uidvalidity, uid_from)
    copies: dict[Fingerprint, list[int]] = defaultdict(list)
    for uid, identity in sorted(context.mailbox.fingerprints(context.inbox, uid_from).items()):
        if uid not in known:
            copies[identity].append(uid)
    return copies, taken


def _take(copies: Mapping[Fingerprint, list[int]], record: Record) -> int | None:
    found = copies.get(record.fingerprint) if record.fingerprint else None
    return found.pop(0) if found else None


def _remove(context: UndoContext, records: list[Record]) -> list[Record]:
    """Remove from the open folder the originals of mails that are in the inbox again."""
    if records:
        context.mailbox.remove([record.target_uid for record in records if record.target_uid])
    return records


def _move(context: UndoContext, records: Sequence[Record]) -> tuple[list[Record], CommandRefused | None]:
    """Move mails of the open folder to the inbox; give those that the server confirms, and what it refused."""
    uids = [record.target_uid for record in records if record.target_uid]
    can_move = context.mailbox.capabilities.move
    try:
        pairs = context.mailbox.move(uids, context.inbox) if can_move else context.mailbox.copy(uids, context.inbox)
    except CommandRefused as error:
        return [], error
    moved = [replace(record, back_uid=pairs[record.target_uid]) for record in records if record.target_uid in pairs]
    context.journal.note_back({record.id: record.back_uid for record in moved if record.back_uid})
    return (moved if can_move else _remove(context, moved)), None


def _strip(context: UndoContext, records: Sequence[Record]) -> None:
    """Take our keywords off mails that are in the inbox, and settle them."""
    if not records:
        return
    uidvalidity = context.mailbox.select(context.inbox, read_only=False).uidvalidity
    by_keyword: dict[str, list[int]] = defaultdict(list)
    for record in records:
        was_moved = record.target_folder is not None
        uid, epoch = (record.back_uid, record.back_uidvalidity) if was_moved else (record.uid, record.uidvalidity)
        for keyword in (record.keyword or "").split():
            if uid is not None and epoch == uidvalidity:
                by_keyword[keyword].append(uid)
    for keyword, uids in by_keyword.items():
        context.mailbox.remove_keyword(sorted(uids), keyword)
    _settle(context, records)


# --- the record --------------------------------------------------------------------------------------------------------


def _settle(context: UndoContext, records: Sequence[Record]) -> None:
    """Put on record that mails are taken back; labeled mail that is to be filed anew begins its life again where it lies."""
    anew = [record for record in records if record.again and record.target_folder is None]
    rest = [record for record in records if not (record.again and record.target_folder is None)]
    context.advance([Change(id=record.id, to=State.SEEN, fields={**FRESH, "attempts": 0}) for record in anew])
    context.advance([Change(id=record.id, to=State.UNDONE, fields={"error": None}) for record in rest])
    for record in records:
        context.undone.append(record.id)
        _log(context, record, State.UNDONE)


def _leave(context: UndoContext, records: Sequence[Record]) -> None:
    """Leave mails as they were filed: the server did not give them back, and nothing has happened to them."""
    context.advance([Change(id=record.id, to=final_state(record)) for record in records])


def _lose(context: UndoContext, records: Sequence[Record]) -> None:
    """Let go of mails that are on neither side: a person has them."""
    context.advance([Change(id=record.id, to=State.GONE, fields={"error": TAKEN}) for record in records])
    for record in records:
        _log(context, record, State.GONE)


def _log(context: UndoContext, record: Record, to: State) -> None:
    details = {
        "mailbox": context.name,
        "uidvalidity": record.uidvalidity,
        "uid": record.uid,
        "category": record.category,
        "folder": record.target_folder,
        "undo": record.undo_id,
    }
    log.info(f"mail {to}", **{key: value for key, value in details.items() if value is not None})
