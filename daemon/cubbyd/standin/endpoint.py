"""One endpoint of the stand-in: what it takes, how it answers, and how it refuses; and the table that finds it.

Requests and answers are held against the SDK's own types, which are named here by text, so that the SDK loads with the server
and no sooner.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import count
from string import ascii_letters, digits
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from cubbyd.standin.strict import strict_adapter

Body = dict[str, Any]
Answer = Body | bytes
"""JSON, or the bytes of a file."""

DEFAULT_PAGE: Final = 20
LARGEST_PAGE: Final = 100
PREFIX: Final = "/v1"

NUMBERS: Final = frozenset({"limit", "expires_after[seconds]"})
"""The keys of forms and queries whose values are numbers."""

_ALPHABET: Final = digits + ascii_letters
_KEY: Final = re.compile(r"([^\[\]]+)(?:\[([^\[\]]+)\])?")
_CODES: Final = {
    "missing": ("missing_required_parameter", "Missing required parameter: '{}'."),
    "extra_forbidden": ("unknown_parameter", "Unknown parameter: '{}'."),
    "literal_error": ("invalid_value", "Invalid value for '{}': {}"),
}


class Refused(Exception):
    """The request was refused."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        """Say why, with the status, the parameter and the code that the API would give."""
        super().__init__(message)
        self.message, self.status, self.param, self.code = message, status, param, code
        self.kind = "invalid_request_error"

    @property
    def body(self) -> Body:
        """The refusal as the API spells it."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one endpoint, taken apart."""

    path: str
    """Without the query."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What stands in the place of each {name} of the endpoint's path."""
    query: Body = field(default_factory=dict)
    body: Body = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What can be asked at one path with one method."""

    method: str
    path: str
    """Below /v1, with {name} for what differs from call to call."""
    handle: Callable[[Call], Answer]
    """Raises Refused."""
    request: str = ""
    """The SDK's type of the body, as "module:name"; without one there is no body."""
    query: str = ""
    """The SDK's type of the query; without one there is none."""
    answer: str = ""
    """The SDK's type of the answer; without one it is bytes."""
    is_list: bool = False
    """Whether the answer is a page of such objects."""
    unpack: Callable[[Body], Body] | None = None
    """Makes of an answer what the SDK's type describes, where the SDK unpacks it first."""
    read: Callable[[bytes, str], Body] | None = None
    """Reads the body from its bytes and its content type, where it is no JSON. Raises Refused."""


class Table:
    """All endpoints; finds the one that a request is for, checks the request, and checks the answer."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Load the types that the endpoints name."""
        self._endpoints = endpoints
        names = {name for endpoint in endpoints for name in (endpoint.request, endpoint.query) if name}
        self._requests = {name: _request_type(name) for name in names}
        self._answers = {endpoint.answer: _answer_type(endpoint.answer) for endpoint in endpoints if endpoint.answer}
        self._lock = threading.RLock()  # a batch asks other endpoints

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]] | None:
        """Find the endpoint, and what its path names."""
        for endpoint in self._endpoints:
            if endpoint.method == method and (names := _match(endpoint.path, urlsplit(path).path)) is not None:
                return endpoint, names
        return None

    def check(self, endpoint: Endpoint, names: Mapping[str, str], path: str, content: bytes, content_type: str) -> Call:
        """Take a request apart. Raises Refused where the SDK's types do not allow it."""
        parts = urlsplit(path)
        query: Body = {}
        for key, value in parse_qsl(parts.query, keep_blank_values=True):
            put(query, key, value)
        self._hold(endpoint.query, query)
        body = self._read(endpoint, content, content_type)
        self._hold(endpoint.request, body)
        return Call(path=parts.path, names=names, query=query, body=body)

    def answer(self, endpoint: Endpoint, call: Call) -> Answer:
        """Answer, and hold the answer against the SDK's type, so that no test passes on one that cannot be. Raises Refused."""
        with self._lock:
            answer = endpoint.handle(call)
        if isinstance(answer, dict):
            adapter = self._answers[endpoint.answer]
            told = endpoint.unpack(answer) if endpoint.unpack else answer
            for one in told["data"] if endpoint.is_list else [told]:
                adapter.validate_json(json.dumps(one), strict=True)
        return answer

    def _read(self, endpoint: Endpoint, content: bytes, content_type: str) -> Body:
        if not endpoint.request:
            return {}
        if endpoint.read:
            return endpoint.read(content, content_type)
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused("We could not parse the JSON body of your request.")
        return body

    def _hold(self, name: str, given: Body) -> None:
        if not name:
            if given:
                raise Refused(f"Unknown parameter: '{next(iter(given))}'.", param=next(iter(given)), code="unknown_parameter")
            return
        try:
            self._requests[name].validate_python(given)
        except ValidationError as error:
            raise refusal(error) from error


def refusal(error: ValidationError) -> Refused:
    """Spell the first mistake as the API does."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    param = str(first["loc"][0]) if first["loc"] else None
    code, text = _CODES.get(first["type"], ("invalid_type", "Invalid type for '{}': {}"))
    return Refused(text.format(place, first["msg"]), param=param, code=code)


def page(items: list[Body], call: Call, largest: int = LARGEST_PAGE, default: int = DEFAULT_PAGE) -> Body:
    """Cut a list, newest first, to what `after` and `limit` ask for. Raises Refused."""
    limit = call.query.get("limit", default)
    if not 1 <= limit <= largest:
        message = f"Invalid 'limit': integer out of range. Expected a value from 1 to {largest}, but got {limit} instead."
        raise Refused(message, param="limit", code="integer_out_of_range")
    ids = [item["id"] for item in items]
    after = call.query.get("after")
    if after is not None and after not in ids:
        raise Refused(f"Invalid 'after': no object has the id '{after}'.", param="after", code="invalid_value")
    start = ids.index(after) + 1 if after is not None else 0
    shown = items[start : start + limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + limit < len(items),
    }


class Numbers:
    """Makes ids that look like the real ones, and are the same in every run."""

    def __init__(self) -> None:
        """Begin at the first."""
        self._count = count(1)

    def make(self, prefix: str, length: int = 24) -> str:
        """Make the next id."""
        digest = hashlib.sha256(f"{prefix}{next(self._count)}".encode()).digest()
        return prefix + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:length])


def put(body: Body, key: str, value: object) -> None:
    """Put a value where its key says, which may be spelled as in expires_after[seconds]; forms and queries know texts alone.

    Raises Refused.
    """
    if key in NUMBERS and isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    found = _KEY.fullmatch(key)
    if found is None or (found[2] and not isinstance(body.get(found[1], {}), dict)):
        raise Refused(f"Unknown parameter: '{key}'.", param=key, code="unknown_parameter")
    if found[2] is None:
        body[found[1]] = value
    else:
        body.setdefault(found[1], {})[found[2]] = value


def now() -> int:
    """Give the Unix time, in seconds."""
    return int(time.time())


@cache
def _request_type(name: str) -> TypeAdapter[Any]:
    return strict_adapter(_load(name))


@cache
def _answer_type(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_load(name))


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def _match(pattern: str, path: str) -> Mapping[str, str] | None:
    wanted, given = (PREFIX + pattern).split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    names = {want[1:-1]: unquote(part) for want, part in zip(wanted, given, strict=True) if want.startswith("{") and part}
    fixed = all(want.startswith("{") or want == part for want, part in zip(wanted, given, strict=True))
    return names if fixed and len(names) == pattern.count("{") else None
