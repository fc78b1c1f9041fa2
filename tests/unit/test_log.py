"""The log: one JSON object a line for programs, readable lines for people, and no local variables in either."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from pydantic import SecretStr

from cubbyd.config import LogFormat, LogLevel, LogSection
from cubbyd.config.learned import LearnedSecrets
from cubbyd.service.line import LONGEST_LINE, hide_secrets
from cubbyd.service.log import QUIET, STRICT, UnknownField, configure_logging


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
        log.exception("pass failed", kind=f"{len(password)} characters")


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
    logger().info("stopped")

    assert [(line["event"], line["level"]) for line in lines(stream)] == [("retrying now", "warning"), ("stopped", "info")]
    assert lines(stream)[0]["logger"] == "some.library"


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
        getattr(logger(), name)("stopped")
        getattr(logging.getLogger("some.library"), name)("something")

    assert [line["level"] for line in lines(stream) if line["event"] == "stopped"] == heard
    others = [line["level"] for line in lines(stream) if line["event"] == "something"]
    assert others == [name for name in heard if name != "debug"], "details of libraries hold headers and mails, at any level"


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


def test_a_field_that_is_not_in_the_table_is_an_error_in_the_tests(logger: Callable[[], Any]) -> None:
    configure_logging(LogSection(format=LogFormat.JSON), io.StringIO())

    with pytest.raises(UnknownField, match="'mail filed' with \\['subject'\\]"):
        logger().info("mail filed", mailbox="office", subject="Emma is ill")
    with pytest.raises(UnknownField, match="something new"):
        logger().info("something new")


def test_in_life_such_a_field_is_dropped_and_named_once(logger: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STRICT)
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)

    for uid in (7, 8):
        logger().info("mail filed", uid=uid, subject="Emma is ill")
    logger().info("something of an extension", sender="ann@example.com")

    assert "Emma" not in stream.getvalue()
    assert "ann@" not in stream.getvalue()
    told = [(line["event"], line.get("field"), line.get("uid")) for line in lines(stream)]
    dropped = "a field was kept out of the log"
    assert told == [
        (dropped, "subject", None),
        ("mail filed", None, 7),
        ("mail filed", None, 8),
        (dropped, "sender", None),
        ("something of an extension", None, None),
    ]


@pytest.mark.parametrize("format_", [LogFormat.JSON, LogFormat.CONSOLE])
@pytest.mark.parametrize("password", ["hunter2-lettuce", "Straße/+ 7&8", "kurz"])
def test_a_secret_that_was_read_is_in_no_line_in_whatever_form(
    logger: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, format_: LogFormat, password: str
) -> None:
    learned = LearnedSecrets()
    learned.learn(SecretStr(password))
    monkeypatch.setattr("cubbyd.service.log.LEARNED", learned)
    stream = io.StringIO()
    configure_logging(LogSection(format=format_), stream)

    logger().warning("pass has a problem", mailbox="office", error=f"the server said: {password} is wrong")
    logging.getLogger("some.library").warning("sent %s", f"AUTHENTICATE PLAIN {sasl(password)}")
    try:
        raise OSError(f"cannot open imap://office:{quote(password, safe='')}@mail.example.org")  # noqa: TRY301
    except OSError:
        logger().exception("pass failed", mailbox=password)

    said = stream.getvalue()
    assert "[hidden] is wrong" in said
    assert [form for form in (password, sasl(password), quote(password, safe="")) if form in said] == []


def sasl(password: str) -> str:
    return base64.b64encode(f"\0office\0{password}".encode()).decode()


@pytest.mark.parametrize("before", ["", "a", "ab", "user=office\1auth=Bearer "])
def test_a_secret_in_base64_is_found_wherever_it_begins(before: str) -> None:
    learned = LearnedSecrets()
    learned.learn(SecretStr("hunter2-lettuce"))

    encoded = base64.b64encode(f"{before}hunter2-lettuce{before}".encode()).decode()

    assert "[hidden]" in learned.hide(encoded)
    assert learned.hide("no secret at all") == "no secret at all"


def test_tokens_that_come_every_hour_push_no_password_out_and_pile_up_nowhere() -> None:
    learned = LearnedSecrets()
    learned.learn(SecretStr("hunter2-lettuce"))
    for hour in range(300):
        learned.learn(SecretStr(f"token-of-hour-{hour:04}"), is_passing=True)

    assert learned.hide("hunter2-lettuce, token-of-hour-0299, token-of-hour-0298") == "[hidden], [hidden], [hidden]"
    assert learned.hide("token-of-hour-0001") == "token-of-hour-0001", "it opens nothing any more"


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("token eyJhbGciOi.eyJzdWIi.c2ln refused", "eyJhbGciOi"),
        ("Incorrect API key provided: sk-proj-abc12345", "sk-proj"),
        ("GET https://office:lettuce@mail.example.org/", "lettuce"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("POST /token?client_secret=lettuce&x=1", "lettuce"),
        ('{"refresh_token": "lettuce"}', "lettuce"),
        ("AUTHENTICATE XOAUTH2 bGV0dHVjZQ==", "bGV0dHVj"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_though_nobody_knows_it(logger: Callable[[], Any], said: str, hidden: str) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)

    logging.getLogger("some.library").warning("%s", said)
    logger().warning("pass has a problem", mailbox="office", error=said)

    assert hidden not in stream.getvalue()
    assert [line["level"] for line in lines(stream)] == ["warning", "warning"]


def test_what_is_called_a_secret_is_hidden_whatever_it_is() -> None:
    told = {"password": "x", "where": [{"api_key": "y", "file": "z"}], "refresh_token": 7, "token": None}

    assert hide_secrets(told, str) == {
        "password": "[hidden]",
        "where": [{"api_key": "[hidden]", "file": "z"}],
        "refresh_token": "[hidden]",
        "token": None,
    }


@pytest.mark.parametrize(
    "sentence",
    [
        "cubbyd.toml: mailboxes.office.password_env: the environment variable X is not set",
        "mailbox office: the login of office@example.org is refused: [AUTHENTICATIONFAILED] Authentication failed.",
        "the budget is used up: classifier.openai.calls_per_day; nothing is sent before 2026-11-22 00:00 UTC",
    ],
)
def test_sentences_that_only_speak_of_secrets_stay_readable(logger: Callable[[], Any], sentence: str) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)

    logger().warning("pass has a problem", mailbox="office", error=sentence)

    assert lines(stream)[0]["error"] == sentence


def test_a_traceback_quotes_no_value(logger: Callable[[], Any]) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)
    mail = {"Emma is ill": 1}

    try:
        try:
            int("Emma is ill"[:])
        except ValueError as error:
            mail["Noah" + " too"] = mail["No" + "ah"]
            raise RuntimeError("not reached") from error
    except KeyError:
        logger().exception("pass failed for a reason that is a fault of cubbyd", mailbox="office")

    (line,) = lines(stream)
    assert [stack["exc_type"] for stack in line["exception"]] == ["KeyError", "ValueError"]
    assert "Emma" not in stream.getvalue()
    assert "Noah" not in stream.getvalue()


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f9f8", "\n", "\ud800"])
def test_no_line_is_longer_than_the_journal_can_show_and_each_is_whole_json(logger: Callable[[], Any], letter: str) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)

    logger().warning("pass has a problem", mailbox="office", error=letter * 50_000)
    logger().info("started", mailboxes=[f"{letter}{number}" for number in range(5_000)], observe=False, model="m")

    problem, started = lines(stream)
    assert max(len(line.encode()) for line in stream.getvalue().splitlines()) <= LONGEST_LINE
    assert (problem["event"], problem["mailbox"]) == ("pass has a problem", "office")
    assert problem["error"].endswith(" …")
    assert (started["event"], started["observe"], started["model"]) == ("started", False, "m")


def test_of_a_long_traceback_the_end_is_kept(logger: Callable[[], Any]) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)

    def dig(depth: int) -> None:
        if not depth:
            raise RuntimeError("at the bottom")
        dig(depth - 1)

    try:
        dig(200)
    except RuntimeError:
        logger().exception("pass failed", mailbox="office")

    (line,) = lines(stream)
    assert len(stream.getvalue().encode()) <= LONGEST_LINE + 1
    assert line["exception"][0]["exc_value"] == "at the bottom"
    assert line["exception"][0]["frames"][-1]["name"] == "dig"


def test_under_systemd_each_line_has_its_priority(
    logger: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        configure_logging(LogSection(format=LogFormat.JSON), stream)
        logger().info("stopped")
        logger().warning("pass has a problem", error="no answer")
        fail(logger())
        configure_logging(LogSection(format=LogFormat.CONSOLE), stream)
        fail(logger())
    text = (tmp_path / "journal").read_text().splitlines()

    assert [line[:3] for line in text[:3]] == ["<6>", "<4>", "<3>"]
    assert [json.loads(line[3:])["event"] for line in text[:3]] == ["stopped", "pass has a problem", "pass failed"]
    assert len(text) > 6
    assert {line[:3] for line in text[3:]} == {"<3>"}, "of a traceback for people too"


def test_a_stream_that_was_sent_elsewhere_has_no_priorities(
    logger: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    with (tmp_path / "log").open("w+") as stream:
        configure_logging(LogSection(format=LogFormat.JSON), stream)
        logger().info("stopped")

    assert (tmp_path / "log").read_text().startswith("{")


def test_a_line_that_cannot_be_written_shows_nothing_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure_logging(LogSection(format=LogFormat.JSON), stream)

    logging.getLogger("some.library").warning("%d mails", "Emma is ill")

    assert stream.getvalue() == "a line of the log could not be written\n"
    assert capsys.readouterr().err == ""
