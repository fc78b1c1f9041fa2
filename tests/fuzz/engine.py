"""Runs a target under atheris, Google's coverage-guided fuzzer for Python; knows nothing of mail.

One process gives the seeds, waits, and counts what was found. Another one fuzzes: what fails it keeps in a file, and goes on; a
hang ends it, and a new one goes on. Its instruments slow it down several times, so what took it longest is measured again by
the first one.
"""

# ruff: noqa: T201 - a command that talks

from __future__ import annotations

import argparse
import hashlib
import heapq
import importlib.util
import math
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HANG_SECONDS: Final = 60
"""After which the fuzzer gives up on an input, and its process ends; under the instruments all takes up to 30 times as long."""
SHORTEST_RUN_SECONDS: Final = 5
OWN_MUTATIONS: Final = 0.6
"""Of all; the others are the fuzzer's own, which know what the code compares with."""
SUSPECT: Final = "suspect-"
"""Begins the names of files that took long under the instruments."""
SUSPICIOUS: Final = 0.2
"""Share of the allowed time, from which on an input is measured again."""
MOST_SUSPECTS: Final = 50
MOST_SLOW: Final = 5
"""Of them that are kept after a run: they mostly have one cause."""
SHORTEST_SECONDS: Final = 0.001
"""Of what is felt as slow: inputs that take twice as long as others are worth keeping, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something to be fuzzed."""

    module: str
    """What is run by `python -m`."""
    instrument: Sequence[str]
    """The packages whose branches are counted."""
    load: Callable[[], Callable[[bytes], float]]
    """Imports the check, which raises where something does not hold, and gives the share of the allowed time."""
    seeds: Callable[[], Sequence[bytes]]
    mutator: Callable[[Sequence[bytes]], Callable[[bytes, random.Random, int], bytes]]
    """Makes of the seeds what changes an input to one of at most so many bytes."""
    allowed_seconds: Callable[[int], float]
    max_input_bytes: int = 65_536


def main(target: Target, description: str) -> int:
    """Do what the command line says; give the exit status."""
    options = _read_arguments(target, description)
    if options.replay:
        return _replay(target, options.replay)
    if importlib.util.find_spec("atheris") is None:
        print("This needs atheris (Python 3.11 to 3.13): pip install atheris, in an environment of its own.", file=sys.stderr)
        return 2
    for folder in (options.corpus, options.findings):
        folder.mkdir(parents=True, exist_ok=True)
    if options.inside:
        _fuzz(target, options)
    return _supervise(target, options)


def _read_arguments(target: Target, description: str) -> argparse.Namespace:
    scratch = Path(tempfile.gettempdir()) / "cubbyd-fuzz" / target.module.rpartition("_")[2]
    parser = argparse.ArgumentParser(prog=f"python -m {target.module}", description=description)
    parser.add_argument("--minutes", type=float, default=10, help="how long (10)")
    parser.add_argument("--corpus", type=Path, default=scratch / "corpus", help=f"inputs to go on from ({scratch}/corpus)")
    parser.add_argument("--findings", type=Path, default=scratch / "findings", help="where inputs that fail are kept")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; 0 takes another one each time")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="only check these files, without atheris")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def check_in_time(check: Callable[[bytes], float], raw: bytes) -> float:
    """Check an input and its time. What is slow is measured twice, as other programs may have disturbed the first time."""
    share = check(raw)
    if share > 1:
        share = min(share, check(raw))
    if share > 1:
        raise AssertionError(f"slow: {share:.1f} times the processor time that {len(raw)} bytes may take")
    return share


def _replay(target: Target, files: Sequence[Path]) -> int:
    """Check files in this process; say of each what is wrong with it."""
    check, failed = target.load(), 0
    for file in files:
        raw = file.read_bytes()
        try:
            check(raw)  # to warm up
            print(f"{file}: holds, in {check_in_time(check, raw):.1%} of the allowed time")
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            failed += 1
            print(f"{file} ({len(raw)} bytes):\n{traceback.format_exc()}")
    return 1 if failed else 0


# --- the process that waits ------------------------------------------------------------------------------------------


def _supervise(target: Target, options: argparse.Namespace) -> int:
    """Let other processes fuzz until the time is over: a hang or a crash below Python ends them, and is a finding."""
    before, end = _findings(options.findings), time.monotonic() + options.minutes * 60
    with tempfile.TemporaryDirectory(prefix="cubbyd-fuzz-seeds-") as name:
        for number, seed in enumerate(target.seeds()):
            if len(seed) <= target.max_input_bytes:
                (Path(name) / f"{number:04}").write_bytes(seed)
        status = -1
        while status and (left := end - time.monotonic()) > SHORTEST_RUN_SECONDS:
            known = _findings(options.findings)
            status = subprocess.run(_command(target, options, name, left), check=False).returncode
            _judge_suspects(target, options.findings)
            if status and _findings(options.findings) == known:
                print(f"the fuzzer ended with status {status} and left no input")
                return 2
    found = _findings(options.findings) - before
    for file in sorted(found):
        print(f"found: {file}")
    print(f"{len(found)} new findings in {options.findings}")
    return 1 if found else 0


def _command(target: Target, options: argparse.Namespace, seeds: str, seconds: float) -> list[str]:
    command = [sys.executable, "-m", target.module, "--inside", seeds, "--minutes", str(seconds / 60)]
    return [*command, "--corpus", str(options.corpus), "--findings", str(options.findings), "--seed", str(options.seed)]


def _findings(folder: Path) -> set[Path]:
    return {file for file in folder.iterdir() if file.suffix != ".txt"}


def _judge_suspects(target: Target, folder: Path) -> None:
    """Measure what took long under the instruments; keep the worst of what takes too long without them."""
    check = target.load()
    measured: list[tuple[float, Path]] = []
    for file in folder.glob(f"{SUSPECT}*"):
        raw = file.read_bytes()
        check(raw)  # to warm up
        measured.append((min(check(raw), check(raw)), file))
    measured.sort(reverse=True)
    for place, (share, file) in enumerate(measured):
        if share > 1 and place < MOST_SLOW:
            file.rename(folder / f"slow-{share:.1f}-{file.name.removeprefix(SUSPECT)}.input")
        else:
            file.unlink()
    if measured:
        print(f"the slowest input took {measured[0][0]:.0%} of the allowed time")


# --- the process that fuzzes -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Recorder:
    """Runs the check, and keeps what fails, once for each place where it fails."""

    target: Target
    folder: Path
    check: Callable[[bytes], float]
    feel: Callable[[int], None]
    known: set[str] = field(default_factory=set)
    suspects: list[tuple[float, Path]] = field(default_factory=list)
    """A heap: the share of the allowed time that they took here, and their files."""

    def __call__(self, raw: bytes) -> None:
        """Take one input from the fuzzer."""
        try:
            share = self.check(raw)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            self._keep(raw, error)
            return
        seconds = share * self.target.allowed_seconds(len(raw))
        self.feel(int(math.log2(max(1.0, seconds / SHORTEST_SECONDS))))
        if share > SUSPICIOUS and (len(self.suspects) < MOST_SUSPECTS or share > self.suspects[0][0]):
            self._suspect(raw, share)

    def _keep(self, raw: bytes, error: Exception) -> None:
        name = _signature(error)
        if name in self.known:
            return
        self.known.add(name)
        file = self.folder / f"{name}.input"
        file.write_bytes(raw)
        file.with_suffix(".txt").write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="replace")
        print(f"FOUND {name} ({len(raw)} bytes): {error!a}", flush=True)

    def _suspect(self, raw: bytes, share: float) -> None:
        """Keep the inputs that took longest, for a measurement without instruments."""
        file = self.folder / f"{SUSPECT}{hashlib.sha256(raw).hexdigest()[:16]}"
        if not file.exists():
            file.write_bytes(raw)
            heapq.heappush(self.suspects, (share, file))
        if len(self.suspects) > MOST_SUSPECTS:
            heapq.heappop(self.suspects)[1].unlink()


def _signature(error: Exception) -> str:
    """Name what went wrong and where: one name for one cause, mostly."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "cubbyd" in frame.filename]
    place = ours[-1] if ours else place
    at = f"{Path(place.filename).stem}-{place.lineno}"
    phrase = str(error).partition(":")[0] if isinstance(error, AssertionError) else at
    return "".join(letter if letter.isalnum() else "-" for letter in f"{type(error).__name__}-{phrase}")[:100]


def _fuzz(target: Target, options: argparse.Namespace) -> None:
    """Fuzz until the time is over. Does not return."""
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

    with atheris.instrument_imports(include=list(target.instrument)):
        check = target.load()
    mutate = target.mutator(target.seeds())

    def change(data: bytes, most_bytes: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if draw.random() > OWN_MUTATIONS:
            return bytes(atheris.Mutate(data, most_bytes))
        return mutate(bytes(data), draw, most_bytes)

    recorder = _Recorder(target=target, folder=options.findings, check=check, feel=atheris.instrument_func(_feel))
    limits = [f"-max_total_time={options.minutes * 60:.0f}", f"-max_len={target.max_input_bytes}", f"-timeout={HANG_SECONDS}"]
    report = ["-print_final_stats=1", f"-artifact_prefix={options.findings}/", f"-seed={options.seed}"]
    command = [sys.argv[0], *limits, *report, "-len_control=0", str(options.corpus), str(options.inside)]
    atheris.Setup(command, recorder, custom_mutator=change)
    atheris.Fuzz()


def _feel(doublings: int) -> Any:
    """Pass a branch more for every doubling of the time: to the fuzzer, a slower input is one that reaches something new."""
    passed = 0
    while passed < doublings:
        passed += 1
    return passed
