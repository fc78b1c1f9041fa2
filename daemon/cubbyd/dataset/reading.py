"""What every reader of a source is given and gives back: names of columns, meanings of codes, what it skipped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cubbyd.errors import InputFileError
from cubbyd.taxonomy import CategoryId, Taxonomy

SHOWN_PLACES: Final = 10
"""Places that are remembered for each reason; the rest are counted."""

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""One-character codes: the first category is A. Each is one token, without a blank before it."""


@dataclass(slots=True, kw_only=True)
class Skips:
    """What a reader passed over and why, in fixed phrases without mail text, and the first places of each."""

    counts: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    """What was taken all the same, and ought to be known."""

    def skip(self, reason: str, place: object) -> None:
        """Count something that was passed over; place is a line, a file, a folder."""
        self.counts[reason] += 1
        self._remember(reason, place)

    def note(self, what: str, place: object) -> None:
        """Count something that was taken and ought to be known."""
        self.notes[what] += 1
        self._remember(what, place)

    def _remember(self, what: str, place: object) -> None:
        places = self.places.setdefault(what, [])
        if len(places) < SHOWN_PLACES:
            places.append(str(place))


@dataclass(frozen=True, slots=True, kw_only=True)
class Meanings:
    """What a label of a source means: by the user's own list, then the configuration, else the label itself."""

    given: Mapping[str, str] = field(default_factory=dict)
    taxonomy: Taxonomy | None = None

    def find(self, value: str) -> tuple[CategoryId, ...]:
        """Give the categories that a label, a code or a list of them stands for; empty where it is blank."""
        value = value.strip()
        if not value:
            return ()
        if (one := self._one(value)) is not None:
            return (one,)
        if (flags := self._flags(value)) is not None:
            return flags
        pieces = [piece.strip() for piece in value.replace(";", ",").split(",")]
        if len(pieces) > 1 and all(self._is_label(piece) for piece in pieces):
            return tuple(dict.fromkeys(found for piece in pieces for found in self.find(piece)))
        if value.isalnum() and all(self._one(letter) for letter in value):  # several one-character codes, run together
            return tuple(dict.fromkeys(found for letter in value if (found := self._one(letter))))
        return (CategoryId(value),)

    def knows(self, label: CategoryId) -> bool:
        """Tell whether a label is one of the configuration's; without one, whatever is written is right."""
        return self.taxonomy is None or label in self.taxonomy

    def _is_label(self, piece: str) -> bool:
        """Tell a label in a list from a part of a name with a comma in it, as in "Fees, late"."""
        if self.given or self.taxonomy is not None:
            return self._one(piece) is not None
        return _ID.fullmatch(piece) is not None

    def _one(self, value: str) -> CategoryId | None:
        if (meant := self.given.get(value)) is not None:
            return CategoryId(meant)
        if self.taxonomy is None:
            return None
        folded = value.casefold()
        for category in self.taxonomy:
            if folded in (category.id, str(category.code), category.name.casefold(), category.folder.casefold()):
                return category.id
        if len(value) == 1 and (place := LETTERS.find(value)) in range(len(self.taxonomy)):
            return self.taxonomy.ids[place]
        return None

    def _flags(self, value: str) -> tuple[CategoryId, ...] | None:
        """Read "0,1,0": a yes or no for each category of the configuration."""
        marks = [piece.strip() for piece in value.split(",")]
        if self.taxonomy is None or len(marks) != len(self.taxonomy) or not set(marks) <= {"0", "1"}:
            return None
        return tuple(id_ for id_, mark in zip(self.taxonomy.ids, marks, strict=True) if mark == "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The names of columns or keys, where the user gave them; empty: guessed."""

    subject: str = ""
    body: str = ""
    label: str = ""
    one_hot: tuple[str, ...] = ()
    """The labels of columns of 0 and 1, in order, for a file without a heading."""
    encoding: str = "utf-8-sig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that a reader needs beside the source."""

    skips: Skips
    meanings: Meanings = Meanings()
    columns: Columns = Columns()
    separator: str = ""
    """What ends the prompt of a legacy line; empty: one of the usual ones."""
    ending: str = ""
    """What ends its completion; empty: one of the usual ones."""
    label: str = ""
    """The label of everything, whatever the source says."""
    origin: str = "real"
    """The origin of what does not say its own."""

    def labels(self, values: Iterator[str] | list[str], place: object) -> tuple[CategoryId, ...]:
        """Find what labels mean, and note those that the configuration does not have."""
        if self.label:
            return (CategoryId(self.label),)
        found = tuple(dict.fromkeys(label for value in values for label in self.meanings.find(value)))
        for label in found:
            if not self.meanings.knows(label):
                self.skips.note("label that the configuration does not have", place)
        return found


def read_meanings(file: Path) -> dict[str, str]:
    """Read a list of meanings: lines `CODE = label`, or `Folder/Name = label`; # begins a comment. Raises InputFileError."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputFileError(file, "is not UTF-8; save it as UTF-8 and try again") from error
    meanings: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        code, equals, label = (piece.strip().strip('"') for piece in line.partition("="))
        if not (code and equals and label):
            raise InputFileError(file, "write CODE = label, as in: 3 = billing", line=number)
        if code in meanings:
            raise InputFileError(file, f"{code!r} stands there twice; keep one", line=number)
        meanings[code] = label
    return meanings
