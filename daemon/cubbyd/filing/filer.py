"""One pass over one mailbox: recover, scan, judge, file, until nothing is left to do or a stop is asked for."""

from __future__ import annotations

from collections.abc import Callable

from cubbyd.classify.protocol import Classifier
from cubbyd.clock import Clock
from cubbyd.errors import ClassifierUnavailable
from cubbyd.filing.apply import LOT, file_some
from cubbyd.filing.context import PassContext, PassReport
from cubbyd.filing.judge import FETCH_AT_ONCE, OUTAGE, PART_OUTAGE, judge_some
from cubbyd.filing.plan import Rules
from cubbyd.filing.recover import recover
from cubbyd.filing.undo import UndoContext, finish
from cubbyd.journal import Change, Journal
from cubbyd.lifecycle import State
from cubbyd.mailbox import Mailbox


class Filer:
    """Files the mail of one mailbox; keeps nothing but what the journal keeps."""

    def __init__(
        self,
        *,
        name: str,
        inbox: str,
        rules: Rules,
        journal: Journal,
        classifier: Classifier,
        clock: Clock,
        should_stop: Callable[[], bool] = lambda: False,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the parts; `should_stop` is asked between mails and ends a pass cleanly; `progress` hears of each lot."""
        self._name, self._inbox, self._rules = name, inbox, rules
        self._journal, self._classifier, self._clock, self._should_stop = journal, classifier, clock, should_stop
        self._progress = progress

    def run(self, mailbox: Mailbox, *, full_scan: bool = False) -> PassReport:
        """Do one pass over an open connection.

        With full_scan, compare the whole inbox with the record, so that a mail below the watermark is found too.
        Raises MailboxError's kinds; the journal then knows what was in hand, and the next pass settles it.
        """
        begun = UndoContext(name=self._name, inbox=self._inbox, mailbox=mailbox, journal=self._journal, clock=self._clock)
        if not self._rules.observe:
            finish(begun)
        status = mailbox.select(self._inbox, read_only=self._rules.observe)
        context = PassContext(
            name=self._name,
            inbox=self._inbox,
            rules=self._rules,
            mailbox=mailbox,
            journal=self._journal,
            classifier=self._classifier,
            clock=self._clock,
            should_stop=self._should_stop,
            progress=self._progress,
            status=status,
        )
        context.report.problems += begun.problems
        if not self._rules.observe:
            recover(context)
        self._scan(context, full_scan=full_scan)
        self._work(context)
        context.report.was_stopped = self._should_stop()
        return context.report

    def _scan(self, context: PassContext, *, full_scan: bool) -> None:
        now, uidvalidity = self._clock.now(), context.status.uidvalidity
        last_uid, has_changed = self._journal.open_folder(self._name, self._inbox, uidvalidity, now)
        uids = context.mailbox.all_uids() if full_scan or has_changed or last_uid == 0 else context.mailbox.uids_above(last_uid)
        context.report.found += self._journal.record_scan(self._name, self._inbox, uidvalidity, uids, now)
        if full_scan:
            self._journal.note_left(self._name, self._inbox, uidvalidity, uids, now)
            self._let_go(context)

    def _let_go(self, context: PassContext) -> None:
        """Settle quarantined mail that a person has taken out of the inbox: nobody waits for it any more."""
        waiting = [one for one in self._journal.quarantined(self._name) if one.uidvalidity == context.status.uidvalidity]
        present = context.mailbox.present([one.uid for one in waiting]) if waiting else set()
        gone = [one for one in waiting if one.uid not in present]
        self._journal.advance([Change(id=one.id, to=State.GONE) for one in gone], self._clock.now())
        for one in gone:
            context.note(one, State.GONE)

    def _work(self, context: PassContext) -> None:
        """Judge and file in turns, so that filing begins early and new mail is met on the way."""
        is_answering = True
        while not self._should_stop():
            judged = 0
            while is_answering and judged < LOT and not self._should_stop():
                try:
                    some = judge_some(context)
                except ClassifierUnavailable as error:
                    context.problem(error)
                    is_answering = False
                    break
                judged += some
                if some < 1:
                    break
            filed = 0 if self._rules.observe else file_some(context)
            if not judged and not filed:
                break
            if judged >= FETCH_AT_ONCE:
                self._scan(context, full_scan=False)
        if context.report.classified:
            self._journal.release(self._name, OUTAGE)
        if context.report.has_recovered:
            self._journal.release(self._name, PART_OUTAGE)
