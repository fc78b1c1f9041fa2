"""POST /embeddings: vectors by words, with the limits that the API has.

The limits are those of the SDK's prose for EmbeddingCreateParams: 2048 inputs, none of them empty, 8192 tokens in each and
300,000 in all; `dimensions` for text-embedding-3 alone.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from cubbyd.standin.endpoint import Body, Call, Endpoint, Refused
from cubbyd.standin.vector import embed

MOST_INPUTS: Final = 2048
MOST_TOKENS: Final = 8192
MOST_TOKENS_IN_ALL: Final = 300_000
DIMENSIONS: Final[Mapping[str, int]] = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
OTHER_DIMENSIONS: Final = 1536
"""What any other model has: text-embedding-ada-002, or that of another server, whose name the stand-in takes too."""
CAN_SHORTEN: Final = "text-embedding-3"
LETTERS_PER_TOKEN: Final = 4

Input = str | list[int]


def endpoints() -> tuple[Endpoint, ...]:
    """Give the endpoint."""
    return (
        Endpoint(
            method="POST",
            path="/embeddings",
            handle=create,
            request="openai.types.embedding_create_params:EmbeddingCreateParams",
            answer="openai.types:CreateEmbeddingResponse",
            unpack=unpack,
        ),
    )


def create(call: Call) -> Body:
    """Answer with a vector for each input, in order. Raises Refused."""
    inputs = _inputs(call.body["input"])
    dimensions = _dimensions(call.body)
    sizes = [_tokens(given) for given in inputs]
    _limit(sizes)
    vectors = [embed(given, dimensions) for given in inputs]
    is_packed = call.body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode() if is_packed else vector.tolist(),
        }
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": sum(sizes), "total_tokens": sum(sizes)}
    return {"object": "list", "data": data, "model": call.body["model"], "usage": usage}


def unpack(answer: Body) -> Body:
    """Read packed vectors as the SDK does before it looks at their type."""
    data = [item | {"embedding": _floats(item["embedding"])} for item in answer["data"]]
    return answer | {"data": data}


def _floats(given: str | list[float]) -> list[float]:
    if isinstance(given, str):
        values: list[float] = np.frombuffer(base64.b64decode(given), "<f4").tolist()
        return values
    return given


def _inputs(given: str | list[int] | list[Input]) -> list[Input]:
    inputs = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else given
    if not inputs:
        raise _bad("input cannot be an empty array.")
    if len(inputs) > MOST_INPUTS:
        raise _bad(f"'$.input' is invalid. The array must be {MOST_INPUTS} dimensions or less.")
    if not all(inputs):
        raise _bad("input cannot be an empty string.")
    return inputs  # type: ignore[return-value]  # the SDK's type has just said so


def _dimensions(body: Body) -> int:
    most = DIMENSIONS.get(body["model"], OTHER_DIMENSIONS)
    wanted: int = body.get("dimensions", most)
    if "dimensions" in body and not body["model"].startswith(CAN_SHORTEN):
        raise Refused("This model does not support specifying dimensions.", param="dimensions")
    if not 1 <= wanted <= most:
        message = f"Invalid value for 'dimensions': expected an integer from 1 to {most}, but got {wanted} instead."
        raise Refused(message, param="dimensions", code="invalid_value")
    return wanted


def _limit(sizes: list[int]) -> None:
    if max(sizes) > MOST_TOKENS:
        message = f"This model's maximum context length is {MOST_TOKENS} tokens, however you requested {max(sizes)} tokens."
        raise Refused(message, param="input", code="context_length_exceeded")
    if sum(sizes) > MOST_TOKENS_IN_ALL:
        message = f"Requested {sum(sizes)} tokens, max {MOST_TOKENS_IN_ALL} tokens per request."
        raise Refused(message, param="input", code="max_tokens_per_request")


def _tokens(given: Input) -> int:
    return math.ceil(len(given) / LETTERS_PER_TOKEN) if isinstance(given, str) else len(given)


def _bad(message: str) -> Refused:
    return Refused(message, param="input", code="invalid_value")
