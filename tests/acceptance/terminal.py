"""A person at a real terminal: the installed command in a pseudo-terminal, with hands on its keyboard."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.acceptance.desk import clean_environment
from tests.patience import PATIENCE_SECONDS


class Terminal:
    """A pseudo-terminal in which cubbyd runs, and a person at it."""

    def __init__(self, folder: Path, *arguments: str, command: Sequence[str] = (sys.executable, "-m", "cubbyd")) -> None:
        self.hand, other = pty.openpty()
        opens_its_terminal = ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(other)]
        self.process = subprocess.Popen(
            [*opens_its_terminal, *command, *arguments],
            cwd=folder,
            env=clean_environment() | {"TERM": "xterm"},
            start_new_session=True,
        )
        self.other = other  # kept open, or the terminal would hang up before the session has opened it
        self.seen = ""

    def wait_for(self, text: str, seconds: float = PATIENCE_SECONDS) -> str:
        """Read until the text is there; give what was read since the last time."""
        until, read = time.monotonic() + seconds, ""
        while text not in read:
            ready, _, _ = select.select([self.hand], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"{text!r} never came: {self.seen}"
            try:
                piece = os.read(self.hand, 65_536).decode()
            except OSError:
                piece = ""
            assert piece, f"it ended before {text!r}: {self.seen}"
            read += piece
            self.seen += piece
        return read

    def press(self, keys: str) -> None:
        os.write(self.hand, keys.encode())

    def close(self) -> int:
        code = self.process.wait(PATIENCE_SECONDS)
        os.close(self.other)
        os.close(self.hand)
        return code
