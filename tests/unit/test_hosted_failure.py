"""The table of failures, row by row, through the real SDK and real sockets against the stand-in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import structlog
from tenacity import wait_none
from tests.hosted import ABSENT, MODES, WORDS, ask, configure, hurried, opened, predict, running

from cubbyd.classify.hosted.client import read_retry_after
from cubbyd.classify.hosted.failure import TABLE
from cubbyd.classify.protocol import Prediction
from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable, NeedsPerson
from cubbyd.message import render_text
from cubbyd.standin import Fault, Standin

pytestmark = pytest.mark.usefixtures("quick_disk")

DECISIONS, SCHEMA, CODE, PROMPT = MODES
ALL = tuple(MODES)
CHATS = (SCHEMA, CODE)
SPEAKING = (SCHEMA, CODE, PROMPT)
"""Those in which a model writes."""
CODES = (CODE, PROMPT)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cubbyd.classify.hosted.retry._backoff", wait_none())


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(WORDS) as server:
        yield server
    assert server.violations == []


@dataclass(frozen=True)
class Case:
    """A failure, and what it leads to: the row, the error, the calls that were made (of two allowed), the pause."""

    row: str
    fault: Fault
    error: type[ClassifierError]
    calls: int
    says: str
    modes: tuple[str, ...] = ALL
    rests: float = 0.0
    """Seconds that the backend rests afterwards; 0: the next mail is asked about at once."""
    name: str = ""
    more: str = ""
    """More keys of [classifier.openai]."""
    seconds: float = 10.0
    """For one call."""


U, R, P = ClassifierUnavailable, ClassifierRejected, NeedsPerson
QUOTA = "insufficient_quota"
FULL = Fault.keys(usage={"prompt_tokens": 4096, "input_tokens": 4096, "completion_tokens": 1, "output_tokens": 1})
IN_1000_SECONDS = "IN_1000_SECONDS"
"""Stands for the date that it is then; only the running test knows which."""


def invalid(name: str, fault: Fault, *modes: str) -> Case:
    return Case("invalid answer", fault, R, 2, "none of the categories", modes or ALL, name=name)


def listed(*pairs: tuple[object, object]) -> Fault:
    return Fault.probabilities([{"value": value, "probability": probability} for value, probability in pairs])


CASES = [
    Case(
        "no money",
        Fault.error(429, QUOTA, kind=QUOTA),
        U,
        1,
        f"no money left; pay, or raise its limit (429 {QUOTA})",
        rests=3600,
    ),
    Case("no money", Fault.error(429, "credit_balance_exhausted"), U, 1, "no money", rests=3600, name="credit"),
    Case(
        "no money",
        Fault.error(429, "project_spend_limit_exceeded", retry_after="1"),
        U,
        1,
        "no money",
        rests=3600,
        name="limit",
    ),
    Case("payment required", Fault.error(402), U, 1, "no money", rests=3600),
    Case("long wait", Fault.error(429, "rate_limit_exceeded", retry_after="600"), U, 1, "a long pause", rests=600),
    Case("long wait", Fault.error(503, retry_after="700"), U, 1, "a long pause", rests=700, name="503"),
    Case("long wait", Fault.error(429, retry_after=IN_1000_SECONDS), U, 1, "a long pause", rests=900, name="date"),
    Case(
        "rate limit", Fault.error(429, "rate_limit_exceeded"), U, 2, "too many calls for this account (429 rate_limit_exceeded)"
    ),
    Case("rate limit", Fault.error(429, retry_after="nonsense"), U, 2, "too many calls", name="odd-header"),
    Case("input blocked", Fault.error(400, "content_filter"), P, 1, "urgent: "),
    Case("input blocked", Fault.error(400, "invalid_prompt"), P, 1, "read it now", name="prompt"),
    Case("text too long", Fault.error(400, "context_length_exceeded"), R, 2, "lower text_chars"),
    Case("body too large", Fault.error(413), R, 2, "lower text_chars"),
    Case("wrong key", Fault.error(401, "invalid_api_key"), U, 1, "the key was refused", rests=900),
    Case("not allowed", Fault.error(403, "unsupported_country_region_territory"), U, 1, "may not do this", rests=900),
    Case("model gone", Fault.error(404, "model_not_found"), U, 1, "no such model", rests=3600),
    Case("no endpoint", Fault.error(404), U, 1, 'such as mode = "schema"', rests=3600),
    Case("no endpoint", Fault.page(404), U, 1, "check base_url", rests=3600, name="page"),
    Case("no endpoint", Fault.error(501), U, 1, 'such as mode = "schema"', rests=3600, name="501"),
    Case(
        "request refused",
        Fault.error(400, "unsupported_parameter", param="logprobs"),
        U,
        1,
        "this kind of request (400 unsupported_parameter logprobs)",
        rests=900,
    ),
    Case("request refused", Fault.error(422, 422), U, 1, "this kind of request", rests=900, name="422"),
    Case("busy", Fault.error(408), U, 2, "busy"),
    Case("busy", Fault.error(409), U, 2, "busy", name="409"),
    Case("redirect", Fault.redirect("/v1/elsewhere"), U, 1, "points elsewhere; no mail is sent there (307)", rests=900),
    Case("redirect", Fault.redirect("/v1/elsewhere", 302), U, 1, "points elsewhere", rests=900, name="302"),
    Case("server error", Fault.error(500), U, 2, "a fault of its own (500 error)"),
    Case(
        "server error", Fault.error(503, "server_is_overloaded", retry_after="0"), U, 2, "a fault of its own", name="overload"
    ),
    Case("server error", Fault.page(502), U, 2, "a fault of its own (502)", name="page"),
    Case("server error", Fault.error(529), U, 2, "a fault of its own", name="529"),
    Case("other status", Fault.error(418), U, 1, "does not know (418 error)", rests=900),
    Case("timeout", Fault(wait=0.5), U, 2, "no answer in time", seconds=0.3),
    Case("timeout", Fault(drip=0.05), U, 2, "no answer in time", name="drip", seconds=0.3),
    Case("no connection", Fault(hang_up=True), U, 2, "cannot be reached"),
    Case("no connection", Fault(cut=True), U, 2, "cannot be reached", name="cut-body"),
    Case("no connection", Fault(headers={"content-encoding": "gzip"}), U, 2, "cannot be reached", name="packed"),
    Case("no connection", Fault.raw(b" " * (5 * 1024 * 1024)), U, 2, "cannot be reached", name="endless"),
    Case("refusal", Fault.refusal(), P, 1, "urgent: ", (DECISIONS, *CHATS)),
    Case("output blocked", Fault.finish("content_filter"), P, 1, "urgent: ", SPEAKING),
    Case("cut output", Fault.finish("length", '{"cat'), R, 1, 'set reasoning_effort = "none"', (SCHEMA,)),
    Case("cut output", Fault.finish("length", ""), R, 1, 'set reasoning_effort = "none"', SPEAKING, name="nothing"),
    Case(
        "cut output",
        Fault.finish("length", "1"),
        R,
        1,
        "cut short",
        CODES,
        name="number",
        more='codes = "numbers"',
    ),
    Case("context full", FULL, R, 2, "do not fit into context_tokens", name="full", more="context_tokens = 4096"),
    Case("context full", Fault(), R, 0, "lower text_chars", name="no-room", more="context_tokens = 100"),
    invalid("foreign-label", Fault.says('{"category": "trash"}'), SCHEMA),
    invalid("two-keys", Fault.says('{"category": "absence", "delete": true}'), SCHEMA),
    invalid("no-json", Fault.says("absence"), SCHEMA),
    invalid("a-list", Fault.says('["absence"]'), SCHEMA),
    invalid("other-case", Fault.says('{"category": "Absence"}'), SCHEMA),
    invalid("no-text", Fault.says(""), SCHEMA),
    invalid("deep", Fault.says("[" * 100_000), SCHEMA),
    invalid("empty-choices", Fault.keys(choices=[]), *SPEAKING),
    invalid("choice-no-object", Fault.keys(choices=["A"]), *SPEAKING),
    invalid("no-message", Fault.keys(choices=[{"index": 0}]), *SPEAKING),
    invalid("foreign-code", Fault.says("C"), *CODES),
    invalid("other-case-code", Fault.says("a"), *CODES),
    invalid("a-word", Fault.says("Absence"), *CODES),
    invalid("code-in-a-sentence", Fault.says("It is A"), *CODES),
    invalid("number-for-a-letter", Fault.says("1"), *CODES),
    invalid("nothing-said", Fault.says(" \n"), *CODES),
    invalid("foreign-option", listed(("absence", 0.5), ("trash", 0.5)), DECISIONS),
    invalid("one-more-option", listed(("absence", 0.5), ("billing", 0.4), ("trash", 0.1)), DECISIONS),
    invalid("missing-option", listed(("absence", 1.0)), DECISIONS),
    invalid("twice", listed(("absence", 0.5), ("absence", 0.5), ("billing", 0.0)), DECISIONS),
    invalid("sum", listed(("absence", 0.9), ("billing", 0.9)), DECISIONS),
    invalid("negative", listed(("absence", 1.5), ("billing", -0.5)), DECISIONS),
    invalid("no-number", listed(("absence", "0.5"), ("billing", 0.5)), DECISIONS),
    invalid("bool", listed(("absence", True), ("billing", 0.0)), DECISIONS),
    invalid("not-a-number", listed(("absence", float("nan")), ("billing", 0.5)), DECISIONS),
    invalid("null", listed(("absence", None), ("billing", 0.5)), DECISIONS),
    invalid("no-answers", Fault.keys(answers=[]), DECISIONS),
    invalid("other-kind", Fault.keys(answers=[{"type": "predicate", "probability": 1.0}]), DECISIONS),
    invalid("answer-no-object", Fault.keys(answers=["absence"]), DECISIONS),
    Case("not the API", Fault.page(), U, 2, "is not the service"),
    Case("not the API", Fault.raw(b""), U, 2, "is not the service", name="empty"),
    Case("not the API", Fault.raw({"error": {"message": "no"}}), U, 2, "is not the service", name="error-in-200"),
    Case("not the API", Fault.raw(b'{"answers": ['), U, 2, "is not the service", name="cut-json"),
    Case("not the API", Fault.raw(b"[1]"), U, 2, "is not the service", name="list"),
    Case("not the API", Fault.raw({"detail": "ok"}), U, 2, "is not the service", name="other-object"),
    Case("not the API", Fault.raw(b"\xff\xfe\x00"), U, 2, "is not the service", name="bytes"),
]


def dated(fault: Fault) -> Fault:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
    return replace(fault, headers={name: date if value == IN_1000_SECONDS else value for name, value in fault.headers.items()})


def test_every_row_has_a_case() -> None:
    assert {case.row for case in CASES} == {row.name for row in TABLE}
    assert len({row.name for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize(
    ("case", "mode"),
    [(case, mode) for case in CASES for mode in case.modes],
    ids=[f"{case.row}-{case.name}-{mode}".replace(" ", "-") for case in CASES for mode in case.modes],
)
def test_row(tmp_path: Path, standin: Standin, case: Case, mode: str) -> None:
    more = f"{MODES[mode]}\npatience_seconds = 5\n{case.more}"
    config = hurried(configure(tmp_path, standin.base_url, more), case.seconds)
    with running(config) as classifier, structlog.testing.capture_logs() as logs:
        standin.always(dated(case.fault))
        error = ask(classifier)
        assert type(error) is case.error, error
        assert case.says in str(error)
        assert "SECRET" not in str(error) + repr(logs)
        assert len(standin.requests) == case.calls
        assert [line["failure"] for line in logs if "failure" in line][-1] == case.row
        standin.always(None)
        again = ask(classifier)
        if not case.rests:
            assert isinstance(again, Prediction) or not case.calls, again
            return
        assert isinstance(again, ClassifierUnavailable)
        assert len(standin.requests) == case.calls, "nobody was asked"
        assert again.retry_after_seconds is not None
        assert case.rests - 100 < again.retry_after_seconds <= case.rests + 100
        assert isinstance(error, ClassifierUnavailable)
        assert error.retry_after_seconds is not None


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:1/v1", "https://nowhere.invalid/v1"],
    ids=["nobody-listens", "no-such-host"],
)
def test_a_server_that_is_not_there(tmp_path: Path, address: str) -> None:
    with opened(tmp_path, address) as classifier:
        error = ask(classifier)
    assert type(error) is ClassifierUnavailable
    assert "cannot be reached" in str(error)


def test_a_server_without_tls_where_tls_is_due(tmp_path: Path, standin: Standin) -> None:
    with opened(tmp_path, standin.base_url.replace("http:", "https:")) as classifier:
        error = ask(classifier)
    assert "cannot be reached" in str(error)
    assert standin.requests == []


@pytest.mark.parametrize("mode", ALL)
def test_a_passing_failure_is_tried_again_and_answered(tmp_path: Path, standin: Standin, mode: str) -> None:
    with opened(tmp_path, standin, MODES[mode]) as classifier:
        for fault in (Fault.error(500), Fault(hang_up=True), Fault.page(), Fault.error(429, "rate_limit_exceeded")):
            standin.then(fault)
            assert predict(classifier).top == "absence"
    assert len(standin.requests) == 8


def test_retry_after_is_waited_out(tmp_path: Path, standin: Standin) -> None:
    standin.then(Fault.error(429, retry_after="1"))
    with opened(tmp_path, standin) as classifier:
        predict(classifier)
    assert standin.requests[1].at - standin.requests[0].at >= 1.0


def test_a_wait_longer_than_the_patience_is_not_begun(tmp_path: Path, standin: Standin) -> None:
    standin.always(Fault.error(429, retry_after="100"))
    with opened(tmp_path, standin, "patience_seconds = 2") as classifier:
        started = time.monotonic()
        error = ask(classifier)
    assert time.monotonic() - started < 2
    assert isinstance(error, ClassifierUnavailable)
    assert error.retry_after_seconds == 100
    assert len(standin.requests) == 1


def test_the_time_of_one_mail_is_bounded_however_slow_the_server(tmp_path: Path, standin: Standin) -> None:
    standin.always(Fault(drip=0.05))
    with opened(tmp_path, standin, "attempts = 10\ntimeout_seconds = 1\npatience_seconds = 2") as classifier:
        started = time.monotonic()
        assert isinstance(ask(classifier), ClassifierUnavailable)
    assert time.monotonic() - started < 4


def test_the_sdk_repeats_nothing_by_itself(tmp_path: Path, standin: Standin) -> None:
    standin.always(Fault.error(500, x_should_retry="true"))
    with opened(tmp_path, standin, "attempts = 1") as classifier:
        ask(classifier)
    assert len(standin.requests) == 1


def test_a_text_that_is_too_long_is_halved_once(tmp_path: Path, standin: Standin) -> None:
    long = render_text("Fever", "She is sick. " * 300)
    standin.then(Fault.error(400, "context_length_exceeded"))
    with opened(tmp_path, standin, "text_chars = 2000") as classifier:
        assert predict(classifier, long).top == "absence"
    first, second = (len(request.mail) for request in standin.requests)
    assert second < 0.6 * first


def test_five_failures_in_a_row_give_the_server_a_rest(tmp_path: Path, standin: Standin) -> None:
    standin.always(Fault.error(500))
    with opened(tmp_path, standin, "attempts = 1") as classifier:
        for _ in range(7):
            assert isinstance(ask(classifier), ClassifierUnavailable)
        assert len(standin.requests) == 5
        standin.always(None)
        error = ask(classifier)
        assert isinstance(error, ClassifierUnavailable)
        assert "not asked for another" in str(error)


def test_mails_after_an_outage_are_not_asked_about(tmp_path: Path, standin: Standin) -> None:
    with opened(tmp_path, standin, "attempts = 1") as classifier:
        standin.then(Fault(), Fault.refusal(), Fault.error(500))
        outcomes = classifier.classify([ABSENT] * 4)
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [Prediction, NeedsPerson, ClassifierUnavailable, ClassifierUnavailable]
        assert len(standin.requests) == 3
        assert list(classifier.classify([])) == []


def test_closing_twice_or_before_a_question_is_no_harm(tmp_path: Path, standin: Standin) -> None:
    with opened(tmp_path, standin) as classifier:
        classifier.close()
        assert isinstance(ask(classifier), ClassifierUnavailable)
    assert standin.requests == []


NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:00 GMT"}, 60.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 400}, 86_400.0),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after-ms": "inf"}, 86_400.0),
        ({"retry-after-ms": "-1"}, 0.0),
    ],
)
def test_retry_after_is_read_with_care(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers, NOW) == seconds


def test_the_docs_have_every_row() -> None:
    text = (Path(__file__).parents[2] / "docs" / "classifiers" / "openai.md").read_text(encoding="utf-8")
    table = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")}

    assert {row.name for row in TABLE} <= table, json.dumps(sorted({row.name for row in TABLE} - table))
