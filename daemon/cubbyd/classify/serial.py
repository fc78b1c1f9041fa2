"""A prediction as JSON, the way the journal keeps it and `--json` prints it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cubbyd.classify.protocol import Prediction

DIGITS = 4


def prediction_to_json(prediction: Prediction) -> dict[str, Any]:
    """Give everything of a prediction but mail text; words of the reasons are the model's own vocabulary.

    `hold`, `stays` and `urgent` are there only where they say something: most predictions have none of them.
    """
    cost = prediction.cost
    return {
        "probabilities": {category: round(p, DIGITS) for category, p in prediction.ranked},
        "reasons": [{"text": reason.text, "weight": round(reason.weight, DIGITS)} for reason in prediction.reasons],
        "provenance": {
            "kind": prediction.provenance.kind,
            "model": prediction.provenance.model,
            "renderer": prediction.provenance.renderer,
        },
        "cost": {
            "milliseconds": round(cost.milliseconds, 2),
            "input_tokens": cost.input_tokens,
            "output_tokens": cost.output_tokens,
            "money": cost.money,
        },
        "request_id": prediction.request_id,
    } | {name: value for name in ("hold", "stays", "urgent") if (value := getattr(prediction, name))}


def reason_words(recorded: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Read back the reasons of a recorded prediction."""
    return tuple(str(reason["text"]) for reason in (recorded or {}).get("reasons", ()))
