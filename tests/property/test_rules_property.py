"""Whatever the rules and the mail: what is said of a rule without mail is what happens to mail."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from cubbyd.classify.review import review_rules
from cubbyd.classify.rule import Condition, Rule, Rulebook, What, is_within
from cubbyd.message import Address, ParsedMessage
from cubbyd.message.phrase import PhraseIndex, contains_phrase, normalize_phrase, split_words
from cubbyd.taxonomy import CategoryId

VALUES = {
    What.FROM: ("a@b.ex", "c@b.ex", "a@m.b.ex", "a@d.ex"),
    What.FROM_DOMAIN: ("ex", "b.ex", "m.b.ex", "d.ex"),
    What.TO: ("a@b.ex", "x@y.ex"),
    What.SUBJECT_WORDS: ("one", "one two", "two", "two one", "one two three"),
    What.LIST_ID: ("l.ex", "k.ex"),
    What.HEADER: ("", "a", "ab", "b", "bab"),
}
HEADERS = ("x-a", "x-b")


@st.composite
def conditions(draw: st.DrawFn, what: What, header: str = "") -> Condition:
    values = draw(st.lists(st.sampled_from(VALUES[what]), min_size=1, max_size=3, unique=True))
    return Condition(what=what, header=header, values=tuple(values))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    kinds = [(what, "") for what in What if what is not What.HEADER] + [(What.HEADER, name) for name in HEADERS]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique=True))
    category = draw(st.sampled_from([CategoryId("billing"), CategoryId("meals"), None]))
    return Rule(name="", conditions=tuple(draw(conditions(*kind)) for kind in chosen), category=category)


RULES = st.lists(rules(), min_size=1, max_size=6).map(
    lambda made: [Rule(name=str(place), conditions=one.conditions, category=one.category) for place, one in enumerate(made)]
)


@dataclass(frozen=True, slots=True)
class Spelled:
    """A mail with nothing but this."""

    sender: str
    to: str
    subject: str
    list_id: str
    headers: tuple[str | None, ...]

    def message(self) -> ParsedMessage:
        fields = {name: (value.encode(),) for name, value in zip(HEADERS, self.headers, strict=True) if value is not None}
        return ParsedMessage(
            sender=Address(address=self.sender),
            to=(Address(address=self.to),) if self.to else (),
            subject=self.subject,
            list_id=self.list_id,
            headers=fields,
        )


MAILS = st.builds(
    Spelled,
    st.sampled_from(["", *VALUES[What.FROM], "z@q.m.b.ex", "z@ex"]),
    st.sampled_from(["", *VALUES[What.TO]]),
    st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=5).map(" ".join),
    st.sampled_from(["", *VALUES[What.LIST_ID]]),
    st.tuples(*(st.sampled_from([None, "z", *VALUES[What.HEADER]]) for _ in HEADERS)),
).map(Spelled.message)


@given(RULES, st.lists(MAILS, min_size=1, max_size=60))
@settings(max_examples=300)
def test_a_rule_that_is_said_never_to_decide_decides_no_mail(book: list[Rule], mails: list[ParsedMessage]) -> None:
    idle = {finding.rule for finding in review_rules(book) if finding.never_decides}
    rulebook = Rulebook(book)

    for mail in mails:
        found = rulebook.find(mail)
        assert found is None or found.name not in idle


def smallest_mails(rule: Rule) -> list[ParsedMessage]:
    """For each case of a rule a mail that has what the case needs and nothing else."""
    mails = []
    for values in product(*(condition.values for condition in rule.conditions)):
        case = {(one.what, one.header): value for one, value in zip(rule.conditions, values, strict=True)}
        domain = case.get((What.FROM_DOMAIN, ""))
        sender = case.get((What.FROM, ""), f"nobody@{domain}" if domain else "")
        found = Spelled(
            sender,
            case.get((What.TO, ""), ""),
            case.get((What.SUBJECT_WORDS, ""), ""),
            case.get((What.LIST_ID, ""), ""),
            tuple(case[What.HEADER, name] or "z" if (What.HEADER, name) in case else None for name in HEADERS),
        )
        mails.append(found.message())
    return mails


@given(RULES)
@settings(max_examples=300)
def test_a_rule_of_which_that_is_not_said_decides_some_mail(book: list[Rule]) -> None:
    idle = {finding.rule for finding in review_rules(book) if finding.never_decides}
    rulebook = Rulebook(book)

    for rule in book:
        if rule.name not in idle:
            assert any(rulebook.find(mail) is rule for mail in smallest_mails(rule))


@given(RULES, MAILS)
def test_the_first_rule_that_holds_alone_is_the_one_that_decides(book: list[Rule], mail: ParsedMessage) -> None:
    alone = next((rule for rule in book if Rulebook([rule]).find(mail) is not None), None)

    assert Rulebook(book).find(mail) is alone


WORDS = st.text(alphabet="aA bé-ßक\u093f!\n1_", max_size=12)


@given(st.lists(WORDS, max_size=5), WORDS)
def test_the_index_finds_what_a_plain_search_finds(phrases: list[str], text: str) -> None:
    wanted = {normal for normal in map(normalize_phrase, phrases) if normal and contains_phrase(normalize_phrase(text), normal)}

    assert PhraseIndex(phrases).find(split_words(text)) == wanted


@given(st.text())
def test_words_are_folded_and_splitting_them_again_changes_nothing(text: str) -> None:
    words = split_words(text)

    assert split_words(" ".join(words)) == words
    assert all(word and not any(letter.isspace() for letter in word) for word in words)


@given(st.sampled_from(VALUES[What.FROM_DOMAIN]), st.sampled_from(VALUES[What.FROM_DOMAIN]))
def test_a_domain_is_within_another_by_whole_labels(domain: str, outer: str) -> None:
    assert is_within(domain, outer) == (domain.split(".")[-len(outer.split(".")) :] == outer.split("."))
