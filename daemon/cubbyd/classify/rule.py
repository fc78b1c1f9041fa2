"""Rules as values: compiled once from the configuration, and looked up for each mail. Pure.

A condition holds where one of its values does, a rule where all its conditions hold, and the first rule that holds decides.
What a mail shows to them is worked out once a mail, so that a thousand rules cost a thousand look-ups in sets; no pattern
is matched, and everything is linear in what the message side has let through.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cubbyd.config import RuleSection
from cubbyd.message.header import read_values
from cubbyd.message.model import ParsedMessage
from cubbyd.message.phrase import PhraseIndex, fold, normalize_phrase, split_words
from cubbyd.message.unicode import clean_line
from cubbyd.taxonomy import CategoryId

MAX_DOMAIN_CHARS: Final = 253
"""Of a domain name (RFC 1035, 2.3.4, without the dot at its end); what is longer is none."""
DIGEST_CHARS: Final = 12


class What(StrEnum):
    """What of a mail a condition looks at; the value is its key in the configuration."""

    FROM = "from"  # the sender's address
    FROM_DOMAIN = "from_domain"  # its domain, or a domain above that
    TO = "to"  # an address in To or Cc
    SUBJECT_WORDS = "subject_words"  # whole words of the subject
    LIST_ID = "list_id"  # the id of the mailing list (RFC 2919)
    HEADER = "header"  # a field of the header


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that must hold: one of the values, normalized, is found in what is looked at."""

    what: What
    values: tuple[str, ...]
    header: str = ""
    """The lower-case name of the field; empty but for What.HEADER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When it holds, and what then becomes of the mail."""

    name: str
    conditions: tuple[Condition, ...]
    category: CategoryId | None
    """None: the mail is never touched."""

    @property
    def outcome(self) -> str:
        """Say what becomes of a mail, for people."""
        return "never touch" if self.category is None else self.category


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What of one mail the rules look at, normalized as their values are."""

    sender: str
    domains: frozenset[str]
    """The sender's domain and all above it."""
    recipients: frozenset[str]
    phrases: frozenset[str]
    """Those of the rules' phrases that stand in the subject."""
    list_id: str
    headers: Mapping[str, tuple[str, ...]]
    """The fields that a rule looks at."""


class Rulebook:
    """All rules in their order, ready to be asked about any number of mails; it never changes."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Take the rules."""
        self.rules = tuple(rules)
        self.digest = digest_of(rules)
        conditions = [condition for rule in rules for condition in rule.conditions]
        self._index = PhraseIndex(
            value for condition in conditions if condition.what is What.SUBJECT_WORDS for value in condition.values
        )
        self._has_phrases = any(condition.what is What.SUBJECT_WORDS for condition in conditions)
        self._fields = frozenset(condition.header for condition in conditions if condition.what is What.HEADER)
        self._tests = tuple((rule, tuple(map(_Test, rule.conditions))) for rule in rules)

    def find(self, message: ParsedMessage) -> Rule | None:
        """Give the first rule that holds for a mail; None where none does."""
        traits = self.look_at(message)
        return next((rule for rule, tests in self._tests if all(test.holds(traits) for test in tests)), None)

    def look_at(self, message: ParsedMessage) -> Traits:
        """Work out what of a mail the rules look at."""
        sender = normalize_address(message.sender.address)
        return Traits(
            sender=sender,
            domains=_domains_above(sender.rpartition("@")[2]) if "@" in sender else frozenset(),
            recipients=frozenset(normalize_address(one.address) for one in (*message.to, *message.cc) if one.address),
            phrases=self._index.find(split_words(message.subject)) if self._has_phrases else frozenset(),
            list_id=normalize_list_id(message.list_id),
            headers={name: tuple(map(fold, read_values(message.headers, name))) for name in self._fields},
        )


class _Test:
    """A condition, ready to be tried."""

    __slots__ = ("_condition", "_values")

    def __init__(self, condition: Condition) -> None:
        self._condition, self._values = condition, frozenset(condition.values)

    def holds(self, traits: Traits) -> bool:
        match self._condition.what:
            case What.FROM:
                return traits.sender in self._values
            case What.FROM_DOMAIN:
                return not self._values.isdisjoint(traits.domains)
            case What.TO:
                return not self._values.isdisjoint(traits.recipients)
            case What.SUBJECT_WORDS:
                return not self._values.isdisjoint(traits.phrases)
            case What.LIST_ID:
                return traits.list_id in self._values
            case What.HEADER:
                found = traits.headers.get(self._condition.header, ())
                return any(part in value for value in found for part in self._condition.values)


def compile_rules(sections: Iterable[RuleSection]) -> tuple[Rule, ...]:
    """Make the rules that the configuration describes, in its order."""
    return tuple(
        Rule(
            name=section.name,
            conditions=tuple(_conditions(section)),
            category=None if section.category is None else CategoryId(section.category),
        )
        for section in sections
    )


def _conditions(section: RuleSection) -> Iterable[Condition]:
    listed = (
        (What.FROM, section.from_, normalize_address),
        (What.FROM_DOMAIN, section.from_domain, normalize_domain),
        (What.TO, section.to, normalize_address),
        (What.SUBJECT_WORDS, section.subject_words, normalize_phrase),
        (What.LIST_ID, section.list_id, normalize_list_id),
    )
    for what, values, normalize in listed:
        if values is not None:
            yield Condition(what=what, values=_distinct(map(normalize, values)))
    for name, values in (section.header or {}).items():
        yield Condition(what=What.HEADER, header=name.lower(), values=_distinct(fold(clean_line(value)) for value in values))


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def digest_of(rules: Sequence[Rule]) -> str:
    """Give a short fingerprint of the rules, which changes when their answers may change."""
    plain = [
        [rule.name, rule.category, [[one.what, one.header, sorted(one.values)] for one in rule.conditions]] for rule in rules
    ]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:DIGEST_CHARS]


# --- one spelling for what is compared ---------------------------------------------------------------------------------


def normalize_address(address: str) -> str:
    """Give an address as it is compared: without case, its domain in ASCII."""
    local, at, domain = address.strip().rpartition("@")
    return f"{fold(local)}{at}{normalize_domain(domain)}"


def normalize_domain(domain: str) -> str:
    """Give a domain as it is compared: without case and a dot at its end; other scripts by IDNA (RFC 3490) where possible."""
    plain = fold(domain.strip()).rstrip(".")
    if plain.isascii() or len(plain) > MAX_DOMAIN_CHARS:
        return plain
    try:
        coded = plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain
    return coded if len(coded) <= MAX_DOMAIN_CHARS else plain


def normalize_list_id(text: str) -> str:
    """Give the id of a List-Id field: what stands in angle brackets (RFC 2919, 3), or all of it; without case."""
    line = clean_line(text)
    _, opened, rest = line.rpartition("<")
    return fold((rest.partition(">")[0] if opened else line).strip())


def is_within(domain: str, outer: str) -> bool:
    """Tell whether a domain is another or below it; both are normalized."""
    return domain == outer or domain.endswith(f".{outer}")


def _domains_above(domain: str) -> frozenset[str]:
    if not domain or len(domain) > MAX_DOMAIN_CHARS:
        return frozenset()
    labels = domain.split(".")
    return frozenset(".".join(labels[start:]) for start in range(len(labels)))
