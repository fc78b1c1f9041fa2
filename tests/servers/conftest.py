"""The release check on servers that are not Dovecot: `make test-servers`, as root on Debian 12, and at no other time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.server import SERVERS, DebianServer


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these tests out, without a word, wherever they are not asked for: they fetch packages, and want to be root."""
    return True if collection_path.suffix == ".py" and "servers" not in config.option.markexpr else None


@pytest.fixture(scope="session")
def debian_servers() -> Iterator[dict[str, DebianServer]]:
    """Servers by name, each started when it is first asked for."""
    started: dict[str, DebianServer] = {}
    yield started
    for server in started.values():
        server.__exit__()


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest, debian_servers: dict[str, DebianServer]) -> DebianServer:
    """Cyrus, then Courier."""
    name = request.param
    if name not in debian_servers:
        debian_servers[name] = DebianServer(name, SERVERS[name]).__enter__()
    return debian_servers[name]


@pytest.fixture
def dovecot(server: DebianServer) -> DebianServer:
    """What stands in Dovecot's place where a story is told again here."""
    return server


@pytest.fixture
def any_dovecot(server: DebianServer) -> DebianServer:
    """The same for stories that go through Dovecot's layouts."""
    return server
