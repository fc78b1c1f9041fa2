"""The daemon: a thread for each mailbox, APScheduler for the polls, IDLE for the hints, signals for the admin, systemd told.

SIGTERM and SIGINT finish the mail in hand and exit 0; SIGHUP reads the configuration again and keeps the old one where the
new one is wrong. APScheduler counts by the wall clock, so its jobs stand still for as long as that was set back; a watch on
the monotonic clock notices the step and schedules anew.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from cubbyd.classify.protocol import Classifier
from cubbyd.clock import Clock, SystemClock
from cubbyd.config import Config, DigestSection, Every, load_config
from cubbyd.errors import ConfigError, CubbydError, Problem, StateError
from cubbyd.journal import Journal, open_database, state_lock
from cubbyd.journal.upkeep import prune
from cubbyd.mailbox import Account, IdleWatcher
from cubbyd.service.account import login_ends
from cubbyd.service.build import accounts_of, build_workers, load_classifier, longest_step_seconds
from cubbyd.service.headline import headline
from cubbyd.service.monitor import Monitor
from cubbyd.service.notify import Manager
from cubbyd.service.observer import Observer
from cubbyd.service.pulse import Pulse
from cubbyd.service.refusal import refusal_on_record
from cubbyd.service.step import StepWatch
from cubbyd.service.worker import Worker, WorkerThread

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.service")

TICK_SECONDS = 1.0
JITTER_SHARE = 0.1
"""Share of the poll interval by which polls are scattered, so that many mailboxes do not knock at once."""

APART_SECONDS = 0.1
"""Between the first connections of two mailboxes, for the same reason."""

GRACE_SECONDS = 7.0
"""How long mail in hand may take after SIGTERM before the connections are cut; the whole stop stays under 10 s."""

LAST_SECONDS = 1.5

PRUNED_EVERY_DAYS = 1
PRUNING: Final = "pruning of the state"
ALONE: Final = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
"""How jobs are run: one at a time, and however late they are."""

WATCHDOG_MARGIN = 1.5
"""The watchdog's time is at least this many times that of the longest step: a busy machine is no hang."""


class Runtime:
    """The threads that serve one configuration; made anew at a reload."""

    def __init__(
        self,
        config: Config,
        accounts: list[Account],
        classifier: Classifier,
        journal: Journal,
        clock: Clock,
        *,
        observe: bool,
        pulse: Pulse | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Put the parts together; nothing runs yet. The threads report their progress to the pulse from now on."""
        self._stopping = threading.Event()
        self._config, self._classifier, self._observe, self._clock = config, classifier, observe, clock
        pulse = pulse or Pulse(watchdog_seconds=None, feed=lambda: None, clock=clock)
        self._beats = {account.name: pulse.enlist(account.name) for account in accounts}
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._workers: list[Worker] = build_workers(
            config,
            accounts,
            classifier=classifier,
            journal=journal,
            clock=clock,
            observe=observe,
            should_stop=self._stopping.is_set,
            beats=self._beats,
            observer=observer,
        )
        self._threads = {
            worker.name: WorkerThread(worker, clock, self._stopping, self._beats[worker.name], pulse.rest_seconds)
            for worker in self._workers
        }
        self._watchers = [
            self._watcher(account, place * APART_SECONDS) for place, account in enumerate(accounts) if account.section.idle
        ]

    def _watcher(self, account: Account, after_seconds: float) -> IdleWatcher:
        def report(sentence: str) -> None:
            log.info("not watching for now; polling goes on", mailbox=account.name, reason=sentence)

        return IdleWatcher(account, self._threads[account.name].wake, report, after_seconds=after_seconds)

    def start(self) -> None:
        """Start threads and polls; the first pass of the first mailbox begins at once, and the others follow one by one."""
        for thread in self._threads.values():
            thread.start()
        for place, (name, thread) in enumerate(self._threads.items()):
            begin = datetime.now(UTC) + place * timedelta(seconds=APART_SECONDS)
            self._scheduler.add_job(thread.wake, self._trigger(name), id=name, next_run_time=begin, **ALONE)
        self._schedule_digests()
        if self._config.state.keep_days:
            self._scheduler.add_job(self._prune, self._prune_trigger(), id=PRUNING, next_run_time=datetime.now(UTC), **ALONE)
        self._scheduler.start()
        for watcher in self._watchers:
            watcher.start()

    def _trigger(self, name: str) -> IntervalTrigger:
        seconds = self._config.mailboxes[name].poll_seconds
        return IntervalTrigger(seconds=seconds, jitter=max(1, int(seconds * JITTER_SHARE)), timezone="UTC")

    def _prune_trigger(self) -> IntervalTrigger:
        return IntervalTrigger(days=PRUNED_EVERY_DAYS, timezone="UTC")

    def _prune(self) -> None:
        """Remove from the state file what is older than the days that are kept."""
        before = self._clock.now() - timedelta(days=self._config.state.keep_days)
        try:
            done = prune(self._config.state.directory, before, dry_run=False)
        except StateError as error:
            log.warning("state not pruned", error=str(error))
        else:
            log.info("state pruned", mails=done.mails, kept_old=done.kept_old, before=before.isoformat(timespec="seconds"))

    @property
    def headline(self) -> str:
        """How the mailboxes do, in one line."""
        return headline([worker.standing for worker in self._workers], observe=self._observe)

    def reschedule(self) -> None:
        """Count the intervals anew from now, and poll: the wall clock has stepped."""
        for name, thread in self._threads.items():
            self._scheduler.reschedule_job(name, trigger=self._trigger(name))
            thread.wake()
        self._schedule_digests()
        if self._config.state.keep_days:
            self._scheduler.reschedule_job(PRUNING, trigger=self._prune_trigger())

    def _schedule_digests(self) -> None:
        """Have a pass made whenever a digest is due; it goes out after that."""
        calendar = digest_calendar(self._config.digest)
        for name, thread in self._threads.items() if calendar else ():
            self._scheduler.add_job(thread.wake, calendar, id=f"digest of {name}", replace_existing=True, **ALONE)

    def stop(self) -> None:
        """Finish the mail in hand and end every thread; connections that hang are cut.

        One that is still being made is not waited for: a server that is down would hold up a reload for all.
        """
        self._stopping.set()
        for beat in self._beats.values():
            beat.end()
        for watcher in self._watchers:
            watcher.stop()
        self._scheduler.shutdown(wait=False)
        for thread in self._threads.values():
            thread.wake()
        self._join([worker.name for worker in self._workers if worker.is_connected], GRACE_SECONDS)
        for worker in self._workers:
            worker.abort()
        self._join(self._threads, LAST_SECONDS)
        self._classifier.close()

    def _join(self, names: Iterable[str], seconds: float) -> None:
        clock = SystemClock()
        until = clock.monotonic() + seconds
        for name in names:
            self._threads[name].join(max(0.0, until - clock.monotonic()))


def digest_calendar(section: DigestSection) -> CronTrigger | None:
    """Say when a pass is to be made because a digest is due, which goes out after it; None where none is sent."""
    if section.every is Every.NEVER:
        return None
    hour, minute = section.at.split(":")
    weekday = section.weekday[:3] if section.every is Every.WEEK else None
    return CronTrigger(day_of_week=weekday, hour=int(hour), minute=int(minute), timezone=section.time_zone or None)


class Daemon:
    """Serves a configuration file until it is told to stop."""

    def __init__(
        self,
        config_file: Path,
        config: Config,
        *,
        observe: bool = False,
        clock: Clock | None = None,
        manager: Manager | None = None,
    ) -> None:
        """Take a configuration that was read and found right; the service manager is systemd, where it started us."""
        self._file, self._config, self._observe = config_file, config, observe
        self._clock = clock or SystemClock()
        self._manager = manager or Manager.from_environment(os.environ)
        seconds = self._watchdog_seconds(config)
        self._pulse = Pulse(watchdog_seconds=seconds, feed=self._manager.alive, clock=self._clock)
        self._accounts: list[Account] = []
        self._monitor = Monitor(config, self._clock, lambda: login_ends(self._accounts))
        self._told, self._refusal = "", ""
        self._allowed_seconds = self._manager.watchdog_seconds
        self._stop, self._reload, self._wake = threading.Event(), threading.Event(), threading.Event()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises ConfigError, ModelFileError, StateError before anything is touched."""
        faulthandler.enable()  # the watchdog's SIGABRT shows where every thread hangs; file names and lines alone
        with state_lock(self._config.state.directory):
            with refusal_on_record(self._config, self._clock):
                accounts = accounts_of(self._file, self._config)
                classifier = load_classifier(self._config)
            journal = Journal(open_database(self._config.state.directory))
            self._catch_signals()
            self._monitor.serve(self._config)
            runtime = self._runtime(self._config, accounts, classifier, journal)
            runtime.start()
            log.info(
                "started", mailboxes=sorted(self._config.mailboxes), observe=self._observe, model=classifier.provenance.model
            )
            self._say_ready(runtime)
            try:
                runtime = self._serve(runtime, journal)
            finally:
                self._manager.stopping()
                runtime.stop()
                self._monitor.stop()
                journal.close()
                log.info("stopped")

    def _runtime(self, config: Config, accounts: list[Account], classifier: Classifier, journal: Journal) -> Runtime:
        self._accounts = accounts
        return Runtime(
            config,
            accounts,
            classifier,
            journal,
            self._clock,
            observe=self._observe,
            pulse=self._pulse,
            observer=self._monitor.observer,
        )

    def _watchdog_seconds(self, config: Config) -> float | None:
        """Give the watchdog's time; it must be longer than the longest step that the configuration allows."""
        given = self._manager.watchdog_seconds
        return None if given is None else max(given, WATCHDOG_MARGIN * longest_step_seconds(config))

    def _say_ready(self, runtime: Runtime) -> None:
        seconds = self._pulse.watchdog_seconds
        if seconds is not None and seconds != self._allowed_seconds:
            self._manager.allow(seconds)
            self._allowed_seconds = seconds
        self._told = self._headline(runtime)
        self._manager.ready(self._told)

    def _tell(self, runtime: Runtime) -> None:
        """Keep the status line up to date, and name a mailbox whose work stands still before the watchdog ends it all."""
        for name in self._pulse.silent():
            log.error("a mailbox makes no progress; the watchdog will restart cubbyd", mailbox=name)
        if (line := self._headline(runtime)) != self._told:
            self._told = line
            self._manager.status(line)

    def _headline(self, runtime: Runtime) -> str:
        return self._refusal + runtime.headline

    def _serve(self, runtime: Runtime, journal: Journal) -> Runtime:
        steps, beat = StepWatch(self._clock), self._pulse.enlist("main")
        while not self._stop.is_set():
            beat()
            self._tell(runtime)
            self._monitor.keep_up()
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()
            if self._reload.is_set():
                self._reload.clear()
                self._manager.reloading()
                runtime = self._reloaded(runtime, journal)
                self._say_ready(runtime)
            step = steps.check()
            if step is not None:
                log.warning("the clock was set; polls are scheduled anew", seconds=round(step, 1))
                runtime.reschedule()
        return runtime

    def _reloaded(self, runtime: Runtime, journal: Journal) -> Runtime:
        """Serve the new configuration where it is right, the old one where it is not."""
        try:
            config = load_config(self._file)
            if config.state.directory != self._config.state.directory:
                problem = Problem(key="state.directory", found="", allowed="cannot change while running; restart cubbyd")
                raise ConfigError(self._file, (problem,))
            accounts, classifier = accounts_of(self._file, config), load_classifier(config)
        except CubbydError as error:
            log.error("configuration not reloaded; the old one stays in force", error=str(error))
            self._refusal = "the configuration was changed and is wrong, the old one is in force; "
            self._monitor.refused()
            return runtime
        runtime.stop()
        self._config, self._refusal = config, ""
        self._pulse.watchdog_seconds = self._watchdog_seconds(config)
        self._monitor.serve(config)
        fresh = self._runtime(config, accounts, classifier, journal)
        fresh.start()
        log.info("configuration reloaded", mailboxes=sorted(config.mailboxes), model=classifier.provenance.model)
        return fresh

    def _catch_signals(self) -> None:
        def on(event: threading.Event) -> Callable[[int, FrameType | None], None]:
            def handler(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
                event.set()
                self._wake.set()

            return handler

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on(self._stop))
        with suppress(AttributeError):  # not on every system
            signal.signal(signal.SIGHUP, on(self._reload))
