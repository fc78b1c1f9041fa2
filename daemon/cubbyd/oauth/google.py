"""Tokens from Google, by its own libraries: for a person in a browser, or for a service account that acts for the mailbox.

Sources: developers.google.com, "OAuth 2.0 for iOS & Desktop Apps" and "Using OAuth 2.0 for Server to Server Applications";
RFC 8252 (loopback), RFC 7636 (PKCE).
"""

from __future__ import annotations

import hmac
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from google.oauth2.service_account import Credentials as ServiceCredentials
from google_auth_oauthlib.flow import Flow
from oauthlib.oauth2.rfc6749.errors import OAuth2Error
from pydantic import SecretStr

from cubbyd.clock import Clock
from cubbyd.config import OAuthSection
from cubbyd.errors import LoginRefused, MailboxError
from cubbyd.oauth.border import Voice
from cubbyd.oauth.grant import Grant, refresh_token_of
from cubbyd.oauth.http import Session

PERSONAL: Final = "refresh_token_expires_in"
"""How Google says, in seconds, that a login ends by itself: that of a project in testing does after seven days."""


class GooglePerson:
    """A person who consented once in a browser; from then on a refresh token."""

    needs_person = True
    credential_ends_at: datetime | None = None

    def __init__(self, section: OAuthSection, voice: Voice, clock: Clock, secret: SecretStr) -> None:
        """`secret`: the client secret, which Google wants of programs on a desktop, too."""
        self._section, self._voice, self._clock, self._secret = section, voice, clock, secret
        self.host = voice.host
        self._flow: Any = None
        self._state = ""

    def renew(self, grant: Grant | None) -> Grant:
        """Get a token for the refresh token."""
        before = refresh_token_of(grant)
        credentials = Credentials(  # type: ignore[no-untyped-call]
            None,
            refresh_token=before.get_secret_value(),
            token_uri=self._section.token_url,
            client_id=self._section.client_id,
            client_secret=self._secret.get_secret_value(),
        )
        with _border(self._voice, before):
            credentials.refresh(_request(self._section))  # type: ignore[no-untyped-call]
        return _grant(credentials, before, grant.ends_at if grant else None)

    def begin(self, redirect: str) -> str:
        """Make the address where the person consents: with a fresh state, and the hash of a fresh PKCE verifier."""
        section = self._section
        client = {
            "client_id": section.client_id,
            "client_secret": self._secret.get_secret_value(),
            "auth_uri": section.authorization_url,
            "token_uri": section.token_url,
        }
        self._flow = Flow.from_client_config(
            {"installed": client}, scopes=[section.effective_scope], redirect_uri=redirect, autogenerate_code_verifier=True
        )
        address, self._state = self._flow.authorization_url(
            access_type="offline", prompt="consent", login_hint=self._voice.username
        )
        return str(address)

    def finish(self, answer: str) -> Grant:
        """Take the address that the browser was sent to, and exchange the code in it."""
        given = {key: values[0] for key, values in parse_qs(urlsplit(answer.strip()).query).items()}
        if not hmac.compare_digest(given.get("state", "").encode(), self._state.encode()):
            raise LoginRefused(
                f"mailbox {self._voice.mailbox}: this is not the answer to this login (its state differs); begin again, and "
                "give the whole address that the browser shows at the end"
            )
        if "code" not in given:
            raise self._voice.refused(given)
        with _border(self._voice, SecretStr(given["code"])), warnings.catch_warnings():
            warnings.simplefilter("error", Warning)  # oauthlib warns of another scope than was asked for
            session = self._flow.oauth2session
            session.trust_env, session.max_redirects = False, 0
            own = Session(self._section.ca_file, self._section.timeout_seconds)
            token = self._flow.fetch_token(code=given["code"], timeout=self._section.timeout_seconds, verify=own.verify)
            credentials = self._flow.credentials
        if not credentials.refresh_token:
            raise LoginRefused(
                f"mailbox {self._voice.mailbox}: {self.host} gave no refresh token; is the client a desktop app?"
            )
        seconds = token.get(PERSONAL)
        ends_at = self._clock.now() + timedelta(seconds=int(seconds)) if seconds else None
        return _grant(credentials, SecretStr(credentials.refresh_token), ends_at)


class GoogleService:
    """A service account of a Workspace that an administrator lets act for its mailboxes."""

    needs_person = False
    credential_ends_at: datetime | None = None

    def __init__(self, section: OAuthSection, voice: Voice, key: dict[str, Any]) -> None:
        """`key`: the content of the account's key file. Raises ValueError where it is none."""
        self._section, self._voice = section, voice
        self.host = voice.host
        try:
            self._credentials = ServiceCredentials.from_service_account_info(  # type: ignore[no-untyped-call]
                key | {"token_uri": section.token_url}, scopes=[section.effective_scope], subject=voice.username
            )
        except (GoogleAuthError, ValueError, KeyError, TypeError):
            raise ValueError("is no key file of a service account, as Google's console gives it (JSON)") from None

    def renew(self, grant: Grant | None) -> Grant:  # noqa: ARG002  (there is nothing to go on from)
        """Get a token for a statement that is signed with the account's key (RFC 7523)."""
        with _border(self._voice):
            self._credentials.refresh(_request(self._section))
        return _grant(self._credentials, None, None)


def _request(section: OAuthSection) -> Request:
    return Request(Session(section.ca_file, section.timeout_seconds))


def _grant(credentials: Any, refresh_token: SecretStr | None, ends_at: datetime | None) -> Grant:
    """Google's library counts in UTC without saying so."""
    given = getattr(credentials, "refresh_token", None)
    return Grant(
        access_token=SecretStr(credentials.token),
        expires_at=credentials.expiry.replace(tzinfo=UTC),
        refresh_token=SecretStr(given) if given else refresh_token,
        ends_at=ends_at,
    )


@contextmanager
def _border(voice: Voice, *secrets: SecretStr) -> Iterator[None]:
    """Turn what the libraries raise into ours; nothing of theirs goes on as a cause, as it may hold what was sent."""
    try:
        yield
    except MailboxError:
        raise
    except (TransportError, OSError) as error:
        raise voice.unreachable(error) from None
    except RefreshError as error:
        answers = [part for part in error.args if isinstance(part, dict)]
        if error.retryable or not answers:  # an answer without JSON is a proxy's, or that of a server in trouble
            raise voice.unreachable(error) from None
        raise voice.refused(answers[0], *secrets) from None
    except OAuth2Error as error:
        raise voice.refused({"error": error.error, "error_description": error.description}, *secrets) from None
    except (GoogleAuthError, Warning, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoginRefused(
            f"mailbox {voice.mailbox}: {voice.host} gave no answer that makes sense ({type(error).__name__}); "
            "check token_url and scope"
        ) from None
