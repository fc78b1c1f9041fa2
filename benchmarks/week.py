"""A week of the daemon in minutes, on a local Dovecot: whether memory, files, threads and the state file stay as they were.

    python -m benchmarks.week [--days 7] [--mailboxes 3] [--json]

The daemon itself, with its threads, connections, state file and signals, on a clock that moves only when it is told
(tests/daemon_on_hand_clock.py): each minute every mailbox polls, and the next minute begins when all have. In a day each
mailbox gets 30 mails, its connections are cut four times, and one command is never answered; the whole inbox is looked
through once, and the day ends with SIGHUP. IDLE is renewed three times a second, some 7,000 times, where a real week has 5,500.
At the end the server is asked where every mail is. What the daemon holds is the kernel's word (VmRSS, /proc/PID/fd).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.filing import CUBBYD
from tests.acceptance.cubbyd import write_examples
from tests.dovecot import Dovecot
from tests.longrun import Evening, Rate, long_run

LARGEST_GROWTH_MB: Final = 5.0
"""From the end of the first day, which has filled caches and pools, to the end of the last."""


def main() -> None:
    """Run, and print what every evening showed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, default=7, help="of 1,440 polls each")
    parser.add_argument("--mailboxes", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    load, started = os.getloadavg()[0], time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="cubbyd-week-") as name, Dovecot() as server:
        folder = Path(name)
        model = _train(folder)
        evenings = []
        with long_run(server, folder, model, [f"box{number}" for number in range(options.mailboxes)]) as run:
            for day in range(options.days):
                evenings.append(run.day(Rate()))
                print(f"day {day + 1} of {options.days}: {evenings[-1]}", file=sys.stderr, flush=True)
            run.settle()
    minutes = (time.perf_counter() - started) / 60
    if options.json:
        print(json.dumps({"load_before": load, "minutes": minutes, "evenings": [asdict(one) for one in evenings]}))
        return
    print_report(evenings)
    print(f"\nIt took {minutes:.0f} minutes. Load average when this began: {load:.1f}, on {os.cpu_count()} processors.")


def _train(folder: Path) -> Path:
    examples, model = write_examples(folder / "examples.jsonl"), folder / "trained.model"
    subprocess.run([CUBBYD, "train", str(examples), "--out", str(model)], check=True, capture_output=True, cwd=folder)
    return model


def print_report(evenings: Sequence[Evening]) -> None:
    """Print the table for people, and whether it is flat."""
    print("\n| day | polls | of these failed | mails | MB | peak MB | threads | open files | connections | state file kB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for day, one in enumerate(evenings, start=1):
        held = one.held
        print(
            f"| {day} | {one.polls:,} | {one.failed} | {one.mails} | {held.memory_mb:.1f} | {held.peak_mb:.1f} "
            f"| {held.threads} | {held.files} | {held.connections} | {one.state_kb:,.0f} |"
        )
    first, last = evenings[0].held, evenings[-1].held
    growth = last.memory_mb - first.memory_mb
    same = (first.threads, first.connections) == (last.threads, last.connections)
    is_flat = growth <= LARGEST_GROWTH_MB and same and last.files <= max(one.held.files for one in evenings[:2])
    print(
        f"\n{'Flat' if is_flat else 'NOT FLAT'}: {growth:+.1f} MB from the first evening to the last, "
        f"{last.threads - first.threads:+} threads, {last.files - first.files:+} open files."
    )


if __name__ == "__main__":
    main()
