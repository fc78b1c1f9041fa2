"""The section of the hosted classifier: where mail text may be sent, with which key, and for how much money."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from cubbyd.config.section import Number, Section, Switch, Whole, is_loopback

OPENAI: Final = "https://api.openai.com/v1"
CANNOT_REASON = ("gpt-4", "gpt-3.5")
"""Beginnings of names of OpenAI's models that do not know `reasoning_effort`; those that were fine-tuned are among them."""
API_KEY_KEYS: Final = ("api_key_file", "api_key_credential", "api_key_env")

_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
SHORTEST_SEPARATOR: Final = 3
OWN_BODY_KEYS: Final = frozenset(
    {
        *("model", "input", "questions", "messages", "prompt", "response_format", "store", "temperature", "logprobs"),
        *("top_logprobs", "max_tokens", "max_completion_tokens", "reasoning_effort", "stream", "n", "suffix", "echo"),
        *("tools", "tool_choice", "functions", "function_call", "metadata", "user", "safety_identifier", "web_search_options"),
    }
)
"""Keys of a request that extra_body cannot have: they are set elsewhere, would send more, or would let a model act."""

_ENDPOINTS: Final = ("/completions", "/decisions", "/responses", "/embeddings", "/models")


class Mode(StrEnum):
    """How the server is asked."""

    AUTO = "auto"  # decisions where the server can, else schema; found out before the first mail is sent
    DECISIONS = "decisions"  # POST /decisions: a probability for every category, no text is generated
    SCHEMA = "schema"  # POST /chat/completions with a strict JSON schema: one category, for every other server
    CODE = "code"  # one code of a character or a number, whose log probabilities count: fine-tuned and completion models


class Effort(StrEnum):
    """How long a model reasons before it answers."""

    AUTO = "auto"  # "none" at OpenAI, whose models reason unless told otherwise; not sent to other servers
    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class TokensField(StrEnum):
    """What the server calls the cap on the length of its answer."""

    MAX_COMPLETION_TOKENS = "max_completion_tokens"
    MAX_TOKENS = "max_tokens"  # Ollama reads this one alone


class Endpoint(StrEnum):
    """Where mode = "code" asks."""

    CHAT = "chat"  # POST /chat/completions: instructions and mail are messages of their own
    COMPLETIONS = "completions"  # POST /completions: one prompt that ends with the separator, for legacy models


class Codes(StrEnum):
    """What mode = "code" has the model answer with."""

    LETTERS = "letters"  # A to Z, then a to z, in the order of [[categories]]
    NUMBERS = "numbers"  # each category's own code, up to 999


class SchemaFormat(StrEnum):
    """How the server is told the JSON schema of an answer (mode = "schema")."""

    JSON_SCHEMA = "json_schema"  # as OpenAI spells it; most servers read it
    FLAT = "flat"  # {"type": "json_schema", "schema": ...}, the older spelling of llama.cpp
    JSON_OBJECT = "json_object"  # any JSON; the instructions alone say which
    NONE = "none"  # not told at all; the instructions alone ask for JSON


class KeyHeader(StrEnum):
    """Which header carries the key."""

    AUTHORIZATION = "authorization"  # Authorization: Bearer KEY
    API_KEY = "api-key"  # api-key: KEY, as Azure has it


def normalize_base_url(value: str) -> str:
    """Give the one spelling of an address that mail may be sent to: scheme, host, port, path, without a slash at the end.

    Raises ValueError for whatever could make it another address than the one that the admin reads.
    """
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("must be an address such as https://api.openai.com/v1") from error
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password; give the key by api_key_file")
    if not value.isascii() or not value.isprintable() or set(value) & set(" \\%?#"):
        raise ValueError("must be an address in plain ASCII, without blanks and without any of \\ % ? #")
    if not (_HOST.fullmatch(host) or _is_ip6(host)):
        raise ValueError("must name a host, as in https://api.openai.com/v1")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("must begin with https:// (http:// to this machine alone), or mail would travel readable to all")
    path = _usable_path(host, parts.path.rstrip("/"))
    if port == {"https": 443, "http": 80}[parts.scheme]:
        port = None
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{f':{port}' if port is not None else ''}{path}"


def _usable_path(host: str, path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError("must have a plain path, such as /v1")
    if path.endswith(_ENDPOINTS):
        raise ValueError("must be the address above the endpoints, such as https://api.openai.com/v1")
    if host == "api.openai.com" and path != "/v1":
        raise ValueError(f"OpenAI's address is {OPENAI}")
    return path


def _is_ip6(host: str) -> bool:
    return ":" in host and re.fullmatch(r"[0-9a-f:]+", host) is not None


def _header_value(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9._-]+", value):
        raise ValueError("has letters, digits, - and _ alone")
    return value


def _separator(value: str) -> str:
    if len(value) < SHORTEST_SEPARATOR or not value.strip():
        raise ValueError(f"needs {SHORTEST_SEPARATOR} characters at least, and not blanks alone, as in the default")
    return value


def _extra_body(value: dict[str, Any]) -> dict[str, Any]:
    if taken := sorted(set(value) & OWN_BODY_KEYS):
        raise ValueError(f"must not have {', '.join(taken)}: cubbyd says these itself, or never")
    return value


BaseUrl = Annotated[str, AfterValidator(normalize_base_url)]
HeaderValue = Annotated[str, Field(max_length=100), AfterValidator(_header_value)]
Separator = Annotated[str, Field(max_length=40), AfterValidator(_separator)]
ExtraBody = Annotated[dict[str, Any], AfterValidator(_extra_body)]
ApiVersion = Annotated[str, Field(max_length=40), AfterValidator(_header_value)]
Money = Annotated[Number, Field(gt=0.0, le=1_000_000.0)]
Price = Annotated[Number, Field(ge=0.0, le=100_000.0)]


class ServerSection(Section):
    """A server that speaks OpenAI's wire, and what may be spent there; OpenAI itself, or any other at base_url."""

    model: str = Field(min_length=1, max_length=200)
    base_url: BaseUrl = OPENAI
    api_key_file: Path | None = None
    api_key_credential: str | None = None
    api_key_env: str | None = None
    ca_file: Path | None = None
    organization: HeaderValue = ""
    project: HeaderValue = ""
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
    def _one_key(self) -> Self:
        given = [key for key in API_KEY_KEYS if getattr(self, key)]
        if len(given) > 1 or (not given and not self.is_loopback):
            found = " and ".join(given) or "none of them"
            raise ValueError(f"give exactly one of {', '.join(API_KEY_KEYS)} (found {found})")
        return self

    @property
    def is_loopback(self) -> bool:
        """Tell whether the server is on this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


class OpenAISection(ServerSection):
    """A server with a model that classifies."""

    mode: Mode = Mode.AUTO
    price_per_million_output_tokens: Price | None = None
    price_per_million_training_tokens: Price | None = None
    schema_probability: Annotated[Number, Field(gt=0.0, lt=1.0)] = 0.8
    logprobs: Switch = True
    reasoning_effort: Effort = Effort.AUTO
    max_tokens_field: TokensField = TokensField.MAX_COMPLETION_TOKENS
    schema_format: SchemaFormat = SchemaFormat.JSON_SCHEMA
    endpoint: Endpoint = Endpoint.CHAT
    codes: Codes = Codes.LETTERS
    separator: Separator = "\n\n###\n\n"
    instructions: Switch = True
    context_tokens: Whole = Field(default=0, ge=0, le=10_000_000)
    store_field: Switch = True
    key_header: KeyHeader = KeyHeader.AUTHORIZATION
    api_version: ApiVersion = ""
    extra_body: ExtraBody = Field(default_factory=dict)

    @model_validator(mode="after")
    def _prices_for_the_budget(self) -> Self:
        prices = (self.price_per_million_input_tokens, self.price_per_million_output_tokens)
        if (self.money_per_day or self.money_per_month) and None in prices:
            raise ValueError(
                "a budget in money needs price_per_million_input_tokens and price_per_million_output_tokens, "
                "from the vendor's price list"
            )
        return self

    @model_validator(mode="after")
    def _codes_are_not_reasoned(self) -> Self:
        if self.mode is Mode.CODE and self.reasoning_effort not in {Effort.AUTO, Effort.NONE}:
            raise ValueError(
                'mode = "code" takes the first token of an answer, which a model that reasons spends otherwise; '
                'set reasoning_effort = "none", or another mode'
            )
        return self

    @model_validator(mode="after")
    def _fine_tuned_alone_need_no_instructions(self) -> Self:
        if not self.instructions and self.mode is not Mode.CODE:
            raise ValueError(
                'instructions = false is for models that were fine-tuned to answer a mail with a code; set mode = "code"'
            )
        return self

    @property
    def effort(self) -> str:
        """What to send as reasoning effort; empty: nothing."""
        if self.reasoning_effort is Effort.AUTO:
            is_openai = urlsplit(self.base_url).hostname == "api.openai.com"
            return "none" if is_openai and not self.model.removeprefix("ft:").startswith(CANNOT_REASON) else ""
        return str(self.reasoning_effort)
