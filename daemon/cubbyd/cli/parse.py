"""`cubbyd parse`: what cubbyd reads in mail files, as a person or a program would want to see it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from cubbyd.cli.mailfile import read_mail
from cubbyd.cli.output import console, printable, printable_path, say_json
from cubbyd.errors import EXIT_FAILED, InputFileError
from cubbyd.message import ParsedMessage, parse
from cubbyd.message.language import guess_language
from cubbyd.message.model import Address


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.eml...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each file.")
def command(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Print what is read in each mail: the text written now, the quoted text, the attachments, and what was wrong with it.

    A file that cannot be read is named, the others are gone on with, and the command ends with 1. No mail, however broken, is
    an error.

    \b
    Example:
      cubbyd parse mail.eml
      cubbyd parse --json *.eml | jq .defects
    """
    failed = 0
    for file in files:
        try:
            raw = read_mail(file)
        except InputFileError as error:
            click.echo(f"cubbyd: {error}", err=True)
            failed += 1
            continue
        start = time.perf_counter()
        message = parse(raw)
        milliseconds = (time.perf_counter() - start) * 1000
        shown = {"file": printable_path(file), **_facts(message), "ms": round(milliseconds, 2)}
        if as_json:
            say_json(shown)
        else:
            _print(shown)
    click.get_current_context().exit(EXIT_FAILED if failed else 0)


def _facts(message: ParsedMessage) -> dict[str, Any]:
    """Put a message into plain values, in the order in which a person would look at them."""
    return {
        "subject": message.subject,
        "from": _spell(message.sender),
        "to": [_spell(address) for address in message.to],
        "cc": [_spell(address) for address in message.cc],
        "reply_to": [_spell(address) for address in message.reply_to],
        "date": message.date.isoformat() if message.date else None,
        "message_id": message.message_id,
        "references": list(message.references),
        "list_id": message.list_id,
        "auto_submitted": message.auto_submitted,
        "language": guess_language(message) or None,
        "flags": sorted(message.flags),
        "text": message.text,
        "quoted": message.quoted,
        "signature": message.signature,
        "attachments": [{"name": one.name, "type": one.content_type} for one in message.attachments],
        "defects": list(message.defects),
    }


def _spell(address: Address) -> str:
    return f"{address.name} <{address.address}>" if address.name and address.address else address.name or address.address


def _print(shown: dict[str, Any]) -> None:
    table = Table(title=printable(shown["file"]), title_justify="left", title_style="bold", show_header=False, expand=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for name, value in shown.items():
        if name == "file" or value in (None, "", []):
            continue
        table.add_row(name.replace("_", "-"), Text(printable(_readable(value), lines=True), style=_STYLES.get(name, "")))
        if name in ("text", "quoted", "signature"):
            table.add_section()
    console().print(table)


_STYLES = {"quoted": "dim", "signature": "dim", "defects": "yellow"}


def _readable(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    return "\n".join(f"{one['name'] or '(no name)'}  {one['type']}" if isinstance(one, dict) else str(one) for one in value)
