"""Many mailboxes in one daemon, on a local Dovecot: what they cost, how soon mail is filed, and what a restarted server meets.

    python -m benchmarks.mailboxes [--numbers 1,10,50] [--plain] [--json]

The installed command, `cubbyd run`, with the local classifier, IDLE and the default poll, over TLS with the machine's own
authorities beside the server's; each mailbox is a user of its own. When every mailbox had its first pass and rested, the kernel
is asked what the process holds. Then mails come one at a time into mailboxes drawn by lot, then one into every mailbox at once;
a mail's time is from the OK of its APPEND until it is out of the inbox. Then the server is stopped for some seconds and started
again: how many logins meet it in its busiest second, by its own log, and how long until every mailbox had a pass again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import ssl
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.corpus import Mail
from benchmarks.filing import CUBBYD, SEED, Bench, set_up
from imapclient import IMAPClient
from tests.dovecot import PASSWORD
from tests.process import Held, look_at

from cubbyd.demo.sample_mail import sample_categories
from cubbyd.journal import Journal, open_database

SERVER: Final = """
default_process_limit = 500
default_client_limit = 2000
service imap-login {
  service_count = 0
  process_min_avail = 1
}
"""
"""Dovecot's defaults allow a hundred connections to log in at the same time, and over TLS each keeps its login process."""

MAILBOX: Final = """
[mailboxes.{name}]
host = "localhost"
port = {port}
{security}
username = "{name}"
password_file = "password"
"""
REST: Final = """
[filing]
backlog = "file"

[classifier]
model = "../cubbyd.model"
threshold = 0.0

[state]
directory = "state"
"""
START_SECONDS: Final = 120.0
REST_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 70.0
"""How long the processor time of a daemon is counted that has nothing to do: every mailbox is polled once."""
ARRIVALS: Final = 20
AWAY_SECONDS: Final = 8.0
BACK_SECONDS: Final = 180.0
PATIENCE_SECONDS: Final = 120.0
LOGIN: Final = re.compile(r"^(\w+ \d+ [\d:]+) imap-login: Info: Login: ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One daemon with so many mailboxes; times in seconds."""

    mailboxes: int
    first_passes_seconds: float
    """From the start of the process until every mailbox had its first pass."""
    at_rest: Held
    idle_cpu_percent: float
    """Of one processor, while nothing happens but polls."""
    single_median: float
    single_longest: float
    burst_median: float
    burst_longest: float
    logins_in_busiest_second: int
    """After the server came back."""
    back_seconds: float
    """From the server's start until every mailbox had a pass that went through."""
    at_end: Held


def measure(bench: Bench, number: int, *, plain: bool) -> Served:
    """Serve so many mailboxes, and take everything away afterwards."""
    names = [f"box{number}x{one}" for one in range(number)]
    config_file = _configure(bench, names, plain=plain)
    state = config_file.parent / "state"
    with (config_file.parent / "log").open("wb") as log:
        started, since = time.perf_counter(), datetime.now(UTC)
        with _running(config_file, log.fileno()) as daemon:
            _wait_for_passes(state, names, since, START_SECONDS)
            first = time.perf_counter() - started
            time.sleep(REST_SECONDS)
            before = look_at(daemon.pid)
            time.sleep(IDLE_SECONDS)
            at_rest = look_at(daemon.pid)
            single, burst = _let_mail_come(bench, names)
            logins, back = _restart(bench, state, names)
            at_end = look_at(daemon.pid)
    for name in names:
        bench.remove(name)
    return Served(
        mailboxes=number,
        first_passes_seconds=first,
        at_rest=at_rest,
        idle_cpu_percent=100 * (at_rest.cpu_seconds - before.cpu_seconds) / IDLE_SECONDS,
        single_median=statistics.median(single),
        single_longest=max(single),
        burst_median=statistics.median(burst),
        burst_longest=max(burst),
        logins_in_busiest_second=logins,
        back_seconds=back,
        at_end=at_end,
    )


def _configure(bench: Bench, names: Sequence[str], *, plain: bool) -> Path:
    folder = bench.folder / f"daemon-{len(names)}"
    folder.mkdir()
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    (folder / "password").chmod(0o600)
    security = 'security = "plain"' if plain else f'ca_file = "{_authorities(bench, folder)}"'
    port = bench.server.port if plain else bench.server.tls_port
    tables = [MAILBOX.format(name=name, port=port, security=security) for name in names]
    file = folder / "cubbyd.toml"
    file.write_text("".join(tables) + REST + sample_categories(), encoding="utf-8")
    return file


def _authorities(bench: Bench, folder: Path) -> Path:
    """Give a file with the server's certificate and all that this machine trusts, as a daemon has them."""
    known = ssl.get_default_verify_paths().cafile
    file = folder / "authorities.pem"
    file.write_bytes(bench.server.certificate.read_bytes() + (Path(known).read_bytes() if known else b""))
    return file


@contextmanager
def _running(config_file: Path, log: int) -> Iterator[subprocess.Popen[bytes]]:
    daemon = subprocess.Popen([CUBBYD, "--config", str(config_file), "run"], stderr=log)
    try:
        yield daemon
    finally:
        daemon.terminate()
        daemon.wait()


def _wait_for_passes(state: Path, names: Sequence[str], since: datetime, seconds: float) -> None:
    """Wait until every mailbox had a pass that went through after `since`, by the state file."""
    until, waiting = time.perf_counter() + seconds, set(names)
    while b'"started"' not in (state.parent / "log").read_bytes():
        _sleep(until, "the daemon did not start")
    journal = Journal(open_database(state, read_only=True))
    try:
        while waiting:
            outcomes = {name: journal.poll_outcome(name) for name in waiting}
            waiting -= {name for name, one in outcomes.items() if one and one.succeeded_at and one.succeeded_at >= since}
            _sleep(until, f"{len(waiting)} mailboxes had no pass")
    finally:
        journal.close()


def _sleep(until: float, otherwise: str) -> None:
    if time.perf_counter() > until:
        raise RuntimeError(f"{otherwise} in time; this measures nothing")
    time.sleep(0.05)


def _let_mail_come(bench: Bench, names: Sequence[str]) -> tuple[list[float], list[float]]:
    """Give how long each of the single mails waited, and each of those that came at once."""
    mails = bench.writer.mails(SEED)
    with ExitStack() as stack:
        clients = {name: stack.enter_context(bench.connect(name)) for name in names}
        drawn = random.Random(SEED).choices(names, k=ARRIVALS)
        single = [_arrive({name: clients[name]}, mails)[0] for name in drawn]
        return single, _arrive(clients, mails)


def _arrive(clients: dict[str, IMAPClient], mails: Iterator[Mail]) -> list[float]:
    """Put one mail into each inbox; give the seconds until each was out of it."""
    sent: dict[str, float] = {}
    for (name, client), mail in zip(clients.items(), islice(mails, len(clients)), strict=True):
        client.append("INBOX", mail.content)
        sent[name] = time.perf_counter()
    waits: list[float] = []
    until = time.perf_counter() + PATIENCE_SECONDS
    while sent:
        filed = [name for name in sent if clients[name].folder_status("INBOX", ["MESSAGES"])[b"MESSAGES"] == 0]
        waits += [time.perf_counter() - sent.pop(name) for name in filed]
        if sent:
            _sleep(until, f"{len(sent)} mails were not filed")
    return waits


def _restart(bench: Bench, state: Path, names: Sequence[str]) -> tuple[int, float]:
    """Take the server away for a while; give the logins in its busiest second, and how long until all is as before."""
    bench.server.stop()
    time.sleep(AWAY_SECONDS)
    log = bench.server.folder / "dovecot.log"
    known = len(log.read_bytes())
    bench.server.start()
    started, since = time.perf_counter(), datetime.now(UTC)
    _wait_for_passes(state, names, since, BACK_SECONDS)
    seconds = time.perf_counter() - started
    time.sleep(REST_SECONDS)  # until those that watch are back as well
    seen = LOGIN.findall(log.read_bytes()[known:].decode("utf-8", "replace"))
    return max(Counter(seen).values()), seconds


def print_report(results: Sequence[Served]) -> None:
    """Print the tables for people."""
    print("\n| mailboxes | MB at rest | peak MB | threads | open files | connections | processor at rest | all had a pass |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for one in results:
        held = one.at_rest
        print(
            f"| {one.mailboxes} | {held.memory_mb:.0f} | {held.peak_mb:.0f} | {held.threads} | {held.files} "
            f"| {held.connections} | {one.idle_cpu_percent:.1f} % | {one.first_passes_seconds:.1f} s |"
        )
    print("\n| mailboxes | a mail, median | longest | one in each, median | longest | logins a second | back | MB at the end |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for one in results:
        print(
            f"| {one.mailboxes} | {one.single_median:.2f} s | {one.single_longest:.2f} s | {one.burst_median:.2f} s "
            f"| {one.burst_longest:.2f} s | {one.logins_in_busiest_second} | {one.back_seconds:.0f} s "
            f"| {one.at_end.memory_mb:.0f} |"
        )


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--numbers", default="1,10,50", help="numbers of mailboxes, separated by commas")
    parser.add_argument("--plain", action="store_true", help="without TLS")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    results = []
    with set_up(SERVER) as bench:
        for number in sorted({max(1, int(one)) for one in options.numbers.split(",")}):
            print(f"{number} mailboxes", file=sys.stderr, flush=True)
            results.append(measure(bench, number, plain=options.plain))
    if options.json:
        print(json.dumps({"load_before": load, "served": [asdict(one) for one in results]}))
        return
    print_report(results)
    print(f"\nLoad average when this began: {load:.1f}, on {os.cpu_count()} processors.")


if __name__ == "__main__":
    main()
