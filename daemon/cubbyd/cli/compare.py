"""`cubbyd compare`: classifiers side by side on the same labeled mail, and a recommendation that follows from the numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.evaluate import INSTEAD
from cubbyd.cli.labeled import (
    answers_file,
    ask_keeping,
    read_labeled,
    refuse_known,
    thresholds_of,
    with_model,
    write_private,
)
from cubbyd.cli.output import console, say_json, table
from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.errors import InputFileError

if TYPE_CHECKING:
    from cubbyd.evaluation.comparison import Contestant, Verdict
    from cubbyd.evaluation.kept import Sheet
    from cubbyd.evaluation.metric import Floats
    from cubbyd.evaluation.score import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something to compare, before it is asked."""

    name: str
    config: Config


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option(
    "--with",
    "given",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A configuration (.toml) or a model file; give it several times. One alone is compared with the configured one.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="REPORT.html", help="A report to write, one HTML file.")
@click.option(
    "--answers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where finished answers are kept, so that an interrupted run goes on; default: beside EXAMPLES.",
)
@click.option("--yes", is_flag=True, help="Ask remote classifiers too, which may cost money.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(
    config_file: Path | None,
    *,
    examples: Path,
    given: tuple[Path, ...],
    out: Path | None,
    answers: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Put classifiers side by side on EXAMPLES: labeled mail that none of them was trained on.

    All are measured on the mails that all answered. Whether a difference is more than chance is tested on pairs.

    \b
    Example:
      cubbyd compare test.jsonl --with local.toml --with hosted.toml --out comparison.html
      cubbyd --config cubbyd.toml compare test.jsonl --with old.model --with new.model
    """
    from cubbyd.evaluation.comparison import compare
    from cubbyd.evaluation.report import write_comparison

    entries = _entries(config_file, given)
    modes = {entry.config.classifier.labels for entry in entries}
    if len(modes) > 1:
        raise click.UsageError('all must have the same classifier.labels: "one" and "many" cannot be compared')
    contestants = _ask(entries, examples, answers_file(examples, answers), several=modes == {Labels.MANY}, yes=yes)
    verdict = compare(contestants)
    if out is not None:
        write_private(out, write_comparison(verdict, contestants, source=examples.name, created=SystemClock().now()))
    if as_json:
        say_json(_facts(contestants, verdict) | {"report": str(out) if out else None})
        return
    _print(contestants, verdict)
    if out is not None:
        click.echo(f"Wrote {out}.")


def _entries(config_file: Path | None, given: tuple[Path, ...]) -> list[Entry]:
    """Load every configuration; model files stand in the one that --config or the usual places give."""
    named = [(file.stem if file.suffix == ".toml" else file.name, file) for file in given]
    twice = {name for name, count in Counter(name for name, _ in named).items() if count > 1}
    entries = []
    for name, file in named:
        config = load_config(file) if file.suffix == ".toml" else with_model(load_config(find_config(config_file)), file)
        entries.append(Entry(name=str(file) if name in twice else name, config=config))
    if len(entries) == 1:
        entries.insert(0, Entry(name="the configured one", config=load_config(find_config(config_file))))
    if len({entry.name for entry in entries}) < len(entries):
        raise click.UsageError("the same file is given twice")
    return entries


def _ask(entries: list[Entry], examples: Path, kept_in: Path, *, several: bool, yes: bool) -> list[Contestant]:
    """Ask all, and keep the mails that all of them answered."""
    from cubbyd.classify.fallback import FallbackClassifier
    from cubbyd.classify.registry import open_backend

    categories = tuple(dict.fromkeys(one for entry in entries for one in entry.config.taxonomy.ids))
    asked: list[tuple[Sheet, Floats]] = []
    for entry in entries:
        labeled, digest = read_labeled(entry.config, examples)
        refuse_known(entry.config, examples, digest, INSTEAD)
        classifier = open_backend(entry.config)
        try:
            first = classifier.first if isinstance(classifier, FallbackClassifier) else classifier
            sheet = ask_keeping(entry.config, first, labeled, categories=categories, kept_in=kept_in, yes=yes)
            asked.append((sheet, thresholds_of(entry.config, classifier, categories)))
        finally:
            classifier.close()
    common = set.intersection(*({mail.line for mail in sheet.mails} for sheet, _ in asked))
    if not common:
        raise InputFileError(examples, "has no mail that all of them answered")
    return [
        _contestant(entry.name, sheet, bars, common, several=several)
        for entry, (sheet, bars) in zip(entries, asked, strict=True)
    ]


def _contestant(name: str, sheet: Sheet, bars: Floats, common: set[int], *, several: bool) -> Contestant:
    import numpy as np

    from cubbyd.evaluation.comparison import PER, Contestant
    from cubbyd.evaluation.score import judge, score

    kept = sheet.pick(np.array([row for row, mail in enumerate(sheet.mails) if mail.line in common], dtype=np.int64))
    judged = judge(kept.answers, bars, several=several)
    return Contestant(
        name=name,
        judged=judged,
        score=score(judged),
        milliseconds=float(kept.milliseconds.mean()) * PER,
        money=float(kept.money.mean()) * PER,
    )


def _facts(contestants: list[Contestant], verdict: Verdict) -> dict[str, Any]:
    def plain(one: Estimate | None) -> dict[str, float] | None:
        return None if one is None else {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}

    return {
        "mails": contestants[0].score.mails,
        "recommended": verdict.recommended.name,
        "sentence": verdict.sentence,
        "classifiers": [
            {
                "name": one.name,
                "right": plain(one.accuracy),
                "numbers": {key: plain(estimate) for key, estimate in one.score.numbers.items()},
                "milliseconds_per_1000": round(one.milliseconds, 1),
                "money_per_1000": round(one.money, 4),
            }
            for one in contestants
        ],
        "duels": [
            {
                "best": duel.best,
                "other": duel.other,
                "best_alone": duel.best_alone,
                "other_alone": duel.other_alone,
                "difference": plain(duel.difference),
                "p_value": round(duel.p_value, 6),
                "decided": duel.is_decided,
            }
            for duel in verdict.duels
        ],
    }


def _print(contestants: list[Contestant], verdict: Verdict) -> None:
    keys = ("macro_f1", "log_loss", "calibration_error", "filed", "filed_wrong")
    rows = [
        [
            one.name,
            f"{one.accuracy.value:.3f} [{one.accuracy.low:.3f}, {one.accuracy.high:.3f}]",
            *("-" if (found := one.score.numbers[key]) is None else f"{found.value:.3f}" for key in keys),
            f"{one.milliseconds:,.0f}",
            f"{one.money:.2f}",
        ]
        for one in contestants
    ]
    columns = ["", "right", "macro-F1", "log loss", "cal. error", "filed", "of it wrong", "ms/1000", "money/1000"]
    console().print(table("", columns, rows))
    for duel in verdict.duels:
        gap = duel.difference
        click.echo(
            f"{duel.best} against {duel.other}: {duel.best_alone} mails right alone against {duel.other_alone}, difference "
            f"{100 * gap.value:.1f} points [{100 * gap.low:.1f}, {100 * gap.high:.1f}], p = {duel.p_value:.2g}"
        )
    click.echo(f"On {contestants[0].score.mails} mails that all of them answered.")
    click.echo(verdict.sentence)
