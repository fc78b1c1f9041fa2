"""Cyrus and Courier keep the contract of a Mailbox, every line of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.contract import test_mailbox as contract
from tests.dovecot import PASSWORD
from tests.servers.server import DebianServer

from cubbyd.mailbox import session

pytestmark = pytest.mark.servers
globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})


@pytest.fixture
def rig(server: DebianServer, user: str) -> Iterator[contract.Rig]:
    with ExitStack() as stack:
        yield contract.real(stack, contract.account("127.0.0.1", server.port, user, PASSWORD))


@pytest.fixture
def rig_with_small_windows(rig: contract.Rig, monkeypatch: pytest.MonkeyPatch) -> contract.Rig:
    monkeypatch.setattr(session, "SEARCH_WINDOW", 1)
    return rig
