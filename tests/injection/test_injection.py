"""Mails that give orders: what they say stays between our markers, and whatever a model answers, a category comes out or none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hosted import MODES, configure
from tests.injection.attack import Attack, read_attacks, read_mails

from cubbyd.classify.hosted.answer import Reply
from cubbyd.classify.hosted.classifier import HostedClassifier
from cubbyd.classify.hosted.code import Code
from cubbyd.classify.hosted.decisions import Decisions
from cubbyd.classify.hosted.failure import Failure
from cubbyd.classify.hosted.opening import open_hosted
from cubbyd.classify.hosted.prompt import Prompt
from cubbyd.classify.hosted.schema import Schema
from cubbyd.classify.protocol import Prediction
from cubbyd.config import Config, OpenAISection
from cubbyd.config.hosted import Codes, Endpoint
from cubbyd.errors import ClassifierError, ClassifierRejected
from cubbyd.standin import Fault, Recorded, Standin
from cubbyd.taxonomy import Category, CategoryId, Taxonomy

pytestmark = pytest.mark.usefixtures("quick_disk")

ATTACKS = read_attacks()
CATEGORIES = tuple(read_mails())
FEWEST = 50

WORDS = {"fever": "absence", "invoice": "billing", "grandmother": "pickup", "allergy": "meals", "bruise": "incident"}
TAXONOMY = Taxonomy(
    tuple(
        Category(id=CategoryId(name), code=code, name=name, description="", folder=name, keyword=name)
        for code, name in enumerate(CATEGORIES, start=1)
    )
)
SECTION = OpenAISection.model_validate({"model": "m", "base_url": "http://127.0.0.1:9/v1"})


@pytest.fixture(scope="module")
def standin() -> Iterator[Standin]:
    with Standin(WORDS) as server:
        yield server
    assert server.violations == []


def _configured(folder: Path, standin: Standin, mode: str) -> Config:
    small = configure(folder, standin.base_url, f"{MODES[mode]}\ncalls_per_day = 100000")
    categories = [{"id": name, "code": code, "name": name.title()} for code, name in enumerate(CATEGORIES, start=1)]
    return Config(**(small.model_dump() | {"categories": categories}))


@pytest.fixture(scope="module", params=MODES)
def classifier(
    request: pytest.FixtureRequest, standin: Standin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HostedClassifier]:
    made = open_hosted(_configured(tmp_path_factory.mktemp("hosted"), standin, request.param))
    yield made
    made.close()


def _is_prompt(request: Recorded) -> bool:
    return request.path.endswith("/v1/completions")


_read = cache(Attack.read)
"""A mail is read once for all ways to ask about it."""


def _ask(classifier: HostedClassifier, attack: Attack) -> Prediction | ClassifierError:
    (outcome,) = classifier.classify([_read(attack)])
    return outcome


def test_there_are_enough_attacks_of_many_kinds() -> None:
    assert len(ATTACKS) >= FEWEST
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert {attack.category for attack in ATTACKS} == set(CATEGORIES) == set(read_mails())
    assert all(attack.wants and attack.wants != attack.category for attack in ATTACKS)
    assert {attack.wants for attack in ATTACKS} - set(CATEGORIES), "some want what there is not"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_stays_between_our_markers(classifier: HostedClassifier, standin: Standin, attack: Attack) -> None:
    outcome = _ask(classifier, attack)

    request = standin.requests[-1]
    told = (
        request.mail.partition("and nothing else.\n\n")[2].removesuffix("\n\n###\n\n") if _is_prompt(request) else request.mail
    )
    assert isinstance(outcome, Prediction)
    assert outcome.top in CATEGORIES
    folded = re.sub(r"\s", "", told.lower())
    assert [folded.count(tag) for tag in ("<mail>", "</mail>")] == [1, 1]
    assert folded.startswith("<mail>")
    assert folded.endswith("</mail>")
    for marker in ("<|", "|>", "\uff1c\uff5c", "\uff1c/mail", "\u200b", "\u202e", "\U000e0061"):
        assert marker not in told


def test_nothing_but_the_mail_differs_from_call_to_call(classifier: HostedClassifier, standin: Standin) -> None:
    told = set()
    for attack in ATTACKS[:12]:
        _ask(classifier, attack)
        body = standin.requests[-1].body
        if _is_prompt(standin.requests[-1]):
            told.add(body["prompt"].partition("<mail>\n")[0] + body["prompt"].rpartition("\n</mail>")[2])
            continue
        messages = body.pop("input", None) or body.pop("messages")
        rest = [message for message in messages if message["role"] != "user"]
        assert len(messages) - len(rest) == 1, "the mail is alone in its message"
        told.add(json.dumps([body, rest], sort_keys=True))
    assert len(told) == 1


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_model_that_obeys_can_misfile_one_mail_and_no_more(attack: Attack) -> None:
    """What is left where an attack works: a category that exists, or a mail that is set aside."""
    obeys = Schema(SECTION, Prompt(TAXONOMY))
    answer = {"category": attack.wants}
    for content in (json.dumps(answer), attack.wants, attack.body, json.dumps(answer | {"folder": "INBOX"})):
        reply = Reply(body={"choices": [{"finish_reason": "stop", "message": {"content": content}}]})
        if content == json.dumps(answer) and attack.wants in CATEGORIES:
            assert set(obeys.read(reply)) == set(CATEGORIES)
        else:
            with pytest.raises(Failure, match="invalid answer"):
                obeys.read(reply)


def test_a_category_that_does_not_exist_sets_the_mail_aside(standin: Standin, tmp_path: Path) -> None:
    classifier = open_hosted(_configured(tmp_path, standin, "schema"))
    try:
        standin.then(*[Fault.says('{"category": "trash"}')] * 2)
        assert type(_ask(classifier, ATTACKS[0])) is ClassifierRejected
    finally:
        classifier.close()


def test_a_narrower_question_names_no_other_category(classifier: HostedClassifier, standin: Standin) -> None:
    billing, incident = CategoryId("billing"), CategoryId("incident")
    mails = read_mails()

    known = len(standin.requests)
    outcomes = classifier.classify_among(
        [mails["billing"].read(), mails["meals"].read()], [[incident, billing], [billing, incident]]
    )

    assert [tuple(outcome.probabilities) for outcome in outcomes if isinstance(outcome, Prediction)] == [
        (billing, incident)
    ] * 2
    assert isinstance(outcomes[0], Prediction)
    assert outcomes[0].top == "billing"
    assert len(standin.requests) == known + 2
    assert "pickup" not in json.dumps(standin.requests[-1].body).lower()


NUMBERED = SECTION.model_copy(update={"codes": Codes.NUMBERS, "endpoint": Endpoint.COMPLETIONS})
WIRES = (
    (Decisions(SECTION, Prompt(TAXONOMY)), False),
    (Decisions(SECTION, Prompt(TAXONOMY, many=True)), True),
    (Schema(SECTION, Prompt(TAXONOMY)), False),
    (Schema(SECTION, Prompt(TAXONOMY, many=True)), True),
    (Code(SECTION, Prompt(TAXONOMY)), False),
    (Code(NUMBERED, Prompt(TAXONOMY)), False),
)
"""Every way to read an answer, and whether its probabilities stand each for itself."""

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.sampled_from([*CATEGORIES, "category", "trash", "refusal", "A", "1", '{"categories": ["billing"]}', "predicate"])
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("answers", "choices", "type", "probabilities", "value", "probability", "usage", "input_tokens"),
                    *("message", "content", "refusal", "finish_reason", "logprobs", "token", "logprob", "category"),
                    *("text", "tokens", "token_logprobs", "top_logprobs", "name", "A"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["answers", "choices", "usage", "error", "x"]), JSON, max_size=3))
def test_no_answer_of_any_shape_makes_a_foreign_category_or_an_error_of_ours(body: dict[str, object]) -> None:
    for wire, is_many in WIRES:
        wire.usage(Reply(body=body))
        try:
            probabilities = wire.read(Reply(body=body))
        except Failure:
            continue
        assert set(probabilities) == set(CATEGORIES)
        assert all(0.0 <= p <= 1.0 for p in probabilities.values())
        assert is_many or sum(probabilities.values()) == pytest.approx(1.0)


@given(st.text() | st.sampled_from(CATEGORIES).map(lambda name: f" {name}") | JSON.map(json.dumps))
def test_no_text_of_a_model_makes_a_foreign_category(content: str) -> None:
    reply = Reply(body={"choices": [{"finish_reason": "stop", "message": {"content": content}}]})
    try:
        probabilities = Schema(SECTION, Prompt(TAXONOMY)).read(reply)
    except Failure:
        return
    assert set(probabilities) == set(CATEGORIES)
    assert json.loads(content)["category"] in CATEGORIES
