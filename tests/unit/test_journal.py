"""The journal: what a mail's record says at each step of its life, and that no step is skipped or half done."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from cubbyd.errors import IllegalTransition
from cubbyd.filing.decision import Hold
from cubbyd.journal import Change, Journal, Record, open_database
from cubbyd.journal.journal import LONGEST_ERROR
from cubbyd.journal.schema import PARAMETERS_AT_ONCE
from cubbyd.journal.store import DATABASE_NAME
from cubbyd.lifecycle import State
from cubbyd.message.identity import Fingerprint
from cubbyd.taxonomy import CategoryId

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BILLING = CategoryId("billing")
DECISION: dict[str, Any] = {
    "category": BILLING,
    "probability": 0.9,
    "hold": None,
    "prediction": {"probabilities": {"billing": 0.9}},
}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(open_database(tmp_path))
    yield made
    made.close()


def scan(journal: Journal, *uids: int, uidvalidity: int = 7, now: datetime = NOW, mailbox: str = "office") -> int:
    """Find mail in the inbox, as a pass does."""
    journal.open_folder(mailbox, "INBOX", uidvalidity, now)
    return journal.record_scan(mailbox, "INBOX", uidvalidity, uids, now)


def step(journal: Journal, *states: State, id: int = 1, now: datetime = NOW, **fields: Any) -> None:  # noqa: A002 - as in Change
    """Take one mail through some states; the fields go on record with the last one."""
    for state in states[:-1]:
        journal.advance([Change(id=id, to=state)], now)
    journal.advance([Change(id=id, to=states[-1], fields=fields)], now)


def everything(directory: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(directory / DATABASE_NAME)) as connection:
        return connection.execute("SELECT * FROM message ORDER BY id").fetchall()


def waiting(journal: Journal, state: State = State.SEEN, now: datetime = NOW, limit: int = 100) -> list[Record]:
    return journal.waiting("office", state, now, limit)


# --- finding mail ------------------------------------------------------------------------------------------------------


def test_new_mail_is_put_on_record_once(journal: Journal) -> None:
    assert scan(journal, 3, 1, 2, 2) == 3
    assert scan(journal, 1, 2, 3) == 0
    assert scan(journal, 2, 3, 4) == 1

    assert [record.uid for record in waiting(journal)] == [1, 2, 3, 4]
    assert journal.counts("office") == {State.SEEN: 4}


def test_a_new_record_knows_where_it_was_found_and_nothing_else(journal: Journal) -> None:
    scan(journal, 5)

    assert waiting(journal) == [
        Record(
            id=1, mailbox="office", folder="INBOX", uidvalidity=7, uid=5, fingerprint=None, received_at=None, seen_at=NOW,
            state=State.SEEN, changed_at=NOW, attempts=0, not_before=None, error=None, category=None, probability=None, hold=None,
            prediction=None, keyword=None, target_folder=None, target_uidvalidity=None, target_uid_from=None, target_uid=None,
        )
    ]  # fmt: skip


def test_nothing_found_is_nothing_to_record(journal: Journal) -> None:
    assert scan(journal) == 0
    assert journal.counts("office") == {}


def test_the_watermark_is_the_highest_uid_on_record(journal: Journal) -> None:
    assert journal.open_folder("office", "INBOX", 7, NOW).last_uid == 0
    scan(journal, 10, 30, 20)
    assert journal.open_folder("office", "INBOX", 7, NOW).last_uid == 30

    scan(journal, 15)  # a full scan finds one that was overlooked
    assert journal.open_folder("office", "INBOX", 7, NOW).last_uid == 30


def test_mailboxes_and_folders_have_watermarks_and_mail_of_their_own(journal: Journal) -> None:
    scan(journal, 1, 2, mailbox="office")
    scan(journal, 1, mailbox="kitchen")
    journal.open_folder("office", "Other", 7, NOW)
    assert journal.record_scan("office", "Other", 7, [1, 2], NOW) == 2, "a UID means its folder alone"

    assert journal.counts("kitchen") == {State.SEEN: 1}
    assert journal.open_folder("kitchen", "INBOX", 7, NOW).last_uid == 1
    assert journal.open_folder("office", "INBOX", 7, NOW).last_uid == 2


def test_a_new_uidvalidity_voids_the_mail_that_waits_and_no_other(journal: Journal) -> None:
    scan(journal, *range(1, 9))
    step(journal, State.DECIDED, id=2)
    step(journal, State.DECIDED, State.PLANNED, id=3)
    step(journal, State.DECIDED, State.PLANNED, State.COPIED, id=4)
    step(journal, State.DECIDED, State.PLANNED, State.FILED, id=5)
    step(journal, State.HELD, id=6)
    step(journal, State.QUARANTINED, id=7)
    step(journal, State.GONE, id=8)

    assert journal.open_folder("office", "INBOX", 8, NOW + MINUTE).last_uid == 0

    assert journal.counts("office") == {
        State.VOID: 3,  # seen, decided, quarantined
        State.PLANNED: 1,
        State.COPIED: 1,
        State.FILED: 1,
        State.HELD: 1,
        State.GONE: 1,
    }
    assert journal.open_folder("office", "INBOX", 8, NOW).last_uid == 0
    assert scan(journal, 1, 2, uidvalidity=8) == 2, "the same numbers are other mails now"


def test_a_new_uidvalidity_leaves_other_mailboxes_alone(journal: Journal) -> None:
    scan(journal, 1, mailbox="office")
    scan(journal, 1, mailbox="kitchen")

    journal.open_folder("office", "INBOX", 8, NOW)

    assert journal.counts("kitchen") == {State.SEEN: 1}


def test_the_largest_uid_that_imap_knows_fits(journal: Journal) -> None:
    scan(journal, 2**32 - 1, uidvalidity=2**32 - 1)

    assert [(record.uid, record.uidvalidity) for record in waiting(journal)] == [(2**32 - 1, 2**32 - 1)]


# --- steps -------------------------------------------------------------------------------------------------------------


def test_a_step_puts_on_record_what_came_with_it(journal: Journal) -> None:
    scan(journal, 1)

    step(journal, State.DECIDED, now=NOW + MINUTE, **DECISION)

    (record,) = waiting(journal, State.DECIDED)
    assert (record.category, record.probability, record.prediction) == (BILLING, 0.9, {"probabilities": {"billing": 0.9}})
    assert (record.state, record.changed_at, record.seen_at) == (State.DECIDED, NOW + MINUTE, NOW)
    assert record.is_decided


def test_a_step_that_the_table_does_not_have_changes_nothing_at_all_in_that_call(journal: Journal, tmp_path: Path) -> None:
    scan(journal, 1, 2, 3)
    step(journal, State.HELD, id=3)
    before = everything(tmp_path)

    with pytest.raises(IllegalTransition, match="cannot all become decided"):
        journal.advance(
            [
                Change(id=1, to=State.GONE),
                Change(id=2, to=State.DECIDED, fields=DECISION),
                Change(id=3, to=State.DECIDED, fields=DECISION),  # held mail is never decided again
            ],
            NOW + MINUTE,
        )

    assert everything(tmp_path) == before


@pytest.mark.parametrize("ids", [(99,), (1, 99), (1, 1)])
def test_a_mail_that_is_not_there_or_named_twice_is_no_step(journal: Journal, tmp_path: Path, ids: tuple[int, ...]) -> None:
    scan(journal, 1)
    before = everything(tmp_path)

    with pytest.raises(IllegalTransition):
        journal.advance([Change(id=id_, to=State.GONE) for id_ in ids], NOW)

    assert everything(tmp_path) == before


def test_no_changes_are_no_step(journal: Journal) -> None:
    journal.advance([], NOW)


def test_mails_with_different_things_to_record_go_in_one_call(journal: Journal) -> None:
    scan(journal, 1, 2, 3)

    journal.advance(
        [
            Change(id=1, to=State.DECIDED, fields={"category": BILLING}),
            Change(id=2, to=State.DECIDED, fields={"hold": Hold.UNSURE}),
            Change(id=3, to=State.GONE),
        ],
        NOW,
    )

    first, second = waiting(journal, State.DECIDED)
    assert (first.category, first.hold, second.category, second.hold) == (BILLING, None, None, "unsure")
    assert journal.counts("office") == {State.DECIDED: 2, State.GONE: 1}


# --- attempts ----------------------------------------------------------------------------------------------------------


def test_a_claim_counts_an_attempt_before_anything_is_tried(journal: Journal) -> None:
    scan(journal, 1, 2)

    journal.claim([1], NOW)
    journal.claim([1], NOW)

    assert {record.uid: record.attempts for record in waiting(journal)} == {1: 2, 2: 0}


def test_claiming_postponing_and_identifying_nothing_does_nothing(journal: Journal, tmp_path: Path) -> None:
    """A lot can be empty: every mail of it may have been set aside before."""
    scan(journal, 1)
    before = everything(tmp_path)

    journal.claim([], NOW)
    journal.postpone([], until=None, error="none")
    journal.identify({})

    assert everything(tmp_path) == before


def test_first_come_first_served_and_suspects_last(journal: Journal) -> None:
    scan(journal, 1, 2, 3, 4)
    journal.claim([1], NOW)
    journal.claim([1, 3], NOW)

    assert [record.uid for record in waiting(journal)] == [2, 4, 3, 1]
    assert [record.uid for record in waiting(journal, limit=3)] == [2, 4, 3]


def test_a_postponed_mail_waits_until_its_time_has_come(journal: Journal) -> None:
    scan(journal, 1, 2)
    journal.postpone([1], until=NOW + MINUTE, error="busy")

    assert [record.uid for record in waiting(journal)] == [2]
    assert [record.uid for record in waiting(journal, now=NOW + MINUTE - timedelta(microseconds=1))] == [2]
    assert [(record.uid, record.error) for record in waiting(journal, now=NOW + MINUTE)] == [(1, "busy"), (2, None)]


def test_a_refund_gives_the_attempt_back_and_never_more(journal: Journal) -> None:
    scan(journal, 1, 2)
    journal.claim([1], NOW)

    journal.postpone([1, 2], until=None, error="marked as deleted", refund=True)

    assert {record.uid: record.attempts for record in waiting(journal)} == {1: 0, 2: 0}


def test_only_waiting_mail_is_postponed(journal: Journal, tmp_path: Path) -> None:
    scan(journal, 1)
    step(journal, State.HELD)
    before = everything(tmp_path)

    journal.postpone([1], until=NOW + MINUTE, error="late", refund=True)

    assert everything(tmp_path) == before


def test_an_endless_error_is_cut(journal: Journal) -> None:
    scan(journal, 1)
    journal.poll_started("office", NOW)

    journal.postpone([1], until=None, error="x" * 5000)
    journal.poll_failed("office", "y" * 5000, NOW)

    outcome = journal.poll_outcome("office")
    assert outcome is not None
    assert waiting(journal)[0].error == "x" * LONGEST_ERROR
    assert outcome.error == "y" * LONGEST_ERROR


def test_release_makes_mail_due_that_waited_for_one_kind_of_error(journal: Journal) -> None:
    scan(journal, 1, 2, 3, 4)
    later = NOW + timedelta(hours=6)
    journal.postpone([1], until=later, error="100% away: timeout")
    journal.postpone([2], until=later, error="1000 away: not the same")  # % is no wildcard here
    journal.postpone([3], until=later, error="broken; 100% away: said elsewhere")
    step(journal, State.DECIDED, id=4)
    journal.postpone([4], until=later, error="100% away: timeout")
    scan(journal, 1, mailbox="kitchen")
    journal.postpone([5], until=later, error="100% away: timeout")

    journal.release("office", "100% away: ")

    assert [record.uid for record in waiting(journal)] == [1]
    assert [record.uid for record in waiting(journal, State.DECIDED)] == [4]
    assert journal.waiting("kitchen", State.SEEN, NOW, 10) == []


def test_quarantined_mail_gets_a_new_budget_where_it_stood(journal: Journal) -> None:
    scan(journal, 1, 2, 3)
    journal.claim([1, 2], NOW)
    step(journal, State.QUARANTINED, id=1, error="unreadable")
    step(journal, State.DECIDED, id=2, **DECISION)
    step(journal, State.QUARANTINED, id=2, error="the folder cannot be made")
    step(journal, State.DECIDED, id=3, category=None, hold=Hold.EMPTY, prediction={})  # nothing to read is a decision, too
    step(journal, State.QUARANTINED, id=3)

    assert journal.retry_quarantined("kitchen", NOW) == 0
    assert journal.retry_quarantined("office", NOW + MINUTE) == 3

    assert [(record.uid, record.attempts) for record in waiting(journal)] == [(1, 0)]
    assert [(record.uid, record.attempts) for record in waiting(journal, State.DECIDED)] == [(2, 0), (3, 0)]
    assert journal.retry_quarantined("office", NOW) == 0


def test_no_prediction_is_none_however_it_was_written(journal: Journal) -> None:
    """A step may write the absence of a prediction; JSON's own null in its place would pass for an answer."""
    scan(journal, 1)
    step(journal, State.QUARANTINED, prediction=None)

    journal.retry_quarantined("office", NOW)

    assert [record.is_decided for record in waiting(journal)] == [False]


# --- finding mail again ------------------------------------------------------------------------------------------------


def test_twins_are_found_by_fingerprint_newest_first(journal: Journal) -> None:
    scan(journal, 1, 2, 3)
    scan(journal, 1, mailbox="kitchen")
    same, other = Fingerprint("a" * 64), Fingerprint("b" * 64)
    journal.identify({1: (same, NOW), 2: (other, NOW), 3: (same, NOW), 4: (same, NOW)})

    found = journal.twins("office", [same, Fingerprint("c" * 64)])

    assert {fingerprint: [record.uid for record in records] for fingerprint, records in found.items()} == {same: [3, 1]}


def test_any_number_of_fingerprints_can_be_asked_for(journal: Journal) -> None:
    count = 2 * PARAMETERS_AT_ONCE + 1
    scan(journal, *range(1, count + 1))
    prints = [Fingerprint(f"{number:064}") for number in range(count)]
    journal.identify({number + 1: (print_, NOW) for number, print_ in enumerate(prints)})

    found = journal.twins("office", prints)

    assert all([record.uid for record in found[print_]] == [number + 1] for number, print_ in enumerate(prints))
    assert len(found) == count


def test_unfinished_is_what_only_the_server_can_tell(journal: Journal) -> None:
    scan(journal, 1, 2, 3, 4)
    step(journal, State.DECIDED, State.PLANNED, id=2)
    step(journal, State.DECIDED, State.PLANNED, State.COPIED, id=1)
    step(journal, State.DECIDED, id=3)

    assert [(record.uid, record.state) for record in journal.unfinished("office")] == [(1, State.COPIED), (2, State.PLANNED)]
    assert journal.unfinished("kitchen") == []


def test_uids_that_filed_mail_has_in_a_target_are_taken(journal: Journal) -> None:
    scan(journal, 1, 2, 3, 4)
    at: dict[str, Any] = {"target_folder": "Billing", "target_uidvalidity": 4}
    step(journal, State.DECIDED, State.PLANNED, State.FILED, id=1, **at, target_uid=11)
    step(journal, State.DECIDED, State.PLANNED, State.COPIED, id=2, **at, target_uid=12)
    step(journal, State.DECIDED, State.PLANNED, id=3, **at)
    step(journal, State.DECIDED, State.PLANNED, State.FILED, id=4, target_folder="Billing", target_uidvalidity=5, target_uid=13)

    assert journal.claimed_uids("office", "Billing", 4) == {11, 12}
    assert journal.claimed_uids("office", "Absence", 4) == set()


# --- polls and questions of people -------------------------------------------------------------------------------------


def test_the_record_of_polls_says_since_when_it_fails(journal: Journal) -> None:
    assert journal.poll_outcome("office") is None

    journal.poll_started("office", NOW)
    journal.poll_succeeded("office", NOW + MINUTE)
    for minutes in (2, 3):
        journal.poll_started("office", NOW + minutes * MINUTE)
        journal.poll_failed("office", f"no answer {minutes}", NOW + minutes * MINUTE)
    failing = journal.poll_outcome("office")

    assert failing is not None
    assert (failing.succeeded_at, failing.failed_at) == (NOW + MINUTE, NOW + 3 * MINUTE)
    assert (failing.failing_since, failing.error) == (NOW + 2 * MINUTE, "no answer 3")

    journal.poll_succeeded("office", NOW + 4 * MINUTE)
    well = journal.poll_outcome("office")
    assert well is not None
    assert (well.succeeded_at, well.failing_since, well.error) == (NOW + 4 * MINUTE, None, None)


def test_history_is_what_became_of_mail_newest_first(journal: Journal) -> None:
    scan(journal, *range(1, 6))
    step(journal, State.DECIDED, State.PLANNED, State.FILED, id=1, now=NOW + MINUTE, **DECISION)
    step(journal, State.HELD, id=2, now=NOW + 3 * MINUTE)
    step(journal, State.DECIDED, id=3, now=NOW + 2 * MINUTE, category=CategoryId("absence"))
    step(journal, State.VOID, id=4, now=NOW + 9 * MINUTE)

    def uids(**wanted: Any) -> list[int]:
        return [record.uid for record in journal.history(**wanted)]

    assert uids() == [2, 3, 1]
    assert uids(limit=2) == [2, 3]
    assert uids(since=NOW + 2 * MINUTE) == [2, 3]
    assert uids(category="billing") == [1]
    assert uids(state=State.HELD) == [2]
    assert uids(state=State.HELD, category="billing") == []


def test_the_oldest_unfiled_mail_is_told_by_when_it_came(journal: Journal) -> None:
    assert journal.oldest_unfiled("office") is None
    scan(journal, 1, 2, 3, now=NOW)
    journal.identify({2: (Fingerprint("a" * 64), NOW - timedelta(days=2)), 3: (Fingerprint("b" * 64), NOW - timedelta(days=5))})
    step(journal, State.HELD, id=3)

    assert journal.oldest_unfiled("office") == NOW - timedelta(days=2)

    step(journal, State.QUARANTINED, id=2)
    assert journal.oldest_unfiled("office") == NOW - timedelta(days=2), "staff wait for it all the same"
    step(journal, State.GONE, id=2)
    assert journal.oldest_unfiled("office") == NOW


# --- times -------------------------------------------------------------------------------------------------------------


def test_times_come_back_aware_and_in_utc_whatever_zone_they_went_in_with(journal: Journal) -> None:
    here = datetime(2026, 11, 21, 3, 0, 0, 123456, tzinfo=timezone(-timedelta(hours=5)))
    scan(journal, 1, now=here)
    journal.identify({1: (Fingerprint("a" * 64), here - MINUTE)})
    journal.postpone([1], until=here, error="later")

    (record,) = waiting(journal, now=here)

    assert record.seen_at == NOW + timedelta(microseconds=123456)
    for moment in (record.seen_at, record.changed_at, record.not_before, record.received_at, journal.oldest_unfiled("office")):
        assert moment is not None
        assert moment.tzinfo is UTC


def test_a_time_without_a_zone_is_a_mistake_of_the_caller(journal: Journal) -> None:
    with pytest.raises(Exception, match="a time without a time zone"):
        journal.poll_started("office", datetime(2026, 11, 21))  # noqa: DTZ001 - that is the mistake
