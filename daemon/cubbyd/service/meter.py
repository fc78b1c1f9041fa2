"""Metrics for Prometheus: what happened since the start is counted as it happens, how things stand is read at the scrape.

Counts in the state file cannot be Prometheus counters: an undo or a prune makes them smaller, and a smaller counter is taken
for a restart. Labels come from the configuration and from our own words, never from mail. This module is imported only where
[metrics] is configured. Names and units: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from cubbyd import __version__
from cubbyd.classify.protocol import Prediction
from cubbyd.clock import Clock
from cubbyd.config import Config
from cubbyd.errors import ClassifierError, CubbydError, MailboxError, StateError
from cubbyd.filing import Hold
from cubbyd.journal import Record
from cubbyd.lifecycle import State
from cubbyd.service.lookout import Lookout, Survey

ASKED_FOR_A_PERSON: Final = "the classifier asks for a person"
"""The reason of a hold that a classifier gave in words of its own, which are no label."""

CYCLE_SECONDS: Final = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1_800)
AGE_SECONDS: Final = (5, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400)
ANSWER_SECONDS: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60)
PROBABILITIES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)


class Meter:
    """Counts what happens since the start of the process; an Observer, and safe to call from several threads."""

    def __init__(self, lookout: Lookout, clock: Clock, expiries: Callable[[], Mapping[str, datetime]] | None = None) -> None:
        """Begin at zero. `expiries` gives, by mailbox, when a login ends that is known to end; asked at each scrape."""
        self._clock, self._lookout = clock, lookout
        self._registry = registry = CollectorRegistry()
        build = Gauge("cubbyd_build_info", "The version that runs; always 1.", ["version", "python"], registry=registry)
        build.labels(__version__, platform.python_version()).set(1)
        self._cycles = Histogram(
            "cubbyd_cycle_duration_seconds", "How long a pass took.", ["mailbox"], buckets=CYCLE_SECONDS, registry=registry
        )
        self._messages = Counter(
            "cubbyd_messages_total", "Mails by what became of them.", ["mailbox", "outcome", "category"], registry=registry
        )
        self._ages = Histogram(
            "cubbyd_message_age_seconds",
            "From a mail's arrival to its filing; without mail that was there before cubbyd.",
            ["mailbox"],
            buckets=AGE_SECONDS,
            registry=registry,
        )
        self._abstained = Counter(
            "cubbyd_abstained_total", "Mails left to people, by the reason.", ["mailbox", "reason"], registry=registry
        )
        self._corrections = Counter(
            "cubbyd_corrections_total",
            "Mails that a person moved from the folder of one category to that of another; empty: left to people.",
            ["mailbox", "from", "to"],
            registry=registry,
        )
        self._poison = Counter(
            "cubbyd_poison_messages_total", "Mails set aside after too many tries.", ["mailbox"], registry=registry
        )
        self._imap_errors = Counter(
            "cubbyd_imap_errors_total", "Errors of a mail server.", ["mailbox", "kind"], registry=registry
        )
        self._state_errors = Counter(
            "cubbyd_state_write_errors_total", "Passes that the state file ended or spoiled.", registry=registry
        )
        self._reload = Gauge(
            "cubbyd_config_last_reload_success", "1 where the last configuration read is in force, else 0.", registry=registry
        )
        self._reload.set(1)
        self._measure_answers()
        ProcessCollector(registry=registry)
        registry.register(_State(lookout, expiries or dict))
        self.serve(lookout.config)

    def _measure_answers(self) -> None:
        registry, backend = self._registry, ["backend"]
        self._answers = Histogram(
            "cubbyd_classifier_seconds",
            "How long the classifier took for a mail.",
            backend,
            buckets=ANSWER_SECONDS,
            registry=registry,
        )
        self._failures = Counter(
            "cubbyd_classifier_errors_total", "Mails without an answer.", [*backend, "kind"], registry=registry
        )
        self._tokens = Counter("cubbyd_classifier_tokens_total", "Tokens paid for.", [*backend, "direction"], registry=registry)
        self._cost = Counter(
            "cubbyd_classifier_cost_total", "Money, in the currency of the configured prices.", backend, registry=registry
        )
        self._confidence = Histogram(
            "cubbyd_confidence", "Probability of the likeliest category.", backend, buckets=PROBABILITIES, registry=registry
        )

    def serve(self, config: Config) -> None:
        """Count for a configuration from now on; every series is there at once, so that no first step is missed."""
        self._backend = config.classifier.kind
        self._categories = frozenset(config.taxonomy.ids)
        for name in config.mailboxes:
            for category in config.taxonomy.ids:
                self._messages.labels(name, State.FILED, category)
            for state in (State.HELD, State.QUARANTINED, State.GONE):
                self._messages.labels(name, state, "")
            for reason in (*Hold, ASKED_FOR_A_PERSON):
                self._abstained.labels(name, reason)
            for each in (self._cycles, self._ages, self._poison):
                each.labels(name)
            for kind in _kinds_of(MailboxError):
                self._imap_errors.labels(name, kind)
        for each_backend in (self._answers, self._cost, self._confidence):
            each_backend.labels(self._backend)
        for kind in _kinds_of(ClassifierError):
            self._failures.labels(self._backend, kind)
        for direction in ("input", "output"):
            self._tokens.labels(self._backend, direction)

    def exposition(self) -> bytes:
        """Write all of it down in the text format."""
        return generate_latest(self._registry)

    def mail_became(self, mailbox: str, record: Record, to: State, *, is_old: bool) -> None:
        """Count a mail; the age of old mail would say how old the inbox is, and not how long people wait."""
        category = record.category if record.category in self._categories and to is State.FILED else None
        self._messages.labels(mailbox, to, category or "").inc()
        if to is State.QUARANTINED:
            self._poison.labels(mailbox).inc()
        if to is State.HELD:
            self._abstained.labels(mailbox, reason_of(record.hold)).inc()
        if to is State.FILED and record.received_at is not None and not is_old:
            age = (self._clock.now() - record.received_at) / timedelta(seconds=1)
            self._ages.labels(mailbox).observe(max(0.0, age))

    def mail_moved(self, mailbox: str, was: str | None, category: str | None) -> None:
        """Count a correction; who moves a mail to where cubbyd would have put it corrects nothing."""
        names = [name if name in self._categories else "" for name in (was, category)]
        if was != category:
            self._corrections.labels(mailbox, *names).inc()

    def pass_ended(self, mailbox: str, seconds: float, errors: Sequence[CubbydError]) -> None:
        """Count a pass and its errors."""
        self._cycles.labels(mailbox).observe(seconds)
        for error in errors:
            if isinstance(error, MailboxError):
                self._imap_errors.labels(mailbox, type(error).__name__).inc()
            elif isinstance(error, StateError):
                self._state_errors.inc()

    def answered(self, seconds: float, outcomes: Sequence[Prediction | ClassifierError]) -> None:
        """Count answers; a batch's time is shared among its mails."""
        backend = self._backend
        for outcome in outcomes:
            self._answers.labels(backend).observe(seconds / len(outcomes))
            if isinstance(outcome, ClassifierError):
                self._failures.labels(backend, type(outcome).__name__).inc()
                continue
            self._confidence.labels(backend).observe(outcome.probabilities[outcome.top])
            self._cost.labels(backend).inc(max(0.0, outcome.cost.money))
            self._tokens.labels(backend, "input").inc(max(0, outcome.cost.input_tokens))
            self._tokens.labels(backend, "output").inc(max(0, outcome.cost.output_tokens))

    def reloaded(self, *, is_in_force: bool) -> None:
        """Say whether the configuration on the disk is the one that is served."""
        self._reload.set(1 if is_in_force else 0)


def reason_of(hold: str | None) -> str:
    """Name why a mail is held, in one of our own words."""
    return hold if hold in tuple(Hold) else ASKED_FOR_A_PERSON


def _kinds_of(error: type[CubbydError]) -> Iterator[str]:
    for kind in error.__subclasses__():
        yield kind.__name__
        yield from _kinds_of(kind)


class _State(Collector):
    """What the state file knows, read at each scrape."""

    def __init__(self, lookout: Lookout, expiries: Callable[[], Mapping[str, datetime]]) -> None:
        self._lookout, self._expiries = lookout, expiries

    def collect(self) -> Iterable[Metric]:
        survey = self._lookout.survey()
        yield GaugeMetricFamily("cubbyd_state_bytes", "Bytes of the state directory.", value=survey.state_bytes)
        yield GaugeMetricFamily(
            "cubbyd_state_readable", "1 where the state file can be read, else 0.", value=1 if survey.error is None else 0
        )
        yield _by_mailbox(
            "cubbyd_credential_expiry_timestamp_seconds",
            "When a login ends that is known to end.",
            {name: moment.timestamp() for name, moment in self._expiries().items()},
        )
        yield _by_mailbox(
            "cubbyd_healthy",
            "1 where mail is filed and none waits too long, else 0; as cubbyd status --check judges.",
            {sight.view.name: 0 if sight.view.trouble else 1 for sight in survey.sights},
        )
        yield from self._mails(survey)
        yield from self._moments(survey)

    def _mails(self, survey: Survey) -> Iterator[Metric]:
        states = GaugeMetricFamily("cubbyd_mails", "Mails on record by state.", labels=["mailbox", "state"])
        for sight in survey.sights:
            for state in State:
                states.add_metric([sight.view.name, state], sight.view.counts.get(state, 0))
        yield states
        unhandled = {sight.view.name: sight.view.waiting for sight in survey.sights}
        yield _by_mailbox("cubbyd_inbox_unhandled", "Mails in the inbox that are still to be handled.", unhandled)
        old = {sight.view.name: sight.view.old_mail_left for sight in survey.sights}
        yield _by_mailbox("cubbyd_old_mail_left", "Mails from before the first start that are not handled.", old)

    def _moments(self, survey: Survey) -> Iterator[Metric]:
        views = [sight.view for sight in survey.sights]
        success = {view.name: view.last_success.timestamp() for view in views if view.last_success}
        yield _by_mailbox("cubbyd_last_success_timestamp_seconds", "When a pass last went through.", success)
        oldest = {view.name: view.oldest_unfiled.timestamp() for view in views if view.oldest_unfiled}
        yield _by_mailbox("cubbyd_oldest_unfiled_timestamp_seconds", "When the oldest mail came in that is not filed.", oldest)


def _by_mailbox(name: str, text: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["mailbox"])
    for mailbox, value in values.items():
        family.add_metric([mailbox], value)
    return family
