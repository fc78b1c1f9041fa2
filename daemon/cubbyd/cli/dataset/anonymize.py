"""`cubbyd dataset anonymize`: examples that name nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from cubbyd.cli.dataset.common import json_option, optional_config, read_with_progress
from cubbyd.cli.output import say_json
from cubbyd.dataset.anonymize import Masking, anonymize
from cubbyd.dataset.example import Example
from cubbyd.dataset.writer import open_new, spell_line
from cubbyd.errors import InputFileError
from cubbyd.redaction import Redactor


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The masked examples.")
@click.option("--roster", type=click.Path(path_type=Path), metavar="FILE", help="A list of names; else the configuration's.")
@click.option(
    "--drop-leaks", is_flag=True, help="Leave out examples in which the last check finds something, and write the rest."
)
@json_option
@click.pass_obj
def command(
    config_file: Path | None, *, examples: Path, out: Path, roster: Path | None, drop_leaks: bool, as_json: bool
) -> None:
    """Mask names, addresses and numbers in EXAMPLES; ids, threads and senders get new names, of dates the day is left.

    Writes nothing and ends with 1 where the last check finds a name of the roster or an address, unless --drop-leaks is
    given.

    \b
    Example:
      cubbyd dataset anonymize examples.jsonl --roster roster.txt --out masked.jsonl
    """
    if out.resolve() == examples.resolve():
        raise click.UsageError("--out is the file of examples itself; choose another")
    redactor, masking = _redactor(config_file, roster), Masking()
    count = 0
    with open_new(out) as stream:
        for count, example in enumerate(_masked(examples, redactor, masking), start=1):  # noqa: B007  (it is the count)
            stream.write(spell_line(example))
        if masking.leaking and not drop_leaks:
            raise InputFileError(examples, _refusal(masking))
    if as_json:
        say_json(_as_json(masking, out, count))
    else:
        _print(masking, out, count)
    if not as_json and not redactor.roster.people:
        click.echo("No roster was used; with one, more names are found: see [redaction] in config.example.toml.", err=True)


def _masked(file: Path, redactor: Redactor, masking: Masking) -> Iterator[Example]:
    yield from anonymize(read_with_progress(file, "masking"), redactor, masking)


def _redactor(config_file: Path | None, roster: Path | None) -> Redactor:
    """Make the redactor of the configuration, where there is one; the roster that was given counts more."""
    from cubbyd.classify.border import make_redactor
    from cubbyd.redaction import load_vocabulary, read_roster

    config = optional_config(config_file)
    if config is not None and roster is None:
        return make_redactor(config)
    keep = config.redaction.keep if config else ()
    return Redactor(read_roster(roster) if roster else None, load_vocabulary(), keep)


def _refusal(masking: Masking) -> str:
    lines = ", ".join(map(str, masking.leaking)) + (", …" if masking.leaking_examples > len(masking.leaking) else "")
    return (
        f"after masking there is still {', '.join(masking.leaks)} in {masking.leaking_examples} examples (lines {lines}); "
        "nothing was written; change those lines, or leave them out with --drop-leaks"
    )


def _as_json(masking: Masking, out: Path, count: int) -> dict[str, object]:
    return {
        "out": str(out),
        "examples": count,
        "touched": masking.touched,
        "masked": dict(masking.masked),
        "found_by": dict(masking.found_by),
        "emptied": masking.emptied,
        "dropped": masking.leaking_examples,
        "dropped_lines": masking.leaking,
        "leaks": dict(masking.leaks),
    }


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name.lower()}" for name, count in counts.most_common()) or "nothing"


def _print(masking: Masking, out: Path, count: int) -> None:
    click.echo(f"Wrote {count:,} examples to {out}; something was masked in {masking.touched:,} of {masking.examples:,}.")
    click.echo(f"masked: {_list(masking.masked)}")
    click.echo(f"found by: {_list(masking.found_by)}")
    if masking.emptied:
        click.echo(f"left out, because nothing but a signature was there: {masking.emptied:,}")
    if masking.leaking_examples:
        click.echo(f"left out, because something is still there: {masking.leaking_examples:,} ({_list(masking.leaks)})")
    click.echo("A rare event can name a family without any name: read through what you give away.")
