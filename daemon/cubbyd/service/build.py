"""From the configuration to the working parts: the one place where they are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import structlog

from cubbyd.classify import registry
from cubbyd.classify.protocol import Classifier
from cubbyd.clock import Clock
from cubbyd.config import Config, read_password
from cubbyd.filing import Filer, rules_of
from cubbyd.journal import Journal
from cubbyd.mailbox import Account, open_mailbox
from cubbyd.service.worker import Worker
from cubbyd.taxonomy import CategoryId

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.service")


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
    """Read every mailbox's password. Raises ConfigError."""
    return [
        Account(name=name, section=section, password=read_password(config_file, name, section))
        for name, section in config.mailboxes.items()
    ]


def build_workers(
    config: Config,
    accounts: list[Account],
    *,
    classifier: Classifier,
    journal: Journal,
    clock: Clock,
    observe: bool,
    should_stop: Callable[[], bool],
) -> list[Worker]:
    """Make a worker for each mailbox; they share the journal and the classifier."""
    rules = rules_of(config, observe=observe, thresholds=_measured_thresholds(config, classifier))
    return [
        Worker(
            name=account.name,
            open_mailbox=partial(open_mailbox, account),
            filer=Filer(
                name=account.name,
                inbox=account.section.inbox,
                rules=rules,
                journal=journal,
                classifier=classifier,
                clock=clock,
                should_stop=should_stop,
            ),
            journal=journal,
            clock=clock,
        )
        for account in accounts
    ]
