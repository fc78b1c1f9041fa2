"""`cubbyd parse`: what cubbyd reads in mail files, field by field. No configuration, no model, no mailbox."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from cubbyd.cli.mailfile import read_mail
from cubbyd.cli.output import console, local_time, printable, printable_path, say_json
from cubbyd.errors import EXIT_FAILED, InputFileError
from cubbyd.message import Address, ParsedMessage, parse
from cubbyd.message.language import guess_language

QUOTED_MARK = "| "
"""Before each line that is not the sender's own: what is dim on a terminal is marked in a file, too."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.eml...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each mail.")
def command(*, files: tuple[Path, ...], as_json: bool) -> None:
    """Print what is read in mail files: the text, what is quoted, the signature, attachments, flags, what was wrong.

    A file that cannot be read is named on standard error, the others are read all the same; then the command ends with 1.

    \b
    Example:
      cubbyd parse mail.eml
      cubbyd parse --json *.eml
    """
    unreadable = 0
    for file in files:
        try:
            raw = read_mail(file)
        except InputFileError as error:
            unreadable += 1
            click.echo(f"cubbyd: {printable_path(error.file)}: {error.reason}", err=True)
            continue
        started = time.perf_counter()
        message = parse(raw)
        took = (time.perf_counter() - started) * 1000
        if as_json:
            say_json(_as_json(file, message, took))
        else:
            _print(file, message, took)
    click.get_current_context().exit(EXIT_FAILED if unreadable else 0)


def _as_json(file: Path, message: ParsedMessage, took: float) -> dict[str, Any]:
    return {
        "file": printable_path(file),
        "subject": message.subject,
        "from": asdict(message.sender),
        "to": [asdict(address) for address in message.to],
        "cc": [asdict(address) for address in message.cc],
        "reply_to": [asdict(address) for address in message.reply_to],
        "date": message.date.isoformat() if message.date else None,
        "message_id": message.message_id,
        "references": list(message.references),
        "list_id": message.list_id,
        "auto_submitted": message.auto_submitted,
        "text": message.text,
        "quoted": message.quoted,
        "signature": message.signature,
        "attachments": [asdict(attachment) for attachment in message.attachments],
        "flags": sorted(message.flags),
        "language": guess_language(message),
        "defects": list(message.defects),
        "ms": round(took, 3),
    }


def _print(file: Path, message: ParsedMessage, took: float) -> None:
    page = Text()
    page.append(f"{printable(printable_path(file))}\n", style="bold underline")
    for name, value in _fields(message, took):
        if value:
            page.append(f"{name:<13}", style="bold")
            page.append(f"{printable(value)}\n")
    for name, text, mark in (
        ("text", message.text, ""),
        ("quoted", message.quoted, QUOTED_MARK),
        ("signature", message.signature, QUOTED_MARK),
    ):
        if text:
            page.append(f"\n{name}\n", style="bold")
            page.append(
                "".join(f"{mark}{line}\n" for line in printable(text, lines=True).split("\n")), style="dim" if mark else ""
            )
    console().print(page, soft_wrap=True)


def _fields(message: ParsedMessage, took: float) -> Iterator[tuple[str, str]]:
    """Give what stands in one line each, in the order in which a person asks for it."""
    yield "subject", message.subject
    yield "from", _spell((message.sender,))
    yield "to", _spell(message.to)
    yield "cc", _spell(message.cc)
    yield "reply to", _spell(message.reply_to)
    yield "date", local_time(message.date) if message.date else ""
    yield "list", message.list_id
    yield "automatic", message.auto_submitted
    yield "language", guess_language(message)
    yield "flags", ", ".join(sorted(message.flags))
    for attachment in message.attachments:
        yield "attachment", f"{attachment.name or '(no name)'} ({attachment.content_type})"
    for defect in message.defects:
        yield "defect", defect
    yield "read in", f"{took:.1f} ms"


def _spell(addresses: Iterable[Address]) -> str:
    return ", ".join(
        f"{one.name} <{one.address}>" if one.name and one.address else one.name or one.address for one in addresses
    )
