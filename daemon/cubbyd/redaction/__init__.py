"""Masking: a mail that names nobody, for whatever leaves the building. Pure; docs/redaction.md says what it can and cannot do.

roster      the facility's own list of names            vocabulary  lists of names and of ordinary words
pattern     what has a shape: e-mail, phone, numbers    address     streets and towns
known       names of the roster and of the header       person      names told by cues and lists
words       the words of those cues                     redactor    all of it, for the texts of one mail
"""

from cubbyd.redaction.model import Finder, Kind, Redacted, RedactionFailed, Span
from cubbyd.redaction.redactor import Redactor
from cubbyd.redaction.roster import Roster, parse_roster, read_roster
from cubbyd.redaction.vocabulary import NamesMissing, Vocabulary, load_vocabulary

__all__ = [
    "Finder",
    "Kind",
    "NamesMissing",
    "Redacted",
    "RedactionFailed",
    "Redactor",
    "Roster",
    "Span",
    "Vocabulary",
    "load_vocabulary",
    "parse_roster",
    "read_roster",
]
