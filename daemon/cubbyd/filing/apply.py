"""Steps 8 to 10 of the way of one mail: plan, apply, settle.

The intent is on disk before the mailbox is touched, and between two commits the mailbox is touched once. What the server
does not confirm is looked up, never repeated blindly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, assert_never

from cubbyd.errors import CommandRefused
from cubbyd.filing.context import PassContext
from cubbyd.filing.decision import Decision, reconsider
from cubbyd.filing.plan import FLAGGED, Label, Relocate, plan
from cubbyd.filing.recover import finish_copies, recover, settle
from cubbyd.journal import Change, Record
from cubbyd.lifecycle import State
from cubbyd.mailbox import FolderStatus
from cubbyd.taxonomy import CategoryId

LOT = 500
"""Mails that are filed together: grouped by target they make few commands; then new mail is looked for."""

MOVE_AT_ONCE = 50
"""Mails in one MOVE: what a cut connection leaves to be looked up."""

REFUSED_PAUSE = timedelta(minutes=5)
"""The wait after the server refused to file a mail: a full quota or a missing right does not mend itself in seconds."""

TAKEN_MEANWHILE: Final = "EXPUNGEISSUED"
"""RFC 5530, 3: some of the mails that a command names were expunged by another client."""


@dataclass(frozen=True, slots=True)
class Route:
    """What is to be done with a group of mails: keywords, a folder, or both."""

    keywords: tuple[str, ...]
    folder: str | None


def file_some(context: PassContext) -> int:
    """File the next decided mails; give how many were taken in hand. Raises MailboxError's kinds."""
    waiting = context.journal.waiting(context.name, State.DECIDED, context.clock.now(), LOT)
    groups: dict[Route, list[Record]] = defaultdict(list)
    for record in waiting:
        decision = reconsider(_decision(record), context.rules.taxonomy)
        current = replace(record, category=decision.category, hold=decision.hold, others=decision.others)
        groups[_route(context, decision)].append(current)
    for route, records in groups.items():
        for start in range(0, len(records), MOVE_AT_ONCE):
            if context.should_stop():
                return len(waiting)
            _file(context, route, records[start : start + MOVE_AT_ONCE])
    return len(waiting)


def _decision(record: Record) -> Decision:
    return Decision(
        category=record.category,
        probability=record.probability or 0.0,
        hold=record.hold or None,
        others=tuple(map(CategoryId, record.others or ())),
        stays=bool(record.stays),
        urgent=record.urgent or "",
    )


def _route(context: PassContext, decision: Decision) -> Route:
    keywords: list[str] = []
    folder = None
    for action in plan(decision, context.rules):
        match action:
            case Label():
                keywords.append(action.keyword)
            case Relocate():
                folder = action.folder
            case _:
                assert_never(action)
    if folder and not context.status.keywords_allowed:
        keywords = [keyword for keyword in keywords if keyword == FLAGGED]  # `cubbyd check` says so; staff see the folder
    return Route(tuple(keywords), folder)


def _file(context: PassContext, route: Route, records: Sequence[Record]) -> None:
    if route == Route((), None):
        _settle_in_place(context, records)
        return
    try:
        target = _open_target(context, route)
    except CommandRefused as error:
        _put_off(context, records, error)
        return
    planned = _plan(context, route, target, records)
    try:
        unconfirmed = _act(context, route, planned)
    except CommandRefused as error:
        recover(context)
        _put_off(context, planned, error)
        return
    ignored = recover(context) if unconfirmed else []
    if ignored:
        said = f"the server said OK and did not move {len(ignored)} mails to {route.folder}; they wait in {context.inbox}"
        _put_off(context, ignored, CommandRefused(f"mailbox {context.name}: {said}"))


def _plan(context: PassContext, route: Route, target: FolderStatus | None, records: Sequence[Record]) -> list[Record]:
    """Put the intent on disk."""
    keyword = " ".join(route.keywords) or None
    intent = {
        "keyword": keyword,
        "target_folder": route.folder,
        "target_uidvalidity": target.uidvalidity if target else None,
        "target_uid_from": target.uidnext if target else None,
        "run": context.run,
    }
    changes = [Change(id=record.id, to=State.PLANNED, fields={**intent, **_outcome(record)}) for record in records]
    context.journal.advance(changes, context.clock.now())
    return [
        replace(
            record,
            state=State.PLANNED,
            keyword=keyword,
            target_folder=route.folder,
            target_uidvalidity=target.uidvalidity if target else None,
            target_uid_from=target.uidnext if target else None,
        )
        for record in records
    ]


def _outcome(record: Record) -> dict[str, Any]:
    """Give what was decided, as it stands now: on record it may be a category that is no longer there."""
    return {"category": record.category, "hold": record.hold, "others": list(record.others or ())}


def _settle_in_place(context: PassContext, records: Sequence[Record]) -> None:
    changes = [Change(id=record.id, to=State.HELD, fields=_outcome(record)) for record in records]
    context.journal.advance(changes, context.clock.now())
    for record in records:
        context.note(record, State.HELD)


def _open_target(context: PassContext, route: Route) -> FolderStatus | None:
    """Make sure of the target folder, and learn from which UID on our mail will lie there."""
    if any(keyword != FLAGGED for keyword in route.keywords) and not context.status.keywords_allowed:
        raise CommandRefused(
            f'mailbox {context.name}: the server keeps no keywords in {context.inbox}; set action = "move" in [filing]'
        )
    if route.folder is None:
        return None
    if route.folder not in context.targets:
        context.mailbox.ensure_folder(route.folder)
        status = context.mailbox.status(route.folder)
        if status is None:
            raise CommandRefused(f"mailbox {context.name}: folder {route.folder!r} was created and is not listed")
        context.targets[route.folder] = status
    return context.targets[route.folder]


def _act(context: PassContext, route: Route, records: Sequence[Record]) -> bool:
    """Touch the mailbox and settle what the server confirms; tell whether it left anything unconfirmed."""
    uids = [record.uid for record in records]
    for keyword in route.keywords:
        if not context.mailbox.add_keyword(uids, keyword) and keyword != FLAGGED:
            if route.folder is None:
                raise CommandRefused(
                    f'mailbox {context.name}: the server dropped the keyword {keyword}; set action = "move" in [filing]'
                )
            context.remark_dropped(keyword)
    if route.folder is None:
        still_there = context.mailbox.present(uids)
        done: list[tuple[Record, int | None]] = [(record, None) for record in records if record.uid in still_there]
        settle(context, done)
    elif context.mailbox.capabilities.move:
        moved = context.mailbox.move(uids, route.folder)
        done = [(record, moved[record.uid]) for record in records if record.uid in moved]
        settle(context, done)
        _raise_bound(context, route.folder, moved.values())
    else:
        copied = context.mailbox.copy(uids, route.folder)
        done = [(record, copied[record.uid]) for record in records if record.uid in copied]
        finish_copies(context, done)
    return len(done) < len(records)


def _raise_bound(context: PassContext, folder: str, uids: Iterable[int]) -> None:
    """Remember that the next mail in the target will have a higher UID than those that just came in."""
    target = context.targets[folder]
    context.targets[folder] = replace(target, uidnext=max([target.uidnext or 1, *(uid + 1 for uid in uids)]))


def _put_off(context: PassContext, records: Sequence[Record], error: CommandRefused) -> None:
    """Leave mail decided that the server would not file, say so once, and try again later.

    At the next pass already where a person was quicker with one of them, for which the server moved none.
    """
    until = None if error.code == TAKEN_MEANWHILE else context.clock.now() + REFUSED_PAUSE
    context.journal.postpone([record.id for record in records], until=until, error=str(error))
    context.problem(error)
