"""What `cubbyd init` asks where a server takes tokens, and what it writes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from cubbyd.cli.question import Login, Questions
from cubbyd.config import OAuthKind
from cubbyd.errors import ConfigError
from cubbyd.setup.answer import Answers, read_answers
from cubbyd.setup.draft import draft_config
from cubbyd.setup.proposal import starter_proposals
from cubbyd.setup.provider import advise


def asked(folder: Path, *lines: str) -> tuple[Login, str]:
    """Answer the questions about the login, line by line; give what was understood, and what was said."""
    with CliRunner().isolation(input="\n".join(lines) + "\n") as (out, _, _):
        login = Questions(folder, aside=False)._ask_login({})
        return login, out.getvalue().decode()


def written(answers: Answers, folder: Path) -> dict[str, object]:
    text = draft_config(answers, starter_proposals(), folder)
    section: dict[str, object] = tomllib.loads(text)["mailboxes"][answers.name]
    return section


def test_microsofts_server_is_known_to_take_no_password(tmp_path: Path) -> None:
    login, said = asked(
        tmp_path,
        "Outlook.office365.com",
        "",
        "",
        "office@example.org",
        "",
        "",
        "",
        "example.org",
        "11-22",
        "",
        "credential",
        "",
    )

    assert "Microsoft 365 takes no password for IMAP" in said
    assert login.password is None
    oauth = login.answers.mailbox.oauth
    assert oauth is not None
    assert (oauth.kind, oauth.tenant, oauth.client_id) == (OAuthKind.MICROSOFT_APP, "example.org", "11-22")
    assert written(login.answers, tmp_path) == {
        "host": "Outlook.office365.com",
        "port": 993,
        "security": "tls",
        "username": "office@example.org",
        "inbox": "INBOX",
        "poll_seconds": 60,
        "oauth": {
            "kind": "microsoft-app",
            "tenant": "example.org",
            "client_id": "11-22",
            "client_secret_credential": "office-secret",
        },
    }


def test_googles_server_is_asked_about_and_a_browser_elsewhere_is_thought_of(tmp_path: Path) -> None:
    login, said = asked(tmp_path, "imap.gmail.com", "", "", "office@example.org", "", "", "", "33.apps", "file", "", "n")

    assert "Google takes tokens" in said
    assert login.pastes
    oauth = login.answers.mailbox.oauth
    assert oauth is not None
    assert (oauth.kind, oauth.client_secret_file) == (OAuthKind.GOOGLE, tmp_path / "office.secret")
    section = written(login.answers, tmp_path)
    assert section["oauth"] == {"kind": "google", "client_id": "33.apps", "client_secret_file": "office.secret"}


@pytest.mark.parametrize(
    ("kind", "more", "key"),
    [
        ("microsoft-device", ["example.org", "11"], None),
        ("microsoft-app", ["example.org", "11", "y", "file", ""], "certificate_file"),
        ("google-service", ["credential", ""], "service_account_credential"),
    ],
)
def test_tokens_can_be_chosen_for_any_server(tmp_path: Path, kind: str, more: list[str], key: str | None) -> None:
    login, said = asked(tmp_path, "mail.example.org", "", "", "office", "", "tokens", kind, *more)

    assert "Microsoft 365 takes" not in said
    oauth = login.answers.mailbox.oauth
    assert oauth is not None
    assert oauth.kind == kind
    assert {name for name in oauth.model_fields_set if "_file" in name or "_credential" in name} == ({key} if key else set())


def test_other_servers_are_not_known() -> None:
    assert advise("mail.example.org") is None
    assert advise("imap.gmail.com.") is not None


def test_a_file_of_answers_may_have_a_table_for_tokens(tmp_path: Path) -> None:
    file = tmp_path / "answers.toml"
    table = 'kind = "google"\nclient_id = "x"\nclient_secret_file = "office.secret"\n'
    file.write_text(f'[mailbox]\nhost = "h"\nusername = "u"\n[mailbox.oauth]\n{table}')

    oauth = read_answers(file).mailbox.oauth

    assert oauth is not None
    assert oauth.client_secret_file == tmp_path / "office.secret"
    file.write_text(f'[mailbox]\nhost = "h"\nusername = "u"\n[mailbox.oauth]\n{table}client_secret = "beetroot"\n')
    with pytest.raises(ConfigError, match="a secret does not belong in this file") as caught:
        read_answers(file)
    assert "beetroot" not in str(caught.value)
