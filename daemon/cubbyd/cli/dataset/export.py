"""`cubbyd dataset export`: examples in the formats of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from cubbyd.cli.dataset.common import json_option, optional_taxonomy, read_with_progress
from cubbyd.cli.output import say_json
from cubbyd.dataset.example import Example
from cubbyd.dataset.export import (
    ENDING,
    SEPARATOR,
    Answer,
    Exported,
    ExportFormat,
    Exporting,
    export_lines,
    make_codes,
    plain_text,
    restore_placeholders,
)
from cubbyd.dataset.writer import open_new
from cubbyd.errors import InputFileError
from cubbyd.taxonomy import Taxonomy


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice([one.value for one in ExportFormat]), required=True, help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE")
@click.option(
    "--answer",
    type=click.Choice([one.value for one in Answer]),
    help="What the model is to answer; else json for chat, code for completion.",
)
@click.option(
    "--system", type=click.Path(path_type=Path), metavar="FILE", help="Chat: instructions other than the classifier's."
)
@click.option("--separator", default=SEPARATOR, help="Completion: what ends a prompt. \\n is a line end.")
@click.option("--ending", default=ENDING, help="Completion: what ends a completion.")
@click.option("--mark", is_flag=True, help="Begin with a byte order mark, for Azure and Excel.")
@json_option
@click.pass_obj
def command(config_file: Path | None, /, *, examples: Path, form: str, out: Path, as_json: bool, **options: Any) -> None:
    r"""Write EXAMPLES as chat messages, as prompt and completion, or as CSV.

    Chat messages are what the hosted classifier of the configuration sends and expects. The text is exported as it stands:
    mask it before it leaves the building.

    \b
    Example:
      cubbyd --config cubbyd.toml dataset export masked.jsonl --format chat --out chat.jsonl
      cubbyd --config cubbyd.toml dataset export masked.jsonl --format completion --answer letter --out old.jsonl
    """
    if out.resolve() == examples.resolve():
        raise click.UsageError("--out is the file of examples itself; choose another")
    how = _how(ExportFormat(form), optional_taxonomy(config_file), options)
    done = Exported()
    with open_new(out, mark=options["mark"]) as stream:
        stream.writelines(export_lines(read_with_progress(examples, "exporting"), ExportFormat(form), how, done))
    facts = {"out": str(out), "examples": done.written, "without_label": done.unlabeled, "several_labels": done.several_labels}
    if as_json:
        say_json(facts)
        return
    click.echo(f"Wrote {done.written:,} examples to {out}.")
    if done.unlabeled:
        click.echo(f"  left out, because there is no label: {done.unlabeled:,}")
    if done.several_labels and how.answer is Answer.JSON:
        click.echo(f"  with several labels, of which the first alone was written: {done.several_labels:,}")


def _how(form: ExportFormat, taxonomy: Taxonomy | None, options: Mapping[str, Any]) -> Exporting:
    usual = Answer.CODE if taxonomy is not None and form is ExportFormat.COMPLETION else Answer.ID
    if form is ExportFormat.CHAT:
        usual = Answer.JSON
    answer = Answer(options["answer"]) if options["answer"] else usual
    return Exporting(
        answer=answer,
        codes=make_codes(answer, taxonomy),
        text=_text(form),
        system=_instructions(options["system"], taxonomy) if form is ExportFormat.CHAT else "",
        separator=options["separator"].replace("\\n", "\n"),
        ending=options["ending"].replace("\\n", "\n"),
    )


def _text(form: ExportFormat) -> Callable[[Example], str]:
    """Choose how a mail is written: for chat as the hosted classifier sends it, else plainly."""
    if form is not ExportFormat.CHAT:
        return plain_text
    from cubbyd.classify.hosted.prompt import frame
    from cubbyd.message import render_text

    return lambda example: restore_placeholders(frame(render_text(example.subject, example.body), is_redacted=True))


def _instructions(file: Path | None, taxonomy: Taxonomy | None) -> str:
    """Take the instructions of a file, or those of the hosted classifier; none without a configuration."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputFileError(file, "cannot be read as UTF-8 text") from error
    if taxonomy is None:
        return ""
    from cubbyd.classify.hosted.prompt import Prompt

    return Prompt(taxonomy).instructions()
