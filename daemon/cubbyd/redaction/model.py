"""The values of redaction: what is replaced, by whom it was found, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cubbyd.errors import ClassifierRejected


class Kind(StrEnum):
    """What a piece of text is; a placeholder bears its name: [CHILD_1]."""

    CHILD = "CHILD"
    PARENT = "PARENT"
    STAFF = "STAFF"
    PERSON = "PERSON"  # somebody of whom the roster does not say who it is
    EMAIL = "EMAIL"
    URL = "URL"
    IBAN = "IBAN"
    PHONE = "PHONE"
    ADDRESS = "ADDRESS"
    BIRTHDATE = "BIRTHDATE"
    NUMBER = "NUMBER"  # of an account, a customer, a policy, a case


PEOPLE = frozenset((Kind.CHILD, Kind.PARENT, Kind.STAFF, Kind.PERSON))


class Finder(StrEnum):
    """What found a piece of text."""

    PATTERN = "pattern"  # by its shape
    ROSTER = "roster"  # by the facility's list of names
    HEADER = "header"  # by the names and addresses in the mail's header
    CUE = "cue"  # by the words around it: a title, a greeting, a signature, "my son"
    NAMES = "names"  # by the lists of names and of ordinary words
    REPEAT = "repeat"  # found elsewhere in the same mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of one text that is to be replaced: text[start:end]."""

    start: int
    end: int
    kind: Kind
    finder: Finder
    key: str = ""
    """Who or what it is, in a spelling that all its mentions share; empty: the text itself, folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """The texts of one mail after masking, with what was masked in each of them and what is still there."""

    texts: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...]
    """Offsets into the texts as they were before."""
    leaks: tuple[str, ...] = ()
    """What the last check found that must not leave, in fixed phrases without mail text; empty is what it should be."""


class RedactionFailed(ClassifierRejected):
    """A name or an address is still there after masking; nothing was sent."""

    def __init__(self, leaks: tuple[str, ...]) -> None:
        """Say what kind of thing is still there, never the thing itself."""
        self.leaks = leaks
        super().__init__(f"not sent: after masking there is still {', '.join(leaks)}; file this mail by hand")
