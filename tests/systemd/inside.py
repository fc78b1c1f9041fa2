"""Run by test_boot.py under a systemd of its own, as root: what the units of systemd/ make of the installed command.

Each story has a service and a mailbox of its own. Not collected by a normal run: it writes to /etc and starts services.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cubbyd import CATEGORIES, write_examples
from tests.acceptance.desk import filing_old_mail
from tests.conftest import ROOT
from tests.dovecot import PASSWORD, Dovecot
from tests.mail import Outside, mail
from tests.oauth import Provider
from tests.systemd.probe import attempts
from tests.tokens import dovecot_with_tokens

COMMAND = "/opt/cubbyd/bin/cubbyd"
ETC = Path("/etc/cubbyd")
STATE = Path("/var/lib/private/cubbyd")
ALERTS = Path("/run/alerts")
ALERT = f'#!/bin/sh\n{{ echo "alert: $1"; cat; }} >>{ALERTS}\n'
DROP_IN = "[Service]\nRestartSec=1s\nWatchdogSec=5s\n"
"""Quicker than in life; the daemon lengthens the watchdog to what its own configuration allows a step: 31.5 s."""
ALIKE = "DynamicUser=yes StateDirectory=cubbyd StateDirectoryMode=0700 LoadCredential=office:/etc/cubbyd/office.password"

_users = itertools.count(1)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def systemctl(*arguments: str) -> str:
    """Call systemctl, which has to succeed."""
    done = run("systemctl", *arguments)
    assert done.returncode == 0, done.stderr + journal()
    return done.stdout


def show(unit: str = "cubbyd.service") -> dict[str, str]:
    lines = systemctl("show", unit).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def journal(unit: str = "cubbyd.service") -> str:
    """Read all that the unit and systemd have said of it."""
    return run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").stdout


def log() -> str:
    """Read what the daemon has said since its last start."""
    return run("journalctl", "--no-pager", "--output=cat", f"_SYSTEMD_INVOCATION_ID={show()['InvocationID']}").stdout


def priorities() -> set[tuple[str, str]]:
    """Give what the daemon and its commands have said, by event or first word, and the priority that the journal has for it."""
    said = run("journalctl", "--no-pager", "--output=json", "--unit=cubbyd.service", "_TRANSPORT=stdout").stdout
    lines = [json.loads(line) for line in said.splitlines()]
    return {
        (
            json.loads(line["MESSAGE"])["event"] if line["MESSAGE"].startswith("{") else line["MESSAGE"].split()[0],
            line["PRIORITY"],
        )
        for line in lines
    }


def eventually(is_so: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "did not come true in time:\n" + journal()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with Dovecot(extra="auth_verbose = yes") as started:
        yield started


@pytest.fixture(scope="module")
def installed(server: Dovecot) -> None:
    """What the admin does by hand once: the files of docs/operations.md."""
    ETC.mkdir(mode=0o755)
    subprocess.run(
        [COMMAND, "train", str(write_examples(Path("/tmp/examples.jsonl"))), "--out", str(ETC / "cubbyd.model")],
        check=True,
        capture_output=True,
    )
    shutil.copy(server.certificate, ETC / "ca.pem")
    (ETC / "alert").write_text(ALERT)
    for file, mode in (("cubbyd.model", 0o644), ("ca.pem", 0o644), ("alert", 0o755)):
        (ETC / file).chmod(mode)
    for unit in ("cubbyd.service", "cubbyd@.service"):
        folder = Path("/etc/systemd/system") / f"{unit}.d"
        folder.mkdir()
        (folder / "99-quick.conf").write_text(DROP_IN)
    systemctl("daemon-reload")


class Office:
    """The admin's view: files in /etc/cubbyd, and systemctl."""

    def __init__(self, server: Dovecot) -> None:
        self._server = server
        self.user = f"user{next(_users)}"
        self.write_password(PASSWORD)
        self.configure()

    def write_password(self, text: str, name: str = "office") -> None:
        (ETC / f"{name}.password").write_text(text)
        (ETC / f"{name}.password").chmod(0o600)

    def configure(self, *, name: str = "cubbyd", user: str = "", ca_file: str = "ca.pem", more: str = "") -> None:
        (ETC / f"{name}.toml").write_text(
            f'[mailboxes.office]\nhost = "localhost"\nport = {self._server.tls_port}\nca_file = "{ca_file}"\n'
            f'username = "{user or self.user}"\npassword_credential = "office"\npoll_seconds = 5\n'
            f'connect_timeout_seconds = 1\nread_timeout_seconds = 5\n[log]\nformat = "json"\n{filing_old_mail(more)}\n{CATEGORIES}'
        )
        (ETC / f"{name}.toml").chmod(0o644)

    def deliver(self, *subjects: str, user: str = "") -> None:
        with Outside(self._server, user or self.user) as client:
            client.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(subjects)))

    def folders(self, user: str = "") -> dict[str, list[str]]:
        with Outside(self._server, user or self.user) as client:
            return client.everything()

    def refusals(self) -> int:
        """Count the logins that the server has refused this user, by its own log."""
        log = (self._server.folder / "dovecot.log").read_text()
        return sum(
            "imap-login: " in line and f"user=<{self.user}>" in line and "auth failed" in line for line in log.splitlines()
        )


@pytest.fixture
def office(server: Dovecot, installed: None) -> Iterator[Office]:  # noqa: ARG001
    ALERTS.unlink(missing_ok=True)
    yield Office(server)
    run("systemctl", "stop", "cubbyd.service", "cubbyd@nord.service", "cubbyd-health.timer")
    run("systemctl", "reset-failed")
    shutil.rmtree(STATE, ignore_errors=True)


def test_it_starts_as_a_user_of_its_own_and_files_two_mails_from_a_server_over_tls(office: Office) -> None:
    office.deliver("Emma is ill today", "the invoice for Noah is wrong")
    systemctl("start", "cubbyd")

    eventually(lambda: show()["StatusText"] == "2 filed, 0 held")
    assert office.folders() == {"Absence": ["Emma is ill today"], "Billing": ["the invoice for Noah is wrong"]}
    shown = show()
    assert (shown["Type"], shown["ActiveState"], shown["SubState"]) == ("notify", "active", "running")
    owner = Path(f"/proc/{shown['MainPID']}").stat().st_uid
    assert owner >= 61184  # where systemd takes dynamic users from
    assert {file.stat().st_uid for file in STATE.iterdir()} == {owner}
    assert (STATE.stat().st_mode & 0o777, {file.stat().st_mode & 0o777 for file in STATE.iterdir()}) == (0o700, {0o600})
    assert PASSWORD.encode() not in Path(f"/proc/{shown['MainPID']}/environ").read_bytes()


def test_metrics_and_the_health_page_reach_this_machine_out_of_the_sandbox(office: Office) -> None:
    office.configure(more='[metrics]\nlisten = "127.0.0.1:9464"\n')
    systemctl("start", "cubbyd")

    eventually(lambda: asked("/healthz").startswith('{"ok": true'))
    assert 'cubbyd_healthy{mailbox="office"} 1.0' in asked("/metrics")
    assert "process_resident_memory_bytes" in asked("/metrics"), "the sandbox leaves of /proc what that needs"


def asked(path: str) -> str:
    """Read a page of the daemon; nothing where it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:9464{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""


def test_a_start_does_not_wait_for_the_mail_server_and_a_stop_is_quick_and_clean(office: Office, server: Dovecot) -> None:
    server.stop()
    try:
        systemctl("start", "cubbyd")
        eventually(lambda: show()["StatusText"].startswith("office fails: mailbox office: connecting to localhost:"))
    finally:
        server.start()
    office.deliver("Emma is ill today")
    eventually(lambda: office.folders() == {"Absence": ["Emma is ill today"]}, seconds=40)
    begun = time.monotonic()
    systemctl("stop", "cubbyd")
    assert time.monotonic() - begun < 15
    assert (show()["Result"], show()["ActiveState"]) == ("success", "inactive")


def test_a_reload_fails_where_the_configuration_is_wrong_and_the_old_one_files_on(office: Office) -> None:
    systemctl("start", "cubbyd")
    process = show()["MainPID"]
    (ETC / "cubbyd.toml").write_text("nonsense = 1")

    refused = run("systemctl", "reload", "cubbyd")
    assert refused.returncode != 0
    office.deliver("Emma is ill today")
    eventually(lambda: office.folders() == {"Absence": ["Emma is ill today"]})

    office.configure(more='[filing]\nfolder_prefix = "Sorted"')
    systemctl("reload", "cubbyd")
    eventually(lambda: "configuration reloaded" in log())
    office.deliver("Noah has a milk allergy")
    eventually(lambda: "Sorted/Meals" in office.folders())
    assert (show()["MainPID"], show()["NRestarts"], show()["ActiveState"]) == (process, "0", "active")


def test_after_a_crash_it_is_started_again_and_files_on(office: Office) -> None:
    systemctl("start", "cubbyd")
    process = show()["MainPID"]
    run("kill", "-KILL", process)
    office.deliver("Emma is ill today")

    eventually(lambda: office.folders() == {"Absence": ["Emma is ill today"]})
    assert show()["MainPID"] not in (process, "0")
    assert show()["NRestarts"] == "1"
    assert not ALERTS.exists()


def test_a_hang_ends_with_all_stacks_in_the_journal_and_a_fresh_start(office: Office) -> None:
    """The certificate lies on a disk that answers no more; it comes back while systemd waits for a sign of life."""
    systemctl("start", "cubbyd")
    eventually(lambda: show()["StatusText"] == "0 filed, 0 held")
    process = show()["MainPID"]
    os.mkfifo(ETC / "hanging.pem", 0o644)
    office.configure(ca_file="hanging.pem")
    systemctl("reload", "cubbyd")
    eventually(lambda: "configuration reloaded" in log())
    office.configure()
    office.deliver("Emma is ill today")

    eventually(lambda: show()["MainPID"] not in (process, "0"), seconds=80)
    eventually(lambda: office.folders() == {"Absence": ["Emma is ill today"]})
    said = journal()
    assert "Watchdog timeout" in said
    assert "a mailbox makes no progress" in said
    assert said.count("(most recent call first)") >= 4
    assert "in tls_context" in said
    assert "in _serve" in said


def test_a_wrong_password_is_no_hammering_and_becomes_one_alert(office: Office) -> None:
    office.write_password("wrong")
    systemctl("start", "cubbyd")
    eventually(lambda: "office fails" in show()["StatusText"])
    time.sleep(20)  # four polls, and as many chances to hammer
    assert 1 <= office.refusals() <= 2  # the poll's, and that of the connection that watches
    assert (show()["ActiveState"], show()["NRestarts"]) == ("active", "0")
    assert ("pass failed", "3") in priorities()

    assert run("systemctl", "start", "cubbyd-health").returncode == 0  # it may mend itself: ten minutes are nothing
    an_hour_ago()
    for _ in range(2):
        assert run("systemctl", "start", "cubbyd-health").returncode != 0
        time.sleep(1)
    eventually(ALERTS.exists)
    alert = ALERTS.read_text()
    assert alert.count("alert: cubbyd-health.service") == 1
    assert "filing has stopped" in alert
    assert "cubbyd-health.service has failed (exit-code, code 1)" in journal("cubbyd-alert@cubbyd-health.service")


def an_hour_ago() -> None:
    """Let what the state file says of the polls have begun an hour ago."""
    database = sqlite3.connect(STATE / "cubbyd.sqlite", timeout=20)
    with database:
        earlier = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
        changed = database.execute("UPDATE poll SET failing_since = ? WHERE failing_since IS NOT NULL", (earlier,))
        assert changed.rowcount == 1
    database.close()


def test_a_second_instance_on_the_same_state_is_refused_and_the_first_works_on(office: Office) -> None:
    systemctl("start", "cubbyd")
    properties = [f"--property={one}" for one in ALIKE.split()]
    second = run("systemd-run", "--pipe", "--wait", "--quiet", "--property=User=cubbyd", *properties, COMMAND, "run")

    assert second.returncode == 75, second.stderr
    assert f"process {show()['MainPID']}" in second.stderr
    office.deliver("Emma is ill today")
    eventually(lambda: office.folders() == {"Absence": ["Emma is ill today"]})


def test_two_facilities_work_side_by_side_with_users_states_and_passwords_of_their_own(office: Office) -> None:
    office.write_password(PASSWORD, "nord")
    office.configure(name="nord", user=f"{office.user}-nord", more='[classifier]\nmodel = "cubbyd.model"')
    office.deliver("Emma is ill today")
    office.deliver("the invoice for Noah is wrong", user=f"{office.user}-nord")
    systemctl("start", "cubbyd", "cubbyd@nord")

    eventually(lambda: office.folders() == {"Absence": ["Emma is ill today"]})
    eventually(lambda: office.folders(f"{office.user}-nord") == {"Billing": ["the invoice for Noah is wrong"]})
    owners = {Path(f"/proc/{show(unit)['MainPID']}").stat().st_uid for unit in ("cubbyd.service", "cubbyd@nord.service")}
    assert len(owners) == 2
    assert show("cubbyd-health@nord.timer")["ActiveState"] == "active"


def test_what_trying_again_would_not_mend_fails_at_once_with_an_alert(office: Office) -> None:
    (ETC / "cubbyd.toml").write_text("nonsense = 1")
    assert run("systemctl", "start", "cubbyd").returncode != 0
    eventually(ALERTS.exists)
    time.sleep(3)
    assert fate() == {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"}
    assert "nonsense" in ALERTS.read_text()
    assert ("cubbyd:", "3") in priorities()

    office.configure()
    (ETC / "office.password").unlink()
    assert run("systemctl", "start", "cubbyd").returncode != 0
    time.sleep(3)
    assert fate() == {"ActiveState": "failed", "ExecMainStatus": "243", "NRestarts": "0"}


def fate() -> dict[str, Any]:
    shown = show()
    return {key: shown[key] for key in ("ActiveState", "ExecMainStatus", "NRestarts")}


def test_the_log_is_json_with_no_mail_text_and_no_password(office: Office) -> None:
    office.deliver("Emma is ill today")
    systemctl("start", "cubbyd")
    eventually(lambda: "pass done" in log())

    lines = [json.loads(line) for line in log().splitlines()]
    assert {"started", "mail filed", "pass done"} <= {line["event"] for line in lines}
    assert {("started", "6"), ("mail filed", "6"), ("pass done", "6")} <= priorities()
    assert not [word for word in ("Emma", "ann@example.com", PASSWORD) if word in journal()]


def test_a_stop_in_the_middle_of_a_pass_loses_no_mail_and_makes_none_twice(office: Office) -> None:
    subjects = [f"Emma is ill today {number}" for number in range(3000)]
    office.deliver(*subjects)
    systemctl("start", "cubbyd")
    eventually(lambda: "mail filed" in log())
    begun = time.monotonic()
    systemctl("stop", "cubbyd")
    assert time.monotonic() - begun < 15

    halfway = office.folders()
    assert sorted(itertools.chain(*halfway.values())) == sorted(subjects)
    assert halfway.get("INBOX"), "the stop came too late to be one"
    systemctl("start", "cubbyd")
    eventually(lambda: "INBOX" not in office.folders(), seconds=60)
    assert sorted(itertools.chain(*office.folders().values())) == sorted(subjects)


def test_a_damaged_state_file_is_named_and_once_moved_away_it_files_on(office: Office) -> None:
    STATE.mkdir(mode=0o700, parents=True)
    (STATE / "cubbyd.sqlite").write_bytes(b"no database" * 1000)
    assert run("systemctl", "start", "--no-block", "cubbyd").returncode == 0
    eventually(lambda: "cubbyd.sqlite" in log())

    (STATE / "cubbyd.sqlite").rename(STATE / "damaged")
    office.deliver("Emma is ill today")
    eventually(lambda: office.folders() == {"Absence": ["Emma is ill today"]})

    systemctl("stop", "cubbyd")
    shutil.copy(STATE / "cubbyd.sqlite", "/tmp/copy.sqlite")
    (STATE / "cubbyd.sqlite").write_bytes(b"no database" * 1000)
    restored = run("sh", "-euxc", restoring().replace("sudo ", "").replace("COPY", "/tmp/copy.sqlite"))
    assert restored.returncode == 0, restored.stderr
    office.deliver("Noah is ill today")
    eventually(lambda: office.folders() == {"Absence": ["Emma is ill today", "Noah is ill today"]})


def restoring() -> str:
    """Give the commands of the runbook that put a copy of the state file in its place."""
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    commands = re.findall(r"(?:^    .*\n)+", page.partition("## 8. ")[2], re.MULTILINE)[0]
    assert "COPY" in commands
    return str(commands)


def test_from_inside_the_sandbox_nothing_can_be_reached_but_state_and_network(office: Office) -> None:
    """A service with the daemon's own unit, but for the program: what mail from strangers could do if it took the daemon over."""
    state = Path("/var/lib/private/cubbyd-nord")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    (Path("/etc/systemd/system") / "probe.service").write_text(as_probe(Path("/etc/systemd/system/cubbyd.service").read_text()))
    systemctl("daemon-reload")
    assert run("systemctl", "start", "probe").returncode == 0, journal("probe.service")

    possible = {sentence for sentence in attempts(str(state)) if sentence in journal("probe.service").splitlines()}
    assert possible == {"writes to the state", "listens on loopback"}
    office.configure()
    free = run("systemd-run", "--pipe", "--wait", "--quiet", "--property=PrivateTmp=yes", *PROBE, str(state))
    refused = set(attempts(str(state))) - set(free.stdout.splitlines())
    assert refused <= {"opens a socket to the hypervisor"}, "an attempt that fails without a sandbox too proves nothing"
    assert free.returncode == 0, free.stderr


PROBE = ("/usr/bin/env", "LD_LIBRARY_PATH=/opt/python/lib", "/opt/python/bin/python3", "/srv/cubbyd/tests/systemd/probe.py")


def as_probe(unit: str) -> str:
    """Put the probe in the place of the daemon; all that confines it stays."""
    dropped = ("Type=", "ExecStart=", "ExecReload=", "Restart", "Wants=", "OnFailure=", "WatchdogS", "Environment=")
    kept = "\n".join(line for line in unit.splitlines() if not line.startswith(dropped))
    return kept.replace("[Service]", f"[Service]\nType=oneshot\nExecStart={' '.join(PROBE)} /var/lib/cubbyd")


TOKENS = Path("/etc/cubbyd/oauth")
LOGIN = (
    "systemd-run --pipe --wait --collect -p DynamicUser=yes -p User=cubbyd -p StateDirectory=cubbyd "
    f"{COMMAND} --config /etc/cubbyd/cubbyd.toml login office --json"
).split()


def test_a_person_logs_in_as_the_services_user_and_the_service_goes_on_with_the_tokens(installed: None) -> None:  # noqa: ARG001
    """The provider rotates: what the login was given is used up by the sandboxed service, which must write down the next."""
    TOKENS.mkdir(mode=0o755)
    with Provider(TOKENS, lifetime=302) as provider, dovecot_with_tokens(provider) as server:
        provider.ca_file.chmod(0o644)
        office = Office(server)
        provider.username = office.user
        shutil.copy(server.certificate, TOKENS / "ca.pem")
        (TOKENS / "ca.pem").chmod(0o644)
        text = (ETC / "cubbyd.toml").read_text().replace("ca.pem", str(TOKENS / "ca.pem"))
        table = provider.toml("microsoft-device")
        (ETC / "cubbyd.toml").write_text(text.replace('password_credential = "office"\n', "").replace("[log]", f"{table}[log]"))
        office.deliver("Emma is ill today")
        try:
            systemctl("start", "cubbyd")
            eventually(lambda: show()["StatusText"].startswith("office fails: mailbox office: nobody has logged in yet"))
            with subprocess.Popen(LOGIN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as login:
                assert login.stdout is not None
                assert json.loads(login.stdout.readline())["code"]
                provider.approve()
                out, err = login.communicate(timeout=60)
            assert login.returncode == 0, err
            assert json.loads(out)["login"] == "accepted"
            eventually(lambda: office.folders() == {"Absence": ["Emma is ill today"]}, seconds=60)

            server.stop()
            time.sleep(2.5)
            server.start()
            office.deliver("Noah is ill today")
            eventually(lambda: sorted(office.folders()["Absence"]) == ["Emma is ill today", "Noah is ill today"], seconds=60)
            assert "refresh_token" in provider.grants
            assert (STATE / "tokens" / "office.json").stat().st_mode & 0o777 == 0o600
            assert not [secret for secret in provider.issued if secret in journal()]
        finally:
            run("systemctl", "stop", "cubbyd.service", "cubbyd-health.timer")
            run("systemctl", "reset-failed")
            shutil.rmtree(STATE, ignore_errors=True)
    assert provider.faults == []
