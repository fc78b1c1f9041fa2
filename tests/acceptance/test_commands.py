"""The installed command, as an admin meets it: what it prints, how it ends, and that no mistake shows a traceback."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.desk import Desk, json_lines, write_examples

from cubbyd import __version__
from cubbyd.cli import COMMANDS
from cubbyd.journal import state_lock

# --- asking ------------------------------------------------------------------------------------------------------------


def test_help_names_every_command_and_where_to_begin(desk: Desk) -> None:
    said = desk.call("--help").stdout

    for name in COMMANDS:
        assert f"\n  {name} " in said
    assert "Begin here:" in said
    assert "cubbyd demo" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_shows_an_example(desk: Desk, command: str) -> None:
    said = desk.call(command, "--help").stdout

    assert "Example:\n" in said
    example = said.split("Example:\n")[1].splitlines()[0]
    assert example.strip().startswith("cubbyd ")
    assert f" {command}" in example


def test_the_version_is_said(desk: Desk) -> None:
    assert desk.call("--version").stdout == f"cubbyd, version {__version__}\n"


# --- wrong usage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fly"], "No such command 'fly'"),
        (["check", "--loud"], "No such option"),
        (["train"], "Missing argument 'EXAMPLES'"),
        (["train", "examples.jsonl"], "give --out MODEL, or --store"),
        (["train", "examples.jsonl", "--out", "m", "--seed", "many"], "is not a valid integer"),
        (["classify"], "give mail files, or --jsonl"),
        (["classify", "a.eml", "--jsonl", "b.jsonl"], "give mail files, or --jsonl"),
        (["run", "--json"], "--json goes with --once"),
        (["history", "--since", "yesterday"], "is no time; write 2026-11-21"),
        (["history", "--state", "lost"], "'lost' is not one of 'seen', 'decided'"),
        (["history", "--limit", "0"], "0 is not in the range"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_sentence(desk: Desk, arguments: list[str], said: str) -> None:
    done = desk.call(*arguments, code=2)

    assert said in done.stderr
    assert done.stdout == ""


def test_a_category_or_mailbox_that_there_is_not_is_wrong_usage(desk: Desk) -> None:
    desk.configure()

    assert "known: absence, billing, pickup" in desk.call("history", "--category", "gardening", code=2).stderr
    assert "known: office" in desk.call("retry", "--mailbox", "kitchen", code=2).stderr


def test_a_seed_that_is_no_seed_is_wrong_usage(desk: Desk) -> None:
    write_examples(desk.folder / "examples.jsonl")

    desk.call("train", "examples.jsonl", "--out", "m", "--seed", "-1", code=2)


# --- the configuration -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(Path("/etc/cubbyd/cubbyd.toml").exists(), reason="this machine has a configuration of cubbyd")
@pytest.mark.parametrize("arguments", [["check"], ["run", "--once"], ["status"], ["history"], ["retry"], ["classify", "a.eml"]])
def test_without_a_configuration_one_line_says_what_to_do(desk: Desk, arguments: list[str]) -> None:
    done = desk.call(*arguments, code=78)

    (line,) = done.stderr.splitlines()
    assert line.startswith("cubbyd: cubbyd.toml: ")
    assert "--config FILE" in line
    assert done.stdout == ""


def test_a_configuration_that_is_not_where_it_was_said_to_be_is_named(desk: Desk) -> None:
    by_option = desk.call("--config", "nowhere.toml", "check", code=78)
    by_environment = desk.call("check", code=78, environment={"CUBBYD_CONFIG": "nowhere.toml"})

    assert by_option.stderr == by_environment.stderr
    (line,) = by_option.stderr.splitlines()
    assert line.startswith("cubbyd: nowhere.toml: ")
    assert "No such file or directory" in line


def test_every_fault_of_the_configuration_is_listed_at_once(desk: Desk) -> None:
    desk.configure('[filing]\nactoin = "move"\n[classifier]\nthreshold = 7')

    said = desk.call("check", code=78).stderr

    assert said.startswith("cubbyd: cubbyd.toml: 2 problems\n")
    assert "filing.actoin: unknown key; did you mean action?" in said
    assert "classifier.threshold: found 7" in said


def test_a_password_in_the_configuration_is_refused_and_not_shown(desk: Desk) -> None:
    desk.configure(mailbox='password = "hunter2-lettuce"')  # that it is not shown is looked at in each call

    assert "a password does not belong in this file" in desk.call("check", code=78).stderr


def test_an_unknown_classifier_is_named_beside_those_that_there_are(ready: Desk) -> None:
    ready.configure('[classifier]\nkind = "oracle"')

    for command in (["classify", "mail.eml"], ["run", "--once"]):
        done = ready.call(*command, code=78)
        (line,) = done.stderr.splitlines()
        assert "classifier.kind: found 'oracle'; allowed: " in line
        assert "local" in line.split("allowed: ")[1]


# --- check -------------------------------------------------------------------------------------------------------------


def test_check_of_a_server_that_is_not_there_says_so_and_no_more(ready: Desk) -> None:
    done = ready.call("check", code=69)

    assert f"127.0.0.1:{ready.port}: Connection refused" in done.stdout
    assert "✓ configuration cubbyd.toml" in done.stdout
    assert "✓ classifier local" in done.stdout
    assert "✗ mailbox office" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Not ready: ")
    for guess in ("password", "ca_file", "certificate", "Everything is ready", "--observe"):
        assert guess not in done.stdout
    assert not (ready.folder / "state").exists(), "checking changes nothing"


def test_check_in_json_is_one_object_for_each_thing(ready: Desk) -> None:
    done = ready.call("check", "--json", code=69)

    found = json_lines(done.stdout)
    assert [(line["check"], line["ok"]) for line in found] == [
        ("configuration cubbyd.toml", True),
        ("classifier local", True),
        ("mailbox office", False),
    ]
    assert found[2]["server"] == f"127.0.0.1:{ready.port}"
    assert len(found[2]["errors"]) == 1


def test_check_names_a_password_file_that_others_can_read(ready: Desk) -> None:
    (ready.folder / "office.password").chmod(0o644)

    assert f"run: chmod 600 {ready.folder / 'office.password'}" in ready.call("check", code=78).stdout


def test_check_tells_which_categories_the_model_has_never_seen(ready: Desk) -> None:
    """Such mail goes elsewhere, or to people, for ever; the admin who added the category should know."""
    ready.configure('[classifier]\nmodel = "cubbyd.model"', categories="absence billing pickup gardening")

    said = ready.call("check", code=69).stdout

    assert "the model knows no example of: gardening" in said


# --- state -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["status", "history", "retry"])
def test_before_any_run_it_is_said_what_to_do(desk: Desk, command: str) -> None:
    desk.configure()

    done = desk.call(command, code=1)

    (line,) = done.stderr.splitlines()
    assert "cubbyd has not run here" in line
    assert "cubbyd run --once" in line
    assert not (desk.folder / "state").exists()


def test_a_pass_over_a_server_that_is_not_there_fails_and_status_tells_why(ready: Desk) -> None:
    done = ready.call("run", "--once", "--json", code=69)
    (outcome,) = json_lines(done.stdout)
    assert (outcome["mailbox"], outcome["ok"]) == ("office", False)
    assert f"127.0.0.1:{ready.port}" in outcome["error"]
    assert all(json.loads(line)["level"] for line in done.stderr.splitlines()), "the log is JSON where it is no terminal"

    said = ready.call("status").stdout
    assert "office is failing since" in said
    assert f"127.0.0.1:{ready.port}: Connection refused" in said

    (facts,) = json_lines(ready.call("status", "--json").stdout)
    assert facts["last_success"] is None
    assert facts["failing_since"]
    assert "Nothing on record" in ready.call("history").stdout
    assert ready.call("history", "--json").stdout == ""
    assert ready.call("retry").stdout == "office: 0 mails will be tried again at the next poll.\n"


def test_a_monitor_is_told_that_filing_has_stopped_and_since_when(ready: Desk) -> None:
    ready.call("run", "--once", code=69)
    assert ready.call("status", "--check").stdout == "Mail is filed, and none waits too long.\n", "a minute is no outage"
    with closing(sqlite3.connect(ready.folder / "state" / "cubbyd.sqlite")) as state, state:
        state.execute("UPDATE poll SET failing_since = '2026-01-02 03:04:05.000000'")

    said = ready.call("status", "--check", code=1).stdout
    assert said.startswith("office: filing has stopped since 2026-01-0")
    assert "Connection refused" in said
    assert "cubbyd check" in said
    (facts,) = json_lines(ready.call("status", "--check", "--json", code=1).stdout)
    assert (facts["stopped"], facts["running"], facts["trouble_since"]) == (True, False, "2026-01-02T03:04:05+00:00")
    assert "filing has stopped" in ready.call("status").stdout


def test_a_second_daemon_on_one_state_is_turned_away(ready: Desk) -> None:
    with state_lock(ready.folder / "state"):
        done = ready.call("run", "--once", code=75)

    (line,) = done.stderr.splitlines()
    assert f"another cubbyd (process {os.getpid()})" in line


def test_a_damaged_state_file_is_named(ready: Desk) -> None:
    (ready.folder / "state").mkdir()
    (ready.folder / "state" / "cubbyd.sqlite").write_bytes(b"noise" * 1000)

    for command in ("status", "history"):
        assert "cubbyd.sqlite: cannot be used: " in ready.call(command, code=1).stderr
    assert "cubbyd.sqlite: cannot be used: " in ready.call("run", "--once", code=1).stderr
