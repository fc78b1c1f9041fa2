"""One pass over every mailbox, in this thread: `cubbyd run --once`, and the demo."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import structlog

from cubbyd.clock import SystemClock
from cubbyd.config import Config
from cubbyd.errors import CubbydError
from cubbyd.filing import PassReport
from cubbyd.journal import Journal, open_database, state_lock
from cubbyd.service.build import accounts_of, build_workers, load_classifier
from cubbyd.service.refusal import refusal_on_record

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.service")


def run_once(config_file: Path, config: Config, *, observe: bool = False) -> dict[str, PassReport | CubbydError]:
    """Do one pass over each mailbox; give its report, or what broke it off. One mailbox's failure stops no other.

    Raises ConfigError, ModelFileError, StateError before anything is touched.
    """
    outcomes: dict[str, PassReport | CubbydError] = {}
    clock = SystemClock()
    with state_lock(config.state.directory), _stop_on_signal() as stopping:
        with refusal_on_record(config, clock):
            accounts = accounts_of(config_file, config)
            classifier = load_classifier(config)
        journal = Journal(open_database(config.state.directory))
        workers = build_workers(
            config,
            accounts,
            classifier=classifier,
            journal=journal,
            clock=clock,
            observe=observe,
            should_stop=stopping.is_set,
        )
        try:
            for worker in workers:
                try:
                    outcomes[worker.name] = worker.run_pass()
                except CubbydError as error:
                    log.error("pass failed", mailbox=worker.name, kind=type(error).__name__, error=str(error))
                    outcomes[worker.name] = error
                finally:
                    worker.disconnect()
        finally:
            journal.close()
            classifier.close()
    return outcomes


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """Let SIGTERM and SIGINT end the pass after the mail in hand."""
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        stopping.set()

    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
