"""The digest: what it says, that it says nothing of anybody's mail, and that it goes out once, whatever dies on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from tests.mail import mail
from tests.rig import Office, rules, words_classifier
from tests.unit.configuration import load
from tests.watched import STOPPED

from cubbyd.config import Config
from cubbyd.errors import ClassifierRejected, ClassifierUnavailable, CommandRefused, MailboxUnavailable, NeedsPerson
from cubbyd.filing import Hold
from cubbyd.journal import Expense, Journal
from cubbyd.lifecycle import State
from cubbyd.message.own import is_digest
from cubbyd.service.digest import Facts, as_html, as_text, compose, gather, subject_of
from cubbyd.service.postman import RETRY_SECONDS, Postman
from cubbyd.service.worker import Worker
from cubbyd.testing import FakeServer, HandClock, WordClassifier

DAY = timedelta(days=1)
DIGEST = '[digest]\nevery = "day"\nat = "06:30"\ntime_zone = "UTC"\n[state]\ndirectory = "state"'
MORNING = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


@dataclass(slots=True)
class House:
    """An office with its digests, on a server in memory."""

    folder: Path
    clock: HandClock = field(default_factory=lambda: HandClock(MORNING - timedelta(hours=20)))
    server: FakeServer = field(default_factory=FakeServer)
    classifier: WordClassifier = field(default_factory=words_classifier)
    config: Config = field(init=False)
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        more = '[[categories]]\nid = "meals"\ncode = 3\nname = "Meals"'
        self.config = load(self.folder / "cubbyd.toml", DIGEST, second=more)
        self.journal = self._office().journal()

    def _office(self) -> Office:
        return Office(
            state=self.folder / "state",
            connect=self.server.connect,
            clock=self.clock,
            rules=rules(attempts=1),
            classifier=self.classifier,
        )

    def deliver(self, *subjects: str) -> None:
        for number, subject in enumerate(subjects):
            self.server.deliver(mail(subject, number=number), self.clock.now())

    def worker(self) -> Worker:
        """As the daemon makes one at each start: nothing is remembered but what is on the disk."""
        postman = Postman("office", self.config, self.journal, self.clock)
        filer = self._office().filer(self.journal)
        return Worker(
            name="office",
            open_mailbox=self.server.connect,
            filer=filer,
            journal=self.journal,
            clock=self.clock,
            postman=postman,
        )

    def passes(self) -> None:
        self.worker().run_pass()

    def sent(self) -> list[EmailMessage]:
        folder = self.server.folders.get("Digest")
        return [message_from_bytes(one.raw, policy=default) for one in (folder.mails.values() if folder else ())]

    def facts(self, **changes: object) -> Facts:
        now = self.clock.now()
        facts = gather(self.config, self.journal, "office", now - DAY, now + DAY, now)
        return replace(facts, **changes)  # type: ignore[arg-type]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    with closing(made.journal):
        yield made


# --- what it says ------------------------------------------------------------------------------------------------------


def test_it_says_what_was_filed_by_category_and_what_was_held_and_why(house: House) -> None:
    house.deliver("ill", "ill too", "the invoice", "hello", "milk")
    house.passes()
    text = as_text(house.facts())

    assert "FILED: 4\n  Absence        2\n  Billing        1\n  Meals          1\n" in text
    assert "HELD FOR PEOPLE: 1\n  the classifier was not sure enough        1\n" in text
    assert "1 mail in the inbox that cubbyd leaves to people" in text
    assert "No mail is still to be handled." in text
    assert subject_of(house.facts()) == "cubbyd, office: 4 filed, 1 held, 1 thing needs a person"


def test_a_day_without_mail_says_so(house: House) -> None:
    house.passes()

    assert "Nothing does." in as_text(house.facts())
    assert "Nothing was filed." in as_text(house.facts())
    assert subject_of(house.facts()) == "cubbyd, office: 0 filed, 0 held, nothing needs a person"


def test_what_needs_a_person_comes_first_with_what_to_do(house: House) -> None:
    house.classifier = words_classifier(strange=ClassifierRejected("lettuce"), bruise=NeedsPerson("lettuce"))
    house.deliver("strange", "the bruise")
    house.passes()
    view = replace(house.facts().view, trouble=replace(STOPPED, way_out="start it"))
    text = as_text(house.facts(view=view))

    first = text.partition("FILED")[0]
    assert "Filing has stopped: Connection refused. What to do: start it." in first
    assert "1 mail marked as urgent came in" in first
    assert "1 mail failed again and again and stayed in the inbox" in first
    assert "a rule or the classifier asks for a person" in text
    assert "lettuce" not in text, "a classifier's own words may be of the mail"


def test_what_people_corrected_is_told(house: House) -> None:
    house.deliver("ill", "the invoice", "milk")
    house.passes()
    house.clock.advance(60)
    house.server.drag(1, "Absence", "INBOX")
    house.server.drag(1, "Billing", "Meals")
    for _ in range(3):
        house.clock.advance(600)
        house.passes()
    text = as_text(house.facts())

    assert "CORRECTED\n  Billing -> Meals                           1\n  put back into the inbox by a person        1\n" in text
    assert "HELD" not in text


def test_what_the_answers_cost_is_said_where_they_cost_anything(house: House) -> None:
    house.passes()
    paid = as_text(house.facts(expense=Expense(answers=3, tokens=1_234, money=0.12)))

    assert "1,234 tokens for 3 mails cost 0.12, in the currency of the configured prices." in paid
    unpriced = as_text(house.facts(expense=Expense(answers=1, tokens=9, money=0.0)))
    assert "9 tokens for 1 mail have no price in the configuration." in unpriced
    assert "COST" not in as_text(house.facts())


def test_it_is_a_right_mail_in_text_and_html_without_a_word_of_anybodys_mail(house: House) -> None:
    house.deliver("Secretname is ill", "Secretname")
    house.passes()
    raw = compose(house.facts(), "office@example.org")
    made = message_from_bytes(raw, policy=default)
    assert isinstance(made, EmailMessage)

    assert made["To"] == "office@example.org"
    assert made["Auto-Submitted"] == "auto-generated"
    assert made.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in made.iter_parts()] == ["text/plain", "text/html"]
    for word in (b"Secretname", b"ann@example.com", b"Good morning"):
        assert word not in raw
    assert is_digest(raw)
    assert all(len(line) <= 998 for line in raw.split(b"\r\n")), "RFC 5322, 2.1.1"
    assert made.defects == []


def test_the_html_says_what_the_text_says_and_loads_nothing(house: House) -> None:
    house.config = load(
        house.folder / "cubbyd.toml",
        DIGEST,
        first="",
        second='[[categories]]\nid = "meals"\ncode = 3\nname = "A & B"\nfolder = "x"',
    )
    house.deliver("milk")
    house.passes()
    page = as_html(house.facts())

    assert "A &amp; B" in page
    assert "<h2" in page
    for foreign in ("<script", "<img", "href=", "src=", "url("):
        assert foreign not in page


@pytest.mark.parametrize("name", ["office", "a@b@c", "x@y\r\nBcc: z@y", "ü@example.org", ""])
def test_a_user_name_that_is_no_address_is_no_recipient(house: House, name: str) -> None:
    house.passes()

    assert b"\nTo:" not in compose(house.facts(), name)
    assert b"Bcc" not in compose(house.facts(), name)


# --- when it goes out --------------------------------------------------------------------------------------------------


def begin(house: House) -> None:
    """The first start, the day before; the first digest is due in the morning."""
    house.passes()
    assert house.sent() == [], "it tells of nothing that was before"


def test_it_goes_out_once_when_it_is_due_also_over_restarts(house: House) -> None:
    begin(house)
    house.deliver("ill")
    house.passes()
    house.clock.advance(20 * 3600 - 60)
    house.passes()
    assert house.sent() == [], "it is not due for a minute"
    for _ in range(3):
        house.clock.advance(60)
        house.passes()
    (sent,) = house.sent()

    assert sent["Subject"] == "cubbyd, office: 1 filed, 0 held, nothing needs a person"
    house.clock.advance(86_400)
    house.passes()
    assert [one["Subject"] for one in house.sent()][1:] == ["cubbyd, office: 0 filed, 0 held, nothing needs a person"]


def test_one_that_was_missed_goes_out_at_the_next_start_and_tells_of_all_days_since(house: House) -> None:
    begin(house)
    house.deliver("ill")
    house.passes()
    house.clock.advance(5 * 86_400)
    house.passes()
    (sent,) = house.sent()

    assert "1 filed" in sent["Subject"]
    text = sent.get_body(("plain",))
    assert text is not None
    assert "from Friday, 20 November 2026, 06:30 UTC to Wednesday, 25 November 2026, 06:30 UTC" in text.get_content()


class Died(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("step", ["create", "create:done", "status", "append", "append:done"])
def test_wherever_it_dies_the_next_start_sends_one_and_no_second(house: House, step: str) -> None:
    begin(house)
    house.clock.advance(20 * 3600)
    house.server.fault = dying_at(step)
    with pytest.raises(Died):
        house.passes()
    house.server.fault = lambda _: None
    for _ in range(3):
        house.passes()
        house.clock.advance(RETRY_SECONDS)

    assert len(house.sent()) == 1


def dying_at(step: str) -> Callable[[str], None]:
    def fault(command: str) -> None:
        if command == step:
            raise Died

    return fault


def test_a_death_after_it_was_appended_and_before_that_was_on_record_sends_none_twice(house: House) -> None:
    begin(house)
    house.clock.advance(20 * 3600)
    book = house.journal.digests
    house.passes()
    last = book.last("office")
    assert last is not None
    assert last.fingerprint is not None
    book.begin("office", last.due_at, last.fingerprint, last.first_uid)  # as it was before it was noted as sent
    house.passes()

    assert len(house.sent()) == 1
    settled = book.last("office")
    assert settled is not None
    assert settled.sent_at is not None


def test_what_the_server_refuses_is_tried_again_a_quarter_of_an_hour_later_and_filing_goes_on(house: House) -> None:
    begin(house)
    house.clock.advance(20 * 3600)
    tries = []

    def refusing(command: str) -> None:
        if command == "append":
            tries.append(command)
            raise CommandRefused("the quota is full", code="OVERQUOTA")

    house.server.fault = refusing
    worker = house.worker()
    for seconds in (60, RETRY_SECONDS - 61, 1, 60):
        worker.run_pass()
        house.clock.advance(seconds)
    assert len(tries) == 2
    house.deliver("ill")
    worker.run_pass()
    assert len(house.server.folders["Absence"].mails) == 1
    house.server.fault = lambda _: None
    house.clock.advance(RETRY_SECONDS)
    worker.run_pass()

    assert len(house.sent()) == 1


def test_a_connection_that_breaks_under_it_is_not_used_again(house: House) -> None:
    begin(house)
    house.clock.advance(20 * 3600)
    worker = house.worker()

    def cut(command: str) -> None:
        if command == "append":
            raise MailboxUnavailable("cut")

    house.server.fault = cut
    worker.run_pass()
    house.server.fault = lambda _: None
    house.deliver("ill")
    worker.run_pass()

    assert len(house.server.folders["Absence"].mails) == 1


def test_it_goes_out_while_the_classifier_is_down_and_says_so(house: House) -> None:
    begin(house)
    house.clock.advance(19 * 3600)
    house.classifier.outage = ClassifierUnavailable("the vendor is down")
    house.deliver("ill")
    house.passes()
    house.clock.advance(3600)
    house.passes()
    (sent,) = house.sent()
    text = sent.get_body(("plain",))

    assert text is not None
    assert "Filing has stopped since Saturday, 21 November 2026, 05:30 UTC: the vendor is down." in text.get_content()


def test_it_goes_out_after_passes_that_go_through_alone(house: House) -> None:
    begin(house)
    house.clock.advance(20 * 3600)

    def broken(command: str) -> None:
        if command == "select":
            raise MailboxUnavailable("down")

    house.server.fault = broken
    with pytest.raises(MailboxUnavailable):
        house.passes()

    assert house.sent() == []


def test_one_that_a_person_puts_into_the_inbox_stays_there_and_nobody_is_asked(house: House) -> None:
    begin(house)
    house.clock.advance(20 * 3600)
    house.passes()
    (uid,) = house.server.folders["Digest"].mails
    house.server.drag(uid, "Digest", "INBOX")
    house.passes()
    (held,) = house.journal.history()

    assert (held.state, held.hold, held.keyword) == (State.HELD, Hold.DIGEST, None)
    assert house.classifier.asked == []
    assert len(house.server.folders["INBOX"].mails) == 1


def test_a_mail_that_quotes_a_digest_is_none() -> None:
    quoted = mail("Fwd: your digest", body="X-Cubbyd-Digest: 1\r\n\r\nwhat is this?")

    assert not is_digest(quoted)
    assert is_digest(quoted.replace(b"Subject:", b"x-cubbyd-digest: 1\r\nSubject:"))
    assert not is_digest(b"")
