"""Other servers that speak the wire: what each lacks, refuses or reads otherwise, with the settings that the docs give for it."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from tenacity import wait_none
from tests.hosted import ABSENT, MODES, WORDS, ask, opened, predict

from cubbyd.classify.hosted.prompt import PROBE
from cubbyd.classify.hosted.trial import MEMORY_NAME
from cubbyd.errors import ClassifierRejected, ClassifierUnavailable
from cubbyd.message import render_text
from cubbyd.standin import Fault, Standin
from cubbyd.standin.dialect import (
    AZURE,
    LLAMA_CPP,
    LM_STUDIO,
    NO_LOGPROBS,
    OLD_OLLAMA,
    OLLAMA,
    STRICT,
    VLLM,
    Dialect,
)
from cubbyd.testing import HandClock

pytestmark = pytest.mark.usefixtures("quick_disk")

AUTO = 'mode = "auto"'
OLD_CAP = 'max_tokens_field = "max_tokens"'


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cubbyd.classify.hosted.retry._backoff", wait_none())


def paths(standin: Standin) -> list[str]:
    return [request.path.removeprefix("/v1/") for request in standin.requests]


SETTINGS: dict[str, tuple[Dialect, str, str, int]] = {
    "openai": (Dialect(), "", "decisions", 1),
    "ollama": (OLLAMA, f"{OLD_CAP}\ncontext_tokens = 4096", "schema", 2),
    "old ollama": (OLD_OLLAMA, f"{OLD_CAP}\ncontext_tokens = 4096", "schema", 2),
    "vllm": (VLLM, "", "schema", 2),
    "llama.cpp": (LLAMA_CPP, "", "schema", 2),
    "old llama.cpp": (Dialect(lacks=LLAMA_CPP.lacks, formats=frozenset({"flat"})), 'schema_format = "flat"', "schema", 2),
    "lm studio": (LM_STUDIO, "", "schema", 2),
    "azure": (AZURE, 'api_version = "2026-10-01"\nkey_header = "api-key"', "schema", 2),
    "refuses logprobs": (NO_LOGPROBS, "", "schema without logprobs", 3),
    "strict": (STRICT, "store_field = false", "schema", 2),
    "json alone": (Dialect(lacks=VLLM.lacks, formats=frozenset({"json_object"})), 'schema_format = "json_object"', "schema", 2),
    "no formats": (Dialect(lacks=VLLM.lacks, refuses=frozenset({"response_format"})), 'schema_format = "none"', "schema", 2),
    "no finish reason": (Dialect(lacks=VLLM.lacks, no_finish_reason=True), "", "schema", 2),
}
"""Of each server: what is special about it, its settings, the mode that is found, and the calls that finding it takes."""


@pytest.mark.parametrize("name", SETTINGS)
def test_each_server_files_mail_with_its_settings_and_the_mode_is_found(tmp_path: Path, name: str) -> None:
    dialect, more, mode, tries = SETTINGS[name]
    with Standin(WORDS, dialect=dialect) as standin:
        with opened(tmp_path, standin, f"{AUTO}\n{more}") as classifier, structlog.testing.capture_logs() as logs:
            assert predict(classifier).top == "absence"
            assert predict(classifier, render_text("Hello", "The invoice is wrong.")).top == "billing"
        assert f" {mode} prompt-" in classifier.provenance.model
        assert len(standin.requests) == tries + 2
        assert [line["mode"] for line in logs if line["event"] == "found out how the server can be asked"] == [mode]
        assert [line["event"] for line in logs if line["log_level"] == "warning"] == []
        assert standin.violations == []


@pytest.mark.parametrize("name", ["ollama", "llama.cpp", "azure", "no finish reason"])
@pytest.mark.parametrize("mode", ["code", "prompt"])
def test_codes_work_there_too(tmp_path: Path, name: str, mode: str) -> None:
    dialect, more, _, _ = SETTINGS[name]
    with Standin(WORDS, dialect=dialect) as standin, opened(tmp_path, standin, f"{MODES[mode]}\n{more}") as classifier:
        assert predict(classifier).probabilities == pytest.approx({"absence": 0.9, "billing": 0.1})


def test_a_server_without_log_probabilities_leaves_the_configured_one(tmp_path: Path) -> None:
    for dialect, mode in ((LM_STUDIO, "schema"), (LM_STUDIO, "code"), (OLD_OLLAMA, "code")):
        with Standin(WORDS, dialect=dialect) as standin, opened(tmp_path, standin, MODES[mode]) as classifier:
            assert predict(classifier).probabilities == pytest.approx({"absence": 0.8, "billing": 0.2})


# --- finding it out -------------------------------------------------------------------------------------------------------


def test_nothing_of_a_mail_is_in_what_is_tried(tmp_path: Path) -> None:
    with Standin(WORDS, dialect=NO_LOGPROBS) as standin:
        with opened(tmp_path, standin, AUTO) as classifier:
            predict(classifier)
        tried, last = standin.requests[:-1], standin.requests[-1]
        assert {request.mail for request in tried} == {PROBE}
        assert last.mail != PROBE
        assert "sick" in last.mail


def test_nothing_is_sent_before_the_first_mail(tmp_path: Path) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, AUTO) as classifier:
        assert " auto prompt-" in classifier.provenance.model
        assert standin.requests == []
        assert not (tmp_path / "state").exists()


def test_what_was_found_is_known_to_the_next_run_for_a_week(tmp_path: Path) -> None:
    clock = HandClock()
    with Standin(WORDS, dialect=VLLM) as standin:
        for days, calls in ((0, 3), (1, 1), (5, 1), (2, 3)):
            clock.advance(timedelta(days=days).total_seconds())
            standin.requests.clear()
            with opened(tmp_path, standin, AUTO, clock=clock) as classifier:
                assert (" schema prompt-" in classifier.provenance.model) is (calls == 1)
                predict(classifier)
            assert len(standin.requests) == calls, days
    assert (tmp_path / "state" / MEMORY_NAME).stat().st_mode & 0o777 == 0o600


def test_another_model_is_tried_anew(tmp_path: Path) -> None:
    with Standin(WORDS) as standin:
        for model in ("one", "other"):
            with opened(tmp_path, standin, f'{AUTO}\nmodel = "{model}"') as classifier:
                predict(classifier)
        assert len(standin.requests) == 4


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"x": 1}', "\xff", "null"])
def test_a_damaged_memory_is_made_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / MEMORY_NAME).write_text(content, encoding="latin-1")
    with Standin(WORDS) as standin, opened(tmp_path, standin, AUTO) as classifier:
        predict(classifier)
    assert "decisions" in (tmp_path / "state" / MEMORY_NAME).read_text()


@pytest.mark.parametrize(
    "fault",
    [Fault.error(500), Fault.error(429, "rate_limit_exceeded"), Fault.error(401), Fault.error(404, "model_not_found")],
    ids=["500", "429", "401", "model"],
)
def test_a_failure_that_says_nothing_of_the_endpoint_decides_nothing(
    tmp_path: Path, fault: Fault, hand_clock: HandClock
) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, AUTO, clock=hand_clock) as classifier:
        standin.always(fault)
        assert isinstance(ask(classifier), ClassifierUnavailable)
        assert set(paths(standin)) == {"decisions"}
        assert " auto prompt-" in classifier.provenance.model
        standin.always(None)
        hand_clock.advance(7200)
        assert predict(classifier).provenance.model.split()[1] == "decisions"


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


def test_a_server_that_can_be_asked_in_no_way_is_an_outage(tmp_path: Path) -> None:
    lacks = frozenset({"decisions", "chat/completions"})
    with Standin(WORDS, dialect=Dialect(lacks=lacks)) as standin, opened(tmp_path, standin, AUTO) as classifier:
        error = ask(classifier)
        assert isinstance(error, ClassifierUnavailable)
        assert "no such endpoint" in str(error)
        assert {request.mail for request in standin.requests} == {PROBE}


def test_a_portal_in_between_decides_nothing(tmp_path: Path) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, AUTO) as classifier:
        standin.always(Fault.page())
        assert isinstance(ask(classifier), ClassifierUnavailable)
        assert {request.mail for request in standin.requests} == {PROBE}
        standin.always(None)
        assert predict(classifier).provenance.model.split()[1] == "decisions"


def test_a_model_that_will_not_speak_of_the_trial_mail_can_be_asked_all_the_same(tmp_path: Path) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, AUTO) as classifier:
        standin.then(Fault.refusal())
        assert predict(classifier).provenance.model.split()[1] == "decisions"


def test_a_server_that_has_changed_is_found_out_again(tmp_path: Path, hand_clock: HandClock) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, AUTO, clock=hand_clock) as classifier:
        predict(classifier)
        standin.dialect = VLLM
        assert isinstance(ask(classifier), ClassifierUnavailable)
        hand_clock.advance(7200)
        assert predict(classifier).provenance.model.split()[1] == "schema"


def test_threads_find_it_out_once(tmp_path: Path) -> None:
    with Standin(WORDS, dialect=VLLM) as standin, opened(tmp_path, standin, AUTO) as classifier:
        threads = [threading.Thread(target=lambda: predict(classifier)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert paths(standin).count("decisions") == 1
        assert len(standin.requests) == 8


def test_trying_is_paid_for_out_of_the_budget(tmp_path: Path) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, f"{AUTO}\ncalls_per_day = 1") as classifier:
        assert isinstance(ask(classifier), ClassifierUnavailable)
        assert [request.mail for request in standin.requests] == [PROBE]


def test_what_is_chosen_is_not_tried(tmp_path: Path) -> None:
    with Standin(WORDS, dialect=VLLM) as standin, opened(tmp_path, standin) as classifier:
        assert "no such endpoint" in str(ask(classifier))
        assert paths(standin) == ["decisions"]


# --- single differences ----------------------------------------------------------------------------------------------------

LONG = render_text("Fever", "She is sick. " * 400)


def test_a_text_that_the_context_cannot_hold_is_halved_and_not_sent_whole(tmp_path: Path) -> None:
    with Standin(WORDS, dialect=OLLAMA) as standin:
        with opened(tmp_path, standin, 'mode = "schema"\ncontext_tokens = 1300') as classifier:
            assert predict(classifier, LONG).top == "absence"
        (request,) = standin.requests
        assert 1000 < len(request.mail) < 2500


def test_a_server_that_counts_itself_full_has_not_read_it_all(tmp_path: Path) -> None:
    dialect = Dialect(context_tokens=500)
    with Standin(WORDS, dialect=dialect) as standin:
        with opened(tmp_path, standin, 'mode = "schema"\ncontext_tokens = 500\ntext_chars = 1000') as classifier:
            error = ask(classifier, LONG)
        assert isinstance(error, ClassifierRejected)
        assert "context_tokens" in str(error)


def test_a_server_that_seems_to_leave_text_unread_is_warned_of_once(tmp_path: Path) -> None:
    with Standin(WORDS, dialect=Dialect(context_tokens=100)) as standin:
        with opened(tmp_path, standin) as classifier, structlog.testing.capture_logs() as logs:
            predict(classifier, LONG)
            predict(classifier, LONG)
        warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
        assert len(warnings) == 1
        assert "read a part of the text only" in warnings[0]


def test_a_server_that_writes_on_is_warned_of(tmp_path: Path) -> None:
    for more, count in (("", 1), (OLD_CAP, 0)):
        with Standin(WORDS, dialect=OLLAMA) as standin:
            with opened(tmp_path, standin, f"{MODES['code']}\n{more}") as classifier, structlog.testing.capture_logs() as logs:
                predict(classifier)
            assert len([line for line in logs if "more than it was allowed" in line["event"]]) == count


@pytest.mark.parametrize(
    ("more", "dialect"),
    [
        ('key_header = "api-key"', AZURE),
        ('api_version = "2026-10-01"', AZURE),
        ('api_version = "2025-01-01"\nkey_header = "api-key"', AZURE),
        ('api_version = "2026-10-01"\nkey_header = "api-key"', Dialect()),
    ],
    ids=["no-version", "no-header", "other-version", "not-azure"],
)
def test_the_settings_of_azure_are_needed_there_and_nowhere_else(tmp_path: Path, more: str, dialect: Dialect) -> None:
    with Standin(WORDS, dialect=dialect) as standin, opened(tmp_path, standin, f'mode = "schema"\n{more}') as classifier:
        assert isinstance(ask(classifier), ClassifierUnavailable)


def test_a_key_in_azures_header_is_in_no_other(tmp_path: Path) -> None:
    with Standin(WORDS, dialect=AZURE) as standin:
        more = 'mode = "schema"\napi_version = "2026-10-01"\nkey_header = "api-key"'
        with opened(tmp_path, standin, more) as classifier:
            predict(classifier)
        (request,) = standin.requests
        assert request.path == "/v1/chat/completions?api-version=2026-10-01"
        assert "authorization" not in request.headers


@pytest.mark.parametrize("mode", MODES)
def test_what_a_server_wants_besides_is_said_and_is_part_of_the_models_name(tmp_path: Path, mode: str) -> None:
    seen: list[Any] = []
    checked = Standin(WORDS, dialect=Dialect(ignores=frozenset({"keep_alive", "chat_template_kwargs"})))
    names = set()
    with checked as standin:
        for more in ("", 'extra_body = { keep_alive = "1h", chat_template_kwargs = { enable_thinking = false } }'):
            with opened(tmp_path, standin, f"{MODES[mode]}\n{more}") as classifier:
                predict(classifier)
                names.add(classifier.provenance.model)
        seen = [request.body.get("keep_alive") for request in standin.requests]
        assert standin.requests[1].body["chat_template_kwargs"] == {"enable_thinking": False}
        assert standin.violations == []
    assert seen == [None, "1h"]
    assert len(names) == 2


def test_a_fenced_answer_is_read_where_nothing_forces_bare_json(tmp_path: Path) -> None:
    fenced = Fault.says('```json\n{"category": "absence"}\n```')
    for variant, is_read in (("none", True), ("json_object", True), ("json_schema", False)):
        with Standin(WORDS) as standin:
            with opened(tmp_path, standin, f'mode = "schema"\nschema_format = "{variant}"') as classifier:
                standin.always(fenced)
                outcome = ask(classifier, ABSENT)
            assert isinstance(outcome, ClassifierRejected) is not is_read
            assert ("response_format" in json.loads(standin.requests[0].content)) is (variant != "none")
