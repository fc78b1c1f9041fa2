"""From the configuration to the working parts: the one place where they are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import structlog

from cubbyd.classify import registry
from cubbyd.classify.protocol import Classifier
from cubbyd.clock import Clock
from cubbyd.config import Config
from cubbyd.filing import Filer, rules_of
from cubbyd.journal import Journal, Record
from cubbyd.lifecycle import State
from cubbyd.mailbox import Account, open_mailbox
from cubbyd.service.account import make_account
from cubbyd.service.observer import Nobody, ObservedClassifier, Observer
from cubbyd.service.postman import Postman
from cubbyd.service.pulse import Beat
from cubbyd.service.worker import Worker
from cubbyd.taxonomy import CategoryId

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.service")

ANSWERS_IN_A_STEP = 4
"""Answers of a mail server that one step waits for at most, each as long as read_timeout_seconds."""

TOKEN_REQUESTS_IN_A_STEP = 4
"""Requests to a provider of tokens that one step waits for at most: its libraries try again, or ask first where to ask."""


def longest_step_seconds(config: Config) -> float:
    """Tell how long one step of the work may take by the configuration: what is silent for longer than that hangs."""
    slowest = max(
        section.connect_timeout_seconds
        + ANSWERS_IN_A_STEP * section.read_timeout_seconds
        + (TOKEN_REQUESTS_IN_A_STEP * section.oauth.timeout_seconds if section.oauth else 0)
        for section in config.mailboxes.values()
    )
    embeddings = config.classifier.embeddings
    servers = (config.classifier.openai, embeddings.server if embeddings else None)
    asked = [server.patience_seconds for server in servers if server]
    return float(max(slowest, sum(asked)))


def _tell(observer: Observer, mailbox: str, record: Record, to: State, is_old: bool) -> None:  # noqa: FBT001
    observer.mail_became(mailbox, record, to, is_old=is_old)


def _unheard() -> None:
    """Take a sign of progress that nobody waits for."""


def load_classifier(config: Config) -> Classifier:
    """Load the configured classifier, and log what its calibration lacks. Raises UnknownKind, ModelFileError, ConfigError."""
    classifier = registry.load_classifier(config)
    if config.classifier.calibration is not None:
        from cubbyd.classify.calibrated import shortcomings

        for sentence in shortcomings(config, classifier):
            log.warning("calibration is missing", reason=sentence)
    return classifier


def _measured_thresholds(config: Config, classifier: Classifier) -> Mapping[CategoryId, float]:
    if config.classifier.calibration is None:
        return {}
    from cubbyd.classify.calibrated import thresholds_in_force

    return thresholds_in_force(config, classifier)


def accounts_of(config_file: Path, config: Config) -> list[Account]:
    """Read every mailbox's password, or what its tokens are asked for with. Raises ConfigError."""
    return [make_account(config_file, name, section, config.state.directory) for name, section in config.mailboxes.items()]


def build_workers(  # noqa: PLR0913  (the parts, each with its name)
    config: Config,
    accounts: list[Account],
    *,
    classifier: Classifier,
    journal: Journal,
    clock: Clock,
    observe: bool,
    should_stop: Callable[[], bool],
    beats: Mapping[str, Beat] = MappingProxyType({}),
    observer: Observer | None = None,
) -> list[Worker]:
    """Make a worker for each mailbox; they share the journal and the classifier, and report their progress to their `beats`.

    The observer hears of each mail, each pass and each answer.
    """
    rules = rules_of(config, observe=observe, thresholds=_measured_thresholds(config, classifier))
    observer = observer or Nobody()
    watched = ObservedClassifier(classifier, observer, clock)
    return [
        Worker(
            name=account.name,
            open_mailbox=partial(open_mailbox, account, beats.get(account.name, _unheard)),
            filer=Filer(
                name=account.name,
                inbox=account.section.inbox,
                rules=rules,
                journal=journal,
                classifier=watched,
                clock=clock,
                should_stop=should_stop,
                progress=beats.get(account.name, _unheard),
                noted=partial(_tell, observer, account.name),
                moved=partial(observer.mail_moved, account.name),
            ),
            observer=observer,
            postman=None if rules.observe else Postman(account.name, config, journal, clock),
            journal=journal,
            clock=clock,
        )
        for account in accounts
    ]
