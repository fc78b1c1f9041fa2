"""The file of a local model: one zip with a manifest, the words as JSON, and numpy arrays; no pickle, no code.

    manifest.json         what the model is, where it comes from, and the SHA-256 of every other member
    words.json            the vocabulary's words
    grams.npy             uint64 (grams,)                    the hashes of its character n-grams
    document_counts.npy   int32 (words + grams,)             in how many examples each of them occurs
    weights.npy           float32 (words + grams, categories)
    bias.npy              float32 (categories,)

The members are stored, not compressed: the same model gives the same bytes whatever the zlib, and a file cannot unpack to
more than its own size. The .npy format is that of numpy.lib.format, version 1.0.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import struct
import tokenize
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, model_validator

from cubbyd.classify.feature import MAX_GRAMS, MAX_WORDS, Floats, Vocabulary
from cubbyd.errors import ModelFileError
from cubbyd.taxonomy import CategoryId

FORMAT: Final = "cubbyd-model"
FORMAT_VERSION: Final = 1
KIND: Final = "local"

MAX_CATEGORIES: Final = 250
MAX_FILE_BYTES: Final = 128 * 1024 * 1024
"""More than the largest vocabulary with the most categories takes."""

TRAIN_AGAIN: Final = "train it again: cubbyd train EXAMPLES.jsonl --out MODEL"

_MANIFEST: Final = "manifest.json"
_WORDS: Final = "words.json"
_MEMBERS: Final = (_WORDS, "grams.npy", "document_counts.npy", "weights.npy", "bias.npy")
_MAX_EXAMPLES: Final = 2**31 - 1
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip can say; the true one stands in the manifest."""

_BROKEN: Final = (
    *(zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, RuntimeError),
    *(tokenize.TokenError, SyntaxError, TypeError, OverflowError, MemoryError),
    *(ValueError, KeyError, IndexError),
)
"""What zipfile, numpy.lib.format and json raise for broken bytes; which of them depends on where the file is broken."""

_WORD_LIST: Final = TypeAdapter(tuple[str, ...])


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
    """What logits are divided by before they become probabilities."""
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
        return sha256(_to_json(_describe(self, _members(self)))).hexdigest()[:16]


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
    version: Literal[1]
    kind: Literal["local"]
    created: AwareDatetime
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
    """Write a model in place of what was there, in one step: a reader sees the old file or the new one, whole.

    The same model and date give the same bytes. Raises ModelFileError where the file cannot be written.
    """
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as stream:
            _write_zip(stream, model, created)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        raise ModelFileError(file, f"cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_model(file: Path, *, renderer: str) -> LocalModel:
    """Read a model that was trained on texts of this version of the renderer.

    Whatever the bytes are, either a sound model comes back or ModelFileError is raised; no code in the file is ever run.
    """
    with _named_errors(file), zipfile.ZipFile(_checked(file)) as archive:
        manifest = _read_manifest(file, archive)
        if manifest.renderer != renderer:
            raise ModelFileError(
                file, f"was trained on texts of renderer version {manifest.renderer!r}, this is {renderer!r}; {TRAIN_AGAIN}"
            )
        members = {name: _read_member(archive, name) for name in _MEMBERS}
        if {name: sha256(member).hexdigest() for name, member in members.items()} != manifest.members:
            raise ModelFileError(file, f"is damaged: its members are not what its manifest says; {TRAIN_AGAIN}")
        return _build_model(manifest, members)


@contextmanager
def _named_errors(file: Path) -> Iterator[None]:
    """Turn everything that reading a broken file raises into ModelFileError."""
    try:
        yield
    except OSError as error:
        raise ModelFileError(file, f"cannot be read: {error.strerror or error}; {TRAIN_AGAIN}") from error
    except _BROKEN as error:
        raise ModelFileError(file, f"is no sound model file; {TRAIN_AGAIN}") from error


def _checked(file: Path) -> Path:
    if not file.is_file() and file.exists():
        raise ModelFileError(file, "is no regular file; name the model file itself")
    if (size := file.stat().st_size) > MAX_FILE_BYTES:
        raise ModelFileError(file, f"has {size} bytes, a model has at most {MAX_FILE_BYTES}; {TRAIN_AGAIN}")
    return file


def _read_manifest(file: Path, archive: zipfile.ZipFile) -> _Manifest:
    said: JsonValue = json.loads(_read_member(archive, _MANIFEST))
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise ModelFileError(file, f"is no model file of cubbyd; {TRAIN_AGAIN}")
    if (said.get("version"), said.get("kind")) != (FORMAT_VERSION, KIND):
        found = f"version {said.get('version')!r}, kind {said.get('kind')!r}"
        raise ModelFileError(file, f"is of {found}; this cubbyd reads version {FORMAT_VERSION}, kind {KIND!r}; {TRAIN_AGAIN}")
    return _Manifest.model_validate(said)


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member that is stored as it is, so that it has no more bytes than the file."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        message = f"{name} is compressed"
        raise ValueError(message)
    return archive.read(info)


def _build_model(manifest: _Manifest, members: Mapping[str, bytes]) -> LocalModel:
    words = _WORD_LIST.validate_json(members[_WORDS])
    grams = _read_array(members["grams.npy"], np.dtype(np.uint64), (None,))
    columns, categories = len(words) + len(grams), len(manifest.categories)
    document_counts = _read_array(members["document_counts.npy"], np.dtype(np.int32), (columns,))
    examples = tuple(category.examples for category in manifest.categories)
    weights = _read_array(members["weights.npy"], np.dtype(np.float32), (columns, categories))
    bias = _read_array(members["bias.npy"], np.dtype(np.float32), (categories,))
    _demand(len(words) <= MAX_WORDS and len(grams) <= MAX_GRAMS, "the vocabulary is too large")
    _demand(list(words) == sorted(set(words)) and bool(np.all(grams[1:] > grams[:-1])), "the vocabulary is out of order")
    in_some = (document_counts >= 1) & (document_counts <= sum(examples))
    _demand(bool(in_some.all()), "a feature in no example, or in too many")
    _demand(bool(np.isfinite(weights).all() and np.isfinite(bias).all()), "a weight is no number")
    return LocalModel(
        categories=tuple(CategoryId(category.id) for category in manifest.categories),
        examples=examples,
        vocabulary=Vocabulary(words=words, grams=grams, document_counts=document_counts, examples=sum(examples)),
        weights=weights,
        bias=bias,
        temperature=manifest.temperature,
        renderer=manifest.renderer,
        data_sha256=manifest.data_sha256,
        quality=Quality(**manifest.quality.model_dump()),
        versions=manifest.versions,
    )


def _read_array(member: bytes, dtype: np.dtype[Any], shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Read an array of the dtype and shape that are due (None: any length), without believing its header."""
    stream = io.BytesIO(member)
    _demand(np.lib.format.read_magic(stream) == (1, 0), "an array is of an unknown version")
    found, fortran, found_dtype = np.lib.format.read_array_header_1_0(stream)
    fits = len(found) == len(shape) and all(due in (None, there) for due, there in zip(shape, found, strict=True))
    _demand(fits and min(found) >= 0 and not fortran and found_dtype == dtype, "an array is not of its shape")
    return np.frombuffer(member, dtype=dtype, offset=stream.tell()).reshape(found)


def _demand(fact: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not fact:
        raise ValueError(otherwise)


def _members(model: LocalModel) -> dict[str, bytes]:
    vocabulary = model.vocabulary
    arrays = (vocabulary.grams, vocabulary.document_counts, model.weights, model.bias)
    return dict(zip(_MEMBERS, (_to_json(vocabulary.words), *(_array_bytes(array) for array in arrays)), strict=True))


def _array_bytes(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _describe(model: LocalModel, members: Mapping[str, bytes]) -> dict[str, Any]:
    """Give the manifest but for the date."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "kind": KIND,
        "categories": [{"id": id_, "examples": count} for id_, count in zip(model.categories, model.examples, strict=True)],
        "temperature": model.temperature,
        "renderer": model.renderer,
        "data_sha256": model.data_sha256,
        "quality": asdict(model.quality),
        "versions": dict(model.versions),
        "members": {name: sha256(member).hexdigest() for name, member in members.items()},
    }


def _write_zip(stream: io.BufferedWriter, model: LocalModel, created: datetime) -> None:
    members = _members(model)
    manifest = {**_describe(model, members), "created": created.astimezone(UTC).isoformat(timespec="seconds")}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, member in {_MANIFEST: _to_json(manifest), **members}.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), member)


def _to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()


def _sync_folder(folder: Path) -> None:
    """Make the rename outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
