"""The daemon as it is, on a clock that moves only when it is told: `python -m tests.daemon_on_hand_clock CONFIGURATION`.

A line with a number of seconds on standard input lets so much time pass and makes every mailbox's poll due; "done" answers it.
IDLE is renewed three times a second. All else is real: threads, connections, state file, signals.
"""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from cubbyd.config import load_config
from cubbyd.mailbox import watch
from cubbyd.service.daemon import Daemon
from cubbyd.service.log import configure_logging
from cubbyd.service.worker import WorkerThread
from cubbyd.testing import HandClock

BEGINNING = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
IDLE_SECONDS = 0.3


def pass_time(clock: HandClock) -> None:
    for line in sys.stdin:
        clock.advance(float(line))
        for thread in threading.enumerate():
            if isinstance(thread, WorkerThread):
                thread.wake()
        sys.stdout.write("done\n")
        sys.stdout.flush()


def main(config_file: Path) -> None:
    config, clock = load_config(config_file), HandClock(BEGINNING)
    configure_logging(config.log)
    watch.IDLE_SECONDS = IDLE_SECONDS
    threading.Thread(target=pass_time, args=(clock,), daemon=True).start()
    Daemon(config_file, config, clock=clock).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
