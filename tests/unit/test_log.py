"""The log: one JSON object a line for programs, readable lines for people, and no local variables in either."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from cubbyd.config import LogFormat, LogLevel, LogSection
from cubbyd.service.log import QUIET, configure_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Put back what configure_logging changes for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in quiet.items():
        logging.getLogger(name).setLevel(was)
    structlog.reset_defaults()


@pytest.fixture
def logger() -> Callable[[], Any]:
    """A way to make a logger once the log is configured."""
    return lambda: structlog.get_logger("cubbyd.test")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(log: Any) -> None:
    password = "hunter2" + "-lettuce"  # a local variable; in one piece it would stand in the source line
    try:
        raise RuntimeError("no such folder")  # noqa: TRY301 - its frame is the one with the local variable
    except RuntimeError:
        log.exception("pass failed", size=len(password))


def test_each_event_is_one_line_of_json(logger: Callable[[], Any]) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)

    logger().info("mail filed", mailbox="office", uid=7, folder="Kündigung\nund mehr")
    logger().warning("pass has a problem", error="no answer in time")

    filed, problem = lines(stream)
    assert (filed["event"], filed["level"], filed["mailbox"], filed["uid"]) == ("mail filed", "info", "office", 7)
    assert filed["folder"] == "Kündigung\nund mehr"
    assert "Kündigung" in stream.getvalue(), "as it is, for people who read the JSON"
    assert problem["level"] == "warning"
    age = datetime.now(UTC) - datetime.fromisoformat(filed["timestamp"])
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_what_a_library_logs_looks_the_same(logger: Callable[[], Any]) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)

    logging.getLogger("some.library").warning("retrying %s", "now")
    logger().info("after it")

    assert [(line["event"], line["level"]) for line in lines(stream)] == [("retrying now", "warning"), ("after it", "info")]


@pytest.mark.parametrize("library", QUIET)
def test_libraries_that_talk_much_are_heard_from_warning_on(library: str) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON, level=LogLevel.DEBUG), stream)

    logging.getLogger(f"{library}.part").debug("a whole mail, perhaps")
    logging.getLogger(f"{library}.part").info("did something")
    logging.getLogger(f"{library}.part").warning("something is wrong")

    assert [line["event"] for line in lines(stream)] == ["something is wrong"]


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        (LogLevel.DEBUG, ["debug", "info", "warning", "error"]),
        (LogLevel.INFO, ["info", "warning", "error"]),
        (LogLevel.WARNING, ["warning", "error"]),
        (LogLevel.ERROR, ["error"]),
    ],
)
def test_the_level_filters(logger: Callable[[], Any], level: LogLevel, heard: list[str]) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON, level=level), stream)

    for name in LogLevel:
        getattr(logger(), name)("something", said=str(name))
        getattr(logging.getLogger("some.library"), name)("something")

    assert [line["level"] for line in lines(stream)] == [name for name in heard for _ in range(2)]


@pytest.mark.parametrize("make_stream", [io.StringIO, Terminal])
@pytest.mark.parametrize("format_", LogFormat)
def test_a_traceback_says_where_and_why_and_shows_no_local_variables(
    logger: Callable[[], Any], make_stream: type[io.StringIO], format_: LogFormat
) -> None:
    stream = make_stream()
    configure_logging(LogSection(format=format_), stream)

    fail(logger())
    logging.getLogger("some.library").error("failed", exc_info=RuntimeError("of a library"))

    said = stream.getvalue()
    assert "RuntimeError" in said
    assert "no such folder" in said
    assert "of a library" in said
    assert "test_log.py" in said, "where"
    assert "hunter2-lettuce" not in said


def test_a_traceback_in_json_stays_on_its_line(logger: Callable[[], Any]) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)

    fail(logger())

    (line,) = lines(stream)
    assert line["exception"][0]["exc_type"] == "RuntimeError"
    assert not any(frame.get("locals") for frame in line["exception"][0]["frames"])


@pytest.mark.parametrize(
    ("format_", "make_stream", "is_json"),
    [
        (LogFormat.AUTO, io.StringIO, True),
        (LogFormat.AUTO, Terminal, False),
        (LogFormat.JSON, Terminal, True),
        (LogFormat.CONSOLE, io.StringIO, False),
    ],
)
def test_automatic_is_json_but_on_a_terminal(
    logger: Callable[[], Any], format_: LogFormat, make_stream: type[io.StringIO], *, is_json: bool
) -> None:
    stream = make_stream()
    configure_logging(LogSection(format=format_), stream)

    logger().info("mail filed", mailbox="office")

    assert stream.getvalue().startswith("{") is is_json
    assert "mail filed" in stream.getvalue()
    has_color = "\x1b[" in stream.getvalue()
    assert has_color is (make_stream is Terminal and not is_json)


def test_configuring_again_does_not_double_the_lines(logger: Callable[[], Any]) -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), first)
    configure_logging(LogSection(format=LogFormat.JSON), second)

    logger().info("mail filed")

    assert first.getvalue() == ""
    assert len(lines(second)) == 1


def test_the_log_goes_to_standard_error(logger: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogSection(format=LogFormat.JSON))

    logger().info("mail filed")

    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["event"] == "mail filed"
