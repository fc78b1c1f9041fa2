"""What systemd is told of a service of Type=notify: ready, its status line, reloading, stopping, still alive.

Sources: sd_notify(3), sd_watchdog_enabled(3), systemd.service(5). Without systemd nothing is sent. Nothing here ever raises or
holds up the work: a service whose manager does not listen files mail all the same.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

SEND_SECONDS = 2.0
"""How long a message may wait for a manager whose queue is full."""

LONGEST_STATUS = 300
"""Characters of a status line; it is one line of a terminal, and an error may be long."""

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """The service manager that started this process; both fields are None where there is none."""

    address: str | None = None
    """The datagram socket: a path, or with @ first a name in Linux's abstract namespace."""
    watchdog_seconds: float | None = None
    """How long the manager waits for a sign of life before it ends this process."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], process: int | None = None) -> Self:
        """Read $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID; a watchdog that is meant for another process is not ours."""
        address = environment.get("NOTIFY_SOCKET") or None
        pid, usec = environment.get("WATCHDOG_PID"), environment.get("WATCHDOG_USEC", "")
        is_ours = pid is None or pid == str(os.getpid() if process is None else process)
        has_watchdog = bool(address and is_ours and usec.isascii() and usec.isdigit() and int(usec))
        return cls(address=address, watchdog_seconds=int(usec) / MICROSECONDS if has_watchdog else None)

    def ready(self, status: str) -> None:
        """Say that the service has started, or has reloaded."""
        self._send("READY=1", f"STATUS={_one_line(status)}")

    def status(self, status: str) -> None:
        """Say in a sentence how it goes; `systemctl status` shows it."""
        self._send(f"STATUS={_one_line(status)}")

    def reloading(self) -> None:
        """Say that a reload begins; with the time that systemd 253 and newer asks for, so that it knows which one is meant."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", "STATUS=Reading the configuration again")

    def stopping(self) -> None:
        """Say that the stop has begun."""
        self._send("STOPPING=1", "STATUS=Finishing the mail in hand")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def allow(self, seconds: float) -> None:
        """Ask for a longer watchdog than the unit's, for work whose steps may take that long."""
        self._send(f"WATCHDOG_USEC={int(seconds * MICROSECONDS)}")

    def _send(self, *assignments: str) -> None:
        if self.address is None:
            return
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(SEND_SECONDS)
            place = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
            sender.sendto("\n".join(assignments).encode("utf-8", "replace"), place)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_STATUS else f"{line[: LONGEST_STATUS - 1]}…"
