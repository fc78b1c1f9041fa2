"""Days of the daemon in minutes: polls follow one another without a pause, while mail comes, connections drop, and it reloads.

Each mailbox is reached through a proxy of its own. What the daemon holds is asked of the kernel, what it did of its state file and
of the server.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.acceptance.cubbyd import CATEGORIES, EXAMPLES, NAMES
from tests.daemon_on_hand_clock import BEGINNING
from tests.dovecot import PASSWORD, Dovecot
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS, eventually
from tests.process import Held, look_at

from cubbyd.journal import Journal, open_database

POLL_SECONDS = 60
REST_SECONDS = 3.0
"""How long what was dropped or replaced has to end before the daemon is looked at."""

MAILBOX = """
[mailboxes.{name}]
host = "127.0.0.1"
port = {port}
security = "plain"
username = "{name}"
password_file = "password"
poll_seconds = 5
read_timeout_seconds = 5
"""
REST = """
[filing]
backlog = "file"

[classifier]
model = "cubbyd.model"
threshold = 0.0

[state]
directory = "state"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What happens in a day to each mailbox, at moments drawn by lot."""

    polls: int = 24 * 60
    mails: float = 30.0
    drops: float = 4.0
    """Connections cut, all of the mailbox at once."""
    silences: float = 1.0
    """Commands that are never answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evening:
    """What the daemon holds and has done when a day is over, and it has reloaded its configuration."""

    polls: int
    """Of all mailboxes since the beginning, that went through or failed."""
    failed: int
    """Of these, those that failed."""
    mails: int
    held: Held
    state_kb: float
    """The state file with its write-ahead log, in 1,000 bytes."""


@dataclass(slots=True, kw_only=True)
class LongRun:
    """A daemon that runs, and the world around it."""

    server: Dovecot
    folder: Path
    names: Sequence[str]
    proxies: dict[str, FaultProxy]
    outsides: dict[str, Outside]
    daemon: subprocess.Popen[str]
    journal: Journal
    """Its state file, to read."""
    draw: random.Random
    sent: dict[str, int] = field(default_factory=dict)
    polls: int = 0
    failed: int = 0
    _reloads: int = 0
    _elapsed: float = 0.0

    def day(self, rate: Rate) -> Evening:
        """Let a day pass; it ends with SIGHUP. Raises AssertionError where a poll or the reload does not end."""
        for _ in range(rate.polls):
            self._let_things_happen(rate)
            self.poll()
        self.reload()
        self.poll()
        time.sleep(REST_SECONDS)
        files = [self.folder / "state" / f"cubbyd.sqlite{end}" for end in ("", "-wal")]
        return Evening(
            polls=self.polls,
            failed=self.failed,
            mails=sum(self.sent.values()),
            held=look_at(self.daemon.pid),
            state_kb=sum(file.stat().st_size for file in files if file.exists()) / 1000,
        )

    def _let_things_happen(self, rate: Rate) -> None:
        for name in self.names:
            proxy = self.proxies[name]
            if self._is_drawn(rate.mails / rate.polls):
                self.deliver(name)
            if self._is_drawn(rate.drops / rate.polls):
                proxy.cut_all()
            if self._is_drawn(rate.silences / rate.polls):
                proxy.commands.clear()
                proxy.fault, proxy.struck = Fault(Kind.SILENT, self.draw.choice(["SELECT", "NOOP", "UID SEARCH"])), False

    def _is_drawn(self, probability: float) -> bool:
        return self.draw.random() < probability

    def deliver(self, name: str) -> None:
        """Put one more mail into an inbox."""
        self.sent[name] = number = self.sent.get(name, 0) + 1
        text = self.draw.choice(EXAMPLES[self.draw.choice(sorted(EXAMPLES))]).format(self.draw.choice(NAMES))
        self.outsides[name].deliver(mail(f"{text} {number}", number=number, body=text))

    def poll(self) -> None:
        """Let a minute pass, and wait until every mailbox has polled, whether that went well or not."""
        assert self.daemon.stdin is not None
        assert self.daemon.stdout is not None
        self._elapsed += POLL_SECONDS
        self.daemon.stdin.write(f"{POLL_SECONDS}\n")
        self.daemon.stdin.flush()
        assert self.daemon.stdout.readline() == "done\n", self._log()
        now = BEGINNING + timedelta(seconds=self._elapsed)
        waiting = set(self.names)
        until = time.monotonic() + PATIENCE_SECONDS
        while waiting:
            time.sleep(0.002)
            for name in list(waiting):
                outcome = self.journal.poll_outcome(name)
                if outcome and outcome.failed_at and outcome.failed_at >= now:
                    self.failed += 1
                    waiting.remove(name)
                elif outcome and outcome.succeeded_at and outcome.succeeded_at >= now:
                    waiting.remove(name)
            assert time.monotonic() < until, f"no poll of {waiting} ended\n{self._log()}"
        self.polls += len(self.names)

    def reload(self) -> None:
        """Have the configuration read again, and wait until it is in force."""
        self._reloads += 1
        self.daemon.send_signal(signal.SIGHUP)
        eventually(lambda: (self.folder / "log").read_text().count('"configuration reloaded"') == self._reloads)

    def settle(self) -> None:
        """Poll without faults until all mail is filed, and look from outside: every mail is in a folder, once, and unread."""
        for proxy in self.proxies.values():
            proxy.fault = None
        for _ in range(3):
            self.poll()
        for name in self.names:
            outside = self.outsides[name]
            assert not outside.subjects("INBOX"), self._log()
            subjects = outside.count_subjects()
            assert (subjects.total(), max(subjects.values(), default=1)) == (self.sent.get(name, 0), 1)
            assert outside.seen() == 0

    def _log(self) -> str:
        return (self.folder / "log").read_text()[-2000:]


@contextmanager
def long_run(server: Dovecot, folder: Path, model: Path, names: Sequence[str], seed: int = 1) -> Iterator[LongRun]:
    """Start the daemon in a folder, with these users as its mailboxes; it ends with the context."""
    with ExitStack() as stack:
        proxies = {name: stack.enter_context(FaultProxy(server.port)) for name in names}
        outsides = {name: stack.enter_context(Outside(server, name)) for name in names}
        shutil.copy(model, folder / "cubbyd.model")
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o600)
        config = folder / "cubbyd.toml"
        tables = [MAILBOX.format(name=name, port=proxy.port) for name, proxy in proxies.items()]
        config.write_text("".join(tables) + REST + CATEGORIES)
        command = [sys.executable, "-m", "tests.daemon_on_hand_clock", str(config)]
        log = stack.enter_context((folder / "log").open("w"))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as daemon:
            try:
                eventually(lambda: '"started"' in (folder / "log").read_text())
                journal = Journal(open_database(folder / "state", read_only=True))
                stack.callback(journal.close)
                yield LongRun(
                    server=server,
                    folder=folder,
                    names=names,
                    proxies=proxies,
                    outsides=outsides,
                    daemon=daemon,
                    journal=journal,
                    draw=random.Random(seed),
                )
            finally:
                daemon.terminate()
