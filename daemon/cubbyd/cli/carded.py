"""A model's card as a person reads it: Markdown that is as plain on a terminal as in a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import JsonValue

from cubbyd.classify.card import About, Card, CategoryCard, Measured, card_bytes
from cubbyd.cli.output import local_time, printable

_NAMES: Final = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "micro_f1": "micro F1",
    "jaccard": "Jaccard",
    "exact_match": "exactly the right labels",
    "log_loss": "log loss (nats)",
    "calibration_error": "expected calibration error",
    "group_accuracy": "accuracy of the group",
    "accuracy_within_group": "accuracy within the right group",
}
_ORIGINLESS: Final = "not said"


def describe(about: About) -> dict[str, Any]:
    """Give what a model file tells of itself as plain values, for JSON."""
    return {
        "kind": about.kind,
        "format": about.version,
        "created": about.created,
        "categories": list(about.categories),
        "accuracy": about.accuracy,
        "card": card_bytes(about.card) if about.card else None,
    }


def to_markdown(file: Path, about: About) -> str:
    """Give a model's card as Markdown; of a model without one, what its file says all the same."""
    lines = [f"# {file.name}", ""]
    lines += _table(("", ""), _facts(about))
    card = about.card
    if card is None:
        lines += ["", "The program that wrote this file made no card; train it again for one.", "", "## Categories", ""]
        lines += [f"- {category}" for category in about.categories]
        return printable("\n".join(lines), lines=True)
    numbers = card.held_out.numbers
    lines += ["", "## Data", "", *_table(("", ""), _data(card))]
    lines += ["", "## Held-out quality", "", f"{card.held_out.method}; 95 % intervals in brackets.", ""]
    lines += _table(("number", "value"), [(said, _measured(numbers[name])) for name, said in _NAMES.items() if name in numbers])
    lines += ["", "## Categories", ""]
    lines += _table(("category", "examples", "asked", "precision", "recall", "F1"), map(_category, card.categories))
    lines += ["", "## Versions", "", *_table(("program", "version"), list(card.versions.items()))]
    return printable("\n".join(lines), lines=True)


def _facts(about: About) -> Iterator[Sequence[str]]:
    yield "kind", f"{about.kind} (format {about.version})"
    yield "trained", local_time(about.created)
    card = about.card
    if card is None:
        if about.accuracy is not None:
            yield "held-out accuracy", f"{about.accuracy:.3f}"
        return
    yield "training took", f"{card.seconds:.1f} s"
    yield "seed", str(card.seed)
    yield "renderer of the texts", card.renderer
    for name, value in card.settings.items():
        yield name.replace("_", " "), _setting(value)


def _setting(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _data(card: Card) -> Iterator[Sequence[str]]:
    data = card.data
    yield "file", data.file
    yield "fingerprint (SHA-256)", data.sha256
    yield "examples", f"{data.examples}, {data.different} of them labeled and different"
    origins = (f"{origin or _ORIGINLESS} {count}" for origin, count in data.origins.items())
    yield "origins", ", ".join(origins)


def _category(category: CategoryCard) -> Sequence[str]:
    numbers = (_measured(one) for one in (category.precision, category.recall, category.f1))
    return (category.id, str(category.examples), str(category.asked), *numbers)


def _measured(one: Measured | None) -> str:
    return "-" if one is None else f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


def _table(heads: Sequence[str], rows: Any) -> list[str]:
    """Give a table of Markdown, its columns aligned; a bar in a cell is spelled so that it ends none."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(3, *(len(row[place]) for row in [heads, *cells])) for place in range(len(heads))]
    ruled = ["-" * width for width in widths]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [heads, ruled, *cells]
    ]
