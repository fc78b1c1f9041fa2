"""Every command of a pass, spoiled in every way, on six kinds of server; then one clean pass, and the server is asked.

make test-slow; on Cyrus and Courier in tests/servers
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.dovecot import DOVECOT, Dovecot
from tests.faults.desk import PATIENT_SECONDS, SETUPS, Desk, Setup, opened
from tests.faults.proxy import Fault, Kind
from tests.mail import MailServer

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

EFFECTS = frozenset({"UID MOVE", "UID COPY", "UID STORE", "UID EXPUNGE", "EXPUNGE", "CREATE"})
"""Commands that change something: each occurrence is spoiled; of the others, the first and the last."""


@pytest.fixture(scope="module", params=SETUPS)
def setup(request: pytest.FixtureRequest) -> Setup:
    return SETUPS[request.param]


@pytest.fixture(scope="module")
def server(setup: Setup) -> Iterator[Dovecot]:
    if DOVECOT is None:
        pytest.skip("no Dovecot on this machine: apt-get install dovecot-imapd")
    with Dovecot(setup.layout, capability=setup.capability) as running:
        yield running


@pytest.mark.parametrize("kind", Kind)
def test_whatever_happens_to_whichever_command_every_mail_ends_once_in_its_place(
    server: MailServer, setup: Setup, kind: Kind, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    users = (f"{kind.name.lower()}{number}" for number in itertools.count())
    with opened(server, setup, next(users), tmp_path / "dry") as desk:
        desk.patience.seconds = PATIENT_SECONDS
        desk.run()
        desk.check()
        asked = Counter(desk.proxy.commands)
    assert {"LOGIN", "SELECT", "UID SEARCH", "UID FETCH"} <= set(asked)
    cases = [
        Fault(kind, command, occurrence)
        for command, count in asked.items()
        for occurrence in (range(1, count + 1) if command in EFFECTS else sorted({1, count}))
    ]
    for fault in cases:
        with opened(server, setup, next(users), tmp_path / f"{fault.command}{fault.occurrence}", fault) as desk:
            _try(desk, fault)
    record_property("cases", len(cases))


def _try(desk: Desk, fault: Fault) -> None:
    try:
        desk.run()
        assert desk.proxy.struck, "the fault never came"
        desk.settle()
        desk.check()
    except AssertionError as error:
        raise AssertionError(f"{fault.command} {fault.occurrence}, {fault.kind}: {error}") from error
