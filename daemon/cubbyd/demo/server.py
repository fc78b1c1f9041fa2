"""An embedded IMAP server on loopback, in a process of its own: pymap, with everything in memory.

For the demo alone: pymap keeps no keywords, and is not made for real mail.
"""

from __future__ import annotations

import importlib.util
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cubbyd.errors import CubbydError

HOST = "127.0.0.1"
USER = "office"
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoServer:
    """Where the embedded server listens, and who may log in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


@contextmanager
def embedded_server() -> Iterator[DemoServer]:
    """Run the server while the context lasts. Raises CubbydError where it is not installed or does not start."""
    if importlib.util.find_spec("pymap") is None:
        raise CubbydError("the demo needs pymap, an IMAP server in Python; install it with: pip install 'cubbyd[demo]'")
    server = DemoServer(host=HOST, port=_free_port(), user=USER, password=secrets.token_urlsafe(9))
    listen = ["--host", server.host, "--port", str(server.port), "--no-tls", "--no-service", "managesieve"]
    login = ["dict", f"--demo-user={server.user}", f"--demo-password={server.password}"]
    process = subprocess.Popen(  # nosec B603  # noqa: S603  (our own arguments, no shell)
        [sys.executable, "-c", "from pymap.main import main; main()", *listen, *login],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the demo; it ends the server itself
    )
    try:
        _wait_for_greeting(server, process)
        yield server
    finally:
        process.kill()  # it holds nothing worth a shutdown, and ignores SIGTERM while a client is connected
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_greeting(server: DemoServer, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection((server.host, server.port), timeout=1) as connection:
                connection.settimeout(5)
                if connection.recv(100).startswith(b"* OK"):
                    return
        except OSError:
            time.sleep(0.05)
    process.kill()
    said = process.stderr.read().decode("utf-8", "replace").strip().splitlines() if process.stderr else []
    raise CubbydError(f"the embedded mail server did not start: {said[-1] if said else 'no answer in time'}")
