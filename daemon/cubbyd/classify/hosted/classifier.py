"""The hosted classifier: each mail is let out masked, paid for, asked about, and its answer checked; one mail a call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

import structlog

from cubbyd.classify.border import Border
from cubbyd.classify.hosted.answer import Reply, Usage
from cubbyd.classify.hosted.breaker import Breaker
from cubbyd.classify.hosted.client import Client
from cubbyd.classify.hosted.failure import Action, Failure, to_error
from cubbyd.classify.hosted.ledger import Ledger, Prices
from cubbyd.classify.hosted.prompt import frame
from cubbyd.classify.hosted.retry import Patience
from cubbyd.classify.protocol import Cost, Prediction, Provenance
from cubbyd.config import OpenAISection
from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.classify")

BYTES_PER_TOKEN: Final = 3.5
"""Fewer than English has, so that the estimate that is entered before a call is rather too high."""


class Wire(Protocol):
    """One way to ask: what is sent, and how the answer is read."""

    endpoint: str
    categories: tuple[CategoryId, ...]
    """The closed set."""
    output_tokens: int
    """The most tokens that are generated, for the estimate."""

    def body(self, mail: str) -> dict[str, object]:
        """Make the request about one mail."""
        ...

    def narrow(self, categories: Sequence[CategoryId]) -> Wire:
        """Make the same question about some of the categories."""
        ...

    def read(self, reply: Reply) -> dict[CategoryId, float]:
        """Read the probabilities. Raises Failure."""
        ...

    def usage(self, reply: Reply) -> Usage:
        """Read what the call took."""
        ...


class HostedClassifier:
    """A hosted model, ready to be asked; thread-safe."""

    batch_size: int = 1
    """Each call costs money, and one mail must not speak for another."""

    def __init__(
        self,
        section: OpenAISection,
        provenance: Provenance,
        *,
        borders: tuple[Border, Border],
        wire: Wire,
        client: Client,
        ledger: Ledger,
        breaker: Breaker,
        patience: Patience,
    ) -> None:
        """Take the parts; the second border lets out half the text of the first, for where the first was too much."""
        self.provenance, self.categories = provenance, wire.categories
        self._server = f"classifier openai ({urlsplit(section.base_url).netloc})"
        self._prices = Prices(input=section.price_per_million_input_tokens, output=section.price_per_million_output_tokens)
        self._borders, self._wire, self._client = borders, wire, client
        self._ledger, self._breaker, self._patience = ledger, breaker, patience

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        """Answer for each input, in order. Raises ClassifierUnavailable where none of them has an answer for that reason."""
        return self._answer([(given, self._wire) for given in inputs])

    def classify_among(
        self, inputs: Sequence[ClassifierInput], among: Sequence[Sequence[CategoryId]], /
    ) -> Sequence[Prediction | ClassifierError]:
        """Answer for each input by its own few categories: the server is told of no others."""
        return self._answer([(given, self._wire.narrow(few)) for given, few in zip(inputs, among, strict=True)])

    def _answer(self, questions: Sequence[tuple[ClassifierInput, Wire]]) -> Sequence[Prediction | ClassifierError]:
        outcomes: list[Prediction | ClassifierError] = []
        outage: ClassifierUnavailable | None = None
        for given, wire in questions:
            outcome = outage or self._classify(given, wire)
            if isinstance(outcome, ClassifierUnavailable):
                outage = outcome  # the next mail would only wait as long once more
            outcomes.append(outcome)
        if outage is not None and all(outcome is outage for outcome in outcomes):
            raise outage
        return outcomes

    def close(self) -> None:
        """Break off what is under way, and close the connections."""
        self._patience.stop()
        self._client.close()

    def _classify(self, given: ClassifierInput, wire: Wire) -> Prediction | ClassifierError:
        error: ClassifierError | None = None
        for border in self._borders:
            try:
                return self._attempt(given, wire, border)
            except ClassifierError as found:
                return found
            except Failure as failure:
                self._note(failure)
                error = to_error(failure, self._server)
                if failure.row.action is not Action.SHORTEN:
                    break
        return error or ClassifierRejected(f"{self._server}: no answer")

    def _attempt(self, given: ClassifierInput, wire: Wire, border: Border) -> Prediction:
        outgoing = border.let_out(given)
        body = wire.body(frame(outgoing.given, is_redacted=outgoing.is_redacted))
        self._breaker.admit()
        started = time.perf_counter()
        try:
            prediction = self._patience.call(lambda seconds: self._ask(wire, body, seconds, started))
        except Failure:
            raise  # _note tells the breaker
        except BaseException:
            self._breaker.withdraw()
            raise
        self._breaker.succeeded()
        return prediction

    def _note(self, failure: Failure) -> None:
        """Tell the breaker and the log what became of a mail's calls."""
        row = failure.row
        if row.action is Action.PAUSE:
            self._breaker.rest(failure.pause or 0.0, row.says)
        elif row.action is Action.RETRY:
            self._breaker.failed(row.says)
        else:
            self._breaker.succeeded()  # the service works; it is this mail
        log.warning(
            "the hosted classifier gave no answer", failure=row.name, then=str(row.action), request=failure.symptom.request_id
        )

    def _ask(self, wire: Wire, body: dict[str, object], seconds: float, started: float) -> Prediction:
        """Make one call. What it costs is entered before, and put right afterwards."""
        estimate = round(_size(body) / BYTES_PER_TOKEN)
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
        return Prediction(
            probabilities=wire.read(reply),
            provenance=self.provenance,
            cost=Cost(
                milliseconds=(time.perf_counter() - started) * 1000,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                money=money / 1_000_000,
            ),
            request_id=reply.request_id,
        )


def _size(value: object) -> int:
    """Count the bytes of all texts in a request, keys included."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return sum(_size(key) + _size(item) for key, item in value.items())
    return sum(map(_size, value)) if isinstance(value, list) else 1
