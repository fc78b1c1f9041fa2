"""What a running process has of the machine, as Linux tells it: memory, threads, open files, connections, processor time."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
ESTABLISHED = "01"
"""The state of a connection in /proc/net/tcp (proc_net_tcp in the kernel's documentation)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a process holds at one moment."""

    memory_mb: float
    """Resident memory (VmRSS, proc_pid_status(5)), in 1,000,000 bytes."""
    peak_mb: float
    threads: int
    files: int
    """Open file descriptors of any kind."""
    connections: int
    """Established TCP connections among them."""
    cpu_seconds: float
    """Processor time since its start."""


def look_at(pid: int) -> Held:
    """Look at a process that runs. Raises OSError where it does not."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    targets = _open_files(pid)
    return Held(
        memory_mb=_number(status, "VmRSS") / 1000,
        peak_mb=_number(status, "VmHWM") / 1000,
        threads=_number(status, "Threads"),
        files=len(targets),
        connections=len(_connected() & set(targets)),
        cpu_seconds=_cpu_seconds(pid),
    )


def _number(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    if found is None:
        raise OSError(f"no {name} in the status of the process")
    return int(found[1])


def _open_files(pid: int) -> list[str]:
    targets = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            targets.append(str(link.readlink()))
    return targets


def _connected() -> set[str]:
    """Give the sockets of all established TCP connections of the machine, as the links in /proc/PID/fd name them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(FileNotFoundError):  # a machine without IPv6
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == ESTABLISHED:
                    found.add(f"socket:[{fields[9]}]")
    return found


def _cpu_seconds(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    user, system = stat.rpartition(")")[2].split()[11:13]  # the name before may hold anything (proc_pid_stat(5))
    return (int(user) + int(system)) / TICKS_A_SECOND
