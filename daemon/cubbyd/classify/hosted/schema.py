"""The `schema` mode: chat completions with a strict JSON schema whose only values are our categories.

The answer is one category, or a list of them where a mail can have several; it is not a probability for each. What a model
says of its own certainty is worth nothing, so it is not asked. Where the server gives the log probabilities of the tokens it
wrote, a category that is named has the product of those that spell it; elsewhere it has `schema_probability` of the
configuration, which is a number of the admin's and not measured. The others share the rest equally. Neither is calibrated.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final

from cubbyd.classify.hosted.answer import Reply, Usage, read_usage, spread
from cubbyd.classify.hosted.chat import CHAT, Token, read_choice
from cubbyd.classify.hosted.failure import Event
from cubbyd.classify.hosted.prompt import Prompt
from cubbyd.config import OpenAISection
from cubbyd.config.hosted import Mode, SchemaFormat
from cubbyd.taxonomy import CategoryId

ENDPOINT: Final = CHAT
MOST_CHOICES: Final = 500
SCHEMA_NAME: Final = "mail_category"
ANSWER_TOKENS: Final = 100
LIST_TOKENS: Final = 400
REASONING_TOKENS: Final = 4000
SURE: Final = 0.999999
"""The highest probability taken from a server: none is ever certain."""

_FENCE: Final = re.compile(r"\s*```(?:json)?\n(.*)\n```\s*", re.DOTALL)


class Schema:
    """Asks for one category, or for a list of them, as JSON."""

    endpoint = ENDPOINT

    def __init__(self, section: OpenAISection, prompt: Prompt, *, logprobs: bool | None = None) -> None:
        """Take the model's name, what the server understands, and the closed set; `logprobs` overrides the section's."""
        self._section, self._prompt = section, prompt
        self.categories = prompt.categories
        self._reasons = section.effort not in {"", "none"}
        self._logprobs = section.logprobs if logprobs is None else logprobs
        self.way: str = Mode.SCHEMA if self._logprobs == section.logprobs else f"{Mode.SCHEMA} without logprobs"
        self._instructions, self._schema = prompt.instructions(), prompt.schema()
        spoken = LIST_TOKENS if prompt.many else ANSWER_TOKENS
        self.output_tokens = spoken + (REASONING_TOKENS if self._reasons else 0)

    def body(self, mail: str) -> dict[str, Any]:
        """Make the request about one mail."""
        section = self._section
        body: dict[str, Any] = {
            "model": section.model,
            "messages": [{"role": "system", "content": self._instructions}, {"role": "user", "content": mail}],
            str(section.max_tokens_field): self.output_tokens,
        }
        if form := response_format(section.schema_format, SCHEMA_NAME, self._schema):
            body["response_format"] = form
        if section.store_field:
            body["store"] = False
        if section.effort:
            body["reasoning_effort"] = section.effort
        if not self._reasons:  # a model that reasons takes neither of these
            body["temperature"] = 0
            if self._logprobs:
                body["logprobs"] = True
        return body

    def narrow(self, categories: Sequence[CategoryId]) -> Schema:
        """Make the same question about some of the categories."""
        return Schema(self._section, self._prompt.narrow(categories), logprobs=self._logprobs)

    def read(self, reply: Reply) -> dict[CategoryId, float]:
        """Read the probabilities. Raises Failure for a refusal and for whatever is none of the categories."""
        said = read_choice(reply)
        if said.is_cut:
            raise reply.odd(Event.CUT)
        named = self._named(said.text)
        if named is None or said.text is None:
            raise reply.odd(Event.INVALID)
        told = {category: told_probability(said.text, category, said.tokens) for category in named}
        believed = {category: self._section.schema_probability if p is None else p for category, p in told.items()}
        if self._prompt.many:
            rest = (1.0 - self._section.schema_probability) / len(self.categories)
            return {category: believed.get(category, rest) for category in self.categories}
        return spread(self.categories, named[0], believed[named[0]])

    def spell(self, right: Sequence[CategoryId]) -> str:
        """Give the answer that a model is taught. Raises ValueError where there are several categories and one may be said."""
        if self._prompt.many:
            return json.dumps({self._prompt.answer_key: [category for category in self.categories if category in right]})
        if len(right) != 1:
            raise ValueError('has several labels, and classifier.labels is "one"')
        return json.dumps({self._prompt.answer_key: right[0]})

    def usage(self, reply: Reply) -> Usage:
        """Read what the call took."""
        return read_usage(reply, "prompt_tokens", "completion_tokens")

    def _named(self, text: str | None) -> list[CategoryId] | None:
        """Read which categories an answer names, each once; None where it is anything else."""
        answer = self._object(text)
        if not isinstance(answer, dict) or set(answer) != {self._prompt.answer_key}:
            return None
        value = answer[self._prompt.answer_key]
        if isinstance(value, list) is not self._prompt.many:
            return None
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) and item in self.categories for item in listed):
            return None
        return [category for category in self.categories if category in listed]

    def _object(self, text: str | None) -> object:
        if text is None:
            return None
        if self._section.schema_format in {SchemaFormat.NONE, SchemaFormat.JSON_OBJECT} and (fenced := _FENCE.fullmatch(text)):
            text = fenced[1]  # what nothing forces to be bare JSON often comes as a block of code
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None


def response_format(variant: SchemaFormat, name: str, schema: dict[str, Any]) -> dict[str, Any] | None:
    """Tell a server the JSON schema of an answer in its own spelling; None where it is not told."""
    if variant is SchemaFormat.NONE:
        return None
    if variant is SchemaFormat.JSON_OBJECT:
        return {"type": "json_object"}
    if variant is SchemaFormat.FLAT:
        return {"type": "json_schema", "schema": schema}
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def told_probability(content: str, chosen: str, tokens: Sequence[Token] | None) -> float | None:
    """Multiply the probabilities of the tokens that spell the category; None where they are missing or do not fit."""
    if tokens is None:
        return None
    start = content.rfind(f'"{chosen}"') + 1
    end, position, total = start + len(chosen), 0, 0.0
    for token in tokens:
        if position < end and position + len(token.text) > start:
            total += token.logprob
        position += len(token.text)
    if start == 0 or "".join(token.text for token in tokens).strip() != content.strip() or total > 0:
        return None
    return min(math.exp(total), SURE)
