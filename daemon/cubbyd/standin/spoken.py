"""What the stand-in says in chats without a schema, and in completions: a code with its odds, or JSON if asked for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from cubbyd.standin.answers import CREATED, Guess, tokens_of, user_text

_CODE: Final = re.compile(r"^- (\w+) = ([a-z0-9_-]+): ", re.MULTILINE)
_ID: Final = re.compile(r"^- ([a-z0-9_-]+): ", re.MULTILINE)
_JSON: Final = re.compile(r'as \{"(\w+)": (\[?)')
WITHOUT_BLANK: Final = 0.75
"""How much of a code's probability its token without a blank before it has; the rest has the one with a blank."""
CHAT_ALTERNATIVES: Final = 20


def chat_without_schema(words: Guess, codes: Mapping[str, str], request: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Answer a chat that has no schema: with JSON where the instructions ask for it, else with a code."""
    told = "\n".join(message["content"] for message in request["messages"] if message["role"] != "user")
    mail = user_text(request["messages"])
    asked = _JSON.search(told)
    if asked:
        text, odds = _as_json(words, asked, _ID.findall(told), mail), {}
    else:
        odds = _odds(words, dict(_CODE.findall(told)) or codes, mail)
        text = max(odds, key=lambda code: odds[code])
    size = tokens_of(request)
    logprobs = {"content": [_chat_token(text, odds, request.get("top_logprobs") or 0)], "refusal": None} if odds else None
    cap = request.get("max_completion_tokens") or request.get("max_tokens") or 0
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": "length" if cap == 1 else "stop",
        "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
        "logprobs": logprobs if request.get("logprobs") else None,
    }
    usage = {"prompt_tokens": size, "completion_tokens": 1, "total_tokens": size + 1}
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": CREATED, "model": request["model"]}
    return {**head, "choices": [choice], "usage": usage}


def complete_prompt(words: Guess, codes: Mapping[str, str], request: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Answer a completion with a code."""
    prompt = request["prompt"]
    odds = _odds(words, dict(_CODE.findall(prompt)) or codes, prompt)
    text = max(odds, key=lambda code: odds[code])
    listed = _alternatives(odds, request.get("logprobs") or 0)
    logprobs = {
        "tokens": [text],
        "token_logprobs": [math.log(odds[text] * WITHOUT_BLANK)],
        "top_logprobs": [listed],
        "text_offset": [len(prompt)],
    }
    size = tokens_of(request)
    choice = {
        "index": 0,
        "finish_reason": "length" if request.get("max_tokens") == 1 else "stop",
        "text": text,
        "logprobs": logprobs if request.get("logprobs") else None,
    }
    usage = {"prompt_tokens": size, "completion_tokens": 1, "total_tokens": size + 1}
    head = {"id": f"cmpl-{number}", "object": "text_completion", "created": CREATED, "model": request["model"]}
    return {**head, "choices": [choice], "usage": usage}


def _odds(words: Guess, codes: Mapping[str, str], mail: str) -> dict[str, float]:
    """Give each code its probability."""
    by_category = words.probabilities(mail, list(codes.values()))
    return {code: by_category[category] for code, category in codes.items()}


def _alternatives(odds: Mapping[str, float], most: int) -> dict[str, float]:
    """List the likeliest tokens with their log probabilities, each code with and without a blank before it."""
    spelled = [(f"{blank}{code}", p * share) for code, p in odds.items() for blank, share in _SHARES]
    return {token: math.log(p) for token, p in sorted(spelled, key=lambda pair: -pair[1])[:most]}


_SHARES: Final = (("", WITHOUT_BLANK), (" ", 1 - WITHOUT_BLANK))


def _chat_token(text: str, odds: Mapping[str, float], most: int) -> dict[str, Any]:
    listed = _alternatives(odds, min(most, CHAT_ALTERNATIVES))
    top = [{"token": token, "bytes": list(token.encode()), "logprob": value} for token, value in listed.items()]
    own = math.log(odds[text] * WITHOUT_BLANK)
    return {"token": text, "bytes": list(text.encode()), "logprob": own, "top_logprobs": top}


def _as_json(words: Guess, asked: re.Match[str], ids: list[str], mail: str) -> str:
    chosen = words.chosen(mail, ids) if asked[2] else [words.best(mail, ids)]
    return json.dumps({asked[1]: chosen if asked[2] else chosen[0]})
