"""Tokens that a real Dovecot validates by itself, and what goes wrong with them between us and it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.dovecot import DOVECOT, MAILDIR, Dovecot
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.oauth import Provider
from tests.tokens import dovecot_with_tokens

from cubbyd.config import MailboxSection
from cubbyd.errors import EXIT_CONFIG, LoginNotOffered, LoginRefused, MailboxUnavailable
from cubbyd.mailbox import Account, open_mailbox

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]


@dataclass
class Purse:
    """Tokens one after the other; the last one for ever."""

    tokens: list[str]
    renewed: list[SecretStr] = field(default_factory=list)
    expires_at: datetime | None = None
    credential_ends_at: datetime | None = None

    def token(self) -> SecretStr:
        return SecretStr(self.tokens[0])

    def renew(self, refused: SecretStr) -> SecretStr:
        self.renewed.append(refused)
        return SecretStr((self.tokens.pop(0), self.tokens[0])[1] if len(self.tokens) > 1 else self.tokens[0])


@pytest.fixture(scope="module")
def signer() -> Provider:
    """Signs tokens; nobody asks it for any here."""
    return Provider(Path())


@pytest.fixture(scope="module")
def server(signer: Provider) -> Iterator[Dovecot]:
    with dovecot_with_tokens(signer) as running:
        yield running


def account(port: int, user: str, purse: Purse, *, method: str = "auto", **changed: object) -> Account:
    oauth = {"kind": "microsoft-device", "client_id": "x", "tenant": "y", "method": method}
    values = {"host": "127.0.0.1", "port": port, "username": user, "security": "plain", "oauth": oauth}
    return Account(name="office", section=MailboxSection.model_validate(values | changed), tokens=purse)


def open_and_close(who: Account) -> None:
    mailbox = open_mailbox(who)
    assert mailbox.capabilities.move, "what the server offers after the login counts, and not what it offered before"
    mailbox.select("INBOX", read_only=True)
    mailbox.close()


@pytest.mark.parametrize("method", ["auto", "oauthbearer", "xoauth2"])
def test_a_token_logs_in_by_either_way(server: Dovecot, signer: Provider, user: str, method: str) -> None:
    purse = Purse([signer.token(username=user)])
    with FaultProxy(server.port) as proxy:
        open_and_close(account(proxy.port, user, purse, method=method))

        assert proxy.commands.count("AUTHENTICATE") == 1
    assert purse.renewed == []


def test_a_token_logs_in_over_tls(server: Dovecot, signer: Provider, user: str) -> None:
    for security, port in (("tls", server.tls_port), ("starttls", server.port)):
        purse = Purse([signer.token(username=user)])
        open_and_close(account(port, user, purse, security=security, ca_file=server.certificate, host="localhost"))


@pytest.mark.parametrize("method", ["oauthbearer", "xoauth2"])
def test_a_token_that_has_ended_is_replaced_once_and_the_login_works(
    server: Dovecot, signer: Provider, user: str, method: str
) -> None:
    """Its provider said that it is good for longer, or one of the clocks is wrong."""
    ended, good = signer.token(seconds=-60, username=user), signer.token(username=user)
    purse = Purse([ended, good])

    open_and_close(account(server.port, user, purse, method=method))

    assert [one.get_secret_value() for one in purse.renewed] == [ended]


def test_a_login_that_the_server_refuses_once_is_tried_with_a_new_token(server: Dovecot, signer: Provider, user: str) -> None:
    purse = Purse([signer.token(username=user), signer.token(username=user)])
    fault = Fault(Kind.NO, "AUTHENTICATE", says="[AUTHENTICATIONFAILED] Authentication failed.")
    with FaultProxy(server.port, fault) as proxy:
        open_and_close(account(proxy.port, user, purse))

        assert proxy.struck
        assert proxy.commands.count("AUTHENTICATE") == 2
    assert len(purse.renewed) == 1


@pytest.mark.parametrize("method", ["oauthbearer", "xoauth2"])
def test_a_token_of_another_user_is_refused_after_two_tries_with_the_servers_reason(
    server: Dovecot, signer: Provider, user: str, method: str
) -> None:
    tokens = [signer.token(username="somebody"), signer.token(username="somebody")]
    purse = Purse(list(tokens))
    with FaultProxy(server.port) as proxy, pytest.raises(LoginRefused, match="AUTHENTICATIONFAILED") as caught:
        open_and_close(account(proxy.port, user, purse, method=method))

    assert proxy.commands.count("AUTHENTICATE") == 2
    assert len(purse.renewed) == 1
    assert "the app may not open this mailbox" in str(caught.value)
    assert "password" not in str(caught.value)
    chain = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert not [token for token in tokens if token in chain]


def test_a_token_that_somebody_forged_is_refused(server: Dovecot, signer: Provider, user: str) -> None:
    head, claims, _ = signer.token(username=user).split(".")
    _, _, signature = signer.token(username="somebody").split(".")
    purse = Purse([f"{head}.{claims}.{signature}"])

    with pytest.raises(LoginRefused):
        open_and_close(account(server.port, user, purse))


def test_a_server_that_has_no_time_now_costs_no_token(server: Dovecot, signer: Provider, user: str) -> None:
    purse = Purse([signer.token(username=user)])
    fault = Fault(Kind.NO, "AUTHENTICATE", says="[UNAVAILABLE] Temporary authentication failure.")
    with FaultProxy(server.port, fault) as proxy:
        with pytest.raises(MailboxUnavailable):
            open_and_close(account(proxy.port, user, purse))
        open_and_close(account(proxy.port, user, purse))

        assert proxy.commands.count("AUTHENTICATE") == 2
    assert purse.renewed == []


@pytest.mark.parametrize("kind", [Kind.CUT_BEFORE, Kind.BYE])
def test_a_connection_that_breaks_in_the_login_costs_no_token(server: Dovecot, signer: Provider, user: str, kind: Kind) -> None:
    purse = Purse([signer.token(username=user)])
    with FaultProxy(server.port, Fault(kind, "AUTHENTICATE")) as proxy:
        open_and_close(account(proxy.port, user, purse))

        assert proxy.struck
    assert purse.renewed == []


def test_a_server_that_takes_no_tokens_is_shown_none(dovecot: Dovecot, user: str) -> None:
    with FaultProxy(dovecot.port) as proxy, pytest.raises(LoginNotOffered, match="OAUTHBEARER or XOAUTH2") as caught:
        open_and_close(account(proxy.port, user, Purse(["token"])))

    assert caught.value.exit_code == EXIT_CONFIG
    assert "AUTHENTICATE" not in proxy.commands


def test_a_server_that_takes_no_password_is_told_none_and_tokens_are_named(user: str) -> None:
    if DOVECOT is None:
        pytest.skip("no Dovecot on this machine: apt-get install dovecot-imapd")
    with Dovecot(MAILDIR, capability="IMAP4rev1 LOGINDISABLED") as server:
        values = {"host": "localhost", "port": server.tls_port, "username": user, "ca_file": server.certificate}
        section = MailboxSection.model_validate(values | {"password_env": "UNUSED"})

        with pytest.raises(LoginNotOffered, match=r"takes no password; log in with tokens: docs/login\.md"):
            open_mailbox(Account(name="office", section=section, password=SecretStr("secret")))

        assert "Login:" not in (server.folder / "dovecot.log").read_text()


def test_a_provider_that_is_away_is_heard_as_such(server: Dovecot, user: str) -> None:
    class Away(Purse):
        def token(self) -> SecretStr:
            raise MailboxUnavailable("mailbox office: login.example cannot be reached for a token")

    with FaultProxy(server.port) as proxy, pytest.raises(MailboxUnavailable, match=r"login\.example"):
        open_and_close(account(proxy.port, user, Away([])))

    assert proxy.commands == []
