"""The folder of a local embedding model: what `cubbyd embedding-model` writes and the classifier loads.

    embedding.json    what the model is, where it comes from, and the SHA-256 of the other two
    model.onnx        the network: input_ids, attention_mask -> vectors
    tokenizer.json    how text becomes tokens, in the format of the package tokenizers

No code in the folder is ever run; every file is checked before it is used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cubbyd.classify.container import to_json
from cubbyd.errors import ModelFileError

MANIFEST: Final = "embedding.json"
NETWORK: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
FORMAT: Final = "cubbyd-embedding-model"
MAKE_AGAIN: Final = "make it again: cubbyd embedding-model SOURCE --out FOLDER"

_LARGEST_FILE: Final = 2 * 1024**3
_LARGEST_MANIFEST: Final = 100_000


class FolderManifest(BaseModel):
    """What an embedding model's folder says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["cubbyd-embedding-model"]
    version: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")
    precision: Literal["int8", "fp32"]
    dimensions: int = Field(ge=1, le=8192)
    max_tokens: int = Field(ge=8, le=8192)
    """Longer texts are cut to so many tokens."""
    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """The digest of the safetensors file that the network was made of."""
    versions: dict[str, str]
    """The versions of the programs that made it, by name."""
    members: dict[str, str]
    """The SHA-256 of each other file, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingFolder:
    """A checked folder, in memory."""

    manifest: FolderManifest
    network: bytes
    tokenizer: bytes

    @property
    def identity(self) -> str:
        """The model's name with 12 hex digits that change when a vector may change."""
        manifest = self.manifest
        digest = sha256(to_json([manifest.members, manifest.max_tokens])).hexdigest()[:12]
        return f"{manifest.name} {manifest.precision} {digest}"


def read_folder(folder: Path) -> EmbeddingFolder:
    """Read and check an embedding model. Raises ModelFileError that names the file and the way out."""
    if not folder.is_dir():
        raise ModelFileError(folder, f"there is no embedding model; {MAKE_AGAIN.removeprefix('make it again: ')}")
    file = folder / MANIFEST
    content = _read(file, _LARGEST_MANIFEST)
    try:
        manifest = FolderManifest.model_validate(json.loads(content))
    except (ValidationError, ValueError, RecursionError) as error:
        raise ModelFileError(file, f"is no description of an embedding model that this cubbyd reads; {MAKE_AGAIN}") from error
    members = {name: _read(folder / name, _LARGEST_FILE) for name in (NETWORK, TOKENIZER)}
    for name, member in members.items():
        if manifest.members.get(name) != sha256(member).hexdigest():
            raise ModelFileError(folder / name, f"is not what {MANIFEST} says of it; {MAKE_AGAIN}")
    return EmbeddingFolder(manifest=manifest, network=members[NETWORK], tokenizer=members[TOKENIZER])


def write_folder(folder: Path, members: Mapping[str, bytes], said: Mapping[str, object]) -> FolderManifest:
    """Write a folder, its description last, so that one that was cut short is seen to be. Raises ModelFileError."""
    digests = {name: sha256(member).hexdigest() for name, member in members.items()}
    manifest = FolderManifest.model_validate({"format": FORMAT, "version": 1, **said, "members": digests})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        for name, member in members.items():
            (folder / name).write_bytes(member)
        text = json.dumps(manifest.model_dump(), indent=2, sort_keys=True)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ModelFileError(folder, f"cannot be written: {error.strerror}") from error
    return manifest


def _read(file: Path, most: int) -> bytes:
    try:
        if file.stat().st_size > most:
            raise ModelFileError(file, f"is larger than {most} bytes; {MAKE_AGAIN}")
        return file.read_bytes()
    except OSError as error:
        raise ModelFileError(file, f"cannot be read: {error.strerror}; {MAKE_AGAIN}") from error
