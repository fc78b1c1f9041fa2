"""The admin's rules before any model: a mail that a rule decides is not shown to the classifier behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from cubbyd.classify.members import OpenKind, Outcome, ask_member, cover, settle
from cubbyd.classify.protocol import Classifier, Prediction, Provenance, Reason
from cubbyd.classify.rule import Rule, Rulebook, compile_rules
from cubbyd.config import Config
from cubbyd.errors import ConfigError, Problem
from cubbyd.message import RENDERER_VERSION
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

KIND: Final = "rules"
NO_RULE: Final = "no rule matches"


class RuledClassifier:
    """Rules, and the classifier that is asked about what no rule decides; as thread-safe as that one is.

    What a rule decided is said to be from the rules; what the classifier decided is said to be from it and from the rules,
    which left the mail to it.
    """

    def __init__(self, rulebook: Rulebook, inner: Classifier, *, order: Iterable[CategoryId] = ()) -> None:
        """Take the rules, the classifier, which is closed with this, and the order in which categories are listed."""
        self.inner = inner
        self.batch_size = inner.batch_size
        known = dict.fromkeys([*inner.categories, *(rule.category for rule in rulebook.rules if rule.category is not None)])
        self.categories = tuple(dict.fromkeys([*(category for category in order if category in known), *known]))
        version = f"{inner.provenance.model} {KIND}:{rulebook.digest}"
        self.provenance = replace(inner.provenance, model=version)
        self._by_rule = Provenance(kind=KIND, model=rulebook.digest, renderer=inner.provenance.renderer)
        self._rulebook = rulebook

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input, in order.

        Raises ClassifierUnavailable where the classifier is down and no rule decides any of these mails; else that is the
        answer for the mails that need it.
        """
        rules = [self._rulebook.find(given.message) for given in inputs]
        others = iter(ask_member(self.inner, [given for given, rule in zip(inputs, rules, strict=True) if rule is None]))
        return settle([self._left_to_it(next(others)) if rule is None else self._decided_by(rule) for rule in rules])

    def close(self) -> None:
        """Close the classifier behind the rules."""
        self.inner.close()

    def _left_to_it(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Prediction):
            return outcome
        return replace(outcome, probabilities=cover(outcome.probabilities, self.categories), provenance=self.provenance)

    def _decided_by(self, rule: Rule) -> Prediction:
        return by_rule(rule, self.categories, self._by_rule)


class RulesClassifier:
    """Rules alone: a mail for which none holds is left to people. It never changes: any number of threads may use it."""

    batch_size: int = 50

    def __init__(self, rulebook: Rulebook, categories: Iterable[CategoryId]) -> None:
        """Take the rules and the facility's categories."""
        self.categories = tuple(categories)
        self.provenance = Provenance(kind=KIND, model=rulebook.digest, renderer=RENDERER_VERSION)
        self._rulebook = rulebook

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction]:
        """Answer for each input, in order; there is always an answer."""
        return [self._answer(given) for given in inputs]

    def close(self) -> None:
        """Do nothing: the rules are in memory alone."""

    def _answer(self, given: ClassifierInput) -> Prediction:
        rule = self._rulebook.find(given.message)
        if rule is None:
            return Prediction(probabilities=_evenly(self.categories), provenance=self.provenance, hold=NO_RULE)
        return by_rule(rule, self.categories, self.provenance)


def by_rule(rule: Rule, categories: Sequence[CategoryId], provenance: Provenance) -> Prediction:
    """Make the answer for a mail that a rule decides."""
    said = f"rule {rule.name}"
    if rule.category is None:
        return Prediction(
            probabilities=_evenly(categories),
            provenance=provenance,
            reasons=(Reason(text=said, weight=1.0),),
            hold=f"{said}: never touch",
            stays=True,
        )
    return Prediction(
        probabilities={category: float(category == rule.category) for category in categories},
        provenance=provenance,
        reasons=(Reason(text=said, weight=1.0),),
    )


def _evenly(categories: Sequence[CategoryId]) -> dict[CategoryId, float]:
    return {category: 1 / len(categories) for category in categories}


def rulebook_of(config: Config) -> Rulebook:
    """Make the rules of the configuration ready."""
    return Rulebook(compile_rules(config.rules))


def open_rules(config: Config, _: OpenKind) -> RulesClassifier:
    """Open the rules alone. Raises ConfigError where there are none: every mail would be held for ever."""
    if not config.rules:
        allowed = 'kind = "rules" needs at least one table [[rules]]; config.example.toml shows it'
        raise ConfigError(config.file, (Problem(key=KIND, found="", allowed=allowed),))
    return RulesClassifier(rulebook_of(config), config.taxonomy.ids)
