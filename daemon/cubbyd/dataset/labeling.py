"""Labeling, without a terminal and without a model: what comes next, which key means what, and what two opinions come to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cubbyd.dataset.example import Example
from cubbyd.dataset.growing import text_key
from cubbyd.errors import InputFileError
from cubbyd.taxonomy import CategoryId

COMMAND_KEYS: Final = {"u": "undo", "s": "skip", "q": "quit"}
"""Letters that no category gets."""

_CATEGORY_KEYS: Final = "123456789abcdefghijklmnoprtvwxyz0ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_CATEGORIES: Final = len(_CATEGORY_KEYS)
"""As many as can have a key of their own."""


def assign_keys(categories: Sequence[CategoryId]) -> dict[str, CategoryId]:
    """Give each category a key, in order: 1 to 9, the letters but u, s and q, 0, capitals. Raises ValueError for too many."""
    if len(categories) > MOST_CATEGORIES:
        raise ValueError(f"{len(categories)} categories; {MOST_CATEGORIES} can have a key of their own")
    return dict(zip(_CATEGORY_KEYS, categories, strict=False))


def unlabeled_first(examples: Sequence[Example]) -> list[Example]:
    """Put what has no label before what has one; the order is kept otherwise."""
    return sorted(examples, key=lambda example: bool(example.labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """What two models, or one model by two orders of the categories, say of a mail."""

    first: tuple[CategoryId, ...]
    second: tuple[CategoryId, ...]

    @property
    def agreed(self) -> tuple[CategoryId, ...]:
        """The labels that both name; empty where they do not name the same, or one of them names none."""
        return self.first if set(self.first) == set(self.second) else ()

    @property
    def guesses(self) -> tuple[CategoryId, ...]:
        """Everything that one of them names, the first's first."""
        return tuple(dict.fromkeys([*self.first, *self.second]))


def guesses_file(out: Path) -> Path:
    """Name the file of guesses beside a file of labels."""
    return out.with_name(f"{out.name}.guesses")


def spell_guess(example: Example, opinions: Opinions) -> str:
    """Spell a line of the file of guesses: the digest of the text, and what was said of it. No words of the mail."""
    return json.dumps({"text": text_key(example), "guesses": opinions.guesses}) + "\n"


def read_guesses(file: Path) -> Mapping[str, tuple[CategoryId, ...]]:
    """Read a file of guesses, by the digest of the text; a last line that was cut off is passed over.

    Raises InputFileError for anything else.
    """
    found: dict[str, tuple[CategoryId, ...]] = {}
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(file, "cannot be read; move it away to go on without guesses") from error
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record = json.loads(line)
            found[record["text"]] = tuple(CategoryId(str(guess)) for guess in record["guesses"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputFileError(file, "is no line of guesses; move the file away", line=number) from error
    return found
