"""From the configuration to the working parts: the one place where they are put together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cubbyd.classify.protocol import Classifier
from cubbyd.classify.registry import load_classifier
from cubbyd.clock import Clock
from cubbyd.config import Config, read_password
from cubbyd.filing import Filer, rules_of
from cubbyd.journal import Journal
from cubbyd.mailbox import Account, open_mailbox
from cubbyd.service.worker import Worker

__all__ = ["accounts_of", "build_workers", "load_classifier"]


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
    rules = rules_of(config, observe=observe)
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
