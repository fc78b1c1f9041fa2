"""Vectors that were made before, in a SQLite file of the state directory: (hash of the text, model, dimensions) -> float32.

A vector tells much of what its text says: the file is personal data, and its mode is 0600. It holds nothing that could not be
made again, so a file that is damaged is thrown away, and one that cannot be used costs time and no mail.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from cubbyd.classify.embedding.source import Embedded, Outcome, Source, Vector
from cubbyd.classify.protocol import Cost
from cubbyd.errors import ClassifierError
from cubbyd.message.model import ClassifierInput

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.classify")

CACHE_NAME: Final = "vectors.sqlite"
BUSY_SECONDS: Final = 5.0

_SCHEMA: Final = """
create table if not exists vectors (
    number integer primary key,
    text_sha256 blob not null,
    model text not null,
    dimensions integer not null,
    vector blob not null,
    unique (text_sha256, model, dimensions)
)
"""
_FIND: Final = "select vector from vectors where text_sha256 = ? and model = ? and dimensions = ?"
_ADD: Final = "insert or ignore into vectors (text_sha256, model, dimensions, vector) values (?, ?, ?, ?)"
_TRIM: Final = "delete from vectors where number <= (select max(number) from vectors) - ?"


class VectorCache:
    """A bounded store of vectors for one model; any number of threads may use it."""

    def __init__(self, directory: Path, model: str, dimensions: int, most: int) -> None:
        """Take the state directory, the model with the dimensions that it is asked for, and how many vectors are kept."""
        self._file, self._most = directory / CACHE_NAME, most
        self._model, self._dimensions = model, dimensions
        self._lock = threading.Lock()
        self._connection = self._open()

    def find(self, text: str) -> Vector | None:
        """Give the vector of a text; None where there is none."""
        with self._lock:
            if self._connection is None:
                return None
            try:
                row = self._connection.execute(_FIND, self._key(text)).fetchone()
            except sqlite3.Error as error:
                self._give_up(error)
                return None
        return np.frombuffer(row[0], dtype="<f4").astype(np.float32) if row and len(row[0]) % 4 == 0 else None

    def add(self, vectors: Sequence[tuple[str, Vector]]) -> None:
        """Keep vectors by their texts; the oldest make room."""
        with self._lock:
            if self._connection is None or not vectors:
                return
            rows = [(*self._key(text), vector.astype("<f4").tobytes()) for text, vector in vectors]
            try:
                with self._connection:
                    self._connection.executemany(_ADD, rows)
                    self._connection.execute(_TRIM, (self._most,))
            except sqlite3.Error as error:
                self._give_up(error)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _key(self, text: str) -> tuple[bytes, str, int]:
        return sha256(text.encode("utf-8", "surrogatepass")).digest(), self._model, self._dimensions

    def _open(self) -> sqlite3.Connection | None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                return self._connect()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                log.warning("the cache of vectors is damaged and begun anew", file=str(self._file))
                self._file.unlink()
                return self._connect()
        except (OSError, sqlite3.Error) as error:
            self._say(error)
            return None

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._file.chmod(0o600)
        connection = sqlite3.connect(self._file, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            connection.execute("pragma synchronous = off")  # what is lost in a power cut is made again
            connection.execute(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _give_up(self, error: sqlite3.Error) -> None:
        self._say(error)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _say(self, error: Exception) -> None:
        log.warning("the cache of vectors cannot be used; mail is classified without it", file=str(self._file), why=str(error))


class Embedder:
    """A source with a cache before it, asked about mails; as thread-safe as the two are."""

    def __init__(self, source: Source, cache: VectorCache | None = None) -> None:
        """Take both; they are closed with this."""
        self.model, self.dimensions, self.batch_size = source.model, source.dimensions, source.batch_size
        self._source, self._cache = source, cache

    def embed(self, inputs: Sequence[ClassifierInput]) -> list[Outcome]:
        """Give a vector for each mail, in order, or why there is none; a mail without a word has an empty one.

        Raises ClassifierUnavailable where the source has no answer for any.
        """
        outcomes: dict[int, Outcome] = {}
        wanted: dict[str, list[int]] = {}
        for place, given in enumerate(inputs):
            try:
                text = self._source.text(given)
            except ClassifierError as error:
                outcomes[place] = error
                continue
            if not text.strip():
                outcomes[place] = Embedded(vector=np.zeros(self.dimensions, dtype=np.float32))
            elif self._cache is not None and (vector := self._cache.find(text)) is not None:
                outcomes[place] = Embedded(vector=vector)
            else:
                wanted.setdefault(text, []).append(place)
        made = self._source.embed(list(wanted)) if wanted else []
        for places, outcome in zip(wanted.values(), made, strict=True):
            outcomes |= dict.fromkeys(places, replace(outcome, cost=Cost()) if isinstance(outcome, Embedded) else outcome)
            outcomes[places[0]] = outcome  # what it took counts once
        self._keep(dict(zip(wanted, made, strict=True)))
        return [outcomes[place] for place in range(len(inputs))]

    def close(self) -> None:
        """Close both."""
        self._source.close()
        if self._cache is not None:
            self._cache.close()

    def _keep(self, made: dict[str, Outcome]) -> None:
        if self._cache is not None:
            self._cache.add([(text, outcome.vector) for text, outcome in made.items() if isinstance(outcome, Embedded)])
