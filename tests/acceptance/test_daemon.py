"""The installed command against a real Dovecot over TLS, seen as the admin and as the staff see it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.dovecot import Dovecot
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.dovecot


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str, model: Path) -> Cubbyd:
    shutil.copy(model, tmp_path / "cubbyd.model")
    return Cubbyd(tmp_path, dovecot, user)


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.fixture
def running(cubbyd: Cubbyd) -> Iterator[subprocess.Popen[str]]:
    process = cubbyd.start()
    try:
        eventually(lambda: "started" in cubbyd.events())
        yield process
    finally:
        process.kill()
        process.wait()


def deliver(outside: Outside, *subjects: str) -> None:
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(subjects)))


def test_one_pass_files_and_the_next_finds_nothing(cubbyd: Cubbyd, outside: Outside) -> None:
    deliver(outside, "Emma is ill today", "the invoice for Noah is wrong", "zzz qqq")
    first = cubbyd("run", "--once", "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == {
        "mailbox": "office",
        "ok": True,
        "found": 3,
        "classified": 3,
        "filed": 2,
        "held": 1,
    }
    placed = {"Absence": ["Emma is ill today"], "Billing": ["the invoice for Noah is wrong"], "INBOX": ["zzz qqq"]}
    assert outside.everything() == placed
    second = cubbyd("run", "--once", "--json")
    assert json.loads(second.stdout) == {"mailbox": "office", "ok": True, "found": 0, "classified": 0}
    assert outside.everything() == placed
    assert outside.seen() == 0


def test_check_says_what_would_happen_and_changes_nothing(cubbyd: Cubbyd, outside: Outside) -> None:
    deliver(outside, "Emma is ill today")
    checked = cubbyd("check")
    assert checked.returncode == 0, checked.stderr
    assert "folders to be created: Absence, Billing, Meals" in checked.stdout
    assert "1 mails of the inbox" in checked.stdout
    assert outside.folders() == ["INBOX"]
    facts = [json.loads(line) for line in cubbyd("check", "--json").stdout.splitlines()]
    assert [fact["ok"] for fact in facts] == [True, True, True]
    assert not (cubbyd.folder / "state").exists()


def test_an_offline_check_asks_no_server_and_finds_what_a_reload_would_refuse(cubbyd: Cubbyd) -> None:
    nobody = 'host = "127.0.0.1"\nport = 1\nsecurity = "plain"'
    cubbyd.write(mailbox=nobody)
    assert cubbyd("check").returncode == 69
    right = cubbyd("check", "--offline")
    assert right.returncode == 0, right.stdout
    assert "All that is on this machine is ready. Next: `cubbyd check`" in right.stdout
    (cubbyd.folder / "cubbyd.model").unlink()
    (cubbyd.folder / "password").unlink()
    wrong = cubbyd("check", "--offline")
    assert wrong.returncode == 78
    assert "✗ classifier local" in wrong.stdout
    assert "✗ mailbox office" in wrong.stdout
    cubbyd.write(mailbox=nobody, more="nonsense = 1")
    assert cubbyd("check", "--offline").returncode == 78


def test_history_and_status_tell_what_went_where_and_why(cubbyd: Cubbyd, outside: Outside) -> None:
    deliver(outside, "Emma is ill today")
    cubbyd("run", "--once")
    (line,) = cubbyd("history", "--json", "--since", "1h", "--category", "absence").stdout.splitlines()
    record = json.loads(line)
    assert (record["state"], record["category"], record["folder"]) == ("filed", "absence", "Absence")
    assert record["reasons"]
    assert record["probability"] > 0.5
    status = json.loads(cubbyd("status", "--json").stdout)
    assert (status["filed"], status["held"], status["quarantined"], status["error"]) == (1, 0, 0, None)
    assert "Absence" in cubbyd("history").stdout


def test_no_mail_text_reaches_the_log_or_the_state_file(cubbyd: Cubbyd, outside: Outside) -> None:
    outside.deliver(mail("Secretname is ill today", body="Secretname Secretword has a fever"))
    done = cubbyd("run", "--once")
    assert done.returncode == 0
    said = done.stdout + done.stderr
    state = b"".join(file.read_bytes() for file in (cubbyd.folder / "state").iterdir())
    for secret in ("Secretname", "Secretword", "ann@example.com", "secret"):
        assert secret.lower() not in said.lower()
        assert secret.lower().encode() not in state.lower()
    assert {file.stat().st_mode & 0o777 for file in (cubbyd.folder / "state").iterdir()} == {0o600}


def test_the_daemon_files_what_arrives_within_seconds_and_stops_cleanly(
    cubbyd: Cubbyd, outside: Outside, running: subprocess.Popen[str]
) -> None:
    eventually(lambda: outside.everything() == {})
    deliver(outside, "Emma is ill today")
    eventually(lambda: outside.everything() == {"Absence": ["Emma is ill today"]})
    deliver(outside, "Noah has a milk allergy")
    eventually(lambda: "Meals" in outside.everything())
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE_SECONDS) == 0
    assert cubbyd.events()[-1] == "stopped"


def test_a_second_daemon_on_the_same_state_is_refused(cubbyd: Cubbyd, running: subprocess.Popen[str]) -> None:
    refused = cubbyd("run", "--once")
    assert refused.returncode == 75
    assert f"process {running.pid}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_reload_takes_a_good_configuration_and_refuses_a_bad_one(
    cubbyd: Cubbyd, outside: Outside, running: subprocess.Popen[str]
) -> None:
    cubbyd.config.write_text("nonsense = 1")
    running.send_signal(signal.SIGHUP)
    eventually(lambda: any("not reloaded" in event for event in cubbyd.events()))
    deliver(outside, "Emma is ill today")
    eventually(lambda: "Absence" in outside.everything())
    cubbyd.write(more='[filing]\nfolder_prefix = "Sorted"')
    running.send_signal(signal.SIGHUP)
    eventually(lambda: "configuration reloaded" in cubbyd.events())
    deliver(outside, "Noah has a milk allergy")
    eventually(lambda: "Sorted/Meals" in outside.everything())


@pytest.mark.slow
def test_the_daemon_survives_a_restart_of_the_mail_server(tmp_path: Path, user: str, model: Path) -> None:
    with Dovecot() as server:
        shutil.copy(model, tmp_path / "cubbyd.model")
        cubbyd = Cubbyd(tmp_path, server, user)
        process = cubbyd.start()
        try:
            eventually(lambda: "started" in cubbyd.events())
            time.sleep(1)
            server.stop()
            eventually(lambda: '"error"' in cubbyd("status", "--json").stdout and _error(cubbyd) is not None)
            server.start()
            with Outside(server, user) as outside:
                deliver(outside, "Emma is ill today")
                eventually(lambda: outside.everything() == {"Absence": ["Emma is ill today"]})
            eventually(lambda: _error(cubbyd) is None)
        finally:
            process.kill()
            process.wait()


def _error(cubbyd: Cubbyd) -> str | None:
    error: str | None = json.loads(cubbyd("status", "--json").stdout)["error"]
    return error


@pytest.mark.slow
class TestWhatTheAdminSeesWhenItCannotWork:
    def test_a_wrong_password_exits_77_and_says_whose(self, cubbyd: Cubbyd, user: str) -> None:
        (cubbyd.folder / "password").write_text("wrong")
        refused = cubbyd("run", "--once")
        assert refused.returncode == 77
        assert f"as {user}" in refused.stdout
        assert "wrong" not in refused.stdout.replace("wrong password", "")

    def test_an_untrusted_certificate_exits_78_and_names_ca_file(self, cubbyd: Cubbyd, dovecot: Dovecot) -> None:
        cubbyd.write(mailbox=f'host = "localhost"\nport = {dovecot.tls_port}')
        refused = cubbyd("check")
        assert refused.returncode == 78
        assert "ca_file" in refused.stdout

    def test_a_certificate_for_another_name_is_refused(self, cubbyd: Cubbyd, dovecot: Dovecot) -> None:
        cubbyd.write(mailbox=f'host = "127.0.0.2"\nport = {dovecot.tls_port}\nca_file = "{dovecot.certificate}"')
        assert cubbyd("check").returncode in (69, 78)

    def test_starttls_works(self, cubbyd: Cubbyd, dovecot: Dovecot) -> None:
        cubbyd.write(
            mailbox=f'host = "localhost"\nport = {dovecot.port}\nsecurity = "starttls"\nca_file = "{dovecot.certificate}"'
        )
        assert cubbyd("check").returncode == 0

    def test_a_silent_server_is_given_up_in_time(self, cubbyd: Cubbyd) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            cubbyd.write(mailbox=f'host = "127.0.0.1"\nport = {silent.getsockname()[1]}\nconnect_timeout_seconds = 1')
            begun = time.monotonic()
            refused = cubbyd("check")
            assert refused.returncode == 69
            assert time.monotonic() - begun < 20
            assert "no answer in time" in refused.stdout

    def test_an_error_never_shows_a_traceback(self, cubbyd: Cubbyd) -> None:
        cubbyd.write(mailbox='host = "no-such-host.invalid"')
        for command in (["check"], ["run", "--once"]):
            refused = cubbyd(*command)
            assert refused.returncode == 69
            assert "Traceback" not in refused.stdout + refused.stderr
            assert re.search(r"no-such-host\.invalid:993", refused.stdout)


@pytest.mark.slow
def test_the_demo_shows_the_whole_way_and_files_most_mail_right() -> None:
    pytest.importorskip("pymap", reason="the demo's server is not installed")
    command = [sys.executable, "-m", "cubbyd", "demo", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    *mails, sums = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(mails) == sums["mails"] >= 14 * 6 + 12
    assert sums["second_pass_found"] == 0
    assert sums["folders"]["INBOX"] == 0
    assert sum(sums["folders"].values()) == sums["mails"]
    assert sums["filed_right"] / sums["filed"] > 0.75
    assert sums["filed"] > 0.6 * sums["with_category"]


@pytest.mark.slow
def test_the_demo_rehearses_with_a_stand_in_and_shows_what_was_sent() -> None:
    pytest.importorskip("pymap", reason="the demo's server is not installed")
    pytest.importorskip("openai", reason="the vendor's SDK is not installed")
    command = [sys.executable, "-m", "cubbyd", "demo", "--backend", "openai", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing leaves this machine" in done.stderr
    *mails, sums = [json.loads(line) for line in done.stdout.splitlines()]
    sent = sums["sent"]
    assert len(mails) == sums["mails"] == sent["calls"]
    assert sums["second_pass_found"] == sums["folders"]["INBOX"] == 0
    assert sent["violations"] == []
    assert 200 * sent["calls"] < sent["input_tokens"] < sent["bytes"]
    assert sent["money"] == pytest.approx(sent["input_tokens"] * 0.10 / 1_000_000, abs=sent["calls"] * 1e-6)
    assert re.search(r"\[(CHILD|PARENT|PERSON|STAFF)_1\]", sent["sample"])
    assert sums["filed_right"] / sums["filed"] > 0.75


def test_the_rehearsal_without_the_sdk_names_the_command_that_installs_it() -> None:
    code = "import sys; sys.modules['openai'] = None; sys.argv[1:] = ['demo', '--backend', 'openai']; from cubbyd.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 1
    assert "pip install 'cubbyd[openai]'" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
