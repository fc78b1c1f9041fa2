"""`cubbyd train`: from labeled examples to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.output import say_json
from cubbyd.clock import SystemClock
from cubbyd.config import Config, find_config, load_config
from cubbyd.dataset import Example, read_examples
from cubbyd.errors import InputFileError

if TYPE_CHECKING:
    from cubbyd.classify.embedding.model import EmbeddingModel
    from cubbyd.classify.modelfile import LocalModel


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="MODEL", help="The model file to write.")
@click.option(
    "--kind", type=click.Choice(["local", "embeddings"]), default="local", show_default=True, help="Which classifier to train."
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
    help="embeddings: how many categories a mail can have; else classifier.labels of the configuration.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(
    config_file: Path | None, /, *, examples: Path, out: Path, kind: str, seed: int, as_json: bool, **of_embeddings: Any
) -> None:
    """Train a classifier on EXAMPLES, a file of JSON lines.

    A line is {"subject": "...", "body": "...", "label": "absence"}; "text" may stand for subject and body, "labels" for
    several. Where a configuration is found, its categories are the only labels allowed.

    \b
    Example:
      cubbyd train examples.jsonl --out cubbyd.model
    """
    loaded = list(read_examples(examples))
    if not loaded:
        raise InputFileError(examples, "holds no examples")
    model: LocalModel | EmbeddingModel
    if kind == "embeddings":
        from cubbyd.cli.train_embeddings import Wish, train_and_save

        model = train_and_save(_config(config_file), loaded, examples, out, Wish(seed=seed, **of_embeddings))
    else:
        model = _train_local(_config(config_file), loaded, examples, out, seed)
    quality = model.quality
    facts = {
        "model": str(out),
        "examples": len(loaded),
        "categories": len(model.categories),
        "accuracy": round(quality.accuracy, 4),
        "macro_f1": round(quality.macro_f1, 4),
        "calibration_error": round(quality.calibration_error, 4),
    }
    if as_json:
        say_json(facts)
        return
    click.echo(f"Trained on {len(loaded)} examples in {len(model.categories)} categories; wrote {out}.")
    click.echo(
        f"Cross-validated on the same examples: accuracy {quality.accuracy:.3f}, macro-F1 {quality.macro_f1:.3f}, "
        f"expected calibration error {quality.calibration_error:.3f}."
    )
    click.echo(f'Next: set model = "{out}" in [classifier], then `cubbyd check`.')


def _train_local(config: Config | None, loaded: list[Example], examples: Path, out: Path, seed: int) -> LocalModel:
    from cubbyd.classify.modelfile import save_model
    from cubbyd.training.local import train_local

    taxonomy = config.taxonomy if config is not None else None
    model = train_local(loaded, taxonomy, seed=seed, source=str(examples), progress=lambda text: click.echo(text, err=True))
    save_model(model, out, created=SystemClock().now())
    return model


def _config(config_file: Path | None) -> Config | None:
    """Take the configuration where there is one, for its categories; training works without."""
    from cubbyd.errors import ConfigError

    try:
        file = find_config(config_file)
    except ConfigError:
        return None
    return load_config(file)
