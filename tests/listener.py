"""A server on loopback that gives every caller the same bytes, whatever they are, or none."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def answering(answer: bytes | None, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that gives every caller these bytes; None: it never says anything."""
    heard: list[bytes] = []
    done = threading.Event()

    def serve() -> None:
        with listener:
            while not done.is_set():
                try:
                    raw, _ = listener.accept()
                    with context.wrap_socket(raw, server_side=True) if context else raw as connection:
                        heard.append(connection.recv(4096))
                        if answer is None:
                            done.wait(10)
                        else:
                            connection.sendall(answer)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(0.1)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port, heard
        finally:
            done.set()
            thread.join()
