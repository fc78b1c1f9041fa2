"""The file of a local model: one zip with a manifest, the words as JSON, and numpy arrays; no pickle, no code.

    manifest.json         what the model is, where it comes from, and the SHA-256 of every other member
    words.json, grams.npy, document_counts.npy               the vocabulary (cubbyd.classify.vocabularyfile)
    weights.npy           float32 (words + grams, categories)
    bias.npy              float32 (categories,)
    similar_columns.npy   int32 (kept, words of each)        the strongest words of some examples (cubbyd.classify.similar)
    similar_values.npy    float16 (kept, words of each)
    similar_labels.npy    int32 (kept,)
    similar_lines.npy     int32 (kept,)
    subjects.json         their subjects, where the admin wanted them kept; else an empty list

The container and its safety are in cubbyd.classify.container.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

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
from cubbyd.classify.feature import Floats, Vocabulary
from cubbyd.classify.similar import NOTHING_SIMILAR, WORDS_KEPT, Similar
from cubbyd.classify.vocabularyfile import VOCABULARY, WORD_LIST, read_vocabulary, vocabulary_members
from cubbyd.config import Labels
from cubbyd.taxonomy import CategoryId

FORMAT_VERSION: Final = 3
KIND: Final = "local"

MAX_CATEGORIES: Final = 250

_SIMILAR: Final = ("similar_columns.npy", "similar_values.npy", "similar_labels.npy", "similar_lines.npy", "subjects.json")
_OWN: Final = ("weights.npy", "bias.npy", *_SIMILAR)
_MEMBERS: Final = (*VOCABULARY, *_OWN)
_MAX_EXAMPLES: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well a model did in cross-validation, on examples that it had not been trained on."""

    examples: int
    """How many examples were asked for."""
    accuracy: float
    macro_f1: float
    calibration_error: float
    """The expected calibration error (ECE), 0 to 1."""


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
    """What logits are divided by before they become probabilities, where a mail has one category."""
    labels: Labels = Labels.ONE
    slopes: tuple[float, ...] = ()
    """Where a mail can have several: what the logit of each category is multiplied by, before the logistic function;"""
    shifts: tuple[float, ...] = ()
    """and what is then added to it. Both empty where a mail has one."""
    similar: Similar = NOTHING_SIMILAR
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


_Finite = Annotated[float, Field(allow_inf_nan=False)]


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
    version: Literal[3]
    kind: Literal["local"]
    created: AwareDatetime
    categories: tuple[_Category, ...] = Field(min_length=2, max_length=MAX_CATEGORIES)
    mails: int = Field(ge=1, le=_MAX_EXAMPLES)
    """How many examples there were; with several labels fewer than the categories' together."""
    temperature: float = Field(gt=0, allow_inf_nan=False)
    labels: Labels
    slopes: tuple[_Finite, ...]
    shifts: tuple[_Finite, ...]
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

    @model_validator(mode="after")
    def _each_is_calibrated(self) -> Self:
        due = len(self.categories) if self.labels is Labels.MANY else 0
        if (len(self.slopes), len(self.shifts)) != (due, due):
            message = "slopes and shifts are not one for each category"
            raise ValueError(message)
        return self


def save_model(model: LocalModel, file: Path, *, created: datetime, card: object = None) -> None:
    """Write a model in place of what was there, in one step; the same model, card and date give the same bytes.

    Raises ModelFileError where the file cannot be written.
    """
    members = _members(model)
    save_container(file, _describe(model, members), members, created=created, card=card)


def load_model(file: Path, *, renderer: str) -> LocalModel:
    """Read a model that was trained on texts of this version of the renderer.

    Whatever the bytes are, either a sound model comes back or ModelFileError is raised; no code in the file is ever run.
    """
    with open_container(file) as archive:
        manifest = _Manifest.model_validate(read_manifest(file, archive, version=FORMAT_VERSION, kind=KIND))
        demand_renderer(file, manifest.renderer, renderer)
        return _build_model(manifest, read_members(file, archive, _MEMBERS, manifest.members))


def _build_model(manifest: _Manifest, members: Mapping[str, bytes]) -> LocalModel:
    vocabulary = read_vocabulary(members, manifest.mails)
    categories = len(manifest.categories)
    examples = tuple(category.examples for category in manifest.categories)
    weights = read_array(members["weights.npy"], np.dtype(np.float32), (len(vocabulary), categories))
    bias = read_array(members["bias.npy"], np.dtype(np.float32), (categories,))
    demand(bool(np.isfinite(weights).all() and np.isfinite(bias).all()), "a weight is no number")
    return LocalModel(
        categories=tuple(CategoryId(category.id) for category in manifest.categories),
        examples=examples,
        vocabulary=vocabulary,
        weights=weights,
        bias=bias,
        temperature=manifest.temperature,
        labels=manifest.labels,
        slopes=manifest.slopes,
        shifts=manifest.shifts,
        similar=_build_similar(members, len(vocabulary.words), categories),
        renderer=manifest.renderer,
        data_sha256=manifest.data_sha256,
        quality=Quality(**manifest.quality.model_dump()),
        versions=manifest.versions,
    )


def _build_similar(members: Mapping[str, bytes], words: int, categories: int) -> Similar:
    columns = read_array(members["similar_columns.npy"], np.dtype(np.int32), (None, WORDS_KEPT))
    values = read_array(members["similar_values.npy"], np.dtype(np.float16), (len(columns), WORDS_KEPT))
    labels, lines = (
        read_array(members[f"similar_{name}.npy"], np.dtype(np.int32), (len(columns),)) for name in ("labels", "lines")
    )
    subjects = WORD_LIST.validate_json(members["subjects.json"])
    demand(bool(((columns >= 0) & (columns <= words)).all()), "a word that the vocabulary does not have")
    demand(bool(np.isfinite(values).all()), "a value is no number")
    demand(bool(((labels >= 0) & (labels < categories)).all() and (lines >= 0).all()), "an example of no category or line")
    demand(len(subjects) in (0, len(columns)), "a subject for some of the examples")
    return Similar(columns=columns, values=values, labels=labels, lines=lines, subjects=subjects)


def _members(model: LocalModel) -> dict[str, bytes]:
    similar = model.similar
    kept = (similar.columns, similar.values, similar.labels, similar.lines)
    numbers = [array_bytes(array) for array in (model.weights, model.bias, *kept)]
    return vocabulary_members(model.vocabulary) | dict(zip(_OWN, (*numbers, to_json(similar.subjects)), strict=True))


def _describe(model: LocalModel, members: Mapping[str, bytes]) -> dict[str, Any]:
    """Give the manifest but for the date."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "kind": KIND,
        "categories": [{"id": id_, "examples": count} for id_, count in zip(model.categories, model.examples, strict=True)],
        "mails": model.vocabulary.examples,
        "temperature": model.temperature,
        "labels": model.labels,
        "slopes": model.slopes,
        "shifts": model.shifts,
        "renderer": model.renderer,
        "data_sha256": model.data_sha256,
        "quality": asdict(model.quality),
        "versions": dict(model.versions),
        "members": digest_members(members),
    }
