r"""Examples in the formats of others: chat messages, prompt and completion, CSV.

The answer is the category's id, its number in the configuration, or one letter. A number with a blank before it is two tokens
("\u00a03" in o200k and cl100k), a letter is one; the blank is left out.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cubbyd.dataset.example import Example
from cubbyd.dataset.reading import LETTERS
from cubbyd.dataset.writer import spell_json
from cubbyd.errors import CubbydError
from cubbyd.taxonomy import CategoryId, Taxonomy

SEPARATOR: Final = "\n\n###\n\n"
ENDING: Final = " END"

COLUMNS: Final = ("subject", "body", "label", "id", "origin", "group", "sender", "date")

_BRACKETED: Final = re.compile(r"\(([A-Z]{2,12}_[0-9]{1,4})\)")


class ExportFormat(StrEnum):
    """What is written."""

    CHAT = "chat"  # {"messages": [system, user, assistant]}
    COMPLETION = "completion"  # {"prompt", "completion"}
    CSV = "csv"  # one column for each thing


class Answer(StrEnum):
    """What the model is to answer."""

    JSON = "json"  # {"category": id}, as the hosted classifier asks for
    ID = "id"  # the category's id
    CODE = "code"  # its number in the configuration
    LETTER = "letter"  # A for the first category of the configuration


class CannotExport(CubbydError):
    """These examples cannot be written so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting:
    """How to write: the instructions, the text of a mail, the answers."""

    answer: Answer
    codes: Mapping[CategoryId, str]
    """The answer of each category; empty where the id itself is the answer."""
    text: Callable[[Example], str]
    system: str = ""
    separator: str = SEPARATOR
    ending: str = ENDING


@dataclass(slots=True)
class Exported:
    """What became of the examples."""

    written: int = 0
    unlabeled: int = 0
    several_labels: int = 0


def make_codes(answer: Answer, taxonomy: Taxonomy | None) -> dict[CategoryId, str]:
    """Give the answer of each category. Raises CannotExport where the configuration is needed and missing, or too large."""
    if answer in (Answer.JSON, Answer.ID):
        return {}
    if taxonomy is None:
        raise CannotExport(f"--answer {answer} needs the categories of a configuration; give --config FILE before `dataset`")
    if answer is Answer.CODE:
        return {category.id: str(category.code) for category in taxonomy}
    if len(taxonomy) > len(LETTERS):
        raise CannotExport(f"there are {len(taxonomy)} categories and {len(LETTERS)} letters; take --answer code")
    return dict(zip(taxonomy.ids, LETTERS, strict=False))


def export_lines(examples: Iterable[Example], form: ExportFormat, how: Exporting, done: Exported) -> Iterator[str]:
    """Give the lines of the file; examples without a label are counted and left out. Raises CannotExport."""
    if form is ExportFormat.CSV:
        yield _row(COLUMNS)
    for example in examples:
        if not example.labels and form is not ExportFormat.CSV:
            done.unlabeled += 1
            continue
        done.written += 1
        done.several_labels += len(example.labels) > 1
        yield _row(_cells(example, how)) if form is ExportFormat.CSV else spell_json(_object(example, form, how))


def _object(example: Example, form: ExportFormat, how: Exporting) -> dict[str, Any]:
    if form is ExportFormat.COMPLETION:
        return {"prompt": how.text(example) + how.separator, "completion": _spell_answer(example, how) + how.ending}
    system = [{"role": "system", "content": how.system}] if how.system else []
    return {
        "messages": [
            *system,
            {"role": "user", "content": how.text(example)},
            {"role": "assistant", "content": _spell_answer(example, how)},
        ]
    }


def _spell_answer(example: Example, how: Exporting) -> str:
    """Spell the labels; a single-label classifier is asked for one category, so the first alone counts in JSON."""
    if how.answer is Answer.JSON:
        return json.dumps({"category": example.labels[0]})
    return ",".join(_code(example, label, how) for label in example.labels)


def _code(example: Example, label: CategoryId, how: Exporting) -> str:
    if not how.codes:
        return label
    if label not in how.codes:
        raise CannotExport(f"line {example.line}: {label!r} has no code, unlike {', '.join(how.codes)}")
    return how.codes[label]


def _cells(example: Example, how: Exporting) -> list[str]:
    labels = ",".join(_code(example, label, how) for label in example.labels)
    date = example.date.isoformat() if example.date else ""
    return [example.subject, example.body, labels, example.id, example.origin, example.group, example.sender, date]


def _row(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def plain_text(example: Example) -> str:
    """Give subject and body as they stand."""
    return f"Subject: {example.subject}\n\n{example.body}".strip() if example.subject else example.body


def restore_placeholders(text: str) -> str:
    """Put placeholders back into square brackets, which reading took for imitations: masked text is read twice."""
    return _BRACKETED.sub(r"[\1]", text)
