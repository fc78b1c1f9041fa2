"""The section of the embeddings classifier: where its vectors come from, and how many are remembered."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field, model_validator

from cubbyd.config.hosted import OPENAI, BaseUrl, HeaderValue, Money, OpenAISection, Price
from cubbyd.config.section import Section, Switch, Whole

MOST_DIMENSIONS: Final = 8192


class Encoding(StrEnum):
    """How a server is to write the numbers of a vector."""

    FLOAT = "float"  # as JSON numbers: every server can
    BASE64 = "base64"  # packed: less to send; OpenAI and vLLM can


class EmbeddingServerSection(Section):
    """A server that speaks OpenAI's wire and makes vectors: OpenAI itself, or any other at base_url."""

    model: str = Field(min_length=1, max_length=200)
    base_url: BaseUrl = OPENAI
    api_key_file: Path | None = None
    api_key_credential: str | None = None
    api_key_env: str | None = None
    ca_file: Path | None = None
    organization: HeaderValue = ""
    project: HeaderValue = ""
    dimensions: Whole = Field(default=0, ge=0, le=MOST_DIMENSIONS)
    encoding_format: Encoding = Encoding.FLOAT
    batch_size: Whole = Field(default=16, ge=1, le=100)
    timeout_seconds: Whole = Field(default=20, ge=1, le=600)
    attempts: Whole = Field(default=3, ge=1, le=10)
    patience_seconds: Whole = Field(default=60, ge=1, le=900)
    text_chars: Whole = Field(default=4000, ge=200, le=100_000)
    quoted_chars: Whole = Field(default=1500, ge=0, le=100_000)
    zero_data_retention: Switch = False
    calls_per_day: Whole = Field(default=2000, ge=1, le=1_000_000)
    money_per_day: Money | None = None
    money_per_month: Money | None = None
    price_per_million_input_tokens: Price | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_key_here(cls, values: Any) -> Any:
        if isinstance(values, dict) and "api_key" in values:
            raise ValueError(
                "a key does not belong in this file, which many can read and which gets copied; "
                "put it in a file of mode 0600 and give api_key_file, or use api_key_credential or api_key_env"
            )
        return values

    @model_validator(mode="after")
    def _same_rules(self) -> Self:
        if (self.money_per_day or self.money_per_month) and self.price_per_million_input_tokens is None:
            raise ValueError("a budget in money needs price_per_million_input_tokens, from the vendor's price list")
        self.connection()
        return self

    def connection(self) -> OpenAISection:
        """Give the keys that a connection needs, as the hosted classifier has them. Raises ValueError as that does."""
        own = {"dimensions", "encoding_format", "batch_size"}
        keys = {name: getattr(self, name) for name in type(self).model_fields if name not in own}
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
