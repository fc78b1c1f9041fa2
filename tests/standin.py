"""The vendor's own SDK, connected to a stand-in, and what it is told when a request is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

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
