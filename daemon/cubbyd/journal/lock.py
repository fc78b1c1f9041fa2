"""The kernel's lock on a state directory (flock(2)): taken by whoever works on it, and seen from outside."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

LOCK_NAME = "lock"
LOOK_SECONDS = 0.1


def take_lock(descriptor: int) -> bool:
    """Take the lock; a second try passes over the instant in which `is_locked` tries it."""
    for pause in (LOOK_SECONDS, 0.0):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return True
    return False


def is_locked(directory: Path) -> bool:
    """Tell whether a process works on a state directory, by trying the lock for an instant; changes nothing."""
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
