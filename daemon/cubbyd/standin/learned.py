"""What a fine-tuned model of the stand-in is: it answers a chat with the completion of the training lines most like it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cubbyd.standin.endpoint import Body, now
from cubbyd.standin.likeness import Likeness

LETTERS_PER_TOKEN: Final = 4
MOST_MEASURED: Final = 100
"""Lines that a step is measured on, taken from all over the file."""
SMALLEST: Final = 1e-9


class Learned:
    """A model that knows its training lines."""

    def __init__(self, lines: Sequence[Body]) -> None:
        """Learn from lines as they stand in a training file."""
        self._lines = lines
        self._pairs = [pair_of(line) for line in lines]
        self._likeness = Likeness(self._pairs)

    def run(self, valid: Sequence[Body], epochs: int, batch_size: int) -> list[Step]:
        """Train: after each epoch the model has seen a larger share of its lines, and after the last one all of them."""
        steps_of_one = math.ceil(len(self._lines) / batch_size)
        valid_pairs = [pair_of(line) for line in valid]
        steps = []
        for epoch in range(1, epochs + 1):
            seen = self if epoch == epochs else Learned(self._lines[: math.ceil(len(self._lines) * epoch / epochs)])
            loss, accuracy = seen.measure(self._pairs)
            metrics = {"train_loss": loss, "train_mean_token_accuracy": accuracy}
            if valid_pairs:
                loss, accuracy = seen.measure(valid_pairs)
                metrics |= {"valid_loss": loss, "valid_mean_token_accuracy": accuracy}
                metrics |= {"full_valid_loss": loss, "full_valid_mean_token_accuracy": accuracy}
            steps.append(
                Step(number=epoch * steps_of_one, metrics=metrics, tokens=sum(map(_tokens, self._lines)), learned=seen)
            )
        return steps

    def measure(self, pairs: Sequence[tuple[str, str]]) -> tuple[float, float]:
        """Give the mean negative log probability of what should be said, and how often just that is said."""
        loss = right = 0.0
        measured = pairs[:: math.ceil(len(pairs) / MOST_MEASURED)]
        for told, expected in measured:
            probabilities = self._likeness.probabilities(told, self._likeness.meanings)
            loss -= math.log(max(probabilities.get(expected, 0.0), SMALLEST))
            right += max(probabilities, key=lambda said: probabilities[said]) == expected
        return loss / len(measured), right / len(measured)

    def complete(self, request: Mapping[str, Any], name: str) -> Body:
        """Answer a chat: with the completion of the nearest lines, in the schema that is asked for."""
        told, schema = text_of(request["messages"], "user"), _schema(request)
        ranked = self._rank(told, self._likeness.meanings)
        content = ranked[0][0]
        if schema and not _is_object(content, schema):
            ranks = {key: self._rank(told, _options(rule) or self._likeness.meanings) for key, rule in schema.items()}
            best = {key: [rank[0][0]] if "items" in schema[key] else rank[0][0] for key, rank in ranks.items()}
            ranked, content = next(iter(ranks.values())), json.dumps(best)
        most = request.get("max_completion_tokens") or request.get("max_tokens") or math.inf
        size, spoken = _tokens(request), math.ceil(len(content) / LETTERS_PER_TOKEN)
        if is_cut := spoken > most:
            content, spoken = content[: int(most) * LETTERS_PER_TOKEN], int(most)
        choice: Body = {
            "index": 0,
            "finish_reason": "length" if is_cut else "stop",
            "message": {"role": "assistant", "content": content, "refusal": None, "annotations": []},
            "logprobs": _logprobs(content, ranked, request.get("top_logprobs") or 0) if request.get("logprobs") else None,
        }
        return {
            "id": name,
            "object": "chat.completion",
            "created": now(),
            "model": request["model"],
            "choices": [choice],
            "usage": {"prompt_tokens": size, "completion_tokens": spoken, "total_tokens": size + spoken},
        }

    def _rank(self, told: str, options: list[str]) -> list[tuple[str, float]]:
        return sorted(self._likeness.probabilities(told, options).items(), key=lambda item: -item[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The end of one epoch."""

    number: int
    metrics: Mapping[str, float]
    tokens: int
    """That the epoch trained on."""
    learned: Learned
    """The model as it is then."""


def pair_of(line: Body) -> tuple[str, str]:
    """Give what a training line tells, and what is to be said to it."""
    if "preferred_output" in line:
        return text_of(line["input"]["messages"], "user"), text_of(line["preferred_output"], "assistant")
    answers = [message for message in line["messages"] if message["role"] == "assistant" and message.get("weight", 1)]
    return text_of(line["messages"], "user"), text_of(answers[-1:], "assistant")


def text_of(messages: Sequence[Mapping[str, Any]], role: str) -> str:
    """Give all text that was said in a role; content is a text, or a list of parts."""
    texts = []
    for message in messages:
        if message["role"] == role:
            content = message.get("content") or ""
            parts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
            texts += parts
    return "\n".join(texts)


def _schema(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the keys of the object that is asked for; none where any text will do."""
    asked = request.get("response_format") or {}
    keys: Mapping[str, Any] = asked["json_schema"]["schema"]["properties"] if asked.get("type") == "json_schema" else {}
    return keys


def _options(rule: Mapping[str, Any]) -> list[str]:
    """Give the closed set of a key, or of the items of its list; nothing where there is none."""
    options: list[str] = rule.get("items", rule).get("enum", [])
    return options


def _is_object(said: str, keys: Mapping[str, Any]) -> bool:
    try:
        learned = json.loads(said)
    except ValueError:
        return False
    return isinstance(learned, dict) and learned.keys() == keys.keys()


def _logprobs(content: str, ranked: list[tuple[str, float]], top: int) -> Body:
    """Give the whole answer as one token with its probability, beside the other answers that were learned."""
    others = [_token(text, probability) for text, probability in ranked[:top]]
    return {"content": [_token(content, ranked[0][1]) | {"top_logprobs": others}], "refusal": None}


def _token(text: str, probability: float) -> Body:
    return {"token": text, "bytes": list(text.encode()), "logprob": math.log(max(probability, SMALLEST))}


def _tokens(value: object) -> int:
    return math.ceil(len(json.dumps(value)) / LETTERS_PER_TOKEN)
