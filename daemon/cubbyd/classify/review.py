"""What is odd about a list of rules: a rule that never decides, and rules that contradict each other. Pure.

What is found is certain, and what is not found may still be odd: conditions are compared by what their values imply (an
address its domain, a domain those above it, a phrase the phrases in it, a text of a header field the texts in it), not by
what mail there is. A rule is taken apart into its cases, one value of each condition; a case that implies all conditions of
an earlier rule is decided by that one. Not looked for are conditions that no mail ever meets for other reasons, and rules
that may meet in one mail without one of them implying the other: there the order decides, which is what an order is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from math import prod
from typing import Final

from cubbyd.classify.rule import Condition, Rule, What, is_within
from cubbyd.message.phrase import contains_phrase

MAX_CASES: Final = 200
"""Of one rule; one with more is compared as a whole, with one earlier rule at a time."""


class Oddity(StrEnum):
    """What is odd about a rule."""

    IMPOSSIBLE = "impossible"  # its conditions exclude each other
    CONTRADICTED = "contradicted"  # earlier rules decide all of its mail, at least some of it otherwise
    DUPLICATE = "duplicate"  # an earlier rule has the same conditions and the same outcome
    SUPERFLUOUS = "superfluous"  # earlier rules decide all of its mail, and all as it would
    PARTLY = "partly contradicted"  # earlier rules decide some of its cases otherwise


ERRORS: Final = frozenset({Oddity.IMPOSSIBLE, Oddity.CONTRADICTED})
"""The admin wanted something that does not happen; the others only do nothing, or less than they seem to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One oddity of one rule."""

    rule: str
    oddity: Oddity
    others: tuple[str, ...] = ()
    """The names of the earlier rules that it is about."""
    text: str
    """All of it in one sentence, with the way out."""

    @property
    def is_error(self) -> bool:
        """Tell whether the rule can never do what it says."""
        return self.oddity in ERRORS

    @property
    def never_decides(self) -> bool:
        """Tell whether the rule decides no mail whatever."""
        return self.oddity is not Oddity.PARTLY


Case = tuple[Condition, ...]
Wanted = tuple[tuple[Condition, frozenset[str]], ...]
"""The conditions of an earlier rule, each with its values as a set."""


def review_rules(rules: Sequence[Rule]) -> tuple[Finding, ...]:
    """Say what is odd about rules, in their order; at most one finding for each."""
    sets = [(rule, tuple((one, frozenset(one.values)) for one in rule.conditions)) for rule in rules]
    found = (_review(rule, sets[:place]) for place, rule in enumerate(rules))
    return tuple(finding for finding in found if finding is not None)


def _review(rule: Rule, earlier: Sequence[tuple[Rule, Wanted]]) -> Finding | None:
    cases = [case for case in _cases(rule) if _is_possible(case)]
    if not cases:
        return Finding(
            rule=rule.name,
            oddity=Oddity.IMPOSSIBLE,
            text=f"rule {rule.name!r} can never match: no address of its from is in a domain of its from_domain; "
            "take one of the two out, or make two rules of it",
        )
    deciders = [next((one for one, wanted in earlier if _implies(case, wanted)), None) for case in cases]
    if all(deciders):
        return _never_decides(rule, [one for one in deciders if one])
    otherwise = [
        (case, one) for case, one in zip(cases, deciders, strict=True) if one is not None and one.category != rule.category
    ]
    return _partly(rule, otherwise) if otherwise else None


def _never_decides(rule: Rule, deciders: Sequence[Rule]) -> Finding:
    others = tuple(dict.fromkeys(one.name for one in deciders))
    before = ", ".join(map(repr, others))
    if any(one.category != rule.category for one in deciders):
        does = ", ".join(dict.fromkeys(one.outcome for one in deciders))
        oddity, text = Oddity.CONTRADICTED, f"says {rule.outcome}, and {before}, before it, says {does} of the same mail"
        text += "; move it up, or take it out"
    elif any(_conditions(one) == _conditions(rule) for one in deciders):
        oddity, text = Oddity.DUPLICATE, f"says the same as {before}, before it; take it out"
    else:
        oddity, text = Oddity.SUPERFLUOUS, f"is not needed: {before}, before it, decides all of its mail the same way"
    return Finding(rule=rule.name, oddity=oddity, others=others, text=f"rule {rule.name!r} never decides: it {text}")


def _partly(rule: Rule, otherwise: Sequence[tuple[Case, Rule]]) -> Finding:
    others = tuple(dict.fromkeys(one.name for _, one in otherwise))
    case, first = otherwise[0]
    where = " and ".join(_spell(condition) for condition in case)
    text = f"rule {rule.name!r} says {rule.outcome}, but where {where}, {first.name!r}, before it, says {first.outcome}"
    more = len(otherwise) - 1
    text += f" (and {more} more such {'case' if more == 1 else 'cases'})" if more else ""
    return Finding(rule=rule.name, oddity=Oddity.PARTLY, others=others, text=text)


def _spell(condition: Condition) -> str:
    key = f"header.{condition.header}" if condition.header else condition.what
    return f"{key} is {condition.values[0]!r}"


def _conditions(rule: Rule) -> set[tuple[What, str, frozenset[str]]]:
    return {(one.what, one.header, frozenset(one.values)) for one in rule.conditions}


def _cases(rule: Rule) -> list[Case]:
    """Take a rule apart: a mail for which it holds is one of at least one case."""
    if prod(len(condition.values) for condition in rule.conditions) > MAX_CASES:
        return [rule.conditions]
    single = ([Condition(what=one.what, header=one.header, values=(value,)) for value in one.values] for one in rule.conditions)
    return list(product(*single))


def _is_possible(case: Case) -> bool:
    """Tell whether a mail can meet this, as far as that can be told: one sender has one address."""
    senders = [value for one in case if one.what is What.FROM for value in one.values]
    domains = [value for one in case if one.what is What.FROM_DOMAIN for value in one.values]
    return not (senders and domains) or any(is_within(_domain(sender), domain) for sender in senders for domain in domains)


def _implies(case: Case, wanted: Wanted) -> bool:
    """Tell whether every mail of the case meets every condition of an earlier rule."""
    return all(any(_condition_implies(given, one, values) for given in case) for one, values in wanted)


def _condition_implies(given: Condition, wanted: Condition, values: frozenset[str]) -> bool:
    """Tell whether each value of the one implies some value of the other."""
    if given.header != wanted.header:
        return False
    if given.what is not wanted.what and not (given.what is What.FROM and wanted.what is What.FROM_DOMAIN):
        return False
    return all(value in values or _value_implies(given, value, wanted) for value in given.values)


def _value_implies(given: Condition, value: str, wanted: Condition) -> bool:
    """Tell whether a value implies one of the others that is not the same."""
    match wanted.what:
        case What.FROM_DOMAIN:
            domain = _domain(value) if given.what is What.FROM else value
            return any(is_within(domain, other) for other in wanted.values)
        case What.SUBJECT_WORDS:
            return any(contains_phrase(value, other) for other in wanted.values)
        case What.HEADER:
            return any(other in value for other in wanted.values)
        case _:
            return False


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
