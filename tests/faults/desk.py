"""An inbox of awkward mails behind the proxy, a filer that works on it, and what must be true whatever went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.contract.test_mailbox import account
from tests.dovecot import MAILDIR, MAILDIRPP, MDBOX, PASSWORD, Layout
from tests.faults.proxy import Fault, FaultProxy
from tests.mail import MailServer, Outside, mail
from tests.rig import Office, rules, words_classifier

from cubbyd.errors import MailboxError
from cubbyd.filing import PassReport, Rules
from cubbyd.lifecycle import State
from cubbyd.mailbox import Account, Mailbox, open_mailbox
from cubbyd.testing import HandClock, WordClassifier

READ_SECONDS = 0.6
PATIENT_SECONDS = 30.0
DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A kind of server, and what is wanted of filing."""

    layout: Layout = MAILDIR
    capability: str = ""
    rules: Rules = field(default_factory=rules)

    @property
    def can_expunge_alone(self) -> bool:
        return not self.capability or "MOVE" in self.capability or "UIDPLUS" in self.capability


SETUPS = {
    "maildir": Setup(),
    "maildir, keywords too": Setup(rules=rules(label=True)),
    "maildir++": Setup(layout=MAILDIRPP),
    "mdbox": Setup(layout=MDBOX),
    "no MOVE": Setup(capability="IMAP4rev1 UIDPLUS NAMESPACE IDLE"),
    "no MOVE, no UIDPLUS": Setup(capability="IMAP4rev1"),
}

TWIN = mail("no milk", number=5)
MAILS = [
    (mail("ill again", number=1), "Absence"),
    (mail("ill, the same id", number=1), "Absence"),
    (mail("the invoice", number=2).replace(b"Message-ID: <2@example.com>\r\n", b""), "Billing"),
    (mail("ill with an 8-bit id", number=3).replace(b"<3@", b"<\xe4\xf6@"), "Absence"),
    (TWIN, "Meals"),
    (TWIN, "Meals"),
    (mail("the long invoice", number=6, body="word " * 20_000), "Billing"),
    (mail("hello", number=7), "INBOX"),
]
FOREIGN = "somebody deletes this"
WHERE = Counter({(folder, raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode()): 0 for raw, folder in MAILS})
for _raw, _folder in MAILS:
    WHERE[_folder, _raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode()] += 1
WHERE["INBOX", FOREIGN] = 1


@dataclass(slots=True)
class Patience:
    """How long an answer is waited for: briefly while something goes wrong on purpose, and else as long as a busy machine needs."""

    seconds: float = READ_SECONDS


@dataclass(slots=True, kw_only=True)
class Desk:
    """One account with the mails in it, reached through the proxy."""

    proxy: FaultProxy
    office: Office
    outside: Outside
    setup: Setup
    classifier: WordClassifier
    clock: HandClock
    patience: Patience

    def run(self) -> PassReport | MailboxError:
        """One pass; what ends it is given, and whatever waits is due at the next."""
        try:
            return self.office.run()
        except MailboxError as error:
            return error
        finally:
            self.clock.advance(DAY)

    def settle(self) -> None:
        """Two passes without faults: what was looked up in the first is filed in the second at the latest."""
        self.proxy.fault, self.patience.seconds = None, PATIENT_SECONDS
        for _ in range(2):
            report = self.run()
            assert isinstance(report, PassReport), report

    def check(self) -> None:
        """Look at the server from outside: every mail once, in its place; nothing read, nothing of others gone."""
        found = Counter((folder, subject) for folder, subjects in self.outside.everything().items() for subject in subjects)
        if not self.setup.can_expunge_alone:
            found -= Counter({(place, subject): number for (place, subject), number in self._our_marked().items()})
        assert found == WHERE, f"{(found - WHERE, WHERE - found)}"
        assert self.outside.seen() == 0
        asked = Counter(self.classifier.asked)
        assert all(number <= WHERE[_place(subject), subject] for subject, number in asked.items()), asked
        states = Counter(record.state for record in self.office.records())
        if not self.setup.can_expunge_alone:
            states[State.FILED] += states.pop(State.COPIED, 0)
        assert states == {State.FILED: len(MAILS) - 1, State.HELD: 1}, states

    def _our_marked(self) -> Counter[tuple[str, str]]:
        r"""Originals of copied mail that cannot be expunged alone: they wait, \Deleted, for a client's next expunge."""
        flags, subjects = self.outside.flags("INBOX"), self.outside.subjects("INBOX")
        marked = [
            subject
            for (_, own), subject in zip(sorted(flags.items()), subjects, strict=True)
            if "\\Deleted" in own and subject != FOREIGN
        ]
        return Counter(("INBOX", subject) for subject in marked)


def _place(subject: str) -> str:
    return next(folder for folder, name in WHERE if name == subject)


@contextmanager
def opened(server: MailServer, setup: Setup, user: str, state: Path, fault: Fault | None = None) -> Iterator[Desk]:
    """Fill an account, and put the proxy in front of it."""
    classifier, clock, patience = words_classifier(), HandClock(), Patience()
    with FaultProxy(server.port, fault) as proxy, Outside(server, user) as outside:
        outside.deliver(*(raw for raw, _ in MAILS), mail(FOREIGN, number=99))
        outside.store("INBOX", str(len(MAILS) + 1), "\\Deleted")
        who = account("127.0.0.1", proxy.port, user, PASSWORD)
        office = Office(
            state=state, connect=lambda: connect(who, patience), rules=setup.rules, classifier=classifier, clock=clock
        )
        yield Desk(
            proxy=proxy, office=office, outside=outside, setup=setup, classifier=classifier, clock=clock, patience=patience
        )


def connect(who: Account, patience: Patience) -> Mailbox:
    """Connect with less patience than a configuration may ask for, so that silence costs a test little."""
    seconds = {"read_timeout_seconds": patience.seconds, "connect_timeout_seconds": patience.seconds}
    section = who.section.model_copy(update=seconds)
    return open_mailbox(Account(name=who.name, section=section, password=who.password))
