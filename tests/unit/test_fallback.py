"""The fallback: it answers where the chosen classifier cannot, says so, and keeps its hands off what needs a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.composite import ABSENCE, CATEGORIES, DOWN, PICKUP, Told, chances, mail, only, predictions
from tests.unit.configuration import load

from cubbyd.classify import registry
from cubbyd.classify.fallback import FallbackClassifier
from cubbyd.classify.protocol import Classifier
from cubbyd.classify.registry import open_backend
from cubbyd.config import Config
from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable, ConfigError, NeedsPerson


def chosen(**more: Any) -> Told:
    return Told(kind="far", batch_size=1, money=0.5, **more)


def spare(**more: Any) -> Told:
    return Told(kind="near", otherwise=chances(0.1, 0.1, 0.8), **more)


def test_while_the_chosen_one_answers_the_other_is_not_asked() -> None:
    near = spare()

    answer = only(FallbackClassifier(chosen(), near).classify([mail("hello")]))

    assert answer.top == ABSENCE
    assert [reason.text for reason in answer.reasons] == ["a word of far"]
    assert near.calls == []


def test_in_an_outage_the_other_answers_all_mail_and_the_reasons_say_so() -> None:
    far = chosen(outage=DOWN)

    answers = predictions(FallbackClassifier(far, spare()).classify([mail("one"), mail("two")]))

    assert [answer.top for answer in answers] == [PICKUP, PICKUP]
    assert [answer.reasons[-1].text for answer in answers] == ["far is unavailable"] * 2
    assert far.asked == ["one"], "nobody waits for the same silence twice"
    assert answers[0].cost.money == 0.0, "what did not answer cost nothing"


@pytest.mark.parametrize("error", [ClassifierRejected("it would name a child"), ClassifierError("odd")])
def test_one_mail_without_an_answer_is_answered_by_the_other(error: ClassifierError) -> None:
    both = FallbackClassifier(chosen(says={"odd": error}), spare())

    first, second = predictions(both.classify([mail("fine"), mail("odd")]))

    assert (first.top, second.top) == (ABSENCE, PICKUP)
    assert second.reasons[-1].text == "far gave no answer"


def test_what_the_chosen_one_will_not_speak_of_goes_to_people_and_not_to_the_other() -> None:
    refused, near = NeedsPerson("urgent: a filter blocked this mail"), spare()

    outcomes = FallbackClassifier(chosen(says={"bad": refused}), near).classify([mail("bad")])

    assert list(outcomes) == [refused]
    assert near.calls == []


def test_a_mail_that_neither_can_answer_keeps_the_error_of_the_chosen_one() -> None:
    wanted = ClassifierRejected("too long")

    outcomes = FallbackClassifier(chosen(says={"odd": wanted}), spare(says={"odd": ClassifierError("no")})).classify(
        [mail("odd"), mail("fine")]
    )

    assert outcomes[0] is wanted


def test_where_both_are_down_the_pass_ends() -> None:
    with pytest.raises(ClassifierUnavailable, match="nobody answers"):
        FallbackClassifier(chosen(outage=DOWN), spare(outage=DOWN)).classify([mail("hello")])


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends() -> None:
    far = chosen(outage=DOWN)
    both = FallbackClassifier(far, spare())

    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            both.classify([mail("hello")])
        far.outage = None
        for _ in range(3):
            both.classify([mail("hello")])

    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("the fallback answers", "warning"),
        ("the classifier answers again", "info"),
    ]
    assert "hello" not in repr(logs)


def test_its_provenance_names_both_and_closing_it_closes_both() -> None:
    far, near = chosen(), spare()
    both = FallbackClassifier(far, near, order=CATEGORIES)

    both.close()

    assert (both.provenance.kind, both.provenance.model) == ("fallback", "far:1|near:1")
    assert only(both.classify([mail("hello")])).provenance == both.provenance
    assert (far.closed, near.closed) == (1, 1)


# --- the configuration -------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Told]:
    made: dict[str, Told] = {}

    def open_(config: Config, _: Any) -> Classifier:
        kind = config.classifier.kind
        made[kind] = Told(kind=kind)
        return made[kind]

    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "far": open_, "near": open_})
    return made


def test_the_key_puts_it_behind_any_kind(tmp_path: Path, opened: dict[str, Told]) -> None:
    classifier = open_backend(load(tmp_path / "cubbyd.toml", '[classifier]\nkind = "far"\nfallback = "near"\n'))

    assert isinstance(classifier, FallbackClassifier)
    assert set(opened) == {"far", "near"}


def test_a_fallback_that_is_the_classifier_itself_is_refused(tmp_path: Path, opened: dict[str, Told]) -> None:
    config = load(tmp_path / "cubbyd.toml", '[classifier]\nkind = "far"\nfallback = "far"\n')

    with pytest.raises(ConfigError, match=r"classifier\.fallback: is the same classifier"):
        open_backend(config)
    assert opened == {}


def test_a_fallback_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path, opened: dict[str, Told]) -> None:
    config = load(tmp_path / "cubbyd.toml", '[classifier]\nkind = "far"\nfallback = "nothing"\n')

    with pytest.raises(ConfigError, match=r"classifier\.fallback: found 'nothing'; allowed inside of it: "):
        open_backend(config)
    assert opened["far"].closed == 1
