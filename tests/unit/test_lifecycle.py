"""The table of a mail's life: every state can be reached, what ends stays ended, and the docs show this very table."""

from __future__ import annotations

from pathlib import Path

import pytest

from cubbyd.lifecycle import (
    BEING_UNDONE,
    IN_HAND,
    SETTLED,
    TAKEN_BACK,
    TOUCHED_BY_PEOPLE,
    TRANSITIONS,
    UNFILED,
    UNFINISHED,
    VOIDABLE,
    WAITING,
    State,
    diagram,
    sources_of,
)

TERMINAL = {State.FILED, State.HELD, State.UNDONE, State.GONE, State.VOID}
"""Where a mail may stay for ever; from the first two an undo alone takes it further."""
ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"


def reachable_from(start: State) -> set[State]:
    reached, open_ends = {start}, [start]
    while open_ends:
        for follower in TRANSITIONS[open_ends.pop()] - reached:
            reached.add(follower)
            open_ends.append(follower)
    return reached


def test_the_table_knows_every_state() -> None:
    assert set(TRANSITIONS) == set(State)
    assert set().union(*TRANSITIONS.values()) <= set(State)


def test_every_state_is_reached_from_the_first_sight() -> None:
    assert reachable_from(State.SEEN) == set(State)


def test_from_every_state_there_is_a_way_to_an_end() -> None:
    for state in State:
        assert reachable_from(state) & TERMINAL, state


def test_what_has_ended_never_begins_again() -> None:
    assert {state for state, followers in TRANSITIONS.items() if not followers} == TERMINAL - SETTLED
    assert all(TRANSITIONS[state] == BEING_UNDONE for state in SETTLED), "but by an undo"


def test_an_undo_ends_in_the_inbox_or_leaves_everything_as_it_was() -> None:
    assert TRANSITIONS[State.UNDOING] == {State.UNDONE, State.SEEN, State.GONE} | SETTLED


def test_no_step_leads_nowhere() -> None:
    assert all(state not in followers for state, followers in TRANSITIONS.items())


@pytest.mark.parametrize("target", State)
def test_sources_are_the_table_read_backwards(target: State) -> None:
    assert sources_of(target) == {state for state in State if target in TRANSITIONS[state]}


def test_a_mail_is_never_filed_from_a_mere_decision() -> None:
    """The plan is on disk before the mailbox is touched; from SEEN only a mail that was filed before is filed again."""
    assert State.FILED not in TRANSITIONS[State.DECIDED]
    assert sources_of(State.COPIED) == {State.PLANNED}


def test_a_mail_with_a_copy_in_its_target_is_never_lost_or_quarantined() -> None:
    assert TRANSITIONS[State.COPIED] == {State.FILED, State.HELD}


def test_the_groups_cover_what_they_say() -> None:
    assert not WAITING & UNFINISHED
    assert SETTLED | TOUCHED_BY_PEOPLE | (TAKEN_BACK - BEING_UNDONE) | {State.VOID} == TERMINAL
    assert set(State) - TERMINAL == IN_HAND == UNFILED | BEING_UNDONE
    assert {state for state in State if State.VOID in TRANSITIONS[state]} >= VOIDABLE


def test_the_diagram_draws_every_arrow_once() -> None:
    lines = diagram().splitlines()

    assert lines[:2] == ["stateDiagram-v2", "    [*] --> seen"]
    arrows = {f"    {state} --> {follower}" for state, followers in TRANSITIONS.items() for follower in followers}
    ends = {f"    {state} --> [*]" for state in TERMINAL}
    assert sorted(lines[2:]) == sorted(arrows | ends)


def test_the_docs_show_this_table() -> None:
    assert diagram() in ARCHITECTURE.read_text(encoding="utf-8")
