"""The most similar example: named where there is one, by its line or, where that was wanted, its subject."""

from __future__ import annotations

import numpy as np
import pytest

from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.similar import NOTHING_SIMILAR
from cubbyd.dataset.example import Example
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import train_local

TOLD = {
    "absence": {"Fever again": "she has a high fever", "Stomach bug": "he threw up all night", "Dentist": "dentist at ten"},
    "billing": {
        "Invoice": "the invoice is wrong",
        "Receipt": "a tuition receipt please",
        "Paid twice": "we paid tuition twice",
    },
}
EXAMPLES = [
    Example(subject=subject, body=body, labels=(CategoryId(label),), line=line)
    for label, mails in TOLD.items()
    for line, (subject, body) in enumerate(mails.items(), start=10 if label == "absence" else 20)
]


def last_reason(text: str, *, keep_subjects: bool) -> str:
    model = train_local(EXAMPLES, keep_subjects=keep_subjects)
    (answer,) = LocalClassifier(model).classify([render_text("", text)])
    return answer.reasons[-1].text if answer.reasons else ""


@pytest.mark.parametrize(
    ("text", "line", "subject"),
    [("a high fever since noon", 10, "Fever again"), ("he threw up", 11, "Stomach bug"), ("we paid twice?", 22, "Paid twice")],
)
def test_the_example_that_shares_the_rarest_words_is_named(text: str, line: int, subject: str) -> None:
    assert last_reason(text, keep_subjects=False) == f"like line {line} of the examples"
    assert last_reason(text, keep_subjects=True) == f'like "{subject}" (line {line} of the examples)'


def test_a_mail_that_is_like_none_is_likened_to_none() -> None:
    assert "like" not in last_reason("zebra crossing", keep_subjects=True)


def test_a_model_without_examples_names_none() -> None:
    columns, values = np.array([0, 3]), np.array([0.6, 0.8], dtype=np.float32)

    assert NOTHING_SIMILAR.describe_nearest(columns, values, 5, 0) == ""
