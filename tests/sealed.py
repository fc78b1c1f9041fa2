"""Model files written anew with any members, sealed as a program would that means harm."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from cubbyd.classify.container import SEAL_ROOM, write_seal


def write_sealed(file: Path, members: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> None:
    """Write a container whose checksum holds, whatever is in it."""
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.comment = SEAL_ROOM
        for name, member in members.items():
            archive.writestr(name, member)
    with file.open("r+b") as stream:
        write_seal(stream)
