"""A facility's whole life with cubbyd, as Hypothesis plays it: mail comes, people work, everything breaks, and an admin undoes.

What must hold is asked from the outside: of the double of a mail server, of what the classifier was asked, of `status`.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from tests.crash.dying import Death, DyingJournal, Fuse
from tests.mail import mail
from tests.rig import FOLDERS, Office, words_classifier
from tests.undoing import subject

from cubbyd.config import Backlog
from cubbyd.errors import ClassifierUnavailable, CommandRefused, CubbydError, MailboxUnavailable
from cubbyd.filing import Rules
from cubbyd.filing.undo import UndoContext, survey, take_back
from cubbyd.journal import Journal, Record, Selection
from cubbyd.journal.store import DATABASE_NAME
from cubbyd.journal.upkeep import examine
from cubbyd.lifecycle import BEING_UNDONE, SETTLED, TOUCHED_BY_PEOPLE, UNFINISHED, WAITING
from cubbyd.message.identity import Fingerprint, fingerprint
from cubbyd.service.worker import Worker
from cubbyd.testing import DELETED, SEEN, FakeMessage, FakeServer, HandClock

INBOX, STAFF, FLAGGED = "INBOX", "Staff", "\\Flagged"
WORDS = {"ill": "absence", "invoice": "billing", "milk": "meals", "nothing": None}
DAY = 86_400
QUICK = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a commit waits for no disk: what survives a power cut is not asked here."""
COMMITS = (
    "open_folder", "record_scan", "begin", "begin_undo", "note_back", "note_backlog", "note_left", "claim", "identify",
    "advance", "postpone", "release", "poll_started", "poll_failed", "poll_succeeded",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Letter:
    """What is known of a mail without asking cubbyd."""

    raw: bytes
    received: datetime
    word: str
    is_old: bool
    """It was there before cubbyd had counted what was."""
    copies: int = 1
    """How often it was delivered and not deleted by a person."""
    place: str | None = None
    """Where a person wants it; None: cubbyd may have its way."""
    is_touched: bool = False
    """A person, or an undo, had a hand in it: cubbyd need not file it."""
    has_twin: bool = False
    """It was delivered more than once: nobody can tell which is which."""
    is_double: bool = False
    """It was in two places when its folder got new UIDs: nobody can tell one from the other, and nothing is removed."""
    flags: set[str] = field(default_factory=set)
    """What people put on it."""
    asks: int = 1
    """How often the classifier may be asked about it."""
    dragged_to: set[str] = field(default_factory=set)
    """Folders into which a person has put it."""

    @property
    def subject(self) -> str:
        return subject(self.raw)

    @property
    def identity(self) -> Fingerprint:
        return fingerprint(self.raw, self.received.isoformat())

    @property
    def folder(self) -> str | None:
        category = WORDS[self.word]
        return None if category is None else FOLDERS[category]


class Life:
    """One account on the double, one cubbyd, and what everybody did."""

    def __init__(self, rules: Rules, *, move: bool, uidplus: bool) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="cubbyd-life-", dir=QUICK)
        self.state = Path(self._directory.name) / "state"
        self.server = FakeServer(move=move, uidplus=uidplus)
        self.server.create(STAFF)
        self.server.fault = self._on_command
        self.clock = HandClock()
        self.classifier = words_classifier()
        self.rules, self.rules_used = rules, [rules]
        self.letters: dict[str, Letter] = {}
        self.is_counted = False
        self.is_full = False
        """The quota is used up."""
        self.failure: str | None = None
        """What the last pass ran into."""
        self._ticks, self._due = 0, 0
        self._event: Callable[[str], None] = lambda _name: None
        self._start()

    # --- cubbyd ------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.state.mkdir(mode=0o700, exist_ok=True)
        self._office = Office(state=self.state, connect=self.server.connect, clock=self.clock, classifier=self.classifier)
        self.journal = self._office.journal()
        (self.state / DATABASE_NAME).chmod(0o600)
        self._hire(self.journal)

    def _hire(self, journal: Journal) -> None:
        self._office.rules = self.rules
        filer = self._office.filer(journal)
        parts = {"name": "office", "open_mailbox": self.server.connect, "journal": journal, "clock": self.clock}
        self._worker = Worker(filer=filer, **parts)  # type: ignore[arg-type]

    def end(self) -> None:
        self.journal.close()
        self._directory.cleanup()

    def restart(self, rules: Rules | None = None) -> None:
        """End the program and begin it anew, with another configuration where there is one."""
        self._worker.disconnect()
        self.journal.close()
        if rules is not None:
            self.rules = rules
            self.rules_used.append(rules)
        self._start()

    def run(self) -> None:
        """One pass; it may break off."""
        self.clock.advance(1)
        self.failure = None
        try:
            report = self._worker.run_pass()
        except CubbydError as error:
            self.failure = str(error)
        else:
            self.failure = str(report.problems[0]) if report.problems else None
        self._due = 0
        outcome = self.journal.poll_outcome("office")
        assert outcome is not None
        assert outcome.error == self.failure, "a failure is on record at once, and only as long as it lasts"
        mark = self.journal.mark("office", INBOX)
        self.is_counted = self.is_counted or (mark is not None and mark.backlog_uid is not None)

    def run_until_death(self, burns_at: int) -> None:
        """One pass that dies at a commit; an answer that was not on disk yet may be asked for again."""
        fuse = Fuse(burns_at, Death)
        before = Counter(self.classifier.asked)
        self._hire(DyingJournal(self.journal, fuse, COMMITS))  # type: ignore[arg-type]
        with suppress(Death):
            self.run()
        self.forgive(Counter(self.classifier.asked) - before)
        self.restart()

    def forgive(self, asked: Counter[str]) -> None:
        """Let be asked again what was asked in vain: no decision of it is on record."""
        for name, times in asked.items():
            letter = self.letters[name]
            if not any(record.is_decided for record in self._on_record(letter)):
                letter.asks += times

    def undo(self, wanted: Selection, *, again: bool) -> None:
        """Take back what fits, as the command does it; it may break off."""
        self.clock.advance(1)
        mailbox = self.server.connect()
        context = UndoContext(name="office", inbox=INBOX, mailbox=mailbox, journal=self.journal, clock=self.clock)
        number = 0
        with suppress(CubbydError):
            found = survey(context, self.journal.undoable("office", wanted))
            number = self.journal.begin_undo(wanted, self.clock.now(), again=again)
            take_back(context, found, undo=number, again=again)
        self._due = 0
        mailbox.close()
        for letter in self.letters.values():
            undone = [record for record in self._on_record(letter) if record.undo_id]
            letter.is_touched |= bool(undone)
            letter.asks += len([record for record in undone if record.again and record.undo_id == number])

    def _on_record(self, letter: Letter) -> list[Record]:
        return self.journal.twins("office", [letter.identity]).get(letter.identity, [])

    # --- what happens on the way -------------------------------------------------------------------------------------

    def at_command(self, number: int, event: Callable[[str], None]) -> None:
        """Have something happen at the n-th command from now, counted before and after its effect."""
        self._ticks, self._due, self._event = 0, number, event

    def _on_command(self, name: str) -> None:
        if self.is_full and name in {"move", "copy"}:
            raise CommandRefused("no room", code="OVERQUOTA")
        self._ticks += 1
        if name == "move":
            self._before_move = {folder: dict(found.mails) for folder, found in self.server.folders.items()}
        if self._ticks == self._due:
            self._event(name)

    def cut(self, _name: str) -> None:
        raise MailboxUnavailable("the connection broke")

    def refuse(self, name: str) -> None:
        """Say NO, though it may be done."""
        if name.partition(":")[0] in {"move", "copy", "store", "expunge", "create"}:
            raise CommandRefused("something went wrong")

    def die_in_move(self, name: str) -> None:
        """End the server's session in the middle of a MOVE: what was copied is not removed yet."""
        if name != "move:done":
            raise MailboxUnavailable("killed")
        for folder, mails in self._before_move.items():
            here = self.server.folders[folder].mails
            for uid in sorted(mails.keys() - here.keys())[::2]:
                here[uid] = FakeMessage(mails[uid].raw, mails[uid].received_at, set(mails[uid].flags))
        raise MailboxUnavailable("killed")

    # --- mail and people ---------------------------------------------------------------------------------------------

    def deliver(self, word: str) -> None:
        raw = mail(f"letter {len(self.letters)}: {word}", number=len(self.letters))
        letter = Letter(raw=raw, received=self.clock.now(), word=word, is_old=not self.is_counted)
        mark = self.journal.mark("office", INBOX)
        letter.is_touched = letter.is_old and mark is not None  # by its date it is new, by its UID it is old
        self.letters[letter.subject] = letter
        self.server.deliver(raw, letter.received)

    def deliver_again(self, name: str) -> None:
        """Deliver a mail once more that differs in nothing: of the two, one cannot be told from the other."""
        letter = self.letters[name]
        letter.copies, letter.place, letter.is_touched, letter.has_twin = letter.copies + 1, None, True, True
        letter.asks += 1
        self.server.deliver(letter.raw, letter.received)

    def places(self) -> dict[str, list[tuple[str, int]]]:
        """Where each mail lies, by its subject; originals that wait \\Deleted for an expunge are not counted."""
        found: dict[str, list[tuple[str, int]]] = {name: [] for name in self.letters}
        for folder, holds in self.server.folders.items():
            for uid, one in holds.mails.items():
                found[subject(one.raw)].append((folder, uid))
        if not self.server.uidplus:
            found = {name: self._without_ours(name, places) for name, places in found.items()}
        return found

    def _without_ours(self, name: str, places: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Leave out what cubbyd marked and cannot expunge alone."""
        marked = [place for place in places if place[0] == INBOX and self._is_marked(*place)]
        ours = marked[: max(0, len(places) - self.letters[name].copies)]
        return [place for place in places if place not in ours]

    def _is_marked(self, folder: str, uid: int) -> bool:
        return DELETED in self.server.folders[folder].mails[uid].flags

    def takable(self, folder: str | None = None) -> list[tuple[str, int]]:
        """What a person may take: mail that is where it is, and nowhere else."""
        places = self.places()
        return sorted(
            place
            for name, letter in self.letters.items()
            if len(places[name]) == letter.copies and not letter.is_double
            for place in places[name]
            if (folder is None or place[0] == folder) and not self._is_marked(*place)
        )

    def _letter_at(self, folder: str, uid: int) -> Letter:
        return self.letters[subject(self.server.folders[folder].mails[uid].raw)]

    def drag(self, folder: str, uid: int, target: str) -> None:
        """A person moves a mail. What goes back to the inbox after cubbyd filed it is to stay there."""
        letter = self._letter_at(folder, uid)
        letter.is_touched = True
        letter.dragged_to.add(target)
        letter.place = target if not letter.has_twin and target != letter.folder else None
        if target == INBOX and not self._was_filed(letter):
            letter.place = None
        self.server.drag(uid, folder, target)

    def _was_filed(self, letter: Letter) -> bool:
        """Tell whether the last thing on record of it is that it has left the inbox."""
        known = self._on_record(letter)
        left = TOUCHED_BY_PEOPLE | SETTLED
        return bool(known) and known[0].state in left and (known[0].state in TOUCHED_BY_PEOPLE or bool(known[0].target_folder))

    def delete(self, folder: str, uid: int) -> None:
        """A person deletes a mail for good."""
        letter = self._letter_at(folder, uid)
        letter.copies, letter.is_touched = letter.copies - 1, True
        del self.server.folders[folder].mails[uid]

    def mark(self, folder: str, uid: int, flag: str) -> None:
        """A person reads a mail, stars it, or marks it as deleted."""
        letter = self._letter_at(folder, uid)
        letter.flags.add(flag)
        letter.is_touched = letter.is_touched or flag == DELETED
        self.server.folders[folder].mails[uid].flags.add(flag)

    def take_off_marks(self) -> None:
        """People think better of what they marked as deleted."""
        for holds in self.server.folders.values():
            for one in holds.mails.values():
                if DELETED in self.letters[subject(one.raw)].flags:
                    one.flags.discard(DELETED)
        for letter in self.letters.values():
            letter.flags.discard(DELETED)

    def renumber(self, folder: str) -> None:
        places = self.places()
        for name, letter in self.letters.items():
            letter.is_double |= len(places[name]) > letter.copies
        self.server.renumber(folder)

    def can_go(self, folder: str) -> bool:
        """Tell whether a person may delete a folder: all that is in it is there alone."""
        return set(self.takable(folder)) == {(folder, uid) for uid in self.server.folders[folder].mails}

    def remove_folder(self, folder: str) -> None:
        """A person deletes a folder with all that is in it."""
        for uid in list(self.server.folders[folder].mails):
            self.delete(folder, uid)
        del self.server.folders[folder]

    # --- what must hold ----------------------------------------------------------------------------------------------

    def check_always(self) -> None:
        """Whatever has just broken: nothing is lost, altered, read, or asked about twice."""
        for name, found in self.places().items():
            assert len(found) >= self.letters[name].copies, f"{name} is lost: {found}"
        for folder, uid in self._everywhere():
            one = self.server.folders[folder].mails[uid]
            letter = self._letter_at(folder, uid)
            assert one.raw == letter.raw
            assert (SEEN in one.flags) <= (SEEN in letter.flags), f"{letter.subject} was read by nobody"
        for name, times in Counter(self.classifier.asked).items():
            assert times <= self.letters[name].asks, f"{name} was asked about {times} times"

    def _everywhere(self) -> list[tuple[str, int]]:
        return [(folder, uid) for folder, holds in self.server.folders.items() for uid in holds.mails]

    def settle(self, rules: Rules) -> None:
        """Everything works again, and some time goes by."""
        self.is_full, self._due, self.classifier.outage = False, 0, None
        if self.rules.observe:
            self.restart(rules)
        self.journal.retry_quarantined("office", self.clock.now())
        for _ in range(4):
            self.clock.advance(DAY)
            self.run()
            assert self.failure is None, self.failure

    def check_settled(self) -> None:
        """After clean passes each mail is in one place, the right one, and `cubbyd state check` has nothing against it."""
        for name, found in self.places().items():
            letter = self.letters[name]
            assert len(found) == letter.copies or letter.is_double, f"{name}: {found}, and {letter.copies} there should be"
            for folder, uid in found:
                self._check_place(letter, folder, uid)
        self._check_corrections()
        faults = [finding.what for finding in examine(self.state, ["office"]) if finding.is_fault]
        assert not faults, faults
        states = self.journal.counts("office")
        unfinished = {state for state in states if state in BEING_UNDONE | (UNFINISHED if self.server.uidplus else set())}
        assert not unfinished, states
        waits = self.journal.wait("office", WAITING)
        assert waits is None, waits

    def _check_corrections(self) -> None:
        """What is taken for a person's move is one."""
        by_identity = {letter.identity: letter for letter in self.letters.values()}
        for sighting in self.journal.sightings.accepted(
            "office", self.clock.now() - 10_000 * timedelta(days=1), self.clock.now()
        ):
            letter = by_identity[sighting.fingerprint]
            assert sighting.folder in letter.dragged_to or letter.is_double, (
                f"nobody put {letter.subject} into {sighting.folder}"
            )

    def _check_place(self, letter: Letter, folder: str, uid: int) -> None:
        flags = self.server.folders[folder].mails[uid].flags
        if not letter.has_twin and not letter.is_double:
            assert letter.flags <= flags, f"{letter.subject} has lost {letter.flags - flags}"
        if letter.place is not None:
            assert letter.is_double or folder == letter.place, (
                f"{letter.subject} is in {folder}; a person put it into {letter.place}"
            )
            return
        ours = {INBOX, *(filter(None, [letter.folder, *(rules.review_folder for rules in self.rules_used)]))}
        assert folder in ours or letter.has_twin or letter.is_double, f"{letter.subject} is in {folder}"
        if letter.is_touched:
            return
        if letter.is_old and self.rules.backlog is Backlog.IGNORE:
            assert (folder, flags & {"cubbyd-absence"}) == (INBOX, set()), f"{letter.subject} is old and was filed"
        elif letter.folder and all(rules.move or rules.observe for rules in self.rules_used):
            assert folder == letter.folder, f"{letter.subject} is in {folder}"
        elif letter.folder:
            labels = {flag for flag in flags if flag.startswith("cubbyd-")}
            assert folder == letter.folder or labels == {f"cubbyd-{WORDS[letter.word]}"}, f"{letter.subject}: {labels}"


def outage() -> ClassifierUnavailable:
    return ClassifierUnavailable("nobody answers")
