"""The questions of `cubbyd init` about a login with tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cubbyd.config import OAuthKind

if TYPE_CHECKING:
    from cubbyd.cli.question import Questions
    from cubbyd.setup.provider import Advice

PLACES: Final = ("file", "credential", "env")
SECRETS: Final = {
    "client_secret": ("the client secret", "secret"),
    "certificate": ("certificate and key (PEM)", "pem"),
    "service_account": ("the service account's key (JSON)", "json"),
}
"""By the beginning of the keys: what a person calls it, and how its file ends."""


def ask_oauth(questions: Questions, known: dict[str, Any], advice: Advice | None, folder: Path) -> dict[str, str]:
    """Ask for the keys of [mailboxes.NAME.oauth], with the last answers as defaults."""
    last: dict[str, str] = known.setdefault("oauth", {})
    kinds = advice.kinds if advice else tuple(OAuthKind)
    default = last.get("kind", str(kinds[0]))
    kind = OAuthKind(questions.ask("Whose tokens", default, type=click.Choice([str(one) for one in kinds])))
    given = {"kind": str(kind)}
    if kind.is_microsoft:
        given["tenant"] = questions.ask("Tenant (the directory's id or domain)", last.get("tenant"))
    if kind is not OAuthKind.GOOGLE_SERVICE:
        given["client_id"] = questions.ask("Client id", last.get("client_id"))
    if prefix := _ask_secret_kind(questions, kind):
        given |= _ask_place(questions, prefix, folder / known["name"])
    known["oauth"] = given
    return given


def ask_paste(questions: Questions, oauth: dict[str, str]) -> bool:
    """Ask whether the browser in which a person consents is on another machine, where one is needed at all."""
    if oauth["kind"] != OAuthKind.GOOGLE:
        return False
    return not questions.confirm("Is there a browser on this machine?", default=False)


def _ask_secret_kind(questions: Questions, kind: OAuthKind) -> str | None:
    match kind:
        case OAuthKind.MICROSOFT_DEVICE:
            return None
        case OAuthKind.GOOGLE_SERVICE:
            return "service_account"
        case OAuthKind.GOOGLE:
            return "client_secret"
        case OAuthKind.MICROSOFT_APP:
            has_certificate = questions.confirm("Does the app prove itself with a certificate?", default=False)
            return "certificate" if has_certificate else "client_secret"


def _ask_place(questions: Questions, prefix: str, beside: Path) -> dict[str, str]:
    """Ask where a secret is; it has to be there already."""
    what, ending = SECRETS[prefix]
    places = PLACES if prefix == "client_secret" else PLACES[:2]
    place = questions.ask(f"Read {what} from", PLACES[0], type=click.Choice(places))
    if place == "file":
        named = questions.ask("Which file (it must be there, with mode 0600)", f"{beside}.{ending}")
        return {f"{prefix}_file": str(Path(named).expanduser().absolute())}
    default = f"{beside.name}-{ending}" if place == "credential" else f"{beside.name.upper()}_{ending.upper()}"
    return {f"{prefix}_{place}": questions.ask(f"Which {'credential' if place == 'credential' else 'variable'}", default)}
