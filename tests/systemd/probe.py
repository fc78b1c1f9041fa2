"""Tries, from inside the daemon's own sandbox, what mail from strangers might make it do; prints what succeeded.

A program: the first argument is the state directory. Each attempt is a sentence; one that is refused prints nothing. None of
them would harm the machine where it succeeds: no attempt on the clock, which a booted systemd shares with it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NETLINK_ROUTE, VSOCK = 0, 40


def write(file: str) -> Callable[[], object]:
    return lambda: Path(file).write_text("mine")


def read(file: str) -> Callable[[], object]:
    return lambda: Path(file).read_bytes()


def look(folder: str) -> Callable[[], object]:
    return lambda: os.listdir(folder)  # noqa: PTH208  (an empty folder is a success too)


def execute_in(folder: str) -> Callable[[], object]:
    """Run a program that was written there just now."""

    def attempt() -> None:
        program = Path(folder, "program")
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o700)
        try:
            subprocess.run([program], check=True)
        finally:
            program.unlink()

    return attempt


def see_other_processes() -> None:
    if not [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in (os.getpid(), os.getppid())]:  # noqa: PTH208
        raise PermissionError


def make_code() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


def call(name: str, *arguments: object) -> Callable[[], object]:
    """Call a function of the C library that gives -1 where it is refused."""

    def attempt() -> None:
        if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) == -1:
            raise OSError(ctypes.get_errno(), name)

    return attempt


def attempts(state: str) -> dict[str, Callable[[], object]]:
    return {
        "writes to the state": write(f"{state}/probe"),
        "listens on loopback": lambda: socket.create_server(("127.0.0.1", 0)).close(),
        "writes to /etc": write("/etc/probe"),
        "writes to the configuration": write("/etc/cubbyd/cubbyd.toml"),
        "writes to /usr": write("/usr/probe"),
        "writes to /opt": write("/opt/cubbyd/bin/probe"),
        "writes to /var/log": write("/var/log/probe"),
        "reads the file of the password": read("/etc/cubbyd/office.password"),
        "reads /etc/shadow": read("/etc/shadow"),
        "looks into /root": look("/root"),
        "looks into the state of another": look("/var/lib/private/cubbyd-nord"),
        "sees other processes": see_other_processes,
        "opens a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "opens a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "opens a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE),
        "opens a socket to the hypervisor": lambda: socket.socket(VSOCK, socket.SOCK_STREAM),
        "makes code while it runs": make_code,
        "runs a program from /tmp": execute_in("/tmp"),
        "runs a program from /var/tmp": execute_in("/var/tmp"),
        "runs a program from /dev/shm": execute_in("/dev/shm"),
        "runs a program from the state": execute_in(state),
        "becomes root": lambda: os.setuid(0),
        "mounts": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "makes a namespace": call("unshare", 0x10000000),
        "sets the host's name": call("sethostname", b"mine", 4),
    }


if __name__ == "__main__":
    for sentence, attempt in attempts(sys.argv[1]).items():
        with suppress(OSError, subprocess.CalledProcessError, PermissionError):
            attempt()
            print(sentence)  # noqa: T201  (a program)
