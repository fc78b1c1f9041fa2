"""The `decisions` mode: one call, one question, a probability for every category; no text is generated at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cubbyd.classify.hosted.answer import SUM_TOLERANCE, Reply, Usage, as_probability, read_usage
from cubbyd.classify.hosted.failure import Event
from cubbyd.classify.hosted.prompt import INSTRUCTIONS, QUESTION_NAME, Prompt
from cubbyd.config import OpenAISection
from cubbyd.taxonomy import CategoryId

ENDPOINT: Final = "decisions"
MOST_CHOICES: Final = 255
OUTPUT_TOKENS: Final = 0
"""Nothing is generated, so that nothing is to be paid for it."""


class Decisions:
    """Asks one `choice` question."""

    endpoint = ENDPOINT
    output_tokens = OUTPUT_TOKENS

    def __init__(self, section: OpenAISection, prompt: Prompt) -> None:
        """Take the model's name and the closed set."""
        self._section, self._prompt = section, prompt
        self.categories = prompt.categories

    def body(self, mail: str) -> dict[str, Any]:
        """Make the request about one mail."""
        question = {
            "type": "choice",
            "name": QUESTION_NAME,
            "instructions": INSTRUCTIONS,
            "choices": self._prompt.choices(),
        }
        return {
            "model": self._section.model,
            "input": [{"type": "message", "role": "user", "content": mail}],
            "questions": [question],
        }

    def narrow(self, categories: Sequence[CategoryId]) -> Decisions:
        """Make the same question about some of the categories."""
        return Decisions(self._section, self._prompt.narrow(categories))

    def read(self, reply: Reply) -> dict[CategoryId, float]:
        """Read the probabilities. Raises Failure for a refusal and for whatever is no answer to the question."""
        answers = reply.body.get("answers")
        if not isinstance(answers, list):
            raise reply.odd(Event.FOREIGN)
        if len(answers) != 1 or not isinstance(answers[0], Mapping):
            raise reply.odd(Event.INVALID)
        answer = answers[0]
        if answer.get("type") == "refusal":
            raise reply.odd(Event.REFUSAL)
        listed = answer.get("probabilities")
        if answer.get("type") != "choice" or not isinstance(listed, list):
            raise reply.odd(Event.INVALID)
        found: dict[str, float] = {}
        for item in listed:
            value, probability = (
                (item.get("value"), as_probability(item.get("probability"))) if isinstance(item, Mapping) else (None, None)
            )
            if not isinstance(value, str) or value in found or probability is None:
                raise reply.odd(Event.INVALID)
            found[value] = probability
        total = sum(found.values())
        if set(found) != set(self.categories) or abs(total - 1.0) > SUM_TOLERANCE:
            raise reply.odd(Event.INVALID)
        return {category: found[category] / total for category in self.categories}

    def usage(self, reply: Reply) -> Usage:
        """Read what the call took."""
        return read_usage(reply, "input_tokens", "output_tokens")
