"""Vectors from an OpenAI-compatible server: text goes out masked, within the budget, and every answer is checked.

The connection, the table of failures, the budget and the breaker are those of the hosted classifier (cubbyd.classify.hosted).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import structlog

from cubbyd.classify.border import Border
from cubbyd.classify.embedding.source import Embedded, Outcome, Vector, normalize, spell
from cubbyd.classify.hosted.answer import Reply, read_usage
from cubbyd.classify.hosted.client import Client
from cubbyd.classify.hosted.failure import Action, Event, Failure, to_error
from cubbyd.classify.hosted.guard import Guard
from cubbyd.classify.hosted.ledger import Ledger, Prices
from cubbyd.classify.protocol import Cost
from cubbyd.config.embeddings import MOST_DIMENSIONS, EmbeddingServerSection
from cubbyd.errors import ClassifierError, ClassifierUnavailable
from cubbyd.message.model import ClassifierInput

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.classify")

ENDPOINT: Final = "embeddings"
BYTES_PER_TOKEN: Final = 3.5
"""Fewer than English has, so that the estimate that is entered before a call is rather too high."""

_FOR_ONE_MAIL: Final = {Action.SHORTEN, Action.REJECT, Action.URGENT, Action.ONCE_MORE}
"""What may be one mail's fault alone: the others of the batch are then asked about one by one."""


class ServerSource:
    """A server's embedding model; any number of threads may use it."""

    def __init__(
        self,
        section: EmbeddingServerSection,
        *,
        border: Border,
        client: Client,
        ledger: Ledger,
        guard: Guard,
    ) -> None:
        """Take the parts."""
        self.model, self.dimensions, self.batch_size = _identity(section), section.dimensions, section.batch_size
        self._section = section
        self._server = f"classifier embeddings ({urlsplit(section.base_url).netloc})"
        self._prices = Prices(input=section.price_per_million_input_tokens, output=0.0)
        self._border, self._client, self._ledger, self._guard = border, client, ledger, guard

    def text(self, given: ClassifierInput) -> str:
        """Give the masked text of a mail. Raises RedactionFailed where a known name or address is still in it."""
        return spell(self._border.let_out(given).given)

    def embed(self, texts: Sequence[str]) -> list[Outcome]:
        """Ask for a vector of each text, in batches.

        Raises ClassifierUnavailable where there is none for that reason; what is bought by then is given, and the outage in
        the place of the rest.
        """
        outcomes: list[Outcome] = []
        for start in range(0, len(texts), self.batch_size):
            batch = texts[start : start + self.batch_size]
            try:
                outcomes += self._ask_batch(batch)
            except ClassifierUnavailable as outage:
                if not outcomes:
                    raise
                return outcomes + [outage] * (len(texts) - start)
        return outcomes

    def close(self) -> None:
        """Break off what is under way, and close the connections."""
        self._guard.stop()
        self._client.close()

    def _ask_batch(self, texts: Sequence[str]) -> list[Outcome]:
        try:
            return list(self._attempt(texts))
        except Failure as failure:
            self._note(failure)
            if failure.row.action in _FOR_ONE_MAIL and len(texts) > 1:
                return [outcome for text in texts for outcome in self._ask_batch([text])]
            if failure.row.action is Action.SHORTEN:
                return [self._ask_shortened(texts[0])]
            return self._failed(failure, len(texts))

    def _ask_shortened(self, text: str) -> Outcome:
        try:
            return next(iter(self._attempt([text[: len(text) // 2]])))
        except Failure as failure:
            self._note(failure)
            (outcome,) = self._failed(failure, 1)
            return outcome

    def _failed(self, failure: Failure, count: int) -> list[Outcome]:
        error: ClassifierError = to_error(failure, self._server)
        if isinstance(error, ClassifierUnavailable):
            raise error
        return [error] * count

    def _attempt(self, texts: Sequence[str]) -> list[Embedded]:
        body: dict[str, object] = {
            "model": self._section.model,
            "input": list(texts),
            "encoding_format": str(self._section.encoding_format),
        }
        if self._section.dimensions:
            body["dimensions"] = self._section.dimensions
        return self._guard.call(lambda seconds: self._ask(body, len(texts), seconds))

    def _note(self, failure: Failure) -> None:
        """Say what became of a call."""
        row = failure.row
        self._guard.note(failure)
        log.warning("the server made no vector", failure=row.name, then=str(row.action), request=failure.symptom.request_id)

    def _ask(self, body: dict[str, object], count: int, seconds: float) -> list[Embedded]:
        """Make one call. What it costs is entered before, and put right afterwards."""
        started = time.perf_counter()
        size = len(json.dumps(body["input"], ensure_ascii=False).encode("utf-8", "surrogatepass"))
        reserved = self._ledger.reserve(self._prices.millionths(round(size / BYTES_PER_TOKEN), 0))
        try:
            reply = self._client.ask(ENDPOINT, body, seconds)
        except Failure as failure:
            if not failure.is_billed:
                self._ledger.settle(reserved, 0)
            raise
        tokens = read_usage(reply, "prompt_tokens", "completion_tokens").input_tokens
        money = reserved.millionths if tokens is None else self._prices.millionths(tokens, 0)
        self._ledger.settle(reserved, money, tokens or 0, 0)
        vectors = read_vectors(reply, count, self._section.dimensions)
        cost = Cost(
            milliseconds=(time.perf_counter() - started) * 1000 / count,
            input_tokens=math.ceil((tokens or 0) / count),
            money=money / 1_000_000 / count,
        )
        return [Embedded(vector=vector, cost=cost, request_id=reply.request_id) for vector in vectors]


def read_vectors(reply: Reply, count: int, dimensions: int) -> list[Vector]:
    """Read `count` vectors, in order of their `index`, each brought to length 1. Raises Failure for whatever is not that.

    A server may answer in any order; one that was asked for plain numbers may send packed ones, and the other way round.
    """
    data = reply.body.get("data")
    if not isinstance(data, list):
        raise reply.odd(Event.FOREIGN)
    vectors: dict[int, Vector] = {}
    for item in data:
        index = item.get("index") if isinstance(item, Mapping) else None
        vector = _read_vector(item.get("embedding")) if isinstance(item, Mapping) else None
        if type(index) is not int or vector is None or index in vectors:
            raise reply.odd(Event.INVALID)
        vectors[index] = vector
    sizes = {len(vector) for vector in vectors.values()}
    if sorted(vectors) != list(range(count)) or len(sizes) != 1 or (dimensions and sizes != {dimensions}):
        raise reply.odd(Event.INVALID)
    return [vectors[index] for index in range(count)]


def _read_vector(said: Any) -> Vector | None:
    if isinstance(said, str):
        try:
            numbers = np.frombuffer(base64.b64decode(said, validate=True), dtype="<f4")
        except (binascii.Error, ValueError):
            return None
    elif isinstance(said, list) and all(type(number) in (int, float) for number in said):
        try:
            numbers = np.array(said, dtype=np.float64)
        except OverflowError:  # JSON has whole numbers of any length
            return None
    else:
        return None
    if not 0 < len(numbers) <= MOST_DIMENSIONS or not np.isfinite(numbers).all() or not numbers.any():
        return None
    vector = normalize(numbers)
    return vector if np.isfinite(vector).all() and vector.any() else None


def _identity(section: EmbeddingServerSection) -> str:
    """Name all that a vector depends on: the model, and a digest of the server, the dimensions, and how much text it gets."""
    told = [section.base_url, section.dimensions, section.text_chars, section.quoted_chars]
    return f"{section.model} {hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]}"
