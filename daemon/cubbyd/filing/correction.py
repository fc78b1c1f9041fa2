"""What people did with mail after it was decided: they drag a wrong one to the right folder, and that is all they have to do.

Every folder that mail is filed to is looked through for mails that are on record and that cubbyd did not put there. Such a
sighting waits, as a mail client may copy first and delete later, or a person may go on dragging. Then it is a move where the
mail has left the place in which it was known to be, and a copy where it has not. Nothing is touched, and nothing is learned of
mails that are not on record. A mail that is put back into the inbox is the business of inherit.py.

| where it was seen | where it was known to be | then |
|---|---|---|
| still there | gone, or marked \\Deleted | a person moved it: from its category to that of the folder |
| still there | still there | a copy: forgotten |
| gone | | a stop on the way, or deleted: forgotten |
| UIDVALIDITY changed | or here | nobody can tell: forgotten |
| the folder cannot be opened | or this one | asked again, for a day |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from cubbyd.errors import CommandRefused, MailboxUnavailable
from cubbyd.filing.context import PassContext, log
from cubbyd.filing.decision import Hold
from cubbyd.filing.plan import Rules
from cubbyd.filing.undo import DELETED
from cubbyd.journal import Means, Record, Sighting, Verdict
from cubbyd.lifecycle import TELLS
from cubbyd.message.identity import Fingerprint, MessageKey

SETTLES_AFTER = timedelta(minutes=10)
"""How long a mail must lie where a person put it before that counts."""

ASKED_FOR = timedelta(days=1)
"""How long it is asked what a sighting means while a folder cannot be opened."""

LOOKED_AT_ONCE = 2_000
"""Mails of which the header is read in one look at one folder; the next look goes on there."""

JUDGED_AT_ONCE = 500

NOT_THERE = (0, 0)
"""The mark of a folder that did not exist: whatever is in it later is new. No folder has this UIDVALIDITY (RFC 9051, 9)."""

AS_A_PERSON_SAID = frozenset({Hold.PUT_BACK, Hold.TAKEN_BACK})
"""Held for these reasons a mail has a new row; an older one tells where it was once."""


class Watch:
    """Looks for what people moved, between the lots of a long pass and at its end; breaks no pass, as filing comes first."""

    def __init__(self, context: PassContext, is_due: Callable[[], bool]) -> None:
        """Look when `is_due` says so; it is asked again and again, and says so once in a while."""
        self._context, self._is_due = context, is_due
        self._has_to_end = is_due()
        self._has_begun = False

    def go_on(self) -> None:
        """After a lot was filed; after the first one, before people move what was in it."""
        if self._has_to_end and not self._has_begun:
            self._begin()
        elif self._is_due():
            self._try(watch_people)

    def end(self) -> None:
        """After all else."""
        if self._has_to_end and not self._has_begun:
            self._begin()
        if self._has_to_end:
            self._try(watch_people)

    def _begin(self) -> None:
        """See how full the folders are that were never looked through: what is above that is news."""
        self._has_begun = True
        self._try(_begin_all)

    def _try(self, work: Callable[[PassContext], None]) -> None:
        context = self._context
        if context.report.is_cut or context.should_stop():
            return
        try:
            work(context)
        except MailboxUnavailable as error:
            context.report.is_cut = True
            log.warning("people's moves cannot be seen for now", mailbox=context.name, error=str(error))


def _begin_all(context: PassContext) -> None:
    for folder in _watched(context.rules):
        if context.journal.sightings.mark(context.name, folder) is None:
            _guarded(context, folder, _begin)


def watch_people(context: PassContext) -> None:
    """Look for mail that people moved, and put on record what that says. Raises MailboxUnavailable."""
    for folder in _watched(context.rules):
        if context.should_stop():
            return
        _guarded(context, folder, _look_through)
    now, last = context.clock.now(), 0
    while not context.should_stop():
        waiting = context.journal.sightings.pending(context.name, now - SETTLES_AFTER, now, above=last, limit=JUDGED_AT_ONCE)
        if not waiting:
            return
        _judge(context, waiting)
        last = waiting[-1].id
        context.progress()


def _watched(rules: Rules) -> list[str]:
    """Name the folders that mail is filed to, each once."""
    folders = [category.folder for category in rules.taxonomy]
    return list(dict.fromkeys([*folders, rules.review_folder] if rules.review_folder is not None else folders))


def _guarded(context: PassContext, folder: str, work: Callable[[PassContext, str], None]) -> None:
    """Say once of a folder that it cannot be watched, and go on with the others."""
    try:
        work(context, folder)
    except CommandRefused as error:
        if folder not in context.unwatched:
            log.warning("a folder cannot be watched", mailbox=context.name, folder=folder, error=str(error))
        context.unwatched.add(folder)
    else:
        context.unwatched.discard(folder)


# --- the look ----------------------------------------------------------------------------------------------------------


def _begin(context: PassContext, folder: str) -> None:
    """Note where a folder ends; and one that does not exist begins with its first mail."""
    status = context.mailbox.status(folder)
    if status is None or status.uidnext is not None:
        mark = (status.uidvalidity, (status.uidnext or 1) - 1) if status else NOT_THERE
        context.journal.sightings.note(context.name, folder, *mark, {}, context.clock.now())


def _look_through(context: PassContext, folder: str) -> None:
    """Note known mails that are new in a folder."""
    book = context.journal.sightings
    mark, status = book.mark(context.name, folder), context.mailbox.status(folder)
    if mark is None or status is None or status.uidnext is None:
        return
    uidvalidity, newest, last_uid = status.uidvalidity, status.uidnext - 1, mark[1]
    if mark[0] not in (uidvalidity, NOT_THERE[0]):
        book.note(context.name, folder, uidvalidity, newest, {}, context.clock.now())
        return
    if newest <= last_uid:
        return
    ours = context.journal.claimed_uids(context.name, folder, uidvalidity, last_uid)
    found: dict[int, Fingerprint] = {}
    if not ours.issuperset(range(last_uid + 1, newest + 1)):
        found = context.mailbox.fingerprints(folder, last_uid + 1, LOOKED_AT_ONCE)
        newest = max(found) if len(found) >= LOOKED_AT_ONCE else max([newest, *found])
    strange = {uid: identity for uid, identity in found.items() if uid not in ours}
    known = _on_record(context, strange.values())
    seen = {uid: identity for uid, identity in strange.items() if identity in known}
    book.note(context.name, folder, uidvalidity, newest, seen, context.clock.now())


def _on_record(context: PassContext, identities: Iterable[Fingerprint]) -> dict[Fingerprint, list[Record]]:
    """Give the mails on record that can be what a person moved, newest first."""
    twins = context.journal.twins(context.name, set(identities))
    found = {identity: _living(records) for identity, records in twins.items()}
    return {identity: records for identity, records in found.items() if records}


def _living(records: Sequence[Record]) -> list[Record]:
    """Leave out the rows that tell where a mail was once: it has a newer one since it is back in the inbox."""
    living: list[Record] = []
    superseded, is_in_inbox = 0, False
    for record in records:
        if superseded and record.hold not in AS_A_PERSON_SAID:
            superseded -= 1
            continue
        superseded += record.hold in AS_A_PERSON_SAID
        was_put = bool(record.target_uid)
        tells = record.state in TELLS and (record.is_decided or record.hold) and record.hold != Hold.DIGEST
        if tells and (was_put or not is_in_inbox):
            living.append(record)
        is_in_inbox |= not was_put
    return living


# --- the judgment ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Places:
    """What is known of places: whether each still holds its mail."""

    there: dict[MessageKey, bool | None] = field(default_factory=dict)
    """None: nobody can tell, as UIDVALIDITY changed or the folder cannot be opened."""
    missing: set[str] = field(default_factory=set)
    """Folders that do not exist."""
    closed: set[str] = field(default_factory=set)
    """Folders that cannot be opened for now."""


def _judge(context: PassContext, waiting: Sequence[Sighting]) -> None:
    """Tell moves from copies and from stops on the way; what cannot be told for now waits on."""
    book, now, watched = context.journal.sightings, context.clock.now(), _watched(context.rules)
    known = _on_record(context, {one.fingerprint for one in waiting})
    records = {record.id: record for some in known.values() for record in some}
    moved = book.latest(records)
    last = {one.id: moved[one.id].key if one.id in moved else _put(context, one) for one in records.values()}
    places = _look_at(context, {one.key for one in waiting} | set(last.values()))
    verdicts: list[Verdict] = []
    for sighting in waiting:
        candidates = known.get(sighting.fingerprint, [])
        asked = {sighting.folder, *(last[one.id].folder for one in candidates)}
        if asked & places.closed and now - sighting.seen_at < ASKED_FOR:
            continue
        left = [one for one in candidates if places.there[last[one.id]] is False]
        if not (left and places.there[sighting.key] and sighting.folder in watched):
            verdicts.append(Verdict(sighting=sighting, means=Means.NOTHING))
            continue
        record, place = left[0], last[left[0].id]
        was = moved[record.id].category if record.id in moved else record.category
        was_put = record.id in moved or bool(record.target_uid)
        is_same = place.folder == sighting.folder or (place.folder in places.missing and _same_uid(place, sighting.key))
        verdicts.append(_meaning(context.rules, sighting, record.id, was, was_put=was_put, is_same=is_same))
        last[record.id] = sighting.key
    book.judge(verdicts, now)
    for verdict in verdicts:
        if verdict.means is Means.MOVED and verdict.record_id is not None:
            _tell(context, verdict, records[verdict.record_id])


def _meaning(rules: Rules, sighting: Sighting, record: int, was: str | None, *, was_put: bool, is_same: bool) -> Verdict:
    """Say what a person meant by a folder: the category that the mail had, where that shares it with others.

    Where the mail had another, nobody knows which of those that share it is meant. The folder for unsure mail means none.
    """
    meant = [category.id for category in rules.taxonomy if category.folder == sighting.folder]
    category = was if was in meant else meant[0] if meant else None
    if is_same or (category == was and (was_put or was is None)):
        means = Means.SAME
    elif len(meant) > 1 and was not in meant:
        means = Means.NOTHING
    else:
        means = Means.MOVED
    return Verdict(sighting=sighting, means=means, record_id=record, was=was, category=category)


def _same_uid(one: MessageKey, other: MessageKey) -> bool:
    """Tell whether a folder that has another name now may be why a mail is in another place."""
    return (one.uidvalidity, one.uid) == (other.uidvalidity, other.uid)


def _put(context: PassContext, record: Record) -> MessageKey:
    """Tell where a mail was put; or found, where it was left there or taken from there."""
    if record.target_folder and record.target_uid and record.target_uidvalidity:
        folder, uidvalidity, uid = record.target_folder, record.target_uidvalidity, record.target_uid
    else:
        folder, uidvalidity, uid = context.inbox, record.uidvalidity, record.uid
    return MessageKey(mailbox=context.name, folder=folder, uidvalidity=uidvalidity, uid=uid)


def _look_at(context: PassContext, keys: Iterable[MessageKey]) -> _Places:
    """Ask the server which places still hold their mail, not marked as deleted."""
    by_folder: dict[str, list[MessageKey]] = defaultdict(list)
    for key in keys:
        by_folder[key.folder].append(key)
    places = _Places()
    for folder, some in by_folder.items():
        try:
            found = context.mailbox.look_into(folder, sorted({key.uid for key in some}))
        except CommandRefused:
            places.closed.add(folder)
            places.there |= dict.fromkeys(some, None)
            continue
        if found is None:
            places.missing.add(folder)
            places.there |= dict.fromkeys(some, False)
            continue
        uidvalidity, flags = found
        for key in some:
            is_here = key.uid in flags and DELETED not in flags[key.uid]
            places.there[key] = is_here if key.uidvalidity == uidvalidity else None
    return places


def _tell(context: PassContext, verdict: Verdict, record: Record) -> None:
    context.moved(verdict.was, verdict.category)
    details = {
        "mailbox": context.name,
        "uidvalidity": record.uidvalidity,
        "uid": record.uid,
        "was": verdict.was,
        "category": verdict.category,
        "folder": verdict.sighting.folder,
    }
    log.info("mail moved by a person", **{key: value for key, value in details.items() if value is not None})
