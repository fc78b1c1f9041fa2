"""Opens the embeddings classifier: the embedding model, the trained model, and the gate that keeps names in the building."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from cubbyd.classify.embedding.folder import read_folder
from cubbyd.clock import Clock, SystemClock
from cubbyd.config import Config
from cubbyd.config.embeddings import EmbeddingServerSection, EmbeddingsSection
from cubbyd.config.secret import NO_KEY, SecretPlace, read_secret
from cubbyd.errors import ConfigError, ModelFileError, Problem

if TYPE_CHECKING:
    from cubbyd.classify.embedding.cache import Embedder
    from cubbyd.classify.embedding.classifier import EmbeddingClassifier
    from cubbyd.classify.embedding.source import Source

KIND: Final = "embeddings"
SERVER: Final = "embeddings.server"


def open_embeddings(config: Config, clock: Clock | None = None) -> EmbeddingClassifier:
    """Open the classifier that [classifier.embeddings] describes. Raises ConfigError, ModelFileError, InputFileError."""
    from cubbyd.classify.embedding.classifier import EmbeddingClassifier
    from cubbyd.classify.embedding.model import TRAIN_AGAIN, load_embedding_model
    from cubbyd.message import RENDERER_VERSION

    section, file = _section(config), config.classifier.model
    if not file.exists():
        raise ModelFileError(
            file, f"there is no model yet; make one: {TRAIN_AGAIN.partition(': ')[2].replace('MODEL', str(file))}"
        )
    model = load_embedding_model(file, renderer=RENDERER_VERSION)
    if model.labels is not config.classifier.labels:
        raise ModelFileError(
            file,
            f'was trained for labels = "{model.labels}", and the configuration has "{config.classifier.labels}"; '
            f"change classifier.labels, or train again: cubbyd train EXAMPLES.jsonl --kind embeddings "
            f"--labels {config.classifier.labels} --out {file}",
        )
    if unknown := [category for category in model.categories if category not in config.taxonomy]:
        raise ModelFileError(
            file,
            f"was trained with the category {unknown[0]!r}, which the configuration does not have; "
            "add it under [[categories]], or train again with the configuration's categories",
        )
    embedder = open_embedder(config, section, clock)
    if (embedder.model, embedder.dimensions or model.dimensions) == (model.embedding_model, model.dimensions):
        return EmbeddingClassifier(model, embedder)
    embedder.close()
    raise ModelFileError(
        file,
        f"was trained on vectors of {model.embedding_model!r} ({model.dimensions} dimensions), and the configuration "
        f"names {embedder.model!r}; name the former in [classifier.embeddings], or {TRAIN_AGAIN}",
    )


def open_embedder(config: Config, section: EmbeddingsSection | None = None, clock: Clock | None = None) -> Embedder:
    """Open the embedding model alone, as training needs it. Raises ConfigError, ModelFileError, InputFileError."""
    from cubbyd.classify.embedding.cache import Embedder, VectorCache

    section = section or _section(config)
    source: Source
    if section.server is not None:
        source = _open_server(config, section.server, clock or SystemClock())
    elif section.folder is not None:
        if missing := _missing_package():
            raise _error(config, KIND, f"needs the package {missing}; install it with: pip install 'cubbyd[embeddings]'")
        source = open_folder(section.folder)
    else:
        raise _error(config, KIND, "names neither folder nor server")
    if not section.cached_vectors:
        return Embedder(source)
    return Embedder(source, VectorCache(config.state.directory, source.model, source.dimensions, section.cached_vectors))


def open_folder(folder: Path) -> Source:
    """Load a local embedding model. Raises ModelFileError."""
    from cubbyd.classify.embedding.onnx import OnnxSource

    if missing := _missing_package():
        raise ModelFileError(folder, f"needs the package {missing}; install it with: pip install 'cubbyd[embeddings]'")
    return OnnxSource(read_folder(folder), folder)


def _missing_package() -> str:
    return next((package for package in ("onnxruntime", "tokenizers") if find_spec(package) is None), "")


def _open_server(config: Config, section: EmbeddingServerSection, clock: Clock) -> Source:
    if config.redaction.allow_names_to_leave_the_building and not section.zero_data_retention:
        raise _error(
            config,
            f"{SERVER}.zero_data_retention",
            "redaction.allow_names_to_leave_the_building = true would send the names of children to a service that may keep "
            "them; take that key out, so that names are masked, or, once your contract says that nothing is kept, set "
            "zero_data_retention = true",
        )
    if find_spec("openai") is None:
        raise _error(config, SERVER, "needs the package openai; install it with: pip install 'cubbyd[openai]'")
    from cubbyd.classify.border import open_border
    from cubbyd.classify.embedding.server import ServerSource
    from cubbyd.classify.hosted.breaker import Breaker
    from cubbyd.classify.hosted.client import Client
    from cubbyd.classify.hosted.guard import Guard
    from cubbyd.classify.hosted.ledger import Ledger
    from cubbyd.classify.hosted.opening import make_budget, open_patience
    from cubbyd.message.render import Limits

    key, trust = _read_key(config, section), _read_authorities(config, section)
    border = open_border(config, Limits(text=section.text_chars, quoted=section.quoted_chars))
    return ServerSource(
        section,
        border=border,
        client=Client(section.connection(), key, trust),
        ledger=Ledger(config.state.directory / KIND, make_budget(section), clock, table=f"classifier.{SERVER}"),
        guard=Guard(Breaker(f"classifier {KIND}", clock), open_patience(section, clock)),
    )


def _read_key(config: Config, section: EmbeddingServerSection) -> SecretStr:
    place = SecretPlace(
        table=f"classifier.{SERVER}",
        prefix="api_key",
        file=section.api_key_file,
        credential=section.api_key_credential,
        variable=section.api_key_env,
    )
    if section.is_loopback and not (place.file or place.credential or place.variable):
        return SecretStr(NO_KEY)
    key = read_secret(config.file, place)
    value = key.get_secret_value()
    if not value.isascii() or set(value) & set(" \t"):
        raise _error(config, f"{SERVER}.api_key", "a key has ASCII letters, digits and signs alone, no blank")
    return key


def _read_authorities(config: Config, section: EmbeddingServerSection) -> ssl.SSLContext | None:
    if section.ca_file is None:
        return None
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # create_default_context would obey SSLKEYLOGFILE
    trust.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        trust.load_verify_locations(section.ca_file)
    except OSError as error:  # ssl.SSLError is one too
        reason = f"{section.ca_file} cannot be used: {error.strerror or 'no certificate in PEM'}"
        raise _error(config, f"{SERVER}.ca_file", reason) from error
    return trust


def _section(config: Config) -> EmbeddingsSection:
    section = config.classifier.embeddings
    if section is None:
        raise _error(config, KIND, 'kind = "embeddings" needs a table [classifier.embeddings]; config.example.toml shows it')
    return section


def _error(config: Config, key: str, allowed: str) -> ConfigError:
    return ConfigError(config.file, (Problem(key=f"classifier.{key}", found="", allowed=allowed),))
