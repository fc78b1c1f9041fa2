"""CSV: any delimiter and any names of columns; one label in a column, or a column of 0 and 1 for each label."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final, TextIO

from cubbyd.dataset.column import USUAL, Roles, find_roles, make_example
from cubbyd.dataset.example import Example
from cubbyd.dataset.reading import Reading
from cubbyd.errors import InputFileError
from cubbyd.taxonomy import CategoryId

LONGEST_FIELD: Final = 25 * 1024 * 1024
DELIMITERS: Final = ",;\t|"
MARKS: Final = frozenset(("0", "1"))
FEWEST_MARKS: Final = 2
"""Columns of 0 and 1 from which they are taken for one label each."""


def read_table(file: Path, reading: Reading) -> Iterator[Example]:
    """Read a CSV file, lazily. Rows that cannot be used are skipped; raises InputFileError for the whole file."""
    csv.field_size_limit(LONGEST_FIELD)
    try:
        with file.open(encoding=reading.columns.encoding, newline="") as stream:
            yield from _read(file, stream, reading)
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputFileError(file, f"is not {error.encoding}; give another with --encoding, such as cp1252") from error
    except csv.Error as error:
        raise InputFileError(file, f"is no CSV: {error}") from error


def _read(file: Path, stream: TextIO, reading: Reading) -> Iterator[Example]:
    first = stream.readline()
    rows = csv.reader(chain([first], stream), delimiter=_find_delimiter(first))
    heading = next(rows, None)
    if not heading or not any(cell.strip() for cell in heading):
        raise InputFileError(file, "is empty, or begins with an empty line; the first line names the columns")
    if len(heading) > FEWEST_MARKS and _are_marks(heading[1:]):
        names = ["text", *_labels_without_heading(file, len(heading) - 1, reading)]
        yield from _read_marks(file, chain([heading], rows), names, rows, reading, names[:1])
        return
    second = next(rows, None)
    body = rows if second is None else chain([second], rows)
    if second is not None and _is_one_hot(file, heading, second, reading):
        words = _columns_of_words(heading, second)
        yield from _read_marks(file, body, heading, rows, reading, words)
        return
    roles = find_roles(file, heading, reading.columns, line=1)
    for row in body:
        example = _make(row, heading, roles, reading, rows.line_num)
        if example is not None:
            yield example


def _find_delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)


def _are_marks(cells: Sequence[str]) -> bool:
    return all(cell.strip() in MARKS for cell in cells)


def _make(row: Sequence[str], names: Sequence[str], roles: Roles, reading: Reading, line: int) -> Example | None:
    if not any(cell.strip() for cell in row):
        return None
    if len(row) != len(names):
        reading.skips.skip("another number of cells than the first line has", line)
        return None
    return make_example(dict(zip(names, row, strict=True)), roles, reading, line)


# --- one column for each label -----------------------------------------------------------------------------------------


def _is_one_hot(file: Path, heading: Sequence[str], row: Sequence[str], reading: Reading) -> bool:
    """Tell a table with a column for each label: no column is the label, and those that play no part hold 0 and 1."""
    if len(row) != len(heading):
        return False
    words = _columns_of_words(heading, row)
    if not words or find_roles(file, heading, reading.columns, line=1).label in words:
        return False
    return len(heading) - len(words) >= FEWEST_MARKS


def _columns_of_words(heading: Sequence[str], row: Sequence[str]) -> list[str]:
    """Name the columns that are no label's: those that hold more than 0 or 1, and a number of the row."""
    pairs = zip(heading, row, strict=True)
    return [name for name, cell in pairs if cell.strip() not in MARKS or name.strip().casefold() in USUAL["id"]]


def _labels_without_heading(file: Path, count: int, reading: Reading) -> Sequence[str]:
    """Name the columns of a file that does not: as the user says, or in the configuration's order."""
    given = reading.columns.one_hot or (reading.meanings.taxonomy.ids if reading.meanings.taxonomy else ())
    if len(given) != count:
        reason = f"has {count} columns of 0 and 1 without names; give --one-hot with {count} labels, in order"
        raise InputFileError(file, reason, line=1)
    return given


def _read_marks(
    file: Path, body: Iterator[list[str]], names: Sequence[str], rows: object, reading: Reading, words: Sequence[str]
) -> Iterator[Example]:
    roles = find_roles(file, words, replace(reading.columns, label=""), line=1)
    marked = [place for place, name in enumerate(names) if name not in words]
    for row in body:
        line: int = getattr(rows, "line_num", 0)
        if len(row) == len(names) and not _are_marks([row[place] for place in marked]):
            reading.skips.skip("a column of a label holds neither 0 nor 1", line)
            continue
        example = _make(row, names, roles, reading, line)
        if example is not None:
            labels = reading.labels([names[place] for place in marked if row[place].strip() == "1"], line)
            yield replace(example, labels=tuple(map(CategoryId, labels)))
