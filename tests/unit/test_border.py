"""The border to imapclient, row by row: what was raised there, and which of our exceptions the rest of cubbyd sees."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import pytest
from imapclient.exceptions import (
    CapabilityError,
    IllegalStateError,
    IMAPClientAbortError,
    IMAPClientError,
    IMAPClientReadOnlyError,
    InvalidCriteriaError,
    LoginError,
    ProtocolError,
)

from cubbyd.errors import (
    CommandRefused,
    InsecureConnection,
    LoginRefused,
    MailboxError,
    MailboxReadOnly,
    MailboxUnavailable,
)
from cubbyd.mailbox.border import LONGEST_REPLY, UNTIMED_SECONDS, ours, translate

DOING = "mailbox office: opening INBOX"
BACKOFF = "BAD Request is throttled. Suggested Backoff Time: 5000 milliseconds"


def raised_as(error: BaseException) -> MailboxError:
    """Raise within the border, and catch what comes out of it."""
    with pytest.raises(MailboxError) as caught, ours(DOING):
        raise error
    assert str(caught.value).startswith(f"{DOING}: ")
    assert caught.value is error or caught.value.__cause__ is error
    return caught.value


def login_error(text: str, context: BaseException | None = None) -> LoginError:
    """Make a LoginError as imapclient does: raised while it handles imaplib's own."""
    error = LoginError(text)
    error.__context__ = context or IMAPClientError(text)
    return error


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(
        1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate"
    )
    error.verify_message, error.verify_code = "self-signed certificate", 18
    return error


@pytest.mark.parametrize("shown", ["b'[CODE] It failed.'", '[b"[CODE] It failed."]', "[CODE] It failed."])
def test_the_servers_words_are_shown_as_words(shown: str) -> None:
    assert str(raised_as(login_error(shown))) == f"{DOING}: [CODE] It failed.; check username and password"


# --- connections -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IMAPClientAbortError("socket error: EOF"), "socket error: EOF"),
        (IMAPClientAbortError("* BYE Disconnected for inactivity"), "Disconnected for inactivity"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (BrokenPipeError(32, "Broken pipe"), "Broken pipe"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (TimeoutError("timed out"), "no answer in time"),
        (TimeoutError("The read operation timed out"), "no answer in time"),
        (OSError("cannot read from timed out object"), "cannot read from timed out object"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "WRONG_VERSION_NUMBER"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "EOF occurred"),
        (EOFError(), "EOFError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_broken_connection_is_unavailable(error: BaseException, said: str) -> None:
    ours_ = raised_as(error)

    assert type(ours_) is MailboxUnavailable
    assert said in str(ours_)


@pytest.mark.parametrize(
    "error",
    [
        ProtocolError("Expected a response, got b'garbage'"),
        ValueError("invalid literal for int()"),
        UnicodeDecodeError("ascii", b"\xff", 0, 1, "ordinal not in range"),
        TypeError("'NoneType' object is not iterable"),
        KeyError(b"UIDNEXT"),
        IndexError("list index out of range"),
        AttributeError("'NoneType' object has no attribute 'group'"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_answer_that_cannot_be_read_poisons_the_connection_and_is_not_repeated(error: Exception) -> None:
    """The bytes that follow would be taken for the answer to the next command; the answer itself may quote mail."""
    ours_ = raised_as(error)

    assert type(ours_) is MailboxUnavailable
    assert str(ours_) == f"{DOING}: the server's answer could not be read ({type(error).__name__})"


def test_a_certificate_that_is_not_trusted_is_a_matter_of_the_configuration() -> None:
    ours_ = raised_as(certificate_error())

    assert type(ours_) is InsecureConnection
    assert ours_.exit_code == 78
    assert "(self-signed certificate)" in str(ours_)
    assert "ca_file" in str(ours_)


# --- logging in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[AUTHENTICATIONFAILED] Authentication failed.",
        "[AUTHORIZATIONFAILED] No such authorization-ID",
        "[EXPIRED] That password isn't any good any more",
        "[CONTACTADMIN] Your account is locked",
        "[ALERT] Please log in via your web browser",
        "[authenticationfailed] Invalid credentials (Failure)",
        "Login failed.",
        "User is authenticated but not connected.",
        "",
    ],
)
def test_a_refused_login_is_refused(text: str) -> None:
    ours_ = raised_as(login_error(text))

    assert type(ours_) is LoginRefused
    assert ours_.exit_code == 77
    assert text in str(ours_)
    assert "check username and password" in str(ours_)


def test_a_login_that_was_taken_and_opens_no_mailbox_is_a_matter_of_rights() -> None:
    """Exchange says so at SELECT, where the app has no permission for the mailbox, or IMAP is off for it."""
    error = translate(IMAPClientError("select failed: User is authenticated but not connected."), "opening INBOX")

    assert isinstance(error, LoginRefused)
    assert "may not open that mailbox by IMAP: docs/login.md" in str(error)


def test_a_refused_token_is_no_wrong_password() -> None:
    error = translate(LoginError("[AUTHENTICATIONFAILED] no"), "logging in", "ask whoever made the app")

    assert str(error) == "logging in: [AUTHENTICATIONFAILED] no; ask whoever made the app"


@pytest.mark.parametrize(
    "text",
    [
        "[UNAVAILABLE] Temporary authentication failure.",
        "[unavailable] User's backend down for maintenance",
        "[LIMIT] Too many connections for user",
        "[INUSE] Mailbox is locked by a POP session",
        "[SERVERBUG] This should not happen",
        "Too many simultaneous connections. (Failure)",
        "Request is throttled.",
        "Temporary system problem, please try again later",
    ],
)
def test_a_login_that_fails_for_a_while_is_no_wrong_password(text: str) -> None:
    """It must be tried again soon; a refused login is not, for servers lock accounts that hammer."""
    ours_ = raised_as(login_error(text))

    assert type(ours_) is MailboxUnavailable
    assert text in str(ours_)
    assert ours_.retry_after_seconds == UNTIMED_SECONDS


@pytest.mark.parametrize(
    "context",
    [IMAPClientAbortError("socket error: EOF"), ConnectionResetError(104, "Connection reset by peer"), TimeoutError()],
)
def test_a_connection_that_broke_during_login_is_no_wrong_password(context: BaseException) -> None:
    """imapclient makes a LoginError of that too; only what it was handling tells."""
    assert type(raised_as(login_error("socket error: EOF", context))) is MailboxUnavailable


def test_the_context_is_read_as_imapclient_leaves_it() -> None:
    """The way imapclient itself raises it, not the way this test makes it."""

    def log_in() -> None:
        try:
            raise IMAPClientAbortError("socket error: EOF")
        except IMAPClientError as error:
            raise LoginError(str(error))  # noqa: B904 - as imapclient does

    with pytest.raises(MailboxUnavailable), ours(DOING):
        log_in()


# --- commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("create failed: [ALREADYEXISTS] Mailbox already exists", "ALREADYEXISTS"),
        ("select failed: [NONEXISTENT] Unknown Mailbox: Billing", "NONEXISTENT"),
        ("copy failed: [TRYCREATE] Mailbox doesn't exist: Billing", "TRYCREATE"),
        ("copy failed: [overquota] Quota exceeded", "OVERQUOTA"),
        ("uid move failed: [NOPERM] Permission denied", "NOPERM"),
        ("copy failed: [CANNOT] Invalid mailbox name", "CANNOT"),
        ("store failed: Permission denied", ""),
        ("SEARCH command error: BAD [b'Error in IMAP command SEARCH: Unknown argument']", ""),
        ("select failed: [REFERRAL imap://other/] Try other", "REFERRAL"),
    ],
)
def test_a_refused_command_carries_its_code_and_leaves_the_connection_good(text: str, code: str) -> None:
    ours_ = raised_as(IMAPClientError(text))

    assert isinstance(ours_, CommandRefused)
    assert ours_.code == code
    assert text.replace("[b'", "").replace("']", "") in str(ours_)


@pytest.mark.parametrize("kind", [CapabilityError, IllegalStateError, InvalidCriteriaError])
def test_what_imapclient_refuses_by_itself_is_a_refused_command(kind: type[IMAPClientError]) -> None:
    assert isinstance(raised_as(kind("not in this state")), CommandRefused)


def test_a_mailbox_for_reading_alone_is_said_as_such() -> None:
    """Its class is a kind of the one for broken connections, which it is not."""
    assert issubclass(IMAPClientReadOnlyError, IMAPClientAbortError)

    ours_ = raised_as(IMAPClientReadOnlyError("INBOX is not writable"))

    assert type(ours_) is MailboxReadOnly
    assert "give it the right to write" in str(ours_)


@pytest.mark.parametrize(
    "make", [IMAPClientError, IMAPClientAbortError, login_error, lambda text: login_error(text, IMAPClientAbortError(text))]
)
def test_the_pause_that_a_server_asks_for_in_prose_is_kept(make: Callable[[str], IMAPClientError]) -> None:
    ours_ = raised_as(make(BACKOFF))

    assert isinstance(ours_, MailboxUnavailable)
    assert ours_.retry_after_seconds == 5.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("BACKOFF TIME:250 Milliseconds", 0.25),
        ("Suggested Backoff Time: 12 hours", 43_200),
        ("[LIMIT] Rate limit hit, retry after 60 seconds", 60),
        ("[UNAVAILABLE] Maintenance; please try again in 15 minutes.", 900),
        ("* BYE too many logins, please wait 30 sec", 30),
        ("try again later than 5000 times", UNTIMED_SECONDS),
        ("* BYE [UNAVAILABLE] going down", UNTIMED_SECONDS),
        ("* BYE Disconnected for inactivity after 1800 seconds", None),
        ("* BYE Server shutting down.", None),
    ],
)
def test_the_time_that_a_server_names_is_understood(text: str, seconds: float | None) -> None:
    ours_ = raised_as(IMAPClientAbortError(text))

    assert isinstance(ours_, MailboxUnavailable)
    assert ours_.retry_after_seconds == seconds


def test_throttling_without_a_number_is_unavailable_too() -> None:
    ours_ = raised_as(IMAPClientError("fetch failed: Request is throttled"))

    assert isinstance(ours_, MailboxUnavailable)
    assert ours_.retry_after_seconds == UNTIMED_SECONDS


def test_what_the_system_says_is_no_word_of_the_server() -> None:
    """A name that cannot be resolved for a moment is tried again at once, like any connection that broke."""
    ours_ = raised_as(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))

    assert isinstance(ours_, MailboxUnavailable)
    assert ours_.retry_after_seconds is None


# --- what passes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [InsecureConnection("no STARTTLS"), MailboxUnavailable("gone", retry_after_seconds=3), CommandRefused("no", code="X")],
)
def test_our_own_exceptions_pass_as_they_are(error: MailboxError) -> None:
    with pytest.raises(MailboxError) as caught, ours(DOING):
        raise error

    assert caught.value is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), MemoryError(), AssertionError("a fault of ours")])
def test_what_has_nothing_to_do_with_a_server_passes_too(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, ours(DOING):
        raise error

    assert caught.value is error


def test_an_answer_in_an_error_is_short_and_printable() -> None:
    ours_ = raised_as(IMAPClientError("select failed: \x1b[31m\r\n" + "x" * 10_000))

    said = str(ours_).removeprefix(f"{DOING}: ")
    assert len(said) == LONGEST_REPLY
    assert said.isprintable()
