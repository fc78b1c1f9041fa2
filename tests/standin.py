"""The vendor's own SDK, connected to a stand-in, and what it is told when a request is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import openai
import pytest
from openai.types import FileObject

from cubbyd.standin import Standin
from cubbyd.standin.server import KEY


@contextmanager
def connected(standin: Standin) -> Iterator[openai.OpenAI]:
    """Connect the SDK; it repeats nothing by itself."""
    with openai.OpenAI(api_key=KEY, base_url=standin.base_url, max_retries=0, timeout=20) as client:
        yield client


def refused(call: Callable[[], object]) -> dict[str, Any]:
    """Make a call that must be refused with 400; give the error as the API spells it."""
    with pytest.raises(openai.BadRequestError) as caught:
        call()
    body = caught.value.body
    assert isinstance(body, dict)
    assert body.keys() == {"message", "type", "param", "code"}
    assert body["type"] == "invalid_request_error"
    return body


def line(told: str = "Mia is sick", said: str = "absence") -> dict[str, Any]:
    """Make one training line."""
    return {
        "messages": [
            {"role": "system", "content": "Sort the mail."},
            {"role": "user", "content": told},
            {"role": "assistant", "content": said},
        ]
    }


def lines(*objects: dict[str, Any]) -> bytes:
    """Make the content of a JSONL file."""
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


def upload(client: openai.OpenAI, *objects: dict[str, Any], purpose: Literal["fine-tune", "batch"] = "fine-tune") -> FileObject:
    """Upload a JSONL file."""
    return client.files.create(file=("lines.jsonl", lines(*objects)), purpose=purpose)
