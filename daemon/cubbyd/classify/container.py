"""The container of a model file: one zip with a manifest, JSON and numpy arrays; no pickle, no code.

The members are stored, not compressed: the same model gives the same bytes whatever the zlib, and a file cannot unpack to
more than its own size. The .npy format is that of numpy.lib.format, version 1.0. The manifest names the format, its
version, the kind, and the SHA-256 of every other member of the kind's own; what else it says is the kind's.

card.json is what the trainer says to people (cubbyd.classify.card). The last bytes of the file, in the zip's comment, are the
seal: the SHA-256 of all bytes before it, so that a file of which any byte changed is refused, the zip's own fields too.
"""

from __future__ import annotations

import errno
import io
import json
import os
import secrets
import struct
import tokenize
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from cubbyd.errors import ModelFileError

FORMAT: Final = "cubbyd-model"
MAX_FILE_BYTES: Final = 128 * 1024 * 1024
"""More than the largest vocabulary with the most categories takes."""

TRAIN_AGAIN: Final = "train it again: cubbyd train EXAMPLES.jsonl --out MODEL"

MANIFEST: Final = "manifest.json"
CARD: Final = "card.json"

_MARK: Final = b"cubbyd-sha256:"
_SEAL_BYTES: Final = 64
"""The seal is as many hex digits."""
_CHUNK: Final = 1024 * 1024

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip can say; the true one stands in the manifest."""

_BROKEN: Final = (
    *(zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, RuntimeError),
    *(tokenize.TokenError, SyntaxError, TypeError, OverflowError, MemoryError),
    *(ValueError, KeyError, IndexError),
)
"""What zipfile, numpy.lib.format and json raise for broken bytes; which of them depends on where the file is broken."""


@contextmanager
def open_container(file: Path) -> Iterator[zipfile.ZipFile]:
    """Open a model file; whatever reading broken bytes raises inside of the block becomes ModelFileError."""
    try:
        with zipfile.ZipFile(_checked(file)) as archive:
            yield archive
    except OSError as error:
        if error.errno == errno.EINVAL:  # broken bytes sent zipfile to a place before the file's beginning
            raise ModelFileError(file, f"is no sound model file; {TRAIN_AGAIN}") from error
        raise ModelFileError(file, f"cannot be read: {error.strerror or error}; {TRAIN_AGAIN}") from error
    except _BROKEN as error:
        raise ModelFileError(file, f"is no sound model file; {TRAIN_AGAIN}") from error


def _checked(file: Path) -> Path:
    if not file.is_file() and file.exists():
        raise ModelFileError(file, "is no regular file; name the model file itself")
    if (size := file.stat().st_size) > MAX_FILE_BYTES:
        raise ModelFileError(file, f"has {size} bytes, a model has at most {MAX_FILE_BYTES}; {TRAIN_AGAIN}")
    return file


def read_manifest(file: Path, archive: zipfile.ZipFile, *, version: int, kind: str) -> dict[str, JsonValue]:
    """Read what the file says of itself. Raises ModelFileError where it is of another format, version or kind."""
    said = _read_said(file, archive)
    if (said.get("version"), said.get("kind")) != (version, kind):
        found = f"version {said.get('version')!r}, kind {said.get('kind')!r}"
        raise ModelFileError(file, f"is of {found}; this cubbyd reads version {version}, kind {kind!r}; {TRAIN_AGAIN}")
    _check_seal(file, archive)
    return said


def read_any_manifest(file: Path, archive: zipfile.ZipFile) -> dict[str, JsonValue]:
    """Read what a file of any kind and version says of itself. Raises ModelFileError where it is none, or has changed."""
    said = _read_said(file, archive)
    _check_seal(file, archive)
    return said


def _read_said(file: Path, archive: zipfile.ZipFile) -> dict[str, JsonValue]:
    said: JsonValue = json.loads(read_member(archive, MANIFEST))
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise ModelFileError(file, f"is no model file of cubbyd; {TRAIN_AGAIN}")
    return said


def _check_seal(file: Path, archive: zipfile.ZipFile) -> None:
    """Compare the seal with the bytes before it, in the file that is open: one put in its place meanwhile is another."""
    stream = archive.fp
    if stream is None:
        raise ValueError("the archive is closed")
    if _digest_before_seal(stream) != _read_seal(stream):
        raise ModelFileError(file, f"is damaged or was changed: its bytes do not give its checksum; {TRAIN_AGAIN}")


def _read_seal(stream: IO[bytes]) -> bytes:
    stream.seek(-len(_MARK) - _SEAL_BYTES, os.SEEK_END)
    tail = stream.read()
    return tail.removeprefix(_MARK) if tail.startswith(_MARK) else b""


def _digest_before_seal(stream: IO[bytes]) -> bytes:
    left, digest = stream.seek(0, os.SEEK_END) - _SEAL_BYTES, sha256()
    stream.seek(0)
    while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest().encode()


def write_seal(stream: IO[bytes]) -> None:
    """Put the seal at the end of an archive that was written with room for it (SEAL_ROOM as its comment)."""
    seal = _digest_before_seal(stream)
    stream.seek(-_SEAL_BYTES, os.SEEK_END)
    stream.write(seal)


SEAL_ROOM: Final = _MARK + b"0" * _SEAL_BYTES
"""The comment of an archive before write_seal."""


def read_members(file: Path, archive: zipfile.ZipFile, names: Iterable[str], digests: Mapping[str, str]) -> dict[str, bytes]:
    """Read the members that are due. Raises ModelFileError where their SHA-256 are not those that the manifest gives."""
    members = {name: read_member(archive, name) for name in names}
    if digest_members(members) != digests:
        raise ModelFileError(file, f"is damaged: its members are not what its manifest says; {TRAIN_AGAIN}")
    return members


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member that is stored as it is, so that it has no more bytes than the file."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        message = f"{name} is compressed"
        raise ValueError(message)
    return archive.read(info)


def read_array(member: bytes, dtype: np.dtype[Any], shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Read an array of the dtype and shape that are due (None: any length), without believing its header."""
    stream = io.BytesIO(member)
    demand(np.lib.format.read_magic(stream) == (1, 0), "an array is of an unknown version")
    found, fortran, found_dtype = np.lib.format.read_array_header_1_0(stream)
    fits = len(found) == len(shape) and all(due in (None, there) for due, there in zip(shape, found, strict=True))
    demand(fits and min(found) >= 0 and not fortran and found_dtype == dtype, "an array is not of its shape")
    return np.frombuffer(member, dtype=dtype, offset=stream.tell()).reshape(found)


def demand(fact: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
    """Raise ValueError, which open_container makes a ModelFileError of, where a fact does not hold."""
    if not fact:
        raise ValueError(otherwise)


def array_bytes(array: NDArray[Any]) -> bytes:
    """Give an array as the bytes of a .npy file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def to_json(value: object) -> bytes:
    """Give a value as JSON, the same bytes for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()


def demand_renderer(file: Path, found: str, due: str, way_out: str = TRAIN_AGAIN) -> None:
    """Raise ModelFileError where a model was trained on texts of another version of the renderer than is due."""
    if found != due:
        raise ModelFileError(file, f"was trained on texts of renderer version {found!r}, this is {due!r}; {way_out}")


def digest_members(members: Mapping[str, bytes]) -> dict[str, str]:
    """Give the SHA-256 of each member."""
    return {name: sha256(member).hexdigest() for name, member in members.items()}


def save_container(
    file: Path, manifest: Mapping[str, Any], members: Mapping[str, bytes], *, created: datetime, card: object = None
) -> None:
    """Write a model in place of what was there, in one step: a reader sees the old file or the new one, whole.

    `card` is what the trainer says of it, as values of JSON. The same manifest, members, card and date give the same bytes.
    Raises ModelFileError where the file cannot be written.
    """
    with_card = {CARD: to_json(card)} if card is not None else {}
    said = {**manifest, "created": created.astimezone(UTC).isoformat(timespec="seconds")}
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x+b") as stream:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
                archive.comment = SEAL_ROOM
                for name, member in {MANIFEST: to_json(said), **with_card, **members}.items():
                    archive.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), member)
            write_seal(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise ModelFileError(file, f"cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the rename outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
