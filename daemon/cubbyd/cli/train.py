"""`cubbyd train`: from labeled examples to a model file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.output import say_json
from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.dataset import Example, read_examples
from cubbyd.errors import InputFileError

if TYPE_CHECKING:
    from cubbyd.classify.embedding.model import EmbeddingModel
    from cubbyd.classify.modelfile import LocalModel

KINDS = ("local", "embeddings", "hierarchical")
"""The kinds that are trained; the first where nothing says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    examples: Path
    out: Path
    seed: int
    folder: Path | None
    heads: tuple[str, ...]
    adapter: bool
    labels: str | None
    keep_subjects: bool


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="MODEL", help="The model file to write.")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What to train; default: the configuration's kind where it is one of these, else local.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="The same seed and examples give the same model.",
)
@click.option(
    "--embedding-model",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="embeddings: the embedding model; else that of [classifier.embeddings].",
)
@click.option(
    "--head",
    "heads",
    multiple=True,
    type=click.Choice(["words", "joint", "logistic", "means", "neighbors"]),
    help="embeddings: only these heads, instead of the usual blend; may be given several times.",
)
@click.option("--adapter", is_flag=True, help="embeddings: learn a linear map of the vectors too.")
@click.option(
    "--labels",
    type=click.Choice(["one", "many"]),
    help="How many categories a mail can have; else classifier.labels of the configuration; not for hierarchical.",
)
@click.option(
    "--keep-subjects",
    is_flag=True,
    help="local: show the most similar example by its subject, which then stands in the model and the state file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(config_file: Path | None, /, *, kind: str | None, as_json: bool, **wished: Any) -> None:
    """Train a classifier of this machine on EXAMPLES, a file of JSON lines.

    A line is {"subject": "...", "body": "...", "label": "absence"}; "text" may stand for subject and body, "labels" for
    several. Where a configuration is found, its categories are the only labels allowed.

    A hierarchical classifier, for hundreds of categories, is trained by the groups of the configuration.

    \b
    Example:
      cubbyd train examples.jsonl --out cubbyd.model
      cubbyd train examples.jsonl --kind embeddings --embedding-model minilm --out cubbyd.model
      cubbyd --config cubbyd.toml train examples.jsonl --kind hierarchical --out cubbyd.model
    """
    config, wish = _config(config_file), Wish(**wished)
    loaded = list(read_examples(wish.examples))
    if not loaded:
        raise InputFileError(wish.examples, "holds no examples")
    chosen = kind or (config.classifier.kind if config and config.classifier.kind in KINDS else KINDS[0])
    train = {"local": _train_local, "embeddings": _train_embeddings, "hierarchical": _train_hierarchical}[chosen]
    facts, measured = train(config, loaded, wish)
    if as_json:
        say_json({"model": str(wish.out), "examples": len(loaded), **facts})
        return
    click.echo(f"Trained on {len(loaded)} examples in {facts['categories']} categories; wrote {wish.out}.")
    click.echo(f"Cross-validated on the same examples: {measured}.")
    set_kind = f'kind = "{chosen}" and ' if chosen != KINDS[0] else ""
    click.echo(f'Next: set {set_kind}model = "{wish.out}" in [classifier], then `cubbyd check`.')


def _train_local(config: Config | None, loaded: list[Example], wish: Wish) -> tuple[dict[str, Any], str]:
    """Train and save a local model; give facts about it, and a sentence on how good it is."""
    from cubbyd.classify.modelfile import save_model
    from cubbyd.training.local import train_local

    taxonomy = config.taxonomy if config else None
    model = train_local(
        loaded,
        taxonomy,
        labels=_labels(config, wish),
        keep_subjects=wish.keep_subjects,
        seed=wish.seed,
        source=str(wish.examples),
        progress=_progress,
    )
    save_model(model, wish.out, created=SystemClock().now())
    return _facts(model)


def _train_embeddings(config: Config | None, loaded: list[Example], wish: Wish) -> tuple[dict[str, Any], str]:
    """Do the same with one on vectors of the folder that was named, or of what the configuration names."""
    from cubbyd.classify.embedding.cache import Embedder
    from cubbyd.classify.embedding.model import save_embedding_model
    from cubbyd.classify.embedding.opening import open_embedder, open_folder
    from cubbyd.training.embedding import DEFAULT_HEADS, Plan, train_embeddings

    plan = Plan(
        heads=tuple(dict.fromkeys(wish.heads)) or DEFAULT_HEADS,
        labels=_labels(config, wish),
        adapter=wish.adapter,
        seed=wish.seed,
    )
    if wish.folder is not None:
        embedder = Embedder(open_folder(wish.folder))
    elif config is not None:
        embedder = open_embedder(config)
    else:
        raise click.UsageError("give --embedding-model FOLDER, or a configuration with a table [classifier.embeddings]")
    try:
        taxonomy = config.taxonomy if config else None
        model = train_embeddings(loaded, embedder, taxonomy, plan=plan, source=str(wish.examples), progress=_progress)
    finally:
        embedder.close()
    save_embedding_model(model, wish.out, created=SystemClock().now())
    return _facts(model)


def _train_hierarchical(config: Config | None, loaded: list[Example], wish: Wish) -> tuple[dict[str, Any], str]:
    """Do the same with a hierarchical one."""
    from cubbyd.classify.grouping import read_groups
    from cubbyd.classify.hierarchyfile import save_hierarchical
    from cubbyd.training.hierarchical import accuracy_within, train_hierarchical

    if config is None:
        raise click.UsageError("--kind hierarchical needs a configuration, in which every category has a group; give --config")
    groups = read_groups(config)
    model = train_hierarchical(loaded, groups, seed=wish.seed, source=str(wish.examples), progress=_progress)
    save_hierarchical(model, wish.out, created=SystemClock().now())
    accuracy, within = model.among.quality.accuracy, accuracy_within(model)
    facts = {
        "categories": sum(map(len, groups.values())),
        "groups": len(groups),
        "group_accuracy": round(accuracy, 4),
        "accuracy_within_group": round(within, 4),
    }
    return facts, f"the right group {accuracy:.3f}, the right category within the right group {within:.3f}"


def _labels(config: Config | None, wish: Wish) -> Labels:
    if wish.labels:
        return Labels(wish.labels)
    return config.classifier.labels if config else Labels.ONE


def _facts(model: LocalModel | EmbeddingModel) -> tuple[dict[str, Any], str]:
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


def _progress(text: str) -> None:
    click.echo(text, err=True)


def _config(config_file: Path | None) -> Config | None:
    """Read the configuration where there is one; training works without, but for a hierarchical classifier."""
    from cubbyd.errors import ConfigError

    try:
        file = find_config(config_file)
    except ConfigError:
        return None
    return load_config(file)
