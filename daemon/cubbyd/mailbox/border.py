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
ASKED = re.compile(
    r"\b(?:back-?off|again|retry|wait)\b[^0-9]{0,30}(\d{1,9})\s*(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|hours?)\b",
    re.IGNORECASE,
)
"""Such as "Suggested Backoff Time: 5000 milliseconds" (Exchange), "try again in 15 minutes", "please wait 30 seconds"."""

UNITS = {"m": 60.0, "h": 3600.0, "s": 1.0}
UNTIMED_SECONDS = 30.0
"""The pause for a server that says it cannot now, and not for how long."""

TRANSIENT_CODES = frozenset({"UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG"})
TRANSIENT_TEXT = re.compile(
    r"too many (simultaneous )?connections|throttled|try again|temporar|server unavailable|command or bandwidth limits",
    re.IGNORECASE,
)

OUT_OF_DATE_CODES = frozenset({9, 10})
"""OpenSSL's numbers for a certificate that is not valid yet, or not any more."""
OUT_OF_DATE = "have it renewed on the server, and look whether the clock of this machine is right"
NOT_KNOWN = "use the host name that the certificate was made for, or give the certificate authority in ca_file"
HALF_IN = re.compile(r"authenticated but not connected", re.IGNORECASE)
"""What Exchange says after a login that it took, where the account may not open the mailbox."""

WAYS_OUT = {
    "OVERQUOTA": "; make room in the mailbox, or have its quota raised",
    "NOPERM": "; give the account the right to do that",
}
"""What an admin can do about a refusal (RFC 5530, 3), where it is not clear from the server's words."""

PYTHON_BYTES = re.compile(r"""\[?\bb(['"])(.*?)\1\]?""")
"""How imapclient shows some answers: as Python writes bytes, or a list of them."""

CONNECTION_FAULTS = (IMAPClientAbortError, OSError, EOFError)
PASSWORD_HINT = "check username and password"  # noqa: S105  (a sentence)

LONGEST_REPLY = 200
"""Characters of a server's answer that go into an error; it may quote a folder's name, never mail text."""


@contextmanager
def ours(doing: str, *, if_refused: str = PASSWORD_HINT) -> Iterator[None]:
    """Turn what imapclient and the socket raise while `doing` into our exceptions; `if_refused`: a refused login's way out."""
    try:
        yield
    except MailboxError:
        raise
    except (*CONNECTION_FAULTS, IMAPClientError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise translate(error, doing, if_refused) from error


def translate(error: BaseException, doing: str, if_refused: str = PASSWORD_HINT) -> MailboxError:
    """Find our exception for a foreign one."""
    text = _reply(error)
    pause = _asked(text)
    if isinstance(error, ssl.SSLCertVerificationError):
        way_out = OUT_OF_DATE if error.verify_code in OUT_OF_DATE_CODES else NOT_KNOWN
        return InsecureConnection(f"{doing}: the server's certificate is not trusted ({error.verify_message}); {way_out}")
    if isinstance(error, LoginError):
        return _login(error, f"{doing}: {text}", pause, if_refused)
    if isinstance(error, IMAPClientReadOnlyError):
        return MailboxReadOnly(f"{doing}: the server lets this account only read; give it the right to write and delete")
    if isinstance(error, CONNECTION_FAULTS):
        is_said = isinstance(error, IMAPClientAbortError)  # by the server, in a BYE; the system speaks of other things
        return MailboxUnavailable(f"{doing}: {_fault(error)}", retry_after_seconds=_pause(text, pause) if is_said else None)
    if isinstance(error, ProtocolError) or not isinstance(error, IMAPClientError):
        return MailboxUnavailable(f"{doing}: the server's answer could not be read ({type(error).__name__})")
    if pause is not None or TRANSIENT_TEXT.search(text):
        return MailboxUnavailable(f"{doing}: {text}", retry_after_seconds=_pause(text, pause))
    if HALF_IN.search(text):
        return LoginRefused(
            f"{doing}: {text}; the login was taken, but this user may not open that mailbox by IMAP: docs/login.md"
        )
    code = _code(text)
    return CommandRefused(f"{doing}: {text}{WAYS_OUT.get(code, '')}", code=code)


def _login(error: LoginError, said: str, pause: float | None, if_refused: str) -> MailboxError:
    broken = isinstance(error.__context__, CONNECTION_FAULTS)
    text = str(error)
    if broken or pause is not None or _cannot_now(text):
        return MailboxUnavailable(said, retry_after_seconds=pause if broken else _pause(text, pause))
    return LoginRefused(f"{said}; {if_refused}")


def _reply(error: BaseException) -> str:
    text = PYTHON_BYTES.sub(r"\2", str(error))
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


def _cannot_now(text: str) -> bool:
    return _code(text) in TRANSIENT_CODES or TRANSIENT_TEXT.search(text) is not None


def _pause(text: str, asked: float | None) -> float | None:
    """Give the pause in seconds that the server's words mean, named or not; None where they mean none."""
    return UNTIMED_SECONDS if asked is None and _cannot_now(text) else asked


def _asked(text: str) -> float | None:
    """Give the time in seconds that the server names."""
    found = ASKED.search(text)
    if not found:
        return None
    number, unit = int(found[1]), found[2].lower()
    return number / 1000 if unit.startswith(("ms", "milli")) else number * UNITS[unit[0]]
