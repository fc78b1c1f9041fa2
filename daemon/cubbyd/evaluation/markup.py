"""HTML and SVG as values: whatever is no Markup is text and is escaped, so that no mail can put a tag on a page. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final

_INVISIBLE: Final = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")
"""What no document may hold, lone surrogates among them, and marks that turn the direction of all that follows."""

_EMPTY: Final = frozenset({"meta", "br", "rect", "path", "circle", "line"})

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The page loads nothing and runs nothing, even if markup slipped through (Content Security Policy Level 3)."""


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Make markup of a value: escaped, unless it is markup already."""
    return value if isinstance(value, Markup) else Markup(escape(_INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", str(value))))


def join(parts: Iterable[object]) -> Markup:
    """Put parts behind one another."""
    return Markup("".join(text(part) for part in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Make an element. `_` in an attribute's name stands for `-`, one at its end is dropped (class_); None leaves it out.

    Numbers are written with two decimals at most.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(_spell(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY and not children:
        return Markup(f"<{name}{written}/>" if name not in {"meta", "br"} else f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def table(columns: Iterable[object], rows: Iterable[Iterable[object]], *, words: int = 1) -> Markup:
    """Make a table; the first `words` columns are words, the others numbers, set to the right."""

    def row(cell: str, cells: Iterable[object]) -> Markup:
        return tag("tr", *(tag(cell, one, class_=None if place < words else "number") for place, one in enumerate(cells)))

    body = [row("td", cells) for cells in rows]
    return tag("div", tag("table", tag("thead", row("th", columns)), tag("tbody", *body)), class_="wide")


def page(title: str, *parts: object) -> str:
    """Make a whole document that needs nothing from elsewhere."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", tag("main", *parts)), lang="en") + "\n"


def _spell(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


STYLE: Final = """
:root { --ink: #1d2733; --faint: #5c6876; --line: #dde3ea; --mark: #2767a8; --bad: #b4501e; --paper: #fff; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; } h2 { font-size: 19px; margin: 44px 0 6px; line-height: 1.3; }
h3 { font-size: 15px; margin: 22px 0 4px; }
p { margin: 6px 0 10px; max-width: 78ch; overflow-wrap: anywhere; } .faint, small { color: var(--faint); font-size: 13px; }
.warning { border-left: 4px solid var(--bad); background: #fdf3ec; padding: 8px 14px; max-width: none; }
.answer { border-left: 4px solid var(--mark); background: #eef4fb; padding: 8px 14px; font-size: 16px; max-width: none; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; margin: 16px 0; }
.tile { border: 1px solid var(--line); border-radius: 6px; padding: 10px 14px; }
.tile b { display: block; font-size: 25px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile small { display: block; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 8px 0; font-size: 14px; }
th, td { padding: 4px 14px 4px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; vertical-align: bottom; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td small { display: block; white-space: nowrap; font-size: 12px; line-height: 1.2; }
td svg { margin: 0; min-width: 100px; } code { font-size: 13px; }
svg { display: block; max-width: 100%; height: auto; margin: 8px 0; font: 12px system-ui, "Segoe UI", sans-serif; }
.mail { border: 1px solid var(--line); border-radius: 6px; padding: 6px 12px; margin: 6px 0; }
.mail p { white-space: pre-wrap; margin: 2px 0; font-size: 13px; max-width: none; }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); gap: 8px 20px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; max-width: none; font-size: 13px; }
.legend span { display: inline-flex; align-items: center; gap: 5px; } .legend svg { margin: 0; flex: none; }
.pair { break-inside: avoid; }
th.number { white-space: normal; }
@media print, (max-width: 760px) {
  td svg { min-width: 40px; width: 40px; } th, td { padding-right: 7px; font-size: 12px; } td small { font-size: 10px; }
}
@media print {
  @page { margin: 14mm; } body { font-size: 11pt; } main { padding: 0; max-width: none; }
  .maps { grid-template-columns: 1fr 1fr; }
  h2, h3 { break-after: avoid; } svg, tr, .mail, .tile { break-inside: avoid; } .wide { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
