"""What the sender wrote now, what is quoted from earlier mail, and the signature: split line by line, never deleted.

After a divider or a block of header lines the rest is earlier mail. After an attribution only lines marked with ">" are, so
that answers between them count as new; where none is marked, the rest is. What is forwarded is what the sender wants to be
read, and counts as new.

The time is linear: a pattern sees one line, or three joined, of a bounded length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cubbyd.message.mark import mark_quoted
from cubbyd.message.opening import Opening, is_marked, opening_at, strip_block
from cubbyd.message.signature import split_signature

MAX_CHARS = 200_000
"""Of a text; a classifier is given some thousands."""
MAX_LINES = 4_000
"""Of a text; what is below is history of history."""
MAX_FORWARDS = 3
"""Forwards inside of forwards that are opened; what is deeper stays quoted."""
MAX_GREETING_LINES = 5
"""That an answer may begin with between an attribution and the first marked line; more is earlier mail without marks."""

_FEWEST_MARKED = 3
_ORPHAN_WORDS = 3
_ORPHAN_CHARS = 25
_LONG_LINE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The parts of a text."""

    new: str = ""
    quoted: str = ""
    signature: str = ""
    forwarded: bool = False
    """A forwarded mail is in `new`: it is what the sender wants to be read."""
    is_cut: bool = False
    """The text was too long, and its end is in none of the parts."""


@dataclass(slots=True)
class _Lines:
    """The lines of a text up to what opens the rest."""

    new: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    """Without their marks."""
    rest: list[str] = field(default_factory=list)
    opening: Opening | None = None
    is_attributed: bool = False


def split_text(
    text: str, *, forward: bool = False, reply: bool = False, bounce: bool = False, is_dashed: bool = False
) -> Split:
    """Split normalized text (unicode.clean_text). Never raises.

    forward and reply are what the subject says; bounce that the text is a delivery report, which a block of header lines
    belongs to; is_dashed that the text has a line of exactly "-- ", which opens a signature.
    """
    lines = text[:MAX_CHARS].split("\n")
    is_cut = len(text) > MAX_CHARS or len(lines) > MAX_LINES
    lines = mark_quoted(lines[:MAX_LINES])
    new: list[str] = []
    quoted: list[str] = []
    signature: list[str] = []
    forwarded = False
    for _ in range(MAX_FORWARDS):
        found = _open_marked(_split_lines(lines, is_reply=reply, is_report=bounce))
        fresh, signed = split_signature(found.new, is_dashed=is_dashed)
        new += fresh
        quoted += _without_header(found.marked)
        signature += signed
        opening = found.opening
        kept, below = strip_block(_unmark(found.rest), is_divided=opening in (Opening.DIVIDER, Opening.FORWARD))
        is_first = not _has_words(new)
        if opening in (Opening.BLOCK, Opening.DIVIDER) and reply and not forward and is_first and _is_partly_marked(found.rest):
            _, lines = strip_block(found.rest, is_divided=True)  # the answer stands below the mail that it answers
            quoted += kept
            continue
        if not (
            opening is Opening.FORWARD
            or (opening in (Opening.BLOCK, Opening.DIVIDER) and (forward or (is_first and not reply)))
        ):
            quoted += [*kept, *below]
            lines = []
            break
        forwarded = True
        lines = [*kept, *below] if is_first else ["", *kept, *below]
    return Split(
        new=_join(new),
        quoted=_join(quoted + lines),
        signature=_join(signature),
        forwarded=forwarded,
        is_cut=is_cut,
    )


def _join(lines: list[str]) -> str:
    text = "\n".join(lines).strip()
    return re.sub(r"\n{3,}", "\n\n", text) if "\n\n\n" in text else text


def _has_words(lines: list[str]) -> bool:
    return any(letter.isalnum() for line in lines for letter in line)


def _split_lines(lines: list[str], *, is_reply: bool, is_report: bool) -> _Lines:
    """Go through the lines until something opens a rest that is all earlier mail."""
    found = _Lines()
    position = 0
    while position < len(lines):
        line = lines[position]
        if line.startswith(">"):
            if line.startswith(">From ") and not _has_marked_neighbor(lines, position):
                found.new.append(line[1:])
            else:
                found.marked.append(line.lstrip("> "))
        elif (opened := opening_at(lines, position)) and not (is_report and opened[0] is Opening.BLOCK):
            opening, after = opened
            if opening is not Opening.ATTRIBUTION or not _is_answered_between(lines, after):
                found.rest, found.opening = lines[after:], opening
                return found
            found.is_attributed = True
            position = after
            continue
        elif found.marked and _is_orphan(lines, position):
            found.marked.append(line)
        else:
            found.new.append(line)
        position += 1
    if found.marked and not found.is_attributed and not is_reply and sum(map(bool, found.marked)) < _FEWEST_MARKED:
        return _Lines(new=lines)  # a list, or a sign of somebody's own
    return found


def _is_answered_between(lines: list[str], position: int) -> bool:
    """Tell whether below an attribution only marked lines are earlier mail.

    So it is where the first line is marked. Where it is not, an answer may begin with a greeting; but marks below an
    attribution of their own belong to still earlier mail, and what is above them is earlier mail without marks.
    """
    if is_marked(lines, position):
        return True
    filled = 0
    for number in range(position, len(lines)):
        line = lines[number]
        if line.startswith(">"):
            return sum(below.startswith(">") for below in lines[number:]) >= 2  # noqa: PLR2004 - one may be a sign
        if line:
            filled += 1
            if filled > MAX_GREETING_LINES or opening_at(lines, number):
                return False
    return False


def _has_marked_neighbor(lines: list[str], position: int) -> bool:
    """Tell whether a line ">From Monday on ..." is quoted; alone it is a mailbox file's way to write "From" (RFC 4155)."""
    return any(line.startswith(">") for line in (*lines[position - 1 : position], *lines[position + 1 : position + 2]))


def _is_orphan(lines: list[str], position: int) -> bool:
    """Tell whether a line is the end of the marked line above it, which some program broke a second time."""
    line = lines[position]
    if not 0 < position < len(lines) - 1 or not line or len(line) > _ORPHAN_CHARS or line[-1] in ".!?:":
        return False
    above, below = lines[position - 1], lines[position + 1]
    return above.startswith(">") and below.startswith(">") and len(above) >= _LONG_LINE and len(line.split()) <= _ORPHAN_WORDS


def _is_partly_marked(lines: list[str]) -> bool:
    """Tell whether some lines are marked and others, below them, are not."""
    marks = [line.startswith(">") for line in lines if line]
    return any(marks) and not marks[-1]


def _open_marked(found: _Lines) -> _Lines:
    """See through marks around a whole forward, divider and all, as a block quote puts them."""
    if (
        found.opening is None
        and (first := next((number for number, line in enumerate(found.marked) if line), None)) is not None
    ):
        opened = opening_at(found.marked, first)
        if opened and opened[0] is Opening.FORWARD:
            return _Lines(new=found.new, rest=found.marked[opened[1] :], opening=Opening.FORWARD)
    return found


def _without_header(marked: list[str]) -> list[str]:
    """Take divider and header lines off the top of marked lines, as programs mark them that put "> " before all of it."""
    first = next((number for number, line in enumerate(marked) if line), None)
    opened = opening_at(marked, first) if first is not None else None
    if not opened or opened[0] is Opening.ATTRIBUTION:
        return marked
    kept, below = strip_block(marked[opened[1] :], is_divided=opened[0] is not Opening.BLOCK)
    return [*kept, *below]


def _unmark(lines: list[str]) -> list[str]:
    """Take one level of marks off where most lines bear one, as in a mail that Apple Mail forwards."""
    filled = [line for line in lines if line]
    if 2 * sum(line.startswith(">") for line in filled) <= len(filled):
        return lines
    return [line[1:].lstrip() if line.startswith(">") else line for line in lines]
