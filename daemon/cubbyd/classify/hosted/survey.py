"""Looks at a hosted classifier before it is used, for `cubbyd check`: what is configured, what is left to spend, what it lists.

Nothing is written, and nothing is sent but the key: GET /models is the one call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from cubbyd.classify.hosted.failure import Event, Failure, to_error
from cubbyd.classify.hosted.ledger import Ledger
from cubbyd.classify.hosted.opening import make_budget, open_trust
from cubbyd.clock import Clock, SystemClock
from cubbyd.config import Config, OpenAISection, read_api_key
from cubbyd.config.hosted import Mode
from cubbyd.errors import ClassifierError

NOTICE_DAYS: Final = ((7, "change the model now"), (30, "change the model soon"), (90, "choose another model"))
"""How many days before a model's end something is said, and what."""
SHOWN_MODELS: Final = 5
SILENT: Final = frozenset({"no endpoint", "request refused", "model gone"})
"""Rows of the failure table by which a server says no more than that it keeps no list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found: facts by name, what should be looked at, and the error that would keep mail from being filed."""

    facts: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    error: ClassifierError | None = None


def survey(config: Config, section: OpenAISection, clock: Clock | None = None) -> Survey:
    """Look at the hosted classifier of a configuration that opens. Raises ConfigError, ClassifierUnavailable."""
    from cubbyd.classify.hosted.client import Client
    from cubbyd.classify.hosted.trial import Memory

    clock = clock or SystemClock()
    remembered = Memory(config.state.directory, section, clock).recall() if section.mode is Mode.AUTO else ""
    facts = {
        "mode": _mode(section, remembered),
        "address": section.base_url,
        "names": _names(config),
        "budget_left": _budget_left(Ledger(config.state.directory, make_budget(section), clock)),
    }
    client = Client(section, read_api_key(config.file, section), open_trust(config, section))
    try:
        reply = client.list_models(section.timeout_seconds)
    except Failure as failure:
        if failure.row.name in SILENT:
            return Survey(facts=facts | {"listed": "the server has no list of its models"})
        return Survey(facts=facts, error=to_error(failure, f"classifier openai ({section.base_url})"))
    finally:
        client.close()
    models = read_models(reply.body)
    if models is None:
        return Survey(facts=facts, error=to_error(reply.odd(Event.FOREIGN), f"classifier openai ({section.base_url})"))
    listed, warnings = look_up(section.model, models, clock.now().date())
    return Survey(facts=facts | {"listed": listed}, warnings=warnings)


def read_models(body: Mapping[str, Any]) -> dict[str, date | None] | None:
    """Read the answer of GET /models: each model with the day of its end, where one is told; None for anything else."""
    data = body.get("data")
    if not isinstance(data, list):
        return None
    named = [item for item in data if isinstance(item, Mapping) and isinstance(item.get("id"), str)]
    return {item["id"]: _day(item.get("shutdown_date")) for item in named}


def look_up(model: str, models: Mapping[str, date | None], today: date) -> tuple[str, tuple[str, ...]]:
    """Say whether a model is listed, and for how long; Ollama lists `name` as `name:latest`."""
    name = next((name for name in (model, f"{model}:latest") if name in models), None)
    if name is None:
        others = f"; it lists {', '.join(sorted(models)[:SHOWN_MODELS])}" if models else ""
        return "no", (f"the server does not list the model {model!r}{others}",)
    end = models[name]
    if end is None:
        return "yes", ()
    days = (end - today).days
    listed = f"yes; it shuts down on {end}"
    if days < 0:
        return listed, (f"the model {model} was to be shut down on {end}, {-days} days ago: change the model now",)
    advice = next((advice for within, advice in NOTICE_DAYS if days <= within), "")
    return listed, (f"the model {model} will be shut down on {end}, in {days} days: {advice}",) if advice else ()


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _mode(section: OpenAISection, remembered: str) -> str:
    if section.mode is not Mode.AUTO:
        return f"{section.mode}, at {section.endpoint}" if section.mode is Mode.CODE else str(section.mode)
    return f"auto: {remembered}" if remembered else "auto: found out before the first mail"


def _names(config: Config) -> str:
    allowed = config.redaction.allow_names_to_leave_the_building
    return "sent as they are (zero_data_retention = true)" if allowed else "masked"


def _budget_left(ledger: Ledger) -> str:
    left = ledger.left()
    parts = [f"{left.calls_today:,} calls today"]
    parts += [f"{left.money_today:.2f} of money today"] if left.money_today is not None else []
    parts += [f"{left.money_this_month:.2f} this month"] if left.money_this_month is not None else []
    return ", ".join(parts)
