"""What `cubbyd check` finds odd about rules, rule by rule."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cubbyd.classify.review import Finding, Oddity, review_rules
from cubbyd.classify.rule import compile_rules
from cubbyd.config import RuleSection


def review(*rules: dict[str, Any]) -> tuple[Finding, ...]:
    """Name them a, b, c…; they say billing where they do not say anything."""
    return review_rules(
        compile_rules(
            RuleSection.model_validate({"name": name, **({} if "never_touch" in rule else {"category": "billing"}), **rule})
            for name, rule in zip("abcdefgh", rules, strict=False)
        )
    )


def oddity(*rules: dict[str, Any]) -> Oddity | None:
    found = review(*rules)
    assert len(found) <= 1
    return found[0].oddity if found else None


MEALS = {"category": "meals"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"from": "a@b.example"}, {"from": "A@B.example"}),
        ({"from_domain": "b.example"}, {"from": "a@b.example"}),
        ({"from_domain": "b.example"}, {"from_domain": "mail.b.example"}),
        ({"to": ["x@b.example", "y@b.example"]}, {"to": "y@b.example"}),
        ({"subject_words": "note"}, {"subject_words": ["credit note", "note of debit"]}),
        ({"list_id": "l.example"}, {"list_id": "The List <l.example>"}),
        ({"header": {"X-A": "b"}}, {"header": {"x-a": "abc", "X-B": "1"}}),
        ({"header": {"X-A": ""}}, {"header": {"X-A": "1"}}),
        ({"from": "a@b.example"}, {"from": "a@b.example", "subject_words": "x"}),
    ],
)
def test_a_rule_of_which_an_earlier_one_takes_all_mail_never_decides(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert oddity(first, second | MEALS) is Oddity.CONTRADICTED
    assert oddity(first, second) in (Oddity.SUPERFLUOUS, Oddity.DUPLICATE)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"from": "a@b.example"}, {"from_domain": "b.example"}),
        ({"from_domain": "mail.b.example"}, {"from_domain": "b.example"}),
        ({"from_domain": "b.example"}, {"from_domain": "ab.example"}),
        ({"subject_words": "credit note"}, {"subject_words": "note"}),
        ({"subject_words": "not"}, {"subject_words": "note"}),
        ({"header": {"X-A": "abc"}}, {"header": {"X-A": "b"}}),
        ({"header": {"X-A": "b"}}, {"header": {"X-B": "b"}}),
        ({"from": "a@b.example", "subject_words": "x"}, {"from": "a@b.example"}),
        ({"from": "a@b.example"}, {"to": "a@b.example"}),
        ({"from_domain": "b.example"}, {"subject_words": "x"}),
    ],
)
def test_an_exception_before_a_rule_and_rules_about_other_things_are_not_odd(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert oddity(first, second | MEALS) is None


def test_the_same_conditions_in_another_order_are_the_same() -> None:
    (found,) = review({"to": ["x@b.example", "y@b.example"]}, {"to": ["Y@b.example", "x@b.example"]})

    assert found.oddity is Oddity.DUPLICATE
    assert not found.is_error
    assert found.text == "rule 'b' never decides: it says the same as 'a', before it; take it out"


def test_a_contradiction_is_an_error_that_names_both_and_what_they_say() -> None:
    (found,) = review({"from_domain": "b.example"}, {"from": "a@b.example", "never_touch": True})

    assert found.is_error
    assert (found.rule, found.others) == ("b", ("a",))
    assert found.text == (
        "rule 'b' never decides: it says never touch, and 'a', before it, says billing of the same mail; move it up, or take it out"
    )


def test_several_earlier_rules_can_take_all_mail_together() -> None:
    either = {"from": ["a@b.example", "c@d.example"]}

    (found,) = review({"from": "a@b.example"}, {"from_domain": "d.example"} | MEALS, either)

    assert (found.oddity, found.others) == (Oddity.CONTRADICTED, ("a", "b"))


def test_a_value_that_an_earlier_rule_takes_is_named() -> None:
    (found,) = review({"from": "a@b.example"}, {"from": ["c@d.example", "a@b.example"], "subject_words": "x"} | MEALS)

    assert found.oddity is Oddity.PARTLY
    assert not found.is_error
    assert not found.never_decides
    assert "where from is 'a@b.example' and subject_words is 'x', 'a', before it, says billing" in found.text
    assert review({"from": "a@b.example"}, {"from": ["c@d.example", "a@b.example"]}) == ()


def test_a_sender_outside_of_the_domain_is_impossible() -> None:
    (found,) = review({"from": "a@b.example", "from_domain": ["c.example", "d.example"]})

    assert found.oddity is Oddity.IMPOSSIBLE
    assert found.is_error
    assert oddity({"from": "a@mail.b.example", "from_domain": "b.example"}) is None
    assert oddity({"from": ["a@b.example", "a@c.example"], "from_domain": "b.example"}) is None


def test_a_rule_with_very_many_values_is_compared_with_one_earlier_rule_at_a_time() -> None:
    many = {"from": [f"a{number}@b.example" for number in range(1000)]}

    assert oddity({"from_domain": "b.example"}, many | MEALS) is Oddity.CONTRADICTED
    assert oddity(many, many) is Oddity.DUPLICATE


def test_many_rules_are_reviewed_while_one_waits() -> None:
    rules = compile_rules(
        RuleSection.model_validate(
            {"name": f"{number}", "category": "billing", "from": [f"a{number}-{part}@b.example" for part in range(20)]}
        )
        for number in range(300)
    )
    began = time.process_time()

    assert review_rules(rules) == ()
    assert time.process_time() - began < 20
