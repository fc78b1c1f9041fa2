"""What every answer of a chat or completion server has in common: one choice, its text, why it ends, and its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from cubbyd.classify.hosted.answer import Reply
from cubbyd.classify.hosted.failure import Event

CHAT: Final = "chat/completions"
COMPLETIONS: Final = "completions"
ROUNDING: Final = 1e-6
IMPOSSIBLE: Final = -1e6
"""Servers say -9999 where they mean never; what is below this is no number of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token that was written, and what stood to choose in its place."""

    text: str
    logprob: float
    others: Mapping[str, float]
    """Log probabilities of the likeliest tokens at this place, this one often among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The first choice of an answer."""

    text: str | None
    """None where the model said nothing."""
    is_cut: bool
    """The answer ended because it got too long."""
    tokens: tuple[Token, ...] | None
    """None where the server gives no log probabilities, or odd ones."""


def read_choice(reply: Reply) -> Said:
    """Read the first choice of an answer; a missing or unknown finish_reason is no fault. Raises Failure."""
    choices = reply.body.get("choices")
    if not isinstance(choices, list):
        raise reply.odd(Event.FOREIGN)
    choice = choices[0] if choices else None
    if not isinstance(choice, Mapping):
        raise reply.odd(Event.INVALID)
    message = choice.get("message", choice)  # a completion has its text in the choice itself
    if not isinstance(message, Mapping) or not {"content", "text", "refusal"} & set(message):
        raise reply.odd(Event.INVALID)
    if message.get("refusal"):
        raise reply.odd(Event.REFUSAL)
    reason = choice.get("finish_reason")
    if reason == "content_filter":
        raise reply.odd(Event.BLOCKED)
    text = message.get("content", message.get("text"))
    is_cut = reason == "length"
    return Said(text=text if isinstance(text, str) else None, is_cut=is_cut, tokens=read_tokens(choice.get("logprobs")))


def read_tokens(logprobs: object) -> tuple[Token, ...] | None:
    """Read log probabilities as chats have them, or as completions have them (llama.cpp gives the former for both)."""
    if not isinstance(logprobs, Mapping):
        return None
    content = logprobs.get("content")
    made = [_chat_token(item) for item in content] if isinstance(content, list) else _completion_tokens(logprobs)
    tokens = tuple(token for token in made if token is not None)
    return tokens if tokens and len(tokens) == len(made) else None


def _chat_token(item: object) -> Token | None:
    if not isinstance(item, Mapping):
        return None
    listed = item.get("top_logprobs")
    pairs = [(one.get("token"), one.get("logprob")) for one in listed or () if isinstance(one, Mapping)] if listed else []
    return _token(item.get("token"), item.get("logprob"), pairs)


def _completion_tokens(logprobs: Mapping[str, Any]) -> list[Token | None]:
    tokens, values, tops = logprobs.get("tokens"), logprobs.get("token_logprobs"), logprobs.get("top_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        return []
    tops = tops if isinstance(tops, list) and len(tops) == len(tokens) else [{}] * len(tokens)
    return [
        _token(token, value, list(top.items()) if isinstance(top, Mapping) else [])
        for token, value, top in zip(tokens, values, tops, strict=True)
    ]


def _token(text: object, logprob: object, pairs: list[tuple[object, object]]) -> Token | None:
    if not isinstance(text, str) or not is_logprob(logprob):
        return None
    others = {other: value for other, value in pairs if isinstance(other, str) and is_logprob(value)}
    return Token(text=text, logprob=logprob, others=others) if len(others) == len(pairs) else None


def is_logprob(value: object) -> TypeGuard[float]:
    """Tell whether this is the logarithm of a probability; a server may round one to just above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and IMPOSSIBLE <= value <= ROUNDING
