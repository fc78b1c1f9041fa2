"""`cubbyd state`, as an admin meets it: a copy, a look, and the removal of what is old."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.desk import Desk, json_lines
from tests.rig import empty_state

from cubbyd.cli.state import SUBCOMMANDS
from cubbyd.journal import state_lock
from cubbyd.journal.store import DATABASE_NAME

pytestmark = pytest.mark.slow

FILED = """
INSERT INTO message (mailbox, folder, uidvalidity, uid, seen_at, state, changed_at, attempts, category, target_folder)
VALUES ('office', 'INBOX', 7, 20, '2020-11-21 08:00:00.000000', 'filed', '2020-11-21 08:00:01.000000', 1, 'billing', 'Billing')
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A configuration and a state with one mail, filed years ago."""
    made = Desk(tmp_path)
    made.configure()
    (tmp_path / "state").mkdir(mode=0o700)
    file = tmp_path / "state" / DATABASE_NAME
    file.touch(mode=0o600)
    file.write_bytes(empty_state())
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(FILED)
        connection.execute("INSERT INTO folder (mailbox, folder, uidvalidity, last_uid) VALUES ('office', 'INBOX', 7, 20)")
    return made


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_the_help_of_each_subcommand_shows_an_example(desk: Desk, command: str) -> None:
    assert f"cubbyd --config cubbyd.toml state {command}" in desk.call("state", command, "--help").stdout


def test_a_copy_is_made_while_another_cubbyd_works_on_the_state(desk: Desk) -> None:
    with state_lock(desk.folder / "state"):
        said = desk.call("state", "backup", "copy.sqlite").stdout
    assert said.startswith("copy.sqlite: 1 mails, ")
    assert "--overwrite" in desk.call("state", "backup", "copy.sqlite", code=1).stderr
    (facts,) = json_lines(desk.call("state", "backup", "copy.sqlite", "--overwrite", "--json").stdout)
    assert (facts["mails"], facts["file"]) == (1, "copy.sqlite")


def test_a_check_says_that_all_is_well_or_what_is_not_and_exits_with_1(desk: Desk) -> None:
    assert "rows hold together" in desk.call("state", "check").stdout
    (desk.folder / "state" / DATABASE_NAME).chmod(0o644)
    assert "FAULT: " in desk.call("state", "check", code=1).stdout
    (finding,) = json_lines(desk.call("state", "check", "--json", code=1).stdout)
    assert finding["fault"]


def test_a_prune_wants_to_know_how_many_days_are_kept(desk: Desk) -> None:
    assert "keep_days" in desk.call("state", "prune", code=2).stderr
    desk.configure()
    config = desk.folder / "cubbyd.toml"
    config.write_text(config.read_text().replace('directory = "state"', 'directory = "state"\nkeep_days = 365'))
    assert desk.call("state", "prune", "--dry-run").stdout.startswith("1 mails would be removed")
    assert "20" in desk.call("history").stdout
    assert json.loads(desk.call("state", "prune", "--json").stdout)["removed"] == 1
    assert "Nothing on record" in desk.call("history").stdout
    assert desk.call("state", "prune", "--days", "10").stdout.startswith("0 mails removed")


def test_without_a_state_each_says_so(desk: Desk) -> None:
    (desk.folder / "state" / DATABASE_NAME).unlink()
    for arguments in (["backup", "copy"], ["check"], ["prune", "--days", "9"]):
        assert "there is no state yet" in desk.call("state", *arguments, code=1).stderr
