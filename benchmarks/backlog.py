"""The first start on an inbox full of old mail, on a local Dovecot: how long counting and filing take, in how much memory.

    python -m benchmarks.backlog [--mails 20000] [--count-only] [--json]

Two starts of the installed command on one mailbox of made-up mails of 1 to 20 kB, with the local classifier. The first is told
nothing: it counts the mail, and leaves it alone. The second is the daemon, told to file it (backlog = "file", threshold 0, so
that every mail is moved). Meanwhile new mails come, one at a time; how long each waits in the inbox is measured, from the OK of
its APPEND. In the middle the daemon is stopped by SIGTERM and started again. At the end the server is asked where every mail
is. The peak of memory is the kernel's (VmHWM).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Final

from benchmarks.corpus import Mail
from benchmarks.filing import CUBBYD, PATIENCE_SECONDS, SEED, Bench, OncePass, run_daemon, set_up, target_folders, watch_memory
from imapclient import IMAPClient

USER: Final = "old"
ARRIVE_EVERY_SECONDS: Final = 3.0
LOOK_EVERY_SECONDS: Final = 0.2
SHORT: Final = Mail(content=b"Subject: hello\r\n\r\nGood morning.\r\n", category="")
"""What is only counted is not read, and soon made."""

NOTHING_SAID: Final = ('backlog = "file"\n', "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What the daemon did with old mail, and with the new mail that came meanwhile."""

    mails: int
    seconds: float
    """From its start until none is left, without the time in which it was stopped."""
    mails_per_second: float
    peak_mb: float
    half_time_mb: float
    stop_seconds: float
    """From SIGTERM to its end."""
    arrivals: int
    arrival_median: float
    arrival_longest: float


class Arrivals(threading.Thread):
    """New mail, one at a time, while old mail is filed; notes how long each waits until it is out of the inbox."""

    def __init__(self, bench: Bench) -> None:
        """Begin with the start."""
        super().__init__(daemon=True)
        self._bench = bench
        self.ended = threading.Event()
        self.waits: list[float] = []

    def run(self) -> None:
        """Deliver until told to end."""
        with self._bench.connect(USER) as client:
            for number, mail in enumerate(self._bench.writer.mails(SEED + 1)):
                if self.ended.wait(ARRIVE_EVERY_SECONDS):
                    return
                self._arrive(client, f"X-Arrival: {number}\r\n".encode() + mail.content)

    def _arrive(self, client: IMAPClient, content: bytes) -> None:
        before = client.folder_status("INBOX", ["UIDNEXT"])[b"UIDNEXT"]
        client.append("INBOX", content)
        started = time.perf_counter()
        client.select_folder("INBOX", readonly=True)
        while time.perf_counter() < started + PATIENCE_SECONDS:
            if not [uid for uid in client.search(["UID", f"{before}:*"]) if uid >= before]:
                self.waits.append(time.perf_counter() - started)
                client.unselect_folder()
                return
            time.sleep(LOOK_EVERY_SECONDS)
            client.noop()
        raise RuntimeError(f"a new mail was not filed within {PATIENCE_SECONDS:.0f} s")


def count(bench: Bench, config_file: Path, mails: int) -> OncePass:
    """Run the command once that leaves old mail alone."""
    whole = config_file.read_text(encoding="utf-8")
    config_file.write_text(whole.replace(*NOTHING_SAID), encoding="utf-8")
    done = run_daemon(config_file)
    with bench.connect(USER) as client:
        if done.filed or client.folder_status("INBOX", ["MESSAGES"])[b"MESSAGES"] != mails:
            raise RuntimeError("old mail was not left alone; this measures nothing")
    config_file.write_text(whole, encoding="utf-8")
    return done


def file_all(bench: Bench, config_file: Path, mails: int) -> Filed:
    """Have the daemon file the old mail, with a stop in the middle."""
    arrivals = Arrivals(bench)
    arrivals.start()
    first, peaks = _serve(bench, config_file, until_left=mails // 2)
    second, more = _serve(bench, config_file, until_left=0, arrivals=arrivals)
    with bench.connect(USER) as client:
        filed = sum(client.folder_status(folder, ["MESSAGES"])[b"MESSAGES"] for folder in target_folders().values())
        if filed != mails + len(arrivals.waits):
            raise RuntimeError(f"{filed} mails were filed of {mails} and {len(arrivals.waits)}; this measures nothing")
    seconds = first[0] + second[0]
    return Filed(
        mails=mails,
        seconds=seconds,
        mails_per_second=mails / seconds,
        peak_mb=max(peaks[-1], more[-1]),
        half_time_mb=peaks[-1],
        stop_seconds=first[1],
        arrivals=len(arrivals.waits),
        arrival_median=statistics.median(arrivals.waits),
        arrival_longest=max(arrivals.waits),
    )


def _serve(
    bench: Bench, config_file: Path, *, until_left: int, arrivals: Arrivals | None = None
) -> tuple[tuple[float, float], list[float]]:
    """Run the daemon until so much is left; give its seconds, those of its stop, and the peaks of its memory."""
    with (config_file.parent / "log").open("ab") as log, bench.connect(USER) as client:
        started = time.perf_counter()
        with subprocess.Popen([CUBBYD, "--config", str(config_file), "run"], stderr=log) as daemon:
            peaks: list[float] = []
            watch = threading.Thread(target=watch_memory, args=(daemon.pid, peaks))
            watch.start()
            while client.folder_status("INBOX", ["MESSAGES"])[b"MESSAGES"] > until_left:
                if daemon.poll() is not None:
                    raise RuntimeError((config_file.parent / "log").read_text(encoding="utf-8")[-1000:])
                time.sleep(LOOK_EVERY_SECONDS)
            seconds = time.perf_counter() - started
            if arrivals is not None:
                arrivals.ended.set()
                arrivals.join()
            stopping = time.perf_counter()
            daemon.send_signal(signal.SIGTERM)
            daemon.wait()
            stopped = time.perf_counter() - stopping
            watch.join()
    return (seconds, stopped), peaks


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mails", type=int, default=20_000, help="how much old mail there is")
    parser.add_argument("--count-only", action="store_true", help="only the start that leaves it alone, on short mails")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with set_up() as bench:
        print(f"making {options.mails} mails", file=sys.stderr)
        bench.fill(USER, options.mails, repeat(SHORT) if options.count_only else None)
        config_file = bench.configure(USER)
        counted = count(bench, config_file, options.mails)
        filed = None if options.count_only else file_all(bench, config_file, options.mails)
    if options.json:
        print(json.dumps({"load_before": load, "counted": asdict(counted), "filed": asdict(filed) if filed else None}))
        return
    print(
        f"{options.mails} mails were there before. To count them and leave them alone took {counted.seconds:.1f} s, the "
        f"start of the process included, and {counted.peak_mb:.0f} MB."
    )
    if filed:
        print(
            f"To file them took {filed.seconds:.0f} s, {filed.mails_per_second:.0f} mails a second, and {filed.peak_mb:.0f} MB "
            f"(the first half: {filed.half_time_mb:.0f} MB). Told to stop in the middle, the daemon ended after "
            f"{filed.stop_seconds:.1f} s.\n{filed.arrivals} new mails came meanwhile; each waited {filed.arrival_median:.1f} s "
            f"(median), at most {filed.arrival_longest:.1f} s."
        )
    print(f"Load average when this began: {load:.1f}, on {os.cpu_count()} processors.")


if __name__ == "__main__":
    main()
