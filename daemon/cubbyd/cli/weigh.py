"""`cubbyd weigh`: how much each member of an ensemble should count, found on labeled mail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.cli.output import console, log_warnings, say_json, table
from cubbyd.config import Config, MemberSection, find_config, load_config
from cubbyd.dataset import Example, read_examples
from cubbyd.errors import ClassifierError, InputFileError
from cubbyd.message import render_text
from cubbyd.taxonomy import CategoryId

LEAST_PROBABILITY = 1e-9
FEWEST = 50
"""Fewer labeled mails tell weights that the next fifty would tell otherwise."""


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Ask remote members too, which may cost money.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(config_file: Path | None, *, examples: Path, yes: bool, as_json: bool) -> None:
    """Find the weights of [classifier.ensemble] that fit EXAMPLES best: labeled mail that no member was trained on.

    Every member is asked about every mail; the weights are those with the least log loss. Nothing is written.

    \b
    Example:
      cubbyd --config cubbyd.toml weigh validation.jsonl
    """
    from cubbyd.classify.ensemble import fit_weights

    file = find_config(config_file)
    config = load_config(file)
    log_warnings(config)
    sections = config.classifier.ensemble.members if config.classifier.ensemble else ()
    labeled = _labeled(config, examples)
    answers, kept = _ask_all(config, labeled, sections, yes=yes)
    labels = [example.labels[0] for example in kept]
    weights = fit_weights(answers, labels)
    scores = [_score(member, labels) for member in answers]
    facts = [
        {"kind": section.kind, "model": str(section.model) if section.model else None, "weight": round(weight, 3), **score}
        for section, weight, score in zip(sections, weights, scores, strict=True)
    ]
    if as_json:
        say_json({"examples": len(labeled), "answered_by_all": len(kept), "members": facts})
        return
    rows = [[fact["kind"], fact["model"], fact["accuracy"], fact["log_loss"], fact["weight"]] for fact in facts]
    console().print(table("", ["member", "model", "accuracy", "log loss", "weight"], rows))
    click.echo(f"On {len(kept)} of {len(labeled)} labeled mails, those that every member answered.")
    click.echo(f"Next: put the weights into [classifier.ensemble] of {file}:\n  members = {_spell(sections, weights)}")


def _labeled(config: Config, file: Path) -> list[Example]:
    labeled = [example for example in read_examples(file) if example.labels]
    for example in labeled:
        if example.labels[0] not in config.taxonomy:
            known = ", ".join(config.taxonomy.ids)
            raise InputFileError(file, f"unknown label {example.labels[0]!r}; known: {known}", line=example.line)
    if len(labeled) < FEWEST:
        raise InputFileError(file, f"has {len(labeled)} labeled examples; weights need {FEWEST} or more")
    return labeled


def _ask_all(
    config: Config, labeled: Sequence[Example], sections: Sequence[MemberSection], *, yes: bool
) -> tuple[list[list[Prediction]], list[Example]]:
    """Ask every member about every mail; give, of the mails that all answered, the answers and the examples."""
    from cubbyd.classify.ensemble import open_ensemble
    from cubbyd.classify.registry import open_kind

    ensemble = open_ensemble(config, lambda kind, with_its_file: open_kind(with_its_file, kind))
    try:
        costly = [member for member in ensemble.members if member.batch_size == 1]
        if costly and not yes:
            names = ", ".join(member.provenance.kind for member in costly)
            raise click.UsageError(f"{names} would be asked about {len(labeled)} mails, one by one; add --yes to do so")
        outcomes = [_ask(member, labeled, section.kind) for member, section in zip(ensemble.members, sections, strict=True)]
    finally:
        ensemble.close()
    answered = [place for place in range(len(labeled)) if all(isinstance(member[place], Prediction) for member in outcomes)]
    if not answered:
        raise ClassifierError(next(str(one) for member in outcomes for one in member if not isinstance(one, Prediction)))
    answers = [[one for place in answered if isinstance(one := member[place], Prediction)] for member in outcomes]
    return answers, [labeled[place] for place in answered]


def _ask(member: Classifier, labeled: Sequence[Example], name: str) -> list[Prediction | ClassifierError]:
    from cubbyd.classify.members import ask_member

    outcomes: list[Prediction | ClassifierError] = []
    inputs = [render_text(example.subject, example.body) for example in labeled]
    starts = range(0, len(inputs), member.batch_size)
    for start in track(starts, description=name, console=Console(stderr=True)):
        outcomes += ask_member(member, inputs[start : start + member.batch_size])
    return outcomes


def _score(answers: Sequence[Prediction], labels: Sequence[CategoryId]) -> dict[str, float]:
    right = sum(answer.top == label for answer, label in zip(answers, labels, strict=True))
    given = [answer.probabilities.get(label, 0.0) for answer, label in zip(answers, labels, strict=True)]
    loss = -sum(math.log(max(p, LEAST_PROBABILITY)) for p in given)
    return {"accuracy": round(right / len(labels), 4), "log_loss": round(loss / len(labels), 4)}


def _spell(sections: Sequence[MemberSection], weights: Sequence[float]) -> str:
    """Spell the members as TOML; one of no weight is left out, as a weight must be more than 0."""
    members = []
    for section, weight in zip(sections, weights, strict=True):
        file = f', model = "{section.model}"' if section.model else ""
        if round(weight, 3) > 0:
            members.append(f'{{ kind = "{section.kind}"{file}, weight = {weight:.3f} }}')
    return f"[{', '.join(members)}]"
