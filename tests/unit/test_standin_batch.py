"""The stand-in's batches, through the vendor's SDK: answers in another order, errors in a file of their own, half an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai.types import Batch
from tests.standin import connected, line, refused, upload

from cubbyd.standin import Standin
from cubbyd.standin.server import KEY


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin({}) as server:
        yield server


@pytest.fixture
def client(standin: Standin) -> Iterator[openai.OpenAI]:
    with connected(standin) as sdk:
        yield sdk


def request(number: int, **body: Any) -> dict[str, Any]:
    asked = {"model": "text-embedding-3-small", "input": f"mail {number}", "dimensions": 4} | body
    return {"custom_id": f"mail-{number}", "method": "POST", "url": "/v1/embeddings", "body": asked}


def begin(client: openai.OpenAI, *requests: dict[str, Any], **more: Any) -> Batch:
    given = {
        "input_file_id": upload(client, *(requests or [request(1)]), purpose="batch").id,
        "endpoint": "/v1/embeddings",
        "completion_window": "24h",
    }
    return client.batches.create(**(given | more))


def follow(client: openai.OpenAI, batch: Batch) -> tuple[Batch, list[str]]:
    """Ask until the batch is over; give it, and the states that it was seen in."""
    states = [str(batch.status)]
    while states[-1] not in {"completed", "failed", "expired", "cancelled"}:
        batch = client.batches.retrieve(batch.id)
        states.append(batch.status)
    return batch, states


def rows(client: openai.OpenAI, file: str | None) -> dict[str, dict[str, Any]]:
    """Read a file of answers, joined by custom_id."""
    assert file is not None
    return {row["custom_id"]: row for row in map(json.loads, client.files.content(file).text.splitlines())}


def test_a_batch_is_answered_in_another_order_and_joined_by_its_ids(standin: Standin, client: openai.OpenAI) -> None:
    batch, states = follow(client, begin(client, *(request(number) for number in range(4)), metadata={"run": "1"}))
    answers = rows(client, batch.output_file_id)

    assert states == ["validating", "in_progress", "finalizing", "completed"]
    assert list(answers) == ["mail-3", "mail-2", "mail-1", "mail-0"]
    assert answers["mail-2"]["error"] is None
    assert answers["mail-2"]["response"]["status_code"] == 200
    alone = client.embeddings.create(model="text-embedding-3-small", input="mail 2", dimensions=4, encoding_format="float")
    assert answers["mail-2"]["response"]["body"]["data"][0]["embedding"] == alone.data[0].embedding
    assert batch.error_file_id is None
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed) == (4, 4)
    assert batch.usage is not None
    assert batch.usage.total_tokens == 8
    assert standin.violations == []


def test_a_wrong_request_goes_to_the_error_file_and_stops_no_other(standin: Standin, client: openai.OpenAI) -> None:
    batch, _ = follow(client, begin(client, request(1), request(2, dimension=3), request(3)))

    (wrong,) = rows(client, batch.error_file_id).values()
    assert wrong["custom_id"] == "mail-2"
    assert wrong["response"]["status_code"] == 400
    assert wrong["response"]["body"]["error"]["code"] == "unknown_parameter"
    assert rows(client, batch.output_file_id).keys() == {"mail-1", "mail-3"}
    assert batch.request_counts is not None
    assert batch.request_counts.failed == 1
    assert len(standin.violations) == 1


def test_chats_go_by_batch_as_well(client: openai.OpenAI) -> None:
    rule = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"properties": {"category": {"enum": ["a", "b"]}}}}}
    body = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "sick"}], "response_format": rule}
    asked = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}

    batch, _ = follow(client, begin(client, asked, endpoint="/v1/chat/completions"))

    answer = rows(client, batch.output_file_id)["1"]["response"]["body"]
    assert json.loads(answer["choices"][0]["message"]["content"])["category"] in {"a", "b"}


def test_a_batch_that_expires_has_part_of_its_answers(standin: Standin, client: openai.OpenAI) -> None:
    standin.batches.plan("in_progress", "expired")

    batch, states = follow(client, begin(client, *(request(number) for number in range(4))))

    assert states == ["validating", "in_progress", "expired"]
    assert rows(client, batch.output_file_id).keys() == {"mail-0", "mail-1"}
    left = rows(client, batch.error_file_id)
    assert left.keys() == {"mail-2", "mail-3"}
    assert left["mail-2"]["error"]["code"] == "batch_expired"
    assert left["mail-2"]["response"] is None


@pytest.mark.parametrize(
    ("requests", "code", "number"),
    [
        ([request(1), request(1)], "duplicate_custom_id", 1),
        ([request(1), request(2) | {"url": "/v1/chat/completions"}], "mismatched_url", 2),
        ([request(1), request(2, model="text-embedding-3-large")], "mismatched_model", None),
    ],
)
def test_a_batch_fails_over_lines_that_do_not_fit_together(
    client: openai.OpenAI, requests: list[dict[str, Any]], code: str, number: int | None
) -> None:
    batch, states = follow(client, begin(client, *requests))

    assert states == ["validating", "failed"]
    assert batch.output_file_id is None
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert (batch.errors.data[0].code, batch.errors.data[0].line) == (code, number)


def test_a_batch_whose_file_was_deleted_fails(client: openai.OpenAI) -> None:
    batch = begin(client)
    client.files.delete(batch.input_file_id)

    failed, _ = follow(client, batch)
    assert failed.status == "failed"
    assert failed.errors is not None
    assert failed.errors.data is not None
    assert failed.errors.data[0].param == "input_file_id"


def test_a_batch_can_be_canceled_until_it_is_over(standin: Standin, client: openai.OpenAI) -> None:
    batch = begin(client, request(1), request(2))
    client.batches.retrieve(batch.id)

    assert client.batches.cancel(batch.id).status == "cancelling"
    ended, _ = follow(client, client.batches.retrieve(batch.id))
    assert ended.status == "cancelled"
    assert rows(client, ended.output_file_id).keys() == {"mail-1"}
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)
    with pytest.raises(ValueError, match="no state of a batch: done"):
        standin.batches.plan("done")


def test_what_a_batch_writes_is_kept_as_long_as_was_asked_for(client: openai.OpenAI) -> None:
    batch, _ = follow(client, begin(client, output_expires_after={"anchor": "created_at", "seconds": 3600}))

    assert batch.output_file_id is not None
    written = client.files.retrieve(batch.output_file_id)
    assert written.purpose == "batch_output"
    assert written.expires_at == written.created_at + 3600


def test_batches_are_listed_newest_first(client: openai.OpenAI) -> None:
    ids = [begin(client).id for _ in range(3)]

    assert [batch.id for batch in client.batches.list(limit=2)] == ids[::-1]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"endpoint": "/v1/decisions"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": "file-none"}, "input_file_id"),
        ({"metadata": {"x": "x" * 513}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 60}}, "output_expires_after"),
        ({"extra_body": {"priority": "high"}}, "priority"),
    ],
)
def test_a_wrong_batch_is_refused(standin: Standin, client: openai.OpenAI, wrong: dict[str, Any], param: str) -> None:
    assert refused(lambda: begin(client, **wrong))["param"] == param
    assert len(standin.violations) == 1


def test_a_file_for_training_is_none_for_batches(client: openai.OpenAI) -> None:
    assert refused(lambda: begin(client, input_file_id=upload(client, line()).id))["code"] == "invalid_file_purpose"


def test_what_is_not_there_is_not_found(client: openai.OpenAI) -> None:
    looks: list[Callable[[str], object]] = [client.batches.retrieve, client.batches.cancel]
    for look in looks:
        with pytest.raises(openai.NotFoundError):
            look("batch_none")


def test_the_key_of_a_batch_is_the_one_that_its_server_knows(standin: Standin) -> None:
    assert standin.key == KEY
    standin.key = "sk-other"
    with openai.OpenAI(api_key="sk-other", base_url=standin.base_url, max_retries=0) as client:
        assert rows(client, follow(client, begin(client))[0].output_file_id).keys() == {"mail-1"}
