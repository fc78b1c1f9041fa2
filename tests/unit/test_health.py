"""Has filing stopped: by whatever cause, and never for a mere moment or a long first pass."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.mail import RECEIVED, mail
from tests.rig import Office, rules
from tests.undoing import later

from cubbyd.journal import Change, PollOutcome, Wait, is_locked, state_lock
from cubbyd.lifecycle import WAITING, State
from cubbyd.service.health import Signs, find_first_sign, find_trouble
from cubbyd.testing import DELETED, FakeServer, HandClock

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def polled(succeeded: timedelta | None, failing: timedelta | None = None, started: timedelta = MINUTE) -> PollOutcome:
    """How long ago the last good pass ended, passes began to fail, and the last one began."""
    return PollOutcome(
        mailbox="office",
        started_at=NOW - started,
        succeeded_at=None if succeeded is None else NOW - succeeded,
        failed_at=None if failing is None else NOW - MINUTE,
        failing_since=None if failing is None else NOW - failing,
        error=None if failing is None else "Connection refused",
    )


WELL = Signs(
    poll_seconds=60,
    is_running=True,
    outcome=polled(MINUTE),
    last_change=NOW - HOUR,
    last_settled=NOW - HOUR,
    wait=None,
)


@pytest.mark.parametrize(
    "signs",
    [
        WELL,
        replace(WELL, outcome=polled(9 * MINUTE), is_running=False),
        replace(WELL, outcome=polled(5 * HOUR, started=5 * HOUR), last_change=NOW - MINUTE),
        replace(WELL, outcome=polled(9 * MINUTE, failing=9 * MINUTE)),
        replace(WELL, outcome=polled(5 * HOUR, failing=5 * HOUR), last_change=NOW - MINUTE, last_settled=NOW - MINUTE),
        replace(WELL, poll_seconds=86_400, outcome=polled(48 * HOUR, started=48 * HOUR), is_running=False),
        replace(WELL, outcome=None),
        replace(WELL, wait=Wait(mails=3, since=NOW - HOUR, error=None)),
    ],
    ids=[
        "all is well",
        "stopped for an update",
        "in a long first pass",
        "the server restarts",
        "one mail cannot be filed, and others are",
        "polls once a day",
        "has only just begun",
        "mail waits as long as it may",
    ],
)
def test_nothing_is_wrong_where_mail_is_filed(signs: Signs) -> None:
    assert find_trouble(signs, NOW, HOUR) is None


@pytest.mark.parametrize(
    ("signs", "said", "since"),
    [
        (replace(WELL, outcome=None, is_running=False), "it was never looked at", None),
        (replace(WELL, outcome=polled(2 * HOUR), is_running=False, last_change=None), "cubbyd is not running", 2 * HOUR),
        (replace(WELL, outcome=polled(2 * HOUR)), "cubbyd runs and gets through no pass", HOUR),
        (replace(WELL, outcome=polled(None, started=HOUR), last_change=None), "cubbyd runs and gets through no pass", None),
        (replace(WELL, outcome=polled(HOUR, failing=30 * MINUTE)), "Connection refused", 30 * MINUTE),
        (
            replace(WELL, outcome=polled(None, failing=3 * HOUR), is_running=False, last_settled=None),
            "Connection refused (and cubbyd is not running)",
            3 * HOUR,
        ),
    ],
)
def test_that_filing_has_stopped_is_said_whatever_the_cause(signs: Signs, said: str, since: timedelta | None) -> None:
    trouble = find_trouble(signs, NOW, HOUR)
    assert trouble is not None
    assert (trouble.has_stopped, trouble.what) == (True, said)
    assert trouble.since == (None if since is None else NOW - since)
    assert trouble.way_out


def test_mail_that_waits_longer_than_it_may_is_said_with_why() -> None:
    trouble = find_trouble(replace(WELL, wait=Wait(mails=3, since=NOW - 2 * HOUR, error="over quota")), NOW, HOUR)
    assert trouble is not None
    assert (trouble.has_stopped, trouble.what) == (False, "3 mails wait to be filed: over quota")


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        (replace(WELL, outcome=polled(MINUTE, failing=timedelta(0))), "Connection refused"),
        (replace(WELL, outcome=polled(9 * MINUTE, failing=timedelta(0)), is_running=False), "Connection refused"),
        (replace(WELL, outcome=polled(2 * MINUTE, started=2 * MINUTE), is_running=False), "cubbyd is not running"),
        (replace(WELL, outcome=polled(MINUTE), is_running=False), None),
        (replace(WELL, outcome=polled(2 * MINUTE, started=2 * MINUTE)), None),
        (replace(WELL, outcome=None), None),
        (replace(WELL, wait=Wait(mails=3, since=NOW - MINUTE, error="over quota")), "3 mails wait to be filed: over quota"),
        (replace(WELL, wait=Wait(mails=3, since=NOW - MINUTE, error=None)), None),
    ],
    ids=[
        "a failed poll",
        "one by cron",
        "a poll is overdue",
        "none is due yet",
        "a long pass",
        "has only just begun",
        "left behind",
        "in hand",
    ],
)
def test_the_first_sign_of_a_failure_is_told_after_one_poll_and_is_no_alarm_yet(signs: Signs, said: str | None) -> None:
    sign = find_first_sign(signs, NOW)

    assert (sign.what if sign else None) == said
    assert sign is None or (sign.way_out and not sign.has_stopped)
    assert find_trouble(signs, NOW, HOUR) is None


def test_the_lock_is_seen_from_outside_and_a_look_takes_it_from_nobody(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with state_lock(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    with state_lock(tmp_path):
        assert is_locked(tmp_path)


# --- what the journal tells --------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> FakeServer:
    made = FakeServer()
    made.deliver(mail("the invoice", number=1), RECEIVED)
    made.deliver(mail("ill today", number=2), RECEIVED)
    return made


def test_decided_mail_that_is_not_filed_waits_since_it_was_found(tmp_path: Path, server: FakeServer) -> None:
    office = Office(state=tmp_path / "state", connect=server.connect, rules=rules(observe=True), clock=HandClock())
    office.run()
    with closing(office.journal()) as journal:
        assert journal.wait("office", WAITING) == Wait(mails=2, since=office.clock.now(), error=None)
        assert journal.wait("office", {State.SEEN}) is None
        assert journal.wait("kitchen", WAITING) is None
        assert journal.last_change("office") == office.clock.now()
        assert journal.last_change("office", {State.FILED}) is None


def test_nobody_waits_for_a_mail_that_somebody_marked_as_deleted(tmp_path: Path, server: FakeServer) -> None:
    server.folders["INBOX"].mails[1].flags.add(DELETED)
    office = Office(state=tmp_path / "state", connect=server.connect, clock=HandClock())
    office.run()
    with closing(office.journal()) as journal:
        assert journal.wait("office", WAITING) is None
        assert journal.oldest_unfiled("office") is None


def test_nobody_waits_for_a_quarantined_mail_that_a_person_has_filed_by_hand(tmp_path: Path, server: FakeServer) -> None:
    office = Office(state=tmp_path / "state", connect=server.connect, rules=rules(observe=True), clock=HandClock())
    office.run()
    with closing(office.journal()) as journal:
        changes = [Change(id=number, to=State.QUARANTINED) for number in (1, 2)]
        journal.advance(changes, office.clock.now())
    server.drag(1, "INBOX", "Billing")
    later(office)
    office.run(full_scan=True)
    assert [record.state for record in office.records()] == [State.GONE, State.QUARANTINED]
