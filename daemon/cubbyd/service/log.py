"""The log: readable on a terminal, JSON lines elsewhere; on standard error, so that standard output is for programs alone.

No personal data above debug level: events are fixed phrases, keys carry ids and numbers. Tracebacks show no local
variables, which would hold mail and passwords.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

from cubbyd.config import LogFormat, LogSection

QUIET = (
    *("imapclient", "apscheduler", "alembic", "sqlalchemy", "httpx", "openai"),
    *("msal", "google", "google_auth_oauthlib", "requests", "requests_oauthlib", "oauthlib", "urllib3"),
)
"""Libraries that log at info level what nobody needs, or at debug level what nobody may see."""


def configure_logging(section: LogSection, stream: TextIO | None = None) -> None:
    """Set up structlog, and send what libraries log the same way, from warning level on."""
    stream = stream or sys.stderr
    as_json = section.format is LogFormat.JSON or (section.format is LogFormat.AUTO and not stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(stream, as_json=as_json)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(section.level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderers(stream: TextIO, *, as_json: bool) -> list[structlog.typing.Processor]:
    if as_json:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer(ensure_ascii=False)]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
