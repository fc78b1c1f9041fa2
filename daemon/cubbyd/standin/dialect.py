"""How other servers that speak this wire differ from the vendor: what they lack, refuse, read otherwise, and leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

Body = dict[str, Any]

NOT_FOUND: Final = (404, b"404 page not found", "text/plain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What is special about a server; with nothing set it is the vendor's own."""

    lacks: frozenset[str] = frozenset()
    """Endpoints that it does not have, such as "decisions"."""
    lacking: tuple[int, bytes, str] = NOT_FOUND
    """Status, body and content type of the answer for those."""
    refuses: frozenset[str] = frozenset()
    """Keys of a request for which it answers 400."""
    ignores: frozenset[str] = frozenset()
    """Keys that it does not read."""
    formats: frozenset[str] = frozenset({"json_schema", "json_object"})
    """The response_format types that it knows; "flat" is json_schema without the inner object."""
    no_finish_reason: bool = False
    context_tokens: int = 0
    """It reads no more than this, and does not say so but in its count of tokens."""
    key_header: str = "authorization"
    api_version: str = ""
    """It wants this in the address."""
    writes_on: bool = False
    """It knows the old name of the cap alone, and writes on without it."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Values in the first choice of every answer."""

    def is_right_key(self, headers: Mapping[str, str], key: str) -> bool:
        """Tell whether the key came in the header that this server reads."""
        return headers.get(self.key_header) == (key if self.key_header == "api-key" else f"Bearer {key}")

    def path(self, target: str) -> str | None:
        """Take the version from a request's target; None where it is wrong."""
        parts = urlsplit(target)
        wanted = f"api-version={self.api_version}" if self.api_version else ""
        return parts.path if parts.query == wanted else None

    def refusal(self, path: str, body: Mapping[str, Any]) -> tuple[int, bytes, str] | None:
        """Say what it answers to what it lacks or refuses; None where it takes the request."""
        if path.removeprefix("/v1/") in self.lacks:
            return self.lacking
        wrong = sorted(self.refuses & set(body))
        if wrong or ((kind := self._format(body)) and kind not in self.formats):
            told = (
                f'{{"error": {{"message": "unknown field", "type": "invalid", "param": "{(wrong or [""])[0]}", "code": 400}}}}'
            )
            return 400, told.encode(), "application/json"
        return None

    def as_vendor(self, body: Mapping[str, Any]) -> Body:
        """Spell a request as the vendor has it, which is what is answered and held against the vendor's types."""
        read = {key: value for key, value in body.items() if key not in self.ignores}
        if self._format(body) == "flat":
            inner = {"name": "flat", "schema": body["response_format"]["schema"]}
            read["response_format"] = {"type": "json_schema", "json_schema": inner}
        return read

    def spoil(self, answer: Body, request: Mapping[str, Any]) -> Body:
        """Change a right answer into this server's."""
        choices = [choice | dict(self.changes) for choice in answer.get("choices", [])]
        if self.no_finish_reason:
            choices = [choice | {"finish_reason": None} for choice in choices]
        usage = dict(answer.get("usage", {}))
        if self.context_tokens:
            usage |= {key: min(usage[key], self.context_tokens) for key in ("prompt_tokens", "input_tokens") if key in usage}
        if self.writes_on and "max_tokens" not in request and "completion_tokens" in usage:
            usage["completion_tokens"] += 500
        return answer | ({"choices": choices} if choices else {}) | ({"usage": usage} if usage else {})

    @staticmethod
    def _format(body: Mapping[str, Any]) -> str:
        told = body.get("response_format") or {}
        return "flat" if told.get("type") == "json_schema" and "schema" in told else str(told.get("type", ""))


OLLAMA: Final = Dialect(
    lacks=frozenset({"decisions"}), ignores=frozenset({"max_completion_tokens"}), context_tokens=4096, writes_on=True
)
OLD_OLLAMA: Final = Dialect(lacks=OLLAMA.lacks, ignores=OLLAMA.ignores | {"logprobs", "top_logprobs"}, writes_on=True)
"""Before 0.12.11: it drops the request for log probabilities without a word."""
VLLM: Final = Dialect(
    lacks=frozenset({"decisions"}),
    lacking=(
        501,
        b'{"error": {"message": "no decisions for this model", "type": "NotImplementedError", "code": 501}}',
        "application/json",
    ),
)
LLAMA_CPP: Final = Dialect(
    lacks=frozenset({"decisions"}),
    lacking=(404, b'{"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}', "application/json"),
    formats=frozenset({"flat", "json_schema", "json_object"}),
)
LM_STUDIO: Final = Dialect(
    lacks=frozenset({"decisions"}),
    lacking=(200, b'{"error": "Unexpected endpoint or method. (POST /v1/decisions)"}', "application/json"),
    formats=frozenset({"json_schema"}),
    changes={"logprobs": None},
)
AZURE: Final = Dialect(lacks=frozenset({"decisions"}), key_header="api-key", api_version="2026-10-01")
NO_LOGPROBS: Final = Dialect(lacks=frozenset({"decisions"}), refuses=frozenset({"logprobs"}))
"""A server that refuses what it cannot do."""
STRICT: Final = Dialect(lacks=frozenset({"decisions"}), refuses=frozenset({"store", "reasoning_effort"}))
"""A server that takes no key that it does not know."""
