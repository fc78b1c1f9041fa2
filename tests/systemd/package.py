"""Run by test_package.py under a systemd of its own, as root: what an administrator does with the Debian package, in order.

One life of one installation, from nothing to nothing. Not collected by a normal run: it installs a package and purges it.
"""

from __future__ import annotations

import itertools
import json
import random
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.terminal import Terminal
from tests.acceptance.test_init import LETTERS, WORDS
from tests.dovecot import MAILDIRPP, PASSWORD, Dovecot
from tests.mail import Outside, mail
from tests.systemd.inside import ETC, STATE, eventually, journal, log, run, show, systemctl

PACKAGE, NEWER = Path("/srv/dist/cubbyd.deb"), Path("/srv/dist/newer.deb")
SECRET = "lettuce-in-the-letter"
"""A word that stands in mails and in a file of the administrator; it is to be nowhere at the end."""
USER = "office"
FILED = 60
"""Mails that people have filed into each folder."""
AT_HOME = Path("~root").expanduser() / "desk"
HERE = ("/etc", "/usr", "/var", "/opt")
"""Looked through for what the package left: all that it, its services and its commands may write to."""
NOT_ITS_OWN = ("/opt/packages", "/opt/python", "/var/log")
"""What the tests brought, and the journal."""


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with Dovecot(MAILDIRPP) as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def desk(server: Dovecot) -> None:
    """Mail that people have filed, and the administrator's files, before anything is installed."""
    Path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)  # what forbids starting services on a build machine
    AT_HOME.mkdir()
    draw = random.Random(7)
    with Outside(server, USER) as outside:
        for number, (folder, words) in enumerate(WORDS.items()):
            outside.make_folder(folder)
            for each in range(FILED):
                text = " ".join(draw.choices(words.split(), k=6) + draw.choices(LETTERS, k=12))
                raw = mail(text[:30], number=1000 * number + each, body=f"{text} {SECRET}")
                outside.deliver(raw.replace(b"ann@", f"parent{number}-{each}@".encode()), folder=folder)


def cubbyd(*arguments: str, code: int = 0) -> str:
    """Call the command for root, as the documentation has it, in a folder of root's own."""
    done = subprocess.run(["cubbyd", *arguments], capture_output=True, text=True, timeout=120, check=False, cwd=AT_HOME)
    assert done.returncode == code, done.stdout + done.stderr + journal("cubbyd*")
    return done.stdout + done.stderr


def history() -> list[dict[str, Any]]:
    return [json.loads(line) for line in cubbyd("history", "--json").splitlines()]


def dpkg(*arguments: str) -> str:
    done = run("dpkg", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def in_folders(server: Dovecot, *subjects: str) -> dict[str, str]:
    """Tell in which folder each of these mails is."""
    with Outside(server, USER) as outside:
        found = outside.everything()
    return {subject: folder for folder, there in found.items() for subject in subjects if subject in there}


def deliver(server: Dovecot, *subjects: str) -> None:
    with Outside(server, USER) as outside:
        outside.deliver(
            *(mail(subject, number=90_000 + sum(subject.encode()), body=f"{subject} {SECRET}") for subject in subjects)
        )


def test_an_installation_by_hand_is_not_mixed_with_the_package() -> None:
    by_hand = Path("/opt/cubbyd/bin/activate")
    by_hand.parent.mkdir(parents=True)
    by_hand.touch()
    refused = run("dpkg", "--install", str(PACKAGE))
    assert refused.returncode != 0
    assert "made by hand; nothing was installed" in refused.stderr
    assert [file for file in Path("/opt/cubbyd").rglob("*") if file.is_file()] == [by_hand]
    shutil.rmtree("/opt/cubbyd")


def test_a_fresh_installation_runs_nothing_and_says_what_comes_next() -> None:
    assert "Next: sudo cubbyd init" in dpkg("--install", str(PACKAGE))

    assert show()["ActiveState"] == "inactive"
    assert run("systemctl", "is-enabled", "cubbyd").stdout.strip() == "disabled"
    assert run("systemd-analyze", "verify", "cubbyd.service", "cubbyd@nord.service").stderr.count("cubbyd") == 0
    assert run("cubbyd", "--version").stdout.startswith("cubbyd, version ")
    assert not STATE.exists()
    assert "Next: cubbyd init" in cubbyd("status", code=78)
    refused = run("setpriv", "--reuid=65534", "--clear-groups", "cubbyd", "status")
    assert (refused.returncode, "sudo cubbyd status" in refused.stderr) == (77, True)


def test_init_finds_the_categories_and_the_commands_that_it_prints_lead_to_a_rehearsal(server: Dovecot) -> None:
    shutil.copy(server.certificate, ETC / "ca.pem")
    (ETC / "office.password").touch(mode=0o600)
    (ETC / "office.password").write_text(PASSWORD)
    (AT_HOME / "answers.toml").write_text(
        f'[mailbox]\nhost = "localhost"\nport = {server.tls_port}\nca_file = "/etc/cubbyd/ca.pem"\nusername = "{USER}"\n'
        f'password_credential = "office"\npoll_seconds = 5\n'
    )
    said = cubbyd("init", "--answers", "answers.toml")
    assert (ETC / "cubbyd.toml").stat().st_mode & 0o777 == 0o644

    commands = [line.partition(": ")[2] for line in said.splitlines() if line.startswith(("Next: ", "then: "))]
    printed = {shlex.split(command)[1]: cubbyd(*shlex.split(command)[1:]) for command in commands}

    assert list(printed) == ["dataset", "train", "check", "rehearse"]
    assert "Everything is ready" in printed["check"]
    assert "left out are 96 that were trained on" in printed["rehearse"]
    files = [file for file in STATE.rglob("*") if file.is_file()]
    assert {"examples.jsonl", "cubbyd.model"} <= {file.name for file in files}
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    assert len({file.stat().st_uid for file in files} - {0}) == 1, "the service's user has made them, and not root"
    assert [file.name for file in AT_HOME.iterdir()] == ["answers.toml"]


SICK, BILL, LATE, LAST = (
    "ill fever sick home doctor",
    "invoice tuition receipt payment",
    "cough fever doctor rest thermometer",
    "refund payment bank transfer account",
)


def test_enabled_and_started_it_files_two_mails_over_tls(server: Dovecot) -> None:
    toml = (ETC / "cubbyd.toml").read_text()
    (ETC / "cubbyd.toml").write_text(toml.replace('action = "observe"', 'action = "move"'))
    systemctl("enable", "--now", "cubbyd")
    eventually(lambda: show()["StatusText"] == "0 filed, 0 held")
    deliver(server, SICK, BILL)

    eventually(lambda: show()["StatusText"] == "2 filed, 0 held")
    assert in_folders(server, SICK, BILL) == {SICK: "Absence", BILL: "Office.Billing"}
    assert [one["state"] for one in history()] == ["filed", "filed"]
    assert "filed" in cubbyd("status")


def test_at_a_terminal_init_keeps_the_password_of_a_facility_where_its_unit_takes_it_from(server: Dovecot) -> None:
    tokens = Path("/var/lib/cubbyd-nord/tokens/office.json")  # where init keeps those of a login that has no password
    tokens.parent.mkdir(parents=True)
    tokens.touch(mode=0o600)
    person = Terminal(AT_HOME, "@nord", "init", command=["cubbyd"])
    for question, keys in (
        ("IMAP server", "localhost"),
        ("Security", "plain"),
        ("Port", str(server.port)),
        ("User name", "nord"),
        ("Name of this", ""),
        ("Read it from", ""),
        ("Which credential", ""),
        ("it is not shown", PASSWORD),
        ("Folder to watch", ""),
        ("sample facility", ""),
    ):
        person.wait_for(question, 60)
        person.press(f"{keys}\r")
    said = person.wait_for("then: cubbyd --config /etc/cubbyd/nord.toml check", 60)
    assert "read from the credential office." in said
    assert person.close() == 0

    password = ETC / "nord.password"
    assert (password.read_text(), password.stat().st_mode & 0o777, password.stat().st_uid) == (f"{PASSWORD}\n", 0o600, 0)
    assert "login: accepted" in cubbyd("--config", "/etc/cubbyd/nord.toml", "check", code=78)
    assert tokens.resolve().is_relative_to("/var/lib/private/cubbyd-nord"), "it looked as the user of that facility"
    assert tokens.stat().st_uid != 0, "and what root had kept became that user's"


def test_an_undo_waits_for_the_daemon_to_stop(server: Dovecot) -> None:
    assert "stop" in cubbyd("undo", "--run", "last", "--yes", code=75)
    systemctl("stop", "cubbyd")
    cubbyd("undo", "--since", "1h", "--yes")
    systemctl("start", "cubbyd")

    assert in_folders(server, SICK, BILL) == {SICK: "INBOX", BILL: "INBOX"}
    eventually(lambda: "pass done" in log() or "held" in cubbyd("status"))


def test_a_file_that_root_brings_is_read_and_one_at_home_is_not() -> None:
    letter = AT_HOME / "letter.eml"
    letter.write_bytes(mail("Emma is ill today"))
    assert "ermission denied" in cubbyd("parse", str(letter), code=1)
    assert run("install", "-m", "644", str(letter), "/var/lib/cubbyd/").returncode == 0
    assert "Emma is ill today" in cubbyd("parse", "letter.eml")


def test_a_password_that_systemd_has_encrypted_serves_the_command_as_it_does_the_daemon() -> None:
    plain, drop_in = ETC / "office.password", Path("/etc/systemd/system/cubbyd.service.d/encrypted.conf")
    call(f"systemd-creds encrypt --name=office {plain} /etc/cubbyd/office.cred && mv {plain} {AT_HOME}")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nLoadCredential=\nLoadCredentialEncrypted=office:/etc/cubbyd/office.cred\n")
    systemctl("daemon-reload")
    systemctl("restart", "cubbyd")
    assert "login: accepted" in cubbyd("check")
    eventually(lambda: show()["StatusText"].endswith("held"))

    shutil.move(AT_HOME / plain.name, plain)
    drop_in.unlink()
    systemctl("daemon-reload")


def test_an_upgrade_keeps_the_state_and_files_on_with_the_new_version(server: Dovecot) -> None:
    before, process = history(), show()["MainPID"]
    toml = (ETC / "cubbyd.toml").read_text()

    dpkg("--install", str(NEWER))

    eventually(lambda: show()["ActiveState"] == "active")
    assert show()["MainPID"] not in (process, "0")
    assert "9.9.9" in run("cubbyd", "--version").stdout
    assert (ETC / "cubbyd.toml").read_text() == toml
    assert history() == before
    deliver(server, LATE)
    eventually(lambda: in_folders(server, LATE) == {LATE: "Absence"})


def test_what_was_copied_from_one_machine_goes_on_at_another(server: Dovecot) -> None:
    before = history()
    copying, restoring = documented("### Backup, restore, another machine")
    call(copying)
    systemctl("stop", "cubbyd")
    said = dpkg("--purge", "cubbyd")
    assert "deleted /var/lib/private/cubbyd-nord (" in said
    assert not ETC.exists()
    assert not STATE.parent.exists() or not list(STATE.parent.glob("cubbyd*"))

    dpkg("--install", str(NEWER))
    call(restoring)
    assert history() == before
    deliver(server, LAST)
    eventually(lambda: in_folders(server, LAST) == {LAST: "Office.Billing"})
    Path("/var/backups/cubbyd.tar.gz").unlink()


def documented(section: str) -> list[str]:
    """Give the blocks of commands of a section of docs/operations.md."""
    text = Path("docs/operations.md").read_text().split(f"{section}\n")[1].split("\n#")[0]
    return [
        "\n".join(block) for is_code, block in itertools.groupby(text.splitlines(), lambda line: line[:4] == "    ") if is_code
    ]


def call(commands: str) -> None:
    """Type them at a shell of root."""
    done = run("sh", "-ec", commands)
    assert done.returncode == 0, done.stdout + done.stderr


def test_removed_it_keeps_state_and_configuration() -> None:
    assert "kept /etc/cubbyd" in dpkg("--remove", "cubbyd")

    assert run("systemctl", "is-active", "cubbyd", "cubbyd-health.timer").stdout.split() == ["inactive", "inactive"]
    assert not Path("/opt/cubbyd").exists()
    assert (STATE / "cubbyd.sqlite").exists()
    assert (ETC / "cubbyd.toml").exists()


def test_purged_it_leaves_nothing_personal_and_says_what_it_deleted() -> None:
    drop_in = Path("/etc/systemd/system/cubbyd.service.d/mine.conf")
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text("[Service]\nLoadCredential=kitchen:/etc/cubbyd/kitchen.password\n")
    assert left_over(holding=SECRET), "the examples hold what parents wrote"
    said = dpkg("--purge", "cubbyd")

    assert "deleted /etc/cubbyd (" in said
    assert "deleted /var/lib/private/cubbyd (" in said
    assert left_over(named="cubbyd") == []
    assert left_over(holding=SECRET) == []
    assert left_over(holding=f'username = "{USER}"') == []


def left_over(*, named: str = "", holding: str = "") -> list[str]:
    """Look through all that was written since the boot for files of a name, or that hold a text."""
    skipped = [part for path in NOT_ITS_OWN for part in ("-path", path, "-prune", "-o")]
    kind = ["-name", f"*{named}*"] if named else ["-type", "f"]
    found = run("find", *HERE, *skipped, "-newercm", "/run-inside/run", *kind, "-print").stdout.splitlines()
    return [path for path in found if not holding or holding.encode() in read(path)]


def read(path: str) -> bytes:
    return b"" if Path(path).is_symlink() else Path(path).read_bytes()
