"""Some hours of the daemon: what it holds at the end is what it held at the beginning. `benchmarks.week` does the same for days."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.dovecot import Dovecot
from tests.longrun import Rate, long_run

SOME_HOURS = Rate(polls=75, mails=10, drops=2, silences=0.5)
LARGEST_GROWTH_MB = 6.0
"""In the first hours the memory still grows by that of buffers and pools; a leak of a connection in a reload is more."""


@pytest.mark.slow
@pytest.mark.dovecot
def test_what_the_daemon_holds_does_not_grow_with_polls_drops_and_reloads(
    tmp_path: Path, dovecot: Dovecot, user: str, model: Path
) -> None:
    with long_run(dovecot, tmp_path, model, [f"{user}a", f"{user}b"]) as run:
        first, *_, last = [run.day(SOME_HOURS) for _ in range(4)]
        run.settle()
    assert last.polls >= 4 * 75 * 2
    assert last.failed > 0, "nothing was dropped; this proves nothing"
    assert (last.held.threads, last.held.connections) == (first.held.threads, first.held.connections)
    assert last.held.files <= first.held.files + 6, (
        "two more connections to the state file, of three files each, are its pool's"
    )
    assert last.held.memory_mb < first.held.memory_mb + LARGEST_GROWTH_MB
