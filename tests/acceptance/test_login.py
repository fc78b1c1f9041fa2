"""Logging in with tokens, from nothing to filed mail: the installed command, a provider, and a Dovecot that validates its tokens."""

from __future__ import annotations

import json
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.dovecot import Dovecot
from tests.mail import Outside, mail
from tests.oauth import Provider, consent
from tests.tokens import dovecot_with_tokens

pytestmark = pytest.mark.dovecot

WAIT_SECONDS = 60


@pytest.fixture
def provider(tmp_path: Path, user: str) -> Iterator[Provider]:
    with Provider(tmp_path, username=user) as running:
        yield running
        assert running.faults == []


@pytest.fixture
def server(provider: Provider) -> Iterator[Dovecot]:
    with dovecot_with_tokens(provider) as running:
        yield running


class Office(Cubbyd):
    """A folder whose mailbox logs in with tokens."""

    def __init__(self, folder: Path, server: Dovecot, provider: Provider, kind: str, model: Path) -> None:
        self.provider, self.server, self.user, self.kind = provider, server, provider.username, kind
        super().__init__(folder, server, provider.username)
        (folder / "cubbyd.model").write_bytes(model.read_bytes())

    def write(self, *, mailbox: str = "", more: str = "") -> None:
        """Write the configuration, with [mailboxes.office.oauth] in the place of the password."""
        super().write(mailbox=mailbox, more=more)
        secret = {
            "microsoft-app": f'client_secret_file = "{self.provider.write_secret()}"',
            "google": f'client_secret_file = "{self.provider.write_secret()}"',
            "google-service": f'service_account_file = "{self.provider.write_service_key()}"',
        }
        text = self.config.read_text().replace('password_file = "password"\n', "")
        table = self.provider.toml(self.kind, secret.get(self.kind, ""))
        self.config.write_text(text.replace("[classifier]\n", f"{table}\n[classifier]\n", 1))

    @property
    def token_file(self) -> Path:
        return self.folder / "state" / "tokens" / "office.json"

    def lines(self, done: subprocess.CompletedProcess[str], code: int = 0) -> list[dict[str, Any]]:
        assert done.returncode == code, (done.stdout, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def begin_login(self, *more: str) -> subprocess.Popen[str]:
        command = self.command("login", "office", "--json", *more)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, text=True, cwd=self.folder, **pipes)  # type: ignore[call-overload, no-any-return]

    def log_in(self) -> dict[str, Any]:
        """A person logs in, in the way of this kind."""
        with self.begin_login() as running:
            assert running.stdout is not None
            if self.kind == "microsoft-device":
                task = json.loads(running.stdout.readline())
                assert task["code"] == "B4BCDEFGH"
                self.provider.approve()
            elif self.kind == "google":
                task = json.loads(running.stdout.readline())
                consent(task["address"], self.provider.ca_file)
            out, err = running.communicate(timeout=WAIT_SECONDS)
        assert running.returncode == 0, (out, err)
        result: dict[str, Any] = json.loads(out.splitlines()[-1])
        return result

    def shows_no_secret(self) -> None:
        """No token is in the log, nor in any file but the one that is there for them."""
        for file in self.folder.rglob("*"):
            if file.is_file() and file != self.token_file:
                content = file.read_bytes()
                assert not [secret for secret in self.provider.issued if secret.encode() in content], file


@pytest.fixture
def office(tmp_path: Path, provider: Provider, server: Dovecot, model: Path) -> Callable[[str], Office]:
    return lambda kind: Office(tmp_path, server, provider, kind, model)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["microsoft-app", "microsoft-device", "google", "google-service"])
def test_a_mailbox_is_logged_in_to_checked_and_filed(office: Callable[[str], Office], kind: str) -> None:
    desk = office(kind)
    with Outside(desk.server, desk.user) as outside:
        outside.deliver(mail("Emma is ill today", number=1), mail("the invoice for Noah is wrong", number=2))

        result = desk.log_in()
        assert (result["login"], result["mail_in_inbox"], result["next"]) == ("accepted", 2, "cubbyd check")
        if kind.startswith("google"):
            checked = desk("check")
            assert checked.returncode == 0, checked.stdout
            assert "login: accepted" in checked.stdout
        done = desk("run", "--once", "--json")

        assert done.returncode == 0, done
        assert outside.everything() == {"Absence": ["Emma is ill today"], "Billing": ["the invoice for Noah is wrong"]}
    assert desk.token_file.exists() is (kind in {"microsoft-device", "google"})
    desk.shows_no_secret()


def wait_until(is_so: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.2)


@pytest.mark.slow
def test_a_daemon_outlives_its_tokens_says_when_its_login_was_revoked_and_goes_on_after_a_new_one(
    office: Callable[[str], Office],
) -> None:
    desk = office("microsoft-device")
    desk.provider.lifetime, desk.provider.says = 3, 3600  # it ends sooner than its provider says
    desk.log_in()
    subjects = iter(["Emma is ill today", "Noah is ill today", "Mia is ill today"])
    sent: list[str] = []

    def deliver_and_wait() -> None:
        with Outside(desk.server, desk.user) as outside:
            sent.append(next(subjects))
            outside.deliver(mail(sent[-1], number=len(sent)))
            wait_until(lambda: outside.subjects("INBOX") == [])
            assert sorted(outside.subjects("Absence")) == sorted(sent)

    running = desk.start()
    try:
        deliver_and_wait()
        time.sleep(3.5)
        desk.server.stop()
        desk.server.start()
        deliver_and_wait()
        assert "refresh_token" in desk.provider.grants

        desk.provider.revoke()
        time.sleep(3.5)
        desk.server.stop()
        desk.server.start()
        wait_until(lambda: "run: cubbyd login office" in desk("status").stdout)
        assert desk("check").returncode == 77

        desk.log_in()
        deliver_and_wait()
        assert desk("status", "--check").returncode == 0
    finally:
        running.terminate()
        running.wait(timeout=30)
    desk.shows_no_secret()


@pytest.mark.slow
def test_a_first_configuration_is_written_by_init_which_has_a_person_log_in(office: Callable[[str], Office]) -> None:
    desk = office("microsoft-device")
    with Outside(desk.server, desk.user) as outside:
        for folder in ("Absence", "Billing"):
            outside.make_folder(folder)
    tables = tomllib.loads(desk.config.read_text())["mailboxes"]["office"]
    oauth = "\n".join(f'{key} = "{value}"' for key, value in tables["oauth"].items() if isinstance(value, str))
    answers = desk.folder / "answers.toml"
    where = f'host = "localhost"\nport = {tables["port"]}\nca_file = "{tables["ca_file"]}"\nusername = "{desk.user}"'
    answers.write_text(f'state_directory = "state"\n[mailbox]\n{where}\n[mailbox.oauth]\n{oauth}\n')
    made = desk.folder / "made.toml"
    command = [*desk.command()[:-2], "--config", str(made), "init", "--answers", str(answers)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=desk.folder) as running:
        assert running.stderr is not None
        while "B4BCDEFGH" not in running.stderr.readline():
            assert running.poll() is None
        desk.provider.approve()
        out, err = running.communicate(timeout=WAIT_SECONDS)

    assert running.returncode == 0, err
    assert "needs: cubbyd login office" in out
    assert tomllib.loads(made.read_text())["mailboxes"]["office"]["oauth"]["kind"] == "microsoft-device"
    checked = subprocess.run(
        [*command[:-3], "dataset", "import", "imap:office", "--out", "examples.jsonl"],
        capture_output=True,
        text=True,
        cwd=desk.folder,
        check=False,
        timeout=WAIT_SECONDS,
    )
    assert "folder 'Absence' -> absence" in checked.stderr, "the next command logs in with the same tokens"


@pytest.mark.slow
def test_what_stands_in_the_way_of_a_login_is_said_with_the_exit_code_for_it(office: Callable[[str], Office]) -> None:
    desk = office("google")

    first = desk("run", "--once", "--json")
    assert first.returncode == 77
    assert "nobody has logged in yet; run: cubbyd login office" in first.stdout
    offline = desk("check", "--offline")
    assert offline.returncode == 0, "a reload is not refused for what a person has yet to do"

    with desk.begin_login("--paste") as running:
        assert running.stdout is not None
        address = json.loads(running.stdout.readline())["address"]
        out, err = running.communicate(consent(address, desk.provider.ca_file) + "\n", timeout=WAIT_SECONDS)
    assert running.returncode == 0, err
    assert json.loads(out)["login"] == "accepted"

    named = desk("login", "kitchen")
    assert (named.returncode, "name one that logs in with tokens: office" in named.stderr) == (78, True)
    desk.token_file.chmod(0o644)
    opened = desk("check")
    assert opened.returncode == 77
    assert f"can be read by others (mode 0644); run: chmod 600 {desk.token_file}" in opened.stdout
    desk.token_file.chmod(0o600)
    desk.token_file.write_text("{")
    assert "is damaged; run: cubbyd login office" in desk("check").stdout
