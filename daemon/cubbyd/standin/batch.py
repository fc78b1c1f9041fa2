"""/batches: a file of requests, answered one state a poll, with the answers in another order than the questions.

Each request goes through the stand-in as if it had come alone, so all that is checked there is checked here; a wrong one goes
to the error file. A batch that is planned to expire has the answers of its first half.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cubbyd.standin.endpoint import Body, Call, Endpoint, Numbers, Refused, now, page
from cubbyd.standin.file import Files, check_life
from cubbyd.standin.line import MOST_REQUESTS
from cubbyd.standin.tuning import check_metadata

DAY: Final = 86_400
OK: Final = 200
USUAL: Final = ("in_progress", "finalizing", "completed")
ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
STATES: Final = frozenset({"validating", "in_progress", "finalizing", "cancelling"}) | ENDED

_BATCH: Final = "openai.types:Batch"

Ask = Callable[[str, Body], tuple[int, Body]]
"""Answers one request of a batch, by its path and body: a status and what comes with it."""


@dataclass(slots=True, kw_only=True)
class _Batch:
    described: Body
    states: deque[str]
    lines: list[Body] = field(default_factory=list)
    seconds: int | None = None
    """How long what it writes is kept."""

    @property
    def is_over(self) -> bool:
        return self.described["status"] in ENDED


class Batches:
    """All batches."""

    def __init__(self, numbers: Numbers, files: Files, ask: Ask) -> None:
        """Begin with none."""
        self._numbers, self._files, self._ask = numbers, files, ask
        self._batches: dict[str, _Batch] = {}
        self._plans: deque[tuple[str, ...]] = deque()

    def plan(self, *states: str) -> None:
        """Say which states the next batch goes through, one a poll, after "validating"; the last one stays."""
        if wrong := set(states) - STATES:
            raise ValueError(f"no state of a batch: {', '.join(sorted(wrong))}")
        self._plans.append(states)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Give the endpoints."""
        return (
            Endpoint(
                method="POST",
                path="/batches",
                handle=self._create,
                request="openai.types.batch_create_params:BatchCreateParams",
                answer=_BATCH,
            ),
            Endpoint(
                method="GET",
                path="/batches",
                handle=lambda call: page([batch.described for batch in reversed(self._batches.values())], call),
                query="openai.types.batch_list_params:BatchListParams",
                answer=_BATCH,
                is_list=True,
            ),
            Endpoint(method="GET", path="/batches/{batch_id}", handle=self._poll, answer=_BATCH),
            Endpoint(method="POST", path="/batches/{batch_id}/cancel", handle=self._cancel, answer=_BATCH),
        )

    def _create(self, call: Call) -> Body:
        given = call.body
        self._files.get(given["input_file_id"], param="input_file_id", status=400, purpose="batch")
        check_metadata(given.get("metadata"))
        seconds = given.get("output_expires_after", {}).get("seconds")
        check_life(seconds, "output_expires_after")
        name, created = self._numbers.make("batch_", 32), now()
        described = {
            "id": name,
            "object": "batch",
            "endpoint": given["endpoint"],
            "completion_window": given["completion_window"],
            "input_file_id": given["input_file_id"],
            "status": "validating",
            "created_at": created,
            "expires_at": created + DAY,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": given.get("metadata"),
        }
        states = deque(self._plans.popleft() if self._plans else USUAL)
        self._batches[name] = _Batch(described=described, states=states, seconds=seconds)
        return described

    def _poll(self, call: Call) -> Body:
        batch = self._find(call)
        if batch.is_over or not batch.states:
            return batch.described
        state = batch.states.popleft()
        if batch.described["status"] == "validating" and (errors := self._wrong_lines(batch)):
            state, batch.described["errors"] = "failed", {"object": "list", "data": errors}
        self._enter(batch, state)
        return batch.described

    def _enter(self, batch: _Batch, state: str) -> None:
        batch.described = batch.described | {"status": state, f"{state}_at": now()}
        if state in {"completed", "expired", "cancelled"}:
            share = len(batch.lines) if state == "completed" else len(batch.lines) // 2
            self._answer(batch, batch.lines[:share], batch.lines[share:])

    def _find(self, call: Call) -> _Batch:
        name = call.names["batch_id"]
        if name not in self._batches:
            raise Refused(f"No batch found with id '{name}'.", status=404)
        return self._batches[name]

    def _cancel(self, call: Call) -> Body:
        batch = self._find(call)
        if batch.is_over:
            raise Refused(f"Cannot cancel a batch with status '{batch.described['status']}'.", status=409)
        self._enter(batch, "cancelling")
        batch.states = deque(["cancelled"])
        return batch.described

    def _wrong_lines(self, batch: _Batch) -> list[Body]:
        """Look at what only the batch can know: which endpoint it is for, and whether each id is there once."""
        try:
            batch.lines = self._files.lines(batch.described["input_file_id"])
        except Refused as gone:
            return [_error("invalid_input_file", gone.message, "input_file_id", None)]
        times = Counter(line["custom_id"] for line in batch.lines)
        models = {json.dumps(line["body"].get("model")) for line in batch.lines}
        errors = []
        for number, line in enumerate(batch.lines, start=1):
            if line["url"] != batch.described["endpoint"]:
                errors.append(
                    _error("mismatched_url", "The URL of this request is not the endpoint of the batch.", "url", number)
                )
            if times[line["custom_id"]] > 1:
                errors.append(_error("duplicate_custom_id", "The custom_id is there more than once.", "custom_id", number))
        if len(models) > 1:
            errors.append(_error("mismatched_model", "All requests of a batch must name the same model.", "model", None))
        if len(batch.lines) > MOST_REQUESTS:
            errors.append(_error("too_many_requests", f"A batch has {MOST_REQUESTS} requests at most.", None, None))
        batch.described["request_counts"] = {"total": len(batch.lines), "completed": 0, "failed": 0}
        return errors

    def _answer(self, batch: _Batch, lines: list[Body], unanswered: list[Body]) -> None:
        """Write the two files: answers, last question first, and what went wrong."""
        right: list[Body] = []
        wrong: list[Body] = []
        for line in reversed(lines):
            status, body = self._ask(line["url"], line["body"])
            request = self._numbers.make("req_", 32)
            told = self._told(line) | {"response": {"status_code": status, "request_id": request, "body": body}}
            (right if status == OK else wrong).append(told | {"error": None})
        code = f"batch_{batch.described['status']}"
        message = "This request was not carried out before the batch ended."
        wrong += [self._told(line) | {"response": None, "error": {"code": code, "message": message}} for line in unanswered]
        batch.described["request_counts"] = {
            "total": len(batch.lines),
            "completed": len(right),
            "failed": len(lines) - len(right),
        }
        batch.described["usage"] = _usage([row["response"]["body"].get("usage", {}) for row in right])
        name = batch.described["id"]
        for key, rows in (("output", right), ("error", wrong)):
            if rows:
                content = "".join(json.dumps(row) + "\n" for row in rows).encode()
                batch.described[f"{key}_file_id"] = self._files.add(
                    f"{name}_{key}.jsonl", content, "batch_output", batch.seconds
                )

    def _told(self, line: Body) -> Body:
        return {"id": self._numbers.make("batch_req_", 32), "custom_id": line["custom_id"]}


def _usage(parts: list[Body]) -> Body:
    taken = sum(part.get("prompt_tokens", 0) for part in parts)
    given = sum(part.get("completion_tokens", 0) for part in parts)
    return {
        "input_tokens": taken,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": given,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": taken + given,
    }


def _error(code: str, message: str, param: str | None, line: int | None) -> Body:
    return {"code": code, "message": message, "param": param, "line": line}
