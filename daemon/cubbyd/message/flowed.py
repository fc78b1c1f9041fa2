"""Text in the format "flowed" (RFC 3676): lines that a mail program broke softly are joined again.

A soft line ends with a space. What is quoted has its depth before it, and lines of another depth are never joined. The line
"-- " ends in a space too and is no soft line: it opens the signature.
"""

from __future__ import annotations

_SIGNATURE_MARK = "-- "


def unflow(text: str, *, delete_space: bool = False) -> str:
    """Join the soft lines of a flowed text; delete_space is its DelSp parameter (RFC 3676, section 4.2)."""
    if " \n" not in text and " \r\n" not in text:
        return "\n".join(_unstuffed(line) for line in text.splitlines())
    lines: list[str] = []
    pending: list[str] = []  # the soft lines of the paragraph that grows
    depth = 0
    for raw in text.split("\n"):
        line = raw.removesuffix("\r")
        content = line.lstrip(">")
        marks = len(line) - len(content)
        content = content.removeprefix(" ")  # undo space-stuffing (section 4.4)
        if pending and (marks != depth or content == _SIGNATURE_MARK):
            lines.append(_quote("".join(pending), depth))
            pending.clear()
        depth = marks
        if content.endswith(" ") and content != _SIGNATURE_MARK:
            pending.append(content[:-1] if delete_space else content)
            continue
        pending.append(content)
        lines.append(_quote("".join(pending), depth))
        pending.clear()
    if pending:
        lines.append(_quote("".join(pending), depth))
    return "\n".join(lines)


def _unstuffed(line: str) -> str:
    return line.removeprefix(" ")


def _quote(line: str, depth: int) -> str:
    return f"{'>' * depth} {line}" if depth else line
