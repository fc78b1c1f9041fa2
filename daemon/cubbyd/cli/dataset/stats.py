"""`cubbyd dataset stats`: what is in a file of examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.dataset.common import bar, json_option, read_with_progress
from cubbyd.cli.output import console, printable, say_json, table
from cubbyd.dataset.example import SYNTHETIC, Example
from cubbyd.dataset.stats import EVEN, FEW, QUANTILES, Stats, collect_stats, stats_to_json

if TYPE_CHECKING:
    from cubbyd.training.suspicion import Doubts

SHOWN_SUSPICIONS = 20
SUBJECT_CHARS = 44


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--suspicious", is_flag=True, help="Look for labels that a model doubts, by cross-validation.")
@click.option("--show", default=SHOWN_SUSPICIONS, show_default=True, type=click.IntRange(1), help="How many of them to list.")
@click.option("--no-near", is_flag=True, help="Do not look for near-duplicates, which takes most of the time.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw the balance of the categories.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1))
@json_option
def command(
    *, examples: Path, suspicious: bool, show: int, no_near: bool, picture: Path | None, seed: int, as_json: bool
) -> None:
    """Count categories and origins, measure lengths, and find duplicates, threads and doubtful labels in EXAMPLES.

    \b
    Example:
      cubbyd dataset stats examples.jsonl --suspicious --picture balance.svg
    """
    stats = collect_stats(read_with_progress(examples, "counting"), near=not no_near)
    if picture:
        _draw(picture, stats)
    doubts, subjects = _doubt(examples, show, seed) if suspicious else (None, {})
    if as_json:
        say_json(stats_to_json(stats) | ({"suspicious": _doubts_to_json(doubts)} if doubts else {}))
        return
    _print(stats)
    if doubts:
        _print_doubts(doubts, show, subjects)
    elif len(stats.categories) > 1:
        click.echo(f"Next: `cubbyd dataset stats {examples} --suspicious` lists labels to look through.")


def _draw(picture: Path, stats: Stats) -> None:
    from cubbyd.dataset.picture import draw_balance
    from cubbyd.dataset.writer import open_new

    made = {origin for origin in stats.origins if origin.partition(":")[0] == SYNTHETIC}
    synthetic = {label: sum(stats.origins[origin][label] for origin in made) for label in stats.categories}
    real = {label: count - synthetic[label] for label, count in stats.categories.items()}
    with open_new(picture) as stream:
        stream.write(draw_balance(real, synthetic))
    click.echo(f"drew {picture}", err=True)


def _doubt(file: Path, show: int, seed: int) -> tuple[Doubts, dict[int, str]]:
    """Find doubtful labels, and the beginnings of those that are shown."""
    from cubbyd.dataset import read_examples
    from cubbyd.training.suspicion import find_suspicions, sample_examples

    sample = sample_examples(read_examples(file), seed=seed)
    doubts = find_suspicions(sample, source=str(file), seed=seed, progress=lambda text: click.echo(text, err=True))
    lines = {one.line for one in doubts.suspicions[:show]}
    return doubts, {example.line: _beginning(example) for example in sample if example.line in lines}


def _beginning(example: Example) -> str:
    text = " ".join(f"{example.subject} {example.body}".split())
    return printable(text if len(text) <= SUBJECT_CHARS else text[: SUBJECT_CHARS - 1] + "…")


def _doubts_to_json(doubts: Doubts) -> dict[str, Any]:
    return {
        "looked_at": doubts.looked_at,
        "agreement": round(doubts.accuracy, 4),
        "doubted": [
            {
                "line": one.line,
                "id": one.id,
                "label": one.label,
                "given": round(one.given, 4),
                "better": one.better,
                "probability": round(one.probability, 4),
            }
            for one in doubts.suspicions
        ],
    }


# --- for people --------------------------------------------------------------------------------------------------------


def _print(stats: Stats) -> None:
    longest = max(stats.categories.values(), default=0)
    rows = [[label, f"{count:,}", bar(count, longest)] for label, count in stats.categories.most_common()]
    shown = console()
    shown.print(table(f"{stats.examples:,} examples, {len(rows)} categories", ["category", "examples", ""], rows))
    if len(stats.origins) > 1 or stats.unlabeled:
        origins = [[origin, f"{counts.total():,}"] for origin, counts in stats.origins.items()]
        shown.print(table("by origin", ["origin", "labels"], origins))
    for line in _sentences(stats):
        click.echo(line)


def _sentences(stats: Stats) -> list[str]:
    names = ("shortest", "10 %", "median", "90 %", "longest")
    lengths = ", ".join(f"{name} {length:,}" for name, length in zip(names, stats.lengths, strict=True))
    lines = [f"characters: {lengths}"] if len(names) == len(QUANTILES) else []
    lines.append(f"exact duplicates: {stats.exact:,}; near-duplicates: {stats.near:,}")
    lines += [f"  nearly the same: lines {', '.join(map(str, some))}" for some in stats.near_clusters[:3]]
    if stats.contradictions:
        pairs = ", ".join(f"{one} and {other}" for one, other in stats.contradicting)
        lines.append(f"the same text under different labels: {stats.contradictions:,} (lines {pairs})")
    if stats.threads:
        lines.append(f"threads: {stats.threads:,}, with {stats.in_threads:,} examples in them")
    if stats.senders:
        lines.append(f"senders: {stats.senders:,}")
    if stats.first and stats.last:
        lines.append(f"dates: {stats.first:%Y-%m-%d} to {stats.last:%Y-%m-%d}, on {stats.dated:,} examples")
    if stats.unlabeled:
        lines.append(f"without a label: {stats.unlabeled:,}; training passes them over")
    if stats.several_labels:
        lines.append(f"with several labels: {stats.several_labels:,}")
    if stats.imbalance > EVEN:
        lines.append(
            f"the largest category has {stats.imbalance:.1f} times the examples of the smallest: `cubbyd dataset balance`"
        )
    if stats.small:
        lines.append(f"fewer than {FEW} examples, too few to measure: {', '.join(map(printable, stats.small[:10]))}")
    return lines


def _print_doubts(doubts: Doubts, show: int, subjects: dict[int, str]) -> None:
    rows = [
        [one.line, subjects.get(one.line, ""), one.label, f"{one.given:.2f}", one.better, f"{one.probability:.2f}"]
        for one in doubts.suspicions[:show]
    ]
    title = (
        f"{len(doubts.suspicions):,} of {doubts.looked_at:,} labels are doubted (the model agrees with "
        f"{100 * doubts.accuracy:.1f} %); the surest doubts first"
    )
    console().print(table(title, ["line", "begins", "label", "p", "the model says", "p"], rows))
    click.echo("A doubt is no proof: look at the mail, and change the label in the file where it is wrong.")
