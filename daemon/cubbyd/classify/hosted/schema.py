"""The `schema` mode: chat completions with a strict JSON schema whose only values are our categories.

The answer is one category, not a probability for each. What a model says of its own certainty is worth nothing, so it is not
asked. Where the server gives the log probabilities of the tokens it wrote, the category has the product of those that spell
it; elsewhere it has `schema_probability` of the configuration, which is a number of the admin's and not measured. The others
share the rest equally. Neither is calibrated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cubbyd.classify.hosted.answer import Reply, Usage, read_usage, spread
from cubbyd.classify.hosted.failure import Event
from cubbyd.classify.hosted.prompt import QUESTION_NAME, Prompt
from cubbyd.config import OpenAISection
from cubbyd.taxonomy import CategoryId

ENDPOINT: Final = "chat/completions"
MOST_CHOICES: Final = 500
SCHEMA_NAME: Final = "mail_category"
ANSWER_TOKENS: Final = 100
REASONING_TOKENS: Final = 4000
SURE: Final = 0.999999
"""The highest probability taken from a server: none is ever certain."""


class Schema:
    """Asks for one category, as JSON."""

    endpoint = ENDPOINT

    def __init__(self, section: OpenAISection, prompt: Prompt) -> None:
        """Take the model's name, what the server understands, and the closed set."""
        self._section, self._prompt = section, prompt
        self.categories = prompt.categories
        self._reasons = section.effort not in {"", "none"}
        self._instructions, self._schema = prompt.instructions(), prompt.schema()
        self.output_tokens = ANSWER_TOKENS + (REASONING_TOKENS if self._reasons else 0)

    def body(self, mail: str) -> dict[str, Any]:
        """Make the request about one mail."""
        section = self._section
        body: dict[str, Any] = {
            "model": section.model,
            "messages": [{"role": "system", "content": self._instructions}, {"role": "user", "content": mail}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": SCHEMA_NAME, "strict": True, "schema": self._schema},
            },
            "store": False,
            str(section.max_tokens_field): self.output_tokens,
        }
        if section.effort:
            body["reasoning_effort"] = section.effort
        if not self._reasons:  # a model that reasons takes neither of these
            body["temperature"] = 0
            if section.logprobs:
                body["logprobs"] = True
        return body

    def narrow(self, categories: Sequence[CategoryId]) -> Schema:
        """Make the same question about some of the categories."""
        return Schema(self._section, self._prompt.narrow(categories))

    def read(self, reply: Reply) -> dict[CategoryId, float]:
        """Read the category and its probability. Raises Failure for a refusal and for whatever is none of the categories."""
        choices = reply.body.get("choices")
        if not isinstance(choices, list):
            raise reply.odd(Event.FOREIGN)
        choice = choices[0] if choices else None
        message = choice.get("message") if isinstance(choice, Mapping) else None
        if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
            raise reply.odd(Event.INVALID)
        if message.get("refusal"):
            raise reply.odd(Event.REFUSAL)
        if choice.get("finish_reason") == "content_filter":
            raise reply.odd(Event.BLOCKED)
        if choice.get("finish_reason") == "length":
            raise reply.odd(Event.CUT)
        content = message.get("content")
        chosen = self._category(content)
        if chosen is None or not isinstance(content, str):
            raise reply.odd(Event.INVALID)
        told = _told_probability(content, chosen, choice.get("logprobs"))
        return spread(self.categories, chosen, self._section.schema_probability if told is None else told)

    def usage(self, reply: Reply) -> Usage:
        """Read what the call took."""
        return read_usage(reply, "prompt_tokens", "completion_tokens")

    def _category(self, content: object) -> CategoryId | None:
        try:
            answer = json.loads(content) if isinstance(content, str) else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(answer, dict) or set(answer) != {QUESTION_NAME}:
            return None
        return next((category for category in self.categories if category == answer[QUESTION_NAME]), None)


def _told_probability(content: str, chosen: str, logprobs: object) -> float | None:
    """Multiply the probabilities of the tokens that spell the category; None where they are missing or do not fit."""
    tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(tokens, list):
        return None
    start = content.rfind(f'"{chosen}"') + 1
    end, position, total, spelled = start + len(chosen), 0, 0.0, ""
    for token in tokens:
        text = token.get("token") if isinstance(token, Mapping) else None
        logprob = token.get("logprob") if isinstance(token, Mapping) else None
        if not isinstance(text, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
            return None
        if position < end and position + len(text) > start:
            total += logprob
        position += len(text)
        spelled += text
    if start == 0 or spelled.strip() != content.strip() or not math.isfinite(total) or total > 0:
        return None
    return min(math.exp(total), SURE)
