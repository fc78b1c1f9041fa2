"""Marks of quoted lines other than ">": "| ", "=> ", "# ", and a name or initials, "Greg> ".

People use the same signs for lists and tables. So a single line never counts, nor a table, and the signs that lists use count
only below a line that says who wrote what follows.
"""

from __future__ import annotations

import itertools
import re

from cubbyd.message.opening import is_attribution

_NAME_MARK = re.compile(r"[A-Z][A-Za-z-]{0,15}>+(?= |$)|[A-Z]{1,3}>+")
_SIGN_MARK = re.compile(r"(?:\|(?: ?\|)*|=>|#|:|--\])(?= |$)|\|(?=[^\W\d_])")
_BOX = re.compile(r"[+|=-][-+=|: ]{2,}")
_FIRST_LETTERS = frozenset("|=#:-")
_LONGEST_NAME = 18
_FEWEST_LINES = 2
_LONG_LINE = 50


def mark_quoted(lines: list[str]) -> list[str]:
    """Give every run of lines that bear one odd mark the mark ">" instead."""
    marks = {
        position: mark
        for position, line in enumerate(lines)
        if (line[:1] in _FIRST_LETTERS or ">" in line[1:_LONGEST_NAME]) and (mark := _mark_of(line))
    }
    if len(marks) < _FEWEST_LINES:
        return lines
    changed = list(lines)
    position = 0
    while position < len(lines):
        end = _end_of_run(lines, marks, position)
        if end > position and _is_quoted(lines, marks[position], position, end):
            for number in range(position, end):
                changed[number] = f"> {lines[number][len(marks[position]) :].lstrip()}" if number in marks else ">"
        position = max(end, position + 1)
    return changed


def _mark_of(line: str) -> str:
    match = (_SIGN_MARK if line[0] in _FIRST_LETTERS else _NAME_MARK).match(line)
    return match[0] if match else ""


def _end_of_run(lines: list[str], marks: dict[int, str], position: int) -> int:
    """Give the line after the run of one mark that begins here, empty lines in it included; the line itself where none does."""
    mark = marks.get(position)
    end = position
    while mark and (marks.get(end) == mark or (end < len(lines) and not lines[end] and marks.get(end + 1) == mark)):
        end += 1
    return end


def _is_quoted(lines: list[str], mark: str, start: int, end: int) -> bool:
    run = [line[len(mark) :].strip() for line in lines[start:end] if line]
    if len(run) < _FEWEST_LINES or _is_table(lines, mark, run, start, end):
        return False
    above = next((lines[position] for position in range(start - 1, max(-1, start - 3), -1) if lines[position]), "")
    if is_attribution(above) or mark[0].isalpha() or mark[0] == "|":
        return True
    # A sentence that was broken inside the marks: a list has no such line.
    pairs = itertools.pairwise(run)
    return mark == "=>" and any(len(line) >= _LONG_LINE and line[-1].isalnum() and below[:1].islower() for line, below in pairs)


def _is_table(lines: list[str], mark: str, run: list[str], start: int, end: int) -> bool:
    if mark[0] != "|":
        return False
    around = (lines[start - 1] if start else "", lines[end] if end < len(lines) else "")
    return any("|" in line for line in run) or any(_BOX.fullmatch(line) for line in around)
