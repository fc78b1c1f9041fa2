"""Opens the hosted classifier: the gate that keeps names in the building, and the parts put together."""

from __future__ import annotations

import hashlib
import json
import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cubbyd.classify.border import Border, make_redactor
from cubbyd.classify.hosted.breaker import Breaker
from cubbyd.classify.hosted.ledger import Budget, Ledger
from cubbyd.classify.hosted.prompt import PROMPT_VERSION, Prompt
from cubbyd.classify.hosted.retry import Patience
from cubbyd.classify.protocol import Provenance
from cubbyd.clock import Clock, SystemClock
from cubbyd.config import Config, OpenAISection, read_api_key
from cubbyd.config.hosted import Mode
from cubbyd.errors import ConfigError, Problem
from cubbyd.message import RENDERER_VERSION
from cubbyd.message.render import Limits

if TYPE_CHECKING:
    from cubbyd.classify.hosted.classifier import HostedClassifier

KIND = "openai"
SHORTEST_QUOTE = 0


def open_hosted(config: Config, clock: Clock | None = None) -> HostedClassifier:
    """Open the classifier that [classifier.openai] describes. Raises ConfigError, InputFileError, NamesMissing."""
    section = _section(config)
    _keep_names_in(config, section)
    if find_spec("openai") is None:
        raise _error(config, "kind", "needs the package openai; install it with: pip install 'cubbyd[openai]'")
    from cubbyd.classify.hosted import decisions, schema
    from cubbyd.classify.hosted.classifier import HostedClassifier
    from cubbyd.classify.hosted.client import Client

    most = decisions.MOST_CHOICES if section.mode is Mode.DECISIONS else schema.MOST_CHOICES
    if len(config.taxonomy) > most:
        given = len(config.taxonomy)
        raise _error(config, "openai.mode", f'"{section.mode}" takes {most} categories at most, and {given} are given')
    clock = clock or SystemClock()
    prompt = Prompt(config.taxonomy)
    wire = decisions.Decisions(section, prompt) if section.mode is Mode.DECISIONS else schema.Schema(section, prompt)
    key = read_api_key(config.file, section)
    borders = _open_borders(config, section)
    return HostedClassifier(
        section,
        Provenance(kind=KIND, model=_identity(section, wire.body("")), renderer=RENDERER_VERSION),
        borders=borders,
        wire=wire,
        client=Client(section, key, _read_authorities(config, section)),
        ledger=Ledger(config.state.directory, _budget(section), clock),
        breaker=Breaker(f"classifier {KIND}", clock),
        patience=Patience(
            attempts=section.attempts,
            timeout=section.timeout_seconds,
            total=section.patience_seconds,
            clock=clock,
        ),
    )


def _section(config: Config) -> OpenAISection:
    section = config.classifier.openai
    if section is None:
        raise _error(config, "openai", 'kind = "openai" needs a table [classifier.openai]; config.example.toml shows it')
    return section


def _keep_names_in(config: Config, section: OpenAISection) -> None:
    """Refuse to send names to a service that may keep them.

    OpenAI's guidance on its API for people under 18: no personal data of children under 13 before zero data retention is in
    place. These mails name three-year-olds.
    """
    if config.redaction.allow_names_to_leave_the_building and not section.zero_data_retention:
        raise _error(
            config,
            "openai.zero_data_retention",
            "redaction.allow_names_to_leave_the_building = true would send the names of children to a service that may keep "
            "them; take that key out, so that names are masked, or, once your contract says that nothing is kept, set "
            "zero_data_retention = true",
        )


def _open_borders(config: Config, section: OpenAISection) -> tuple[Border, Border]:
    redactor = None if config.redaction.allow_names_to_leave_the_building else make_redactor(config)
    whole = Limits(text=section.text_chars, quoted=section.quoted_chars)
    half = Limits(text=section.text_chars // 2, quoted=SHORTEST_QUOTE)
    return Border(redactor, whole), Border(redactor, half)


def _read_authorities(config: Config, section: OpenAISection) -> ssl.SSLContext | None:
    if section.ca_file is None:
        return None
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # create_default_context would obey SSLKEYLOGFILE
    trust.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        trust.load_verify_locations(section.ca_file)
    except OSError as error:  # ssl.SSLError is one too
        reason = f"{section.ca_file} cannot be used: {error.strerror or 'no certificate in PEM'}"
        raise _error(config, "openai.ca_file", reason) from error
    return trust


def _budget(section: OpenAISection) -> Budget:
    return Budget(
        calls_per_day=section.calls_per_day, money_per_day=section.money_per_day, money_per_month=section.money_per_month
    )


def _identity(section: OpenAISection, empty: dict[str, object]) -> str:
    """Name all that an answer depends on: the model, the way to ask, and a digest of the server and of what it is told."""
    told = [section.base_url, section.text_chars, section.quoted_chars, section.schema_probability, empty]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]
    return f"{section.model} {section.mode} prompt-{PROMPT_VERSION} {digest}"


def _error(config: Config, key: str, allowed: str) -> ConfigError:
    return ConfigError(config.file, (Problem(key=f"classifier.{key}", found="", allowed=allowed),))
