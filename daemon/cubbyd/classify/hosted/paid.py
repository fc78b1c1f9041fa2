"""Calls that are paid for: each is entered in the ledger before it is made, and put right once the bill is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from cubbyd.classify.hosted.answer import Reply, Usage
from cubbyd.classify.hosted.client import Client
from cubbyd.classify.hosted.failure import Event, Failure, Symptom
from cubbyd.classify.hosted.ledger import Ledger, Prices
from cubbyd.config import OpenAISection
from cubbyd.taxonomy import CategoryId

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.classify")

BYTES_PER_TOKEN: Final = 3.5
"""Fewer than English has, so that the estimate that is entered before a call is rather too high."""
MOST_BYTES_PER_TOKEN: Final = 10.0
"""More than any text has; where a server counts fewer tokens than this makes, it has not read it all."""
SPARE_TOKENS: Final = 4
"""A server that counts the mark at the end of an answer has not gone beyond its cap."""


class Request(Protocol):
    """What is paid for: a body for an endpoint, and how the bill is read."""

    endpoint: str
    output_tokens: int
    """The most tokens that are generated, for the estimate."""

    def body(self, mail: str) -> dict[str, Any]:
        """Make the request about one mail."""
        ...

    def usage(self, reply: Reply) -> Usage:
        """Read what the call took."""
        ...


class Wire(Request, Protocol):
    """One way to ask for a category: what is sent, and how the answer is read."""

    way: str
    """The mode, and whatever else tells it from other ways."""
    categories: tuple[CategoryId, ...]
    """The closed set."""

    def narrow(self, categories: Sequence[CategoryId]) -> Wire:
        """Make the same question about some of the categories."""
        ...

    def read(self, reply: Reply) -> dict[CategoryId, float]:
        """Read the probabilities. Raises Failure."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back, and what it took."""

    reply: Reply
    input_tokens: int
    output_tokens: int
    money: float


class PaidClient:
    """A connection, with its ledger; thread-safe."""

    def __init__(self, section: OpenAISection, client: Client, ledger: Ledger) -> None:
        """Take both, and the prices and the size of the model's context from the section."""
        self._client, self._ledger = client, ledger
        self._prices = Prices(input=section.price_per_million_input_tokens, output=section.price_per_million_output_tokens)
        self._context = section.context_tokens
        self._warned: set[str] = set()

    def ask(self, wire: Request, mail: str, seconds: float) -> Answered:
        """Ask about a framed mail, once. Raises Failure, and ClassifierUnavailable where the budget does not allow it."""
        body = wire.body(mail)
        size = size_of(body)
        estimate = round(size / BYTES_PER_TOKEN)
        self._refuse_overlong(estimate + wire.output_tokens)
        reserved = self._ledger.reserve(self._prices.millionths(estimate, wire.output_tokens))
        try:
            reply = self._client.ask(wire.endpoint, body, seconds)
        except Failure as failure:
            if not failure.is_billed:
                self._ledger.settle(reserved, 0)
            raise
        usage = wire.usage(reply)
        input_tokens, output_tokens = usage.input_tokens or 0, usage.output_tokens or 0
        money = reserved.millionths if usage.input_tokens is None else self._prices.millionths(input_tokens, output_tokens)
        self._ledger.settle(reserved, money, input_tokens, output_tokens)
        self._look_at(wire, size, usage)
        return Answered(reply=reply, input_tokens=input_tokens, output_tokens=output_tokens, money=money / 1_000_000)

    def close(self) -> None:
        """Break off what is under way, and close the connections."""
        self._client.close()

    def _look_at(self, wire: Request, size: int, usage: Usage) -> None:
        """Notice a server that leaves a part of the text unread, or writes more than it may. Raises Failure."""
        if usage.input_tokens:
            self._refuse_overlong(usage.input_tokens + max(wire.output_tokens, 1))  # full to the brim: it was cut
            if not self._context and size / usage.input_tokens > MOST_BYTES_PER_TOKEN and self._is_new("part read"):
                log.warning("the server seems to have read a part of the text only; set context_tokens to what it can hold")
        if wire.output_tokens and (usage.output_tokens or 0) > wire.output_tokens + SPARE_TOKENS and self._is_new("wrote on"):
            log.warning('the server wrote more than it was allowed; it may want max_tokens_field = "max_tokens"')

    def _refuse_overlong(self, tokens: int) -> None:
        if self._context and tokens > self._context:
            raise Failure(Symptom(event=Event.OVERLONG))

    def _is_new(self, oddity: str) -> bool:
        """Tell whether this was not said before."""
        was_said = oddity in self._warned
        self._warned.add(oddity)
        return not was_said


def size_of(value: object) -> int:
    """Count the bytes of all texts in a request, keys included."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return sum(size_of(key) + size_of(item) for key, item in value.items())
    return sum(map(size_of, value)) if isinstance(value, list) else 1
