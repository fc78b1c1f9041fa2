"""How a mailbox logs in with tokens in the place of a password: `[mailboxes.NAME.oauth]`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from cubbyd.config.section import Section, Whole


def _https(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("tokens and secrets are sent there: give an address that begins with https://")
    if "@" in parts.netloc:
        raise ValueError("no user name and no password belong in this address")
    return value.rstrip("/")


HttpsAddress = Annotated[str, AfterValidator(_https)]


class OAuthKind(StrEnum):
    """Whose tokens, and who gives the consent."""

    MICROSOFT_APP = "microsoft-app"  # Microsoft 365, an app of its own without a person (client credentials)
    MICROSOFT_DEVICE = "microsoft-device"  # Microsoft 365, a person types a code once at another device
    GOOGLE = "google"  # Gmail, a person consents once in a browser (loopback and PKCE)
    GOOGLE_SERVICE = "google-service"  # Google Workspace, a service account that may act for the mailbox

    @property
    def needs_person(self) -> bool:
        """Whether a person must have logged in once, with `cubbyd login`."""
        return self in {OAuthKind.MICROSOFT_DEVICE, OAuthKind.GOOGLE}

    @property
    def is_microsoft(self) -> bool:
        """Whether Microsoft gives the tokens."""
        return self in {OAuthKind.MICROSOFT_APP, OAuthKind.MICROSOFT_DEVICE}


class SaslMethod(StrEnum):
    """How a token is shown to the mail server."""

    AUTO = "auto"  # the standard where the server offers it, else the older way
    OAUTHBEARER = "oauthbearer"  # RFC 7628
    XOAUTH2 = "xoauth2"  # Google's and Microsoft's own


CLIENT_SECRET = ("client_secret_file", "client_secret_credential", "client_secret_env")
CERTIFICATE = ("certificate_file", "certificate_credential")
SERVICE_ACCOUNT = ("service_account_file", "service_account_credential")
OAUTH_PATHS = ("client_secret_file", "certificate_file", "service_account_file", "ca_file")

ALLOWED_SECRETS = {
    OAuthKind.MICROSOFT_APP: CLIENT_SECRET + CERTIFICATE,
    OAuthKind.MICROSOFT_DEVICE: (),
    OAuthKind.GOOGLE: CLIENT_SECRET,
    OAuthKind.GOOGLE_SERVICE: SERVICE_ACCOUNT,
}
"""Of these keys exactly one is given, or none where there are none."""

SCOPES = {
    OAuthKind.MICROSOFT_APP: "https://outlook.office365.com/.default",
    OAuthKind.MICROSOFT_DEVICE: "https://outlook.office.com/IMAP.AccessAsUser.All",
    OAuthKind.GOOGLE: "https://mail.google.com/",
    OAuthKind.GOOGLE_SERVICE: "https://mail.google.com/",
}
"""What a token must be good for.

Sources: learn.microsoft.com, "Authenticate an IMAP, POP or SMTP connection using OAuth"; developers.google.com, "IMAP, POP,
and SMTP".
"""


class OAuthSection(Section):
    """Where the tokens of one mailbox come from."""

    kind: OAuthKind
    client_id: str = ""
    tenant: str = ""
    client_secret_file: Path | None = None
    client_secret_credential: str | None = None
    client_secret_env: str | None = None
    certificate_file: Path | None = None
    certificate_credential: str | None = None
    service_account_file: Path | None = None
    service_account_credential: str | None = None
    method: SaslMethod = SaslMethod.AUTO
    scope: str = ""
    authority: HttpsAddress = "https://login.microsoftonline.com"
    authorization_url: HttpsAddress = "https://accounts.google.com/o/oauth2/auth"
    token_url: HttpsAddress = "https://oauth2.googleapis.com/token"  # noqa: S105  (an address)
    ca_file: Path | None = None
    timeout_seconds: Whole = Field(default=30, ge=1, le=300)

    @model_validator(mode="before")
    @classmethod
    def _no_secret_here(cls, values: Any) -> Any:
        if isinstance(values, dict) and {"client_secret", "private_key", "refresh_token"} & set(values):
            raise ValueError(
                "a secret does not belong in this file, which many can read and which gets copied; put it in a file of mode "
                "0600 and give client_secret_file, or use client_secret_credential or client_secret_env"
            )
        return values

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Refuse what the kind does not use: it would be believed to count."""
        if self.kind is not OAuthKind.GOOGLE_SERVICE and not self.client_id:
            raise ValueError(f'kind = "{self.kind}" needs client_id, the id of the app as its provider shows it')
        if self.kind.is_microsoft and not self.tenant:
            raise ValueError(f'kind = "{self.kind}" needs tenant, the directory\'s id or its domain')
        every = CLIENT_SECRET + CERTIFICATE + SERVICE_ACCOUNT
        given, allowed = [key for key in every if getattr(self, key)], ALLOWED_SECRETS[self.kind]
        if odd := [key for key in given if key not in allowed]:
            raise ValueError(f'kind = "{self.kind}" does not use {", ".join(odd)}; take it out')
        if allowed and len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f'kind = "{self.kind}" needs exactly one of {", ".join(allowed)} (found {found})')
        return self

    @property
    def effective_scope(self) -> str:
        """The scope that is asked for: the one given, or the usual one of the kind."""
        return self.scope or SCOPES[self.kind]
