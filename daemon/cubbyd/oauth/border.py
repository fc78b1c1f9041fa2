"""The border to the providers: their errors become our sentences, without a token and without a secret in them.

Sources: RFC 6749, 5.2 (token errors), RFC 8628, 3.5 (device code); Microsoft's numbers from learn.microsoft.com, "Microsoft
Entra authentication and authorization error codes".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr

from cubbyd.errors import LoginEnded, LoginRefused, MailboxError, MailboxUnavailable

LONGEST_REASON: Final = 240
"""Characters of a provider's own words that go into an error."""

TOKEN_LIKE: Final = re.compile(r"[A-Za-z0-9_.~+/=%-]{40,}")
"""What may be a token, or a signed statement: careless servers repeat what they were sent."""

MICROSOFT_NUMBER: Final = re.compile(r"\b(AADSTS\d{4,8})\b")
WAYS_OUT: Final = {
    "AADSTS7000215": "the client secret is wrong: copy its value (not its id) from the app's page",
    "AADSTS7000222": "the client secret has ended: make a new one on the app's page",
    "AADSTS700027": "the certificate is not the one that was uploaded to the app",
    "AADSTS700016": "client_id is no app of this tenant",
    "AADSTS90002": "there is no such tenant",
    "AADSTS65001": "an administrator must consent to the app's permission",
    "AADSTS53003": "a conditional access rule forbids this way; use microsoft-app, or ask the administrator",
    "AADSTS50105": "the app is not assigned to this user",
    "invalid_client": "check client_id and the client's secret",
    "unauthorized_client": "the client may not do this: check its permissions (Google: domain-wide delegation and its scope)",
    "invalid_scope": "check scope, and what the client may ask for",
    "access_denied": "the person, or an administrator's rule, said no",
    "authorization_declined": "the person said no",
    "expired_token": "nobody has typed the code in time; begin again",
}
ENDED: Final = frozenset({"invalid_grant", "interaction_required"})
"""What is said of a refresh token that is used up, revoked, too old, or of a person whose password has changed."""
TRANSIENT: Final = frozenset({"temporarily_unavailable", "server_error", "internal_failure", "slow_down"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who speaks to whom, and what must be in no sentence."""

    mailbox: str
    username: str
    host: str
    needs_person: bool
    secrets: tuple[SecretStr | None, ...] = ()

    def refused(self, answer: Mapping[str, Any], *secrets: SecretStr | None) -> MailboxError:
        """Find our exception for a provider's answer with `error` in it."""
        code = str(answer.get("error", "no token"))
        said = self._clean(str(answer.get("error_description") or answer.get("error_uri") or ""), secrets)
        text = f"mailbox {self.mailbox}: {self.host} said {self._clean(code, secrets)}{f': {said}' if said else ''}"
        if code in TRANSIENT:
            return MailboxUnavailable(f"{text}; it is tried again")
        number = MICROSOFT_NUMBER.search(said)
        way_out = WAYS_OUT.get(number[1] if number else "") or WAYS_OUT.get(code)
        if code in ENDED and self.needs_person:
            return LoginEnded(f"{text}; {f'{way_out}; ' if way_out else ''}run: cubbyd login {self.mailbox}")
        return LoginRefused(f"{text}; {way_out or 'docs/login.md says what to look at'}")

    def unreachable(self, error: BaseException) -> MailboxUnavailable:
        """Say that no answer came; the library's own words may hold what was sent."""
        return MailboxUnavailable(f"mailbox {self.mailbox}: {self.host} cannot be reached for a token ({_kind(error)})")

    def _clean(self, text: str, secrets: Iterable[SecretStr | None]) -> str:
        """Give the first line, printable, short, without any secret that we know."""
        for secret in (*self.secrets, *secrets):
            if secret is not None and secret.get_secret_value():
                text = text.replace(secret.get_secret_value(), "***")
        line = TOKEN_LIKE.sub("***", text.partition("\n")[0].strip())
        return "".join(letter if letter.isprintable() else " " for letter in line)[:LONGEST_REASON]


def _kind(error: BaseException) -> str:
    """Name the innermost reason: what lies around it is the library's."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    reason = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return str(reason) if reason else type(error).__name__
