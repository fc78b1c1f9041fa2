"""The ways to ask: codes and their odds, several categories a mail, and a choice among few."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.composite import Told
from tests.hosted import ABSENT, MODES, UNCLEAR, WORDS, ask, configure, opened, predict

from cubbyd.classify.hosted.answer import Reply
from cubbyd.classify.hosted.classifier import HostedClassifier
from cubbyd.classify.hosted.code import LETTERS, Code, make_codes
from cubbyd.classify.hosted.failure import Failure
from cubbyd.classify.hosted.opening import open_hosted
from cubbyd.classify.hosted.prompt import Prompt, frame
from cubbyd.classify.protocol import Chooser, Prediction
from cubbyd.classify.shortlist import ShortlistClassifier
from cubbyd.config import Config, OpenAISection
from cubbyd.config.hosted import Codes
from cubbyd.errors import ConfigError, NeedsPerson
from cubbyd.message import render_text
from cubbyd.standin import Fault, Standin
from cubbyd.taxonomy import Category, CategoryId, Taxonomy

pytestmark = pytest.mark.usefixtures("quick_disk")

BOTH_TOPICS = render_text("Fever", "She is sick. The invoice is wrong, too.")
ABSENCE, BILLING, PICKUP = CategoryId("absence"), CategoryId("billing"), CategoryId("pickup")


def taxonomy(count: int = 3, *, step: int = 1) -> Taxonomy:
    names = ["absence", "billing", "pickup", *(f"c{number}" for number in range(count))][:count]
    return Taxonomy(
        tuple(
            Category(id=CategoryId(name), code=number * step, name=name.title(), description="", folder=name, keyword=name)
            for number, name in enumerate(names, start=1)
        )
    )


def wire(count: int = 3, step: int = 1, **keys: Any) -> Code:
    section = OpenAISection.model_validate({"model": "m", "base_url": "http://127.0.0.1:9/v1", "mode": "code", **keys})
    return Code(section, Prompt(taxonomy(count, step=step)))


def chat(text: str, *tokens: tuple[str, dict[str, float]], finish: str | None = "stop") -> Reply:
    """Make a chat answer; each token is given with its alternatives, itself among them."""
    content = [
        {
            "token": token,
            "logprob": math.log(odds.get(token, 0.5)),
            "top_logprobs": [{"token": other, "logprob": math.log(p) if p else -9999.0} for other, p in odds.items()],
        }
        for token, odds in tokens
    ]
    logprobs = {"content": content} if tokens else None
    return Reply(body={"choices": [{"message": {"content": text}, "finish_reason": finish, "logprobs": logprobs}]})


# --- codes ----------------------------------------------------------------------------------------------------------------


def test_the_odds_of_the_codes_are_the_probabilities() -> None:
    found = wire().read(chat("B", ("B", {"B": 0.7, "A": 0.2, "C": 0.1})))

    assert found == pytest.approx({ABSENCE: 0.2, BILLING: 0.7, PICKUP: 0.1})


def test_a_code_with_a_blank_before_it_is_the_same_code() -> None:
    found = wire().read(chat(" B", (" B", {" B": 0.5, "B": 0.2, "A": 0.2, " C": 0.1})))

    assert found == pytest.approx({ABSENCE: 0.2, BILLING: 0.7, PICKUP: 0.1})


def test_what_goes_to_no_code_is_doubt_that_all_share() -> None:
    found = wire().read(chat("B", ("B", {"B": 0.5, "The": 0.2, "b": 0.1, "Z": 0.05, "A": 0.1})))

    assert found == pytest.approx({ABSENCE: 0.1 + 0.4 / 3, BILLING: 0.5 + 0.4 / 3, PICKUP: 0.4 / 3})


def test_a_code_of_which_a_server_says_never_has_its_doubt_alone() -> None:
    found = wire().read(chat("A", ("A", {"A": 1.0, "B": 0.0})))

    assert found == pytest.approx({ABSENCE: 1.0, BILLING: 0.0, PICKUP: 0.0})


@given(st.dictionaries(st.sampled_from(["A", " A", "B", "C", "The", "\n"]), st.floats(0.0, 0.16), min_size=1), st.booleans())
def test_any_odds_make_probabilities_that_sum_to_one(odds: dict[str, float], is_cut: bool) -> None:  # noqa: FBT001
    found = wire().read(chat("A", ("A", {**odds, "A": 0.05}), finish="length" if is_cut else None))

    assert sum(found.values()) == pytest.approx(1.0)
    assert all(0.0 <= p <= 1.0 for p in found.values())


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        {"content": None},
        {"content": []},
        {"content": [{"token": "A"}]},
        {"content": [{"token": "A", "logprob": "0"}]},
        {"content": [{"token": "A", "logprob": 0.5}]},
        {"content": [{"token": "A", "logprob": float("nan")}]},
        {"content": [{"token": "A", "logprob": -(10**400)}]},
        {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": [{"token": 1, "logprob": -1.0}]}]},
        {"content": [{"token": "B", "logprob": -0.1}]},
        {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": [{"token": "B", "logprob": 0.0}]}]},
        {"tokens": ["A"], "token_logprobs": []},
        {"tokens": ["A"], "token_logprobs": [None]},
    ],
)
def test_odd_log_probabilities_count_as_none(logprobs: object) -> None:
    body = {"choices": [{"message": {"content": "A"}, "finish_reason": "length", "logprobs": logprobs}]}

    assert wire().read(Reply(body=body)) == pytest.approx({ABSENCE: 0.8, BILLING: 0.1, PICKUP: 0.1})


@pytest.mark.parametrize("text", ["A", " A", "A\n", "A.", "A: Absence", "A absence"])
def test_a_code_ends_at_a_blank_or_a_sign(text: str) -> None:
    assert max(wire().read(chat(text)).items(), key=lambda item: item[1])[0] == ABSENCE


@pytest.mark.parametrize("text", ["Absence", "AB", "A1", "a", "D", "Z", "1", "", " ", "\u0391", "-A", "(A)", "The A"])
def test_what_is_no_code_is_invalid(text: str) -> None:
    with pytest.raises(Failure, match="invalid answer"):
        wire().read(chat(text))


@pytest.mark.parametrize(
    ("text", "category"), [("2", BILLING), (" 2", BILLING), ("2\n", BILLING), ("12", "c8"), ("12.", "c8"), ("1", ABSENCE)]
)
def test_a_number_is_read_whole(text: str, category: str) -> None:
    found = wire(12, codes="numbers").read(chat(text))

    assert max(found.items(), key=lambda item: item[1])[0] == category


@pytest.mark.parametrize("text", ["13", "123", "0", "01", "1a", "A", "\u0661"])
def test_what_is_no_number_of_ours_is_invalid(text: str) -> None:
    with pytest.raises(Failure, match="invalid answer"):
        wire(12, codes="numbers").read(chat(text))


def test_a_number_that_may_go_on_is_not_taken() -> None:
    with pytest.raises(Failure, match="cut output"):
        wire(12, codes="numbers").read(chat("1", finish="length"))


def test_a_number_of_several_tokens_has_the_product_of_those_and_the_rest_is_doubt() -> None:
    found = wire(12, codes="numbers").read(chat("12", ("1", {"1": 0.8, "2": 0.2}), ("2", {"2": 0.5, "1": 0.5})))

    assert found[CategoryId("c8")] == pytest.approx(0.4 + 0.6 / 12)
    assert found[ABSENCE] == pytest.approx(0.6 / 12)


def test_a_blank_token_before_a_number_is_passed_over() -> None:
    found = wire(3, codes="numbers").read(chat(" 2", (" ", {" ": 1.0}), ("2", {"2": 0.9, "1": 0.1})))

    assert found == pytest.approx({ABSENCE: 0.1, BILLING: 0.9, PICKUP: 0.0})


def test_the_odds_of_completions_are_read_in_both_spellings() -> None:
    old = {"tokens": [" B"], "token_logprobs": [math.log(0.7)], "top_logprobs": [{" B": math.log(0.7), " A": math.log(0.3)}]}
    new = {
        "content": [
            {"token": "B", "logprob": math.log(0.7), "top_logprobs": [{"token": "A", "logprob": math.log(0.3)}]},
        ]
    }
    for logprobs in (old, new):
        body = {"choices": [{"text": " B", "finish_reason": "length", "logprobs": logprobs}]}
        found = wire(endpoint="completions").read(Reply(body=body))
        assert found == pytest.approx({ABSENCE: 0.3, BILLING: 0.7, PICKUP: 0.0})


def test_the_codes_of_52_categories_are_letters_each_once() -> None:
    codes = make_codes(taxonomy(52), Codes.LETTERS)

    assert "".join(codes.values()) == LETTERS
    with pytest.raises(ValueError, match=r'52 letters, and 53 categories .* mode = "decisions" or "schema"'):
        make_codes(taxonomy(53), Codes.LETTERS)


def test_a_number_of_more_than_one_token_is_refused() -> None:
    assert make_codes(taxonomy(3, step=333), Codes.NUMBERS)[PICKUP] == "999"
    with pytest.raises(ValueError, match=r"up to 999, .* 'pickup' has a larger one; set mode = \"decisions\""):
        make_codes(taxonomy(3, step=334), Codes.NUMBERS)


def test_too_many_categories_are_refused_with_the_file_and_the_key(tmp_path: Path) -> None:
    small = configure(tmp_path, "http://127.0.0.1:9/v1", MODES["code"])
    many = [{"id": f"c{code}", "code": code, "name": f"C{code}"} for code in range(1, 54)]

    with pytest.raises(ConfigError, match=r"classifier\.openai\.mode: .*52 letters, and 53 categories") as caught:
        open_hosted(Config(**(small.model_dump() | {"categories": many})))
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("count", [2, 21, 52])
def test_more_categories_than_a_server_lists_are_no_fault(tmp_path: Path, count: int) -> None:
    with Standin({"fever": "c3"} if count > 2 else {"fever": "c1"}) as standin:
        small = configure(tmp_path, standin.base_url, MODES["code"])
        categories = [{"id": f"c{code}", "code": code, "name": f"C{code}"} for code in range(1, count + 1)]
        classifier = open_hosted(Config(**(small.model_dump() | {"categories": categories})))
        prediction = predict(classifier)
        classifier.close()
    assert prediction.top == ("c3" if count > 2 else "c1")
    assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
    assert prediction.probabilities[prediction.top] == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("mode", ["code", "prompt"])
@pytest.mark.parametrize("codes", ["letters", "numbers"])
def test_one_short_answer_is_asked_for_with_all_the_odds_that_are_given(tmp_path: Path, mode: str, codes: str) -> None:
    with Standin(WORDS) as standin:
        with opened(tmp_path, standin, f'{MODES[mode]}\ncodes = "{codes}"') as classifier:
            assert predict(classifier).probabilities == pytest.approx({"absence": 0.9, "billing": 0.1})
            assert predict(classifier, UNCLEAR).probabilities == pytest.approx({"absence": 0.5, "billing": 0.5})
        body = standin.requests[0].body
        assert standin.violations == []
    cap = {"letters": 1, "numbers": 4}[codes]
    assert (body["max_tokens"] if mode == "prompt" else body["max_completion_tokens"]) == cap
    assert (body["logprobs"], body.get("top_logprobs")) == ((5, None) if mode == "prompt" else (True, 20))
    assert body["temperature"] == 0


@pytest.mark.parametrize("mode", ["code", "prompt"])
def test_a_fine_tuned_model_is_sent_the_mail_alone(tmp_path: Path, mode: str) -> None:
    more = f'{MODES[mode]}\ninstructions = false\ncodes = "numbers"\nseparator = "\\n=>\\n"'
    with Standin(WORDS, codes={"1": "absence", "2": "billing"}) as standin:
        with opened(tmp_path, standin, more) as classifier:
            assert predict(classifier).top == "absence"
            (few,) = classifier.classify_among([ABSENT], [[BILLING, ABSENCE]])
        body = standin.requests[0].body
    assert isinstance(few, Prediction)
    assert few.top == "absence"
    if mode == "code":
        assert [message["role"] for message in body["messages"]] == ["user"]
    else:
        assert body["prompt"].startswith("<mail>\n")
        assert body["prompt"].endswith("</mail>\n=>\n")


def test_a_code_outside_of_the_few_is_doubt_where_the_model_cannot_be_told_of_them() -> None:
    few = wire(instructions=False).narrow([ABSENCE, BILLING])

    assert few.read(chat("C", ("C", {"C": 0.6, "B": 0.4}))) == pytest.approx({ABSENCE: 0.3, BILLING: 0.7})
    assert few.read(chat("C")) == pytest.approx({ABSENCE: 0.5, BILLING: 0.5})
    with pytest.raises(Failure, match="invalid answer"):
        wire().narrow([ABSENCE, BILLING]).read(chat("C"))


def test_each_category_keeps_its_code_in_a_narrower_question() -> None:
    assert wire().narrow([PICKUP, BILLING]).read(chat("C")) == pytest.approx({BILLING: 0.2, PICKUP: 0.8})


SEPARATORS = st.sampled_from(["\n\n###\n\n", "###", "-->", "<sep>", "aaa", "\n=>\n"])


@given(
    SEPARATORS, st.lists(st.sampled_from(["#", "\n", "###", "-", ">", "<sep>", "a", "aa", "=", " "]), max_size=30).map("".join)
)
def test_no_mail_can_end_its_prompt(separator: str, text: str) -> None:
    mail = frame(render_text(text, text), is_redacted=False)
    prompt = wire(endpoint="completions", separator=separator, instructions=False).body(mail)["prompt"]

    assert prompt.endswith(separator)
    assert prompt.removesuffix(separator).count(separator) == 0


# --- several categories a mail ---------------------------------------------------------------------------------------------


def test_each_category_is_a_question_of_its_own_in_one_call(tmp_path: Path) -> None:
    with Standin(WORDS) as standin:
        with opened(tmp_path, standin, labels="many") as classifier:
            assert predict(classifier, BOTH_TOPICS).probabilities == pytest.approx({"absence": 0.9, "billing": 0.9})
            assert predict(classifier, UNCLEAR).probabilities == pytest.approx({"absence": 0.1, "billing": 0.1})
        questions = standin.requests[0].body["questions"]
        assert len(standin.requests) == 2
        assert standin.violations == []
    assert [(question["type"], question["name"]) for question in questions] == [
        ("predicate", "absence"),
        ("predicate", "billing"),
    ]


def test_a_list_of_categories_is_asked_for_in_schema_mode(tmp_path: Path) -> None:
    with Standin(WORDS) as standin:
        with opened(tmp_path, standin, f"{MODES['schema']}\nlogprobs = false", labels="many") as classifier:
            assert predict(classifier, BOTH_TOPICS).probabilities == pytest.approx({"absence": 0.8, "billing": 0.8})
            assert predict(classifier, ABSENT).probabilities == pytest.approx({"absence": 0.8, "billing": 0.1})
            assert predict(classifier, UNCLEAR).probabilities == pytest.approx({"absence": 0.1, "billing": 0.1})
        assert standin.violations == []


def test_the_odds_of_each_named_category_count_in_a_list(tmp_path: Path) -> None:
    with Standin(WORDS, sure=0.7) as standin, opened(tmp_path, standin, MODES["schema"], labels="many") as classifier:
        assert predict(classifier, ABSENT).probabilities == pytest.approx({"absence": 0.7, "billing": 0.1})


@pytest.mark.parametrize(
    "content",
    [
        '{"categories": ["trash"]}',
        '{"categories": "absence"}',
        '{"category": "absence"}',
        '{"categories": ["absence", 1]}',
        '{"categories": [["absence"]]}',
        '{"categories": null}',
        '["absence"]',
    ],
)
def test_a_list_of_anything_else_is_invalid(tmp_path: Path, content: str) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, MODES["schema"], labels="many") as classifier:
        standin.always(Fault.says(content))
        assert "none of the categories" in str(ask(classifier))


def test_a_category_named_twice_is_named_once(tmp_path: Path) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, MODES["schema"], labels="many") as classifier:
        standin.always(Fault.says('{"categories": ["billing", "absence", "billing"]}'))
        assert predict(classifier).probabilities == pytest.approx({"absence": 0.8, "billing": 0.8})


PREDICATES = [{"type": "predicate", "name": name, "probability": 0.5} for name in ("absence", "billing")]


@pytest.mark.parametrize(
    "answers",
    [
        PREDICATES[:1],
        [*PREDICATES, PREDICATES[0]],
        PREDICATES[::-1],
        [PREDICATES[0], PREDICATES[1] | {"probability": 1.5}],
        [PREDICATES[0], PREDICATES[1] | {"probability": None}],
        [PREDICATES[0], PREDICATES[1] | {"type": "choice"}],
        [PREDICATES[0], "billing"],
    ],
    ids=["missing", "one-more", "other-order", "too-much", "null", "other-kind", "no-object"],
)
def test_answers_that_do_not_fit_the_questions_are_invalid(tmp_path: Path, answers: list[object]) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, labels="many") as classifier:
        standin.always(Fault.keys(answers=answers))
        assert "none of the categories" in str(ask(classifier))


def test_one_refused_question_is_enough_for_a_person(tmp_path: Path) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, labels="many") as classifier:
        standin.then(Fault.keys(answers=[PREDICATES[0], {"type": "refusal", "name": "billing"}]))
        assert isinstance(ask(classifier), NeedsPerson)


def test_one_code_cannot_be_several_categories(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r'classifier\.openai\.mode: .*labels is "many"; set mode = "decisions" or "schema"'),
        opened(tmp_path, "http://127.0.0.1:9/v1", MODES["code"], labels="many"),
    ):
        pass


def test_one_and_many_are_not_the_same_model(tmp_path: Path) -> None:
    names = set()
    for labels in ("one", "many"):
        for mode in ("decisions", "schema"):
            with opened(tmp_path, "http://127.0.0.1:9/v1", MODES[mode], labels=labels) as classifier:
                names.add(classifier.provenance.model)
    assert len(names) == 4


# --- a choice among few ------------------------------------------------------------------------------------------------------


def wide(folder: Path, standin: Standin, mode: str, labels: str = "one") -> HostedClassifier:
    small = configure(folder, standin.base_url, mode, labels=labels)
    names = ("absence", "billing", "pickup", "meals")
    categories = [{"id": name, "code": code, "name": name.title()} for code, name in enumerate(names, start=1)]
    return open_hosted(Config(**(small.model_dump() | {"categories": categories})))


@pytest.mark.parametrize("mode", [*MODES, "auto"])
def test_a_shortlist_asks_about_the_few_alone_each_mail_about_its_own(tmp_path: Path, mode: str) -> None:
    with Standin(WORDS) as standin:
        hosted = wide(tmp_path, standin, MODES.get(mode, 'mode = "auto"'))
        assert isinstance(hosted, Chooser)
        first = Told(
            categories=hosted.categories,
            says={
                "Fever": {ABSENCE: 0.4, BILLING: 0.1, PICKUP: 0.5, CategoryId("meals"): 0.0},
                "Bill": {ABSENCE: 0.1, BILLING: 0.4, PICKUP: 0.0, CategoryId("meals"): 0.5},
            },
        )
        shortlist = ShortlistClassifier(first, hosted, size=2, sure_above=0.9)
        outcomes = shortlist.classify([render_text("Fever", "sick"), render_text("Bill", "the invoice")])
        shortlist.close()
        sent = [json.dumps(request.body) for request in standin.requests[-2:]]
        assert standin.violations == []
    assert [outcome.top for outcome in outcomes if isinstance(outcome, Prediction)] == ["absence", "billing"]
    assert [name in sent[0] for name in ("absence", "pickup", "billing", "meals")] == [True, True, False, False]
    assert [name in sent[1] for name in ("absence", "pickup", "billing", "meals")] == [False, False, True, True]


@pytest.mark.parametrize("mode", ["decisions", "schema"])
def test_few_of_several_can_be_asked_about_too(tmp_path: Path, mode: str) -> None:
    with Standin(WORDS) as standin:
        hosted = wide(tmp_path, standin, MODES[mode], labels="many")
        (outcome,) = hosted.classify_among([BOTH_TOPICS], [[PICKUP, BILLING]])
        hosted.close()
    assert isinstance(outcome, Prediction)
    assert tuple(outcome.probabilities) == (BILLING, PICKUP)
    assert outcome.top == BILLING
