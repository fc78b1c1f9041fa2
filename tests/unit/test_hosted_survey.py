"""What `cubbyd check` sees of a hosted classifier: where mail would go, what is left to spend, and how long the model lives."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.hosted import MODES, WORDS, configure, opened, predict

from cubbyd.classify.hosted.survey import Survey, look_up, survey
from cubbyd.errors import ClassifierUnavailable
from cubbyd.standin import Fault, Standin
from cubbyd.standin.dialect import AZURE
from cubbyd.testing import HandClock

pytestmark = pytest.mark.usefixtures("quick_disk")

NOW = HandClock(datetime(2026, 11, 21, 8, 0, tzinfo=UTC))
PRICES = "price_per_million_input_tokens = 1000.0\nprice_per_million_output_tokens = 0.0"


def look(folder: Path, standin: Standin | str, more: str = "", sections: str = "") -> Survey:
    config = configure(folder, standin if isinstance(standin, str) else standin.base_url, more, sections)
    assert config.classifier.openai is not None
    return survey(config, config.classifier.openai, NOW)


def models(*listed: dict[str, Any]) -> Fault:
    return Fault.keys(data=list(listed))


def test_mode_address_names_budget_and_model_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    with Standin(WORDS) as standin:
        seen = look(tmp_path, standin, f"money_per_day = 2.0\n{PRICES}")
        assert [request.path for request in standin.requests] == ["/v1/models"]
        assert seen.facts == {
            "mode": "decisions",
            "address": standin.base_url,
            "names": "masked",
            "budget_left": "2,000 calls today, 2.00 of money today",
            "listed": "yes",
        }
    assert seen.warnings == ()
    assert seen.error is None
    assert not (tmp_path / "state").exists()


def test_what_was_spent_is_taken_off(tmp_path: Path) -> None:
    more = f"money_per_day = 2.0\nmoney_per_month = 20.0\n{PRICES}"
    with Standin(WORDS) as standin:
        with opened(tmp_path, standin, more, clock=NOW) as classifier:
            spent = predict(classifier).cost.money
        seen = look(tmp_path, standin, more)
    assert seen.facts["budget_left"] == f"1,999 calls today, {2 - spent:.2f} of money today, {20 - spent:.2f} this month"


def test_an_unreadable_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "spending.json").write_text("{")
    with Standin(WORDS) as standin, pytest.raises(ClassifierUnavailable, match="is damaged"):
        look(tmp_path, standin)


def test_a_mode_that_is_found_out_is_told_once_it_is_known(tmp_path: Path) -> None:
    with Standin(WORDS) as standin:
        before = look(tmp_path, standin, 'mode = "auto"')
        with opened(tmp_path, standin, 'mode = "auto"', clock=NOW) as classifier:
            predict(classifier)
        after = look(tmp_path, standin, 'mode = "auto"')
        code = look(tmp_path, standin, MODES["prompt"])
    assert before.facts["mode"] == "auto: found out before the first mail"
    assert after.facts["mode"] == "auto: decisions"
    assert code.facts["mode"] == "code, at completions"


def test_names_that_leave_are_told(tmp_path: Path) -> None:
    with Standin(WORDS) as standin:
        seen = look(tmp_path, standin, "zero_data_retention = true", "[redaction]\nallow_names_to_leave_the_building = true\n")
    assert seen.facts["names"] == "sent as they are (zero_data_retention = true)"


def test_a_model_that_is_not_listed_is_warned_of(tmp_path: Path) -> None:
    with Standin(WORDS) as standin:
        seen = look(tmp_path, standin, 'model = "gpt-9"')
    assert seen.facts["listed"] == "no"
    assert seen.warnings == (
        "the server does not list the model 'gpt-9'; it lists gpt-6-luna, text-embedding-3-large, text-embedding-3-small",
    )
    assert seen.error is None, "some servers list less than they have"


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (None, ""),
        ("2027-02-20", ""),
        ("2027-02-19", "in 90 days: choose another model"),
        ("2026-12-22", "in 31 days: choose another model"),
        ("2026-12-21T00:00:00Z", "in 30 days: change the model soon"),
        ("2026-11-28", "in 7 days: change the model now"),
        ("2026-11-21", "in 0 days: change the model now"),
        ("2026-11-01", "was to be shut down on 2026-11-01, 20 days ago"),
        ("soon", ""),
        (7, ""),
    ],
)
def test_the_end_of_a_model_is_told_in_time(tmp_path: Path, day: object, said: str) -> None:
    with Standin(WORDS) as standin:
        standin.then(models({"id": "gpt-6-luna", "shutdown_date": day}))
        seen = look(tmp_path, standin)
    assert [said in warning for warning in seen.warnings] == ([True] if said else [])
    assert seen.facts["listed"].startswith("yes")


def test_the_usual_tag_of_ollama_need_not_be_said() -> None:
    assert look_up("llama4", {"llama4:latest": None}, date(2026, 11, 21)) == ("yes", ())


@pytest.mark.parametrize("fault", [Fault.error(404), Fault.error(501), Fault.error(400)], ids=["404", "501", "400"])
def test_a_server_without_a_list_is_no_fault(tmp_path: Path, fault: Fault) -> None:
    with Standin(WORDS) as standin:
        standin.then(fault)
        seen = look(tmp_path, standin)
    assert seen.facts["listed"] == "the server has no list of its models"
    assert seen.error is None


@pytest.mark.parametrize(
    "fault",
    [Fault.error(401), Fault.error(500), Fault.page(), Fault(hang_up=True), Fault.redirect("/x"), Fault.raw({"data": 1})],
    ids=["key", "500", "page", "hang-up", "redirect", "other"],
)
def test_a_server_that_would_answer_no_mail_is_an_error(tmp_path: Path, fault: Fault) -> None:
    with Standin(WORDS) as standin:
        standin.then(fault)
        seen = look(tmp_path, standin)
    assert isinstance(seen.error, ClassifierUnavailable)
    assert "SECRET" not in str(seen.error)


@pytest.mark.parametrize(
    "data", [[], ["x"], [{"id": 1}], [None, {"id": "gpt-6-luna"}], [{"id": "gpt-6-luna", "shutdown_date": {}}]]
)
def test_an_odd_list_is_read_as_far_as_it_can(tmp_path: Path, data: list[Any]) -> None:
    with Standin(WORDS) as standin:
        standin.then(Fault.keys(data=data))
        seen = look(tmp_path, standin)
    assert seen.error is None
    assert seen.facts["listed"] in {"yes", "no"}


def test_azure_is_asked_with_its_own_header_and_version(tmp_path: Path) -> None:
    with Standin(WORDS, dialect=AZURE) as standin:
        seen = look(tmp_path, standin, 'api_version = "2026-10-01"\nkey_header = "api-key"')
        assert standin.requests[0].path == "/v1/models?api-version=2026-10-01"
    assert seen.facts["listed"] == "yes"
