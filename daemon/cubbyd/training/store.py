"""The model store: a folder of numbered model files, and which of them is in use.

    models/v1.model  models/v2.model ...   never changed once they are there
    models/history.jsonl                   what was added and used, when (cubbyd.training.record)

The model in use is a copy, in the file that the configuration names: whatever happens to the store, the daemon has its
model, and whatever is written to the model in use (a `cp`, a `train --out`) spoils no version of the store. The copy is
written beside it and renamed into its place, so that there is the old model or the new one at every moment. Which version
is in use is told by its bytes and nothing else.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from re import fullmatch
from typing import Final

from pydantic import ValidationError

from cubbyd.classify.card import About, read_about
from cubbyd.classify.container import MAX_FILE_BYTES, sync_folder
from cubbyd.clock import Clock
from cubbyd.errors import ModelFileError, ModelStoreError
from cubbyd.training.record import VERSION_PATTERN, Action, Event, number_of, used_before

FOLDER: Final = "models"
HISTORY: Final = "history.jsonl"
SUFFIX: Final = ".model"
_LOCK: Final = ".lock"

Demand = Callable[[Path], None]
"""Raises where a model file cannot serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One model of the store."""

    name: str
    file: Path
    sha256: str
    about: About | None
    problem: str
    """Why it cannot be used; empty where nothing is known against it."""
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What a change of the model in use did."""

    version: Version
    before: str | None
    """The version that was in use; None where there was no model, or none that could be kept."""
    kept: str | None
    """The version as which the model that was in use was put into the store now; None where it was there, or there was none."""
    aside: Path | None
    """Where the file that was in use is now, where it is no model that a store could keep."""
    changed: bool
    """Whether anything was to be done."""


class ModelStore:
    """The models of one folder, and the file of the model in use."""

    def __init__(self, active: Path, clock: Clock, folder: Path | None = None) -> None:
        """Take the file that the configuration names; the folder is `models` beside it."""
        self.active, self.folder = active, folder or active.parent / FOLDER
        self._clock = clock

    def prepare(self) -> None:
        """Make the folder where there is none. Raises ModelStoreError where nothing can be written there."""
        with self._locked():
            pass

    def versions(self) -> tuple[Version, ...]:
        """Give every model, by its number. Raises ModelStoreError where the history cannot be read."""
        history, active = self.history(), _digest(self.active)
        added = {event.version: event.sha256 for event in history if event.action == "add"}
        files = self.folder.glob(f"v*{SUFFIX}") if self.folder.is_dir() else ()
        names = {file.name.removesuffix(SUFFIX): file for file in files}
        sound = sorted((name for name in names if fullmatch(VERSION_PATTERN, name)), key=number_of)
        return tuple(self._version(name, names[name], added.get(name), active) for name in sound)

    def _version(self, name: str, file: Path, added: str | None, active: str | None) -> Version:
        digest, about, problem = _digest(file), None, ""
        try:
            about = read_about(file)
        except ModelFileError as error:
            problem = error.reason
        if about is not None and added is not None and digest != added:
            problem = f"is not the file that was put into the store as {name}: its checksum is another"
        return Version(
            name=name,
            file=file,
            sha256=digest or "",
            about=about,
            problem=problem,
            is_active=digest is not None and digest == active,
        )

    def find(self, name: str) -> Version:
        """Give a model by its name, "v3" or "3". Raises ModelStoreError that names those that there are."""
        wanted, versions = f"v{name.removeprefix('v')}", self.versions()
        for version in versions:
            if version.name == wanted:
                return version
        known = ", ".join(version.name for version in versions) or "none yet; add one: cubbyd models add MODEL"
        raise ModelStoreError(self.folder, f"there is no model {name!r}; there are: {known}")

    def history(self) -> tuple[Event, ...]:
        """Give what was done, oldest first. Raises ModelStoreError that names the line that cannot be read."""
        file = self.folder / HISTORY
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise ModelStoreError(file, f"cannot be read: {error}") from error
        events = []
        for number, line in enumerate(lines, start=1):
            try:
                events.append(Event.model_validate_json(line))
            except ValidationError as error:
                reason = f"line {number} is no entry of a model store; take it out, or restore the file"
                raise ModelStoreError(file, reason) from error
        return tuple(events)

    def add(self, file: Path) -> Version:
        """Put a copy of a model file into the store; give the version that it is, the old one where it was there.

        Raises ModelFileError where it is no sound model file, ModelStoreError where the store cannot be written.
        """
        read_about(file)
        with self._locked():
            return self._add(file)

    def use(self, name: str, demand_fit: Demand) -> Switch:
        """Put a model in the place of the one in use, which is kept in the store.

        Raises ModelStoreError where there is no such model or it is not what was added, and what demand_fit raises.
        """
        with self._locked():
            return self._switch(self.find(name), "use", demand_fit)

    def rollback(self, demand_fit: Demand) -> Switch:
        """Put the model that was in use before this one in its place. Raises as use does."""
        with self._locked():
            active = next((version.name for version in self.versions() if version.is_active), None)
            name = used_before(self.history(), active)
            if name is None:
                raise ModelStoreError(self.folder, "no model was in use before this one; see: cubbyd models list")
            return self._switch(self.find(name), "rollback", demand_fit)

    def _switch(self, version: Version, action: Action, demand_fit: Demand) -> Switch:
        if version.problem:
            raise ModelFileError(version.file, version.problem)
        demand_fit(version.file)
        before = next((one for one in self.versions() if one.is_active), None)
        if version.is_active:
            return Switch(version=version, before=version.name, kept=None, aside=None, changed=False)
        kept, aside = (None, None) if before is not None else self._keep_active()
        self._note_in_use(before or kept)
        self._record(action, version.name, version.sha256)
        _put_copy(version.file, self.active, version.sha256)
        return Switch(
            version=version,
            before=before.name if before else kept.name if kept else None,
            kept=kept.name if kept else None,
            aside=aside,
            changed=True,
        )

    def _note_in_use(self, version: Version | None) -> None:
        """Write down that a model is in use where the history does not say so: it was not put there by the store."""
        last = next((event.version for event in reversed(self.history()) if event.action != "add"), None)
        if version is not None and last != version.name:
            self._record("use", version.name, version.sha256)

    def _keep_active(self) -> tuple[Version | None, Path | None]:
        """Put the model in use into the store, so that one can go back; or lay it aside where it is none."""
        if not self.active.exists():
            return None, None
        try:
            read_about(self.active)
        except ModelFileError:
            aside = self.active.with_name(f"{self.active.name}.unusable-{(_digest(self.active) or '')[:8]}")
            _write_atomically(aside, lambda temporary: shutil.copyfile(self.active, temporary))
            return None, aside
        return self._add(self.active), None

    def _add(self, file: Path) -> Version:
        digest = _digest(file)
        known = next((version for version in self.versions() if version.sha256 == digest and not version.problem), None)
        if known is not None:
            return known
        numbers = [number_of(event.version) for event in self.history()] + [number_of(one.name) for one in self.versions()]
        name = f"v{max(numbers, default=0) + 1}"
        target = self.folder / f"{name}{SUFFIX}"
        _put_copy(file, target, digest or "")
        self._record("add", name, digest or "")
        return self.find(name)

    def _record(self, action: Action, version: str, digest: str) -> None:
        """Write the history anew with one entry more: a reader sees whole lines alone."""
        event = Event(action=action, version=version, sha256=digest, time=self._clock.now())
        text = "".join(f"{one.model_dump_json()}\n" for one in (*self.history(), event))
        _write_atomically(self.folder / HISTORY, lambda temporary: temporary.write_text(text, encoding="utf-8"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time change the store; the lock is the kernel's (flock) and ends with the process."""
        try:
            self.folder.mkdir(exist_ok=True)
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise ModelStoreError(self.folder, f"cannot be written: {error.strerror}; {_WHO}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


_WHO: Final = "call this as the user whom the model file belongs to (often: sudo)"


def _digest(file: Path) -> str | None:
    """Give the SHA-256 of a file; None where it cannot be read, or is none."""
    try:
        if not file.is_file() or file.stat().st_size > MAX_FILE_BYTES:
            return None
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _put_copy(source: Path, target: Path, digest: str) -> None:
    """Copy a model file of this SHA-256 in place of another, with the other's mode: the daemon may be another user."""

    def copy(temporary: Path) -> None:
        shutil.copyfile(source, temporary)
        if _digest(temporary) != digest:
            raise ModelFileError(source, "changed while it was copied; nothing was done; try again")
        with suppress(FileNotFoundError):
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))

    _write_atomically(target, copy)


def _write_atomically(target: Path, write: Callable[[Path], object]) -> None:
    """Write beside and rename: at every moment the old file is there, or the new one, whole."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        write(temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise ModelStoreError(target, f"cannot be written: {error.strerror}; {_WHO}") from error
    finally:
        temporary.unlink(missing_ok=True)
