"""How fast cubbyd files mail, in how much memory, and how soon: the installed command on a local Dovecot, beside bare IMAP.

    python -m benchmarks.filing [--sizes 100,1000,10000] [--no-latency] [--json]
    python -m benchmarks.filing --profile [--sizes 1000]

Throughput: a mailbox of made-up mails of 1 to 20 kB, 14 folders, the local classifier, action "move", threshold 0, so that
every mail is moved. The daemon's side is `cubbyd run --once` from its start to its end; what an empty mailbox takes (start of
the interpreter, state file, model, login) is measured too, and taken off where "pass" is said. The bare side is imapclient
alone: the same mails in another mailbox, the same bytes in the same batches, moved in the same lots. The sides take turns at
going first. Latency: `cubbyd run` with IDLE and no poll in reach, from the OK of an APPEND until the target folder counts
the mail. The server runs on loopback with its default fsync; state and mail lie in the system's folder for temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.corpus import Mail, Writer
from benchmarks.sampler import Sampler
from imapclient import IMAPClient
from tests.dovecot import PASSWORD, Dovecot
from tests.patience import PATIENCE_SECONDS

from cubbyd.config import LogFormat, LogSection, load_config
from cubbyd.dataset.example import read_examples
from cubbyd.demo.sample_mail import sample_categories, write_sample
from cubbyd.filing.apply import LOT, MOVE_AT_ONCE
from cubbyd.filing.judge import FETCH_AT_ONCE
from cubbyd.mailbox.session import CONTENT
from cubbyd.service.log import configure_logging
from cubbyd.service.once import run_once

CUBBYD: Final = Path(sys.executable).with_name("cubbyd")
SEED: Final = 1

EMPTY_PASSES: Final = 5
MAILS_A_SIZE: Final = 5_000
"""A size is repeated until about so many mails were filed, at most 5 times: short runs are noisy, long ones are not."""

ARRIVALS: Final = 40
WATCH_EVERY_SECONDS: Final = 0.02
LARGEST_RATIO: Final = 3.0
LARGEST_PEAK_MB: Final = 250.0
LARGEST_GROWTH: Final = 1.1
"""By how much time per mail, and peak memory, may differ between the two largest sizes and still be called flat."""
LARGEST_P95_SECONDS: Final = 1.0

CONFIGURATION: Final = """
[mailboxes.bench]
host = "127.0.0.1"
port = {port}
security = "plain"
username = "{user}"
password_file = "password"
poll_seconds = 86400

[filing]
action = "move"
backlog = "file"

[classifier]
model = "../cubbyd.model"
threshold = 0.0

[state]
directory = "state"
"""
"""Without a threshold every mail is moved; without a poll in reach the latency is that of IDLE."""


# --- the mailboxes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every measurement works with: a server, a trained model in a folder, and a writer of mails."""

    server: Dovecot
    folder: Path
    writer: Writer

    def configure(self, user: str) -> Path:
        """Write the configuration of a daemon that files one user's mail; give the file. Its state starts empty."""
        folder = self.folder / user
        folder.mkdir()
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        (folder / "password").chmod(0o600)
        file = folder / "cubbyd.toml"
        file.write_text(CONFIGURATION.format(port=self.server.port, user=user) + sample_categories(), encoding="utf-8")
        return file

    def fill(self, user: str, size: int, mails: Iterable[Mail] | None = None) -> list[str]:
        """Put mails into a user's inbox; give their categories. They lie on disk and in the server's index afterwards."""
        maildir = self.server.folder / "home" / user / "Maildir"
        folders = [maildir.parent, maildir, *(maildir / name for name in ("cur", "new", "tmp"))]
        for folder in folders:
            folder.mkdir(exist_ok=True)
        categories = []
        for number, mail in enumerate(islice(mails or self.writer.mails(SEED), size)):
            octets = len(mail.content)
            file = maildir / "new" / f"{1_750_000_000 + number}.M{number}P1.bench,S={octets},W={octets}"
            file.write_bytes(mail.content)
            folders.append(file)
            categories.append(mail.category)
        if os.geteuid() == 0:  # the server then works as the owner of its folder of homes
            owner = maildir.parent.parent.stat()
            for path in folders:
                os.chown(path, owner.st_uid, owner.st_gid)
        with self.connect(user) as client:
            assert client.select_folder("INBOX", readonly=True)[b"EXISTS"] == size
        os.sync()  # else the first side would wait for the disk to take the mail
        return categories

    def remove(self, user: str) -> None:
        """Take a user's mail and state away."""
        shutil.rmtree(self.server.folder / "home" / user, ignore_errors=True)
        shutil.rmtree(self.folder / user, ignore_errors=True)

    @contextmanager
    def connect(self, user: str) -> Iterator[IMAPClient]:
        """Log in with imapclient alone."""
        with IMAPClient("127.0.0.1", port=self.server.port, ssl=False) as client:
            client._imap.debug = 0  # noqa: SLF001  (as cubbyd.mailbox.wire does: imapclient would format every literal)
            client.normalise_times = False
            client.login(user, PASSWORD)
            yield client


def target_folders() -> dict[str, str]:
    """Give the folder of each category of the sample facility."""
    return {category["id"]: category["name"] for category in tomllib.loads(sample_categories())["categories"]}


@contextmanager
def set_up(extra: str = "") -> Iterator[Bench]:
    """Start the server and train the model by the installed command; everything goes away at the end.

    `extra` goes into the server's configuration.
    """
    with tempfile.TemporaryDirectory(prefix="cubbyd-bench-") as name, Dovecot(fsync="optimized", extra=extra) as server:
        folder = Path(name)
        examples = write_sample(folder)
        model = folder / "cubbyd.model"
        subprocess.run([CUBBYD, "train", str(examples), "--out", str(model)], check=True, capture_output=True, cwd=folder)
        yield Bench(server=server, folder=folder, writer=Writer.from_examples(list(read_examples(examples))))


# --- throughput --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OncePass:
    """One `cubbyd run --once`: what it took, and how many mails it filed."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    half_time_mb: float
    """The peak of the first half of the time."""
    filed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """The medians of some rounds with as many mails each."""

    mails: int
    rounds: int
    daemon_seconds: float
    """From the start of the process to its end."""
    pass_seconds: float
    """The same, less what a process with nothing to do takes."""
    pass_cpu_seconds: float
    """The processor time of that: it grows less than the other when somebody else uses the machine."""
    bare_seconds: float
    mails_per_second: float
    ratio: float
    pass_ratio: float
    peak_mb: float
    half_time_mb: float


def measure_empty(bench: Bench) -> OncePass:
    """Run the command where there is no mail, some times; give the median one."""
    passes = []
    for number in range(EMPTY_PASSES):
        user = f"empty-{number}"
        bench.fill(user, 0)
        passes.append(run_daemon(bench.configure(user)))
        bench.remove(user)
    return sorted(passes, key=lambda one: one.seconds)[EMPTY_PASSES // 2]


def measure_throughput(bench: Bench, size: int, empty: OncePass) -> Throughput:
    """File `size` mails by cubbyd and by bare IMAP, some times, taking turns at going first."""
    rounds = max(1, min(5, MAILS_A_SIZE // size))
    daemon: list[OncePass] = []
    bare: list[float] = []
    for number in range(rounds):
        _say(f"{size} mails, round {number + 1} of {rounds}")
        categories = bench.fill(f"daemon-{size}-{number}", size)
        bench.fill(f"bare-{size}-{number}", size)
        config_file = bench.configure(f"daemon-{size}-{number}")
        if number % 2:
            bare.append(run_bare(bench, f"bare-{size}-{number}", categories))
        daemon.append(run_daemon(config_file))
        if not number % 2:
            bare.append(run_bare(bench, f"bare-{size}-{number}", categories))
        if daemon[-1].filed != size:
            raise RuntimeError(f"cubbyd filed {daemon[-1].filed} of {size} mails; this measures nothing")
        for side in ("daemon", "bare"):
            bench.remove(f"{side}-{size}-{number}")
    median = statistics.median
    return Throughput(
        mails=size,
        rounds=rounds,
        daemon_seconds=median(one.seconds for one in daemon),
        pass_seconds=median(one.seconds for one in daemon) - empty.seconds,
        pass_cpu_seconds=median(one.cpu_seconds for one in daemon) - empty.cpu_seconds,
        bare_seconds=median(bare),
        mails_per_second=size / median(one.seconds for one in daemon),
        ratio=median(one.seconds / other for one, other in zip(daemon, bare, strict=True)),
        pass_ratio=median((one.seconds - empty.seconds) / other for one, other in zip(daemon, bare, strict=True)),
        peak_mb=max(one.peak_mb for one in daemon),
        half_time_mb=max(one.half_time_mb for one in daemon),
    )


def run_daemon(config_file: Path) -> OncePass:
    """Run `cubbyd run --once` as anybody would, its log in a file, and watch its memory."""
    with (config_file.parent / "log").open("wb") as log:
        started, cpu_before = time.perf_counter(), _cpu_seconds()
        command = [str(CUBBYD), "--config", str(config_file), "run", "--once", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
            peaks: list[float] = []
            watch = threading.Thread(target=watch_memory, args=(process.pid, peaks))
            watch.start()
            said, _ = process.communicate()
            seconds = time.perf_counter() - started
            watch.join()
    if process.returncode:
        raise RuntimeError((config_file.parent / "log").read_text(encoding="utf-8")[-1000:])
    facts = json.loads(said)
    return OncePass(
        seconds=seconds,
        cpu_seconds=_cpu_seconds() - cpu_before,
        peak_mb=peaks[-1],
        half_time_mb=peaks[len(peaks) // 2],
        filed=facts.get("filed", 0),
    )


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def watch_memory(pid: int, peaks: list[float]) -> None:
    """Note the peak of a process's memory in MB, twenty times a second, until it ends.

    The kernel keeps the peak (VmHWM, proc_pid_status(5)), so no peak is missed but one in the last moment; ru_maxrss of a
    child would not do, because it begins with the memory of the process that started it.
    """
    with suppress(OSError):
        while found := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii")):
            peaks.append(int(found[1]) / 1000)
            time.sleep(0.05)


def run_bare(bench: Bench, user: str, categories: Sequence[str]) -> float:
    """Do the IMAP work alone, from connecting to the last move; give the seconds."""
    folders = target_folders()
    made: set[str] = set()
    started = time.perf_counter()
    with bench.connect(user) as client:
        client.select_folder("INBOX")
        uids = client.search("ALL")
        folder_of = {uid: folders[category] for uid, category in zip(uids, categories, strict=True)}
        for lot in _batches(uids, LOT):
            for some in _batches(lot, FETCH_AT_ONCE):
                client.fetch(some, ["INTERNALDATE", "FLAGS", CONTENT])
            for folder in dict.fromkeys(folder_of[uid] for uid in lot):
                if folder not in made:
                    client.create_folder(folder)
                    client.subscribe_folder(folder)
                    made.add(folder)
                for some in _batches([uid for uid in lot if folder_of[uid] == folder], MOVE_AT_ONCE):
                    client.move(some, folder)
        seconds = time.perf_counter() - started
        if (moved := _count_filed(client)) != len(uids):
            raise RuntimeError(f"bare IMAP moved {moved} of {len(uids)} mails; this measures nothing")
    return seconds


def _batches(uids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]


# --- latency -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From the server's OK for a new mail until it lies in its folder, in seconds."""

    mails: int
    median: float
    p95: float
    longest: float


def measure_latency(bench: Bench) -> Latency:
    """Let mails come one at a time, while the daemon waits in IDLE."""
    user, draw = "latency", random.Random(SEED)
    bench.fill(user, 0)
    config_file = bench.configure(user)
    with bench.connect(user) as client, (config_file.parent / "log").open("wb") as log:
        for folder in target_folders().values():
            client.create_folder(folder)
        with subprocess.Popen([CUBBYD, "--config", str(config_file), "run"], stderr=log) as daemon:
            try:
                found: list[float] = []
                for mail in islice(bench.writer.mails(SEED), 1 + ARRIVALS):
                    found.append(_arrive(client, mail))
                    _say(f"arrival {len(found)}: {found[-1]:.3f} s")
                    time.sleep(draw.uniform(1.0, 2.0))  # until the daemon is idle again
            finally:
                daemon.terminate()
    bench.remove(user)
    waits = found[1:]  # the first one waited for the daemon to start
    return Latency(
        mails=len(waits), median=statistics.median(waits), p95=statistics.quantiles(waits, n=20)[-1], longest=max(waits)
    )


def _arrive(client: IMAPClient, mail: Mail) -> float:
    """Put a mail into the inbox, and wait until some folder has one more; give the seconds between."""
    before = _count_filed(client)
    client.append("INBOX", mail.content)
    started = time.perf_counter()
    while time.perf_counter() < started + PATIENCE_SECONDS:
        if _count_filed(client) > before:
            return time.perf_counter() - started
        time.sleep(WATCH_EVERY_SECONDS)
    raise RuntimeError(f"a mail was not filed within {PATIENCE_SECONDS:.0f} s")


def _count_filed(client: IMAPClient) -> int:
    return sum(client.folder_status(folder, ["MESSAGES"])[b"MESSAGES"] for folder in target_folders().values())


# --- where the time goes -----------------------------------------------------------------------------------------------


def profile(bench: Bench, size: int) -> None:
    """Run one pass in this process, and print the shares of its steps and its most expensive functions."""
    bench.fill("profile", size)
    config_file = bench.configure("profile")
    config = load_config(config_file)
    with (config_file.parent / "log").open("w", encoding="utf-8") as log:
        configure_logging(LogSection(format=LogFormat.JSON), log)
        started = time.perf_counter()
        with Sampler() as sampler:
            run_once(config_file, config)
        seconds = time.perf_counter() - started
    samples = sampler.steps.total()
    print(f"One pass over {size} mails took {seconds:.2f} s, {seconds / size * 1000:.2f} ms a mail; of that:\n")
    for counts, most in ((sampler.steps, None), (sampler.functions, 30)):
        for name, count in counts.most_common(most):
            print(f"{count / samples:7.1%} {count / samples * seconds / size * 1000:7.3f} ms  {name}")
        print()


# --- the report --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What was to be reached, and what was."""

    name: str
    measured: float
    at_most: float

    @property
    def is_met(self) -> bool:
        """Tell whether the aim is reached."""
        return self.measured <= self.at_most

    def __str__(self) -> str:
        """Say the aim and what became of it in one line."""
        over = f", missed by {self.measured / self.at_most - 1:.0%}" if not self.is_met else ""
        return f"{'met   ' if self.is_met else 'MISSED'} {self.name}: {self.measured:.2f}, at most {self.at_most:g}{over}"


def judge(results: Sequence[Throughput], latency: Latency | None) -> list[Aim]:
    """Compare with the aims; the largest number of mails counts."""
    largest = results[-1]
    aims = [
        Aim(name="time of the whole command beside bare IMAP", measured=largest.ratio, at_most=LARGEST_RATIO),
        Aim(name="peak memory in MB", measured=largest.peak_mb, at_most=LARGEST_PEAK_MB),
    ]
    if len(results) > 1:
        before = results[-2]
        growth = largest.mails / before.mails
        wall = largest.pass_seconds / before.pass_seconds / growth
        cpu = largest.pass_cpu_seconds / before.pass_cpu_seconds / growth
        sizes = f"{largest.mails} mails beside {before.mails}"
        aims += [
            Aim(name=f"time per mail in the pass, {sizes}", measured=wall, at_most=LARGEST_GROWTH),
            Aim(name=f"processor time per mail in the pass, {sizes}", measured=cpu, at_most=LARGEST_GROWTH),
            Aim(name=f"peak memory, {sizes}", measured=largest.peak_mb / before.peak_mb, at_most=LARGEST_GROWTH),
        ]
    if latency:
        aims.append(Aim(name="seconds until a new mail is filed (p95)", measured=latency.p95, at_most=LARGEST_P95_SECONDS))
    return aims


def print_report(results: Sequence[Throughput], empty: OncePass, latency: Latency | None) -> None:
    """Print the tables for people."""
    print(f"\nAn empty pass takes {empty.seconds:.2f} s. The command in seconds; in the pass, milliseconds a mail:\n")
    print("  mails  rounds  command  mails/s  pass ms  of it CPU  bare ms  ratio  pass ratio  peak MB  at half time")
    for one in results:
        milliseconds = 1000 / one.mails
        print(
            f"{one.mails:7} {one.rounds:7} {one.daemon_seconds:8.2f} {one.mails_per_second:8.1f} "
            f"{one.pass_seconds * milliseconds:8.2f} {one.pass_cpu_seconds * milliseconds:10.2f} "
            f"{one.bare_seconds * milliseconds:8.2f} {one.ratio:6.2f} {one.pass_ratio:11.2f} "
            f"{one.peak_mb:8.1f} {one.half_time_mb:13.1f}"
        )
    if latency:
        print(
            f"\nA new mail is filed after {latency.median:.2f} s (median of {latency.mails}), "
            f"{latency.p95:.2f} s (p95), {latency.longest:.2f} s (longest)."
        )
    print()
    for aim in judge(results, latency):
        print(aim)


def main() -> None:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=_sizes, default="100,1000,10000", help="numbers of mails, separated by commas")
    parser.add_argument("--no-latency", action="store_true", help="leave out how soon a single mail is filed")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--profile", action="store_true", help="only show where the time of a pass over the largest size goes")
    options = parser.parse_args()
    with set_up() as bench:
        if options.profile:
            profile(bench, options.sizes[-1])
            return
        load, empty = os.getloadavg()[0], measure_empty(bench)
        results = [measure_throughput(bench, size, empty) for size in options.sizes]
        latency = None if options.no_latency else measure_latency(bench)
    if not options.json:
        print_report(results, empty, latency)
        print(f"\nLoad average when this began: {load:.1f}, on {os.cpu_count()} processors.")
        return
    facts = {
        "load_before": load,
        "empty": asdict(empty),
        "throughput": [asdict(one) for one in results],
        "latency": asdict(latency) if latency else None,
        "aims": [{**asdict(aim), "is_met": aim.is_met} for aim in judge(results, latency)],
    }
    print(json.dumps(facts))


def _sizes(text: str) -> list[int]:
    return sorted({max(1, int(size)) for size in text.split(",")})


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
