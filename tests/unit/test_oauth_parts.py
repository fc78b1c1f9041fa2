"""How tokens are kept, handed out and shown: the parts, each by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from cubbyd.config import SaslMethod
from cubbyd.config.learned import LearnedSecrets
from cubbyd.errors import LoginEnded, LoginNotOffered, LoginRefused, MailboxError, MailboxUnavailable
from cubbyd.mailbox.bearer import Bearer, choose_mechanism, status_of
from cubbyd.oauth import Grant, GrantStore, Tokens
from cubbyd.oauth.border import Voice
from cubbyd.testing import HandClock

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
GRANT = Grant(
    access_token=SecretStr("access-beetroot"), expires_at=NOW + timedelta(hours=1), refresh_token=SecretStr("refresh-beetroot")
)


@dataclass
class Giver:
    """Gives a new grant each time it is asked, or fails as it is told to."""

    needs_person: bool = True
    host: str = "login.example"
    credential_ends_at: datetime | None = None
    failure: MailboxError | None = None
    asked: list[Grant | None] = field(default_factory=list)

    def renew(self, grant: Grant | None) -> Grant:
        self.asked.append(grant)
        if self.failure:
            raise self.failure
        number = len(self.asked)
        return replace(GRANT, access_token=SecretStr(f"access-{number}"), refresh_token=SecretStr(f"refresh-{number}"))


@pytest.fixture
def store(tmp_path: Path) -> GrantStore:
    return GrantStore(tmp_path, "office", "google x")


# --- the store ---------------------------------------------------------------------------------------------------------


def test_a_grant_is_kept_as_it_is_and_shown_to_nobody(store: GrantStore) -> None:
    grant = replace(GRANT, ends_at=NOW + timedelta(days=7))

    assert store.load() is None
    store.save(grant)

    assert store.load() == grant
    assert store.file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in store.file.parent.iterdir()] == ["office.json"]
    assert "beetroot" not in f"{grant!r} {store!r} {vars(store)!r}"


def test_tokens_of_another_client_are_none(store: GrantStore, tmp_path: Path) -> None:
    store.save(GRANT)

    assert GrantStore(tmp_path, "office", "google y").load() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1, "client": "google x"}', "null", '{"client": "google x"'])
def test_a_damaged_file_names_the_command_that_mends_it(store: GrantStore, text: str) -> None:
    store.save(GRANT)
    store.file.write_text(text)

    with pytest.raises(LoginEnded, match="is damaged; run: cubbyd login office"):
        store.load()


def test_a_file_with_odd_values_is_damaged_too_and_not_shown(store: GrantStore) -> None:
    store.save(GRANT)
    values = json.loads(store.file.read_text())
    for wrong in (
        {"access_token": 5},
        {"access_token": ""},
        {"expires_at": "yesterday"},
        {"expires_at": "2026-11-21T08:00:00"},
    ):
        store.file.write_text(json.dumps(values | wrong))
        with pytest.raises(LoginEnded, match="is damaged") as caught:
            store.load()
        assert "beetroot" not in f"{caught.value} {caught.value.__cause__}"


def test_a_file_that_others_can_read_is_refused(store: GrantStore) -> None:
    store.save(GRANT)
    store.file.chmod(0o640)

    with pytest.raises(LoginRefused, match=r"can be read by others \(mode 0640\); run: chmod 600"):
        store.load()


KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from pydantic import SecretStr
from cubbyd.oauth.grant import Grant
from cubbyd.oauth.store import GrantStore
import cubbyd.oauth.store as part

def die(*arguments):
    os._exit(9)

setattr(*{"fsync": (part.os, "fsync"), "replace": (part.Path, "replace")}[sys.argv[2]], die)
grant = Grant(access_token=SecretStr("new"), expires_at=datetime.now(UTC), refresh_token=SecretStr("new"))
GrantStore(Path(sys.argv[1]), "office", "google x").save(grant)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_killed_in_the_middle_of_writing_the_old_tokens_are_there_whole(store: GrantStore, tmp_path: Path, where: str) -> None:
    store.save(GRANT)

    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), where], check=False, timeout=60)

    assert done.returncode == 9
    assert store.load() == GRANT
    assert {file.stat().st_mode & 0o777 for file in store.file.parent.iterdir()} == {0o600}
    store.save(GRANT)
    assert [file.name for file in store.file.parent.iterdir()] == ["office.json"], "nothing with tokens is left about"


# --- the source --------------------------------------------------------------------------------------------------------


def test_a_token_serves_until_five_minutes_before_its_end(store: GrantStore) -> None:
    giver, clock = Giver(), HandClock(NOW)
    source = Tokens("office", giver, store, clock)
    source.adopt(GRANT)

    clock.advance(55 * 60)
    assert source.token() == GRANT.access_token
    clock.advance(1)
    assert source.token() == SecretStr("access-1")

    assert giver.asked == [GRANT]
    loaded = store.load()
    assert loaded is not None
    assert loaded.refresh_token == SecretStr("refresh-1"), "on the disk before it is used"


def test_whatever_token_it_holds_is_kept_out_of_the_log(store: GrantStore, monkeypatch: pytest.MonkeyPatch) -> None:
    learned = LearnedSecrets()
    monkeypatch.setattr("cubbyd.oauth.source.LEARNED", learned)
    store.save(GRANT)
    clock = HandClock(NOW)
    source = Tokens("office", Giver(), store, clock)
    source.token()
    clock.advance(3600)
    source.token()

    held = (GRANT.access_token, GRANT.refresh_token or SecretStr(""), SecretStr("access-1"), SecretStr("refresh-1"))
    for secret in held:
        assert learned.hide(f"refused: {secret.get_secret_value()}") == "refused: [hidden]"


def test_where_no_person_is_needed_nothing_is_kept(store: GrantStore) -> None:
    source = Tokens("office", Giver(needs_person=False), store, HandClock(NOW))

    assert source.expires_at is None
    first = source.token()
    assert source.token() == first
    assert source.renew(first) == SecretStr("access-2")
    assert not store.file.parent.exists()


def test_a_token_that_cannot_be_written_down_serves_from_memory_and_is_written_later(
    store: GrantStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    giver, clock = Giver(), HandClock(NOW)
    source = Tokens("office", giver, store, clock)
    source.adopt(GRANT)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert source.renew(GRANT.access_token) == SecretStr("access-1")
        assert source.token() == SecretStr("access-1")
    clock.advance(3600)

    assert source.token() == SecretStr("access-2")
    assert giver.asked[1] is not None
    assert giver.asked[1].refresh_token == SecretStr("refresh-1"), "the used-up one on the disk does not count"
    assert store.load() == source._grant


def test_a_dead_refresh_token_is_shown_to_the_provider_once(store: GrantStore) -> None:
    giver = Giver(failure=LoginEnded("invalid_grant"))
    source = Tokens("office", giver, store, HandClock(NOW + timedelta(hours=2)))
    source.adopt(GRANT)

    for _ in range(3):
        with pytest.raises(LoginEnded):
            source.token()
    assert len(giver.asked) == 1

    giver.failure = None
    store.save(replace(GRANT, refresh_token=SecretStr("another")))
    assert source.token() == SecretStr("access-2")


def test_the_nearest_end_of_a_login_is_told(store: GrantStore) -> None:
    giver = Giver(credential_ends_at=NOW + timedelta(days=30))
    source = Tokens("office", giver, store, HandClock(NOW))

    assert source.credential_ends_at == NOW + timedelta(days=30)
    source.adopt(replace(GRANT, ends_at=NOW + timedelta(days=7)))
    assert source.credential_ends_at == NOW + timedelta(days=7)
    assert source.expires_at == GRANT.expires_at


# --- what a provider says ----------------------------------------------------------------------------------------------

VOICE = Voice(
    mailbox="office", username="office@example.org", host="login.example", needs_person=True, secrets=(SecretStr("beetroot"),)
)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ({"error": "invalid_grant", "error_description": "AADSTS700082: expired"}, LoginEnded, "run: cubbyd login office"),
        ({"error": "interaction_required"}, LoginEnded, "run: cubbyd login office"),
        ({"error": "temporarily_unavailable"}, MailboxUnavailable, "tried again"),
        ({"error": "server_error"}, MailboxUnavailable, "tried again"),
        ({"error": "invalid_client", "error_description": "AADSTS7000222: x"}, LoginRefused, "the client secret has ended"),
        ({"error": "invalid_client"}, LoginRefused, "check client_id and the client's secret"),
        ({"error": "unauthorized_client", "error_description": "AADSTS65001: no"}, LoginRefused, "must consent"),
        ({"error": "invalid_grant", "error_description": "AADSTS53003: no"}, LoginEnded, "use microsoft-app"),
        ({}, LoginRefused, "said no token"),
        ({"error": "never_heard_of"}, LoginRefused, "docs/login.md"),
    ],
)
def test_each_error_of_a_provider_has_its_way_out(answer: dict[str, str], kind: type[MailboxError], said: str) -> None:
    error = VOICE.refused(answer)

    assert type(error) is kind
    assert said in str(error)
    assert "mailbox office: login.example said" in str(error)


def test_no_secret_and_no_riddle_of_a_provider_is_repeated() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwZXJzb24ifQ." + "s" * 80
    answer = {"error": "odd\x1b[2J", "error_description": f"sent beetroot, refresh-1 and {token}\nTrace ID: 5" + "x" * 500}

    text = str(VOICE.refused(answer, SecretStr("refresh-1")))

    assert not [word for word in ("beetroot", "refresh-1", "eyJ", "\x1b", "Trace", "\n") if word in text]
    assert len(text) < 400
    assert "beetroot" not in repr(VOICE)


# --- how a token is shown ----------------------------------------------------------------------------------------------


def test_each_way_of_showing_a_token_is_spelled_as_its_specification_says() -> None:
    token = SecretStr("abc")
    standard = Bearer(mechanism="OAUTHBEARER", username="a,b=c@example.org", token=token)
    older = Bearer(mechanism="XOAUTH2", username="office@example.org", token=token)

    assert standard.answer(b"") == b"n,a=a=2Cb=3Dc@example.org,\x01auth=Bearer abc\x01\x01"
    assert older.answer(b"") == b"user=office@example.org\x01auth=Bearer abc\x01\x01"
    assert standard.answer(b'{"status":"invalid_token"}') == b"\x01"
    assert older.answer(b'{"status":"401","schemes":"bearer"}') == b""
    assert (standard.status, older.status) == ("invalid_token", "401")
    assert "abc" not in repr(standard)


@pytest.mark.parametrize(
    "challenge", [b"", b"{", b"[]", b"5", b'{"status": 5}', b'{"status": "a\\nb"}', b"\xff", b'{"status":"%s"}' % (b"x" * 99)]
)
def test_a_reason_that_makes_no_sense_is_left_out(challenge: bytes) -> None:
    assert status_of(challenge) == ""


def test_the_standard_is_chosen_before_the_older_way_and_a_configured_one_before_both() -> None:
    both = {"AUTH=OAUTHBEARER", "AUTH=XOAUTH2"}

    assert choose_mechanism(SaslMethod.AUTO, both.__contains__, "x") == "OAUTHBEARER"
    assert choose_mechanism(SaslMethod.AUTO, {"AUTH=XOAUTH2"}.__contains__, "x") == "XOAUTH2"
    assert choose_mechanism(SaslMethod.XOAUTH2, both.__contains__, "x") == "XOAUTH2"
    with pytest.raises(LoginNotOffered, match="does not offer OAUTHBEARER;"):
        choose_mechanism(SaslMethod.OAUTHBEARER, {"AUTH=XOAUTH2"}.__contains__, "x")
