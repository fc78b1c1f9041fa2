"""Tokens from Microsoft, by MSAL: an app of its own (client credentials), or a person at another device (RFC 8628).

MSAL is used for one request at a time and keeps nothing: what it would remember is in our own store, written atomically.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msal
from pydantic import SecretStr

from cubbyd.clock import Clock
from cubbyd.config import OAuthSection
from cubbyd.errors import LoginRefused, MailboxError
from cubbyd.oauth.border import Voice
from cubbyd.oauth.grant import Grant, refresh_token_of
from cubbyd.oauth.http import Session
from cubbyd.oauth.provider import DeviceCode

PEM: Final = re.compile(r"-----BEGIN (?P<kind>[A-Z ]+)-----.+?-----END (?P=kind)-----", re.DOTALL)


class MicrosoftApp:
    """An app that logs in as itself; nobody has to consent but once, an administrator."""

    needs_person = False

    def __init__(self, section: OAuthSection, voice: Voice, clock: Clock, secret: SecretStr) -> None:
        """`secret`: the client secret, or a certificate with its key. Raises ValueError where it is neither."""
        self._section, self._voice, self._clock = section, voice, clock
        self.host = voice.host
        self._secret, self._is_certificate = secret, bool(section.certificate_file or section.certificate_credential)
        self.credential_ends_at = read_certificate(secret)[1] if self._is_certificate else None

    def renew(self, grant: Grant | None) -> Grant:  # noqa: ARG002  (there is nothing to go on from)
        """Get a token for the app itself."""
        section = self._section
        with _Answers(self._voice) as ask:
            proof = read_certificate(self._secret)[0] if self._is_certificate else self._secret.get_secret_value()
            app = msal.ConfidentialClientApplication(section.client_id, client_credential=proof, **_about(section, self._voice))
            answer = ask(app.acquire_token_for_client([section.effective_scope]))
        return _grant(answer, self._clock.now(), None)


class MicrosoftDevice:
    """A person who has typed a code once; from then on refresh tokens, each of which may end the one before."""

    needs_person = True
    credential_ends_at: datetime | None = None

    def __init__(self, section: OAuthSection, voice: Voice, clock: Clock) -> None:
        """Nobody is asked yet."""
        self._section, self._voice, self._clock = section, voice, clock
        self.host = voice.host

    def renew(self, grant: Grant | None) -> Grant:
        """Get a token for the refresh token."""
        before = refresh_token_of(grant)
        with _Answers(self._voice, before) as ask:
            app, scopes = self._app(), [self._section.effective_scope]
            answer = ask(app.acquire_token_by_refresh_token(before.get_secret_value(), scopes))
        return _grant(answer, self._clock.now(), before)

    def log_in(self, show: Callable[[DeviceCode], None]) -> Grant:
        """Get a code, show it, and ask as often as the provider wants to be asked until it was typed."""
        with _Answers(self._voice) as ask:
            app = self._app()
            flow = app.initiate_device_flow([self._section.effective_scope])
            if "user_code" not in flow:
                raise self._voice.refused(flow)
            until = datetime.fromtimestamp(flow["expires_at"], UTC)
            show(DeviceCode(address=flow["verification_uri"], code=flow["user_code"], expires_at=until))
            answer = ask(app.acquire_token_by_device_flow(flow))
        return _grant(answer, self._clock.now(), None)

    def _app(self) -> Any:
        return msal.PublicClientApplication(self._section.client_id, **_about(self._section, self._voice))


def read_certificate(secret: SecretStr) -> tuple[dict[str, str], datetime]:
    """Take a certificate and its key out of a PEM file; tell also when it ends. Raises ValueError where one is missing."""
    from cryptography import x509

    blocks = [found[0] for found in PEM.finditer(secret.get_secret_value())]
    keys = [block for block in blocks if "PRIVATE KEY-----" in block]
    certificates = [block for block in blocks if "BEGIN CERTIFICATE-----" in block]
    if len(keys) != 1 or not certificates:
        raise ValueError("must hold the certificate and its private key, without a passphrase, both as PEM")
    ends_at = x509.load_pem_x509_certificate(certificates[0].encode()).not_valid_after_utc
    return {"private_key": keys[0], "public_certificate": "\n".join(certificates)}, ends_at


def _about(section: OAuthSection, voice: Voice) -> dict[str, Any]:
    """What both kinds of apps are told; the authority is the admin's own choice, and no other host is asked about it."""
    return {
        "authority": f"{section.authority}/{section.tenant}",
        "instance_discovery": False,
        "http_client": Session(section.ca_file, section.timeout_seconds),
        "token_cache": msal.TokenCache(),
        "app_name": f"cubbyd, mailbox {voice.mailbox}",
    }


class _Answers:
    """The border to MSAL: takes its answers, and turns what it raises into ours."""

    def __init__(self, voice: Voice, *secrets: SecretStr) -> None:
        self._voice, self._secrets = voice, secrets

    def __enter__(self) -> Callable[[dict[str, Any] | None], dict[str, Any]]:
        return self._take

    def _take(self, answer: dict[str, Any] | None) -> dict[str, Any]:
        if not answer or not answer.get("access_token"):
            raise self._voice.refused(answer or {}, *self._secrets)
        return answer

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Nothing of theirs goes on, not even as a cause: it may hold what was sent."""
        if isinstance(error, MailboxError):
            return
        if isinstance(error, OSError | RuntimeError | msal.exceptions.MsalError):
            raise self._voice.unreachable(error) from None
        if isinstance(error, ValueError | KeyError | TypeError | AttributeError):
            raise LoginRefused(
                f"mailbox {self._voice.mailbox}: {self._voice.host} gave no answer that makes sense ({type(error).__name__}); "
                "check tenant and authority"
            ) from None


def _grant(answer: dict[str, Any], now: datetime, before: SecretStr | None) -> Grant:
    given = answer.get("refresh_token")
    return Grant(
        access_token=SecretStr(answer["access_token"]),
        expires_at=now + timedelta(seconds=int(answer.get("expires_in", 3600))),
        refresh_token=SecretStr(given) if given else before,
    )
