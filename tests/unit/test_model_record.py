"""Which model was in use before is read from what was done, also where a crash came between word and deed."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from cubbyd.training.record import Event, used_before


def history(*done: str) -> list[Event]:
    """Make events of words such as "use v1"."""
    told = []
    for one in done:
        action, version = one.split()
        told.append(
            Event.model_validate(
                {"action": action, "version": version, "sha256": "0" * 64, "time": datetime(2026, 11, 21, tzinfo=UTC)}
            )
        )
    return told


def test_nothing_was_before_the_first() -> None:
    assert used_before([], None) is None
    assert used_before(history("add v1", "use v1"), "v1") is None


def test_adding_a_model_does_not_put_it_in_use() -> None:
    assert used_before(history("add v1", "use v1", "add v2"), "v1") is None


def test_going_back_twice_goes_to_the_one_before_that() -> None:
    done = ["use v1", "use v2", "use v3"]
    assert used_before(history(*done), "v3") == "v2"
    assert used_before(history(*done, "rollback v2"), "v2") == "v1"
    assert used_before(history(*done, "rollback v2", "rollback v1"), "v1") is None


def test_after_going_back_and_on_to_another_the_one_gone_back_to_is_before_it() -> None:
    assert used_before(history("use v1", "use v2", "rollback v1", "use v3"), "v3") == "v1"


def test_a_model_that_is_used_a_second_time_is_gone_back_from_like_any_other() -> None:
    done = history("use v1", "use v2", "use v1")
    assert used_before(done, "v1") == "v2"
    assert used_before([*done, *history("rollback v2")], "v2") == "v1"


def test_a_use_that_never_came_into_effect_is_passed_over() -> None:
    assert used_before(history("use v1", "use v2", "use v3"), "v2") == "v1", "the crash came before v3 was in its place"


def test_going_back_that_never_came_into_effect_is_done_again() -> None:
    assert used_before(history("use v1", "use v2", "rollback v1"), "v2") == "v1"


def test_a_model_from_elsewhere_is_left_for_the_last_that_was_used() -> None:
    assert used_before(history("use v1", "use v2"), None) == "v2"


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12))
def test_going_back_ends_and_never_names_the_active_one(used: list[int]) -> None:
    done = history(*(f"use v{number}" for number in used))
    active: str | None = f"v{used[-1]}"
    for _ in range(len(used)):
        before = used_before(done, active)
        assert before != active
        if before is None:
            return
        done += history(f"rollback {before}")
        active = before
    raise AssertionError("going back went round in circles")
