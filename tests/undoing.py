"""An office whose filed mail is taken back: four mails on the double, and an undo as the command does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from tests.mail import RECEIVED, mail
from tests.rig import Office

from cubbyd.filing.undo import Found, UndoContext, survey, take_back
from cubbyd.journal import Selection
from cubbyd.lifecycle import State
from cubbyd.testing import DELETED, FakeServer, HandClock

MAILS = {"ill again": "Absence", "ill today": "Absence", "the invoice": "Billing", "hello": "INBOX"}
ALL = Selection(since=RECEIVED - timedelta(days=365))


def server(*, move: bool = True, uidplus: bool = True) -> FakeServer:
    made = FakeServer(move=move, uidplus=uidplus)
    for number, subject in enumerate(MAILS):
        made.deliver(mail(subject, number=number), RECEIVED)
    return made


def later(office: Office, seconds: float = 60) -> None:
    assert isinstance(office.clock, HandClock)
    office.clock.advance(seconds)


def subject(raw: bytes) -> str:
    return raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode()


def places(found: FakeServer) -> Counter[tuple[str, str]]:
    return Counter((name, subject(one.raw)) for name, folder in found.folders.items() for one in folder.mails.values())


def flags(found: FakeServer, folder: str) -> dict[str, set[str]]:
    return {subject(one.raw): one.flags for one in found.folders[folder].mails.values()}


def with_context(office: Office, work: Callable[[UndoContext], None]) -> UndoContext:
    journal, mailbox = office.journal(), office.connect()
    context = UndoContext(name="office", inbox="INBOX", mailbox=mailbox, journal=journal, clock=office.clock)
    try:
        work(context)
    finally:
        mailbox.close()
        journal.close()
    return context


def look(office: Office, wanted: Selection = ALL) -> list[Found]:
    seen: list[Found] = []
    with_context(office, lambda context: seen.extend(survey(context, context.journal.undoable("office", wanted))))
    return seen


def undo(office: Office, wanted: Selection = ALL, *, again: bool = False) -> UndoContext:
    def work(context: UndoContext) -> None:
        where = survey(context, context.journal.undoable("office", wanted))
        number = context.journal.begin_undo(wanted, office.clock.now(), again=again)
        take_back(context, where, undo=number, again=again)

    context = with_context(office, work)
    later(office)
    return context


def states(office: Office) -> Counter[State]:
    return Counter(record.state for record in office.records())


def live(found: FakeServer) -> Counter[tuple[str, str]]:
    """Where mail lies that is not marked as deleted: without UIDPLUS our originals stay, marked."""
    return Counter(
        (name, subject(one.raw))
        for name, folder in found.folders.items()
        for one in folder.mails.values()
        if DELETED not in one.flags
    )
