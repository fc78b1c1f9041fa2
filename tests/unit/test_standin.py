"""The stand-in itself: it refuses what the vendor's types do not allow, and its own answers hold against the official document."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.hosted import WORDS, opened, predict
from tests.standin import connected

from cubbyd import testing
from cubbyd.standin import Fault, Standin
from cubbyd.standin.server import KEY

DECISION: dict[str, Any] = {
    "model": "gpt-6-luna",
    "input": [{"role": "user", "content": "sick"}],
    "questions": [{"type": "choice", "instructions": "Which?", "choices": [{"value": "absence"}, {"value": "billing"}]}],
}
CHAT: dict[str, Any] = {
    "model": "gpt-6-luna",
    "messages": [{"role": "user", "content": "sick"}],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"properties": {"category": {"enum": ["absence", "billing"]}}}},
    },
}


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(WORDS) as server:
        yield server


def call(standin: Standin, path: str, body: object = None, key: str = KEY) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{standin.base_url}{path}", data, {"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_right_requests_are_answered(standin: Standin) -> None:
    assert call(standin, "/decisions", DECISION)[1]["answers"][0]["choice"] == "absence"
    assert call(standin, "/decisions", DECISION | {"input": "an invoice"})[1]["answers"][0]["choice"] == "billing"
    assert json.loads(call(standin, "/chat/completions", CHAT)[1]["choices"][0]["message"]["content"]) == {
        "category": "absence"
    }
    assert call(standin, "/models")[1]["data"][0]["id"] == "gpt-6-luna"
    assert standin.violations == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/decisions", {}),
        ("/decisions", {**DECISION, "temperature": 0}),
        ("/decisions", {key: value for key, value in DECISION.items() if key != "model"}),
        ("/decisions", {**DECISION, "questions": []}),
        ("/decisions", {**DECISION, "questions": [{"type": "choice", "instructions": "x"}]}),
        ("/decisions", {**DECISION, "questions": [{"type": "riddle", "instructions": "x"}]}),
        ("/decisions", {**DECISION, "questions": [{**DECISION["questions"][0], "choices": [{"value": "a"}]}]}),
        ("/decisions", {**DECISION, "questions": [{**DECISION["questions"][0], "choices": [{"value": "a"}] * 2}]}),
        ("/decisions", {**DECISION, "questions": [{**DECISION["questions"][0], "choices": [{"value": 1}, {"value": 2}]}]}),
        ("/decisions", {**DECISION, "input": [{"role": "wizard", "content": "x"}]}),
        ("/chat/completions", {**CHAT, "max_completion_token": 1}),
        ("/chat/completions", {**CHAT, "messages": [{"role": "user", "contents": "x"}]}),
        ("/chat/completions", {**CHAT, "temperature": "0"}),
        ("/chat/completions", {**CHAT, "store": "no"}),
        ("/chat/completions", {**CHAT, "response_format": {"type": "json_schema"}}),
        ("/chat/completions", "no object"),
    ],
)
def test_wrong_requests_are_refused_and_remembered(standin: Standin, path: str, body: object) -> None:
    assert call(standin, path, body)[0] == 400
    assert len(standin.violations) == 1


def test_a_wrong_key_and_a_wrong_path_are_refused(standin: Standin) -> None:
    assert call(standin, "/models", key="sk-other")[0] == 401
    assert call(standin, "/responses", {})[0] == 404


def test_the_stand_in_is_reached_from_this_machine_alone(standin: Standin) -> None:
    port = int(standin.base_url.rpartition(":")[2].partition("/")[0])

    assert standin.base_url.startswith("http://127.0.0.1:")
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    with pytest.raises(ConnectionRefusedError):  # a server on all addresses would answer here
        socket.create_connection(("127.0.0.2", port), timeout=5)


def test_each_stand_in_is_a_double_of_cubbyd_testing() -> None:
    assert testing.Standin is Standin
    assert testing.Fault.error(503).status == 503
    with pytest.raises(AttributeError, match="no attribute 'StandIn'"):
        testing.StandIn  # noqa: B018


def test_a_request_that_a_fault_refuses_has_no_effect_and_others_go_on(standin: Standin) -> None:
    standin.always(Fault.error(503))
    assert call(standin, "/decisions", DECISION)[0] == 503
    assert call(standin, "/decisions", {})[0] == 400, "a wrong request is refused before anything else can fail"
    standin.always(None)
    assert call(standin, "/decisions", DECISION)[0] == 200


def test_what_is_too_large_is_refused_and_the_connection_goes_on(standin: Standin) -> None:
    with connected(standin) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            client.files.create(file=("large", bytes(17 * 1024 * 1024)), purpose="user_data")
        assert caught.value.status_code == 413
        assert client.files.list().data == []


@pytest.mark.parametrize("number", range(2))
def test_the_examples_of_the_docs_run(number: int) -> None:
    text = (Path(__file__).parents[2] / "docs" / "standin.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)

    assert len(examples) == 2
    exec(compile(examples[number], "docs/standin.md", "exec"), {})


def test_the_docs_have_every_fault() -> None:
    text = (Path(__file__).parents[2] / "docs" / "standin.md").read_text(encoding="utf-8")
    made = [name for name, member in vars(Fault).items() if isinstance(member, classmethod)]

    assert [name for name in made if f"Fault.{name}(" not in text] == []
    assert "error" in made


# --- the official document, where it is at hand ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def official(shared: Path) -> Any:
    """Validators of the official OpenAPI document, by the name of the schema."""
    jsonschema = pytest.importorskip("jsonschema")
    file = shared / "data" / "openai-openapi" / "slice-with-responses.json"
    if not file.exists():
        pytest.skip(f"no {file}")
    document = json.loads(file.read_text(encoding="utf-8"))

    def validator(name: str) -> Any:
        return jsonschema.Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})

    return validator


def test_the_official_document_has_no_complaint_about_chats(tmp_path: Path, standin: Standin, official: Any) -> None:
    request_check, answer_check = official("CreateChatCompletionRequest"), official("CreateChatCompletionResponse")
    assert list(request_check.iter_errors({**CHAT, "temperature": 3})), "or the check is blind"
    for effort in ("none", "low"):
        with opened(tmp_path, standin, f'mode = "schema"\nreasoning_effort = "{effort}"') as classifier:
            predict(classifier)
    bodies: list[Mapping[str, Any]] = [request.body for request in standin.requests]
    assert len(bodies) == 2
    for body in bodies:
        assert [error.message for error in request_check.iter_errors(body)] == []
    _, answer = call(standin, "/chat/completions", {**CHAT, "logprobs": True})
    assert [error.message for error in answer_check.iter_errors(answer)] == []
