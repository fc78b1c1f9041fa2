"""A prediction as it is kept and printed: plain JSON, most likely category first, and its reasons can be read back."""

from __future__ import annotations

import json
from dataclasses import replace

from cubbyd.classify.protocol import Cost, Prediction, Provenance, Reason
from cubbyd.classify.serial import prediction_to_json, reason_words
from cubbyd.taxonomy import CategoryId

PREDICTION = Prediction(
    probabilities={CategoryId("absence"): 0.123456, CategoryId("billing"): 0.876544},
    provenance=Provenance(kind="local", model="abc", renderer="1"),
    cost=Cost(milliseconds=1.2345, input_tokens=3, output_tokens=4, money=0.001),
    reasons=(Reason(text="invoice", weight=0.66666), Reason(text="tuition", weight=0.1)),
    request_id="r-1",
)


def test_everything_of_a_prediction_is_kept() -> None:
    assert prediction_to_json(PREDICTION) == {
        "probabilities": {"billing": 0.8765, "absence": 0.1235},
        "reasons": [{"text": "invoice", "weight": 0.6667}, {"text": "tuition", "weight": 0.1}],
        "provenance": {"kind": "local", "model": "abc", "renderer": "1"},
        "cost": {"milliseconds": 1.23, "input_tokens": 3, "output_tokens": 4, "money": 0.001},
        "request_id": "r-1",
    }


def test_the_most_likely_category_stands_first_and_json_keeps_it_there() -> None:
    written = json.loads(json.dumps(prediction_to_json(PREDICTION)))

    assert list(written["probabilities"]) == ["billing", "absence"]
    assert PREDICTION.top == "billing"


def test_the_reasons_are_read_back_strongest_first() -> None:
    assert reason_words(json.loads(json.dumps(prediction_to_json(PREDICTION)))) == ("invoice", "tuition")


def test_what_holds_no_reasons_gives_none() -> None:
    assert reason_words(None) == ()
    assert reason_words({}) == ()


def test_that_a_person_must_decide_is_kept_where_it_is_so() -> None:
    told = prediction_to_json(replace(PREDICTION, hold="the classifiers disagree: billing / absence"))

    assert told == prediction_to_json(PREDICTION) | {"hold": "the classifiers disagree: billing / absence"}
