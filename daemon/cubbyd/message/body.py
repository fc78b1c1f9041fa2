"""Which text of a mail a reader sees: one of each choice between plain text and HTML, one below the other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from cubbyd.message.html import Allowance, read_html
from cubbyd.message.part import Part

MAX_TEXT_CHARS = 400_000
"""Of all text parts together; what splits them looks at 200,000."""

_FEW_WORDS = 12
_MANY_MORE = 1.2
_MANY_WORDS = 60
_TWIN_CHARS = 200
# Samsung's plain half: the divider and all below it on one line.
_GLUED_DIVIDER = re.compile(r"-{4,40} ?[^-\n]{3,60}+-{4,40}[^\s-]")

_HTML_SOURCE = re.compile(r"\s*<(?:!doctype html|html|head|body|div|table|p|style|meta|span|font)\b", re.IGNORECASE)
_STUB = re.compile(
    r"im browser (?:an|öffnen)|keine? html|html[ -]?(?:fähig|format|capable|compatible|support|version|e?-?mail|message|view)"
    r"|(?:support|display|show|read|zeig|anzeigen|admite|soporta|affiche|supporte).{0,40}\bhtml"
    r"|view (?:this|it|the).{0,40}browser"
    r"|(?:en el|dans (?:le|votre)) navega?(?:dor|teur)",
    re.IGNORECASE,
)
_ENRICHED_TAG = re.compile(r"<(?:param>[^<]{0,200}</param>|/?[a-z-]{1,60}>)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The text of a mail, not yet normalized, and what was wrong with it."""

    text: str = ""
    defects: tuple[str, ...] = ()
    is_cut: bool = False


@dataclass(slots=True)
class _Choice:
    """The texts of one multipart/alternative, or of a part that stands alone: kind, then branch, to the parts."""

    plain: dict[int, list[Part]] = field(default_factory=dict)
    html: dict[int, list[Part]] = field(default_factory=dict)


def choose_body(parts: Iterable[Part], allowance: Allowance) -> Body:
    """Put together what a reader sees of the text parts of one mail, in their order.

    Of the parts of one multipart/alternative only one is seen (RFC 2046, 5.1.4); what stands outside of it, as a footer that
    a list has added, is seen too.
    """
    parts = list(parts)
    if len(parts) == 1:
        return _read(parts[0], allowance)
    choices: dict[int, _Choice] = {}
    for number, part in enumerate(parts, start=1):
        choice = choices.setdefault(part.choice or -number, _Choice())
        kind = choice.html if part.content_type == "text/html" else choice.plain
        kind.setdefault(part.branch, []).append(part)
    if len(choices) == 1:
        (choice,) = choices.values()
        return _choose(choice, allowance)
    bodies: list[Body] = []
    size = 0
    for choice in choices.values():
        if size >= MAX_TEXT_CHARS:
            bodies.append(Body(defects=("text too long",), is_cut=True))
            break
        bodies.append(_choose(choice, allowance))
        size += len(bodies[-1].text)
    return _join(_without_twins(bodies))


def _join(bodies: list[Body]) -> Body:
    if len(bodies) == 1:
        return bodies[0]
    return Body(
        text="\n\n".join(body.text for body in bodies if body.text),
        defects=tuple(defect for body in bodies for defect in body.defects),
        is_cut=any(body.is_cut for body in bodies),
    )


def _without_twins(bodies: list[Body]) -> list[Body]:
    """Leave out a text that begins like another: programs exist that send plain text and HTML as if both were to be read."""
    seen: list[str] = []
    kept: list[Body] = []
    for body in bodies:
        start = "".join(body.text.split())[:_TWIN_CHARS]
        if len(start) == _TWIN_CHARS and start in seen:
            continue
        seen.append(start)
        kept.append(body)
    return kept


def _choose(choice: _Choice, allowance: Allowance) -> Body:
    """Choose between plain text and HTML.

    Plain text wins unless it has few words, only says that there is HTML, or is HTML itself; then HTML wins if it has more.
    """
    written = _first(choice.plain, allowance)
    words = len(written.text.split(None, _MANY_WORDS))
    is_stub = (words < _MANY_WORDS and bool(_STUB.search(written.text))) or bool(_GLUED_DIVIDER.search(written.text))
    if not choice.html or (words >= _FEW_WORDS and not is_stub):
        return written
    shown = _first(choice.html, allowance)
    if shown.text and (is_stub or len(shown.text.split()) > _MANY_MORE * words):
        return shown
    return written if written.text else shown  # which may have been cut before its first word


def _first(branches: dict[int, list[Part]], allowance: Allowance) -> Body:
    """Read the first branch that has text."""
    body = Body()
    for parts in branches.values():
        body = _join([_read(part, allowance) for part in parts])
        if body.text:
            break
    return body


def _read(part: Part, allowance: Allowance) -> Body:
    reading = part.reading
    text, is_cut = reading.text, False
    if part.content_type == "text/html" or _HTML_SOURCE.match(text):
        text, is_cut = read_html(text, allowance)
    elif part.content_type in ("text/enriched", "text/richtext"):
        text = _ENRICHED_TAG.sub("", text).replace("<<", "<")
    is_cut = is_cut or reading.is_cut or len(text) > MAX_TEXT_CHARS
    defects = [] if reading.label_was_true else ["charset label unknown or wrong"]
    if is_cut:
        defects.append("text too long")
    return Body(text=text[:MAX_TEXT_CHARS].strip(), defects=tuple(defects), is_cut=is_cut)
