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
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

from cubbyd.errors import CommandRefused
from cubbyd.filing.context import PassContext, log
from cubbyd.filing.decision import Hold
from cubbyd.filing.plan import Rules
from cubbyd.filing.undo import DELETED
from cubbyd.journal import Record, Sighting
from cubbyd.lifecycle import TELLS
from cubbyd.message.identity import Fingerprint, MessageKey
from cubbyd.taxonomy import CategoryId

SETTLES_AFTER = timedelta(minutes=10)
"""How long a mail must lie where a person put it before that counts."""

NOT_THERE = (0, 0)
"""The mark of a folder that did not exist: whatever is in it later is new. No folder has this UIDVALIDITY (RFC 9051, 9)."""

AS_A_PERSON_SAID = frozenset({Hold.PUT_BACK, Hold.TAKEN_BACK})
"""Held for these reasons a mail has a new row; the older ones tell where it was once."""


def watch_people(context: PassContext) -> None:
    """Look for mail that people moved, and put on record what that says. Raises MailboxError's kinds."""
    for folder in _watched(context.rules):
        if context.should_stop():
            return
        try:
            _look_through(context, folder)
        except CommandRefused as error:
            log.warning("a folder cannot be watched", mailbox=context.name, folder=folder, error=str(error))
    now = context.clock.now()
    waiting = context.journal.sightings.pending(context.name, now - SETTLES_AFTER, now)
    if waiting:
        _judge(context, waiting)


def _watched(rules: Rules) -> list[str]:
    """Name the folders that mail is filed to, each once."""
    folders = [category.folder for category in rules.taxonomy]
    return list(dict.fromkeys([*folders, rules.review_folder] if rules.review_folder is not None else folders))


def _meaning(rules: Rules, folder: str, was: str | None) -> CategoryId | None:
    """Say which category a person meant by a folder: the one that the mail had, where that shares it with others.

    The folder for unsure mail means none.
    """
    meant = [category.id for category in rules.taxonomy if category.folder == folder]
    return next((one for one in meant if one == was), meant[0] if meant else None)


# --- the look ----------------------------------------------------------------------------------------------------------


def _look_through(context: PassContext, folder: str) -> None:
    """Note known mails that are new in a folder; what is in one that was never looked through is not new."""
    book, now = context.journal.sightings, context.clock.now()
    mark, status = book.mark(context.name, folder), context.mailbox.status(folder)
    if status is None:
        if mark != NOT_THERE:
            book.note(context.name, folder, *NOT_THERE, {}, now)
        return
    if status.uidnext is None:
        return
    uidvalidity, newest = status.uidvalidity, status.uidnext - 1
    if mark is None or mark[0] not in (uidvalidity, NOT_THERE[0]):
        book.note(context.name, folder, uidvalidity, newest, {}, now)
        return
    last_uid = mark[1]
    if newest <= last_uid:
        return
    ours = context.journal.claimed_uids(context.name, folder, uidvalidity, last_uid)
    strange = {}
    if not ours.issuperset(range(last_uid + 1, newest + 1)):
        found = context.mailbox.fingerprints(folder, last_uid + 1)
        newest = max([newest, *found, *ours])
        strange = {uid: identity for uid, identity in found.items() if uid not in ours}
    known = _on_record(context, strange.values())
    seen = {uid: identity for uid, identity in strange.items() if identity in known}
    book.note(context.name, folder, uidvalidity, newest, seen, now)


def _on_record(context: PassContext, identities: Iterable[Fingerprint]) -> dict[Fingerprint, list[Record]]:
    """Give the mails on record, newest first, that can be what a person moved."""
    found: dict[Fingerprint, list[Record]] = {}
    for identity, records in context.journal.twins(context.name, set(identities)).items():
        told = next((place for place, one in enumerate(records) if one.hold in AS_A_PERSON_SAID), len(records))
        able = [one for one in records[: told + 1] if one.state in TELLS and (one.is_decided or one.hold)]
        if able:
            found[identity] = able
    return found


# --- the judgment ------------------------------------------------------------------------------------------------------


def _judge(context: PassContext, waiting: Sequence[Sighting]) -> None:
    """Tell moves from copies and from stops on the way."""
    book = context.journal.sightings
    known = _on_record(context, {one.fingerprint for one in waiting})
    records = [record for some in known.values() for record in some]
    moved = book.latest(record.id for record in records)
    places = {record.id: moved[record.id].key if record.id in moved else _place(context, record) for record in records}
    there = _there(context, {one.key for one in waiting} | set(places.values()))
    watched, nothing = _watched(context.rules), []
    for sighting in waiting:
        left = [one for one in known.get(sighting.fingerprint, []) if there[places[one.id]] is False]
        if there[sighting.key] and left and sighting.folder in watched:
            record = left[0]
            places[record.id] = sighting.key
            was = moved[record.id].category if record.id in moved else record.category
            _accept(context, sighting, record, was)
        else:
            nothing.append(sighting.id)
    book.drop(nothing)


def _place(context: PassContext, record: Record) -> MessageKey:
    """Tell where a mail was put; or found, where it was left there or taken from there."""
    if record.target_folder and record.target_uid and record.target_uidvalidity:
        folder, uidvalidity, uid = record.target_folder, record.target_uidvalidity, record.target_uid
    else:
        folder, uidvalidity, uid = context.inbox, record.uidvalidity, record.uid
    return MessageKey(mailbox=context.name, folder=folder, uidvalidity=uidvalidity, uid=uid)


def _there(context: PassContext, places: Iterable[MessageKey]) -> dict[MessageKey, bool | None]:
    """Tell which places still hold their mail, not marked as deleted; None where UIDVALIDITY changed and nobody can tell."""
    by_folder: dict[str, list[MessageKey]] = defaultdict(list)
    for place in places:
        by_folder[place.folder].append(place)
    there: dict[MessageKey, bool | None] = {}
    for folder, some in by_folder.items():
        if context.mailbox.status(folder) is None:
            there |= dict.fromkeys(some, False)
            continue
        uidvalidity = context.mailbox.select(context.mailbox.name_on_server(folder), read_only=True).uidvalidity
        flags = context.mailbox.flags(sorted({place.uid for place in some if place.uidvalidity == uidvalidity}))
        for place in some:
            is_here = place.uid in flags and DELETED not in flags[place.uid]
            there[place] = is_here if place.uidvalidity == uidvalidity else None
    return there


def _accept(context: PassContext, sighting: Sighting, record: Record, was: str | None) -> None:
    category = _meaning(context.rules, sighting.folder, was)
    context.journal.sightings.accept(sighting.id, record.id, was, category, context.clock.now())
    context.moved(was, category)
    details = {
        "mailbox": context.name,
        "uidvalidity": record.uidvalidity,
        "uid": record.uid,
        "was": was,
        "category": category,
        "folder": sighting.folder,
    }
    log.info("mail moved by a person", **{key: value for key, value in details.items() if value is not None})
