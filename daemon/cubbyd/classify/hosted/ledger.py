"""What was spent on a hosted classifier, day by day, on disk: the budget holds over restarts and across processes.

One small JSON file in the state directory, replaced as a whole for every call (written beside it, synced, renamed). A file
that cannot be read stops all calls: a budget that is forgotten is none. Days and months are those of UTC.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from cubbyd.clock import Clock
from cubbyd.errors import ClassifierUnavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.classify")

LEDGER_NAME: Final = "spending.json"
LOCK_NAME: Final = "spending.lock"
DAYS_KEPT: Final = 62
"""This month and the last one, whole."""
MILLION: Final = 1_000_000
WARN_SHARE: Final = 0.8

_FIELDS: Final = ("calls", "millionths", "input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Money per million tokens; None where the configuration does not say."""

    input: float | None
    output: float | None

    def millionths(self, input_tokens: int, output_tokens: int) -> int:
        """Give what tokens cost, in millionths, rounded up."""
        return math.ceil(input_tokens * (self.input or 0.0) + output_tokens * (self.output or 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be spent; None: as much as it takes."""

    calls_per_day: int
    money_per_day: float | None = None
    money_per_month: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What may still be spent; None where there is no limit."""

    calls_today: int
    money_today: float | None
    money_this_month: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A call that was entered before it was made."""

    day: str
    millionths: int


class Ledger:
    """Enters calls before they are made, and corrects the sum once the bill is known."""

    def __init__(self, directory: Path, budget: Budget, clock: Clock, *, table: str = "classifier.openai") -> None:
        """Take the state directory, and the table whose budget it is; nothing is read or made before the first call."""
        self._table = table
        self._file, self._lock = directory / LEDGER_NAME, directory / LOCK_NAME
        self._budget, self._clock = budget, clock
        self._warned = ""

    def reserve(self, millionths: int) -> Reservation:
        """Enter a call with its likely price. Raises ClassifierUnavailable where the budget does not allow it."""
        now = self._clock.now()
        today = now.date().isoformat()
        with self._opened() as days:
            self._refuse_over_budget(days, now, millionths)
            day = days.setdefault(today, dict.fromkeys(_FIELDS, 0))
            day["calls"] += 1
            day["millionths"] += millionths
            self._warn(day, today)
        return Reservation(day=today, millionths=millionths)

    def settle(self, reservation: Reservation, millionths: int, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Put the real price in the place of the likely one."""
        with self._opened() as days:
            day = days.setdefault(reservation.day, dict.fromkeys(_FIELDS, 0))
            day["millionths"] = max(0, day["millionths"] + millionths - reservation.millionths)
            day["input_tokens"] += input_tokens
            day["output_tokens"] += output_tokens

    def spent(self) -> dict[str, dict[str, int]]:
        """Give what is on record, by day."""
        with self._opened() as days:
            return {day: dict(sums) for day, sums in days.items()}

    def left(self) -> Left:
        """Say what is left to spend; nothing is made or locked. Raises ClassifierUnavailable where the record is unusable."""
        days, today = self._read(), self._clock.now().date().isoformat()
        day = days.get(today, dict.fromkeys(_FIELDS, 0))
        in_month = sum(sums["millionths"] for key, sums in days.items() if key.startswith(today[:7]))
        daily, monthly = self._budget.money_per_day, self._budget.money_per_month
        return Left(
            calls_today=max(0, self._budget.calls_per_day - day["calls"]),
            money_today=None if daily is None else max(0.0, daily - day["millionths"] / MILLION),
            money_this_month=None if monthly is None else max(0.0, monthly - in_month / MILLION),
        )

    def _refuse_over_budget(self, days: dict[str, dict[str, int]], now: datetime, more: int) -> None:
        today, month = now.date().isoformat(), now.date().isoformat()[:7]
        day = days.get(today, dict.fromkeys(_FIELDS, 0))
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = midnight + timedelta(days=1)
        next_month = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        in_month = sum(sums["millionths"] for key, sums in days.items() if key.startswith(month))
        if self._exceeds(in_month + more, self._budget.money_per_month):
            self._refuse(f"money_per_month = {self._budget.money_per_month:g}", now, next_month)
        if self._exceeds(day["millionths"] + more, self._budget.money_per_day):
            self._refuse(f"money_per_day = {self._budget.money_per_day:g}", now, tomorrow)
        if day["calls"] >= self._budget.calls_per_day:
            self._refuse(f"calls_per_day = {self._budget.calls_per_day}", now, tomorrow)

    @staticmethod
    def _exceeds(millionths: int, limit: float | None) -> bool:
        return limit is not None and millionths > limit * MILLION

    def _refuse(self, limit: str, now: datetime, until: datetime) -> None:
        raise ClassifierUnavailable(
            f"the budget is used up: {self._table}.{limit}; nothing is sent before {until:%Y-%m-%d %H:%M} UTC",
            retry_after_seconds=(until - now).total_seconds(),
        )

    def _warn(self, day: dict[str, int], today: str) -> None:
        money = self._budget.money_per_day
        share = max(day["calls"] / self._budget.calls_per_day, day["millionths"] / (money * MILLION) if money else 0.0)
        if share >= WARN_SHARE and self._warned != today:
            self._warned = today
            log.warning("the day's budget of the hosted classifier is nearly used up", used=f"{share:.0%}")

    @contextmanager
    def _opened(self) -> Iterator[dict[str, dict[str, int]]]:
        """Hold the file alone, give its days, and write them back where they changed."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error.strerror or "cannot be opened") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            days = self._read()
            before = json.dumps(days)
            yield days
            if json.dumps(days) != before:
                self._write(days)
        finally:
            os.close(descriptor)

    def _read(self) -> dict[str, dict[str, int]]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            return {str(day): _sums(sums) for day, sums in content["days"].items()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unusable(error.strerror or "cannot be read") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unusable("is damaged; move it away to begin a new record") from error

    def _write(self, days: dict[str, dict[str, int]]) -> None:
        kept = dict(sorted(days.items())[-DAYS_KEPT:])
        beside = self._file.with_suffix(".new")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump({"days": kept}, stream)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(self._file)
            self._sync_directory()
        except OSError as error:
            raise self._unusable(error.strerror or "cannot be written") from error

    def _sync_directory(self) -> None:
        descriptor = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with suppress(OSError):  # some file systems cannot sync a directory
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _unusable(self, reason: str) -> ClassifierUnavailable:
        return ClassifierUnavailable(f"{self._file}: the record of what was spent {reason}; without it nothing is sent")


def _sums(value: Any) -> dict[str, int]:
    """Read one day's sums; whatever is no count is a damaged file."""
    sums = {field: value[field] for field in _FIELDS}
    if any(type(number) is not int or number < 0 for number in sums.values()):
        raise ValueError("no count")
    return sums
