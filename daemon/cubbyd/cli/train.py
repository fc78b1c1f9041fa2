"""`cubbyd train`: from labeled examples to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cubbyd.cli.output import say_json
from cubbyd.clock import SystemClock
from cubbyd.config import Config, find_config, load_config
from cubbyd.dataset import Example, read_examples
from cubbyd.errors import InputFileError

HIERARCHICAL = "hierarchical"
KINDS = ("local", HIERARCHICAL)
"""The kinds that are trained; the first where nothing says otherwise."""


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="MODEL", help="The model file to write.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="The same seed and examples give the same model.",
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What to train; default: the configuration's kind where it is one of these, else local.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(config_file: Path | None, *, examples: Path, out: Path, seed: int, kind: str | None, as_json: bool) -> None:
    """Train a classifier of this machine on EXAMPLES, a file of JSON lines.

    A line is {"subject": "...", "body": "...", "label": "absence"}; "text" may stand for subject and body, "labels" for
    several. Where a configuration is found, its categories are the only labels allowed.

    A hierarchical classifier, for hundreds of categories, is trained by the groups of the configuration.

    \b
    Example:
      cubbyd train examples.jsonl --out cubbyd.model
      cubbyd --config cubbyd.toml train examples.jsonl --kind hierarchical --out cubbyd.model
    """
    config = _config(config_file)
    loaded = list(read_examples(examples))
    if not loaded:
        raise InputFileError(examples, "holds no examples")
    chosen = kind or (config.classifier.kind if config and config.classifier.kind in KINDS else KINDS[0])
    train = _train_hierarchical if chosen == HIERARCHICAL else _train_local
    facts, measured = train(config, loaded, examples, out, seed)
    if as_json:
        say_json({"model": str(out), "examples": len(loaded), **facts})
        return
    click.echo(f"Trained on {len(loaded)} examples in {facts['categories']} categories; wrote {out}.")
    click.echo(f"Cross-validated on the same examples: {measured}.")
    set_kind = f'kind = "{chosen}" and ' if chosen == HIERARCHICAL else ""
    click.echo(f'Next: set {set_kind}model = "{out}" in [classifier], then `cubbyd check`.')


def _train_local(
    config: Config | None, loaded: list[Example], examples: Path, out: Path, seed: int
) -> tuple[dict[str, Any], str]:
    """Train and save a local model; give facts about it, and a sentence on how good it is."""
    from cubbyd.classify.modelfile import save_model
    from cubbyd.training.local import train_local

    taxonomy = config.taxonomy if config else None
    model = train_local(loaded, taxonomy, seed=seed, source=str(examples), progress=_progress)
    save_model(model, out, created=SystemClock().now())
    quality = model.quality
    facts = {
        "categories": len(model.categories),
        "accuracy": round(quality.accuracy, 4),
        "macro_f1": round(quality.macro_f1, 4),
        "calibration_error": round(quality.calibration_error, 4),
    }
    measured = (
        f"accuracy {quality.accuracy:.3f}, macro-F1 {quality.macro_f1:.3f}, "
        f"expected calibration error {quality.calibration_error:.3f}"
    )
    return facts, measured


def _train_hierarchical(
    config: Config | None, loaded: list[Example], examples: Path, out: Path, seed: int
) -> tuple[dict[str, Any], str]:
    """Do the same with a hierarchical one."""
    from cubbyd.classify.grouping import read_groups
    from cubbyd.classify.hierarchyfile import save_hierarchical
    from cubbyd.training.hierarchical import accuracy_within, train_hierarchical

    if config is None:
        raise click.UsageError("--kind hierarchical needs a configuration, in which every category has a group; give --config")
    groups = read_groups(config)
    model = train_hierarchical(loaded, groups, seed=seed, source=str(examples), progress=_progress)
    save_hierarchical(model, out, created=SystemClock().now())
    accuracy, within = model.among.quality.accuracy, accuracy_within(model)
    facts = {
        "categories": sum(map(len, groups.values())),
        "groups": len(groups),
        "group_accuracy": round(accuracy, 4),
        "accuracy_within_group": round(within, 4),
    }
    return facts, f"the right group {accuracy:.3f}, the right category within the right group {within:.3f}"


def _progress(text: str) -> None:
    click.echo(text, err=True)


def _config(config_file: Path | None) -> Config | None:
    """Read the configuration where there is one; training a local model works without."""
    from cubbyd.errors import ConfigError

    try:
        file = find_config(config_file)
    except ConfigError:
        return None
    return load_config(file)
