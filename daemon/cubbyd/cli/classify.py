"""`cubbyd classify`: what the classifier says of mail files or examples, and what would be decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.classify.serial import prediction_to_json
from cubbyd.cli.mailfile import read_mail
from cubbyd.cli.output import console, log_warnings, printable_path, say_json, table
from cubbyd.config import find_config, load_config
from cubbyd.dataset import read_examples
from cubbyd.errors import CubbydError
from cubbyd.message import ClassifierInput, parse, render, render_text
from cubbyd.taxonomy import CategoryId

if TYPE_CHECKING:
    from cubbyd.filing import Rules

SHOWN = 3
"""Probabilities in a row of the table; --json has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to classify."""

    name: str
    given: ClassifierInput
    labels: tuple[CategoryId, ...] = ()


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE.eml]...")
@click.option("--jsonl", type=click.Path(path_type=Path), metavar="EXAMPLES.jsonl", help="Classify examples instead of mails.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each input.")
@click.pass_obj
def command(config_file: Path | None, *, files: tuple[Path, ...], jsonl: Path | None, as_json: bool) -> None:
    """Print, for each input, the probabilities, the decision and the reasons. No mailbox is touched.

    \b
    Example:
      cubbyd --config cubbyd.toml classify mail.eml another.eml
      cubbyd --config cubbyd.toml classify --jsonl examples.jsonl --json
    """
    if bool(files) == bool(jsonl):
        raise click.UsageError("give mail files, or --jsonl EXAMPLES.jsonl")
    config = load_config(find_config(config_file))
    from cubbyd.classify.calibrated import thresholds_in_force
    from cubbyd.classify.registry import load_classifier
    from cubbyd.filing import rules_of

    log_warnings(config)
    classifier = load_classifier(config)
    items = _examples(jsonl) if jsonl else _mails(files)
    rules = rules_of(config, thresholds=thresholds_in_force(config, classifier))
    results = _classify(items, classifier, rules)
    if as_json:
        for result in results:
            say_json(result)
    else:
        _print(list(results))


def _mails(files: tuple[Path, ...]) -> Iterator[Item]:
    for file in files:
        yield Item(name=printable_path(file), given=render(parse(read_mail(file))))


def _examples(file: Path) -> Iterator[Item]:
    for example in read_examples(file):
        yield Item(
            name=f"{printable_path(file)}:{example.line}",
            given=render_text(example.subject, example.body),
            labels=example.labels,
        )


def _classify(items: Iterator[Item], classifier: Classifier, rules: Rules) -> Iterator[dict[str, Any]]:
    for group in _in_groups(items, classifier.batch_size):
        for item, outcome in zip(group, classifier.classify([item.given for item in group]), strict=True):
            yield _result(item, outcome, rules)


def _result(item: Item, outcome: Prediction | CubbydError, rules: Rules) -> dict[str, Any]:
    from cubbyd.filing import NOTHING_TO_READ, decide

    if isinstance(outcome, CubbydError):
        return {"input": item.name, "decision": None, "hold": None, "error": str(outcome)}
    is_empty = item.given.is_empty
    decision = NOTHING_TO_READ if is_empty else decide(outcome, rules.taxonomy, rules.threshold, rules.labels)
    result = {
        "input": item.name,
        "decision": decision.category,
        "others": list(decision.others),
        "probability": round(decision.probability, 4),
        **prediction_to_json(outcome),
        "hold": decision.hold,
    }
    return result | ({"labels": item.labels} if item.labels else {})


def _in_groups(items: Iterator[Item], size: int) -> Iterator[tuple[Item, ...]]:
    while group := tuple(islice(items, size)):
        yield group


def _print(results: list[dict[str, Any]]) -> None:
    rows = []
    for result in results:
        if "error" in result:
            rows.append([result["input"], "no answer", result["error"], ""])
            continue
        likely = list(result["probabilities"].items())[:SHOWN]
        decision = " ".join([result["decision"], *result["others"]]) if result["decision"] else f"held: {result['hold']}"
        decision += f" (URGENT: {result['urgent']})" if result.get("urgent") else ""
        reasons = ", ".join(reason["text"] for reason in result["reasons"])
        rows.append([result["input"], decision, "  ".join(f"{name} {p:.2f}" for name, p in likely), reasons])
    console().print(table("", ["input", "decision", "most likely", "because of"], rows))
    labeled = [result for result in results if result.get("labels")]
    if labeled:
        right = sum(result["decision"] in result["labels"] for result in labeled if result["decision"])
        decided = sum(result["decision"] is not None for result in labeled)
        click.echo(f"{len(labeled)} labeled: {decided} decided, {right} of them right, {len(labeled) - decided} held.")
