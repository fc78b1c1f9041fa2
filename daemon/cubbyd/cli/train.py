"""`cubbyd train`: from labeled examples to a model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.output import say_json
from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels, find_config, load_config
from cubbyd.dataset import Example, read_examples
from cubbyd.errors import InputFileError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from cubbyd.classify.embedding.model import EmbeddingModel
    from cubbyd.classify.hierarchyfile import HierarchicalModel
    from cubbyd.classify.modelfile import LocalModel
    from cubbyd.taxonomy import GroupId
    from cubbyd.training.card import Training
    from cubbyd.training.store import ModelStore
    from cubbyd.training.validation import HeldOut

KINDS = ("local", "embeddings", "hierarchical")
"""The kinds that are trained; the first where nothing says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    examples: Path
    out: Path | None
    """None for the store alone."""
    store: bool
    seed: int
    folder: Path | None
    heads: tuple[str, ...]
    adapter: bool
    labels: str | None
    keep_subjects: bool
    started: float
    """By the monotonic clock, in seconds."""


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="MODEL", help="The model file to write.")
@click.option("--store", is_flag=True, help="Put it into the model store, beside those of before; see `cubbyd models`.")
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
      cubbyd --config cubbyd.toml train examples.jsonl --store
      cubbyd train examples.jsonl --kind embeddings --embedding-model minilm --out cubbyd.model
      cubbyd --config cubbyd.toml train examples.jsonl --kind hierarchical --out cubbyd.model
    """
    config, wish = find_own_config(config_file), Wish(**wished, started=SystemClock().monotonic())
    store = _open_store(config, wish)
    loaded = list(read_examples(wish.examples))
    if not loaded:
        raise InputFileError(wish.examples, "holds no examples")
    chosen = kind or (config.classifier.kind if config and config.classifier.kind in KINDS else KINDS[0])
    train = {"local": _train_local, "embeddings": _train_embeddings, "hierarchical": _train_hierarchical}[chosen]
    with TemporaryDirectory(prefix="cubbyd-") as folder:
        file = wish.out or Path(folder, f"{chosen}.model")
        facts, measured = train(config, loaded, wish, file)
        version = store.add(file) if store is not None else None
    if as_json:
        kept = {"version": version.name} if version else {}
        say_json({"model": str(wish.out or (version and version.file)), **kept, "examples": len(loaded), **facts})
        return
    wrote = [*([f"wrote {wish.out}"] if wish.out else []), *([f"put into the store as {version.name}"] if version else [])]
    click.echo(f"Trained on {len(loaded)} examples in {facts['categories']} categories; {', '.join(wrote)}.")
    click.echo(f"Cross-validated on the same examples: {measured}.")
    if version is not None:
        click.echo(f"Next: cubbyd models show {version.name}, cubbyd models use {version.name}.")
        return
    if config and config.classifier.kind == chosen and config.classifier.model.resolve() == file.resolve():
        click.echo("Next: `cubbyd check`.")
        return
    set_kind = f'kind = "{chosen}" and ' if chosen != KINDS[0] else ""
    click.echo(f'Next: set {set_kind}model = "{wish.out}" in [classifier], then `cubbyd check`.')


def _open_store(config: Config | None, wish: Wish) -> ModelStore | None:
    """Open the store where it was asked for, before training, which can take long."""
    from cubbyd.training.store import ModelStore

    if not wish.store:
        if wish.out is None:
            raise click.UsageError("give --out MODEL, or --store to put it into the model store")
        return None
    if config is None:
        raise click.UsageError("--store needs a configuration: the store is beside the model that it names; give --config")
    store = ModelStore(config.classifier.model, SystemClock())
    store.prepare()
    return store


def _train_local(config: Config | None, loaded: list[Example], wish: Wish, file: Path) -> tuple[dict[str, Any], str]:
    """Train and save a local model; give facts about it, and a sentence on how good it is."""
    from cubbyd.classify.card import card_bytes
    from cubbyd.classify.modelfile import FORMAT_VERSION, save_model
    from cubbyd.training.card import make_card
    from cubbyd.training.local import train_local

    told: list[HeldOut] = []
    taxonomy = config.taxonomy if config else None
    model = train_local(
        loaded,
        taxonomy,
        labels=_labels(config, wish),
        keep_subjects=wish.keep_subjects,
        seed=wish.seed,
        source=str(wish.examples),
        progress=_progress,
        tell=told.append,
    )
    facts = _training(
        "local",
        FORMAT_VERSION,
        loaded,
        wish,
        model,
        model.versions,
        {"labels": model.labels, "keep_subjects": wish.keep_subjects},
    )
    card = make_card(facts, dict(zip(model.categories, model.examples, strict=True)), told[0])
    save_model(model, file, created=facts.created, card=card_bytes(card))
    return _facts(model)


def _train_embeddings(config: Config | None, loaded: list[Example], wish: Wish, file: Path) -> tuple[dict[str, Any], str]:
    """Do the same with one on vectors of the folder that was named, or of what the configuration names."""
    from cubbyd.classify.card import card_bytes
    from cubbyd.classify.embedding.cache import Embedder
    from cubbyd.classify.embedding.model import FORMAT_VERSION, save_embedding_model
    from cubbyd.classify.embedding.opening import open_embedder, open_folder
    from cubbyd.training.card import make_card
    from cubbyd.training.embedding import DEFAULT_HEADS, Plan, train_embeddings

    told: list[HeldOut] = []
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
        model = train_embeddings(
            loaded, embedder, taxonomy, plan=plan, source=str(wish.examples), progress=_progress, tell=told.append
        )
    finally:
        embedder.close()
    settings: dict[str, JsonValue] = {
        "labels": model.labels,
        "embedding_model": model.embedding_model,
        "dimensions": model.dimensions,
        "heads": dict(model.heads),
        "adapter": wish.adapter,
    }
    facts = _training("embeddings", FORMAT_VERSION, loaded, wish, model, model.versions, settings)
    card = make_card(facts, dict(zip(model.categories, model.examples, strict=True)), told[0])
    save_embedding_model(model, file, created=facts.created, card=card_bytes(card))
    return _facts(model)


def _train_hierarchical(config: Config | None, loaded: list[Example], wish: Wish, file: Path) -> tuple[dict[str, Any], str]:
    """Do the same with a hierarchical one."""
    from cubbyd.classify.card import card_bytes
    from cubbyd.classify.grouping import read_groups
    from cubbyd.classify.hierarchyfile import FORMAT_VERSION, save_hierarchical
    from cubbyd.training.card import make_grouped_card
    from cubbyd.training.hierarchical import accuracy_within, train_hierarchical

    if config is None:
        raise click.UsageError("--kind hierarchical needs a configuration, in which every category has a group; give --config")
    groups = read_groups(config)
    told: dict[GroupId | None, HeldOut] = {}
    model = train_hierarchical(
        loaded, groups, seed=wish.seed, source=str(wish.examples), progress=_progress, tell=told.__setitem__
    )
    training = _training(
        "hierarchical", FORMAT_VERSION, loaded, wish, model, model.among.versions, {"groups": [str(group) for group in groups]}
    )
    by_group = {group: held_out for group, held_out in told.items() if group is not None}
    card = make_grouped_card(training, model, told[None], by_group)
    save_hierarchical(model, file, created=training.created, card=card_bytes(card))
    accuracy, within = model.among.quality.accuracy, accuracy_within(model)
    facts = {
        "categories": sum(map(len, groups.values())),
        "groups": len(groups),
        "group_accuracy": round(accuracy, 4),
        "accuracy_within_group": round(within, 4),
    }
    return facts, f"the right group {accuracy:.3f}, the right category within the right group {within:.3f}"


def _training(
    kind: str,
    version: int,
    loaded: list[Example],
    wish: Wish,
    model: LocalModel | EmbeddingModel | HierarchicalModel,
    versions: Mapping[str, str],
    settings: Mapping[str, JsonValue],
) -> Training:
    """Put together what the card says beside the outcome."""
    from cubbyd.training.card import Training

    clock = SystemClock()
    return Training(
        kind=kind,
        format=version,
        file=wish.examples.name,
        data_sha256=model.data_sha256,
        examples=loaded,
        seed=wish.seed,
        settings=settings,
        created=clock.now(),
        seconds=clock.monotonic() - wish.started,
        versions=versions,
    )


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


def find_own_config(config_file: Path | None) -> Config | None:
    """Read the configuration where there is one; training works without, but for a hierarchical classifier."""
    from cubbyd.errors import ConfigError

    try:
        file = find_config(config_file)
    except ConfigError:
        return None
    return load_config(file)
