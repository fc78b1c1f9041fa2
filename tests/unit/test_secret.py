"""Passwords: read from where the configuration says, refused where others can read them, and in no message ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cubbyd.config import MailboxSection, read_password
from cubbyd.errors import EXIT_CONFIG, ConfigError, SecretHidden
from cubbyd.mailbox import Account

NOBODY = 65534
CONFIG = Path("cubbyd.toml")
SECRET = "hunter2-lettuce-ü"


def section(**password: str | Path) -> MailboxSection:
    return MailboxSection.model_validate({"host": "mail.example.org", "username": "office", **password})


def fault(mailbox: MailboxSection, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read_password(CONFIG, "office", mailbox, environment or {})
    assert caught.value.exit_code == EXIT_CONFIG
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    secret = tmp_path / "office.password"
    secret.touch(mode=0o600)
    secret.write_text(SECRET + "\n", encoding="utf-8")
    return secret


def test_a_password_is_read_from_its_file_without_the_end_of_the_line(file: Path) -> None:
    assert read_password(CONFIG, "office", section(password_file=file), {}).get_secret_value() == SECRET

    file.write_bytes(b"  blanks belong to it \r\n")
    assert read_password(CONFIG, "office", section(password_file=file), {}).get_secret_value() == "  blanks belong to it "


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_can_read_or_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)

    said = fault(section(password_file=file))

    assert said.startswith("cubbyd.toml: mailboxes.office.password_file: ")
    assert f"(mode {mode:04o}); run: chmod 600 {file}" in said


def test_a_file_of_another_user_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner can read the password, and put another one there."""
    if os.geteuid() == 0:
        os.chown(file, NOBODY, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)

    assert "belongs to another user" in fault(section(password_file=file))


def test_a_file_for_reading_alone_is_fine(file: Path) -> None:
    file.chmod(0o400)

    assert read_password(CONFIG, "office", section(password_file=file), {}).get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"x" * 9000, "too long"),
        (b"first\nsecond\n", "on one line"),
        (b"\xfc\xff", "is not UTF-8"),
    ],
)
def test_what_is_no_password_is_refused(file: Path, content: bytes, said: str) -> None:
    """Sent all the same, it would be refused by the server as a wrong one, which sends the admin astray."""
    file.write_bytes(content)

    assert said in fault(section(password_file=file))


def test_a_missing_file_or_a_folder_is_named(tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory" in fault(section(password_file=tmp_path / "nowhere"))
    assert "is no regular file" in fault(section(password_file=tmp_path))


def test_a_credential_is_read_from_systemds_directory(file: Path) -> None:
    file.chmod(0o440)  # systemd's own affair
    mailbox = section(password_credential=file.name)

    assert read_password(CONFIG, "office", mailbox, {"CREDENTIALS_DIRECTORY": str(file.parent)}).get_secret_value() == SECRET


def test_a_credential_that_another_process_alone_may_read_is_told_from_one_that_is_wrong(file: Path) -> None:
    """systemd hides credentials from ExecReload=, which checks a configuration all the same."""
    mailbox, environment = section(password_credential=file.name), {"CREDENTIALS_DIRECTORY": str(file.parent)}
    file.chmod(0o000)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(SecretHidden, match="Permission denied"):
            read_password(CONFIG, "office", mailbox, environment)
    finally:
        if is_root:
            os.seteuid(0)


def test_a_credential_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = fault(section(password_credential="office"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert f"mailboxes.office.password_credential: {tmp_path / 'office'} cannot be read" in said
    assert "/run/secrets/office-of-nobody cannot be read" in fault(section(password_credential="office-of-nobody"))


def test_a_password_is_read_from_the_environment() -> None:
    assert read_password(CONFIG, "office", section(password_env="OFFICE"), {"OFFICE": SECRET}).get_secret_value() == SECRET
    assert "the environment variable OFFICE is not set" in fault(section(password_env="OFFICE"), {})
    assert "the environment variable OFFICE is not set" in fault(section(password_env="OFFICE"), {"OFFICE": ""})


def test_no_representation_shows_the_password(file: Path) -> None:
    mailbox = section(password_file=file)
    password = read_password(CONFIG, "office", mailbox, {})
    account = Account(name="office", section=mailbox, password=password)

    for shown in (repr(password), str(password), repr(mailbox), repr(account), str(account), f"{account!r}"):
        assert SECRET not in shown
