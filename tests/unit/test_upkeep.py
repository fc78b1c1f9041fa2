"""The state file looked after: a copy of it, a look at its health, and the removal of what is old."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.mail import RECEIVED, mail
from tests.rig import Office, rules
from tests.undoing import undo

from cubbyd.errors import InputFileError, StateError
from cubbyd.journal import Selection
from cubbyd.journal.schema import SCHEMA_VERSION
from cubbyd.journal.store import DATABASE_NAME
from cubbyd.journal.upkeep import back_up, examine, prune
from cubbyd.lifecycle import State
from cubbyd.testing import FakeServer, HandClock

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def server() -> FakeServer:
    made = FakeServer()
    for number, subject in enumerate(["ill today", "the invoice", "hello"]):
        made.deliver(mail(subject, number=number), RECEIVED)
    return made


@pytest.fixture
def office(tmp_path: Path, server: FakeServer) -> Office:
    """Two mails are filed, and one is left in the inbox."""
    made = Office(state=tmp_path / "state", connect=server.connect, clock=HandClock())
    made.run()
    made.state.chmod(0o700)
    (made.state / DATABASE_NAME).chmod(0o600)
    return made


def ask(file: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def spoil(office: Office, statement: str) -> None:
    with closing(sqlite3.connect(office.state / DATABASE_NAME)) as connection, connection:
        connection.execute(statement)


def faults(office: Office) -> list[str]:
    return [finding.what for finding in examine(office.state, ["office"]) if finding.is_fault]


# --- a copy ------------------------------------------------------------------------------------------------------------


def test_a_copy_has_every_mail_and_is_one_file_for_its_owner_alone(office: Office, tmp_path: Path) -> None:
    made = back_up(office.state, tmp_path / "copy.sqlite")

    assert (made.mails, made.version) == (3, SCHEMA_VERSION)
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600
    assert made.size_bytes == made.file.stat().st_size
    rows = "SELECT id, uid, state, fingerprint FROM message ORDER BY id"
    assert ask(made.file, rows) == ask(office.state / DATABASE_NAME, rows)
    assert [path.name for path in tmp_path.glob("*copy*")] == ["copy.sqlite"]


def test_a_copy_is_made_under_an_open_journal_and_has_what_stands_in_the_log_alone(office: Office, tmp_path: Path) -> None:
    journal = office.journal()
    try:
        journal.poll_started("office", NOW)
        made = back_up(office.state, tmp_path / "copy.sqlite")
        journal.poll_succeeded("office", NOW)  # it is not locked out
    finally:
        journal.close()
    assert ask(made.file, "SELECT mailbox, succeeded_at FROM poll") == [("office", None)]


def test_a_copy_in_the_place_of_a_lost_state_goes_on_where_it_was_made(
    office: Office, server: FakeServer, tmp_path: Path
) -> None:
    made = back_up(office.state, tmp_path / "copy.sqlite")
    for file in office.state.iterdir():
        file.unlink()
    made.file.rename(office.state / DATABASE_NAME)

    report = office.run(full_scan=True)

    assert (report.found, report.classified) == (0, 0)
    assert len(server.folders["INBOX"].mails) == 1


def test_a_copy_never_replaces_a_file_unasked(office: Office, tmp_path: Path) -> None:
    (tmp_path / "copy.sqlite").write_text("precious")

    with pytest.raises(InputFileError, match="--overwrite"):
        back_up(office.state, tmp_path / "copy.sqlite")

    assert (tmp_path / "copy.sqlite").read_text() == "precious"
    assert back_up(office.state, tmp_path / "copy.sqlite", overwrite=True).mails == 3


def test_a_copy_never_replaces_the_state_file_itself(office: Office) -> None:
    with pytest.raises(InputFileError, match="state file itself"):
        back_up(office.state, office.state / DATABASE_NAME, overwrite=True)
    assert len(office.records()) == 3


def test_a_damaged_file_gives_no_copy_and_leaves_the_older_one(office: Office, tmp_path: Path) -> None:
    older = back_up(office.state, tmp_path / "copy.sqlite").file.read_bytes()
    damage(office)

    with pytest.raises(StateError, match=r"damaged|malformed"):
        back_up(office.state, tmp_path / "copy.sqlite", overwrite=True)

    assert (tmp_path / "copy.sqlite").read_bytes() == older
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_copy_into_a_folder_that_is_not_there_says_so(office: Office, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot be written: No such file"):
        back_up(office.state, tmp_path / "nowhere" / "copy.sqlite")


def damage(office: Office) -> None:
    """Spoil every page but the first ones, as a failing disk does."""
    file = office.state / DATABASE_NAME
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    file.write_bytes(content)


# --- a look ------------------------------------------------------------------------------------------------------------


def test_a_state_that_was_worked_with_is_found_right(office: Office) -> None:
    assert examine(office.state, ["office"]) == []


def test_a_damaged_file_is_found_with_what_to_do(office: Office) -> None:
    damage(office)

    (finding,) = examine(office.state, ["office"])

    assert finding.is_fault
    assert "state backup" in finding.way_out


def test_what_is_no_database_is_found_damaged(office: Office) -> None:
    (office.state / DATABASE_NAME).write_bytes(b"nothing of the kind" * 1000)
    assert len(faults(office)) == 1


def test_a_file_that_others_can_read_is_a_fault(office: Office) -> None:
    (office.state / DATABASE_NAME).chmod(0o644)

    (finding,) = examine(office.state, ["office"])

    assert "mode 0644" in finding.what
    assert finding.way_out.startswith("chmod go= ")


def test_a_newer_file_is_a_fault_and_an_older_one_only_worth_knowing(office: Office) -> None:
    spoil(office, "UPDATE alembic_version SET version_num = '9999'")
    assert [finding.is_fault for finding in examine(office.state, ["office"])] == [True]
    spoil(office, "UPDATE alembic_version SET version_num = '0001'")
    assert [finding.is_fault for finding in examine(office.state, ["office"])] == [False]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE message SET state = 'lost' WHERE id = 1", "1 mails stand in a state"),
        ("UPDATE message SET state = 'decided', prediction = NULL WHERE id < 3", "2 mails are decided without"),
        ("UPDATE message SET state = 'planned', target_folder = NULL WHERE id = 1", "1 mails are planned without"),
        ("UPDATE message SET target_folder = 'A', target_uidvalidity = 1, target_uid = 1", "1 filed mails are on record twice"),
    ],
)
def test_rows_that_contradict_themselves_are_faults(office: Office, statement: str, said: str) -> None:
    spoil(office, statement)
    (found,) = faults(office)
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE folder SET last_uid = 1", "2 mails lie above the mark"),
        ("DELETE FROM folder", "1 inboxes have mail on record"),
        ("UPDATE message SET mailbox = 'kitchen' WHERE id = 1", "mailbox 'kitchen' has 1 mails on record"),
    ],
)
def test_what_mends_itself_or_is_odd_is_worth_knowing_alone(office: Office, statement: str, said: str) -> None:
    spoil(office, statement)
    findings = examine(office.state, ["office"])
    assert [finding.is_fault for finding in findings] == [False] * len(findings)
    assert any(finding.what.startswith(said) for finding in findings)


def test_without_a_state_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    for work in (
        lambda: examine(tmp_path, []),
        lambda: back_up(tmp_path, tmp_path / "copy"),
        lambda: prune(tmp_path, NOW, dry_run=True),
    ):
        with pytest.raises(StateError, match="there is no state yet"):
            work()


# --- a removal ---------------------------------------------------------------------------------------------------------


def test_old_mail_goes_and_its_fingerprint_is_nowhere_in_the_files(office: Office) -> None:
    fingerprints = [record.fingerprint for record in office.records() if record.state is State.FILED]

    done = prune(office.state, NOW + YEAR, dry_run=False)

    assert (done.mails, done.kept_old) == (2, 1)
    content = b"".join(file.read_bytes() for file in office.state.iterdir())
    assert len(fingerprints) == 2
    assert not any(fingerprint and fingerprint.encode() in content for fingerprint in fingerprints)


def test_what_people_did_with_old_mail_goes_with_it(office: Office, server: FakeServer) -> None:
    assert isinstance(office.clock, HandClock)
    office.run(watch=True)
    server.create("Meals")
    server.drag(1, "Absence", "Billing")
    for _ in range(2):
        office.clock.advance(900)
        office.run(watch=True)
    server.drag(max(server.folders["Billing"].mails), "Billing", "Absence")
    office.clock.advance(900)
    office.run(watch=True)  # seen, and not yet judged
    database = office.state / DATABASE_NAME
    assert ask(database, "SELECT was, category FROM sighting ORDER BY id") == [("absence", "billing"), (None, None)]

    prune(office.state, NOW - timedelta(days=1), dry_run=False)
    assert len(ask(database, "SELECT 1 FROM sighting")) == 2
    prune(office.state, NOW + YEAR, dry_run=False)
    assert ask(database, "SELECT 1 FROM sighting") == []


def test_a_dry_run_counts_the_same_and_removes_nothing(office: Office) -> None:
    assert prune(office.state, NOW + YEAR, dry_run=True) == prune(office.state, NOW + YEAR, dry_run=True)
    assert prune(office.state, NOW + YEAR, dry_run=True).mails == 2
    assert len(office.records()) == 3


def test_mail_of_late_stays(office: Office) -> None:
    assert prune(office.state, NOW - timedelta(days=1), dry_run=False).mails == 0
    assert len(office.records()) == 3


def test_what_is_left_in_the_inbox_is_not_filed_again_after_years_of_pruning(office: Office, server: FakeServer) -> None:
    prune(office.state, NOW + 9 * YEAR, dry_run=False)

    report = office.run(full_scan=True)

    assert (report.found, report.classified) == (0, 0)
    assert [record.state for record in office.records()] == [State.HELD]
    assert len(server.folders["INBOX"].mails) == 1


def test_what_was_left_in_the_inbox_goes_once_it_has_left_it_for_long_enough(office: Office, server: FakeServer) -> None:
    clock = office.clock
    assert isinstance(clock, HandClock)
    server.drag(3, "INBOX", "Desk")
    clock.advance(YEAR.total_seconds())
    office.run(full_scan=True)
    assert [record.left_at for record in office.records() if record.state is State.HELD] == [clock.now()]

    assert prune(office.state, clock.now() - timedelta(days=1), dry_run=False).mails == 2
    assert prune(office.state, clock.now() + timedelta(days=1), dry_run=False).mails == 1
    assert office.records() == []


def test_a_mail_that_was_only_left_out_of_an_answer_has_not_left(office: Office, server: FakeServer) -> None:
    away = server.folders["INBOX"].mails.pop(3)
    office.run(full_scan=True)
    server.folders["INBOX"].mails[3] = away
    office.run(full_scan=True)
    assert [record.left_at for record in office.records()] == [None, None, None]


@pytest.mark.parametrize("state", ["seen", "decided", "planned", "copied", "quarantined"])
def test_mail_that_is_not_finished_stays_however_old(office: Office, state: str) -> None:
    spoil(office, f"UPDATE message SET state = '{state}'")
    done = prune(office.state, NOW + 9 * YEAR, dry_run=False)
    assert (done.mails, done.kept_old) == (0, 3)


def test_the_mark_up_to_which_the_inbox_was_read_stays(office: Office) -> None:
    before = ask(office.state / DATABASE_NAME, "SELECT mailbox, folder, uidvalidity, last_uid FROM folder")
    prune(office.state, NOW + 9 * YEAR, dry_run=False)
    assert (
        ask(office.state / DATABASE_NAME, "SELECT mailbox, folder, uidvalidity, last_uid FROM folder")
        == before
        == [("office", "INBOX", 1, 3)]
    )


def test_labeled_mail_in_the_inbox_keeps_its_row(tmp_path: Path, server: FakeServer) -> None:
    labeling = Office(state=tmp_path / "labels", connect=server.connect, rules=rules(move=False, label=True))
    labeling.run()
    assert prune(labeling.state, NOW + 9 * YEAR, dry_run=False).mails == 0


def test_the_record_of_an_undo_goes_with_the_last_of_its_mails(office: Office) -> None:
    undo(office, Selection(category="billing"))
    prune(office.state, NOW - timedelta(days=1), dry_run=False)
    assert len(ask(office.state / DATABASE_NAME, "SELECT * FROM undo")) == 1
    prune(office.state, NOW + YEAR, dry_run=False)
    assert ask(office.state / DATABASE_NAME, "SELECT * FROM undo") == []


def test_a_file_of_another_version_is_not_pruned(office: Office) -> None:
    spoil(office, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(StateError, match="older cubbyd"):
        prune(office.state, NOW + YEAR, dry_run=False)
