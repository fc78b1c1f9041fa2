"""Opens the hosted classifier: the gate that keeps names in the building, and the parts put together."""

from __future__ import annotations

import hashlib
import json
import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cubbyd.classify.border import Border, make_redactor
from cubbyd.classify.hosted.breaker import Breaker
from cubbyd.classify.hosted.guard import Guard
from cubbyd.classify.hosted.ledger import Budget, Ledger
from cubbyd.classify.hosted.prompt import PROMPT_VERSION, Prompt
from cubbyd.classify.hosted.retry import Patience
from cubbyd.classify.protocol import Provenance
from cubbyd.clock import Clock, SystemClock
from cubbyd.config import Config, Labels, OpenAISection, read_api_key
from cubbyd.config.hosted import Mode, ServerSection
from cubbyd.errors import ConfigError, Problem
from cubbyd.message import RENDERER_VERSION
from cubbyd.message.render import Limits

if TYPE_CHECKING:
    from cubbyd.classify.hosted.classifier import HostedClassifier
    from cubbyd.classify.hosted.paid import PaidClient, Wire

KIND = "openai"
SHORTEST_QUOTE = 0


def open_hosted(config: Config, clock: Clock | None = None) -> HostedClassifier:
    """Open the classifier of [classifier.openai]; nothing is sent. Raises ConfigError, InputFileError, NamesMissing."""
    section = require_section(config)
    clock = clock or SystemClock()
    paid = open_paid(config, section, clock)
    from cubbyd.classify.hosted.classifier import HostedClassifier
    from cubbyd.classify.hosted.trial import Memory, Trial

    wires = make_wires(config, section)
    return HostedClassifier(
        section,
        lambda wire: Provenance(kind=KIND, model=_identity(section, wire, wires[0]), renderer=RENDERER_VERSION),
        categories=config.taxonomy.ids,
        borders=_open_borders(config, section),
        trial=Trial(wires, paid, Memory(config.state.directory, section, clock)),
        paid=paid,
        guard=Guard(Breaker(f"classifier {KIND}", clock), open_patience(section, clock)),
    )


def open_paid(config: Config, section: OpenAISection, clock: Clock | None = None) -> PaidClient:
    """Open the connection with its ledger; nothing is sent. Raises ConfigError, also where names would leave unguarded."""
    _keep_names_in(config, section)
    if find_spec("openai") is None:
        raise _error(config, "kind", "needs the package openai; install it with: pip install 'cubbyd[openai]'")
    from cubbyd.classify.hosted.client import Client
    from cubbyd.classify.hosted.paid import PaidClient

    client = Client(section, read_api_key(config.file, section), open_trust(config, section))
    return PaidClient(section, client, Ledger(config.state.directory, make_budget(section), clock or SystemClock()))


def open_patience(section: ServerSection, clock: Clock | None = None) -> Patience:
    """Say how often and how long a call is tried."""
    return Patience(
        attempts=section.attempts,
        timeout=section.timeout_seconds,
        total=section.patience_seconds,
        clock=clock or SystemClock(),
    )


def make_wires(config: Config, section: OpenAISection) -> list[Wire]:
    """Make the ways in which the server may be asked, best first. Raises ConfigError where none takes these categories."""
    from cubbyd.classify.hosted import code, decisions, schema

    many, count = config.classifier.labels is Labels.MANY, len(config.taxonomy)
    prompt = Prompt(config.taxonomy, many)
    most = decisions.MOST_QUESTIONS if many else decisions.MOST_CHOICES
    if section.mode is Mode.CODE:
        if many:
            allowed = 'mode = "code" gives one category, and classifier.labels is "many"; set mode = "decisions" or "schema"'
            raise _error(config, "openai.mode", allowed)
        try:
            return [code.Code(section, prompt)]
        except ValueError as error:
            raise _error(config, "openai.mode", str(error)) from error
    wires: list[Wire] = []
    if section.mode is not Mode.SCHEMA and count <= most:
        wires.append(decisions.Decisions(section, prompt))
    if section.mode is not Mode.DECISIONS and count <= schema.MOST_CHOICES:
        wires.append(schema.Schema(section, prompt))
        if section.mode is Mode.AUTO and section.logprobs:
            wires.append(schema.Schema(section, prompt, logprobs=False))
    if not wires:
        most = most if section.mode is Mode.DECISIONS else schema.MOST_CHOICES
        raise _error(config, "openai.mode", f'"{section.mode}" takes {most} categories at most, and {count} are given')
    return wires


def require_section(config: Config) -> OpenAISection:
    """Give the table [classifier.openai]. Raises ConfigError where there is none."""
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


def open_trust(config: Config, section: OpenAISection) -> ssl.SSLContext | None:
    """Read the authorities of the admin's own; None where the system's count. Raises ConfigError."""
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


def make_budget(section: ServerSection) -> Budget:
    """Make the budget of a section."""
    return Budget(
        calls_per_day=section.calls_per_day, money_per_day=section.money_per_day, money_per_month=section.money_per_month
    )


def _identity(section: OpenAISection, wire: Wire | None, first: Wire) -> str:
    """Name all that an answer depends on: the model, the way to ask, and a digest of the server and of what it is told."""
    told = [section.base_url, section.text_chars, section.quoted_chars, section.schema_probability, section.extra_body]
    empty = (wire or first).body("")
    digest = hashlib.sha256(json.dumps([*told, empty], sort_keys=True).encode()).hexdigest()[:8]
    return f"{section.model} {wire.way if wire else section.mode} prompt-{PROMPT_VERSION} {digest}"


def _error(config: Config, key: str, allowed: str) -> ConfigError:
    return ConfigError(config.file, (Problem(key=f"classifier.{key}", found="", allowed=allowed),))
