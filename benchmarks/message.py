"""How fast cubbyd reads mails, and in how much memory, beside the parsers of the standard library in the same run.

    python -m benchmarks.message [FOLDER] [--rounds 7] [--json]
    python -m benchmarks.message --no-hostile | --only-hostile

Throughput: the sample mailbox, the golden mails of the tests, and the real and malformed mails in `torture` of $CUBBYD_SHARED
(by default `../shared` beside the repository) where there are any; or the files *.eml of a folder. The readers take turns,
and who is first changes from round to round. Times are processor time, since other programs use the machine as well;
medians of the rounds are given, and for a mail the median of its own times. A mail on which some reader hangs is left out
for all of them, and named.

What is compared is not the same work. `bare` is email.parser.BytesParser with policy.compat32, and the text parts without
their transfer encoding: no charset, no HTML, no field is looked at. `default` is policy.default: nine fields, and the text
parts as text, HTML as it stands. cubbyd reads these fields and some more, chooses the text, turns HTML into lines, and splits
new text from quoted text and signature. What raises an exception counts as failed, and the time until then counts.

Memory: by how much the peak of a process of its own grows while it reads, when the mail itself lies in its memory already.
Hostile mails (hostile.py): one process for each, ended after 20 s, with 4 GB at most. Linux only (proc(5)).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import compat32, default
from pathlib import Path
from typing import Final

from benchmarks.hostile import HEAD, INPUTS, WORDS

from cubbyd.demo.sample_mail import sample_mails
from cubbyd.message import parse

ROOT: Final = Path(__file__).resolve().parents[1]
SHARED: Final = Path(os.environ.get("CUBBYD_SHARED") or ROOT.parent / "shared")

ROUNDS: Final = 7
SHORTEST_ROUND_SECONDS: Final = 0.2
"""A small corpus is read several times in a round: the clock of processor time is coarse."""
MOST_SECONDS: Final = 2
"""Of one mail and one reader in a corpus; what takes longer is left out for all of them, and named."""
PATIENCE_SECONDS: Final = 20
MOST_MEMORY_BYTES: Final = 4 * 1000**3
SLOWEST_SHOWN: Final = 5

LARGEST_P99_MS: Final = 20.0
LARGEST_SECONDS: Final = 1.0
LARGEST_MB: Final = 250.0


FIELDS: Final = ("subject", "from", "to", "cc", "reply-to", "date", "message-id", "references", "list-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Some mails, with the names of their files."""

    name: str
    files: tuple[str, ...]
    mails: tuple[bytes, ...]
    left_out: tuple[str, ...] = ()
    """Files that take some reader too long."""


# --- the readers -------------------------------------------------------------------------------------------------------


def read_bare(raw: bytes) -> None:
    """Read as the standard library's bare parser does, up to the bytes of the text parts."""
    for part in BytesParser(policy=compat32).parsebytes(raw).walk():
        if part.get_content_maintype() == "text":
            part.get_payload(decode=True)


def read_default(raw: bytes) -> None:
    """Read as the standard library's documentation shows it: the fields that cubbyd reads, the text parts as text."""
    message = BytesParser(policy=default).parsebytes(raw)
    for name in FIELDS:
        str(message[name])
    for part in message.walk():
        if isinstance(part, EmailMessage) and part.get_content_maintype() == "text":
            part.get_content()


def read_ours(raw: bytes) -> None:
    """Read as cubbyd does; what it would hide from the daemon is an exception here."""
    if any(defect.startswith("exception") for defect in parse(raw).defects):
        raise RuntimeError("an exception was caught")


READERS: Final[dict[str, Callable[[bytes], None]]] = {"cubbyd": read_ours, "bare": read_bare, "default": read_default}


# --- the corpora -------------------------------------------------------------------------------------------------------


def find_corpora(folder: Path | None) -> Iterator[Corpus]:
    """Give the mails of a folder, or those that are there anyway."""
    if folder is not None:
        yield _corpus(folder.name, folder)
        return
    sample = sample_mails()
    yield Corpus(name="sample mailbox", files=tuple(mail.file for mail in sample), mails=tuple(mail.raw for mail in sample))
    yield _corpus("golden mails", ROOT / "tests" / "golden")
    if (SHARED / "torture").is_dir():
        yield _corpus("real and malformed", SHARED / "torture")
    else:
        _say(f"real and malformed mails: skipped, there is no {SHARED / 'torture'}")


def _corpus(name: str, folder: Path) -> Corpus:
    files = sorted(folder.rglob("*.eml"))
    if not files:
        sys.exit(f"there is no file *.eml in {folder}")
    names = (str(file.relative_to(folder)) for file in files)
    return Corpus(name=name, files=tuple(names), mails=tuple(file.read_bytes() for file in files))


# --- throughput --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What one reader took for one corpus; medians over the rounds."""

    mails_per_second: float
    ratio: float
    """Time beside the bare parser's in the same round."""
    p50_ms: float
    p99_ms: float
    max_ms: float
    failed: int
    """Mails that raised an exception."""
    extra_mb: float
    slowest: tuple[tuple[str, int, float], ...]
    """Files, their bytes, their milliseconds."""


def measure_throughput(corpus: Corpus, rounds: int) -> dict[str, Throughput]:
    """Let the readers read the corpus in turns."""
    passes = {name: _find_passes(corpus, name) for name in READERS}
    times: dict[str, list[list[float]]] = {name: [] for name in READERS}
    failed: dict[str, int] = {}
    names = list(READERS)
    for number in range(rounds):
        _say(f"{corpus.name}, round {number + 1} of {rounds}")
        for name in names[number % len(names) :] + names[: number % len(names)]:
            one, failed[name] = _read_all(corpus, READERS[name], passes[name])
            times[name].append(one)
    totals = {name: [sum(one) for one in several] for name, several in times.items()}
    return {
        name: _summarize(corpus, times[name], totals[name], totals["bare"], failed[name], _measure_memory(corpus, name))
        for name in READERS
    }


def leave_out_hangs(corpus: Corpus) -> Corpus:
    """Leave out the mails that take some reader so long that nothing else would be measured; hostile mails come later."""
    seconds = zip(*(_read_all(corpus, read, 1)[0] for read in READERS.values()), strict=True)
    slow = {place for place, several in enumerate(seconds) if max(several) > MOST_SECONDS}
    for place in sorted(slow):
        _say(f"{corpus.name}: {corpus.files[place]} left out, it takes some reader more than {MOST_SECONDS:.0f} s")
    kept = [place for place in range(len(corpus.mails)) if place not in slow]
    return Corpus(
        name=corpus.name,
        files=tuple(corpus.files[place] for place in kept),
        mails=tuple(corpus.mails[place] for place in kept),
        left_out=tuple(corpus.files[place] for place in sorted(slow)),
    )


def _find_passes(corpus: Corpus, name: str) -> int:
    """Read the corpus once, to warm up, and tell how often it must be read for a round that is long enough."""
    seconds = sum(_read_all(corpus, READERS[name], 1)[0])
    return max(1, round(SHORTEST_ROUND_SECONDS / max(seconds, 0.001)))


def _read_all(corpus: Corpus, read: Callable[[bytes], None], passes: int) -> tuple[list[float], int]:
    """Read every mail; give the mean seconds of each, and how many raised an exception."""
    seconds = [0.0] * len(corpus.mails)
    failed = 0
    gc.collect()  # what the one before left behind is not this one's work
    for _ in range(passes):
        failed = 0
        for place, raw in enumerate(corpus.mails):
            started = time.process_time()
            try:
                read(raw)
            except Exception:  # noqa: BLE001 - whatever a parser raises is counted, and told
                failed += 1
            seconds[place] += time.process_time() - started
    return [one / passes for one in seconds], failed


def _summarize(
    corpus: Corpus, times: list[list[float]], totals: list[float], bare: list[float], failed: int, extra_mb: float
) -> Throughput:
    each = [statistics.median(several) * 1000 for several in zip(*times, strict=True)]
    ordered = sorted(each)
    slowest = sorted(range(len(each)), key=lambda place: -each[place])[:SLOWEST_SHOWN]
    return Throughput(
        mails_per_second=len(each) / statistics.median(totals),
        ratio=statistics.median(one / other for one, other in zip(totals, bare, strict=True)),
        p50_ms=statistics.median(each),
        p99_ms=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        max_ms=ordered[-1],
        failed=failed,
        extra_mb=extra_mb,
        slowest=tuple((corpus.files[place], len(corpus.mails[place]), each[place]) for place in slowest),
    )


# --- memory, and what may end a process --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one reader and one hostile mail: seconds and MB, or why there are none."""

    seconds: float = 0.0
    extra_mb: float = 0.0
    error: str = ""
    """The name of the exception, or that the time was over."""

    def __str__(self) -> str:
        """Say it in a table's cell."""
        return self.error or f"{self.seconds:.2f} / {self.extra_mb:.0f}"


def _measure_memory(corpus: Corpus, reader: str) -> float:
    """Let a process of its own read the corpus; give the MB that its peak grew by."""
    with tempfile.TemporaryDirectory(prefix="cubbyd-bench-") as folder:
        files = []
        for place, raw in enumerate(corpus.mails):
            files.append(Path(folder) / f"{place:06}")
            files[-1].write_bytes(raw)
        return _read_apart(reader, files, patience=600).extra_mb


def measure_hostile() -> dict[str, dict[str, Outcome]]:
    """Give every hostile mail to every reader."""
    found: dict[str, dict[str, Outcome]] = {}
    with tempfile.TemporaryDirectory(prefix="cubbyd-bench-") as folder:
        file = Path(folder) / "mail"
        for name, make in INPUTS.items():
            file.write_bytes(make())
            found[name] = {reader: _read_apart(reader, [file], PATIENCE_SECONDS) for reader in READERS}
            _say(f"{name}: " + ", ".join(f"{reader} {outcome}" for reader, outcome in found[name].items()))
    return found


def _read_apart(reader: str, files: Sequence[Path], patience: float) -> Outcome:
    command = [sys.executable, "-m", "benchmarks.message", "--inside", reader]
    names = "\n".join(map(str, files))
    try:
        done = subprocess.run(command, input=names, check=False, capture_output=True, text=True, cwd=ROOT, timeout=patience)
    except subprocess.TimeoutExpired:
        return Outcome(error=f"> {patience:.0f}")
    if done.returncode:
        return Outcome(error=f"ended by signal {-done.returncode}" if done.returncode < 0 else done.stderr.strip()[-200:])
    return Outcome(**json.loads(done.stdout))


def read_inside(reader: str, names: Sequence[str]) -> Outcome:
    """Read files in this process, which is there for nothing else.

    The kernel's peak of this process is set back first (proc_pid_clear_refs(5)). ru_maxrss would not do: it begins with the
    memory of the process that started this one.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    read = READERS[reader]
    read(HEAD + b"Subject: x\n\n" + WORDS)  # what is imported late is no mail's fault
    mails = [Path(name).read_bytes() for name in names]
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _peak_mb()
    started, error = time.process_time(), ""
    for raw in mails:
        try:
            read(raw)
        except Exception as raised:  # noqa: BLE001 - whatever a parser raises is what is told
            error = type(raised).__name__ if len(mails) == 1 else ""
    return Outcome(seconds=time.process_time() - started, extra_mb=_peak_mb() - before, error=error)


def _peak_mb() -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 / 1e6 if found else 0.0


# --- the report --------------------------------------------------------------------------------------------------------


def print_throughput(corpus: Corpus, found: dict[str, Throughput]) -> None:
    """Print the rows of one corpus, and its slowest files."""
    octets = sum(map(len, corpus.mails)) / len(corpus.mails) / 1000
    for name, one in found.items():
        print(
            f"| {corpus.name}: {len(corpus.mails):,} of {octets:.1f} kB | {name} | {one.mails_per_second:,.0f} "
            f"| {one.ratio:.2f} | {one.p50_ms:.2f} | {one.p99_ms:.2f} | {one.max_ms:.2f} | {one.extra_mb:.1f} | {one.failed} |",
            flush=True,
        )


def print_slowest(corpus: Corpus, found: Throughput) -> None:
    """Print the files that took cubbyd longest."""
    files = ", ".join(f"{name} ({octets / 1000:.0f} kB, {ms:.1f} ms)" for name, octets, ms in found.slowest)
    print(f"\nSlowest of {corpus.name}: {files}")
    for name in corpus.left_out:
        print(f"Left out, as it takes some reader more than {MOST_SECONDS} s: {name}")


def print_hostile(found: dict[str, dict[str, Outcome]]) -> None:
    """Print the table of the hostile mails."""
    print(
        "\nHostile mails, seconds / extra MB:\n\n| mail | kB | "
        + " | ".join(READERS)
        + " |\n|---|---:|"
        + "---:|" * len(READERS)
    )
    for name, outcomes in found.items():
        print(
            f"| {name} | {len(INPUTS[name]()) / 1000:,.0f} | " + " | ".join(str(outcomes[reader]) for reader in READERS) + " |"
        )


def judge(
    throughput: dict[str, dict[str, Throughput]], hostile: dict[str, dict[str, Outcome]]
) -> list[tuple[str, float, float]]:
    """Compare with the aims: what it is, what was measured, what it may be at most."""
    aims = []
    ours = [one["cubbyd"] for one in throughput.values()]
    if ours:
        aims.append(("milliseconds of a mail (p99)", max(one.p99_ms for one in ours), LARGEST_P99_MS))
        aims.append(("mails that raise an exception", float(sum(one.failed for one in ours)), 0.0))
    outcomes = [one["cubbyd"] for one in hostile.values()]
    if outcomes:
        aims.append(("seconds of a hostile mail", max(one.seconds for one in outcomes), LARGEST_SECONDS))
        aims.append(("MB of a hostile mail", max(one.extra_mb for one in outcomes), LARGEST_MB))
        aims.append(("hostile mails that fail", float(sum(bool(one.error) for one in outcomes)), 0.0))
    return aims


def main() -> None:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="a folder of files *.eml to read instead")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often every reader reads a corpus ({ROUNDS})")
    parser.add_argument("--no-hostile", action="store_true", help="leave the hostile mails out")
    parser.add_argument("--only-hostile", action="store_true", help="leave everything else out")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--inside", choices=READERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(asdict(read_inside(options.inside, sys.stdin.read().split("\n")))))
        return
    load = os.getloadavg()[0]
    corpora = [] if options.only_hostile else [leave_out_hangs(corpus) for corpus in find_corpora(options.folder)]
    throughput = {corpus.name: measure_throughput(corpus, max(1, options.rounds)) for corpus in corpora}
    hostile = {} if options.no_hostile else measure_hostile()
    if options.json:
        print(json.dumps(_facts(load, throughput, hostile)))
        return
    if corpora:
        print("\n| mails | reader | mails/s | time beside bare | p50 ms | p99 ms | max ms | extra MB | failed |")
        print("|---|---|" + "---:|" * 7)
    for corpus in corpora:
        print_throughput(corpus, throughput[corpus.name])
    for corpus in corpora:
        print_slowest(corpus, throughput[corpus.name]["cubbyd"])
    if hostile:
        print_hostile(hostile)
    print()
    for name, measured, at_most in judge(throughput, hostile):
        print(f"{'met   ' if measured <= at_most else 'MISSED'} {name}: {measured:.2f}, at most {at_most:g}")
    print(f"\nLoad average when this began: {load:.1f}, on {os.cpu_count()} processors.")


def _facts(
    load: float, throughput: dict[str, dict[str, Throughput]], hostile: dict[str, dict[str, Outcome]]
) -> dict[str, object]:
    return {
        "load_before": load,
        "throughput": {name: {reader: asdict(one) for reader, one in found.items()} for name, found in throughput.items()},
        "hostile": {name: {reader: asdict(one) for reader, one in found.items()} for name, found in hostile.items()},
        "aims": [
            {"name": name, "measured": measured, "at_most": at_most, "is_met": measured <= at_most}
            for name, measured, at_most in judge(throughput, hostile)
        ],
    }


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
