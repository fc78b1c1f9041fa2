"""The admin's own word: rules that come before any model, and the urgent net that comes over every one."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from cubbyd.config.section import Section, Switch

MAX_RULES: Final = 1000
MAX_VALUES: Final = 1000
"""Of one condition."""
MAX_VALUE_CHARS: Final = 200
MAX_NAME_CHARS: Final = 60

CONDITIONS: Final = ("from", "from_domain", "to", "subject_words", "list_id", "header")


def _list(value: Any) -> Any:
    """Take "one" for ["one"]."""
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("is an empty list, so that the rule could never match; name a value, or take the key out")
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text, or a list of texts")  # noqa: TRY004  (pydantic wants ValueError)
    return [value]


def _address(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if not local or not domain or any(letter.isspace() or letter in "<>,;" for letter in value):
        raise ValueError("must be an address alone, such as office@example.org; for a whole domain use from_domain")
    return value


def _domain(value: str) -> str:
    labels = value.rstrip(".").split(".")
    if "*" in value:
        raise ValueError("must be a domain without *, such as example.org; its subdomains are meant as well")
    if not all(labels) or any(letter.isspace() or letter in "@<>,;/:" for letter in value):
        raise ValueError("must be a domain without @, such as example.org; for one address use from")
    return value


def _phrase(value: str) -> str:
    from cubbyd.message.phrase import MAX_PHRASE_WORDS, split_words  # with it comes the reader of HTML, for rules alone

    count = len(split_words(value))
    if not 1 <= count <= MAX_PHRASE_WORDS:
        raise ValueError(f"must have 1 to {MAX_PHRASE_WORDS} words (letters or digits), and has {count}")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of printable letters")
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_VALUE_CHARS)]
MaybeText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_VALUE_CHARS)]
Phrase = Annotated[Text, AfterValidator(_phrase)]
RuleName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_CHARS), AfterValidator(_printable)
]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[!-9;-~]{1,100}$")]
"""RFC 5322, 2.2: printable ASCII but the colon."""

Addresses = Annotated[
    tuple[Annotated[Text, AfterValidator(_address)], ...], BeforeValidator(_list), Field(max_length=MAX_VALUES)
]
Domains = Annotated[tuple[Annotated[Text, AfterValidator(_domain)], ...], BeforeValidator(_list), Field(max_length=MAX_VALUES)]
Phrases = Annotated[tuple[Phrase, ...], BeforeValidator(_list), Field(max_length=MAX_VALUES)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_list), Field(max_length=MAX_VALUES)]
Contained = Annotated[tuple[MaybeText, ...], BeforeValidator(_list), Field(max_length=MAX_VALUES)]


class RuleSection(Section):
    """One rule: conditions, all of which must hold, and what becomes of a mail for which they do."""

    name: RuleName
    from_: Addresses | None = Field(default=None, alias="from")
    from_domain: Domains | None = None
    to: Addresses | None = None
    subject_words: Phrases | None = None
    list_id: Texts | None = None
    header: Annotated[dict[HeaderName, Contained], Field(max_length=MAX_VALUES)] | None = None
    category: str | None = None
    never_touch: Switch = False

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        given = (self.from_, self.from_domain, self.to, self.subject_words, self.list_id, self.header)
        if not any(given):
            raise ValueError(
                f"rule {self.name!r} has no condition and would match every mail; give one of {', '.join(CONDITIONS)}"
            )
        return self

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if (self.category is None) is not self.never_touch:
            found = "both" if self.never_touch else "neither"
            raise ValueError(f'rule {self.name!r}: give exactly one of category = "…" and never_touch = true (found {found})')
        return self


def refuse_odd_rules(rules: tuple[RuleSection, ...], known: tuple[str, ...]) -> None:
    """Check rules against one another and against the categories. Raises ValueError with the way out."""
    if len(rules) > MAX_RULES:
        raise ValueError(f"at most {MAX_RULES} are read, and {len(rules)} given; one rule can have a list of values")
    twice = [name for name, count in Counter(rule.name.casefold() for rule in rules).items() if count > 1]
    if twice:
        raise ValueError(f"two have the name {twice[0]!r}; each needs its own, since reasons and errors name it")
    for rule in rules:
        if rule.category is not None and rule.category not in known:
            raise ValueError(f"rule {rule.name!r} has the category {rule.category!r}; allowed: {', '.join(known)}")


class UrgentSection(Section):
    """The net of words that marks a mail as urgent, whatever is decided of it."""

    enabled: Switch = True
    words: Annotated[tuple[Phrase, ...], Field(max_length=MAX_VALUES)] = ()
    without: Annotated[tuple[Phrase, ...], Field(max_length=MAX_VALUES)] = ()
