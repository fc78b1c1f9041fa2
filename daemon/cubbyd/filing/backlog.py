"""Old mail: what was in the inbox before cubbyd first opened it.

It is counted then, and not put on record: what has a UID up to `backlog_uid` and no row is old mail. Where it is to be filed,
some of it is put on record at a time, the newest first, and only when nothing else waits. So the rows themselves say how far
it is done, whenever it stops, and what is held in memory is its UIDs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cubbyd.config import Backlog
from cubbyd.errors import MailboxUnavailable
from cubbyd.filing.apply import LOT
from cubbyd.filing.context import PassContext, log
from cubbyd.filing.judge import FETCH_AT_ONCE
from cubbyd.journal import Mark

SECONDS_A_DRAW = 2.0
"""How long a new mail may wait behind old mail."""

DRAWN_AT_ONCE = FETCH_AT_ONCE
"""Old mails between two looks for new mail, until it is known how long one takes."""

FEWEST_AT_ONCE = 10
SAID_EVERY_SECONDS = 60.0
WEIGHT = 0.1
"""How much the last draw counts in the pace: it follows a change within some twenty draws."""


def begin(context: PassContext, mark: Mark) -> int:
    """Tell old mail from new where an inbox is opened for the first time, or has a new UIDVALIDITY; give how many are new.

    At first all mail is old. Later what was received before the first opening is old: its UIDs mean nothing any more.
    What a server counts and does not list must not pass for new mail some day, so UIDNEXT has a say, where there is one.
    Raises MailboxUnavailable where it lists none of what it counts.
    """
    uids = context.mailbox.all_uids()
    if context.status.exists and not uids:
        counted = f"the server counts {context.status.exists} mails in {context.inbox} and lists none"
        raise MailboxUnavailable(f"mailbox {context.name}: {counted}; it is asked again")
    new = [] if mark.is_first_epoch else context.mailbox.all_uids(mark.begun_at)
    found = context.journal.record_scan(context.name, context.inbox, mark.uidvalidity, new, context.clock.now())
    total = len(set(uids) - set(new))
    last = max([*uids, *new, (context.status.uidnext or 1) - 1])
    context.journal.begin(context.name, context.inbox, backlog_uid=last, total=total)
    if total:
        log.info("old mail is counted", mailbox=context.name, mails=total, backlog=context.rules.backlog)
    return found


def draw_size(pace: float | None) -> int:
    """Choose how many old mails to draw, by the seconds that one takes: many need few commands, and new mail waits for them."""
    return min(LOT, max(FEWEST_AT_ONCE, int(SECONDS_A_DRAW / pace))) if pace else DRAWN_AT_ONCE


def since(backlog: Backlog | int, mark: Mark) -> datetime | None:
    """From when on old mail is meant; None: all of it."""
    if isinstance(backlog, Backlog) or mark.begun_at is None:
        return None
    return mark.begun_at - timedelta(days=backlog)


class OldMail:
    """The old mail of one inbox during one pass."""

    def __init__(self, context: PassContext) -> None:
        """Look at nothing yet."""
        self._context = context
        self._uids: list[int] | None = None
        self._last_draw: tuple[float, int] | None = None
        self._said_at: float | None = None

    def count(self, mark: Mark, everything: Sequence[int] | None = None) -> Mark:
        """Find what is left, and put its number on record; what is drawn later is drawn from this.

        `everything`: all UIDs of the inbox, where they are known already.
        """
        context, last = self._context, mark.backlog_uid or 0
        self._uids = []
        if last:
            known = context.journal.inbox_uids(context.name, context.inbox, mark.uidvalidity, 1)
            begins = since(context.rules.backlog, mark)
            here = everything if everything is not None and begins is None else context.mailbox.all_uids(begins)
            self._uids = [uid for uid in here if uid <= last and uid not in known]
        self._note(len(self._uids))
        if self._uids and context.rules.backlog is Backlog.IGNORE:
            log.info("old mail is left alone", mailbox=context.name, mails=len(self._uids))
        return replace(mark, backlog_left=len(self._uids))

    def is_wanted(self, mark: Mark) -> bool:
        """Tell whether there is anything to draw, or to say of what was drawn last."""
        return self._context.rules.backlog is not Backlog.IGNORE and bool(mark.backlog_left or self._last_draw)

    def draw(self, mark: Mark) -> int:
        """Put the next old mails on record, the newest first; give how many: none where all of it is done."""
        context = self._context
        if self._uids is None:
            self.count(mark)
        uids, drawn = self._uids or [], 0
        pace = self._pace(mark)
        size = draw_size(pace)
        while uids and not drawn:
            some = uids[-size:]
            del uids[-size:]
            drawn = context.journal.record_scan(context.name, context.inbox, mark.uidvalidity, some, context.clock.now())
        context.report.found += drawn
        self._last_draw = (context.clock.monotonic(), drawn) if drawn else None
        self._note(len(uids), pace)
        self._say(mark, len(uids) + drawn, pace)
        return drawn

    def _note(self, left: int, pace: float | None = None) -> None:
        self._context.report.backlog_left = left
        self._context.journal.note_backlog(self._context.name, self._context.inbox, left=left, pace=pace)

    def _pace(self, mark: Mark) -> float | None:
        """Give the seconds that a mail takes, from one draw to the next, new mail in between included; None: not known yet."""
        if self._last_draw is None:
            return mark.backlog_pace
        drawn_at, drawn = self._last_draw
        pace = (self._context.clock.monotonic() - drawn_at) / drawn
        return pace if mark.backlog_pace is None else (1 - WEIGHT) * mark.backlog_pace + WEIGHT * pace

    def _say(self, mark: Mark, left: int, pace: float | None) -> None:
        """Say how far it is: where it begins, every minute, and at its end."""
        now = self._context.clock.monotonic()
        if left and self._said_at is not None and now - self._said_at < SAID_EVERY_SECONDS:
            return
        self._said_at = now
        facts: dict[str, object] = {"mailbox": self._context.name, "of": mark.backlog_total}
        if left:
            facts |= {"left": left} | ({"seconds_left": round(left * pace)} if pace else {})
        log.info("old mail goes on" if left else "old mail is done", **facts)
