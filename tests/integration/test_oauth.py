"""Tokens from Microsoft and Google, over a real socket with TLS, from a provider that validates every request."""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.keys import private_file
from tests.oauth import CLIENT, GOOGLE_SCOPE, SECRET, TENANT, Provider, consent

from cubbyd.config import MailboxSection
from cubbyd.errors import ConfigError, LoginEnded, LoginRefused, MailboxUnavailable
from cubbyd.mailbox import Account
from cubbyd.oauth import BrowserProvider, DeviceCode, DeviceProvider, Grant, Tokens, open_tokens
from cubbyd.service.account import login_ends
from cubbyd.testing import HandClock

CONFIG = Path("cubbyd.toml")
REDIRECT = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the certificate is that all providers of these tests have."""
    return tmp_path_factory.mktemp("provider")


@pytest.fixture
def provider(folder: Path) -> Iterator[Provider]:
    with Provider(folder) as running:
        yield running
        assert running.faults == []


def section(provider: Provider, kind: str, **changed: object) -> MailboxSection:
    """A mailbox whose tokens come from the provider."""
    oauth: dict[str, object] = {"kind": kind, "ca_file": provider.ca_file, "timeout_seconds": 20}
    if kind.startswith("microsoft"):
        oauth |= {"tenant": TENANT, "client_id": CLIENT, "authority": provider.url}
    else:
        oauth |= {"authorization_url": f"{provider.url}/auth", "token_url": f"{provider.url}/token"}
    if kind in {"microsoft-app", "google"} and "certificate_file" not in changed:
        oauth |= {"client_secret_file": provider.write_secret()}
    if kind == "google":
        oauth |= {"client_id": CLIENT}
    if kind == "google-service" and "service_account_file" not in changed:
        oauth |= {"service_account_file": provider.write_service_key()}
    values = {"host": "mail.example.org", "username": provider.username, "oauth": oauth | changed}
    return MailboxSection.model_validate(values)


def tokens(provider: Provider, kind: str, state: Path, clock: HandClock | None = None, **changed: object) -> Tokens:
    return open_tokens(CONFIG, "office", section(provider, kind, **changed), state, {}, clock)


def log_in(provider: Provider, source: Tokens) -> Grant:
    """A person logs in."""
    client = source.provider
    if isinstance(client, DeviceProvider):
        grant = client.log_in(lambda _: provider.approve())
    else:
        assert isinstance(client, BrowserProvider)
        grant = client.finish(consent(client.begin(REDIRECT), provider.ca_file))
    source.adopt(grant)
    return grant


KINDS = ["microsoft-app", "microsoft-device", "google", "google-service"]
PERSONS = ["microsoft-device", "google"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_got_and_used_until_five_minutes_before_its_end(provider: Provider, kind: str, tmp_path: Path) -> None:
    source = tokens(provider, kind, tmp_path)
    if kind in PERSONS:
        log_in(provider, source)
    first = source.token()
    asked = len(provider.grants)

    assert source.token() == first
    assert len(provider.grants) == asked

    provider.lifetime = 299
    second = source.renew(first)
    third = source.token()

    assert len({first, second, third}) == 3, "with 299 seconds left it is replaced"
    assert len(provider.grants) == asked + 2
    assert source.expires_at is not None
    assert abs(source.expires_at - datetime.now(UTC) - timedelta(seconds=299)) < timedelta(seconds=20)


@pytest.mark.parametrize("kind", PERSONS)
def test_a_login_survives_a_restart_and_each_refresh_token_is_used_once(provider: Provider, kind: str, tmp_path: Path) -> None:
    log_in(provider, tokens(provider, kind, tmp_path))

    for _ in range(3):
        restarted = tokens(provider, kind, tmp_path)
        old = restarted.token()
        assert restarted.renew(old) != old

    assert len(provider.refreshers) == 1, "of four, three were used up"
    assert (tmp_path / "tokens" / "office.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", PERSONS)
def test_a_provider_that_does_not_rotate_is_asked_with_the_same_token_again(
    provider: Provider, kind: str, tmp_path: Path
) -> None:
    provider.rotates = False
    source = tokens(provider, kind, tmp_path)
    log_in(provider, source)

    source.renew(source.token())
    source.renew(source.token())

    assert provider.grants[1:] == ["refresh_token", "refresh_token"]


@pytest.mark.parametrize("kind", PERSONS)
def test_a_revoked_login_says_the_command_is_not_asked_for_again_and_works_once_somebody_has_logged_in(
    provider: Provider, kind: str, tmp_path: Path
) -> None:
    daemon = tokens(provider, kind, tmp_path)
    log_in(provider, daemon)
    old = daemon.token()
    provider.revoke()

    with pytest.raises(LoginEnded, match="run: cubbyd login office") as caught:
        daemon.renew(old)
    assert "invalid_grant" in str(caught.value)
    assert caught.value.exit_code == 77

    provider.down = True  # whoever asked it now would hear something else
    with pytest.raises(LoginEnded, match="run: cubbyd login office"):
        daemon.renew(old)

    provider.down = False
    log_in(provider, tokens(provider, kind, tmp_path))  # another process: cubbyd login
    assert daemon.token() != old


@pytest.mark.parametrize("kind", PERSONS)
def test_before_the_first_login_the_command_is_named_and_nobody_is_asked(provider: Provider, kind: str, tmp_path: Path) -> None:
    with pytest.raises(LoginEnded, match="nobody has logged in yet; run: cubbyd login office"):
        tokens(provider, kind, tmp_path).token()

    assert provider.grants == []


def test_processes_share_a_login_and_use_up_no_token_of_each_other(provider: Provider, tmp_path: Path) -> None:
    log_in(provider, tokens(provider, "microsoft-device", tmp_path))
    sources = [tokens(provider, "microsoft-device", tmp_path) for _ in range(6)]
    refused = sources[0].token()
    given: list[SecretStr] = []

    threads = [threading.Thread(target=lambda one=one: given.append(one.renew(refused))) for one in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(given) == 6
    assert len(set(given)) == 1, "the first got a new token, and the others took that"
    assert provider.grants.count("refresh_token") == 1


@pytest.mark.slow
def test_a_device_code_is_shown_and_waited_for(provider: Provider, tmp_path: Path) -> None:
    shown: list[DeviceCode] = []
    client = tokens(provider, "microsoft-device", tmp_path).provider
    assert isinstance(client, DeviceProvider)

    def later(code: DeviceCode) -> None:
        shown.append(code)
        threading.Timer(0.3, provider.approve).start()

    grant = client.log_in(later)

    assert provider.polls == ["authorization_pending"]
    assert (shown[0].code, shown[0].address) == ("B4BCDEFGH", "https://microsoft.example/devicelogin")
    assert grant.refresh_token is not None


@pytest.mark.slow
def test_a_provider_that_wants_to_be_asked_less_often_is(provider: Provider, tmp_path: Path) -> None:
    client = tokens(provider, "microsoft-device", tmp_path).provider
    assert isinstance(client, DeviceProvider)
    provider.early = True

    client.log_in(lambda _: threading.Timer(0.5, provider.approve).start() or None)  # type: ignore[func-returns-value]

    assert provider.polls == ["slow_down"], "the next poll came six seconds later, and was right"


def test_a_certificate_logs_an_app_in_and_tells_when_it_ends(provider: Provider, tmp_path: Path) -> None:
    file = provider.write_certificate(days=30)

    source = tokens(provider, "microsoft-app", tmp_path, certificate_file=file)

    account = Account(name="office", section=section(provider, "microsoft-app", certificate_file=file), tokens=source)
    without = Account(name="kitchen", section=account.section, password=SecretStr("x"))
    assert login_ends([account, without]) == {"office": source.credential_ends_at}, "known before anybody was asked"
    assert source.token().get_secret_value()
    assert source.credential_ends_at is not None
    assert timedelta(days=29) < source.credential_ends_at - datetime.now(UTC) < timedelta(days=31)
    accounts = [
        Account(name="office", section=section(provider, "microsoft-app"), tokens=source),
        Account(name="kitchen", section=section(provider, "microsoft-app"), password=SecretStr("lettuce")),
    ]
    assert login_ends(accounts) == {"office": source.credential_ends_at}, "the metrics tell it"


def test_a_login_of_a_google_project_in_testing_tells_when_it_ends(provider: Provider, tmp_path: Path) -> None:
    provider.personal_seconds = 604_799
    source = tokens(provider, "google", tmp_path)
    log_in(provider, source)
    source.renew(source.token())

    ends_at = tokens(provider, "google", tmp_path)
    ends_at.token()
    assert ends_at.credential_ends_at == source.credential_ends_at
    assert source.credential_ends_at is not None
    assert source.credential_ends_at - datetime.now(UTC) < timedelta(days=7)


def test_an_answer_to_another_login_is_refused_and_its_code_not_used(provider: Provider, tmp_path: Path) -> None:
    client = tokens(provider, "google", tmp_path).provider
    assert isinstance(client, BrowserProvider)
    other = consent(client.begin(REDIRECT), provider.ca_file)
    client.begin(REDIRECT)

    with pytest.raises(LoginRefused, match="not the answer to this login"):
        client.finish(other)

    assert provider.grants == []


def test_a_person_who_says_no_is_told_so(provider: Provider, tmp_path: Path) -> None:
    client = tokens(provider, "google", tmp_path).provider
    assert isinstance(client, BrowserProvider)
    state = dict(part.split("=") for part in client.begin(REDIRECT).partition("?")[2].split("&"))["state"]

    with pytest.raises(LoginRefused, match=r"access_denied.*said no"):
        client.finish(f"{REDIRECT}?error=access_denied&state={state}")


@pytest.mark.parametrize(
    ("kind", "changed", "said"),
    [
        ("microsoft-app", {"client_id": "another"}, "client_id is no app of this tenant"),
        ("microsoft-app", {"tenant": "nowhere.example"}, "check tenant and authority"),
        ("microsoft-app", {"scope": "https://graph.example/.default"}, "check scope"),
        ("google-service", {"scope": "https://mail.google.com/feed"}, "check scope"),
    ],
)
def test_a_wrong_configuration_is_refused_with_a_way_out(
    folder: Path, tmp_path: Path, kind: str, changed: dict[str, object], said: str
) -> None:
    with Provider(folder) as provider, pytest.raises(LoginRefused, match=said) as caught:
        tokens(provider, kind, tmp_path, None, **changed).token()

    assert "mailbox office: localhost" in str(caught.value)
    assert not isinstance(caught.value, LoginEnded)


def test_a_wrong_client_secret_is_named_and_not_shown(provider: Provider, tmp_path: Path) -> None:
    wrong = private_file(tmp_path / "wrong", "beetroot-secret\n")

    for kind in ("microsoft-app", "google"):
        source = tokens(provider, kind, tmp_path, client_secret_file=wrong)
        with pytest.raises(LoginRefused, match=r"secret is wrong|client's secret") as caught:
            source.token() if kind == "microsoft-app" else log_in(provider, source)
        assert "beetroot" not in f"{caught.value!r} {caught.value.__cause__!r} {source!r} {vars(source.provider)!r}"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_careless_provider_repeats_is_in_no_error(folder: Path, tmp_path: Path, kind: str) -> None:
    with Provider(folder, echoes=True) as provider:
        source = tokens(provider, kind, tmp_path)
        if kind in PERSONS:
            log_in(provider, source)
            old = source.token()
            provider.revoke()
        else:
            provider.username, old = "somebody-else", SecretStr("")
            source = tokens(provider, kind, tmp_path, scope=GOOGLE_SCOPE + "no")
        with pytest.raises(LoginRefused) as caught:
            source.renew(old)

    text = f"{caught.value!r}{caught.value.__cause__!r}"
    assert not [secret for secret in (*provider.issued, SECRET) if secret in text]
    assert "assertion=" not in text


@pytest.mark.parametrize("kind", [*KINDS[:2], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[2:])])
def test_a_provider_that_is_away_is_waited_for_and_is_no_wrong_login(provider: Provider, kind: str, tmp_path: Path) -> None:
    source = tokens(provider, kind, tmp_path, timeout_seconds=2)
    old = SecretStr("old")
    if kind in PERSONS:
        log_in(provider, source)
        old = source.token()
    provider.down = True

    with pytest.raises(MailboxUnavailable, match="localhost cannot be reached for a token"):
        source.renew(old)

    provider.down = False
    assert source.renew(old) != old


@pytest.mark.parametrize("kind", KINDS)
def test_a_provider_whose_certificate_is_not_trusted_is_told_no_secret(provider: Provider, kind: str, tmp_path: Path) -> None:
    source = tokens(provider, kind, tmp_path)
    if kind in PERSONS:
        log_in(provider, source)
    asked = len(provider.grants)
    untrusting = tokens(provider, kind, tmp_path, ca_file=None)

    with pytest.raises(MailboxUnavailable, match="cannot be reached for a token"):
        untrusting.renew(untrusting.token() if kind in PERSONS else SecretStr(""))

    assert len(provider.grants) == asked


def test_what_is_no_key_is_named_and_not_shown(provider: Provider, tmp_path: Path) -> None:
    odd = private_file(tmp_path / "odd", '{"beetroot": 1}')

    with pytest.raises(ConfigError, match=r"oauth\.service_account.*no key file") as caught:
        tokens(provider, "google-service", tmp_path, service_account_file=odd)
    assert "beetroot" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"oauth\.certificate.*private key"):
        tokens(provider, "microsoft-app", tmp_path, certificate_file=odd)
    with pytest.raises(ConfigError, match=r"oauth\.ca_file.*is no file"):
        tokens(provider, "microsoft-device", tmp_path, ca_file=tmp_path / "nowhere")


def test_the_provider_of_these_tests_refuses_what_a_real_one_would(folder: Path) -> None:
    """A test of the tests: a provider that takes everything would prove nothing."""
    with Provider(folder) as provider:
        context = ssl.create_default_context(cafile=str(provider.ca_file))
        for body in (b"", b"grant_type=password", b"grant_type=a&grant_type=b", f"client_id={CLIENT}&scope=x".encode()):
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(f"{provider.url}/{TENANT}/oauth2/v2.0/token", body, timeout=10, context=context)
        wrong = f"client_id={CLIENT}&redirect_uri=http://127.0.0.1:9&state=x"
        assert not consent(f"{provider.url}/auth?{wrong}", provider.ca_file)
        assert provider.grants == []
