"""The ways in which the stand-in can fail: each is one request's worth, given to Standin.then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is done to the answer to one request; with nothing set it is the right answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body | None = None
    """Sent in the place of the right answer."""
    content_type: str = "application/json"
    change: Callable[[Body], Body] | None = None
    """Changes the right answer."""
    wait: float = 0.0
    """Seconds of silence first."""
    drip: float = 0.0
    """Seconds between one byte and the next."""
    cut: bool = False
    """Half of the body, then the end of the connection."""
    hang_up: bool = False
    """The end of the connection, without an answer."""

    @classmethod
    def error(
        cls, status: int, code: str | int | None = None, *, kind: str = "error", param: str | None = None, **headers: str
    ) -> Self:
        """Answer with a status and an error as the API spells it; headers with _ for -."""
        told = {"error": {"message": "The mail said: SECRET-OF-THE-MAIL", "type": kind, "code": code, "param": param}}
        return cls(status=status, body=told, headers={name.replace("_", "-"): value for name, value in headers.items()})

    @classmethod
    def redirect(cls, to: str, status: int = 307) -> Self:
        """Point elsewhere."""
        return cls(status=status, headers={"location": to}, body=b"")

    @classmethod
    def page(cls, status: int = 200) -> Self:
        """Answer with a web page, as a captive portal does."""
        return cls(status=status, body=b"<html><body>Welcome to the WiFi</body></html>", content_type="text/html")

    @classmethod
    def raw(cls, body: bytes | Body) -> Self:
        """Answer 200 with this."""
        return cls(body=body)

    @classmethod
    def refusal(cls) -> Self:
        """Decline to answer, in the way of the endpoint that was asked."""
        return cls(change=_refuse)

    @classmethod
    def finish(cls, reason: str, content: str | None = None) -> Self:
        """End a chat answer for this reason, with this text."""
        return cls(change=lambda body: _with_choice(body, {"finish_reason": reason}, {"content": content}))

    @classmethod
    def says(cls, content: str) -> Self:
        """Answer a chat or completion with this text, whatever was asked."""
        return cls(change=lambda body: _with_choice(body, {"logprobs": None}, {"content": content}))

    @classmethod
    def keys(cls, **values: Any) -> Self:
        """Put these values into the answer."""
        return cls(change=lambda body: body | values)

    @classmethod
    def without_logprobs(cls) -> Self:
        """Leave the log probabilities out of a chat answer."""
        return cls(change=lambda body: _with_choice(body, {"logprobs": None}, {}))

    @classmethod
    def reverse(cls) -> Self:
        """Give a list in the other order: whoever takes vectors must sort them by their index."""
        return cls(change=lambda body: body | {"data": body["data"][::-1]} if "data" in body else body)

    @classmethod
    def probabilities(cls, listed: list[Body]) -> Self:
        """Answer a decision with these probabilities."""
        return cls(change=lambda body: body | {"answers": [body["answers"][0] | {"probabilities": listed}]})


def _refuse(body: Body) -> Body:
    if "answers" in body:
        return body | {"answers": [{"type": "refusal", "name": answer["name"]} for answer in body["answers"]]}
    return _with_choice(body, {"logprobs": None}, {"content": None, "refusal": "I cannot help with that."})


def _with_choice(body: Body, choice: Body, message: Body) -> Body:
    first = body["choices"][0]
    if "text" in first:  # a completion, which has no message
        return body | {"choices": [first | choice | ({"text": message["content"] or ""} if "content" in message else {})]}
    return body | {"choices": [first | choice | {"message": first["message"] | message}]}
