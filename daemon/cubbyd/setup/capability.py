"""What a mail server can do, and what follows from it for the mail. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """One ability, whether the server has it, and what follows."""

    ability: str
    offered: bool
    meaning: str


def consequences_of(names: AbstractSet[str]) -> tuple[Consequence, ...]:
    """Say what follows from what a server announces, upper case (RFC 9051, 7.2.2).

    MOVE is RFC 6851, UIDPLUS RFC 4315, IDLE RFC 2177, SPECIAL-USE RFC 6154, NAMESPACE RFC 2342.
    """
    move, uidplus, idle = "MOVE" in names, "UIDPLUS" in names, "IDLE" in names
    return (
        _one("MOVE", move, "mail is filed in one step", "mail is copied, and the original removed after the copy was seen"),
        _one(
            "UIDPLUS",
            uidplus,
            "one mail can be removed without touching others, and the server says where a filed one lies",
            "filed mail is looked up by its fingerprint"
            + ("" if move else "; the original may show struck through until a mail client expunges it"),
        ),
        _one(
            "IDLE",
            idle,
            "new mail is seen at once; polling goes on beside it",
            "new mail is seen at the next poll: poll_seconds, 60 s by default",
        ),
        _one(
            "SPECIAL-USE",
            "SPECIAL-USE" in names,
            "sent mail, drafts, trash and junk are known by their marks",
            "sent mail, drafts, trash and junk are known by their usual names alone: look at the list of folders",
        ),
        _one(
            "NAMESPACE",
            "NAMESPACE" in names,
            "the server says where your own folders begin",
            "folder names are taken from the list of folders",
        ),
    )


def _one(ability: str, offered: bool, having: str, lacking: str) -> Consequence:  # noqa: FBT001
    return Consequence(ability=ability, offered=offered, meaning=having if offered else lacking)
