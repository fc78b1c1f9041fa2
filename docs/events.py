"""Put the table of events from the code into docs/operations.md: .venv/bin/python -m docs.events"""

from __future__ import annotations

import re
from pathlib import Path

from cubbyd.service.event import as_table

PAGE = Path(__file__).parent / "operations.md"
TABLE = re.compile(r"^\| event \| level \|.*\n(?:\|.*\n)+", re.MULTILINE)


def main() -> None:
    """Replace the table that is there."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda _: as_table() + "\n", text, count=1), encoding="utf-8")


if __name__ == "__main__":
    main()
