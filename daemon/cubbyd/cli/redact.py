"""`cubbyd redact`: a mail before and after masking, so that a person can see what would leave the building."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cubbyd.cli.mailfile import read_mail
from cubbyd.cli.output import console, printable, printable_path, say_json
from cubbyd.config import Config, find_config, load_config
from cubbyd.dataset import read_examples
from cubbyd.errors import EXIT_FAILED, ConfigError
from cubbyd.message import ParsedMessage, parse
from cubbyd.message.parser import from_text
from cubbyd.redaction import Redacted, Redactor, Span

STYLE = {True: "black on yellow", False: "black on green"}
"""How a name or number looks before, and its placeholder after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One mail before and after."""

    name: str
    before: ParsedMessage
    after: ParsedMessage
    done: Redacted

    @property
    def texts(self) -> Iterator[tuple[str, str, str, tuple[Span, ...]]]:
        """Give each text that is not empty: its heading, before, after, and what was masked in it."""
        files = [f"attachment {number}" for number in range(1, len(self.before.attachments) + 1)]
        names = ("subject", "text", "quoted", "signature", "sender", *files)
        given = (
            self.before.subject,
            self.before.text,
            self.before.quoted,
            self.before.signature,
            self.before.sender.name,
            *(attachment.name for attachment in self.before.attachments),
        )
        for name, before, after, spans in zip(names, given, self.done.texts, self.done.spans, strict=True):
            if before:
                yield name, before, after, spans


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--roster", type=click.Path(path_type=Path), metavar="FILE", help="A list of names; else the configuration's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each mail, with the masked text alone.")
@click.pass_obj
def command(config_file: Path | None, *, files: tuple[Path, ...], roster: Path | None, as_json: bool) -> None:
    """Show mails, or examples in a .jsonl file, before and after masking. Nothing is sent anywhere.

    Ends with 1 where a name of the roster or an address of the header is still there: such a mail would not be sent.

    \b
    Example:
      cubbyd --config cubbyd.toml redact mail.eml
      cubbyd redact --roster roster.txt mail.eml
    """
    redactor = _redactor(config_file, roster)
    leaking = 0
    for name, message in _messages(files):
        after, done = redactor.redact(message)
        shown = Shown(name=name, before=message, after=after, done=done)
        leaking += bool(done.leaks)
        if as_json:
            say_json(_as_json(shown))
        else:
            _print(shown)
    if not as_json and not redactor.roster.people:
        click.echo("No roster was used; with one, more names are found: see [redaction] in config.example.toml.", err=True)
    click.get_current_context().exit(EXIT_FAILED if leaking else 0)


def _redactor(config_file: Path | None, roster: Path | None) -> Redactor:
    """Make the redactor of the configuration, where there is one; the roster that was given counts more."""
    from cubbyd.classify.border import make_redactor
    from cubbyd.redaction import load_vocabulary, read_roster

    config = _config(config_file)
    if config is not None and roster is None:
        return make_redactor(config)
    keep = config.redaction.keep if config else ()
    return Redactor(read_roster(roster) if roster else None, load_vocabulary(), keep)


def _config(given: Path | None) -> Config | None:
    try:
        file = find_config(given)
    except ConfigError:
        return None  # none was given and none is in its usual place: masking works without
    return load_config(file)


def _messages(files: Iterable[Path]) -> Iterator[tuple[str, ParsedMessage]]:
    for file in files:
        if file.suffix == ".jsonl":
            for example in read_examples(file):
                yield f"{printable_path(file)}:{example.line}", from_text(example.subject, example.body)
        else:
            yield printable_path(file), parse(read_mail(file))


def _as_json(shown: Shown) -> dict[str, Any]:
    """Give the masked texts and what was masked, never what stood there."""
    masked = [span for spans in shown.done.spans for span in spans]
    return {
        "input": shown.name,
        "subject": shown.after.subject,
        "text": shown.after.text,
        "quoted": shown.after.quoted,
        "signature": shown.after.signature,
        "sender": shown.after.sender.name,
        "attachments": [attachment.name for attachment in shown.after.attachments],
        "masked": dict(Counter(str(span.kind) for span in masked)),
        "found_by": dict(Counter(str(span.finder) for span in masked)),
        "leaks": list(shown.done.leaks),
    }


def _print(shown: Shown) -> None:
    table = Table(title=printable(shown.name), title_justify="left", title_style="bold", expand=True, show_lines=True)
    table.add_column("", no_wrap=True)
    for heading in ("before", "after"):
        table.add_column(heading, ratio=1, overflow="fold")
    for name, before, after, spans in shown.texts:
        table.add_row(name, _styled(before, spans), _styled_after(after, spans))
    masked = Counter(str(span.kind).lower() for _, _, _, spans in shown.texts for span in spans)
    finders = Counter(str(span.finder) for _, _, _, spans in shown.texts for span in spans)
    summary = f"masked: {_list(masked)}\nfound by: {_list(finders)}" if masked else "nothing was masked"
    verdict = (
        f"NOT TO BE SENT: there is still {', '.join(shown.done.leaks)}"
        if shown.done.leaks
        else "last check: no name of the roster and no address of the header is left"
    )
    note = "the signature never leaves; it is read for names alone" if shown.before.signature else ""
    console().print(Group(table, Text("\n".join(filter(None, (summary, verdict, note, ""))))))


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _styled(text: str, spans: Iterable[Span]) -> Text:
    styled = Text(printable(text, lines=True))
    for span in spans:
        styled.stylize(STYLE[True], span.start, span.end)
    return styled


def _styled_after(after: str, spans: Iterable[Span]) -> Text:
    """Mark the placeholders: each begins where what it stands for began, moved by how much those before it grew or shrank."""
    styled = Text(printable(after, lines=True))
    moved = 0
    for span in spans:
        start = span.start + moved
        stop = after.index("]", start) + 1
        styled.stylize(STYLE[False], start, stop)
        moved += (stop - start) - (span.end - span.start)
    return styled
