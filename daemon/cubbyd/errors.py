"""The exception tree: each class is a sentence, its data are attributes, and it knows the exit code of a command that it ends.

Exit codes follow sysexits.h: 1 failed, 69 a server is unavailable, 75 try again later, 77 not permitted, 78 wrong
configuration.

Nothing here may carry mail text or a secret: messages end up in logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

EXIT_FAILED = 1
EXIT_UNAVAILABLE = 69
EXIT_TRY_LATER = 75
EXIT_NOT_PERMITTED = 77
EXIT_CONFIG = 78


class CubbydError(Exception):
    """Something failed in cubbyd."""

    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, message: str | None = None) -> None:
        """Take a message, or use the first line of the class's docstring."""
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


# --- configuration -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault in the configuration: the key, what was found, and what is allowed or to be done."""

    key: str
    found: str
    allowed: str

    def __str__(self) -> str:
        """Say the fault in one line."""
        found = f"found {self.found}; " if self.found else ""
        return f"{self.key}: {found}{self.allowed}"


class ConfigError(CubbydError):
    """The configuration is wrong."""

    exit_code = EXIT_CONFIG

    def __init__(self, file: Path | str, problems: tuple[Problem, ...]) -> None:
        """Name the file and every problem in it."""
        self.file = Path(file)
        self.problems = problems
        if len(problems) == 1:
            super().__init__(f"{file}: {problems[0]}")
        else:
            super().__init__("\n".join([f"{file}: {len(problems)} problems", *(f"  {problem}" for problem in problems)]))


class SecretHidden(ConfigError):
    """A secret is in its place, and this process may not read it."""


# --- files of the user -------------------------------------------------------------------------------------------------


class InputFileError(CubbydError):
    """A file that was given cannot be used."""

    def __init__(self, file: Path | str, reason: str, *, line: int | None = None) -> None:
        """Name the file, the line where there is one, and the way out."""
        self.file, self.line, self.reason = Path(file), line, reason
        super().__init__(f"{file}{f', line {line}' if line else ''}: {reason}")


class ModelFileError(CubbydError):
    """A model file cannot be used."""

    exit_code = EXIT_CONFIG

    def __init__(self, file: Path | str, reason: str) -> None:
        """Name the file and the way out."""
        self.file, self.reason = Path(file), reason
        super().__init__(f"{file}: {reason}")


class ModelStoreError(CubbydError):
    """The model store cannot do what was asked."""

    def __init__(self, place: Path | str, reason: str) -> None:
        """Name the folder or the file, and the way out."""
        self.place, self.reason = Path(place), reason
        super().__init__(f"{place}: {reason}")


# --- the state file ----------------------------------------------------------------------------------------------------


class StateError(CubbydError):
    """The state file cannot be used."""


class StateLocked(StateError):
    """Another cubbyd works on this state directory."""

    exit_code = EXIT_TRY_LATER


class IllegalTransition(StateError):
    """A mail was to go from one state to another that the life cycle does not allow."""


# --- the mailbox -------------------------------------------------------------------------------------------------------


class MailboxError(CubbydError):
    """The mail server did not do what was asked."""

    exit_code = EXIT_UNAVAILABLE


class MailboxUnavailable(MailboxError):
    """The mail server cannot be reached, or the connection broke; after this a connection is never used again."""

    def __init__(self, message: str | None = None, *, retry_after_seconds: float | None = None) -> None:
        """Carry the pause that the server itself asked for, in seconds."""
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class LoginRefused(MailboxError):
    """The mail server refused the user name or the password."""

    exit_code = EXIT_NOT_PERMITTED


class LoginEnded(LoginRefused):
    """A person must log in to the mailbox's provider again, or for the first time."""


class LoginNotOffered(MailboxError):
    """The mail server does not offer the way of logging in that is configured."""

    exit_code = EXIT_CONFIG


class InsecureConnection(MailboxError):
    """The connection is not as safe as the configuration demands."""

    exit_code = EXIT_CONFIG


class CommandRefused(MailboxError):
    """The mail server answered NO or BAD to a command; the connection is still good."""

    def __init__(self, message: str | None = None, *, code: str = "") -> None:
        """Carry the response code of RFC 5530, upper case, without brackets; empty where there is none."""
        self.code = code
        super().__init__(message)


class MailboxReadOnly(MailboxError):
    """The server lets this account only read the inbox."""


# --- the classifier ----------------------------------------------------------------------------------------------------


class ClassifierError(CubbydError):
    """The classifier gave no answer for a mail; this never becomes a category."""


class UnknownKind(ClassifierError):
    """The configuration names a classifier backend that is not installed."""

    exit_code = EXIT_CONFIG

    def __init__(self, kind: str, known: list[str]) -> None:
        """Name the key, what was found, and what is allowed."""
        self.kind, self.known = kind, known
        super().__init__(f"classifier.kind: found {kind!r}; allowed: {', '.join(known)}")


class ClassifierUnavailable(ClassifierError):
    """The classifier cannot be reached now; the mail is asked for again later."""

    exit_code = EXIT_UNAVAILABLE

    def __init__(self, message: str | None = None, *, retry_after_seconds: float | None = None) -> None:
        """Carry the pause that the backend itself asked for, in seconds."""
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class ClassifierRejected(ClassifierError):
    """The classifier refuses this one mail, and would refuse it again."""


class NeedsPerson(ClassifierRejected):
    """The classifier will not speak of this mail; a person must read it soon.

    What a provider's filter refuses is often what matters most: an injury, abuse, a threat.
    """


# --- hosted fine-tuning ------------------------------------------------------------------------------------------------


class TuningError(CubbydError):
    """The vendor did not do what was asked with a file or a job for fine-tuning."""


class TuningNotPermitted(TuningError):
    """The vendor does not let this account fine-tune."""

    exit_code = EXIT_NOT_PERMITTED


class TuningUnavailable(TuningError):
    """The vendor cannot be reached, or asks for a pause; the jobs go on without us."""

    exit_code = EXIT_UNAVAILABLE

    def __init__(self, message: str | None = None, *, retry_after_seconds: float | None = None) -> None:
        """Carry the pause that the vendor asked for, in seconds."""
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)
