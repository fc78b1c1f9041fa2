"""The section of the embeddings classifier: where its vectors come from, and how many are remembered."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from cubbyd.config.hosted import OpenAISection, ServerSection
from cubbyd.config.section import Section, Whole

MOST_DIMENSIONS: Final = 8192


class Encoding(StrEnum):
    """How a server is to write the numbers of a vector."""

    FLOAT = "float"  # as JSON numbers: every server can
    BASE64 = "base64"  # packed: less to send; OpenAI and vLLM can


class EmbeddingServerSection(ServerSection):
    """A server that makes vectors."""

    dimensions: Whole = Field(default=0, ge=0, le=MOST_DIMENSIONS)
    encoding_format: Encoding = Encoding.FLOAT
    batch_size: Whole = Field(default=16, ge=1, le=100)

    @model_validator(mode="after")
    def _price_for_the_budget(self) -> Self:
        if (self.money_per_day or self.money_per_month) and self.price_per_million_input_tokens is None:
            raise ValueError("a budget in money needs price_per_million_input_tokens, from the vendor's price list")
        return self

    def connection(self) -> OpenAISection:
        """Give the keys that a connection needs, as the hosted classifier has them."""
        keys = {name: getattr(self, name) for name in ServerSection.model_fields}
        output = None if self.price_per_million_input_tokens is None else 0.0
        return OpenAISection(**keys, price_per_million_output_tokens=output)


class EmbeddingsSection(Section):
    """Where vectors come from: a folder on this machine, or a server."""

    folder: Path | None = None
    server: EmbeddingServerSection | None = None
    cached_vectors: Whole = Field(default=20_000, ge=0, le=10_000_000)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.folder is None) == (self.server is None):
            found = "neither" if self.folder is None else "both"
            raise ValueError(
                f"give folder, an embedding model on this machine, or a table [classifier.embeddings.server] (found {found})"
            )
        return self
