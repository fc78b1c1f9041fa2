"""What each failure of a hosted classifier leads to: one table, from top to bottom, the first row that fits.

Nothing here becomes a category. What a server says in words is not repeated, because it may quote the mail or the key; a
code of letters and digits is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable, NeedsPerson

LONGEST_WAIT: Final = 120.0
"""Seconds of Retry-After that are waited out; a longer one rests the backend instead."""
HOUR: Final = 3600.0
QUARTER: Final = 900.0
URGENT: Final = "urgent: "

_NO_MONEY: Final = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
}
_BLOCKED: Final = {"content_filter", "invalid_prompt", "content_policy_violation"}
_TOO_LONG: Final = {"context_length_exceeded", "string_above_max_length"}
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class Event(StrEnum):
    """What came instead of an answer that can be used, where no status code says it."""

    STATUS = "status"  # an HTTP status other than 200
    TIMEOUT = "timeout"
    NO_CONNECTION = "no connection"
    REFUSAL = "refusal"  # the model declines to answer
    BLOCKED = "blocked"  # a filter kept the answer back
    CUT = "cut"  # the answer is longer than allowed
    INVALID = "invalid"  # an answer outside the rules: a foreign label, broken JSON, probabilities that do not add up
    OVERLONG = "overlong"  # more than context_tokens: the server would leave a part unread, and not say so
    FOREIGN = "foreign"  # a 200 that is not the API's: HTML, nothing, an error object


class Action(StrEnum):
    """What is done about it."""

    RETRY = "retry"  # again, soon; then unavailable
    ONCE_MORE = "once more"  # again, once; then rejected
    PAUSE = "pause"  # nobody is asked for a while: unavailable
    SHORTEN = "shorten"  # again with half the text, once; then rejected
    REJECT = "reject"  # this mail is set aside for people
    URGENT = "urgent"  # this mail is set aside for people, who should look soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """What is known of a failure."""

    event: Event
    status: int = 0
    code: str = ""
    type: str = ""
    param: str = ""
    retry_after: float | None = None
    request_id: str = ""


class Failure(Exception):
    """A call that gave no usable answer."""

    def __init__(self, symptom: Symptom) -> None:
        """Take what is known of it, and look it up in the table."""
        self.symptom = symptom
        self.row = next(row for row in TABLE if row.fits(symptom))
        super().__init__(self.row.name)

    @property
    def pause(self) -> float | None:
        """Seconds that the backend should rest."""
        if self.row.action is not Action.PAUSE:
            return self.symptom.retry_after
        return max(self.row.pause, self.symptom.retry_after or 0.0)

    @property
    def is_billed(self) -> bool:
        """Tell whether the call may have cost money: it was answered, or nobody knows."""
        return self.symptom.event not in {Event.STATUS, Event.NO_CONNECTION}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    name: str
    fits: Callable[[Symptom], bool]
    action: Action
    says: str
    """For people: what it is, and what they can do."""
    pause: float = 0.0
    """Seconds of rest, for PAUSE."""


def _status(*statuses: int) -> Callable[[Symptom], bool]:
    return lambda symptom: symptom.status in statuses


def _between(lowest: int, highest: int) -> Callable[[Symptom], bool]:
    return lambda symptom: lowest <= symptom.status <= highest


def _coded(codes: set[str], *statuses: int) -> Callable[[Symptom], bool]:
    return lambda symptom: symptom.status in statuses and bool(codes & {symptom.code, symptom.type})


def _is(event: Event) -> Callable[[Symptom], bool]:
    return lambda symptom: symptom.event is event


def _long_wait(symptom: Symptom) -> bool:
    return (symptom.status == 429 or symptom.status >= 500) and (symptom.retry_after or 0.0) > LONGEST_WAIT  # noqa: PLR2004


_PAY = "the account has no money left; pay, or raise its limit"
_NO_ENDPOINT = 'the server has no such endpoint; choose another, such as mode = "schema", or check base_url'
_NO_ROOM = "text, instructions and answer do not fit into context_tokens; lower text_chars, or give the model more context"

TABLE: Final = (
    Row("no money", _coded(_NO_MONEY, 402, 403, 429), Action.PAUSE, _PAY, HOUR),
    Row("payment required", _status(402), Action.PAUSE, _PAY, HOUR),
    Row("long wait", _long_wait, Action.PAUSE, "the service asks for a long pause"),
    Row("rate limit", _status(429), Action.RETRY, "too many calls for this account"),
    Row("input blocked", _coded(_BLOCKED, 400, 403, 422), Action.URGENT, "a filter of the service blocked this mail"),
    Row("text too long", _coded(_TOO_LONG, 400, 422), Action.SHORTEN, "the text is too long for the model; lower text_chars"),
    Row("body too large", _status(413), Action.SHORTEN, "the text is too long for the server; lower text_chars"),
    Row("context full", _is(Event.OVERLONG), Action.SHORTEN, _NO_ROOM),
    Row("wrong key", _status(401), Action.PAUSE, "the key was refused; check api_key_file and its like", QUARTER),
    Row("not allowed", _status(403), Action.PAUSE, "the key may not do this, or not from here; ask the vendor", QUARTER),
    Row("model gone", _coded({"model_not_found"}, 404), Action.PAUSE, "there is no such model; choose another", HOUR),
    Row("no endpoint", _status(404, 405, 501), Action.PAUSE, _NO_ENDPOINT, HOUR),
    Row("request refused", _status(400, 422), Action.PAUSE, "the server does not take this kind of request", QUARTER),
    Row("busy", _status(408, 409, 425), Action.RETRY, "the service is busy"),
    Row("redirect", _between(300, 399), Action.PAUSE, "the server points elsewhere; no mail is sent there", QUARTER),
    Row("server error", _between(500, 999), Action.RETRY, "the service has a fault of its own"),
    Row("other status", _is(Event.STATUS), Action.PAUSE, "the server gave an answer that cubbyd does not know", QUARTER),
    Row("timeout", _is(Event.TIMEOUT), Action.RETRY, "no answer in time"),
    Row("no connection", _is(Event.NO_CONNECTION), Action.RETRY, "cannot be reached, or the connection broke"),
    Row("refusal", _is(Event.REFUSAL), Action.URGENT, "the model declined to answer for this mail"),
    Row("output blocked", _is(Event.BLOCKED), Action.URGENT, "a filter of the service blocked the answer for this mail"),
    Row("cut output", _is(Event.CUT), Action.REJECT, 'the answer was cut short; set reasoning_effort = "none"'),
    Row("invalid answer", _is(Event.INVALID), Action.ONCE_MORE, "the answer is none of the categories"),
    Row("not the API", _is(Event.FOREIGN), Action.RETRY, "what answered is not the service; check base_url"),
)
"""Every exception and odd answer. The order matters: a special case stands above the general one."""


def describe(failure: Failure, server: str, says: str = "") -> str:
    """Say a failure for people, with the server's status and codes; `says` stands in the place of the row's words."""
    symptom = failure.symptom
    details = [str(symptom.status) if symptom.status else "", symptom.code or symptom.type, symptom.param]
    told = " ".join(detail for detail in details if _CODE.fullmatch(detail))
    known = f" ({told})" if told else ""
    call = f", call {symptom.request_id}" if _CODE.fullmatch(symptom.request_id) else ""
    return f"{server}: {says or failure.row.says}{known}{call}"


def to_error(failure: Failure, server: str) -> ClassifierError:
    """Turn a failure into what the rest of cubbyd knows, once nothing more is tried."""
    row, text = failure.row, describe(failure, server)
    if row.action is Action.URGENT:
        return NeedsPerson(f"{URGENT}{text}; read it now, and file it by hand")
    if row.action in {Action.REJECT, Action.ONCE_MORE, Action.SHORTEN}:
        return ClassifierRejected(text)
    return ClassifierUnavailable(text, retry_after_seconds=failure.pause)
