"""The file of an embeddings classifier: one zip with a manifest, the words as JSON, and numpy arrays; no pickle, no code.

    manifest.json          what the model is, which embedding model it belongs to, and the SHA-256 of every other member
    words.json, grams.npy, document_counts.npy    the vocabulary, as in a local model; empty where vectors stand alone
    word_weights.npy       float32 (words + grams, categories)
    vector_weights.npy     float32 (dimensions, categories)
    neighbor_weights.npy   float32 (categories,)               what the votes of the nearest examples count
    bias.npy               float32 (categories,)
    adapter.npy            float32 (dimensions, dimensions)    what vectors are multiplied by first; (0, dimensions): nothing
    index_vectors.npy      float16 (examples, dimensions)      vectors of examples: personal data
    index_targets.npy      uint8 (examples, categories)        1 where an example has the category
    index_lines.npy        int32 (examples,)                   where each stood in the file of examples

The container and its safety are in cubbyd.classify.container.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cubbyd.classify.container import (
    FORMAT,
    array_bytes,
    demand,
    demand_renderer,
    digest_members,
    open_container,
    read_array,
    read_manifest,
    read_members,
    save_container,
    to_json,
)
from cubbyd.classify.embedding.index import Index
from cubbyd.classify.embedding.source import Vector, normalize
from cubbyd.classify.feature import Columns, Floats, Vocabulary
from cubbyd.classify.vocabularyfile import VOCABULARY, read_vocabulary, vocabulary_members
from cubbyd.config import Labels
from cubbyd.taxonomy import CategoryId

KIND: Final = "embeddings"
FORMAT_VERSION: Final = 2
TRAIN_AGAIN: Final = "train it again: cubbyd train EXAMPLES.jsonl --kind embeddings --out MODEL"
MAX_CATEGORIES: Final = 250
MAX_INDEX: Final = 10_000
"""How many examples the index holds; of more, each category keeps its share."""

_OWN: Final = (
    *("word_weights.npy", "vector_weights.npy", "neighbor_weights.npy", "bias.npy", "adapter.npy"),
    *("index_vectors.npy", "index_targets.npy", "index_lines.npy"),
)
_MEMBERS: Final = (*VOCABULARY, *_OWN)
_MAX_COUNT: Final = 2**31 - 1
_LENGTH_TOLERANCE: Final = 0.01


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CategoryFact(_Part):
    """One category, and how many examples of it the model was trained on."""

    id: str = Field(min_length=1)
    examples: int = Field(ge=1, le=_MAX_COUNT)


class Quality(_Part):
    """How well a model did in cross-validation, on examples that neither weights nor calibration had seen."""

    examples: int = Field(ge=1, le=_MAX_COUNT)
    accuracy: float = Field(ge=0, le=1)
    """Of the most probable category; with several labels, how often it is one of them."""
    macro_f1: float = Field(ge=0, le=1)
    calibration_error: float = Field(ge=0, le=1)
    """The expected calibration error (ECE); with several labels, over all categories of all mails."""


class _Manifest(_Part):
    """What a model file says of itself."""

    format: Literal["cubbyd-model"]
    version: Literal[2]
    kind: Literal["embeddings"]
    created: AwareDatetime
    labels: Labels
    categories: tuple[CategoryFact, ...] = Field(min_length=2, max_length=MAX_CATEGORIES)
    embedding_model: str = Field(min_length=1, max_length=300)
    dimensions: int = Field(ge=1, le=8192)
    heads: dict[str, float]
    renderer: str
    data_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    quality: Quality
    versions: dict[str, str]
    members: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingModel:
    """A trained model: everything that serving needs beside the embedding model, and where it comes from."""

    labels: Labels
    """One: the probabilities sum to 1. Many: each category has one of its own."""
    categories: tuple[CategoryId, ...]
    examples: tuple[int, ...]
    embedding_model: str
    """The name of the model whose vectors it was trained on."""
    dimensions: int
    vocabulary: Vocabulary
    word_weights: Floats
    vector_weights: Floats
    neighbor_weights: Floats
    bias: Floats
    adapter: Floats
    """Shape (dimensions, dimensions), or (0, dimensions) for none."""
    index: Index
    heads: Mapping[str, float]
    """What each head counts in the sum."""
    renderer: str
    data_sha256: str
    quality: Quality
    versions: Mapping[str, str]

    @property
    def identity(self) -> str:
        """The model's name: 16 hex digits that change when anything but the date changes."""
        return sha256(to_json(_describe(self, _members(self)))).hexdigest()[:16]

    def adapt(self, vector: Vector) -> Vector:
        """Bring a vector of the embedding model to what the weights and the index are for."""
        return apply_adapter(self.adapter, vector) if len(self.adapter) else vector

    def score(self, columns: Columns, values: Floats, adapted: Vector) -> NDArray[np.float64]:
        """Give a logit for each category, from the features of a mail and its adapted vector."""
        logits = self.bias.astype(np.float64) + adapted @ self.vector_weights
        if len(columns):
            logits += values @ self.word_weights.take(columns, axis=0)
        if self.neighbor_weights.any():
            logits += self.neighbor_weights * self.index.votes(adapted)
        return logits


def apply_adapter(adapter: Floats, vector: Vector) -> Vector:
    """Turn and stretch a vector, and bring it to length 1 again."""
    return normalize(vector @ adapter)


def save_embedding_model(model: EmbeddingModel, file: Path, *, created: datetime, card: object = None) -> None:
    """Write a model in place of what was there, in one step. Raises ModelFileError where the file cannot be written."""
    members = _members(model)
    save_container(file, _describe(model, members), members, created=created, card=card)


def load_embedding_model(file: Path, *, renderer: str) -> EmbeddingModel:
    """Read a model that was trained on texts of this version of the renderer.

    Whatever the bytes are, either a sound model comes back or ModelFileError is raised; no code in the file is ever run.
    """
    with open_container(file) as archive:
        manifest = _Manifest.model_validate(read_manifest(file, archive, version=FORMAT_VERSION, kind=KIND))
        demand_renderer(file, manifest.renderer, renderer, TRAIN_AGAIN)
        return _build(manifest, read_members(file, archive, _MEMBERS, manifest.members))


def _build(manifest: _Manifest, members: Mapping[str, bytes]) -> EmbeddingModel:
    categories, dimensions = len(manifest.categories), manifest.dimensions
    demand(len({category.id for category in manifest.categories}) == categories, "a category stands twice")
    vocabulary = read_vocabulary(members, manifest.quality.examples)
    weights = {
        name: read_array(members[f"{name}.npy"], np.dtype(np.float32), shape)
        for name, shape in {
            "word_weights": (len(vocabulary), categories),
            "vector_weights": (dimensions, categories),
            "neighbor_weights": (categories,),
            "bias": (categories,),
            "adapter": (None, dimensions),
        }.items()
    }
    demand(all(np.isfinite(array).all() for array in weights.values()), "a weight is no number")
    demand(len(weights["adapter"]) in (0, dimensions), "the adapter is not of its shape")
    return EmbeddingModel(
        labels=manifest.labels,
        categories=tuple(CategoryId(category.id) for category in manifest.categories),
        examples=tuple(category.examples for category in manifest.categories),
        embedding_model=manifest.embedding_model,
        dimensions=dimensions,
        vocabulary=vocabulary,
        index=_build_index(members, dimensions, categories),
        heads=manifest.heads,
        renderer=manifest.renderer,
        data_sha256=manifest.data_sha256,
        quality=manifest.quality,
        versions=manifest.versions,
        **weights,
    )


def _build_index(members: Mapping[str, bytes], dimensions: int, categories: int) -> Index:
    vectors = read_array(members["index_vectors.npy"], np.dtype(np.float16), (None, dimensions)).astype(np.float32)
    targets = read_array(members["index_targets.npy"], np.dtype(np.uint8), (len(vectors), categories))
    lines = read_array(members["index_lines.npy"], np.dtype(np.int32), (len(vectors),))
    lengths = np.linalg.norm(vectors, axis=1)
    demand(len(vectors) <= MAX_INDEX and bool((targets <= 1).all()), "the index is not of its shape")
    sound = (lengths == 0) | (np.abs(lengths - 1) <= _LENGTH_TOLERANCE)
    demand(bool(sound.all()), "a vector of the index has not length 1")
    return Index(vectors=vectors, targets=targets.astype(np.bool_), lines=lines)


def _members(model: EmbeddingModel) -> dict[str, bytes]:
    index = model.index
    arrays: tuple[NDArray[Any], ...] = (
        *(model.word_weights, model.vector_weights, model.neighbor_weights, model.bias, model.adapter),
        *(index.vectors.astype(np.float16), index.targets.astype(np.uint8), index.lines),
    )
    return vocabulary_members(model.vocabulary) | dict(zip(_OWN, map(array_bytes, arrays), strict=True))


def _describe(model: EmbeddingModel, members: Mapping[str, bytes]) -> dict[str, Any]:
    """Give the manifest but for the date."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "kind": KIND,
        "labels": str(model.labels),
        "categories": [{"id": id_, "examples": count} for id_, count in zip(model.categories, model.examples, strict=True)],
        "embedding_model": model.embedding_model,
        "dimensions": model.dimensions,
        "heads": dict(model.heads),
        "renderer": model.renderer,
        "data_sha256": model.data_sha256,
        "quality": model.quality.model_dump(),
        "versions": dict(model.versions),
        "members": digest_members(members),
    }
