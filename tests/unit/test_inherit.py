"""Mail that was seen before: put back by a person, delivered twice, or renumbered; and none of it filed against anybody's will."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cubbyd.filing.decision import Hold
from cubbyd.filing.inherit import inherit
from cubbyd.journal import Change, Record
from cubbyd.lifecycle import TRANSITIONS, State
from cubbyd.message.identity import Fingerprint
from cubbyd.taxonomy import CategoryId

MORNING = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
NOON = MORNING + timedelta(hours=4)
BILLING = CategoryId("billing")
PREDICTION = {"probabilities": {"billing": 0.9, "absence": 0.1}}

NEW = Record(
    id=9, mailbox="office", folder="INBOX", uidvalidity=7, uid=20, fingerprint=Fingerprint("f" * 64), received_at=MORNING,
    seen_at=NOON, state=State.SEEN, changed_at=NOON, attempts=1, not_before=None, error=None, category=None, probability=None,
    hold=None, prediction=None, keyword=None, target_folder=None, target_uidvalidity=None, target_uid_from=None, target_uid=None,
)  # fmt: skip
"""A mail that was found at noon."""

DECIDED = replace(
    NEW, id=1, uid=3, seen_at=MORNING, changed_at=MORNING, state=State.DECIDED, category=BILLING, probability=0.9,
    prediction=PREDICTION, others=["meals"], stays=False, urgent="an injury",
)  # fmt: skip
"""The same mail as it was found and decided in the morning, under another UID."""

MOVED = replace(DECIDED, state=State.FILED, target_folder="Billing", target_uidvalidity=4, target_uid=11)
LABELED = replace(DECIDED, state=State.FILED, keyword="cubbyd-billing")
HELD = replace(DECIDED, state=State.HELD, category=None, hold=Hold.UNSURE)
GONE = replace(DECIDED, state=State.GONE)
UNREAD = replace(NEW, id=1, uid=3, seen_at=MORNING, changed_at=MORNING)
"""The same mail as it was found in the morning, and not judged."""

TAKEN_OVER = {
    "category": BILLING,
    "probability": 0.9,
    "hold": None,
    "prediction": PREDICTION,
    "others": ["meals"],
    "stays": False,
    "urgent": "an injury",
    "error": None,
    "not_before": None,
}
RENUMBERED = replace(NEW, uidvalidity=8, uid=3)


def is_put_back(change: Change | None) -> bool:
    return change is not None and (change.to, change.fields["hold"], change.fields["category"]) == (
        State.HELD,
        Hold.PUT_BACK,
        None,
    )


def test_a_mail_that_nobody_has_seen_is_new() -> None:
    assert inherit(NEW, []) is None
    assert inherit(NEW, [NEW]) is None, "it is no earlier sighting of itself"


def test_a_filed_mail_that_is_in_the_inbox_again_was_put_back_and_is_left_to_people() -> None:
    change = inherit(NEW, [NEW, MOVED])

    assert is_put_back(change)
    assert change is not None
    assert change.id == NEW.id
    assert change.fields["prediction"] == PREDICTION, "why it had been filed stays on record"


@pytest.mark.parametrize("earlier", [GONE, replace(UNREAD, state=State.GONE), replace(HELD, target_folder="Review")])
def test_so_is_a_mail_that_people_took_or_that_lay_in_the_review_folder(earlier: Record) -> None:
    assert is_put_back(inherit(NEW, [earlier]))


@pytest.mark.parametrize("earlier_state", [State.HELD, State.DECIDED, State.VOID])
def test_a_mail_put_back_twice_is_left_to_people_twice(earlier_state: State) -> None:
    """A person may drag it about as often as they like, and whether or not cubbyd was done with it meanwhile."""
    once_before = replace(HELD, id=5, uid=10, state=earlier_state, hold=Hold.PUT_BACK, changed_at=NOON - timedelta(hours=1))

    assert is_put_back(inherit(NEW, [once_before, MOVED]))


@pytest.mark.parametrize("twin", [MOVED, GONE])
def test_a_twin_that_was_in_the_inbox_all_the_time_was_not_put_back(twin: Record) -> None:
    """Delivered twice and found in one scan: the first was filed after the second had been seen."""
    filed_since = replace(twin, seen_at=NOON, changed_at=NOON + timedelta(seconds=1))

    assert inherit(NEW, [NEW, filed_since]) == Change(id=NEW.id, to=State.DECIDED, fields=TAKEN_OVER)


def test_a_twin_that_waits_for_its_own_turn_says_nothing() -> None:
    assert inherit(NEW, [replace(UNREAD, seen_at=NOON)]) is None


@pytest.mark.parametrize("state", [State.DECIDED, State.PLANNED, State.COPIED, State.QUARANTINED, State.VOID])
def test_a_decision_is_taken_over_and_not_asked_for_again(state: State) -> None:
    earlier = replace(DECIDED, state=state, error="the folder cannot be made", not_before=NOON)

    assert inherit(NEW, [earlier]) == Change(id=NEW.id, to=State.DECIDED, fields=TAKEN_OVER), "without the error and the wait"


@pytest.mark.parametrize("state", [State.QUARANTINED, State.VOID])
def test_a_mail_that_never_got_a_decision_is_asked_about_anew(state: State) -> None:
    assert inherit(NEW, [replace(UNREAD, state=state, error="unreadable")]) is None


def test_nothing_to_read_is_a_decision_too() -> None:
    empty = replace(DECIDED, state=State.VOID, category=None, probability=0.0, hold=Hold.EMPTY, prediction={})

    change = inherit(NEW, [empty])

    assert change is not None
    assert (change.to, change.fields["hold"], change.fields["category"]) == (State.DECIDED, Hold.EMPTY, None)


def test_in_a_renumbered_folder_labeled_mail_stays_filed() -> None:
    """UIDVALIDITY has changed, the mail lay in the inbox all the time, and its keyword with it."""
    assert inherit(RENUMBERED, [LABELED]) == Change(
        id=NEW.id, to=State.FILED, fields={**TAKEN_OVER, "keyword": "cubbyd-billing"}
    )


def test_in_a_renumbered_folder_held_mail_stays_held() -> None:
    change = inherit(RENUMBERED, [HELD])

    assert change is not None
    assert (change.to, change.fields["hold"], change.fields["keyword"]) == (State.HELD, Hold.UNSURE, None)


def test_a_filed_mail_was_put_back_whatever_the_inboxs_uidvalidity() -> None:
    assert is_put_back(inherit(RENUMBERED, [MOVED]))


def test_a_copy_of_a_labeled_mail_is_labeled_too() -> None:
    """The same UIDVALIDITY: it is a second mail, and wants the keyword as well."""
    assert inherit(NEW, [LABELED]) == Change(id=NEW.id, to=State.DECIDED, fields=TAKEN_OVER)


def test_the_newest_sighting_that_says_anything_counts() -> None:
    waiting_twin = replace(UNREAD, id=8, uid=19)

    assert is_put_back(inherit(NEW, [NEW, waiting_twin, MOVED]))
    assert inherit(NEW, [replace(DECIDED, id=2), MOVED]) == Change(id=NEW.id, to=State.DECIDED, fields=TAKEN_OVER)


@pytest.mark.parametrize("earlier", [MOVED, LABELED, HELD, GONE, DECIDED])
@pytest.mark.parametrize("mail", [NEW, RENUMBERED])
def test_every_change_is_a_step_that_the_table_has(mail: Record, earlier: Record) -> None:
    change = inherit(mail, [earlier])

    assert change is not None
    assert change.to in TRANSITIONS[mail.state]
