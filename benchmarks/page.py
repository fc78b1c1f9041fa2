"""Pages with measured numbers: tables between marks, written by the benchmarks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
PAGE: Final = DOCS / "classifiers" / "measured.md"


def write_part(name: str, tables: str, page: Path = PAGE) -> None:
    """Put tables between the marks of a name, with the day."""
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    page.write_text(f"{before}\nMeasured on {datetime.now(UTC):%d %B %Y}.\n\n{tables.strip()}\n\n{after}", encoding="utf-8")
