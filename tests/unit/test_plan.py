"""The plan: what each setting of [filing] does with a decided mail, and with one that nobody is sure of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.configuration import load

from cubbyd.filing.decision import Decision, Hold
from cubbyd.filing.plan import Action, Label, Relocate, Rules, plan, rules_of
from cubbyd.taxonomy import CategoryId

BILLING = Decision(category=CategoryId("billing"), probability=0.9, hold=None)
UNSURE = Decision(category=None, probability=0.3, hold=Hold.UNSURE)
LABEL, MOVE = Label(keyword="cubbyd-billing"), Relocate(folder="Billing")
REVIEW = Relocate(folder="Review")
FLAG = Label(keyword="\\Flagged")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cubbyd.toml"


def rules(file: Path, filing: str = "", more: str = "") -> Rules:
    return rules_of(load(file, f"[filing]\n{filing}\n{more}"))


@pytest.mark.parametrize(
    ("action", "expected"),
    [("move", (MOVE,)), ("label", (LABEL,)), ("move+label", (LABEL, MOVE)), ("observe", ())],
)
def test_the_action_says_what_is_done(file: Path, action: str, expected: tuple[Action, ...]) -> None:
    assert plan(BILLING, rules(file, f'action = "{action}"')) == expected


def test_a_mail_is_labeled_before_it_leaves_the_inbox(file: Path) -> None:
    """Afterwards its UID would be another one."""
    label, move = plan(BILLING, rules(file, 'action = "move+label"'))

    assert (type(label), type(move)) == (Label, Relocate)


@pytest.mark.parametrize("action", ["move", "label", "move+label"])
@pytest.mark.parametrize("hold", [Hold.UNSURE, Hold.EMPTY])
def test_what_is_left_to_people_stays_or_goes_to_the_review_folder(file: Path, action: str, hold: Hold) -> None:
    held = Decision(category=None, probability=0.3, hold=hold)

    assert plan(held, rules(file, f'action = "{action}"')) == ()
    assert plan(held, rules(file, f'action = "{action}"\nunsure = "review"')) == (REVIEW,)


def test_what_a_person_put_back_stays_where_the_person_put_it(file: Path) -> None:
    put_back = Decision(category=None, probability=0.9, hold=Hold.PUT_BACK)

    assert plan(put_back, rules(file, 'unsure = "review"')) == ()


@pytest.mark.parametrize("hold", ["rule vendors: never touch", Hold.UNSURE])
def test_what_a_rule_leaves_alone_is_left_alone_even_where_it_is_urgent(file: Path, hold: str) -> None:
    alone = Decision(category=None, probability=0.0, hold=hold, stays=True, urgent="an injury")

    assert plan(alone, rules(file, 'unsure = "review"\naction = "move+label"')) == ()


def test_what_is_urgent_is_flagged_before_it_goes_wherever_it_goes(file: Path) -> None:
    filed, held = replace(BILLING, urgent="an injury"), replace(UNSURE, urgent="an injury")

    assert plan(filed, rules(file)) == (FLAG, MOVE)
    assert plan(held, rules(file)) == (FLAG,)
    assert plan(held, rules(file, 'unsure = "review"')) == (FLAG, REVIEW)
    assert plan(filed, rules(file, 'action = "move+label"')) == (FLAG, Label(keyword="cubbyd-urgent"), LABEL, MOVE)
    assert plan(filed, rules(file, "flag_urgent = false")) == (MOVE,)


def test_a_mail_of_several_categories_has_the_keyword_of_each_and_the_folder_of_the_first(file: Path) -> None:
    several = replace(BILLING, others=(CategoryId("absence"),))

    assert plan(several, rules(file, 'action = "move+label"')) == (LABEL, Label(keyword="cubbyd-absence"), MOVE)
    assert plan(several, rules(file, 'action = "move"')) == (MOVE,)


def test_folders_carry_the_prefix(file: Path) -> None:
    with_prefix = rules(file, 'folder_prefix = "Sorted"\nunsure = "review"\nreview_folder = "To do"')

    assert plan(BILLING, with_prefix) == (Relocate(folder="Sorted/Billing"),)
    assert plan(UNSURE, with_prefix) == (Relocate(folder="Sorted/To do"),)


def test_rules_are_the_configurations(file: Path) -> None:
    read = rules(file, 'action = "label"', "[classifier]\nthreshold = 0.7\nattempts = 3")

    assert (read.threshold, read.attempts, read.observe, read.move, read.label, read.review_folder) == (
        0.7, 3, False, False, True, None,
    )  # fmt: skip
    assert read.taxonomy.ids == ("absence", "billing")


def test_observing_is_asked_for_in_the_file_or_on_the_command_line(file: Path) -> None:
    config = load(file, '[filing]\naction = "move"')

    assert not rules_of(config).observe
    assert rules_of(config, observe=True).observe
    assert rules(file, 'action = "observe"').observe
