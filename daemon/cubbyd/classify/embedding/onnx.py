"""A local embedding model run by onnxruntime, on one thread of this machine: nothing leaves it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np

from cubbyd.classify.embedding.folder import MAKE_AGAIN, NETWORK, EmbeddingFolder
from cubbyd.classify.embedding.source import Embedded, Outcome, normalize, spell
from cubbyd.classify.protocol import Cost
from cubbyd.errors import ClassifierRejected, ModelFileError
from cubbyd.message.model import ClassifierInput

TELEMETRY: Final = "ORT_DISABLE_TELEMETRY"
_ERRORS_ALONE: Final = 3


def import_onnxruntime() -> ModuleType:
    """Import onnxruntime with its telemetry off: it reads the variable when it is loaded."""
    os.environ[TELEMETRY] = "1"
    import onnxruntime

    onnxruntime.set_default_logger_severity(_ERRORS_ALONE)
    module: ModuleType = onnxruntime
    return module


class OnnxSource:
    """A loaded embedding model; any number of threads may use it."""

    batch_size: int = 50

    def __init__(self, folder: EmbeddingFolder, where: Path) -> None:
        """Load a checked folder; `where` names it in errors. Raises ModelFileError where it cannot be loaded."""
        from tokenizers import Tokenizer

        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ALONE
        options.enable_cpu_mem_arena = False  # it would keep the peak of the longest mail for ever
        try:
            self._tokenizer = Tokenizer.from_str(folder.tokenizer.decode())
            self._session = onnxruntime.InferenceSession(folder.network, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # both packages raise classes of their own below Exception
            raise ModelFileError(where / NETWORK, f"cannot be loaded; {MAKE_AGAIN}") from error
        self._tokenizer.enable_truncation(folder.manifest.max_tokens)
        self.model, self.dimensions = folder.identity, folder.manifest.dimensions

    def text(self, given: ClassifierInput) -> str:
        """Give the text of a mail that is embedded."""
        return spell(given)

    def embed(self, texts: Sequence[str]) -> list[Outcome]:
        """Make a vector of each text, one by one: in a batch, 8-bit scales would depend on the neighbors."""
        return [self._embed(text) for text in texts]

    def close(self) -> None:
        """Do nothing: the model is in memory alone."""

    def _embed(self, text: str) -> Outcome:
        started = time.perf_counter()
        tokens = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        (vectors,) = self._session.run(None, {"input_ids": tokens, "attention_mask": np.ones_like(tokens)})
        vector = normalize(vectors[0])
        if not np.isfinite(vector).all():
            return ClassifierRejected("the embedding model made no vector of this mail")
        return Embedded(vector=vector, cost=Cost(milliseconds=(time.perf_counter() - started) * 1000))
