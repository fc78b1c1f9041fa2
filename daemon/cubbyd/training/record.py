"""What was done with the models of a store, as values, and which one was in use before. Pure.

The file history.jsonl has one object a line:

    {"action": "add", "version": "v3", "sha256": "…", "time": "2026-11-21T08:30:00Z"}

`add` put a file into the store, `use` and `rollback` put it into the place of the model in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

VERSION_PATTERN: Final = r"^v[1-9][0-9]{0,5}$"

Action = Literal["add", "use", "rollback"]


class Event(BaseModel):
    """One thing that was done."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action
    version: str = Field(pattern=VERSION_PATTERN)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the whole file."""
    time: AwareDatetime


def number_of(version: str) -> int:
    """Give the number of a version's name: 3 for "v3"."""
    return int(version.removeprefix("v"))


def used_before(history: Sequence[Event], active: str | None) -> str | None:
    """Name the version that was in use before the active one; None where there was none.

    `active` is the version that is in use, None where the model in use is not of the store. A `use` puts a version on top of
    those before it, a `rollback` takes them off down to its own. The history is written before the model is put in its
    place: what stands above the active one never came into effect.
    """
    stack: list[str] = []
    for event in history:
        if event.action == "use":
            stack.append(event.version)
        elif event.action == "rollback":
            while stack and stack[-1] != event.version:
                stack.pop()
            stack = stack or [event.version]
    if active in stack:
        while stack[-1] != active:
            stack.pop()
        while stack and stack[-1] == active:
            stack.pop()
    return stack[-1] if stack else None
