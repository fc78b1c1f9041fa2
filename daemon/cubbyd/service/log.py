"""The log: readable on a terminal, JSON lines elsewhere; on standard error, so that standard output is for programs alone.

No personal data above debug level: events and their fields come from one table, tracebacks show no local variables, which
would hold mail and passwords, and no values that an exception quotes. What looks like a secret, or is one that was read, is
hidden last of all. Under systemd each line has its priority.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, TextIO

import structlog

from cubbyd.config import LogFormat, LogSection
from cubbyd.config.learned import LEARNED
from cubbyd.service.event import EVENTS, unknown_fields
from cubbyd.service.line import as_json, goes_to_journal, hide_secrets, hide_shapes, with_priority

QUIET: Final = (
    *("imapclient", "apscheduler", "alembic", "sqlalchemy", "httpx", "httpx2", "openai"),
    *("msal", "google", "google_auth_oauthlib", "requests", "requests_oauthlib", "oauthlib", "urllib3"),
)
"""Libraries that log at info level what nobody needs, or at debug level what nobody may see."""

STRICT: Final = "CUBBYD_STRICT_LOG"
"""This variable makes an unknown event or field an error, as in the tests; else the field is dropped, and said once."""

_OWN: Final = "cubbyd"
_INTERNAL: Final = frozenset({"exc_info", "stack_info", "_record", "_from_structlog"})
_LEFT_OUT: Final = "(its message is left out: it may quote what it was given)"


class UnknownField(Exception):
    """An event or a field is not in the table of cubbyd.service.event."""


def configure_logging(section: LogSection, stream: TextIO | None = None) -> None:
    """Set up structlog, and send what libraries log the same way: from info level on, the talkative ones from warning on."""
    stream = stream or sys.stderr
    is_json = section.format is LogFormat.JSON or (section.format is LogFormat.AUTO and not stream.isatty())
    is_strict = bool(os.environ.get(STRICT))
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            _AllowList(is_strict=is_strict),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = _Handler(stream)
    handler.addFilter(_is_ours_or_no_detail)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(_Tracebacks()),
                _hide,
                _Renderer(stream, is_json=is_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(section.level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger(name).propagate = True  # google-auth ends that where it was used before there was a log


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to the stream; a line that cannot be written shows nothing of itself."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's own name)
        """Say only that a line is missing: what logging would print here has not been through the redactor."""
        del record
        with suppress(OSError, ValueError):
            self.stream.write("a line of the log could not be written\n")


def _is_ours_or_no_detail(record: logging.LogRecord) -> bool:
    """Let nothing below info level through from libraries: details hold addresses, headers, whole mails."""
    return record.levelno >= logging.INFO or record.name.partition(".")[0] == _OWN


class _AllowList:
    """Lets only the fields of the table through."""

    def __init__(self, *, is_strict: bool) -> None:
        self._is_strict = is_strict
        self._said: set[tuple[str, str]] = set()

    def __call__(self, logger: Any, _: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event = str(fields.get("event", ""))
        unknown = unknown_fields(event, frozenset(fields) - _INTERNAL)
        if self._is_strict and (unknown or event not in EVENTS):
            raise UnknownField(f"{event!r} with {sorted(unknown)}: add it to cubbyd.service.event and docs/operations.md")
        for name in sorted(unknown):
            del fields[name]
            self._say(logger, event, name)
        return fields

    def _say(self, logger: Any, event: str, name: str) -> None:
        if (event, name) not in self._said:
            self._said.add((event, name))
            log = structlog.get_logger(logger.name)
            log.warning("a field was kept out of the log", field=name, of=event)


class _Tracebacks:
    """Where and why, for each exception of a chain; without local variables and without values that it quotes."""

    def __init__(self) -> None:
        self._transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)

    def __call__(self, exc_info: structlog.typing.ExcInfo) -> list[dict[str, Any]]:
        stacks = self._transform(exc_info)
        for stack, error in zip(stacks, _chain(exc_info[1]), strict=False):
            if isinstance(error, ValueError | LookupError | AssertionError | BaseExceptionGroup):
                stack["exc_value"] = _LEFT_OUT
            for key in ("exc_notes", "syntax_error", "is_group", "exceptions"):
                stack.pop(key, None)
        return stacks


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give the exceptions that led to one, in structlog's order: itself, its cause or context, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if error.__cause__ is not None and error.__cause__.__traceback__:
            error = error.__cause__
        elif error.__context__ is not None and error.__context__.__traceback__ and not error.__suppress_context__:
            error = error.__context__
        else:
            return


def _hide(_: Any, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Hide secrets in all but what cubbyd itself has worded: by name, by value, by shape."""
    worded = {"level", "timestamp", "logger"} | ({"event"} if fields.get("event") in EVENTS else set())
    return {
        name: value if name in worded else hide_secrets(value, lambda text: hide_shapes(LEARNED.hide(text)), name)
        for name, value in fields.items()
    }


class _Renderer:
    """Writes JSON or readable text."""

    def __init__(self, stream: TextIO, *, is_json: bool) -> None:
        self._is_json, self._is_for_journal = is_json, goes_to_journal(stream)
        self._console = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)

    def __call__(self, logger: Any, method: str, fields: structlog.typing.EventDict) -> str:
        level = str(fields.get("level", "info"))
        if self._is_json:
            text = as_json(_in_order(fields))
        else:
            if "exception" in fields:
                fields["exception"] = _as_text(fields["exception"])
            text = str(self._console(logger, method, fields))
        return with_priority(text, level) if self._is_for_journal else text


def _in_order(fields: structlog.typing.EventDict) -> dict[str, Any]:
    """Put first what must never be cut away."""
    first = {name: fields[name] for name in ("event", "level", "timestamp") if name in fields}
    return {**first, **fields}


def _as_text(stacks: list[dict[str, Any]]) -> str:
    """Write a traceback for people, the cause first, as Python does."""
    lines = []
    for stack in reversed(stacks):
        lines += [f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}' for frame in stack["frames"]]
        lines.append(f"{stack['exc_type']}: {stack['exc_value']}")
    return "\n".join(["Traceback (most recent call last):", *lines])
