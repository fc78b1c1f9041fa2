"""A picture of the balance: one bar a category, an SVG file without script, font or link."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from cubbyd.taxonomy import CategoryId

WIDTH: Final = 760
ROW: Final = 26
TOP: Final = 64
LABEL_WIDTH: Final = 220
NUMBER_WIDTH: Final = 90
LABEL_CHARS: Final = 30

REAL_COLOR: Final = "#3b6ea5"
SYNTHETIC_COLOR: Final = "#d8a657"
MAX_ROWS: Final = 400
"""More bars are no picture; the smaller categories are left out, and the title says so."""


def draw_balance(real: Mapping[CategoryId, int], synthetic: Mapping[CategoryId, int]) -> str:
    """Draw the examples of each category, largest first: real ones and, behind them, those that a machine wrote."""
    totals = {label: real.get(label, 0) + synthetic.get(label, 0) for label in {**real, **synthetic}}
    ordered = sorted(totals, key=lambda label: (-totals[label], label))
    shown = ordered[:MAX_ROWS]
    longest = max(totals.values(), default=1) or 1
    height = TOP + ROW * len(shown) + 16
    rows = (_row(place, label, real.get(label, 0), synthetic.get(label, 0), longest) for place, label in enumerate(shown))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"',
            'font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="Examples of each category">',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *_head(sum(totals.values()), len(ordered), len(shown), sum(synthetic.values())),
            *rows,
            "</svg>",
            "",
        ]
    )


def _head(examples: int, categories: int, shown: int, synthetic: int) -> list[str]:
    left_out = f", the {shown} largest shown" if shown < categories else ""
    title = f"{examples:,} labels in {categories:,} categories{left_out}"
    lines = [f'<text x="16" y="26" font-size="16" font-weight="600" fill="#1c1c1c">{escape(title)}</text>']
    if synthetic:
        lines += [
            f'<rect x="16" y="40" width="12" height="12" fill="{REAL_COLOR}"/>',
            '<text x="34" y="51" fill="#444">written by people</text>',
            f'<rect x="170" y="40" width="12" height="12" fill="{SYNTHETIC_COLOR}"/>',
            '<text x="188" y="51" fill="#444">synthetic</text>',
        ]
    return lines


def _row(place: int, label: str, real: int, synthetic: int, longest: int) -> str:
    y, room = TOP + ROW * place, WIDTH - LABEL_WIDTH - NUMBER_WIDTH
    first, second = room * real / longest, room * synthetic / longest
    name = label if len(label) <= LABEL_CHARS else label[: LABEL_CHARS - 1] + "…"
    count = f"{real + synthetic:,}" + (f" ({synthetic:,})" if synthetic else "")
    return (
        f'<text x="{LABEL_WIDTH - 10}" y="{y + 16}" text-anchor="end" fill="#1c1c1c">{escape(_printable(name))}</text>'
        f'<rect x="{LABEL_WIDTH}" y="{y + 3}" width="{first:.1f}" height="{ROW - 8}" fill="{REAL_COLOR}"/>'
        f'<rect x="{LABEL_WIDTH + first:.1f}" y="{y + 3}" width="{second:.1f}" height="{ROW - 8}" fill="{SYNTHETIC_COLOR}"/>'
        f'<text x="{LABEL_WIDTH + first + second + 6:.1f}" y="{y + 16}" fill="#444">{count}</text>'
    )


def _printable(text: str) -> str:
    """Take out what XML does not allow."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
