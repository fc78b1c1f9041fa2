"""One pass over one mailbox: recover, scan, judge, file, until nothing is left to do or a stop is asked for."""

from __future__ import annotations

from collections.abc import Callable

from cubbyd.classify.protocol import Classifier
from cubbyd.clock import Clock
from cubbyd.errors import ClassifierUnavailable
from cubbyd.filing.apply import LOT, file_some
from cubbyd.filing.backlog import OldMail, begin
from cubbyd.filing.context import PassContext, PassReport
from cubbyd.filing.correction import Watch
from cubbyd.filing.judge import FETCH_AT_ONCE, OUTAGE, PART_OUTAGE, judge_some
from cubbyd.filing.plan import Rules
from cubbyd.filing.recover import recover
from cubbyd.filing.undo import UndoContext, finish
from cubbyd.journal import Change, Journal, Mark, Record
from cubbyd.lifecycle import State
from cubbyd.mailbox import Mailbox


class Filer:
    """Files the mail of one mailbox; keeps nothing but what the journal keeps, and what it has complained of."""

    def __init__(  # noqa: PLR0913  (the parts, each with its name)
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
        noted: Callable[[Record, State, bool], None] = lambda *_: None,
        moved: Callable[[str | None, str | None], None] = lambda *_: None,
    ) -> None:
        """Take the parts; `should_stop` is asked between mails and ends a pass cleanly.

        `progress` hears of each lot, `noted` of each mail and what became of it, and whether it is old mail, and `moved` of
        each that a person moved: from which category to which.
        """
        self._name, self._inbox, self._rules = name, inbox, rules
        self._journal, self._classifier, self._clock, self._should_stop = journal, classifier, clock, should_stop
        self._progress, self._noted, self._moved = progress, noted, moved
        self._unwatched: set[str] = set()

    def run(self, mailbox: Mailbox, *, full_scan: bool = False, watch: Callable[[], bool] = lambda: False) -> PassReport:
        """Do one pass over an open connection.

        With full_scan, compare the whole inbox with the record, so that a mail below the watermark is found too. Whether it
        is time to look for mail that people moved is asked of `watch`, in long passes again and again.
        Nothing is touched where a stop was asked for before it begins: another may be at work on the mailbox by now.
        Raises MailboxError's kinds; the journal then knows what was in hand, and the next pass settles it.
        """
        if self._should_stop():
            return PassReport(was_stopped=True)
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
            noted=self._noted,
            moved=self._moved,
            unwatched=self._unwatched,
            status=status,
        )
        context.report.problems += begun.problems
        if not self._rules.observe:
            recover(context)
        old_mail, people = OldMail(context), Watch(context, watch)
        self._scan(context, old_mail, full_scan=full_scan)
        self._work(context, old_mail, people)
        people.end()
        context.report.was_stopped = self._should_stop()
        return context.report

    def _scan(self, context: PassContext, old_mail: OldMail, *, full_scan: bool) -> Mark:
        """Put new mail on record, and on the way what is old mail in an inbox that was not opened before."""
        name, inbox, now = self._name, self._inbox, self._clock.now()
        mark = self._journal.open_folder(name, inbox, context.status.uidvalidity, now)
        is_new = mark.backlog_uid is None
        if is_new:
            context.report.found += begin(context, mark)
            mark = self._journal.open_folder(name, inbox, mark.uidvalidity, now)
        uids = context.mailbox.all_uids() if full_scan else context.mailbox.uids_above(mark.last_uid)
        new = [uid for uid in uids if uid > (mark.backlog_uid or 0)]
        context.report.found += self._journal.record_scan(name, inbox, mark.uidvalidity, new, now)
        if full_scan:
            self._journal.note_left(name, inbox, mark.uidvalidity, uids, now)
            self._let_go(context)
        if full_scan or is_new:
            mark = old_mail.count(mark, uids if full_scan else None)
        context.mark = mark
        return mark

    def _let_go(self, context: PassContext) -> None:
        """Settle quarantined mail that a person has taken out of the inbox: nobody waits for it any more."""
        waiting = [one for one in self._journal.quarantined(self._name) if one.uidvalidity == context.status.uidvalidity]
        present = context.mailbox.present([one.uid for one in waiting]) if waiting else set()
        gone = [one for one in waiting if one.uid not in present]
        self._journal.advance([Change(id=one.id, to=State.GONE) for one in gone], self._clock.now())
        for one in gone:
            context.note(one, State.GONE)

    def _work(self, context: PassContext, old_mail: OldMail, people: Watch) -> None:
        """Judge and file in turns, so that filing begins early and new mail is met on the way; old mail waits for all other."""
        is_answering = True
        while not self._should_stop():
            judged = 0
            if is_answering:
                judged, is_answering = self._judge_lot(context)
            filed = 0 if self._rules.observe else file_some(context)
            if judged or filed:
                people.go_on()
            if context.report.is_cut:
                break
            if judged >= FETCH_AT_ONCE:
                self._scan(context, old_mail, full_scan=False)
            elif not judged and not filed and not self._find_more(context, old_mail):
                break
        if context.report.classified:
            self._journal.release(self._name, OUTAGE)
        if context.report.has_recovered:
            self._journal.release(self._name, PART_OUTAGE)

    def _judge_lot(self, context: PassContext) -> tuple[int, bool]:
        """Judge the next mails; give how many, and whether the classifier answers."""
        judged = 0
        while judged < LOT and not self._should_stop():
            try:
                some = judge_some(context)
            except ClassifierUnavailable as error:
                context.problem(error)
                return judged, False
            judged += some
            if some < 1:
                break
        return judged, True

    def _find_more(self, context: PassContext, old_mail: OldMail) -> bool:
        """Where nothing waits any more: look for new mail once more, and where there is none, draw old mail.

        Not after something went wrong: what the server or the classifier refuses today would pile up.
        """
        if context.mark is None or not old_mail.is_wanted(context.mark) or context.report.problems or self._should_stop():
            return False
        before = context.report.found
        mark = self._scan(context, old_mail, full_scan=False)
        return context.report.found > before or old_mail.draw(mark) > 0
