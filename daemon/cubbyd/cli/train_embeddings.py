"""What `cubbyd train --kind embeddings` does: an embedding model, examples, and the model file of the two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels
from cubbyd.dataset import Example

if TYPE_CHECKING:
    from cubbyd.classify.embedding.cache import Embedder
    from cubbyd.classify.embedding.model import EmbeddingModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    seed: int
    folder: Path | None
    heads: tuple[str, ...]
    adapter: bool
    labels: str | None


def train_and_save(config: Config | None, loaded: list[Example], examples: Path, out: Path, wish: Wish) -> EmbeddingModel:
    """Train on vectors of the folder that was named, or of what the configuration names, and write the file."""
    from cubbyd.classify.embedding.model import save_embedding_model
    from cubbyd.training.embedding import DEFAULT_HEADS, Plan, train_embeddings

    given = config.classifier.labels if config is not None else Labels.ONE
    plan = Plan(
        heads=tuple(dict.fromkeys(wish.heads)) or DEFAULT_HEADS,
        labels=Labels(wish.labels) if wish.labels else given,
        adapter=wish.adapter,
        seed=wish.seed,
    )
    embedder = _open_embedder(config, wish.folder)
    try:
        model = train_embeddings(
            loaded,
            embedder,
            config.taxonomy if config is not None else None,
            plan=plan,
            source=str(examples),
            progress=lambda text: click.echo(text, err=True),
        )
    finally:
        embedder.close()
    save_embedding_model(model, out, created=SystemClock().now())
    return model


def _open_embedder(config: Config | None, folder: Path | None) -> Embedder:
    from cubbyd.classify.embedding.cache import Embedder
    from cubbyd.classify.embedding.opening import open_embedder, open_folder

    if folder is not None:
        return Embedder(open_folder(folder))
    if config is None:
        raise click.UsageError("give --embedding-model FOLDER, or a configuration with a table [classifier.embeddings]")
    return open_embedder(config)
