"""The file of a local model: one zip with a manifest, the words as JSON, and numpy arrays; no pickle, no code.

    manifest.json         what the model is, where it comes from, and the SHA-256 of every other member
    words.json            the vocabulary's words
    grams.npy             uint64 (grams,)                    the hashes of its character n-grams
    document_counts.npy   int32 (words + grams,)             in how many examples each of them occurs
    weights.npy           float32 (words + grams, categories)
    bias.npy              float32 (categories,)

A model that was trained to keep subjects has four more, and is readable by its owner alone:

    subjects.json         the subject lines of the examples that are kept
    kept_labels.npy       int32 (kept,)                      the place of each one's category
    kept_columns.npy      int32 (kept, 32)                   its heaviest features
    kept_values.npy       float32 (kept, 32)

The container and its safety are in cubbyd.classify.container.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from cubbyd.classify.container import (
    FORMAT,
    TRAIN_AGAIN,
    array_bytes,
    demand,
    digest_members,
    open_container,
    read_array,
    read_manifest,
    read_members,
    save_container,
    to_json,
)
from cubbyd.classify.feature import MAX_GRAMS, MAX_WORDS, Floats, Vocabulary
from cubbyd.classify.likeness import FEATURES, MAX_KEPT, MAX_SUBJECT, Kept
from cubbyd.config import Labels
from cubbyd.errors import ModelFileError
from cubbyd.taxonomy import CategoryId

FORMAT_VERSION: Final = 2
KIND: Final = "local"

MAX_CATEGORIES: Final = 250

_WORDS: Final = "words.json"
_MEMBERS: Final = (_WORDS, "grams.npy", "document_counts.npy", "weights.npy", "bias.npy")
_SUBJECTS: Final = "subjects.json"
_KEPT_MEMBERS: Final = (_SUBJECTS, "kept_labels.npy", "kept_columns.npy", "kept_values.npy")
_MAX_EXAMPLES: Final = 2**31 - 1

_WORD_LIST: Final = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well a model did in cross-validation, on examples that it had not been trained on."""

    examples: int
    """How many examples were asked for."""
    accuracy: float
    """Of the most probable category; with several labels, how often it is one of them."""
    macro_f1: float
    calibration_error: float
    """The expected calibration error (ECE), 0 to 1; with several labels, over all categories of all mails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A trained model: everything that serving needs, and where it comes from."""

    categories: tuple[CategoryId, ...]
    examples: tuple[int, ...]
    """How many examples of each category it was trained on."""
    vocabulary: Vocabulary
    weights: Floats
    """Shape (columns of the vocabulary, categories)."""
    bias: Floats
    """Shape (categories,)."""
    temperature: float
    """What logits are divided by before they become probabilities; 1 where a mail can have several categories."""
    labels: Labels = Labels.ONE
    """One: the probabilities sum to 1. Many: each category has one of its own."""
    kept: Kept | None = None
    """Examples by their subject line, where they were to be kept."""
    renderer: str
    """The version of the renderer that made the texts it was trained on."""
    data_sha256: str
    """The fingerprint of the training data."""
    quality: Quality
    versions: Mapping[str, str]
    """The versions of the programs that trained it, by name."""

    @property
    def identity(self) -> str:
        """The model's name: 16 hex digits that change when anything but the date changes."""
        return sha256(to_json(_describe(self, _members(self)))).hexdigest()[:16]


class _Category(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    examples: int = Field(ge=1, le=_MAX_EXAMPLES)


class _Quality(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: int = Field(ge=1, le=_MAX_EXAMPLES)
    accuracy: float = Field(ge=0, le=1)
    macro_f1: float = Field(ge=0, le=1)
    calibration_error: float = Field(ge=0, le=1)


class _Manifest(BaseModel):
    """What a model file says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["cubbyd-model"]
    version: Literal[2]
    kind: Literal["local"]
    created: AwareDatetime
    labels: Labels
    examples: int = Field(ge=1, le=_MAX_EXAMPLES)
    """How many mails it was trained on; with several labels, less than all categories together."""
    categories: tuple[_Category, ...] = Field(min_length=2, max_length=MAX_CATEGORIES)
    temperature: float = Field(gt=0, allow_inf_nan=False)
    renderer: str
    data_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    quality: _Quality
    versions: dict[str, str]
    members: dict[str, str]
    """The SHA-256 of each member, by its name in the file."""

    @model_validator(mode="after")
    def _categories_differ(self) -> Self:
        if len({category.id for category in self.categories}) < len(self.categories):
            message = "a category stands twice"
            raise ValueError(message)
        return self


def save_model(model: LocalModel, file: Path, *, created: datetime) -> None:
    """Write a model in place of what was there, in one step; the same model and date give the same bytes.

    One with subject lines can be read by its owner alone. Raises ModelFileError where the file cannot be written.
    """
    members = _members(model)
    save_container(file, _describe(model, members), members, created=created, private=model.kept is not None)


def load_model(file: Path, *, renderer: str) -> LocalModel:
    """Read a model that was trained on texts of this version of the renderer.

    Whatever the bytes are, either a sound model comes back or ModelFileError is raised; no code in the file is ever run.
    """
    with open_container(file) as archive:
        manifest = _Manifest.model_validate(read_manifest(file, archive, version=FORMAT_VERSION, kind=KIND))
        if manifest.renderer != renderer:
            raise ModelFileError(
                file, f"was trained on texts of renderer version {manifest.renderer!r}, this is {renderer!r}; {TRAIN_AGAIN}"
            )
        names = _MEMBERS + _KEPT_MEMBERS if _SUBJECTS in manifest.members else _MEMBERS
        return _build_model(manifest, read_members(file, archive, names, manifest.members))


def _build_model(manifest: _Manifest, members: Mapping[str, bytes]) -> LocalModel:
    words = _WORD_LIST.validate_json(members[_WORDS])
    grams = read_array(members["grams.npy"], np.dtype(np.uint64), (None,))
    columns, categories = len(words) + len(grams), len(manifest.categories)
    document_counts = read_array(members["document_counts.npy"], np.dtype(np.int32), (columns,))
    examples = tuple(category.examples for category in manifest.categories)
    weights = read_array(members["weights.npy"], np.dtype(np.float32), (columns, categories))
    bias = read_array(members["bias.npy"], np.dtype(np.float32), (categories,))
    demand(len(words) <= MAX_WORDS and len(grams) <= MAX_GRAMS, "the vocabulary is too large")
    demand(list(words) == sorted(set(words)) and bool(np.all(grams[1:] > grams[:-1])), "the vocabulary is out of order")
    demand(max(examples) <= manifest.examples <= sum(examples), "more examples, or fewer, than its categories have")
    demand(manifest.labels is Labels.MANY or manifest.examples == sum(examples), "an example of several categories")
    in_some = (document_counts >= 1) & (document_counts <= manifest.examples)
    demand(bool(in_some.all()), "a feature in no example, or in too many")
    demand(bool(np.isfinite(weights).all() and np.isfinite(bias).all()), "a weight is no number")
    return LocalModel(
        categories=tuple(CategoryId(category.id) for category in manifest.categories),
        examples=examples,
        vocabulary=Vocabulary(words=words, grams=grams, document_counts=document_counts, examples=manifest.examples),
        weights=weights,
        bias=bias,
        temperature=manifest.temperature,
        labels=manifest.labels,
        kept=_build_kept(members, columns, categories) if _SUBJECTS in members else None,
        renderer=manifest.renderer,
        data_sha256=manifest.data_sha256,
        quality=Quality(**manifest.quality.model_dump()),
        versions=manifest.versions,
    )


def _build_kept(members: Mapping[str, bytes], columns: int, categories: int) -> Kept:
    subjects = _WORD_LIST.validate_json(members[_SUBJECTS])
    labels = read_array(members["kept_labels.npy"], np.dtype(np.int32), (len(subjects),))
    kept_columns = read_array(members["kept_columns.npy"], np.dtype(np.int32), (len(subjects), FEATURES))
    values = read_array(members["kept_values.npy"], np.dtype(np.float32), (len(subjects), FEATURES))
    demand(len(subjects) <= MAX_KEPT, "too many examples are kept")
    demand(all(0 < len(subject) <= MAX_SUBJECT and subject.isprintable() for subject in subjects), "a subject is none")
    demand(bool(np.all((labels >= 0) & (labels < categories))), "a kept example is of no category")
    demand(bool(np.all((kept_columns >= 0) & (kept_columns < columns))), "a kept example has an unknown feature")
    demand(bool(np.isfinite(values).all()), "a kept value is no number")
    return Kept(subjects=subjects, labels=labels, columns=kept_columns, values=values)


def _members(model: LocalModel) -> dict[str, bytes]:
    vocabulary = model.vocabulary
    arrays = (vocabulary.grams, vocabulary.document_counts, model.weights, model.bias)
    members = dict(zip(_MEMBERS, (to_json(vocabulary.words), *(array_bytes(array) for array in arrays)), strict=True))
    if (kept := model.kept) is not None:
        kept_arrays = (array_bytes(array) for array in (kept.labels, kept.columns, kept.values))
        members |= zip(_KEPT_MEMBERS, (to_json(kept.subjects), *kept_arrays), strict=True)
    return members


def _describe(model: LocalModel, members: Mapping[str, bytes]) -> dict[str, Any]:
    """Give the manifest but for the date."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "kind": KIND,
        "labels": str(model.labels),
        "examples": model.vocabulary.examples,
        "categories": [{"id": id_, "examples": count} for id_, count in zip(model.categories, model.examples, strict=True)],
        "temperature": model.temperature,
        "renderer": model.renderer,
        "data_sha256": model.data_sha256,
        "quality": asdict(model.quality),
        "versions": dict(model.versions),
        "members": digest_members(members),
    }
