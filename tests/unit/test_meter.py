"""The metrics: what is counted, that every series is there from the start, and that no mail can make a label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.rig import words_classifier
from tests.watched import Watched

from cubbyd.errors import ClassifierRejected, ClassifierUnavailable, LoginRefused, MailboxUnavailable, StateError
from cubbyd.journal import Record
from cubbyd.lifecycle import State
from cubbyd.service.lookout import FRESH_SECONDS
from cubbyd.service.meter import ASKED_FOR_A_PERSON
from cubbyd.taxonomy import CategoryId


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    with closing(made.journal):
        yield made


def test_every_series_is_there_before_anything_happens(watched: Watched) -> None:
    seen = watched.samples()

    for category in ("absence", "billing", "meals"):
        assert seen[("cubbyd_messages_total", category, "office", "filed")] == 0
    assert seen[("cubbyd_abstained_total", "office", "unsure")] == 0
    assert seen[("cubbyd_imap_errors_total", "LoginRefused", "office")] == 0
    assert seen[("cubbyd_classifier_errors_total", "local", "ClassifierUnavailable")] == 0
    assert seen[("cubbyd_poison_messages_total", "office")] == 0
    assert seen[("cubbyd_config_last_reload_success",)] == 1
    assert seen[("cubbyd_state_readable",)] == 1


def test_a_pass_shows_with_what_became_of_each_mail(watched: Watched) -> None:
    watched.passes()  # what comes after the first pass is no old mail
    watched.deliver("ill", "ill too", "the invoice", "hello")
    watched.passes()
    seen = watched.samples()

    assert seen[("cubbyd_messages_total", "absence", "office", "filed")] == 2
    assert seen[("cubbyd_messages_total", "billing", "office", "filed")] == 1
    assert seen[("cubbyd_messages_total", "", "office", "held")] == 1
    assert seen[("cubbyd_abstained_total", "office", "unsure")] == 1
    assert seen[("cubbyd_message_age_seconds_count", "office")] == 3
    assert 40 * 3 <= seen[("cubbyd_message_age_seconds_sum", "office")] <= 60 * 3
    assert seen[("cubbyd_cycle_duration_seconds_count", "office")] == 2
    assert seen[("cubbyd_classifier_seconds_count", "local")] == 4
    assert seen[("cubbyd_confidence_count", "local")] == 4
    assert seen[("cubbyd_mails", "office", "filed")] == 3
    assert seen[("cubbyd_inbox_unhandled", "office")] == 0
    assert seen[("cubbyd_healthy", "office")] == 1
    assert seen[("cubbyd_state_bytes",)] > 10_000
    then = datetime.fromtimestamp(seen[("cubbyd_last_success_timestamp_seconds", "office")], UTC)
    assert then == watched.clock.now() - timedelta(seconds=FRESH_SECONDS + 1)


def test_old_mail_is_counted_and_its_age_is_not(watched: Watched) -> None:
    watched.deliver("ill", ago=timedelta(days=400))
    watched.passes()
    seen = watched.samples()

    assert seen[("cubbyd_messages_total", "absence", "office", "filed")] == 1
    assert seen[("cubbyd_message_age_seconds_count", "office")] == 0


def test_a_mail_that_is_set_aside_and_answers_that_fail_show(watched: Watched) -> None:
    watched.classifier = words_classifier(strange=ClassifierRejected("no"))
    watched.deliver("strange")
    watched.passes()
    watched.classifier.outage = ClassifierUnavailable("down")
    watched.deliver("ill")
    watched.passes()
    seen = watched.samples()

    assert seen[("cubbyd_poison_messages_total", "office")] == 1
    assert seen[("cubbyd_classifier_errors_total", "local", "ClassifierRejected")] == 1
    assert seen[("cubbyd_classifier_errors_total", "local", "ClassifierUnavailable")] == 1
    assert seen[("cubbyd_inbox_unhandled", "office")] == 1
    assert seen[("cubbyd_oldest_unfiled_timestamp_seconds", "office")] > 0


@pytest.mark.parametrize("error", [MailboxUnavailable("lettuce"), LoginRefused("lettuce")])
def test_errors_of_the_server_are_counted_by_their_kind_alone(watched: Watched, error: Exception) -> None:
    def broken(_: str) -> None:
        raise error

    watched.server.fault = broken
    with pytest.raises(type(error)):
        watched.passes()

    assert watched.samples()[("cubbyd_imap_errors_total", type(error).__name__, "office")] == 1
    assert "lettuce" not in watched.meter.exposition().decode()


def test_a_correction_is_counted_by_what_it_was_and_became_in_words_of_the_configuration_alone(watched: Watched) -> None:
    watched.deliver("ill", "the invoice")
    watched.passes()
    watched.server.create("Meals")
    watched.server.drag(1, "Absence", "Billing")
    for _ in range(3):
        watched.clock.advance(600)
        watched.passes()
    watched.meter.mail_moved("office", "lettuce", None)
    watched.meter.mail_moved("office", "meals", "meals")
    seen = {tuple(labels): value for (name, *labels), value in watched.samples().items() if name == "cubbyd_corrections_total"}

    assert seen == {("absence", "office", "billing"): 1, ("", "office", ""): 1}


def test_a_pass_that_the_state_file_ended_is_counted(watched: Watched) -> None:
    watched.meter.pass_ended("office", 0.1, [StateError("the disk is full")])

    assert watched.samples()[("cubbyd_state_write_errors_total",)] == 1


def test_a_hold_in_words_of_the_classifier_and_a_category_that_is_gone_make_no_label(watched: Watched) -> None:
    held = record(hold="She wrote: lettuce", category="lettuce")
    watched.meter.mail_became("office", held, State.HELD, is_old=False)
    watched.meter.mail_became("office", record(hold=None, category="lettuce"), State.FILED, is_old=False)
    seen = watched.samples()

    assert seen[("cubbyd_abstained_total", "office", ASKED_FOR_A_PERSON)] == 1
    assert seen[("cubbyd_messages_total", "", "office", "filed")] == 1
    assert "lettuce" not in watched.meter.exposition().decode()


def record(*, hold: str | None, category: str) -> Record:
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    return Record(
        id=1,
        mailbox="office",
        folder="INBOX",
        uidvalidity=1,
        uid=1,
        fingerprint=None,
        received_at=None,
        seen_at=moment,
        state=State.SEEN,
        changed_at=moment,
        attempts=0,
        not_before=None,
        error=None,
        category=CategoryId(category),
        probability=None,
        hold=hold,
        prediction=None,
        keyword=None,
        target_folder=None,
        target_uidvalidity=None,
        target_uid_from=None,
        target_uid=None,
    )


def test_a_login_that_ends_shows_when(watched: Watched) -> None:
    assert ("cubbyd_credential_expiry_timestamp_seconds", "office") not in watched.samples()
    watched.expiries["office"] = datetime(2026, 12, 1, tzinfo=UTC)

    assert watched.samples()[("cubbyd_credential_expiry_timestamp_seconds", "office")] == 1_796_083_200


def test_a_state_that_cannot_be_read_leaves_what_was_counted(watched: Watched) -> None:
    watched.deliver("ill")
    watched.passes()
    for file in (watched.folder / "state").iterdir():
        file.write_bytes(b"lettuce")
    seen = watched.samples()

    assert seen[("cubbyd_state_readable",)] == 0
    assert ("cubbyd_healthy", "office") not in seen
    assert seen[("cubbyd_messages_total", "absence", "office", "filed")] == 1


def test_a_refused_configuration_shows_until_one_is_in_force(watched: Watched) -> None:
    watched.meter.reloaded(is_in_force=False)
    assert watched.samples()[("cubbyd_config_last_reload_success",)] == 0
    watched.meter.reloaded(is_in_force=True)
    assert watched.samples()[("cubbyd_config_last_reload_success",)] == 1


def test_every_metric_that_an_alert_asks_for_is_there(watched: Watched) -> None:
    watched.expiries["office"] = watched.clock.now()
    watched.deliver("ill")
    watched.passes()
    watched.classifier.outage = ClassifierUnavailable("down")
    watched.deliver("ill")
    watched.passes()
    exposed = {name for name, *_ in watched.samples()}
    asked = set(re.findall(r"cubbyd_\w+", (ROOT / "deploy" / "prometheus" / "cubbyd.rules.yml").read_text()))

    assert len(asked) >= 8
    assert asked <= exposed
