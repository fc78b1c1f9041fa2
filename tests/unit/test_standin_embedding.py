"""The stand-in's vectors and its list of models, through the vendor's SDK."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import openai
import pytest
from tests.standin import connected, refused

from cubbyd.standin import Fault, Standin

SMALL = "text-embedding-3-small"
LARGE = "text-embedding-3-large"


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin({}) as server:
        yield server


@pytest.fixture
def client(standin: Standin) -> Iterator[openai.OpenAI]:
    with connected(standin) as sdk:
        yield sdk


def vectors(client: openai.OpenAI, texts: list[str], **more: Any) -> np.ndarray[Any, Any]:
    answer = client.embeddings.create(**({"model": SMALL, "input": texts} | more))
    return np.array([item.embedding for item in sorted(answer.data, key=lambda item: item.index)])


def test_texts_that_share_words_are_near_and_others_are_not(client: openai.OpenAI) -> None:
    ill, ill_too, bill = vectors(client, ["Mia is sick with a fever", "sick, with a high fever", "please send the invoice"])

    assert ill @ ill_too > 0.5
    assert abs(ill @ bill) < 0.2


def test_a_text_has_the_same_vector_each_time_and_each_has_length_one(standin: Standin, client: openai.OpenAI) -> None:
    first = vectors(client, ["Mia is sick", "…", "<|endoftext|>"])

    assert np.array_equal(first, vectors(client, ["Mia is sick", "…", "<|endoftext|>"]))
    assert np.allclose(np.linalg.norm(first, axis=1), 1.0, atol=1e-5)
    assert standin.violations == []


@pytest.mark.parametrize(("model", "dimensions"), [(SMALL, 1536), (LARGE, 3072)])
def test_each_model_has_its_own_length(client: openai.OpenAI, model: str, dimensions: int) -> None:
    assert vectors(client, ["sick"], model=model).shape == (1, dimensions)


def test_a_shortened_vector_is_the_beginning_of_the_long_one_made_length_one_again(client: openai.OpenAI) -> None:
    (whole,) = vectors(client, ["Mia is sick"])
    (short,) = vectors(client, ["Mia is sick"], dimensions=256)

    assert np.allclose(short, whole[:256] / np.linalg.norm(whole[:256]), atol=1e-5)


def test_numbers_and_packed_numbers_are_the_same_vectors(client: openai.OpenAI) -> None:
    packed = client.embeddings.with_raw_response.create(model=SMALL, input="sick", encoding_format="base64", dimensions=8)
    plain = client.embeddings.with_raw_response.create(model=SMALL, input="sick", encoding_format="float", dimensions=8)
    sent, numbers = packed.http_response.json()["data"][0]["embedding"], plain.http_response.json()["data"][0]["embedding"]

    assert np.frombuffer(base64.b64decode(sent), "<f4").tolist() == numbers


def test_the_tokens_of_a_text_may_be_sent_as_numbers(client: openai.OpenAI) -> None:
    one = client.embeddings.create(model=SMALL, input=[11, 12, 13])
    two = client.embeddings.create(model=SMALL, input=[[11, 12, 13], [90]])

    assert len(one.data) == 1
    assert one.usage.total_tokens == 3
    assert two.data[0].embedding == one.data[0].embedding


def test_a_list_can_come_in_the_other_order_so_that_whoever_takes_it_must_sort(standin: Standin, client: openai.OpenAI) -> None:
    texts = ["one", "two", "three"]
    expected = vectors(client, texts)
    standin.then(Fault.reverse(), Fault.reverse())

    assert [item.index for item in client.embeddings.create(model=SMALL, input=texts).data] == [2, 1, 0]
    assert np.array_equal(vectors(client, texts), expected)


@pytest.mark.parametrize(
    ("wrong", "param", "code"),
    [
        ({"input": ""}, "input", "invalid_value"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": ["sick", ""]}, "input", "invalid_value"),
        ({"input": ["sick"] * 2049}, "input", "invalid_value"),
        ({"input": "x" * 40_000}, "input", "context_length_exceeded"),
        ({"input": ["x" * 30_000] * 41}, "input", "max_tokens_per_request"),
        ({"input": [1.5]}, "input", "invalid_type"),
        ({"dimensions": 0}, "dimensions", "invalid_value"),
        ({"dimensions": 1537}, "dimensions", "invalid_value"),
        ({"dimensions": "256"}, "dimensions", "invalid_type"),
        ({"model": "text-embedding-ada-002", "dimensions": 256}, "dimensions", None),
        ({"encoding_format": "hex"}, "encoding_format", "invalid_value"),
        ({"extra_body": {"inputs": "sick"}}, "inputs", "unknown_parameter"),
    ],
)
def test_a_wrong_request_for_vectors_is_refused(
    standin: Standin, client: openai.OpenAI, wrong: dict[str, Any], param: str, code: str | None
) -> None:
    error = refused(lambda: client.embeddings.create(**({"model": SMALL, "input": "sick"} | wrong)))

    assert (error["param"], error["code"]) == (param, code)
    assert len(standin.violations) == 1


def test_a_request_without_its_model_is_refused_in_the_words_of_the_api(client: openai.OpenAI) -> None:
    error = refused(lambda: client.post("/embeddings", body={"input": "sick"}, cast_to=object))

    assert error["message"] == "Missing required parameter: 'model'."
    assert error["code"] == "missing_required_parameter"


def test_a_check_of_ones_own_is_asked_about_every_request() -> None:
    def is_wrong(path: str, body: Mapping[str, Any]) -> str | None:
        return "a name left the building" if path == "/v1/embeddings" and "Mia" in str(body) else None

    with Standin({}, checks=(is_wrong,)) as standin, connected(standin) as client:
        assert refused(lambda: vectors(client, ["Mia is sick"]))["message"] == "a name left the building"
        vectors(client, ["[CHILD_1] is sick"])
        assert [request.mail for request in standin.requests] == ["Mia is sick", "[CHILD_1] is sick"]
        assert len(standin.violations) == 1


def test_a_model_tells_the_day_of_its_shutdown(standin: Standin, client: openai.OpenAI) -> None:
    standin.catalog.add("gpt-4o-mini", shutdown_date="2027-01-14")

    assert {model.id: model.shutdown_date for model in client.models.list()} == {
        "gpt-6-luna": None,
        "text-embedding-3-small": None,
        "text-embedding-3-large": None,
        "gpt-4o-mini": "2027-01-14",
    }
    assert client.models.retrieve("gpt-4o-mini").shutdown_date == "2027-01-14"


def test_a_model_that_is_not_there_and_one_that_is_the_vendors(standin: Standin, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("gpt-2")
    with pytest.raises(openai.PermissionDeniedError):
        client.models.delete("gpt-6-luna")

    assert missing.value.code == "model_not_found"
    assert standin.violations == [], "both are right requests"


def test_a_fault_holds_for_every_endpoint(standin: Standin, client: openai.OpenAI) -> None:
    standin.then(Fault.error(503), Fault.error(429, "rate_limit_exceeded"), Fault(hang_up=True), Fault.page())
    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(model=SMALL, input="sick")
    with pytest.raises(openai.RateLimitError):
        client.models.list()
    with pytest.raises(openai.APIConnectionError):
        client.models.retrieve("gpt-6-luna")
    assert isinstance(client.models.retrieve("gpt-6-luna"), str), "a web page with status 200, as the SDK gives it"
