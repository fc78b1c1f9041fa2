"""The stand-in against the official OpenAPI document, where it is at hand: every endpoint, asked by the SDK, both ways."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from tests.standin import line, upload

from cubbyd.standin import Standin
from cubbyd.standin.server import KEY

LESSONS = [line(f"{word} {number}", word) for word in ("sick", "invoice") for number in range(5)]
VECTORS = {"model": "text-embedding-3-small", "input": "sick", "dimensions": 3}
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("/embeddings", {"model": "x", "input": "sick", "dimension": 3}),
    ("/embeddings", {"input": "sick"}),
    ("/fine_tuning/jobs", {"model": "gpt-4o-mini", "training_file": "file-x", "suffix": "x" * 65}),
    ("/fine_tuning/jobs", {"model": "gpt-4o-mini"}),
    ("/batches", {"input_file_id": "file-x", "endpoint": "/v1/decisions", "completion_window": "24h"}),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What the SDK sent, and what it was answered."""

    method: str
    path: str
    sent: bytes
    status: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """The official document."""

    content: Mapping[str, Any]
    validator: Any

    def complaints(self, schema: Mapping[str, Any], value: object) -> list[str]:
        """List what is wrong with a value."""
        return [error.message for error in self.validator({**self.content, **schema}).iter_errors(value)]

    def operation(self, method: str, path: str) -> Mapping[str, Any]:
        """Find what the document says about a request."""
        given = path.removeprefix("/v1").split("/")
        for pattern, operations in self.content["paths"].items():
            wanted = pattern.split("/")
            if len(wanted) == len(given) and all(w.startswith("{") or w == g for w, g in zip(wanted, given, strict=True)):
                found: Mapping[str, Any] = operations[method.lower()]
                return found
        raise LookupError(path)


@pytest.fixture(scope="module")
def document(shared: Path) -> Document:
    jsonschema = pytest.importorskip("jsonschema")
    file = shared / "data" / "openai-openapi" / "slice-with-responses.json"
    if not file.exists():
        pytest.skip(f"no {file}")
    return Document(json.loads(file.read_text(encoding="utf-8")), jsonschema.Draft202012Validator)


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    """Ask every endpoint of the stand-in by the SDK, and write down both sides."""
    seen: list[Exchange] = []

    def write_down(response: httpx2.Response) -> None:
        request = response.request
        seen.append(
            Exchange(
                method=request.method,
                path=request.url.path,
                sent=request.read(),
                status=response.status_code,
                answer=response.read(),
            )
        )

    with (
        Standin({}) as standin,
        openai.OpenAI(
            api_key=KEY,
            base_url=standin.base_url,
            max_retries=0,
            http_client=httpx2.Client(event_hooks={"response": [write_down]}),
        ) as client,
    ):
        _tour(client)
        assert standin.violations == []
    return seen


def _tour(client: openai.OpenAI) -> None:
    client.models.list()
    client.models.retrieve("gpt-6-luna")
    client.embeddings.create(model="text-embedding-3-small", input=["a", "b"], dimensions=3, encoding_format="float")
    client.embeddings.create(model="text-embedding-3-small", input=[1, 2], encoding_format="float")
    training, other = upload(client, *LESSONS), upload(client, line())
    client.files.list(purpose="fine-tune", limit=10, order="asc")
    client.files.retrieve(training.id)
    client.files.content(training.id)
    jobs = client.fine_tuning.jobs
    job = jobs.create(
        model="gpt-4o-mini-2024-07-18",
        training_file=training.id,
        validation_file=other.id,
        suffix="cubby",
        seed=1,
        metadata={"run": "1"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": "auto"}}},
    )
    while jobs.retrieve(job.id).status != "succeeded":
        pass
    jobs.list(limit=5)
    jobs.list_events(job.id)
    model = jobs.checkpoints.list(job.id).data[0].fine_tuned_model_checkpoint
    client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "sick"}], logprobs=True, top_logprobs=2, max_completion_tokens=1
    )
    jobs.cancel(jobs.create(model="gpt-4o-mini", training_file=training.id).id)
    _tour_batches(client)
    client.files.delete(training.id)
    client.models.delete(model)


def _tour_batches(client: openai.OpenAI) -> None:
    asked = upload(client, {"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": VECTORS}, purpose="batch")
    batches = [
        client.batches.create(input_file_id=asked.id, endpoint="/v1/embeddings", completion_window="24h", metadata={"run": "1"})
        for _ in range(2)
    ]
    while client.batches.retrieve(batches[0].id).status != "completed":
        pass
    client.batches.cancel(batches[1].id)
    client.batches.retrieve(batches[1].id)
    client.batches.list(limit=5)


def test_every_endpoint_of_the_document_that_the_stand_in_has_was_asked(exchanges: list[Exchange], document: Document) -> None:
    asked = {document.operation(exchange.method, exchange.path)["operationId"] for exchange in exchanges}

    assert len(asked) == 20
    assert {"createEmbedding", "createFile", "createFineTuningJob", "cancelBatch", "deleteModel"} <= asked


def test_the_document_has_no_complaint_about_requests_that_were_taken(exchanges: list[Exchange], document: Document) -> None:
    held = 0
    for exchange in exchanges:
        contents = document.operation(exchange.method, exchange.path).get("requestBody", {}).get("content", {})
        if "application/json" in contents and exchange.sent:
            schema = contents["application/json"]["schema"]
            assert document.complaints(schema, json.loads(exchange.sent)) == [], exchange.path
            held += 1
    assert held >= 7


def test_the_document_has_no_complaint_about_the_answers(exchanges: list[Exchange], document: Document) -> None:
    for exchange in exchanges:
        assert exchange.status == 200, exchange.path
        if not exchange.path.endswith("/content"):
            contents = document.operation(exchange.method, exchange.path)["responses"]["200"]["content"]
            complaints = document.complaints(contents["application/json"]["schema"], json.loads(exchange.answer))
            assert complaints == [], (exchange.method, exchange.path)


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_what_the_document_refuses_the_stand_in_refuses_too(document: Document, path: str, body: dict[str, Any]) -> None:
    schema = document.operation("POST", f"/v1{path}")["requestBody"]["content"]["application/json"]["schema"]
    assert document.complaints(schema, body)

    with (
        Standin({}) as standin,
        openai.OpenAI(api_key=KEY, base_url=standin.base_url, max_retries=0) as client,
        pytest.raises(openai.BadRequestError),
    ):
        client.post(path, body=body, cast_to=object)


def test_the_refusals_are_spelled_as_in_the_document(document: Document) -> None:
    with (
        Standin({}) as standin,
        openai.OpenAI(api_key=KEY, base_url=standin.base_url, max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as caught,
    ):
        client.post("/embeddings", body={}, cast_to=object)
    assert document.complaints({"$ref": "#/components/schemas/ErrorResponse"}, caught.value.response.json()) == []
