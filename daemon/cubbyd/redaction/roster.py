"""The roster: the names of the facility's children, parents and staff, from a plain text file.

    # one full name a line; headings say who they are
    [children]
    Mia Hofmann
    [parents]
    Jana Hofmann
    [staff]
    Rosa Delgado

Names above the first heading belong to nobody in particular.
"""

from __future__ import annotations

import re
import stat
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from cubbyd.errors import InputFileError
from cubbyd.redaction.model import Kind

MAX_NAMES = 20_000
"""More is no roster of a facility, and each name costs time in every mail."""
MAX_NAME_CHARS = 100

HEADINGS = {"children": Kind.CHILD, "parents": Kind.PARENT, "staff": Kind.STAFF, "others": Kind.PERSON}

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_PARTICLES = frozenset(
    [
        "al",
        "ap",
        "ben",
        "bin",
        "bint",
        "da",
        "de",
        "del",
        "della",
        "den",
        "der",
        "des",
        "di",
        "do",
        "dos",
        "du",
        "e",
        "el",
        "la",
        "las",
        "le",
        "los",
        "mac",
        "mc",
        "of",
        "san",
        "st",
        "ten",
        "ter",
        "the",
        "und",
        "van",
        "vom",
        "von",
        "y",
        "zu",
        "zum",
        "zur",
    ]
)
_STROKES = str.maketrans({"ł": "l", "đ": "d", "ø": "o", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th"})
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def fold(word: str) -> str:
    """Fold case and accents, so that Zoë, zoe and ZOE are one."""
    if word.isascii():
        return word.lower()
    spread = unicodedata.normalize("NFKD", word.replace("’", "'").casefold().translate(_STROKES))
    return "".join(letter for letter in spread if not unicodedata.combining(letter))


def spellings(word: str) -> set[str]:
    """Give the folded spellings of a word: Müller is written Mueller and Muller."""
    return {fold(word), fold(word.lower().translate(_UMLAUTS))}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the roster."""

    name: str
    kind: Kind
    line: int = 0


@dataclass(frozen=True, slots=True)
class Roster:
    """The people of a facility, indexed by the words of their names."""

    people: tuple[Person, ...] = ()
    parts: dict[str, tuple[Person, ...]] = field(init=False, repr=False)
    """Folded word -> everybody in whose name it is."""
    first: frozenset[str] = field(init=False, repr=False)
    """The first words of the names, folded."""

    def __post_init__(self) -> None:
        """Index the names."""
        parts: dict[str, list[Person]] = defaultdict(list)
        for person in self.people:
            for word in _WORD.findall(person.name):
                if len(word) > 1 and fold(word) not in _PARTICLES:
                    for spelling in spellings(word):
                        parts[spelling].append(person)
        first = {fold(words[0]) for person in self.people if (words := _WORD.findall(person.name))}
        object.__setattr__(self, "first", frozenset(first))
        object.__setattr__(self, "parts", {word: tuple(dict.fromkeys(bearers)) for word, bearers in parts.items()})

    def identify(self, words: list[str]) -> tuple[Kind, str]:
        """Tell who is meant by one or more words of a name: the kind, and a key that all mentions of that person share.

        A word that several people share stands for itself; its kind is theirs where they agree.
        """
        bearers: set[Person] = set()
        for word in words:
            these = set(self.parts.get(word, ()))
            bearers = (bearers & these) or bearers or these
        kinds = {person.kind for person in bearers}
        kind = kinds.pop() if len(kinds) == 1 else Kind.PERSON
        if len(bearers) == 1:
            return kind, f"roster {next(iter(bearers)).name}"
        return kind, " ".join(words)


def parse_roster(text: str, file: Path | str) -> Roster:
    """Read a roster. Raises InputFileError that names the file and the line."""
    people: list[Person] = []
    kind = Kind.PERSON
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        if entry.startswith("["):
            heading = entry.strip("[]").strip().lower()
            if heading not in HEADINGS:
                allowed = ", ".join(f"[{name}]" for name in HEADINGS)
                raise InputFileError(file, f"unknown heading; allowed: {allowed}", line=number)
            kind = HEADINGS[heading]
        elif not _WORD.search(entry) or len(entry) > MAX_NAME_CHARS:
            raise InputFileError(file, "is no name; write one full name a line", line=number)
        else:
            people.append(Person(name=unicodedata.normalize("NFC", entry), kind=kind, line=number))
    if len(people) > MAX_NAMES:
        raise InputFileError(file, f"has {len(people):,} names; at most {MAX_NAMES:,} are taken")
    return Roster(tuple(people))


def read_roster(file: Path) -> Roster:
    """Read a roster file, which nobody else may read. Raises InputFileError."""
    try:
        mode = file.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InputFileError(file, f"can be read by others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {file}")
        return parse_roster(file.read_text(encoding="utf-8-sig"), file)
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InputFileError(file, "is not UTF-8; save it as UTF-8 and try again") from None
