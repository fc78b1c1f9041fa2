"""Cyrus and Courier-IMAP from Debian, each in a root tree of its own on loopback; the scripts beside this file start them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.dovecot import free_port

HERE = Path(__file__).parent
TREES = Path(os.environ.get("CUBBYD_SERVER_TREES", HERE.parent.parent / ".servers"))
"""Where the unpacked packages stay between runs."""

START_SECONDS = 600.0
"""The first start downloads the packages."""


class DebianServer:
    """A server that is up while the context lasts; any user exists there, with the password of all tests."""

    def __init__(self, name: str, prefix: str) -> None:
        """`name` is a script's in this folder; `prefix` is what the server lets folders begin with."""
        self.name, self.prefix = name, prefix
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        TREES.mkdir(exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=TREES))  # there, for it is made of hard links
        command: list[str | Path] = [HERE / f"{self.name}.sh", TREES / self.name, self._folder / "root", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            if self._greets():
                return self
            time.sleep(0.1)
        said = self._log.read_text(errors="replace")
        self.__exit__()
        raise RuntimeError(f"{self.name} did not start: {said}")

    def _greets(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            return connection.recv(100).startswith(b"* OK")
        return False

    @property
    def _log(self) -> Path:
        assert self._folder is not None
        return self._folder / "log"

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        assert self._folder is not None
        for way in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, way)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
        shutil.rmtree(self._folder, ignore_errors=True)


SERVERS = {"cyrus": "", "courier": "INBOX."}
"""Each with its prefix."""
