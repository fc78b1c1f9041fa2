"""`cubbyd login`: get the first tokens of a mailbox from Microsoft or Google, and try them on the mail server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.output import local_time, say_json
from cubbyd.config import Config, find_config, load_config
from cubbyd.errors import ConfigError, Problem

if TYPE_CHECKING:
    from cubbyd.mailbox import Account
    from cubbyd.oauth import Tokens


@click.command()
@click.argument("mailbox", required=False)
@click.option(
    "--paste", is_flag=True, help="Google: paste the address that the browser ends at; for a machine without a browser."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line: what a person has to do, then the result.")
@click.pass_obj
def command(config_file: Path | None, *, mailbox: str | None, paste: bool, as_json: bool) -> None:
    """Log in to a mailbox that has [mailboxes.NAME.oauth], keep its tokens in the state directory, and try them.

    With Microsoft's device code a person opens an address and types a code; with Google's consent a person opens an address on
    this machine, or on another one with --paste. The other kinds need no person: for them this tries what is configured. A
    daemon that waits for this login goes on by itself.

    \b
    Example:
      cubbyd --config /etc/cubbyd/cubbyd.toml login office
    """
    from cubbyd.cli.signing import Signing
    from cubbyd.config import LogLevel
    from cubbyd.mailbox import Account, open_mailbox
    from cubbyd.oauth import open_tokens
    from cubbyd.service.log import configure_logging

    config = load_config(find_config(config_file))
    configure_logging(config.log.model_copy(update={"level": LogLevel.WARNING}))
    name = _choose(config, mailbox)
    section = config.mailboxes[name]
    tokens = open_tokens(config.file, name, section, config.state.directory)
    Signing(paste=paste, as_json=as_json).sign_in(tokens, section.username)
    account = Account(name=name, section=section, tokens=tokens)
    opened = open_mailbox(account)
    try:
        status = opened.select(section.inbox, read_only=True)
    finally:
        opened.close()
    _say_result(account, tokens, status.exists, as_json=as_json)


def _choose(config: Config, given: str | None) -> str:
    """Find the mailbox; where there is one alone, it need not be named. Raises ConfigError."""
    having = [name for name, section in config.mailboxes.items() if section.oauth]
    if given in having:
        return given
    if given is None and len(having) == 1:
        return having[0]
    key = f"mailboxes.{given}" if given else "mailboxes"
    if given in config.mailboxes:
        allowed = "has a password; there is nothing to log in to beforehand. `cubbyd check` tries it"
    elif having:
        allowed = f"name one that logs in with tokens: {', '.join(having)}"
    else:
        allowed = "no mailbox logs in with tokens ([mailboxes.NAME.oauth]); docs/login.md"
    raise ConfigError(config.file, (Problem(key=key, found="", allowed=allowed),))


def _say_result(account: Account, tokens: Tokens, exists: int, *, as_json: bool) -> None:
    facts: dict[str, Any] = {
        "mailbox": account.name,
        "login": "accepted",
        "server": account.server,
        "mail_in_inbox": exists,
        "token_ends": tokens.expires_at,
        "login_ends": tokens.credential_ends_at,
        "next": "cubbyd check",
    }
    if as_json:
        say_json(facts)
        return
    click.echo(f"{account.name}: {account.server} accepted the login; {exists} mails in {account.section.inbox}.")
    click.echo(f"The token is good until {local_time(tokens.expires_at)} and is renewed by itself.")
    if tokens.credential_ends_at:
        click.echo(f"This login ends on {local_time(tokens.credential_ends_at)}; docs/login.md says what to do before that.")
    click.echo("Next: cubbyd check. A daemon that runs goes on within a minute.")
