"""Finding out how a server can be asked: each way is tried once, with a mail of ours that says nothing, until one works.

What was found is kept in the state directory for a week, so that a command that runs every few minutes does not pay for it
each time; a wrong or damaged file only means that it is found out again.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from cubbyd.classify.hosted.failure import Event, Failure
from cubbyd.classify.hosted.paid import PaidClient, Wire
from cubbyd.classify.hosted.prompt import PROBE
from cubbyd.clock import Clock
from cubbyd.config import OpenAISection

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.classify")

MEMORY_NAME: Final = "hosted-mode.json"
KEPT: Final = timedelta(days=7)
CANNOT: Final = frozenset({"no endpoint", "request refused", "not the API", "invalid answer", "cut output"})
"""Rows of the failure table that say: not in this way. LM Studio answers 200 with an error for a path it does not know."""
SPOKE: Final = frozenset({Event.REFUSAL, Event.BLOCKED})
"""An answer all the same: the way works."""


class Memory:
    """Remembers in which way one server and model can be asked."""

    def __init__(self, directory: Path, section: OpenAISection, clock: Clock) -> None:
        """Take the state directory; nothing is made before there is something to remember."""
        self._file, self._clock = directory / MEMORY_NAME, clock
        asked = [section.base_url, section.model, section.organization, section.project, section.logprobs]
        self._key = hashlib.sha256(json.dumps([*asked, section.schema_format, section.effort]).encode()).hexdigest()[:16]

    def recall(self) -> str:
        """Give the way that was found in the last days; empty where there is none."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))[self._key]
            age = self._clock.now() - datetime.fromisoformat(found["found"])
            way = found["way"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        return way if isinstance(way, str) and timedelta(0) <= age < KEPT else ""

    def keep(self, way: str) -> None:
        """Remember a way; forget it with an empty one."""
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        known = known if isinstance(known, dict) else {}
        known.pop(self._key, None)
        if way:
            known[self._key] = {"way": way, "found": self._clock.now().isoformat()}
        with suppress(OSError):  # it is found out again, that is all
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = self._file.with_suffix(".new")
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(known, stream)
            beside.replace(self._file)


class Trial:
    """Chooses among several ways to ask, best first, and knows which is in force; thread-safe."""

    def __init__(self, wires: Sequence[Wire], paid: PaidClient, memory: Memory) -> None:
        """Take the ways; where there is but one, nothing is tried."""
        self._wires, self._paid, self._memory = tuple(wires), paid, memory
        self._lock = threading.Lock()
        known = memory.recall() if len(self._wires) > 1 else ""
        remembered = next((wire for wire in self._wires if wire.way == known), None)
        self._found = self._wires[0] if len(self._wires) == 1 else remembered

    @property
    def in_force(self) -> Wire | None:
        """The way in which the server is asked; None while nobody knows."""
        return self._found

    def find(self, seconds: float) -> Wire:
        """Give the way in force; find it out first where nobody knows. Raises Failure, and ClassifierUnavailable."""
        with self._lock:
            if self._found is None:
                self._found = self._try_all(seconds)
                self._memory.keep(self._found.way)
                log.info("found out how the server can be asked", mode=self._found.way)
            return self._found

    def doubt(self) -> None:
        """Forget what was found: the server has changed."""
        if len(self._wires) > 1:
            with self._lock:
                self._found = None
                self._memory.keep("")

    def _try_all(self, seconds: float) -> Wire:
        refused: Failure | None = None
        for wire in self._wires:
            try:
                wire.read(self._paid.ask(wire, PROBE, seconds).reply)
            except Failure as failure:
                if failure.symptom.event in SPOKE:
                    return wire
                if failure.row.name not in CANNOT:
                    raise
                log.info("the server cannot be asked in this way", mode=wire.way, failure=failure.row.name)
                refused = failure
                continue
            return wire
        raise refused or ValueError("no way to ask")
