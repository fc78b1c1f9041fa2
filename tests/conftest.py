"""What all tests share: servers that live for the session, and folders of material that may be absent."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.acceptance.cubbyd import write_examples
from tests.dovecot import DOVECOT, LAYOUTS, MAILDIR, Dovecot, Layout

from cubbyd.service.log import STRICT

settings.register_profile(
    "the gate", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CUBBYD_EXPLORE" not in os.environ
)
settings.load_profile("the gate")
"""The same examples each time, so that a change is judged by itself; CUBBYD_EXPLORE=1 looks for new ones.

How long an example takes says nothing here: a busy machine stops everything for a second now and then.
"""

signal.signal(signal.SIGINT, signal.default_int_handler)
"""A shell's background job ignores it, and so would the commands that the tests interrupt."""

os.environ[STRICT] = "1"
"""An event or a field that is not in the table is an error here, in the daemons that are started too."""

ROOT = Path(__file__).parent.parent
_users = itertools.count(1)


@pytest.fixture(scope="session")
def dovecots() -> Iterator[dict[str, Dovecot]]:
    """Servers by layout, each started when it is first asked for."""
    started: dict[str, Dovecot] = {}
    yield started
    for server in started.values():
        server.__exit__(None, None, None)


def start_dovecot(dovecots: dict[str, Dovecot], layout: Layout) -> Dovecot:
    if DOVECOT is None:
        pytest.skip("no Dovecot on this machine: apt-get install dovecot-imapd")
    if layout.name not in dovecots:
        dovecots[layout.name] = Dovecot(layout).__enter__()
    return dovecots[layout.name]


@pytest.fixture
def dovecot(dovecots: dict[str, Dovecot]) -> Dovecot:
    """A Dovecot with plain maildir folders."""
    return start_dovecot(dovecots, MAILDIR)


@pytest.fixture(params=LAYOUTS, ids=lambda layout: layout.name)
def any_dovecot(request: pytest.FixtureRequest, dovecots: dict[str, Dovecot]) -> Dovecot:
    """A Dovecot in each of three layouts, one after the other."""
    return start_dovecot(dovecots, request.param)


@pytest.fixture
def user() -> str:
    """An account that nobody has used yet."""
    return f"user{os.getpid()}x{next(_users)}"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with three categories, made by the installed command; copy it, and leave this one as it is."""
    folder = tmp_path_factory.mktemp("model")
    examples = write_examples(folder / "examples.jsonl")
    command = [sys.executable, "-m", "cubbyd", "train", str(examples), "--out", str(folder / "cubbyd.model")]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder / "cubbyd.model"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Material to measure on that is not part of the repository."""
    folder = Path(os.environ.get("CUBBYD_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no material at {folder} (set CUBBYD_SHARED)")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cases the fault matrix tried; each of its tests is dozens."""
    passed = terminalreporter.stats.get("passed", [])
    if cases := sum(int(str(value)) for report in passed for name, value in report.user_properties if name == "cases"):
        terminalreporter.write_line(f"fault matrix: {cases} cases, each settled by a clean pass and asked from outside")


@pytest.fixture(scope="module")
def quick_disk() -> Iterator[None]:
    """Wait for no disk: what survives a power cut cannot be tested here, and each paid call is written down twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield
