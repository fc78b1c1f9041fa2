"""The right answers of the stand-in: a classifier by words that sees what a model would see, and nothing else."""

from __future__ import annotations

import json
import math
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

TOKEN_LETTERS: Final = 4
BYTES_PER_TOKEN: Final = 4
SURE: Final = 0.9
CERTAIN: Final = 0.5
CREATED: Final = 1_795_000_000

WRITTEN: Final = {"subject", "body"}
"""The keys of the answer to a request for a mail."""

_CATEGORY: Final = re.compile(r"^Category: ([\w-]+)", re.MULTILINE)
_SAYINGS: Final = (
    "We noticed it on day {number} and thought of {word} at once.",
    "Could someone call us back under extension {number} after lunch?",
    "My sister said that {word} was a matter for the office in room {number}.",
    "Nothing else has changed since we wrote to you {number} hours ago.",
    "Thank you for looking into {word} again, as with case {number}.",
    "Please leave a note in cubby {number} so that everybody knows.",
    "We will be there at the back door near gate {number} as always.",
    "It has kept all {number} of us busy for the whole weekend.",
)
_MAIL: Final = re.compile(r"<mail>\n(.*)\n</mail>", re.DOTALL)


class Guess(ABC):
    """What the stand-in knows about mail."""

    @abstractmethod
    def probabilities(self, told: str, options: list[str]) -> dict[str, float]:
        """Give each option a probability, by a prompt that may hold a mail between its markers."""

    @abstractmethod
    def alone(self, told: str, option: str) -> float:
        """Give the probability of one option, whatever the others are."""

    def speak(self, option: str) -> list[str]:
        """Give words by which a mail would be told to belong to an option; its own name where nothing is known."""
        return [option]

    def best(self, told: str, options: list[str]) -> str:
        """Choose one option; the first where no word is found."""
        probabilities = self.probabilities(told, options)
        return max(options, key=lambda option: probabilities[option])

    def chosen(self, told: str, options: list[str]) -> list[str]:
        """Choose every option of which a word is found."""
        return [option for option in options if self.alone(told, option) >= CERTAIN]


def mail_in(told: str) -> str:
    """Give the mail in a prompt; all of it where there are no markers."""
    found = _MAIL.search(told)
    return found[1] if found else told


class Words(Guess):
    """Chooses the category with the most of its words in the mail."""

    def __init__(self, words: Mapping[str, str], sure: float = SURE) -> None:
        """Map words to the category that each speaks for, and say how sure an answer is."""
        self._words = {word.lower(): category for word, category in words.items()}
        self._sure = sure

    def probabilities(self, told: str, options: list[str]) -> dict[str, float]:
        """Give each option a probability; the same where no word is found."""
        mail = mail_in(told).lower()
        counts = dict.fromkeys(options, 0)
        for word, category in self._words.items():
            if category in counts:
                counts[category] += len(re.findall(rf"\b{re.escape(word)}\b", mail))
        best = max(options, key=lambda option: counts[option])
        if not counts[best]:
            return dict.fromkeys(options, 1 / len(options))
        rest = (1 - self._sure) / (len(options) - 1)
        return {option: self._sure if option == best else rest for option in options}

    def alone(self, told: str, option: str) -> float:
        """Give the probability of one option, whatever the others are."""
        mail = mail_in(told).lower()
        own = [word for word, category in self._words.items() if category == option]
        return self._sure if any(re.search(rf"\b{re.escape(word)}\b", mail) for word in own) else 1 - self._sure

    def speak(self, option: str) -> list[str]:
        """Give the words that speak for an option."""
        return [word for word, category in self._words.items() if category == option] or [option]


def decide(words: Guess, request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a decision: a probability for every option of a `choice` question, and for every `predicate`."""
    told = request["input"] if isinstance(request["input"], str) else user_text(request["input"])
    answers: list[dict[str, Any]] = []
    for question in request["questions"]:
        if question["type"] == "predicate":
            option = question.get("name", "")
            answers.append({"type": "predicate", "name": question.get("name"), "probability": words.alone(told, option)})
            continue
        options = [choice["value"] for choice in question["choices"]]
        probabilities = words.probabilities(told, options)
        best = max(options, key=lambda option: probabilities[option])
        answers.append(
            {
                "type": "choice",
                "name": question.get("name"),
                "choice": best,
                "confidence": _concentration(probabilities),
                "probabilities": [{"value": option, "probability": probabilities[option]} for option in options],
            }
        )
    size = tokens_of(request)
    usage = {
        "input_tokens": size,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": size,
    }
    return {"answers": answers, "model": request["model"], "usage": usage}


def complete(words: Guess, request: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Answer a chat with a JSON schema: the object that it asks for."""
    schema = request["response_format"]["json_schema"]["schema"]
    if set(schema["properties"]) == WRITTEN:
        return _reply(request, number, json.dumps(write_mail(words, request, number)))
    ((key, rule),) = schema["properties"].items()
    told = user_text(request["messages"])
    options = rule["items"]["enum"] if rule.get("type") == "array" else rule["enum"]
    probabilities = words.probabilities(told, options)
    best = words.best(told, options)
    content = json.dumps({key: words.chosen(told, options) if rule.get("type") == "array" else best})
    told_so = request.get("logprobs") and f'"{best}"' in content
    return _reply(request, number, content, _logprobs(content, best, probabilities[best]) if told_so else None)


def write_mail(words: Guess, request: Mapping[str, Any], number: int) -> dict[str, str]:
    """Write a mail of the category that is asked for; the same request with the same number gives the same mail."""
    found = _CATEGORY.search(user_text(request["messages"]))
    telling = words.speak(found[1] if found else "")
    draw = random.Random(f"{number} {user_text(request['messages'])}")  # noqa: S311  (variety, no secret)
    word = draw.choice(telling)
    sentences = [draw.choice(_SAYINGS).format(word=word, number=draw.randrange(1000)) for _ in range(4)]
    return {"subject": f"{word}, no. {number}", "body": " ".join([f"This is about {word}.", *sentences])}


def _reply(
    request: Mapping[str, Any], number: int, content: str, logprobs: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    size, spoken = tokens_of(request), math.ceil(len(content) / TOKEN_LETTERS)
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": content, "refusal": None, "annotations": []},
        "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
    }
    usage = {"prompt_tokens": size, "completion_tokens": spoken, "total_tokens": size + spoken}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": request["model"],
        "choices": [choice],
        "usage": usage,
    }


def _logprobs(content: str, label: str, probability: float) -> list[dict[str, Any]]:
    """Cut the text into tokens; the first that spells the label carries its probability, as in a model that is forced."""
    start = content.rindex(label)
    cuts = [*range(0, start, TOKEN_LETTERS), start, *range(start + TOKEN_LETTERS, len(content), TOKEN_LETTERS), len(content)]
    tokens = []
    for begin, end in pairwise(cuts):
        text, value = content[begin:end], math.log(probability) if begin == start else 0.0
        tokens.append({"token": text, "bytes": list(text.encode()), "logprob": value, "top_logprobs": []})
    return tokens


def user_text(messages: list[dict[str, Any]]) -> str:
    """Give what was said in the user's name."""
    return "\n".join(message["content"] for message in messages if message["role"] == "user")


def tokens_of(request: Mapping[str, Any]) -> int:
    """Count the tokens of a request, roughly."""
    return math.ceil(len(json.dumps(request)) / BYTES_PER_TOKEN)


def _concentration(probabilities: Mapping[str, float]) -> float:
    entropy = -sum(p * math.log(p) for p in probabilities.values() if p)
    return 1 - entropy / math.log(len(probabilities))
