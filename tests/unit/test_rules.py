"""The admin's rules: what each condition means, who decides, and who is asked."""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest
from tests.composite import BILLING, CATEGORIES, DOWN, PICKUP, Told, mail, only

from cubbyd.classify.cascade import CascadeClassifier
from cubbyd.classify.rule import Rulebook, compile_rules
from cubbyd.classify.ruled import RuledClassifier, RulesClassifier
from cubbyd.config import RuleSection
from cubbyd.errors import ClassifierUnavailable
from cubbyd.message import ClassifierInput, ParsedMessage, parse, render
from cubbyd.taxonomy import CategoryId


def book(*rules: dict[str, Any]) -> Rulebook:
    named = (
        {"name": f"rule {number}", **({} if "never_touch" in rule else {"category": "billing"}), **rule}
        for number, rule in enumerate(rules, 1)
    )
    return Rulebook(compile_rules(RuleSection.model_validate(rule) for rule in named))


def message(**fields: str) -> ParsedMessage:
    """A mail with these fields, read as every mail is; `_` stands for `-`."""
    written = EmailMessage()
    for name, value in {"From": "Ann <ann@mail.caterer.example>", "To": "office@cubby.example", "Subject": "Hello"}.items():
        if name.lower() not in {key.lower() for key in fields}:
            written[name] = value
    for name, value in fields.items():
        written[name.replace("_", "-")] = value
    written.set_content("See above.")
    return parse(written.as_bytes())


def given(**fields: str) -> ClassifierInput:
    return render(message(**fields))


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ({"from": "ANN@mail.caterer.example"}, {}),
        ({"from": ["bob@x.example", "ann@mail.Caterer.example"]}, {}),
        ({"from_domain": "mail.caterer.example"}, {}),
        ({"from_domain": "Caterer.example."}, {}),
        ({"from_domain": "example"}, {}),
        ({"from_domain": "müller.example"}, {"from": "ann@post.xn--mller-kva.example"}),
        ({"to": "office@cubby.example"}, {}),
        ({"to": "second@cubby.example"}, {"to": "a@b.example, Office <second@Cubby.example>"}),
        ({"to": "copy@cubby.example"}, {"cc": "copy@cubby.example"}),
        ({"subject_words": "credit note"}, {"subject": "Re: Your Credit-Note 7"}),
        ({"subject_words": ["bill", "Gebühr"]}, {"subject": "GEBÜHR für Mai"}),
        ({"list_id": "news.list.example"}, {"List_Id": "The News <News.list.example>"}),
        ({"list_id": "<news.list.example>"}, {"List_Id": "news.list.example"}),
        ({"header": {"x-mailer": "kitchen"}}, {"X_Mailer": "SuperKitchen 3"}),
        ({"header": {"X-Mailer": ""}}, {"X_Mailer": "anything"}),
        ({"header": {"X-Note": ["no", "größe"]}}, {"X_Note": "=?utf-8?q?Die_GR=C3=96SSE?="}),
        ({"header": {"X-A": "1", "X-B": "2"}}, {"X_A": "1", "X_B": "12"}),
    ],
)
def test_a_condition_holds(rule: dict[str, Any], fields: dict[str, str]) -> None:
    assert book(rule).find(message(**fields)) is not None


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ({"from": "nn@mail.caterer.example"}, {}),
        ({"from": "ann@caterer.example"}, {}),
        ({"from_domain": "terer.example"}, {}),
        ({"from_domain": "deep.mail.caterer.example"}, {}),
        ({"to": "office@cubby.example"}, {"to": "x@y.example", "Reply_To": "office@cubby.example"}),
        ({"subject_words": "bill"}, {"subject": "billing of Bills"}),
        ({"subject_words": "credit note"}, {"subject": "note of credit"}),
        ({"list_id": "news.list.example"}, {"List_Id": "more-news.list.example"}),
        ({"header": {"x-mailer": "kitchen"}}, {"X_Other": "kitchen"}),
        ({"header": {"x-mailer": ""}}, {}),
        ({"header": {"X-A": "1", "X-B": "2"}}, {"X_A": "1"}),
        ({"from_domain": "caterer.example", "subject_words": "bill"}, {}),
    ],
)
def test_a_condition_does_not_hold(rule: dict[str, Any], fields: dict[str, str]) -> None:
    assert book(rule).find(message(**fields)) is None


def test_a_mail_without_a_sender_meets_no_rule_about_senders() -> None:
    assert book({"from_domain": "example"}, {"from": "a@b.example"}).find(parse(b"Subject: x\n\nHello")) is None
    assert book({"from_domain": "example"}).find(parse(b"From: nobody\n\nHello")) is None


def test_the_display_name_is_not_the_sender() -> None:
    faked = message(**{"from": '"boss@caterer.example" <eve@elsewhere.example>'})

    assert book({"from": "boss@caterer.example"}, {"from_domain": "caterer.example"}).find(faked) is None


def test_the_first_rule_in_the_order_of_the_file_decides() -> None:
    rules = book({"from_domain": "caterer.example", "category": "pickup"}, {"subject_words": "hello", "category": "billing"})

    found = rules.find(message())

    assert found is not None
    assert (found.name, found.category) == ("rule 1", "pickup")


# --- with a classifier behind them --------------------------------------------------------------------------------------


def test_what_a_rule_decides_is_not_shown_to_the_classifier() -> None:
    told = Told(money=1.0)
    ruled = RuledClassifier(book({"subject_words": "bill"}), told)

    decided, left = ruled.classify([mail("the bill"), mail("hello")])

    assert told.asked == ["hello"]
    assert only([decided]).probabilities == {**dict.fromkeys(CATEGORIES, 0.0), BILLING: 1.0}
    assert only([decided]).provenance.kind == "rules"
    assert [reason.text for reason in only([decided]).reasons] == ["rule rule 1"]
    assert only([decided]).cost.money == 0.0
    assert only([left]).top == "absence"
    assert only([left]).provenance == ruled.provenance


def test_never_touch_holds_the_mail_where_it_is() -> None:
    ruled = RuledClassifier(book({"subject_words": "bill", "never_touch": True}), Told())

    answer = only(ruled.classify([mail("a bill")]))

    assert answer.stays
    assert answer.hold == "rule rule 1: never touch"
    assert sum(answer.probabilities.values()) == pytest.approx(1.0)


def test_while_the_classifier_is_down_the_rules_go_on() -> None:
    ruled = RuledClassifier(book({"subject_words": "bill"}), Told(outage=DOWN))

    decided, waiting = ruled.classify([mail("a bill"), mail("hello")])

    assert only([decided]).top == "billing"
    assert waiting is DOWN
    with pytest.raises(ClassifierUnavailable):
        ruled.classify([mail("hello"), mail("again")])
    assert only(ruled.classify([mail("bill")])).top == "billing"


def test_the_version_changes_with_the_rules_and_with_what_is_behind_them() -> None:
    one, same, other = (RuledClassifier(book({"subject_words": word}), Told()) for word in ("bill", "Bill!", "bills"))

    assert one.provenance == same.provenance
    assert one.provenance.model != other.provenance.model
    assert one.provenance.model != Told().provenance.model
    assert one.provenance.kind == "told"


def test_a_category_that_only_a_rule_knows_is_scored_in_every_answer_in_the_order_of_the_configuration() -> None:
    extra = CategoryId("extra")
    ruled = RuledClassifier(book({"subject_words": "x", "category": "extra"}), Told(), order=[PICKUP, extra, BILLING])

    assert ruled.categories == ("pickup", "extra", "billing", "absence")
    for answer in ruled.classify([mail("x"), mail("hello")]):
        assert tuple(only([answer]).probabilities) == ruled.categories


def test_it_asks_in_the_batches_of_the_classifier_behind_and_closes_it() -> None:
    told = Told(batch_size=2)
    ruled = RuledClassifier(book({"subject_words": "bill"}), told)

    assert len(ruled.classify([mail(f"number {number}") for number in range(5)])) == 5
    ruled.close()

    assert [len(call) for call in told.calls] == [2, 2, 1]
    assert (ruled.batch_size, told.closed) == (2, 1)


def test_rules_alone_leave_what_they_do_not_know_to_people() -> None:
    rules = RulesClassifier(book({"subject_words": "bill"}), CATEGORIES)

    answer = only(rules.classify([mail("hello")]))

    assert answer.hold == "no rule matches"
    assert not answer.stays
    assert set(answer.probabilities.values()) == {1 / 3}


def test_rules_can_be_the_first_of_a_cascade_which_asks_the_second_about_the_rest() -> None:
    told = Told()
    cascade = CascadeClassifier(RulesClassifier(book({"subject_words": "bill"}), CATEGORIES), told, unsure_below=0.5)

    assert [only([answer]).top for answer in cascade.classify([mail("a bill"), mail("hello")])] == ["billing", "absence"]
    assert told.asked == ["hello"]


def test_the_real_sender_counts_though_a_remote_backend_never_sees_it() -> None:
    shown = replace(given(), sender="")  # as the text is masked on its way out

    assert book({"from": "ann@mail.caterer.example"}).find(shown.message) is not None


# --- what is kept of a header -------------------------------------------------------------------------------------------


def test_the_fields_on_top_are_kept_however_many_follow() -> None:
    raw = b"X-Spam: yes\n" + b"".join(b"X-%d: %d\n" % (number, number) for number in range(900)) + b"X-Last: 1\n\nHello"
    mail_ = parse(raw)

    assert sum(map(len, mail_.headers.values())) == 100
    assert book({"header": {"X-Spam": "yes"}}).find(mail_) is not None
    assert book({"header": {"X-Last": "1"}}).find(mail_) is None


def test_a_long_field_and_many_of_one_name_are_cut() -> None:
    mail_ = parse(b"X-Long: " + b"a" * 5000 + b"\n" + b"Received: x\n" * 200 + b"X-After: 1\n\nHello")

    assert max(len(value) for values in mail_.headers.values() for value in values) == 1000
    assert len(mail_.headers["received"]) == 20
    assert book({"header": {"X-After": "1"}}).find(mail_) is not None


def test_the_fields_do_not_leave_with_masked_mail() -> None:
    pytest.importorskip("faker", reason="the extra cubbyd[redaction] is not installed")
    from cubbyd.redaction import Redactor, Roster, load_vocabulary

    masked, _ = Redactor(Roster(), load_vocabulary(), []).redact(message(X_Child="Emma Example"))

    assert not masked.headers
