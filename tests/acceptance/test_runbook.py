"""Each bad morning of docs/runbook.md, made to happen: what the page quotes is what the installed command says.

The page and the output are compared line by line, but for numbers, times, and the places of this test.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.acceptance.desk import free_port
from tests.conftest import ROOT
from tests.dovecot import MAILDIR, Dovecot
from tests.hosted import MODES
from tests.mail import Outside, mail
from tests.manager import ListeningManager
from tests.patience import PATIENCE_SECONDS

from cubbyd.cli import cli
from cubbyd.standin import Standin
from cubbyd.standin.server import KEY

slow = pytest.mark.slow
pytestmark = pytest.mark.dovecot

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
MORNINGS = dict(re.findall(r"^## (\d+)\. .*\n([\s\S]*?)(?=^## |\Z)", PAGE, re.MULTILINE))
SUBJECTS = ("Emma is ill today", "the invoice for Noah is wrong", "Mia has a milk allergy")
QUICK = "connect_timeout_seconds = 2\nread_timeout_seconds = 5"


def quoted(number: int) -> list[str]:
    """Give the lines of the page that are said to come from cubbyd; a line with $ is what the admin types."""
    blocks = re.findall(r"^```text\n(.*?)^```", MORNINGS[str(number)], re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip() and not line.startswith("$ ")]


def plain(text: str, *places: tuple[str, str]) -> str:
    """Level out what differs from one time to the next: places, moments, numbers, the width of columns."""
    for here, there in places:
        text = text.replace(here, there)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", "MOMENT", text)
    text = re.sub(r"\b\d+ (s|min|h|d|seconds|minutes|hours|days)\b", "N SPAN", text)
    text = re.sub(r"[─━-]{3,}", "---", text)
    return re.sub(r"[ \t]+", " ", re.sub(r"\d+", "N", text)).strip()


class Morning:
    """One facility, and what its admin reads on one morning."""

    def __init__(self, cubbyd: Cubbyd, user: str, manager: ListeningManager) -> None:
        self.cubbyd, self.user, self.manager = cubbyd, user, manager
        self.said = ""

    def call(self, *arguments: str) -> int:
        """Give a command, and read what it says."""
        done = subprocess.run(
            self.cubbyd.command(*arguments),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            cwd=self.cubbyd.folder,
            env=os.environ | {"COLUMNS": "160"},
        )
        self.said += done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode

    def serve(self, until: Callable[[], bool], then: Callable[[], object] = lambda: None) -> None:
        """Let the daemon run until something is so, and end it as systemd does; read its status line and its journal."""
        environment = os.environ | self.manager.environment()
        with (self.cubbyd.folder / "log").open("w") as log:
            daemon = subprocess.Popen(self.cubbyd.command("run"), stderr=log, cwd=self.cubbyd.folder, env=environment)
        try:
            end = time.monotonic() + PATIENCE_SECONDS
            while not until():
                assert time.monotonic() < end, (self.manager.heard, (self.cubbyd.folder / "log").read_text())
                self.manager.take(0.1)
            self.manager.take(1)
            then()
        finally:
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(PATIENCE_SECONDS) == 0
        self.said += (self.cubbyd.folder / "log").read_text()
        self.said += "".join(f'Status: "{heard["STATUS"]}"\n' for heard in self.manager.heard if "STATUS" in heard)

    def status_says(self, text: str) -> Callable[[], bool]:
        return lambda: any(text in heard.get("STATUS", "") for heard in self.manager.heard)

    def is_as_the_page_says(self, number: int) -> None:
        """Compare: every line that the page quotes was said; … stands for anything."""
        said = "\n".join(plain(line, *self.places) for line in self.said.splitlines())
        lines = quoted(number)
        wanted = [re.escape(plain(line)).replace("…", ".*") for line in lines]
        missing = [
            line for line, pattern in zip(lines, wanted, strict=True) if not re.search(rf"^{pattern}$", said, re.MULTILINE)
        ]
        assert missing == [], "said was:\n" + "\n".join(self.said.splitlines())
        assert lines

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """What the page calls otherwise."""
        folder = str(self.cubbyd.folder)
        hosts = (("localhost", "mail.example.org"), ("127.0.0.1", "api.example.org"))
        return ((f"{folder}/state", "/var/lib/cubbyd"), (folder, "/etc/cubbyd"), (f"as {self.user}:", "as office:"), *hosts)


@pytest.fixture
def manager() -> Iterator[ListeningManager]:
    with ListeningManager(f"@cubbyd-runbook-{os.getpid()}") as listening:
        yield listening


@pytest.fixture
def morning(tmp_path: Path, dovecot: Dovecot, user: str, model: Path, manager: ListeningManager) -> Morning:
    shutil.copy(model, tmp_path / "cubbyd.model")
    return Morning(Cubbyd(tmp_path, dovecot, user, mailbox=account(dovecot)), user, manager)


def account(server: Dovecot, more: str = "") -> str:
    return f'host = "localhost"\nport = {server.tls_port}\nca_file = "{server.certificate}"\n{QUICK}\n{more}'


def deliver(server: Dovecot, user: str, *subjects: str, body: str = "") -> None:
    with Outside(server, user) as outside:
        outside.deliver(*(mail(subject, number=number, body=body or subject) for number, subject in enumerate(subjects)))


def folders(server: Dovecot, user: str) -> dict[str, list[str]]:
    with Outside(server, user) as outside:
        return outside.everything()


def test_every_morning_of_the_page_is_tried_here_and_has_all_its_parts() -> None:
    tried = re.findall(r"is_as_the_page_says\((\d+)\)", Path(__file__).read_text())

    assert sorted(MORNINGS, key=int) == sorted(set(tried), key=int)
    assert len(MORNINGS) >= 10
    for number, text in MORNINGS.items():
        parts = re.findall(r"^\*\*(.+?)\*\*", text, re.MULTILINE)
        assert parts == ["What you see.", "What it means.", "What to do.", "It is over when"], number


def test_every_command_that_the_page_gives_exists_with_its_options() -> None:
    given = {line.strip() for line in re.findall(r"(?:`|^\$ |^    )(cubbyd [a-z][^`#\n]*)", PAGE, re.MULTILINE)}

    for line in given:
        words = line.split()[1:]
        command: click.Command = cli
        while words and isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words[0])
            assert found is not None, line
            command = found
            words = words[1:]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
    assert len(given) > 8


@slow
def test_the_mail_server_is_down(morning: Morning, dovecot: Dovecot) -> None:
    gone = f'host = "localhost"\nport = {free_port()}\nca_file = "{dovecot.certificate}"\n{QUICK}'
    morning.cubbyd.write(mailbox=gone)
    morning.serve(morning.status_says("office fails"))
    assert morning.call("status") == 0

    morning.is_as_the_page_says(1)


@slow
def test_the_password_was_changed(morning: Morning) -> None:
    (morning.cubbyd.folder / "password").write_text("old")
    morning.serve(morning.status_says("office fails"))

    morning.is_as_the_page_says(2)


@slow
def test_the_certificate_has_expired(tmp_path: Path, user: str, model: Path, manager: ListeningManager) -> None:
    shutil.copy(model, tmp_path / "cubbyd.model")
    with Dovecot() as server:
        expire(server)
        morning = Morning(Cubbyd(tmp_path, server, user, mailbox=account(server)), user, manager)
        morning.serve(morning.status_says("office fails"))

    morning.is_as_the_page_says(3)


def expire(server: Dovecot) -> None:
    """Give the server a certificate that ended years ago."""
    folder = server.folder
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca = own\n[own]\ndatabase = {folder}/index\nnew_certs_dir = {folder}\nserial = {folder}/serial\n"
        "default_md = sha256\npolicy = any\nx509_extensions = names\n[any]\ncommonName = supplied\n"
        "[names]\nsubjectAltName = DNS:localhost\n"
    )
    (folder / "index").touch()
    (folder / "serial").write_text("01\n")
    key, request = str(folder / "tls.key"), str(folder / "tls.csr")
    ask = ["openssl", "req", "-new", "-key", key, "-subj", "/CN=localhost", "-out", request]
    dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
    sign = ["openssl", "ca", "-batch", "-selfsign", "-notext", "-config", str(folder / "ca.cnf"), "-keyfile", key, *dates]
    subprocess.run(ask, check=True, capture_output=True)
    subprocess.run([*sign, "-in", request, "-out", str(server.certificate)], check=True, capture_output=True)
    server.stop()
    server.start()


QUOTA = """
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=20K
}
"""


@slow
def test_the_quota_is_full(tmp_path: Path, user: str, model: Path, manager: ListeningManager) -> None:
    shutil.copy(model, tmp_path / "cubbyd.model")
    with Dovecot(MAILDIR, extra=QUOTA, capability="IMAP4rev1 UIDPLUS QUOTA") as server:
        morning = Morning(Cubbyd(tmp_path, server, user, mailbox=account(server)), user, manager)
        deliver(server, user, "Emma is ill today", body="Emma is ill today " * 500)
        deliver(server, user, "hello", body="x" * 7000)
        morning.serve(morning.status_says("office"), lambda: time.sleep(2))
        assert morning.call("status") == 0

    morning.is_as_the_page_says(4)


@slow
def test_staff_have_renamed_a_folder(morning: Morning, dovecot: Dovecot) -> None:
    deliver(dovecot, morning.user, SUBJECTS[0])
    assert morning.call("run", "--once") == 0
    with Outside(dovecot, morning.user) as outside:
        outside.rename_folder("Absence", "Sick children")
    deliver(dovecot, morning.user, "Noah is ill today")
    assert morning.call("run", "--once") == 0
    assert folders(dovecot, morning.user) == {"Sick children": [SUBJECTS[0]], "Absence": ["Noah is ill today"]}
    assert morning.call("history") == 0

    text = morning.cubbyd.config.read_text().replace('name = "Absence"', 'name = "Absence"\nfolder = "Sick children"')
    morning.cubbyd.config.write_text(text)
    deliver(dovecot, morning.user, "Mia is ill today")
    assert morning.call("run", "--once") == 0
    assert folders(dovecot, morning.user)["Sick children"] == [SUBJECTS[0], "Mia is ill today"]
    morning.is_as_the_page_says(5)


@slow
def test_the_model_does_not_fit_after_a_change(morning: Morning) -> None:
    file = morning.cubbyd.folder / "cubbyd.model"
    whole, text = file.read_bytes(), morning.cubbyd.config.read_text()
    file.write_bytes(whole[:1000])
    assert morning.call("run") == 78
    file.unlink()
    assert morning.call("run") == 78
    file.write_bytes(whole)
    morning.cubbyd.config.write_text(text.replace('id = "meals"', 'id = "kitchen"'))
    assert morning.call("run") == 78
    morning.cubbyd.config.write_text(text)
    assert morning.call("check") == 0

    morning.is_as_the_page_says(6)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own for the state; only root can make one."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=400k,mode=700", "tmpfs", str(state)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small disk can be made here; root can")
    yield state
    subprocess.run(["umount", str(state)], check=True)


@slow
def test_the_disk_is_full(small_disk: Path, morning: Morning, dovecot: Dovecot) -> None:
    assert morning.call("run", "--once") == 0

    def has_failed_once_there_was_no_room() -> bool:
        if not (small_disk / "other").exists() and morning.status_says("0 filed, 0 held")():
            fill(small_disk / "other")
            deliver(dovecot, morning.user, *SUBJECTS)
        return morning.status_says("office fails")()

    morning.serve(has_failed_once_there_was_no_room)
    assert set(folders(dovecot, morning.user)) == {"INBOX"}
    morning.is_as_the_page_says(7)

    (small_disk / "other").unlink()
    assert morning.call("run", "--once") == 0
    assert set(folders(dovecot, morning.user)) == {"Absence", "Billing", "Meals"}


def fill(file: Path) -> None:
    """Write until there is no room."""
    with file.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(b"x" * 512):
            pass


@slow
def test_the_state_file_is_damaged(morning: Morning, dovecot: Dovecot) -> None:
    deliver(dovecot, morning.user, *SUBJECTS)
    assert morning.call("run", "--once") == 0
    assert morning.call("state", "backup", "copy.sqlite") == 0
    file = morning.cubbyd.folder / "state" / "cubbyd.sqlite"
    file.write_bytes(b"\0" * 4096 + file.read_bytes()[4096:])
    assert morning.call("run") == 1
    assert morning.call("state", "check") == 1
    shutil.copy(morning.cubbyd.folder / "copy.sqlite", file)
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    assert morning.call("state", "check") == 0
    assert morning.call("run", "--once") == 0

    morning.is_as_the_page_says(8)


@slow
def test_a_lot_was_filed_wrongly(morning: Morning, dovecot: Dovecot) -> None:
    deliver(dovecot, morning.user, *SUBJECTS)
    assert morning.call("run", "--once") == 0
    assert morning.call("history") == 0
    assert morning.call("undo", "--run", "last", "--dry-run") == 0
    assert morning.call("undo", "--run", "last", "--yes") == 0
    assert set(folders(dovecot, morning.user)) == {"INBOX"}

    morning.is_as_the_page_says(9)


@slow
def test_the_hosted_classifier_is_down_or_its_budget_is_used_up(morning: Morning, dovecot: Dovecot) -> None:
    pytest.importorskip("openai", reason="the extra cubbyd[openai] is not installed")
    text = morning.cubbyd.config.read_text()
    deliver(dovecot, morning.user, *SUBJECTS)
    choose_hosted(morning, text, f"http://127.0.0.1:{free_port()}/v1")
    morning.serve(morning.status_says("office fails"))

    shutil.rmtree(morning.cubbyd.folder / "state")  # or the mails would wait for their next turn, and the test with them
    with Standin({"ill": "absence", "invoice": "billing", "allergy": "meals"}) as standin:
        choose_hosted(morning, text, standin.base_url, "calls_per_day = 2")
        morning.serve(morning.status_says("the budget is used up"))
        morning.is_as_the_page_says(10)


def choose_hosted(morning: Morning, text: str, address: str, more: str = "") -> None:
    (morning.cubbyd.folder / "openai.key").touch(mode=0o600)
    (morning.cubbyd.folder / "openai.key").write_text(KEY)
    keys = f'model = "gpt-6-luna"\nbase_url = "{address}"\napi_key_file = "openai.key"\nattempts = 1\n{MODES["decisions"]}\n{more}\n'
    table = f'[classifier]\nkind = "openai"\n[classifier.openai]\n{keys}'
    morning.cubbyd.config.write_text(text.replace('[classifier]\nmodel = "cubbyd.model"\n', table))


@slow
def test_mail_stays_in_the_inbox(morning: Morning, dovecot: Dovecot) -> None:
    deliver(dovecot, morning.user, SUBJECTS[0], "zzz qqq")
    assert morning.call("run", "--once") == 0
    assert morning.call("history", "--state", "held") == 0
    assert folders(dovecot, morning.user)["INBOX"] == ["zzz qqq"]

    morning.is_as_the_page_says(11)
