"""[mailboxes.NAME.oauth]: what belongs together, what does not, and that no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.configuration import CATEGORIES, MAILBOX, refusal

from cubbyd.config import MailboxSection, OAuthKind, load_config, read_oauth_secret
from cubbyd.errors import ConfigError

BARE = MAILBOX.replace('password_file = "office.password"\n', "")
RIGHT = {
    "microsoft-app": 'tenant = "t"\nclient_id = "c"\nclient_secret_file = "s"',
    "microsoft-device": 'tenant = "t"\nclient_id = "c"',
    "google": 'client_id = "c"\nclient_secret_env = "S"',
    "google-service": 'service_account_credential = "s"',
}


def write(file: Path, table: str, mailbox: str = "") -> Path:
    file.write_text(f"{BARE}{mailbox}\n[mailboxes.office.oauth]\n{table}\n{CATEGORIES}")
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cubbyd.toml"


@pytest.mark.parametrize("kind", RIGHT)
def test_each_kind_needs_little(file: Path, kind: str) -> None:
    section = load_config(write(file, f'kind = "{kind}"\n{RIGHT[kind]}')).mailboxes["office"].oauth

    assert section is not None
    assert section.kind == kind
    assert section.effective_scope.startswith("https://")
    assert section.kind.needs_person is (kind in {"microsoft-device", "google"})
    assert section.kind.is_microsoft is kind.startswith("microsoft")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('kind = "yahoo"', "'microsoft-app', 'microsoft-device', 'google' or 'google-service'"),
        ('kind = "microsoft-device"\ntenant = "t"', 'kind = "microsoft-device" needs client_id'),
        ('kind = "microsoft-device"\nclient_id = "c"', 'kind = "microsoft-device" needs tenant'),
        ('kind = "microsoft-app"\ntenant = "t"\nclient_id = "c"', "needs exactly one of client_secret_file, "),
        (
            f'kind = "microsoft-app"\n{RIGHT["microsoft-app"]}\ncertificate_file = "x"',
            "(found client_secret_file and certificate",
        ),
        ('kind = "microsoft-device"\ntenant = "t"\nclient_id = "c"\nclient_secret_env = "S"', "does not use client_secret_env"),
        (f'kind = "google"\n{RIGHT["google"]}\nservice_account_file = "x"', "does not use service_account_file"),
        (f'kind = "google"\n{RIGHT["google"]}\nmethod = "plain"', "mailboxes.office.oauth.method: found 'plain'"),
        (f'kind = "google"\n{RIGHT["google"]}\ntoken_url = "http://beetroot"', "begins with https://"),
        (f'kind = "google"\n{RIGHT["google"]}\nauthority = "https://a:beetroot@b"', "no user name and no password"),
        (f'kind = "google"\n{RIGHT["google"]}\nclient_secret = "beetroot"', "a secret does not belong in this file"),
        (f'kind = "google"\n{RIGHT["google"]}\nclientid = "x"', "did you mean client_id?"),
    ],
)
def test_what_does_not_belong_together_is_named_and_no_secret_is_shown(file: Path, table: str, said: str) -> None:
    error = refusal(write(file, table))

    assert said in str(error)
    assert "mailboxes.office.oauth" in str(error)
    assert "beetroot" not in str(error)


def test_a_mailbox_has_tokens_or_a_password(file: Path) -> None:
    table = f'kind = "google"\n{RIGHT["google"]}'

    both = refusal(write(file, table, 'password_env = "P"\n'))

    assert "oauth (found password_env and oauth)" in str(both)


def test_a_token_crosses_no_network_in_the_clear(file: Path) -> None:
    table = f'kind = "google"\n{RIGHT["google"]}'
    plain = 'security = "plain"\nallow_plain_to_remote_host = true\n'

    assert "would show the token to everybody on the way" in str(refusal(write(file, table, plain)))

    write(file, table, plain)
    file.write_text(file.read_text().replace("mail.example.org", "127.0.0.1"))
    assert load_config(file).mailboxes["office"].oauth is not None


def test_files_count_from_the_folder_of_the_configuration(file: Path) -> None:
    section = (
        load_config(write(file, f'kind = "microsoft-app"\n{RIGHT["microsoft-app"]}\nca_file = "ca"')).mailboxes["office"].oauth
    )

    assert section is not None
    assert (section.client_secret_file, section.ca_file) == (file.parent / "s", file.parent / "ca")


def test_a_key_file_may_have_lines_and_a_client_secret_may_not(file: Path) -> None:
    key = file.parent / "key"
    key.touch(mode=0o600)
    key.write_text('{\n"a": 1\n}\n')

    def secret(kind: OAuthKind, **keys: Path) -> str:
        oauth = {"kind": kind, "client_id": "c", "tenant": "t", **keys}
        section = MailboxSection.model_validate({"host": "h", "username": "u", "oauth": oauth}).oauth
        assert section is not None
        found = read_oauth_secret(file, "office", section, {})
        return found.get_secret_value() if found else "none"

    assert secret(OAuthKind.GOOGLE_SERVICE, service_account_file=key) == '{\n"a": 1\n}'
    assert secret(OAuthKind.MICROSOFT_APP, certificate_file=key) == '{\n"a": 1\n}'
    assert secret(OAuthKind.MICROSOFT_DEVICE) == "none"
    with pytest.raises(ConfigError, match=r"oauth\.client_secret_file: .* on one line"):
        secret(OAuthKind.GOOGLE, client_secret_file=key)
    key.chmod(0o640)
    with pytest.raises(ConfigError, match="can be read by others"):
        secret(OAuthKind.GOOGLE_SERVICE, service_account_file=key)
