"""What people moved becomes examples, of the mails where they lie now."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.moving import Day
from tests.unit.configuration import load

from cubbyd.dataset import Example
from cubbyd.service import corrected
from cubbyd.testing import DELETED

EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
MEALS = '[[categories]]\nid = "meals"\ncode = 3\nname = "Meals"'


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    """Two mails were moved to Billing, and one from there to the folder for review."""
    made = Day(tmp_path, "ill today", "ill again", "the invoice")
    made.drag("Billing", "Review")
    for _ in range(2):
        made.drag("Absence", "Billing")
    assert len(made.passes()) == 3
    monkeypatch.setattr(corrected, "account_of", lambda *_: None)
    monkeypatch.setattr(corrected, "open_mailbox", lambda _: made.server.connect())
    return made


def lesson(day: Day, tmp_path: Path, *, labels: str = "one") -> tuple[list[Example], int]:
    config = load(tmp_path / "cubbyd.toml", f'[classifier]\nlabels = "{labels}"', second=MEALS)
    with closing(day.office.journal()) as journal:
        made = corrected.Lesson(config, journal, *EVER)
        return list(made.examples("office")), made.missing


def test_each_has_the_category_of_its_folder_and_mail_for_review_has_none(day: Day, tmp_path: Path) -> None:
    examples, missing = lesson(day, tmp_path)

    assert sorted((one.subject, one.labels) for one in examples) == [("ill again", ("billing",)), ("ill today", ("billing",))]
    assert missing == 0


def test_what_else_a_mail_was_thought_to_be_nobody_has_contradicted(day: Day, tmp_path: Path) -> None:
    day.state("""UPDATE message SET others = '["meals", "billing", "no longer configured"]'""")

    assert {one.labels for one in lesson(day, tmp_path, labels="many")[0]} == {("billing", "meals")}
    assert {one.labels for one in lesson(day, tmp_path)[0]} == {("billing",)}


def test_mail_that_was_deleted_or_moved_on_since_is_missing(day: Day, tmp_path: Path) -> None:
    mails = day.server.folders["Billing"].mails
    first, second = sorted(mails)[-2:]
    mails[first].flags.add(DELETED)
    assert [len(lesson(day, tmp_path)[0]), lesson(day, tmp_path)[1]] == [1, 1]
    day.server.drag(second, "Billing", "Elsewhere")
    assert lesson(day, tmp_path) == ([], 2)


@pytest.mark.parametrize("what", ["renumber", "remove"])
def test_mail_of_a_folder_that_is_another_now_is_missing(day: Day, tmp_path: Path, what: str) -> None:
    if what == "renumber":
        day.server.renumber("Billing")
    else:
        del day.server.folders["Billing"]

    assert lesson(day, tmp_path) == ([], 2)
