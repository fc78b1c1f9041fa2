"""[[rules]] and [urgent] in the file: what is taken, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.configuration import fault, load

from cubbyd.classify.registry import load_classifier
from cubbyd.classify.ruled import RulesClassifier
from cubbyd.classify.urgent import UrgentClassifier
from cubbyd.errors import ConfigError

RULE = '[[rules]]\nname = "bills"\n'
DOES = 'category = "billing"\n'


def test_without_a_rule_there_is_none_and_the_net_is_on(tmp_path: Path) -> None:
    config = load(tmp_path / "c.toml")

    assert config.rules == ()
    assert config.urgent.enabled


def test_one_text_is_a_list_of_one(tmp_path: Path) -> None:
    (rule,) = load(tmp_path / "c.toml", f'{RULE}{DOES}from = "a@b.example"\nheader = {{ X-A = "1" }}').rules

    assert rule.from_ == ("a@b.example",)
    assert rule.header == {"X-A": ("1",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{RULE}{DOES}", "rule 'bills' has no condition and would match every mail; give one of from, from_domain"),
        (f"{RULE}{DOES}header = {{}}", "has no condition"),
        (f'{RULE}to = "a@b.example"', 'exactly one of category = "…" and never_touch = true (found neither)'),
        (f'{RULE}{DOES}never_touch = true\nto = "a@b.example"', "(found both)"),
        (f"{RULE}{DOES}to = []", "rules[1].to: is an empty list, so that the rule could never match"),
        (f"{RULE}{DOES}to = 5", "rules[1].to: found 5; must be a text, or a list of texts"),
        (f"{RULE}{DOES}to = [5]", "rules[1].to[1]"),
        (f'{RULE}{DOES}from = "b.example"', "for a whole domain use from_domain"),
        (f'{RULE}{DOES}from_domain = "a@b.example"', "for one address use from"),
        (f'{RULE}{DOES}from_domain = "*.b.example"', "its subdomains are meant as well"),
        (f'{RULE}{DOES}subject_words = "!?"', "must have 1 to 12 words (letters or digits), and has 0"),
        (f'{RULE}{DOES}subject_words = "{"a " * 13}"', "and has 13"),
        (f'{RULE}{DOES}form = "a@b.example"', "did you mean from? allowed: category, from, from_domain"),
        (f'{RULE}{DOES}header = {{ "X A" = "1" }}', "rules[1].header"),
        (f'{RULE}category = "bills"\nto = "a@b.example"', "rule 'bills' has the category 'bills'; allowed: absence, billing"),
        (f'{RULE}{DOES}to = "a@b.example"\n' * 2, "two have the name 'bills'"),
        ('[[rules]]\nto = "a@b.example"\ncategory = "billing"', "rules[1].name: is missing"),
        ('[[rules]]\nname = "a\\nb"\nto = "a@b.example"\ncategory = "billing"', "must be one line"),
        ('[urgent]\nenabled = "yes"', "urgent.enabled"),
        ('[urgent]\nwords = ["?"]', "urgent.words[1]"),
        ("[urgent]\nword = []", "did you mean words?"),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(tmp_path: Path, text: str, said: str) -> None:
    assert said in str(fault(tmp_path / "c.toml", text))


def test_rules_alone_are_a_kind(tmp_path: Path) -> None:
    classifier = load_classifier(load(tmp_path / "c.toml", f'[classifier]\nkind = "rules"\n{RULE}{DOES}to = "a@b.example"'))

    assert isinstance(classifier, UrgentClassifier)
    assert isinstance(classifier.inner, RulesClassifier)
    assert classifier.categories == ("absence", "billing")


def test_rules_alone_without_a_rule_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"at least one table \[\[rules\]\]"):
        load_classifier(load(tmp_path / "c.toml", '[classifier]\nkind = "rules"'))


def test_rules_as_a_member_read_no_model_file(tmp_path: Path) -> None:
    tables = '[classifier]\nkind = "cascade"\n[classifier.cascade]\nfirst = "local"\nthen = { kind = "rules", model = "x" }\n'

    assert 'kind = "rules" reads no model file; its keys are in [[rules]]' in str(fault(tmp_path / "c.toml", tables))
