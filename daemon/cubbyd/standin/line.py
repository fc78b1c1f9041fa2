"""The lines of an uploaded JSONL file: examples for fine-tuning, and the requests of a batch.

The API documents these in prose alone. A fine-tuning line holds a chat, whose assistant may carry a weight of 0 or 1; for
preference tuning (DPO) it holds an input and two answers. A batch line holds a custom_id and one request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, Literal, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from cubbyd.standin.endpoint import Body, Refused, refusal
from cubbyd.standin.strict import strict_adapter

MOST_REQUESTS: Final = 50_000


class _Request(TypedDict):
    custom_id: str
    method: Literal["POST"]
    url: str
    body: dict[str, Any]


class _Chat(TypedDict):
    messages: list[Any]
    tools: NotRequired[list[Any]]
    functions: NotRequired[list[Any]]
    parallel_tool_calls: NotRequired[bool]


class _Turns(TypedDict):
    messages: list[Any]
    tools: NotRequired[list[Any]]
    parallel_tool_calls: NotRequired[bool]


class _Preference(TypedDict):
    input: _Turns
    preferred_output: list[Any]
    non_preferred_output: list[Any]


def read_lines(content: bytes, purpose: str) -> list[Body]:
    """Read a file of the purpose "fine-tune" or "batch". Raises Refused, with the number of the first wrong line."""
    check: Callable[[Body], None] = _check_request if purpose == "batch" else _check_example
    lines = []
    for number, raw in enumerate(content.splitlines(), start=1):
        if not raw.strip():
            continue
        try:
            line = _object(raw)
            check(line)
        except Refused as refused:
            message = f"Invalid file format. Line {number}: {refused.message}"
            raise Refused(message, param="file", code="invalid_jsonl") from refused
        lines.append(line)
    if not lines:
        raise Refused("Invalid file format. The file has no lines.", param="file", code="empty_file")
    return lines


def is_preference(line: Mapping[str, Any]) -> bool:
    """Tell whether a fine-tuning line is for preference tuning."""
    return "preferred_output" in line


def _object(raw: bytes) -> Body:
    try:
        line = json.loads(raw)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        raise Refused("not a JSON object.")
    return line


def _check_request(line: Body) -> None:
    _hold(_lines()["batch"], line)


def _check_example(line: Body) -> None:
    if is_preference(line):
        _hold(_lines()["preference"], line)
        _check_messages(line["input"]["messages"])
        for output in (line["preferred_output"], line["non_preferred_output"]):
            _check_messages(output, wanted="assistant")
        return
    _hold(_lines()["chat"], line)
    _check_messages(line["messages"], wanted="assistant")


def _check_messages(messages: list[Any], wanted: str = "user") -> None:
    for message in messages:
        if not isinstance(message, dict):
            raise Refused("a message is not a JSON object.")
        adapter = _messages().get(str(message.get("role")))
        if adapter is None:
            raise Refused("Invalid value for 'role': there is no such role.")
        is_answer = message["role"] == "assistant"
        if is_answer and message.get("weight", 1) not in (0, 1):
            raise Refused("the weight of an assistant message must be 0 or 1.")
        _hold(adapter, {key: value for key, value in message.items() if not (is_answer and key == "weight")})
    if not any(message["role"] == wanted for message in messages):
        raise Refused(f"there must be at least one message of the role {wanted}.")


def _hold(adapter: TypeAdapter[Any], given: object) -> None:
    try:
        adapter.validate_python(given)
    except ValidationError as error:
        raise refusal(error) from error


@cache
def _lines() -> dict[str, TypeAdapter[Any]]:
    return {"batch": strict_adapter(_Request), "chat": strict_adapter(_Chat), "preference": strict_adapter(_Preference)}


@cache
def _messages() -> dict[str, TypeAdapter[Any]]:
    """Make the validators of messages, by role; the SDK is loaded here and no sooner."""
    from openai.types import chat

    return {
        "developer": strict_adapter(chat.ChatCompletionDeveloperMessageParam),
        "system": strict_adapter(chat.ChatCompletionSystemMessageParam),
        "user": strict_adapter(chat.ChatCompletionUserMessageParam),
        "assistant": strict_adapter(chat.ChatCompletionAssistantMessageParam),
        "tool": strict_adapter(chat.ChatCompletionToolMessageParam),
        "function": strict_adapter(chat.ChatCompletionFunctionMessageParam),
    }
