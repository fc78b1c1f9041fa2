"""A service manager for the tests: a datagram socket like systemd's, and what a service said to it."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.patience import PATIENCE_SECONDS


class ListeningManager:
    """Listens at a path, or with @ in Linux's abstract namespace, while the context lasts."""

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        self.heard: list[dict[str, str]] = []
        """Every message so far: its assignments."""
        self._unread: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{self.address[1:]}" if self.address.startswith("@") else self.address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        with suppress(FileNotFoundError):
            Path(self.address).unlink()

    def environment(self, *, watchdog_seconds: float | None = None) -> dict[str, str]:
        """Give what systemd would set for a service of Type=notify."""
        watchdog = {} if watchdog_seconds is None else {"WATCHDOG_USEC": str(int(watchdog_seconds * 1_000_000))}
        return {"NOTIFY_SOCKET": self.address, **watchdog}

    def take(self, seconds: float = 0.05) -> list[dict[str, str]]:
        """Take the messages that are there, waiting so long for the first."""
        self._socket.settimeout(seconds)
        taken, self._unread = self._unread, []
        if taken:
            return taken
        with suppress(TimeoutError):
            while True:
                text = self._socket.recv(65536).decode()
                taken.append(dict(line.split("=", 1) for line in text.split("\n")))
                self._socket.settimeout(0.01)
        self.heard += taken
        return taken

    def wait_for(self, assignment: str, seconds: float = PATIENCE_SECONDS) -> dict[str, str]:
        """Wait for a message with this assignment, or this key and any value; what came before is passed over."""
        key, value = assignment.split("=", 1)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._unread = self.take(0.1)
            while self._unread:
                message = self._unread.pop(0)
                if message.get(key) == value or (not value and key in message):
                    return message
        raise AssertionError(f"no {assignment} in time; heard {self.heard}")
