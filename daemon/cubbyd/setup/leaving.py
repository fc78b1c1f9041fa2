"""What would leave the building: which servers a configuration sends text to, and how many bytes a mail makes there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cubbyd.classify.border import Border, open_border
from cubbyd.config import Config, OpenAISection
from cubbyd.config.section import is_loopback
from cubbyd.message import ClassifierInput
from cubbyd.message.render import Limits
from cubbyd.redaction import RedactionFailed

Spell = Callable[[ClassifierInput], str]
"""Spells what a server is sent about a mail. Raises RedactionFailed where nothing would be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A server that text of mails is sent to."""

    kind: str
    address: str
    is_here: bool
    """It is on this machine: nothing leaves the building."""
    is_masked: bool
    has_prices: bool
    asks_always: bool
    """Every mail goes there, whatever a prediction says of its cost: vectors may be remembered from an earlier time."""
    spell: Spell


def find_services(configs: Iterable[Config]) -> tuple[Service, ...]:
    """Find the servers that some configurations, each with one classifier, send text to. Raises ConfigError, InputFileError."""
    found: dict[tuple[str, str], Service] = {}
    for config in configs:
        for service in _services(config):
            found.setdefault((service.kind, service.address), service)
    return tuple(found.values())


def count_bytes(service: Service, inputs: Sequence[ClassifierInput]) -> int:
    """Count the bytes that a server is sent about some mails, without those of HTTP and TLS; what masking refuses is not."""
    total = 0
    for given in inputs:
        try:
            total += len(service.spell(given).encode("utf-8", "surrogatepass"))
        except RedactionFailed:
            continue
    return total


def _services(config: Config) -> Iterator[Service]:
    section, vectors = config.classifier.openai, config.classifier.embeddings
    if config.classifier.kind == "openai" and section is not None:
        prices = (section.price_per_million_input_tokens, section.price_per_million_output_tokens)
        yield _service(config, "openai", section.base_url, _spell_question(config, section), priced=None not in prices)
    elif config.classifier.kind == "embeddings" and vectors is not None and vectors.server is not None:
        server = vectors.server
        border = open_border(config, Limits(text=server.text_chars, quoted=server.quoted_chars))
        priced = server.price_per_million_input_tokens is not None
        yield _service(config, "embeddings", server.base_url, lambda given: _spell_words(border, given), priced=priced)


def _service(config: Config, kind: str, address: str, spell: Spell, *, priced: bool) -> Service:
    return Service(
        kind=kind,
        address=address,
        is_here=is_loopback(urlsplit(address).hostname or ""),
        is_masked=not config.redaction.allow_names_to_leave_the_building,
        has_prices=priced,
        asks_always=kind == "embeddings",
        spell=spell,
    )


def _spell_question(config: Config, section: OpenAISection) -> Spell:
    from cubbyd.classify.hosted.opening import make_wires
    from cubbyd.classify.hosted.prompt import frame

    wire = make_wires(config, section)[0]
    border = open_border(config, Limits(text=section.text_chars, quoted=section.quoted_chars))

    def spell(given: ClassifierInput) -> str:
        outgoing = border.let_out(given)
        return json.dumps(wire.body(frame(outgoing.given, is_redacted=outgoing.is_redacted)), ensure_ascii=False)

    return spell


def _spell_words(border: Border, given: ClassifierInput) -> str:
    from cubbyd.classify.embedding.source import spell

    return json.dumps([spell(border.let_out(given).given)], ensure_ascii=False)
