"""Whatever keeps mail from being filed, `cubbyd status` tells it after one poll: what it is, and what to do."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.dovecot import MAILDIR, Dovecot
from tests.mail import Outside, mail

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

QUOTA = """
mail_plugins = quota acl
protocol imap {
  mail_plugins = quota acl imap_quota
}
plugin {
  acl = vfile
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1G
}
"""


@dataclass(slots=True, kw_only=True)
class Facility:
    """A server of its own, and a cubbyd that filed mail until a moment ago."""

    server: Dovecot
    user: str
    cubbyd: Cubbyd
    stack: ExitStack

    def deliver(self, number: int) -> None:
        with Outside(self.server, self.user) as outside:
            outside.deliver(mail("Emma is ill today", number=number, body="Emma is ill today\r\n" * 200))

    def edit(self, old: str, new: str) -> None:
        text = self.cubbyd.config.read_text()
        assert old in text
        self.cubbyd.config.write_text(text.replace(old, new, 1))

    def status(self) -> dict[str, Any]:
        done = self.cubbyd("status", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def reconfigure(self, old: str, new: str) -> None:
        self.server.stop()
        file = self.server.folder / "dovecot.conf"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
        self.server.start()


@pytest.fixture
def facility(tmp_path: Path, user: str, model: Path) -> Iterator[Facility]:
    shutil.copy(model, tmp_path / "cubbyd.model")
    with ExitStack() as stack:
        server = stack.enter_context(Dovecot(MAILDIR, extra=QUOTA, capability="IMAP4rev1 UIDPLUS QUOTA"))
        plain = f'host = "127.0.0.1"\nport = {server.port}\nsecurity = "plain"\nconnect_timeout_seconds = 30'
        made = Facility(server=server, user=user, cubbyd=Cubbyd(tmp_path, server, user, mailbox=plain), stack=stack)
        made.edit("poll_seconds = 5", "poll_seconds = 600")
        made.deliver(1)
        done = made.cubbyd("run", "--once")
        assert done.returncode == 0, done.stderr
        assert made.status()["trouble"] is None
        made.deliver(2)
        yield made


def server_down(here: Facility) -> None:
    here.server.stop()
    here.stack.callback(here.server.start)


def login_refused(here: Facility) -> None:
    (here.cubbyd.folder / "password").write_text("not-this-one")


def certificate_of_another(here: Facility) -> None:
    tls = f'port = {here.server.tls_port}\nca_file = "{here.cubbyd.config}"'
    here.edit(f'port = {here.server.port}\nsecurity = "plain"', tls)
    here.edit(f'ca_file = "{here.cubbyd.config}"', "")


def quota_full(here: Facility) -> None:
    here.reconfigure("storage=1G", "storage=1K")


def may_only_read(here: Facility) -> None:
    (here.server.folder / "home" / here.user / "Maildir" / "dovecot-acl").write_text("owner lr\n")


def model_broken(here: Facility) -> None:
    (here.cubbyd.folder / "cubbyd.model").write_bytes(b"an update that went wrong")


def no_password(here: Facility) -> None:
    (here.cubbyd.folder / "password").unlink()


def classifier_down(here: Facility) -> None:
    pytest.importorskip("openai", reason="the extra of hosted models is not installed")
    (here.cubbyd.folder / "key").write_text("sk-nothing")
    (here.cubbyd.folder / "key").chmod(0o600)
    hosted = (
        'kind = "openai"\n[classifier.openai]\nmodel = "gpt-none"\nbase_url = "http://127.0.0.1:9/v1"\n'
        'api_key_file = "key"\npatience_seconds = 1\n'
    )
    here.edit('model = "cubbyd.model"\n', hosted)


FAILURES: dict[str, tuple[Callable[[Facility], None], str]] = {
    "the mail server is down": (server_down, "Connection refused"),
    "the login is refused": (login_refused, "check username and password"),
    "the certificate is not trusted": (certificate_of_another, "ca_file"),
    "the quota is used up": (quota_full, "quota"),
    "the account may only read": (may_only_read, "give it the right"),
    "the model is broken": (model_broken, "cubbyd.model"),
    "the password is not there": (no_password, "password"),
    "the classifier is down": (classifier_down, "unavailable|reach|connect"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_after_one_poll_status_tells_what_is_wrong_and_what_to_do(facility: Facility, kind: str) -> None:
    breaks, said = FAILURES[kind]
    breaks(facility)

    done = facility.cubbyd("run", "--once")

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    facts = facility.status()
    assert facts["trouble"], facts
    assert any(word in facts["trouble"] for word in said.split("|")), facts["trouble"]
    assert facts["way_out"]
    assert facts["trouble_since"]
    assert (facts["lasting"], facts["stopped"]) == (False, False), "one poll is no alarm yet"


def test_a_daemon_that_is_not_running_is_told_of_once_a_poll_is_overdue(facility: Facility) -> None:
    with closing(sqlite3.connect(facility.cubbyd.folder / "state" / "cubbyd.sqlite")) as state, state:
        state.execute("UPDATE poll SET started_at = datetime(started_at, '-900 seconds') || '.000000'")

    facts = facility.status()
    assert facts["trouble"] == "cubbyd is not running"
    assert "systemctl start cubbyd" in facts["way_out"]
    assert facts["lasting"] is False
    assert "office is failing since" in facility.cubbyd("status").stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_a_full_disk_under_the_state_is_told_of_although_nothing_can_be_written(facility: Facility) -> None:
    with tempfile.TemporaryDirectory() as disk:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip("no small disk can be mounted here")
        try:
            shutil.copytree(facility.cubbyd.folder / "state", Path(disk) / "state")
            facility.edit('directory = "state"', f'directory = "{disk}/state"')
            with (Path(disk) / "filler").open("wb") as filler:
                _fill(filler.fileno())

            done = facility.cubbyd("run", "--once")

            assert done.returncode == 1, done.stdout
            assert "Traceback" not in done.stderr
            facts = json.loads(facility.cubbyd("status", "--json").stdout)
            assert "bytes left" in facts["trouble"]
            assert "make room" in facts["way_out"]
        finally:
            subprocess.run(["umount", disk], check=True)


def _fill(descriptor: int) -> None:
    try:
        while os.write(descriptor, b"x" * 65_536):
            pass
    except OSError:
        return
