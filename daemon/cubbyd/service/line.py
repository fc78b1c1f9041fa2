"""One line of the log: short enough for the journal, free of secrets, and with its priority where systemd reads it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final, TextIO

from cubbyd.config.learned import HIDDEN

LONGEST_LINE: Final = 4096
"""Bytes; `journalctl --output=json` gives null for a longer message, and the journal splits lines over 48 KiB."""

PRIORITIES: Final[Mapping[str, int]] = MappingProxyType({"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2})
"""The numbers of syslog (RFC 5424, 6.2.1) by level."""

_CUT: Final = " …"
_SHORT: Final = 16
"""What has no more characters is not shortened."""

_SECRET_KEY: Final = re.compile(r"passw|secret|token|api_?key|credential|authorization|cookie", re.IGNORECASE)
_SECRET_SHAPES: Final = re.compile(
    r"\beyJ[\w-]{5,}(?:\.[\w-]*){0,4}"  # a JSON Web Token (RFC 7519, 3.), also a short one
    r"|\bsk-[\w-]{8,}"  # a key of a hosted model
    r"|(?<=://)[^\s/@]+:[^\s/@]+(?=@)"  # user and password in an address (RFC 3986, 3.2.1)
    r"|(?i:(?<=bearer )\S+)"
    r"|(?i:(?<=authenticate plain )\S+|(?<=authenticate xoauth2 )\S+|(?<=authenticate oauthbearer )\S+)"
    r"|(?i:(?:passw(?:or)?d|secret|token|api_?key)(?:\s?=\s?|[\"']\s*[=:]\s*)[\"']?)(?P<value>[^\s\"'&,;]+)"
)


def hide_shapes(text: str) -> str:
    """Hide what looks like a secret, known or not."""

    def hide(found: re.Match[str]) -> str:
        value = found["value"]
        return HIDDEN if value is None else found[0].removesuffix(value) + HIDDEN

    return _SECRET_SHAPES.sub(hide, text)


def hide_secrets(value: Any, hide: Callable[[str], str], key: str = "") -> Any:
    """Give a field's value without secrets: by the field's name, and by `hide` in every text within."""
    if _SECRET_KEY.search(key) and value is not None:
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(name): hide_secrets(inner, hide, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [hide_secrets(inner, hide) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return hide(str(value))


def as_json(fields: Mapping[str, Any], longest: int = LONGEST_LINE) -> str:
    """Write the fields as one object on one line of at most so many bytes; what is longest is cut first."""
    cut = dict(fields)
    while len(line := _as_bytes(cut)) > longest:
        shorter = _shorten(cut)
        if shorter == cut:
            cut.popitem()
        else:
            cut = shorter
    return line.decode()


def _as_bytes(value: object) -> bytes:
    """Write JSON; what UTF-8 has no bytes for stays escaped."""
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")


def _shorten(value: Any) -> Any:
    """Halve what takes most room within: of a list, the beginning goes, as the end of a traceback says most."""
    if isinstance(value, str) and len(value) > _SHORT:
        return value.removesuffix(_CUT)[: len(value) // 2] + _CUT
    if isinstance(value, list) and len(value) > 1:
        return value[(len(value) + 1) // 2 :]
    if isinstance(value, list) and value:
        return [_shorten(value[0])]
    if isinstance(value, dict) and value:
        longest = max(value, key=lambda name: len(_as_bytes(value[name])))
        return value | {longest: _shorten(value[longest])}
    return value


def with_priority(text: str, level: str) -> str:
    """Put the priority before each line, as systemd reads it (sd-daemon(3))."""
    mark = f"<{PRIORITIES.get(level, PRIORITIES['info'])}>"
    return "\n".join(mark + line for line in text.split("\n"))


def goes_to_journal(stream: TextIO) -> bool:
    """Tell whether systemd's journal reads this stream: the one that $JOURNAL_STREAM names (systemd.exec(5))."""
    with suppress(OSError, ValueError):  # no file, as in tests; or closed
        status = os.fstat(stream.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False
