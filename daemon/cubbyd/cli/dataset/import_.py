"""`cubbyd dataset import`: examples of files, folders of mail, or a mail account."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import click

from cubbyd.cli.dataset.common import MANY, json_option, optional_config, say_skips, skips_to_json
from cubbyd.cli.output import say_json
from cubbyd.config import Config, find_config, load_config
from cubbyd.dataset import Example, write_examples
from cubbyd.dataset.reading import Columns, Meanings, Reading, Skips, read_meanings
from cubbyd.dataset.source import SourceKind, read_source
from cubbyd.errors import ConfigError, InputFileError, Problem

ACCOUNT = "imap:"


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file of examples to write.")
@click.option(
    "--format",
    "kind",
    type=click.Choice([one.value for one in SourceKind]),
    help="What the sources are; else told by name and content.",
)
@click.option("--subject", default="", metavar="COLUMN", help="The column or key of the subject.")
@click.option("--body", default="", metavar="COLUMN", help="That of the text.")
@click.option("--label", default="", metavar="COLUMN", help="That of the label.")
@click.option("--one-hot", default="", metavar="A,B,...", help="Labels of columns of 0 and 1, for a CSV without a heading.")
@click.option("--encoding", default="utf-8-sig", show_default=True, help="Of CSV and JSON lines; Excel often writes cp1252.")
@click.option(
    "--map",
    "--codes",
    "meanings",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Lines `CODE = label` or `Folder = label`.",
)
@click.option("--separator", default="", help="What ends a prompt; else the usual ones are tried. \\n is a line end.")
@click.option("--ending", default="", help="What ends a completion; else the usual ones are tried.")
@click.option("--label-all", default="", metavar="LABEL", help="The label of everything, whatever the source says.")
@click.option("--origin", default="real", show_default=True, help="The origin of what does not say its own.")
@click.option("--all-folders", is_flag=True, help="Of an account: also folders of no category; their name is the label.")
@json_option
@click.pass_obj
def command(config_file: Path | None, /, *, sources: tuple[str, ...], out: Path, as_json: bool, **options: Any) -> None:
    """Read SOURCES and write examples, one JSON object a line.

    A source is a file of JSON lines (any keys; prompt and completion; chat messages), a CSV file (also a column of 0 and 1
    for each label), an mbox file, a Maildir, a folder of .eml files, or imap:NAME for a mailbox of the configuration. The
    folder of a mail is its label. An account is only read: nothing in it changes, and an import that was stopped goes on
    when it is called again.

    \b
    Example:
      cubbyd dataset import mails.csv --body query --label intent --out examples.jsonl
      cubbyd --config cubbyd.toml dataset import imap:office --out examples.jsonl
    """
    skips = Skips()
    accounts = [source.removeprefix(ACCOUNT) for source in sources if source.startswith(ACCOUNT)]
    if accounts and len(sources) > 1:
        raise click.UsageError("an account is imported alone; import the files into another --out")
    config = load_config(find_config(config_file)) if accounts else optional_config(config_file)
    reading = _reading(config, skips, options)
    if accounts and config is not None:
        count = _import_account(config, accounts[0], out, reading, every=options["all_folders"])
    else:
        count = _import_files(sources, out, reading, options["kind"])
    if as_json:
        say_json({"out": str(out), "examples": count, **skips_to_json(skips)})
    else:
        click.echo(f"Wrote {count:,} examples to {out}.")
        say_skips(skips)
        click.echo(f"Next: `cubbyd dataset stats {out}`.")


def _reading(config: Config | None, skips: Skips, options: dict[str, Any]) -> Reading:
    meanings = read_meanings(options["meanings"]) if options["meanings"] else {}
    one_hot = tuple(filter(None, (name.strip() for name in options["one_hot"].split(","))))
    try:
        "".encode(options["encoding"])
    except LookupError as error:
        raise click.BadParameter("no such encoding; try utf-8-sig, cp1252 or utf-16", param_hint="--encoding") from error
    return Reading(
        skips=skips,
        meanings=Meanings(given=meanings, taxonomy=config.taxonomy if config else None),
        columns=Columns(
            subject=options["subject"],
            body=options["body"],
            label=options["label"],
            one_hot=one_hot,
            encoding=options["encoding"],
        ),
        separator=options["separator"].replace("\\n", "\n"),
        ending=options["ending"].replace("\\n", "\n"),
        label=options["label_all"],
        origin=options["origin"],
    )


def _import_files(sources: tuple[str, ...], out: Path, reading: Reading, kind: str | None) -> int:
    files = [Path(source) for source in sources]
    for file in files:
        if not file.exists():
            raise InputFileError(file, "does not exist; give a file, a folder, or imap:NAME")
        if file.resolve() == out.resolve():
            raise InputFileError(out, "is a source too; choose another --out")
    wanted = SourceKind(kind) if kind else None
    return write_examples(out, _tell(chain.from_iterable(read_source(file, reading, wanted) for file in files)))


def _tell(examples: Iterator[Example]) -> Iterator[Example]:
    for count, example in enumerate(examples, start=1):
        yield example
        if count % MANY == 0:
            click.echo(f"importing: {count:,} examples", err=True)


def _import_account(config: Config, name: str, out: Path, reading: Reading, *, every: bool) -> int:
    from cubbyd.dataset.account import AccountImport, choose_folders
    from cubbyd.mailbox import open_mailbox
    from cubbyd.service.account import account_of

    section = config.mailboxes.get(name)
    if section is None:
        known = ", ".join(f"imap:{one}" for one in sorted(config.mailboxes))
        problem = Problem(key="mailboxes", found=repr(name), allowed=f"no such mailbox; give one of {known}")
        raise ConfigError(config.file, (problem,))
    work = AccountImport(name, out)
    mailbox = open_mailbox(account_of(config, name))
    try:
        chosen = choose_folders(mailbox, reading, inbox=section.inbox, every=every)
        for one in chosen:
            click.echo(f"folder {one.folder!r} -> {one.label}", err=True)
        if work.is_resumed:
            click.echo(f"going on behind {work.progress.written:,} examples of last time", err=True)
        return work.run(mailbox, chosen, reading, lambda folder, at, of: click.echo(f"{folder}: {at:,} of {of:,}", err=True))
    except KeyboardInterrupt:
        click.echo(f"stopped behind {work.progress.written:,} examples; the same command goes on from there", err=True)
        raise
    finally:
        mailbox.close()
