"""The border to imapclient: every foreign exception dies here and becomes one of ours.

design source: RFC 5530 for the response codes; that a failed login may mean anything but a wrong password, and that
Exchange asks for a pause in prose, were seen on real servers.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from imapclient.exceptions import (
    IMAPClientAbortError,
    IMAPClientError,
    IMAPClientReadOnlyError,
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

CODE = re.compile(r"\[([A-Za-z0-9-]+)[ \]]")
BACKOFF = re.compile(r"Backoff Time:\s*(\d{1,9})\s*milliseconds", re.IGNORECASE)
TRANSIENT_CODES = frozenset({"UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG"})
TRANSIENT_TEXT = re.compile(r"too many (simultaneous )?connections|throttled|try again|temporar", re.IGNORECASE)

WAYS_OUT = {
    "OVERQUOTA": "; make room in the mailbox, or have its quota raised",
    "NOPERM": "; give the account the right to do that",
}
"""What an admin can do about a refusal (RFC 5530, 3), where it is not clear from the server's words."""

CONNECTION_FAULTS = (IMAPClientAbortError, OSError, EOFError)
LONGEST_REPLY = 200
"""Characters of a server's answer that go into an error; it may quote a folder's name, never mail text."""


@contextmanager
def ours(doing: str) -> Iterator[None]:
    """Turn what imapclient and the socket raise while `doing` into our exceptions."""
    try:
        yield
    except MailboxError:
        raise
    except (*CONNECTION_FAULTS, IMAPClientError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise translate(error, doing) from error


def translate(error: BaseException, doing: str) -> MailboxError:
    """Find our exception for a foreign one."""
    text = _reply(error)
    pause = _pause(text)
    if isinstance(error, ssl.SSLCertVerificationError):
        return InsecureConnection(
            f"{doing}: the server's certificate is not trusted ({error.verify_message}); "
            "use the host name that the certificate was made for, or give the certificate authority in ca_file"
        )
    if isinstance(error, LoginError):
        return _login(error, doing, text, pause)
    if isinstance(error, IMAPClientReadOnlyError):
        return MailboxReadOnly(f"{doing}: the server lets this account only read; give it the right to write and delete")
    if isinstance(error, CONNECTION_FAULTS):
        return MailboxUnavailable(f"{doing}: {_fault(error)}", retry_after_seconds=pause)
    if isinstance(error, ProtocolError) or not isinstance(error, IMAPClientError):
        return MailboxUnavailable(f"{doing}: the server's answer could not be read ({type(error).__name__})")
    if pause is not None or TRANSIENT_TEXT.search(text):
        return MailboxUnavailable(f"{doing}: {text}", retry_after_seconds=pause)
    code = _code(text)
    return CommandRefused(f"{doing}: {text}{WAYS_OUT.get(code, '')}", code=code)


def _login(error: LoginError, doing: str, text: str, pause: float | None) -> MailboxError:
    broken = isinstance(error.__context__, CONNECTION_FAULTS)
    if broken or _code(text) in TRANSIENT_CODES or pause is not None or TRANSIENT_TEXT.search(text):
        return MailboxUnavailable(f"{doing}: {text}", retry_after_seconds=pause)
    return LoginRefused(f"{doing}: the server said: {text}; check username and password")


def _reply(error: BaseException) -> str:
    text = str(error)
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return printable[:LONGEST_REPLY]


def _fault(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return _reply(error) or type(error).__name__


def _code(text: str) -> str:
    found = CODE.search(text)
    return found[1].upper() if found else ""


def _pause(text: str) -> float | None:
    found = BACKOFF.search(text)
    return int(found[1]) / 1000 if found else None
