"""The stand-in's files, through the vendor's SDK: what can be uploaded, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from tests.standin import connected, line, lines, refused, upload

from cubbyd.standin import Fault, Standin

REQUEST: dict[str, Any] = {"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {}}
PREFERENCE: dict[str, Any] = {
    "input": {"messages": [{"role": "user", "content": "sick"}]},
    "preferred_output": [{"role": "assistant", "content": "absence"}],
    "non_preferred_output": [{"role": "assistant", "content": "billing"}],
}


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin({}) as server:
        yield server


@pytest.fixture
def client(standin: Standin) -> Iterator[openai.OpenAI]:
    with connected(standin) as sdk:
        yield sdk


def test_a_file_comes_back_byte_for_byte(standin: Standin, client: openai.OpenAI) -> None:
    content = b"\x00\xff\r\n--\r\n\n\n--boundary\r\ncontent-type: text/plain\r\n\r\n \n"

    made = client.files.create(file=("Fotos für Mia.bin", content), purpose="user_data")

    assert client.files.content(made.id).read() == content
    assert made.id.startswith("file-")
    assert (made.bytes, made.purpose, made.expires_at) == (len(content), "user_data", None)
    assert client.files.retrieve(made.id) == made
    assert standin.violations == []


def test_a_file_expires_when_it_was_said_to_and_a_batch_file_after_thirty_days_anyway(client: openai.OpenAI) -> None:
    hour = client.files.create(
        file=("a.jsonl", lines(line())), purpose="fine-tune", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    month = upload(client, REQUEST, purpose="batch")

    assert hour.expires_at == hour.created_at + 3600
    assert month.expires_at == month.created_at + 30 * 86_400


def test_files_are_listed_newest_first_by_purpose_and_page_by_page(client: openai.OpenAI) -> None:
    ids = [upload(client, line()).id for _ in range(3)]
    batch = upload(client, REQUEST, purpose="batch").id

    assert [file.id for file in client.files.list(limit=2)] == [batch, *ids[::-1]], "the SDK turns the pages"
    assert [file.id for file in client.files.list(order="asc", purpose="fine-tune")] == ids
    assert len(client.files.list(limit=2).data) == 2


def test_a_deleted_file_is_gone(standin: Standin, client: openai.OpenAI) -> None:
    made = upload(client, line())

    assert client.files.delete(made.id).deleted
    for look in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            look(made.id)
    assert standin.violations == []


@pytest.mark.parametrize(
    "right",
    [
        line(),
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "weight": 1}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}, {"role": "assistant", "content": "y"}]},
        PREFERENCE,
    ],
)
def test_a_right_line_for_training_is_taken(standin: Standin, client: openai.OpenAI, right: dict[str, Any]) -> None:
    assert upload(client, right).status == "processed"
    assert standin.violations == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"prompt": "sick", "completion": " absence"}, "Missing required parameter: 'messages'"),
        ({"role": "user", "content": "sick"}, "Missing required parameter: 'messages'"),
        ({"messages": []}, "at least one message of the role assistant"),
        ({"messages": [{"role": "user", "content": "sick"}]}, "at least one message of the role assistant"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "no such role"),
        ({"messages": [{"role": "user", "content": 5}]}, "Invalid type for 'content"),
        ({"messages": ["sick"]}, "not a JSON object"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "no such role"),
        ({"messages": [{"role": "assistant", "content": "x", "weight": 2}]}, "weight"),
        ({"messages": [{"role": "assistant", "content": "x", "weight": [1]}]}, "weight"),
        ({"messages": [{"role": "user", "content": "x", "weight": 1}, {"role": "assistant", "content": "x"}]}, "weight"),
        ({**line(), "label": "absence"}, "Unknown parameter: 'label'"),
        ({**PREFERENCE, "preferred_output": [{"role": "user", "content": "x"}]}, "role assistant"),
        ({**PREFERENCE, "input": {}}, "Missing required parameter"),
    ],
)
def test_a_wrong_line_for_training_is_refused_with_its_number(
    standin: Standin, client: openai.OpenAI, wrong: dict[str, Any], says: str
) -> None:
    error = refused(lambda: upload(client, line(), wrong))

    assert "Line 2: " in error["message"]
    assert says in error["message"]
    assert error["param"] == "file"
    assert len(standin.violations) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({key: value for key, value in REQUEST.items() if key != "custom_id"}, "Missing required parameter: 'custom_id'"),
        ({**REQUEST, "method": "GET"}, "Invalid value for 'method'"),
        ({**REQUEST, "custom_id": 1}, "Invalid type for 'custom_id'"),
        ({**REQUEST, "body": "x"}, "Invalid type for 'body'"),
        ({**REQUEST, "id": "x"}, "Unknown parameter: 'id'"),
    ],
)
def test_a_wrong_line_of_a_batch_is_refused_with_its_number(client: openai.OpenAI, wrong: dict[str, Any], says: str) -> None:
    message = refused(lambda: upload(client, REQUEST, wrong, purpose="batch"))["message"]

    assert "Line 2: " in message
    assert says in message


@pytest.mark.parametrize("content", [b"", b"\n\n", b"no json\n", b"[]\n", json.dumps(line(), indent=1).encode()])
def test_what_is_no_jsonl_is_refused(client: openai.OpenAI, content: bytes) -> None:
    assert refused(lambda: client.files.create(file=("a.jsonl", content), purpose="fine-tune"))["param"] == "file"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"purpose": "training"}, "purpose"),
        ({"expires_after": {"anchor": "created_at", "seconds": 3599}}, "expires_after"),
        ({"expires_after": {"anchor": "created_at", "seconds": 2_592_001}}, "expires_after"),
        ({"expires_after": {"anchor": "last_active_at", "seconds": 3600}}, "expires_after"),
        ({"extra_body": {"name": "x"}}, "name"),
    ],
)
def test_a_wrong_upload_is_refused(client: openai.OpenAI, wrong: dict[str, Any], param: str) -> None:
    given = {"file": ("a.jsonl", lines(line())), "purpose": "fine-tune"} | wrong

    assert refused(lambda: client.files.create(**given))["param"] == param


def test_an_upload_that_is_no_form_or_has_no_file_is_refused(client: openai.OpenAI) -> None:
    assert "Content-Type" in refused(lambda: client.post("/files", body={"purpose": "batch"}, cast_to=object))["message"]
    form = {"Content-Type": "multipart/form-data"}
    error = refused(lambda: client.post("/files", body={"purpose": "batch"}, options={"headers": form}, cast_to=object))
    assert error["message"] == "Missing required parameter: 'file'."


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 10_001}, "limit"),
        ({"after": "file-x"}, "after"),
        ({"extra_query": {"page": 2}}, "page"),
    ],
)
def test_a_wrong_question_for_a_list_is_refused(client: openai.OpenAI, query: dict[str, Any], param: str) -> None:
    assert refused(lambda: client.files.list(**query))["param"] == param


def test_an_upload_that_failed_left_nothing_behind_but_one_whose_answer_was_lost_did(
    standin: Standin, client: openai.OpenAI
) -> None:
    standin.then(Fault.error(500))
    with pytest.raises(openai.InternalServerError):
        upload(client, line())
    assert client.files.list().data == []

    standin.then(Fault(hang_up=True))
    with pytest.raises(openai.APIConnectionError):
        upload(client, line())
    assert len(client.files.list().data) == 1, "whoever repeats such a call must look first"
