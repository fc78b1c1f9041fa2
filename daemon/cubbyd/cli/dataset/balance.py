"""`cubbyd dataset balance`: advice on large and small categories, and trimming on request."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from cubbyd.cli.dataset.common import json_option, read_with_progress
from cubbyd.cli.output import console, say_json, table
from cubbyd.dataset import read_examples, write_examples
from cubbyd.dataset.balance import Trimmer, advise, count_categories, recommend


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option(
    "--at-most", type=click.IntRange(1), metavar="N", help="Keep at most N of each category: the most varied, real ones first."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to write what is kept.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1))
@json_option
def command(*, examples: Path, at_most: int | None, out: Path | None, seed: int, as_json: bool) -> None:
    """Say which weights and how much sampling would even out the categories of EXAMPLES. Nothing is taken away unasked.

    \b
    Example:
      cubbyd dataset balance examples.jsonl
      cubbyd dataset balance train.jsonl --at-most 100 --out trimmed.jsonl
    """
    if (at_most is None) != (out is None):
        raise click.UsageError("--at-most and --out belong together")
    if out is not None and out.resolve() == examples.resolve():
        raise click.UsageError("--out is the file of examples itself; choose another, so that nothing is lost")
    advice = advise(*count_categories(read_with_progress(examples, "counting")))
    lost = _trim(examples, out, at_most, seed) if out and at_most else None
    if as_json:
        extra = {"taken_away": dict(lost), "out": str(out)} if lost is not None else {}
        say_json({"categories": [asdict(one) for one in advice], "advice": recommend(advice), **extra})
        return
    rows = [
        [one.category, f"{one.examples:,}", f"{one.synthetic:,}", f"{one.weight:.2f}", f"{one.repeats:.2f}", one.missing or ""]
        for one in advice
    ]
    headings = ["category", "examples", "synthetic", "weight", "draws per epoch", "missing for 50"]
    console().print(table("", headings, rows))
    click.echo(recommend(advice))
    if lost is not None:
        away = ", ".join(f"{count:,} of {label}" for label, count in lost.most_common()) or "nothing"
        click.echo(f"Wrote {out}; taken away: {away}. Trim training sets alone: a test set must look like the mail that comes.")


def _trim(file: Path, out: Path, at_most: int, seed: int) -> Counter[str]:
    trimmer = Trimmer(at_most, seed=seed)
    for example in read_with_progress(file, "comparing"):
        trimmer.add(example)
    keep, lost = trimmer.finish()
    write_examples(out, (example for example, kept in zip(read_examples(file), keep, strict=True) if kept))
    return lost
