"""Two opinions of a strong model: asked twice with the categories in two orders, or two models asked once each.

A model leans to what stands first or last in a list; an answer that survives another order is one about the mail.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cubbyd.classify.hosted.classifier import HostedClassifier
from cubbyd.classify.hosted.ledger import MILLION, Prices
from cubbyd.classify.hosted.opening import make_wires, open_hosted, require_section
from cubbyd.classify.hosted.paid import BYTES_PER_TOKEN, size_of
from cubbyd.classify.hosted.prompt import frame
from cubbyd.config import Config, OpenAISection
from cubbyd.message import ClassifierInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What calls will take, before any is made; rather too high."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    money: float | None = None
    """None where the configuration has no prices."""

    def __add__(self, other: Estimate) -> Estimate:
        """Put two estimates together; without a price for one of them there is none."""
        money = None if self.money is None or other.money is None else self.money + other.money
        return Estimate(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            money=money,
        )

    def __str__(self) -> str:
        """Say it in one line."""
        tokens = f"{self.input_tokens:,} tokens in and at most {self.output_tokens:,} out"
        price = "no prices are configured" if self.money is None else f"at most {self.money:.2f} of money"
        return f"{self.calls:,} calls, about {tokens}, {price}"


def estimate(section: OpenAISection, bodies: Sequence[dict[str, Any]], output_tokens: int) -> Estimate:
    """Estimate what requests will take, each answered with so many tokens at most."""
    read = sum(round(size_of(body) / BYTES_PER_TOKEN) for body in bodies)
    written = output_tokens * len(bodies)
    known = section.price_per_million_input_tokens is not None and section.price_per_million_output_tokens is not None
    prices = Prices(input=section.price_per_million_input_tokens, output=section.price_per_million_output_tokens)
    money = prices.millionths(read, written) / MILLION if known else None
    return Estimate(calls=len(bodies), input_tokens=read, output_tokens=written, money=money)


def estimate_classifying(config: Config, inputs: Sequence[ClassifierInput]) -> Estimate:
    """Estimate what classifying takes. Raises ConfigError."""
    section = require_section(config)
    wire = make_wires(config, section)[0]
    return estimate(section, [wire.body(frame(given, is_redacted=False)) for given in inputs], wire.output_tokens)


def two_orders(config: Config, seed: int, second_model: str = "") -> tuple[Config, Config]:
    """Make two configurations with the categories in two different orders, the second of another model where one is named.

    Raises ConfigError.
    """
    draw = random.Random(seed)  # noqa: S311  (an order, no secret)
    first = list(config.categories)
    draw.shuffle(first)
    second = [*reversed(first)]  # whatever stood first stands last: no order is farther from it
    section = require_section(config)
    other = section.model_copy(update={"model": second_model or section.model})
    classifier = config.classifier.model_copy(update={"openai": other})
    return (
        config.model_copy(update={"categories": tuple(first)}),
        config.model_copy(update={"categories": tuple(second), "classifier": classifier}),
    )


def open_opinions(configs: tuple[Config, Config]) -> tuple[HostedClassifier, HostedClassifier]:
    """Open both; nothing is sent. Raises as open_hosted does."""
    return open_hosted(configs[0]), open_hosted(configs[1])
