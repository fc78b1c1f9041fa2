"""Where mail goes and what of it: no redirect, no variable of the environment and no name gets past the configuration."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import structlog
from pydantic import SecretStr
from tests.hosted import ABSENT, MODES, WORDS, ask, configure, opened, predict, read
from tests.mail import mail

from cubbyd.classify.hosted.client import Gate
from cubbyd.classify.hosted.survey import Survey, survey
from cubbyd.config import Config, OpenAISection
from cubbyd.errors import ClassifierRejected, ClassifierUnavailable, NeedsPerson
from cubbyd.message import RENDERER_VERSION, render_text
from cubbyd.redaction import Redacted, RedactionFailed, Redactor
from cubbyd.standin import Fault, Standin
from cubbyd.standin.server import KEY
from cubbyd.taxonomy import CategoryId

pytestmark = pytest.mark.usefixtures("quick_disk")

ALL = (*MODES, "auto")
KEYS = MODES | {"auto": 'mode = "auto"'}
NAMES_MAY_LEAVE = "[redaction]\nallow_names_to_leave_the_building = true\n"


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(WORDS) as server:
        yield server
    assert server.violations == []


@pytest.fixture
def thief() -> Iterator[Standin]:
    """A server that must never hear of a mail."""
    with Standin(WORDS) as server:
        yield server
    assert server.requests == []


@pytest.mark.parametrize("mode", ALL)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(tmp_path: Path, standin: Standin, thief: Standin, status: int, mode: str) -> None:
    standin.always(Fault.redirect(f"{thief.base_url}/decisions", status))
    with opened(tmp_path, standin, KEYS[mode]) as classifier:
        assert isinstance(ask(classifier), ClassifierUnavailable)
    assert len(standin.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_list_of_models_is_read_nowhere_else(tmp_path: Path, standin: Standin, thief: Standin, status: int) -> None:
    standin.always(Fault.redirect(f"{thief.base_url}/models", status))
    assert isinstance(look(configure(tmp_path, standin.base_url)).error, ClassifierUnavailable)
    assert [request.path for request in standin.requests] == ["/v1/models"]


def look(config: Config) -> Survey:
    assert config.classifier.openai is not None
    return survey(config, config.classifier.openai)


@pytest.mark.parametrize("mode", ALL)
def test_no_variable_of_the_environment_is_obeyed(
    tmp_path: Path, standin: Standin, thief: Standin, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    host = thief.base_url.removesuffix("/v1")
    hostile = {
        "OPENAI_BASE_URL": thief.base_url,
        "OPENAI_API_KEY": "sk-evil",
        "OPENAI_ADMIN_KEY": "sk-evil",
        "OPENAI_ORG_ID": "org-evil",
        "OPENAI_PROJECT_ID": "proj-evil",
        "OPENAI_WEBHOOK_SECRET": "evil",
        "OPENAI_LOG": "debug",
        "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer sk-evil\nX-Evil: evil\nHost: evil.example\nContent-Length: 5\nAccept: evil",
        "HTTP_PROXY": host,
        "HTTPS_PROXY": host,
        "ALL_PROXY": host,
        "NO_PROXY": "",
        "NETRC": str(tmp_path / "netrc"),
        "SSLKEYLOGFILE": str(tmp_path / "keys"),
    }
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.lower(), value)
    with opened(tmp_path, standin, KEYS[mode]) as classifier:
        assert predict(classifier).top == "absence"
    assert look(configure(tmp_path, standin.base_url)).error is None
    assert len(standin.requests) == (3 if mode == "auto" else 2)
    for request in standin.requests:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert "evil" not in json.dumps(dict(request.headers))
        assert b"evil" not in request.content
        assert "evil" not in request.path


@pytest.mark.parametrize("mode", MODES)
def test_nothing_but_what_is_needed_is_said(tmp_path: Path, standin: Standin, mode: str) -> None:
    more = f'{MODES[mode]}\norganization = "org-1"\nproject = "proj-2"'
    with opened(tmp_path, standin, more) as classifier:
        predict(classifier)
    (request,) = standin.requests
    expected = {
        "host",
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
        "authorization",
        "user-agent",
    }
    assert set(request.headers) == expected | {"openai-organization", "openai-project"}
    assert request.headers["user-agent"].startswith("cubbyd/")
    assert set(request.body) <= {
        *("model", "input", "questions"),
        *("messages", "response_format", "store", "max_completion_tokens", "temperature", "logprobs"),
        *("top_logprobs", "prompt", "max_tokens"),
    }
    assert request.body.get("store") is (False if "messages" in request.body else None)


def test_nothing_but_the_key_is_said_for_the_list_of_models(tmp_path: Path, standin: Standin) -> None:
    look(configure(tmp_path, standin.base_url))
    (request,) = standin.requests
    assert (request.method, request.path, request.content) == ("GET", "/v1/models", b"")
    assert set(request.headers) == {"host", "accept", "accept-encoding", "authorization", "user-agent"}


class _Asked(httpx2.AsyncBaseTransport):
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(str(request.url))
        return httpx2.Response(200, stream=httpx2.ByteStream(b"{}"))


@pytest.mark.parametrize(
    ("url", "passes"),
    [
        ("https://api.example.org/v1/decisions", True),
        ("http://api.example.org/v1/decisions", False),
        ("https://api.example.org:8443/v1/decisions", False),
        ("https://evil.example/v1/decisions", False),
        ("https://api.example.org.evil.example/v1/decisions", False),
        ("https://api.example.org/v2/decisions", False),
        ("https://api.example.org/v1evil/decisions", False),
        ("https://api.example.org/v1/decisions?to=evil", False),
        ("https://api.example.org/v1/completions?api-version=1", False),
        ("https://api.example.org/v1/models", True),
        ("https://api.example.org/v1/models?after=evil", False),
        ("https://api.example.org/models", False),
    ],
)
def test_the_gate_knows_a_single_address(url: str, *, passes: bool) -> None:
    section = OpenAISection.model_validate({"model": "m", "api_key_env": "K", "base_url": "https://api.example.org/v1"})
    inner = _Asked()
    gate = Gate(section, SecretStr("k"), inner)

    async def send() -> None:
        await gate.handle_async_request(httpx2.Request("POST", url))

    if passes:
        asyncio.run(send())
    else:
        with pytest.raises(httpx2.UnsupportedProtocol):
            asyncio.run(send())
    assert bool(inner.asked) is passes


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("", True),
        ("?limit=100", True),
        ("?after=ftevent-1&limit=20", True),
        ("?limit=20&to=evil", False),
        ("?to=evil", False),
        ("?after=a%26b", False),
        ("?limit=20&limit=20&limit=20", False),
    ],
)
def test_with_files_a_page_of_a_list_passes_too_and_nothing_else(query: str, *, passes: bool) -> None:
    section = OpenAISection.model_validate({"model": "m", "api_key_env": "K", "base_url": "https://api.example.org/v1"})
    inner = _Asked()

    async def send() -> None:
        gate = Gate(section, SecretStr("k"), inner, has_files=True)
        await gate.handle_async_request(httpx2.Request("GET", f"https://api.example.org/v1/files{query}"))

    if passes:
        asyncio.run(send())
    else:
        with pytest.raises(httpx2.UnsupportedProtocol):
            asyncio.run(send())
    assert bool(inner.asked) is passes


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("?api-version=2026-10-01", True),
        ("", False),
        ("?api-version=2026-10-02", False),
        ("?api-version=2026-10-01&to=evil", False),
        ("?to=evil&api-version=2026-10-01", False),
        ("?API-VERSION=2026-10-01", False),
    ],
)
def test_the_gate_knows_a_single_version_too(query: str, *, passes: bool) -> None:
    section = OpenAISection.model_validate(
        {"model": "m", "api_key_env": "K", "base_url": "https://a.example.org/openai", "api_version": "2026-10-01"}
    )
    inner = _Asked()

    async def send() -> None:
        await Gate(section, SecretStr("k"), inner).handle_async_request(
            httpx2.Request("POST", f"https://a.example.org/openai/completions{query}")
        )

    if passes:
        asyncio.run(send())
    else:
        with pytest.raises(httpx2.UnsupportedProtocol):
            asyncio.run(send())
    assert bool(inner.asked) is passes


# --- names --------------------------------------------------------------------------------------------------------------

BODY = "Mia has a fever. Please call me: 555-0134-987, sabine.hofmann@example.com. Sabine Hofmann, mother of Mia Hofmann"
NAMES = ("mia", "hofmann", "sabine", "ann example", "ann@example.com", "0134")


@pytest.mark.parametrize("mode", MODES)
def test_no_name_of_the_roster_or_the_header_is_sent(tmp_path: Path, standin: Standin, mode: str) -> None:
    with opened(tmp_path, standin, MODES[mode]) as classifier, structlog.testing.capture_logs() as logs:
        prediction = predict(classifier, read(mail("Mia Hofmann is sick", body=BODY)))
    (request,) = standin.requests
    sent = request.content.decode().lower()
    assert prediction.top == "absence"
    assert "[child_1]" in sent
    assert [name for name in NAMES if name in sent] == []
    assert [name for name in NAMES if name in repr(logs).lower()] == []
    (line,) = (line for line in logs if line["event"] == "text leaves the building")
    assert line["bytes"] == len(request.content)
    assert line["log_level"] == "info"
    assert set(line) == {"event", "log_level", "endpoint", "model", "bytes"}


def test_names_are_sent_where_the_admin_has_said_so_twice(tmp_path: Path, standin: Standin) -> None:
    with opened(tmp_path, standin, "zero_data_retention = true", NAMES_MAY_LEAVE) as classifier:
        predict(classifier, read(mail("Mia Hofmann is sick")))
    (request,) = standin.requests
    assert "Mia Hofmann is sick" in request.mail
    assert "From: Ann Example <ann@example.com>" in request.mail


def test_a_mail_that_cannot_be_masked_is_not_sent(tmp_path: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaky(*_: object) -> Redacted:
        return Redacted(texts=("",) * 5, spans=(), leaks=("a name of the roster",))

    with opened(tmp_path, standin) as classifier:
        monkeypatch.setattr(Redactor, "mask", leaky)
        error = ask(classifier)
    assert isinstance(error, RedactionFailed)
    assert isinstance(error, ClassifierRejected)
    assert standin.requests == []


def test_the_sdk_logs_no_more_than_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture, standin: Standin) -> None:
    with opened(tmp_path, standin) as classifier, caplog.at_level(logging.DEBUG):
        standin.then(Fault.error(500), Fault.refusal())
        assert isinstance(ask(classifier), NeedsPerson)
    assert [record.name for record in caplog.records if record.name.startswith(("openai", "httpx", "httpcore"))] == []


# --- what comes of it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_prediction_says_who_answered_and_what_it_took(tmp_path: Path, standin: Standin, mode: str) -> None:
    prices = "price_per_million_input_tokens = 100.0\nprice_per_million_output_tokens = 1000.0"
    with opened(tmp_path, standin, f"{MODES[mode]}\n{prices}") as classifier:
        prediction = predict(classifier)
    assert prediction.request_id == "req_1"
    assert prediction.provenance.kind == "openai"
    assert prediction.provenance.renderer == RENDERER_VERSION
    assert prediction.cost.input_tokens > 100
    assert (prediction.cost.output_tokens > 0) is (mode != "decisions")
    assert prediction.cost.milliseconds > 0
    assert prediction.cost.money == pytest.approx(
        prediction.cost.input_tokens / 10_000 + prediction.cost.output_tokens / 1_000, rel=1e-6
    )


@pytest.mark.parametrize("mode", MODES)
def test_probabilities_cover_all_categories_and_sum_to_one(tmp_path: Path, standin: Standin, mode: str) -> None:
    with opened(tmp_path, standin, MODES[mode]) as classifier:
        for given, top in ((ABSENT, 0.9), (render_text("Hello", "See you."), 0.5)):
            prediction = predict(classifier, given)
            assert tuple(prediction.probabilities) == classifier.categories == ("absence", "billing")
            assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
            assert max(prediction.probabilities.values()) == pytest.approx(top)


def test_without_log_probabilities_the_configured_one_is_given(tmp_path: Path, standin: Standin) -> None:
    standin.always(Fault.without_logprobs())
    with opened(tmp_path, standin, 'mode = "schema"\nschema_probability = 0.7') as classifier:
        assert predict(classifier).probabilities == pytest.approx({"absence": 0.7, "billing": 0.3})
    standin.always(None)
    with opened(tmp_path, standin, 'mode = "schema"\nlogprobs = false') as classifier:
        assert predict(classifier).probabilities[CategoryId("absence")] == pytest.approx(0.8)
    assert [("logprobs" in request.body) for request in standin.requests] == [True, False]


@pytest.mark.parametrize(
    ("effort", "sent", "has_temperature"),
    [("auto", None, True), ("none", "none", True), ("low", "low", False)],
)
def test_a_model_that_reasons_is_not_sent_what_it_refuses(
    tmp_path: Path, standin: Standin, effort: str, sent: str | None, *, has_temperature: bool
) -> None:
    with opened(tmp_path, standin, f'mode = "schema"\nreasoning_effort = "{effort}"') as classifier:
        predict(classifier)
    body = standin.requests[0].body
    assert body.get("reasoning_effort") == sent
    assert ("temperature" in body) is ("logprobs" in body) is has_temperature
    assert body["max_completion_tokens"] >= 100


def test_openai_itself_is_told_not_to_reason() -> None:
    assert OpenAISection.model_validate({"model": "m", "api_key_env": "K"}).effort == "none"


def test_a_server_that_reads_the_old_name_of_the_cap_is_given_it(tmp_path: Path, standin: Standin) -> None:
    with opened(tmp_path, standin, 'mode = "schema"\nmax_tokens_field = "max_tokens"') as classifier:
        predict(classifier)
    assert standin.requests[0].body["max_tokens"] == 100
    assert "max_completion_tokens" not in standin.requests[0].body


def test_the_categories_are_told_with_their_meaning(tmp_path: Path, standin: Standin) -> None:
    config = configure(tmp_path, standin.base_url)
    assert [category.description for category in config.taxonomy] == ["", ""]
    with opened(tmp_path, standin) as classifier:
        predict(classifier)
    (question,) = standin.requests[0].body["questions"]
    assert question["choices"] == [
        {"value": "absence", "description": "Absence"},
        {"value": "billing", "description": "Billing"},
    ]
