"""The `decisions` mode: one call, a probability for every category; no text is generated at all.

One category a mail is one `choice` question. Several are a `predicate` question for each category, all in the same call: their
probabilities stand each for itself and need not add up to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cubbyd.classify.hosted.answer import SUM_TOLERANCE, Reply, Usage, as_probability, read_usage
from cubbyd.classify.hosted.failure import Event
from cubbyd.classify.hosted.prompt import QUESTION_NAME, Prompt
from cubbyd.config import OpenAISection
from cubbyd.config.hosted import Mode
from cubbyd.taxonomy import CategoryId

ENDPOINT: Final = "decisions"
MOST_CHOICES: Final = 255
MOST_QUESTIONS: Final = 400
OUTPUT_TOKENS: Final = 0
"""Nothing is generated, so that nothing is to be paid for it."""


class Decisions:
    """Asks one `choice` question, or a `predicate` question for each category."""

    endpoint = ENDPOINT
    output_tokens = OUTPUT_TOKENS
    way: str = Mode.DECISIONS

    def __init__(self, section: OpenAISection, prompt: Prompt) -> None:
        """Take the model's name and the closed set."""
        self._section, self._prompt = section, prompt
        self.categories = prompt.categories

    def body(self, mail: str) -> dict[str, Any]:
        """Make the request about one mail."""
        said = {"type": "message", "role": "user", "content": mail}
        if not self._prompt.many:
            question = {"type": "choice", "name": QUESTION_NAME, "instructions": self._prompt.task}
            questions: list[dict[str, Any]] = [question | {"choices": self._prompt.choices()}]
            return {"model": self._section.model, "input": [said], "questions": questions}
        task = {"type": "message", "role": "system", "content": self._prompt.task}
        questions = [{"type": "predicate", **predicate} for predicate in self._prompt.predicates()]
        return {"model": self._section.model, "input": [task, said], "questions": questions}

    def narrow(self, categories: Sequence[CategoryId]) -> Decisions:
        """Make the same question about some of the categories."""
        return Decisions(self._section, self._prompt.narrow(categories))

    def read(self, reply: Reply) -> dict[CategoryId, float]:
        """Read the probabilities. Raises Failure for a refusal and for whatever is no answer to the question."""
        answers = reply.body.get("answers")
        if not isinstance(answers, list):
            raise reply.odd(Event.FOREIGN)
        if not all(isinstance(answer, Mapping) for answer in answers):
            raise reply.odd(Event.INVALID)
        if any(answer.get("type") == "refusal" for answer in answers):
            raise reply.odd(Event.REFUSAL)  # one refused question of many is enough: it is this mail that is not spoken of
        found = self._read_many(answers) if self._prompt.many else self._read_one(answers)
        if found is None:
            raise reply.odd(Event.INVALID)
        return found

    def usage(self, reply: Reply) -> Usage:
        """Read what the call took."""
        return read_usage(reply, "input_tokens", "output_tokens")

    def _read_one(self, answers: list[Mapping[str, Any]]) -> dict[CategoryId, float] | None:
        listed = answers[0].get("probabilities") if len(answers) == 1 and answers[0].get("type") == "choice" else None
        if not isinstance(listed, list):
            return None
        found: dict[str, float] = {}
        for item in listed:
            value, probability = (
                (item.get("value"), as_probability(item.get("probability"))) if isinstance(item, Mapping) else (None, None)
            )
            if not isinstance(value, str) or value in found or probability is None:
                return None
            found[value] = probability
        total = sum(found.values())
        if set(found) != set(self.categories) or abs(total - 1.0) > SUM_TOLERANCE:
            return None
        return {category: found[category] / total for category in self.categories}

    def _read_many(self, answers: list[Mapping[str, Any]]) -> dict[CategoryId, float] | None:
        """Read the answers in the order of the questions, as the API promises it; a name, where there is one, must fit."""
        if len(answers) != len(self.categories):
            return None
        found: dict[CategoryId, float] = {}
        for category, answer in zip(self.categories, answers, strict=True):
            probability = as_probability(answer.get("probability"))
            if answer.get("type") != "predicate" or answer.get("name") not in {None, category} or probability is None:
                return None
            found[category] = probability
        return found
