"""The local classifier at work: answers for every mail, reasons for people, nothing loaded that it does not need."""

from __future__ import annotations

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.patience import PATIENCE_SECONDS

from cubbyd.classify.feature import Counts, learn_vocabulary
from cubbyd.classify.local import MAX_REASONS, LocalClassifier
from cubbyd.classify.modelfile import LocalModel, Quality, save_model
from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.dataset.example import Example
from cubbyd.message.model import ClassifierInput
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import train_local

EXAMPLES = {
    "absence": (
        "Theodora has a fever",
        "a fever since last night",
        "fever again, we stay home",
        "staying home today",
        "home with a cold",
    ),
    "billing": (
        "the invoice is wrong",
        "one invoice too many",
        "paid the tuition",
        "tuition receipt please",
        "a receipt for the invoice",
    ),
}


@pytest.fixture(scope="module")
def model() -> LocalModel:
    examples = [
        Example(subject="", body=body, labels=(CategoryId(label),)) for label, bodies in EXAMPLES.items() for body in bodies
    ]
    return train_local([*examples, Example(subject="", body="a bill, an invoice", labels=(CategoryId("billing"),))])


@pytest.fixture
def classifier(model: LocalModel) -> Classifier:
    return LocalClassifier(model)


def answers(classifier: Classifier, *mails: ClassifierInput) -> list[Prediction]:
    answered = [answer for answer in classifier.classify(mails) if isinstance(answer, Prediction)]
    assert len(answered) == len(mails)
    return answered


def answer(classifier: Classifier, text: str) -> Prediction:
    return answers(classifier, render_text("", text))[0]


def test_every_category_gets_a_probability_and_the_likely_one_the_greatest(classifier: Classifier) -> None:
    prediction = answer(classifier, "Mila has a fever and stays home")

    assert list(prediction.probabilities) == ["absence", "billing"]
    assert prediction.top == "absence"
    assert prediction.probabilities[CategoryId("absence")] > 0.7
    assert sum(prediction.probabilities.values()) == pytest.approx(1)


def test_a_batch_is_answered_in_order_and_as_each_mail_alone(classifier: Classifier) -> None:
    mails = [render_text("", text) for text in ("the invoice", "a fever", "", "the tuition")]

    together = answers(classifier, *mails)

    assert [prediction.probabilities for prediction in together] == [
        answers(classifier, mail)[0].probabilities for mail in mails
    ]
    assert [prediction.top for prediction in together] == ["billing", "absence", "billing", "billing"]


def test_an_empty_batch_is_answered_with_nothing(classifier: Classifier) -> None:
    assert list(classifier.classify([])) == []


@pytest.mark.parametrize("text", ["", "口座"])
def test_where_nothing_is_known_the_answer_is_the_prior_without_reasons(classifier: Classifier, text: str) -> None:
    prediction = answer(classifier, text)

    assert prediction.probabilities == {"absence": pytest.approx(5 / 11), "billing": pytest.approx(6 / 11)}
    assert prediction.reasons == ()


def test_reasons_are_the_words_that_spoke_for_the_category_strongest_first(classifier: Classifier) -> None:
    reasons = answer(classifier, "an invoice for the fever, sent home").reasons
    weights = [reason.weight for reason in reasons]

    assert reasons[0].text == "invoice"
    assert "fever" not in {reason.text for reason in reasons}  # it spoke against billing
    assert weights == sorted(weights, reverse=True)
    assert 0 < sum(weights) <= 1
    assert len(reasons) <= MAX_REASONS


def test_a_word_of_a_single_example_is_never_a_reason(classifier: Classifier) -> None:
    prediction = answer(classifier, "Theodora")

    assert prediction.top == "absence"  # the model did learn the name
    assert prediction.reasons == ()


def test_the_provenance_names_the_model_and_the_cost_is_measured(classifier: Classifier, model: LocalModel) -> None:
    prediction = answer(classifier, "fever")

    assert (prediction.provenance.kind, prediction.provenance.model) == ("local", model.identity)
    assert prediction.provenance.renderer == render_text("", "").version
    assert 0 < prediction.cost.milliseconds < 1000


def test_threads_share_one_classifier(classifier: Classifier) -> None:
    mails = [render_text("", text) for text in ("the invoice", "a fever", "home", "tuition")] * 20

    def ask(_: int) -> list[object]:
        return [(prediction.probabilities, prediction.reasons) for prediction in answers(classifier, *mails)]

    alone = ask(0)
    with ThreadPoolExecutor(8) as threads:
        assert all(together == alone for together in threads.map(ask, range(16)))


def model_of_one_word(weight: float, temperature: float) -> LocalModel:
    """Make a model that knows "fever" alone, which speaks for the first category with the weight, against the second."""
    counts = Counts(words={"fever": 1.0}, grams=np.zeros(0, dtype=np.uint64), gram_counts=np.zeros(0, dtype=np.float32))
    return LocalModel(
        categories=(CategoryId("absence"), CategoryId("billing")),
        examples=(1, 1),
        vocabulary=learn_vocabulary([counts]),
        weights=np.array([[weight, -weight]], dtype=np.float32),
        bias=np.array([0.5, 0], dtype=np.float32),
        temperature=temperature,
        renderer="1",
        data_sha256="0" * 64,
        quality=Quality(examples=2, accuracy=1, macro_f1=1, calibration_error=0),
        versions={},
    )


def test_the_probability_is_that_of_the_tempered_margins() -> None:
    prediction = answer(LocalClassifier(model_of_one_word(1.0, temperature=2.0)), "fever")

    # The single known feature has length 1, so the margins are 1 + 0.5 and -1.
    assert prediction.probabilities[CategoryId("absence")] == pytest.approx(1 / (1 + math.exp((-1 - 1.5) / 2)))


def test_probabilities_stay_finite_where_margins_are_huge() -> None:
    prediction = answer(LocalClassifier(model_of_one_word(1e30, temperature=0.01)), "fever")

    assert list(prediction.probabilities.values()) == [1, 0]


def test_classifying_loads_neither_scikit_learn_nor_scipy(model: LocalModel, tmp_path: Path) -> None:
    file = tmp_path / "cubby.model"
    save_model(model, file, created=datetime(2026, 11, 20, tzinfo=UTC))
    program = """
import sys
from pathlib import Path
from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.modelfile import load_model
from cubbyd.message.render import RENDERER_VERSION, render_text

model = load_model(Path(sys.argv[1]), renderer=RENDERER_VERSION)
print(LocalClassifier(model).classify([render_text("", "a fever")])[0].top)
print(sorted({"sklearn", "scipy", "cubbyd.training"} & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS
    )

    assert ran.stdout.splitlines() == ["absence", "[]"]
