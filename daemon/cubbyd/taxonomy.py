"""The facility's categories: what they are called, and how each is spelled as a folder and as an IMAP keyword.

Meaning (id) and wire spelling (folder, keyword) are separate fields. Nothing here does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NewType

CategoryId = NewType("CategoryId", str)

GroupId = NewType("GroupId", CategoryId)
"""A coarse category: what a group classifier chooses among. Groups and categories may have the same names."""

FOLDER_SEPARATOR = "/"
"""Levels of a folder in the configuration; the server's own delimiter is put in at the edge."""

FOLDER_LEVEL = re.compile(r"[\w&+()-](?:[\w &+()-]{0,58}[\w&+()-])?")
"""One level of a folder name that Dovecot, Cyrus, Courier, Gmail and Exchange all take."""

KEYWORD = re.compile(r"[A-Za-z0-9$_][A-Za-z0-9$_.-]{0,49}")
"""An IMAP keyword: an ASCII atom (RFC 9051, 2.3.2), at most 50 characters because Dovecot takes no more."""


def folder_problem(folder: str) -> str | None:
    """Say why a folder name of the configuration cannot be used; None where it can."""
    for level in folder.split(FOLDER_SEPARATOR):
        if not FOLDER_LEVEL.fullmatch(level) or any(ord(letter) > 0xFFFF for letter in level):  # noqa: PLR2004
            return (
                "each level of a folder has 1 to 60 letters, digits, spaces inside or - _ & + ( ), "
                f"levels are separated by {FOLDER_SEPARATOR!r}"
            )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One of the facility's categories."""

    id: CategoryId
    code: int
    name: str
    description: str
    folder: str
    keyword: str
    threshold: float | None = None
    """The probability from which a mail is filed here; None: the classifier's general threshold."""
    group: GroupId | None = None
    """The coarse group that it belongs to; None where the configuration has none."""


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All categories, in the order of the configuration."""

    categories: tuple[Category, ...]
    _by_id: Mapping[CategoryId, Category] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the categories by id."""
        object.__setattr__(self, "_by_id", {category.id: category for category in self.categories})

    def __iter__(self) -> Iterator[Category]:
        """Go through the categories in order."""
        return iter(self.categories)

    def __len__(self) -> int:
        """Count the categories."""
        return len(self.categories)

    def __contains__(self, category_id: object) -> bool:
        """Tell whether an id is one of ours."""
        return category_id in self._by_id

    def __getitem__(self, category_id: CategoryId) -> Category:
        """Find a category by its id; KeyError where there is none."""
        return self._by_id[category_id]

    def with_thresholds(self, measured: Mapping[CategoryId, float]) -> Taxonomy:
        """Give each category that has no threshold of its own the measured one, where there is one for it."""
        return Taxonomy(
            tuple(
                replace(category, threshold=measured.get(category.id)) if category.threshold is None else category
                for category in self.categories
            )
        )

    @property
    def ids(self) -> tuple[CategoryId, ...]:
        """The ids, in order."""
        return tuple(category.id for category in self.categories)

    @property
    def groups(self) -> dict[GroupId, tuple[CategoryId, ...]]:
        """The categories of each group, both in order; a category without a group is in none."""
        found: dict[GroupId, tuple[CategoryId, ...]] = {}
        for category in self.categories:
            if category.group is not None:
                found[category.group] = (*found.get(category.group, ()), category.id)
        return found
