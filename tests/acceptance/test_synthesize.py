"""`cubbyd dataset synthesize`: small categories are filled, checked, marked, capped, and never measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.desk import Desk, json_lines
from tests.acceptance.test_label import hosted

from cubbyd.standin import Fault, Standin

pytestmark = pytest.mark.slow

WORDS = {"fever": "absence", "invoice": "billing", "grandma": "pickup"}
FILL = ("dataset", "synthesize", "mails.jsonl", "--out", "filled.jsonl", "--to", "8")


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(WORDS) as server:
        yield server
    assert server.violations == []


def lay_out(desk: Desk, standin: Standin, more: str = "") -> Path:
    counts = {"absence": 9, "billing": 6, "pickup": 2}
    words = {category: word for word, category in WORDS.items()}
    mails = [
        {"subject": f"{words[label]} {number}", "body": f"Mia Hofmann: {words[label]} as of room {number}", "label": label}
        for label, count in counts.items()
        for number in range(count)
    ]
    (desk.folder / "mails.jsonl").write_text("".join(json.dumps(mail) + "\n" for mail in mails))
    hosted(desk, standin, more)
    return desk.folder / "filled.jsonl"


def written(file: Path) -> list[dict[str, Any]]:
    return [record for record in json_lines(file.read_text()) if record.get("origin") == "synthetic"]


def composed(standin: Standin) -> list[str]:
    return [body for request in standin.requests if "Written by: " in (body := request.content.decode())]


def test_small_categories_are_filled_to_the_count_and_to_the_share_and_no_name_leaves(desk: Desk, standin: Standin) -> None:
    out = lay_out(desk, standin, "price_per_million_input_tokens = 1.0\nprice_per_million_output_tokens = 4.0")
    refused = desk.call(*FILL, code=2)
    assert "4 to be written: 8 calls" in refused.stderr, "each is written, and checked by the hosted classifier"
    assert "of money" in refused.stderr
    assert standin.requests == []
    assert not out.exists()

    (said,) = json_lines(desk.call(*FILL, "--yes", "--json").stdout)

    assert said == {"out": "filled.jsonl", "examples": 21, "written": {"billing": 2, "pickup": 2}, "dropped": {}}
    assert Counter(record["label"] for record in written(out)) == {"billing": 2, "pickup": 2}, "pickup: half of it, no more"
    assert out.read_text().startswith((desk.folder / "mails.jsonl").read_text()[:20])
    assert out.stat().st_mode & 0o777 == 0o600
    assert b"Hofmann" not in b"".join(request.content for request in standin.requests)
    asked = composed(standin)
    assert len(asked) == 4
    assert len({body.partition("Written by: ")[2].partition("Examples of")[0] for body in asked}) > 1
    days = json.loads((desk.folder / "state" / "spending.json").read_text())["days"]
    assert sum(day["calls"] for day in days.values()) == 8

    before = len(standin.requests)
    assert "0 of them new" in desk.call(*FILL, "--yes").stdout
    assert len(standin.requests) == before


def test_what_is_said_twice_and_what_the_check_doubts_is_dropped_and_counted(desk: Desk, standin: Standin) -> None:
    out = lay_out(desk, standin)
    answers = (
        {"subject": "invoice 0", "body": "Mia Hofmann: invoice as of room 0"},
        {"subject": "", "body": "yes"},
        {"subject": "invoice", "body": "the invoice of [CHILD_1] is wrong"},
    )
    standin.then(*(Fault.says(json.dumps(answer)) for answer in answers))
    standin.then(Fault.says(json.dumps({"subject": "late", "body": "grandma comes late today, she says"})))

    (said,) = json_lines(desk.call(*FILL, "--yes", "--json").stdout)

    assert said["dropped"] == {
        "a duplicate": 1,
        "too short": 1,
        "a placeholder of masking is left in it": 1,
        "the check takes it for another category": 1,
    }
    assert said["written"] == {"billing": 2, "pickup": 2}, "others were asked for in their place"
    assert "grandma comes late" not in out.read_text()


def test_an_outage_keeps_what_was_written_and_the_next_call_goes_on(desk: Desk, standin: Standin) -> None:
    out = lay_out(desk, standin)
    standin.then(Fault(), Fault(), Fault.error(500))
    failed = desk.call(*FILL, "--yes", code=69)
    assert "1 of them new" in failed.stdout
    assert len(written(out)) == 1

    desk.call(*FILL, "--yes")

    assert Counter(record["label"] for record in written(out)) == {"billing": 2, "pickup": 2}
    assert len({record["id"] for record in written(out)}) == 4


def test_the_budget_ends_it(desk: Desk, standin: Standin) -> None:
    lay_out(desk, standin, "calls_per_day = 3")
    assert "the budget is used up" in desk.call(*FILL, "--yes", code=69).stderr
    assert len(standin.requests) == 3


def test_nothing_synthetic_is_in_a_set_that_measures(desk: Desk, standin: Standin) -> None:
    lay_out(desk, standin)
    desk.call(*FILL, "--yes")
    desk.call(
        "dataset", "split", "filled.jsonl", "--group-by", "nothing", "--test", "30%", "--validation", "20%", "--out", "sets"
    )
    sides = {side: written(desk.folder / "sets" / f"{side}.jsonl") for side in ("train", "validation", "test")}
    assert {side: len(records) for side, records in sides.items()} == {"train": 4, "validation": 0, "test": 0}


def test_a_file_of_something_else_is_not_written_to(desk: Desk, standin: Standin) -> None:
    out = lay_out(desk, standin)
    out.write_text('{"text": "something of mine"}\n')
    refused = desk.call(*FILL, "--yes", code=1)
    assert "is not mails.jsonl with synthetic examples behind it" in refused.stderr
    assert out.read_text() == '{"text": "something of mine"}\n'
    assert standin.requests == []
