"""Every event that cubbyd logs: its fields, what it means, and what to do. Pure.

The log lets nothing else through. docs/operations.md has the same table, and a test compares the two and the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from cubbyd.lifecycle import State

NOTHING: Final = "nothing"
"""What to do, mostly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: the phrase that programs may look for, and what comes with it."""

    name: str
    level: str = "info"
    """The level at which it is logged; both where that depends, as in "info, warning"."""
    fields: frozenset[str] = field(default_factory=frozenset)
    """The names of the only fields that are let through."""
    meaning: str
    action: str = NOTHING
    """What the admin does about it."""


def _event(name: str, fields: str, meaning: str, action: str = NOTHING, *, level: str = "info") -> Event:
    return Event(name=name, level=level, fields=frozenset(fields.split()), meaning=meaning, action=action)


_MAIL: Final = "mailbox uidvalidity uid category probability others hold urgent folder error duration_ms undo"
"""Of a mail: ids, and what was decided; `duration_ms` is from the first sight to this."""

_SERVICE: Final = (
    _event("started", "mailboxes observe model", "the daemon serves these mailboxes, with this model"),
    _event("stopped", "", "the daemon was told to stop, and has"),
    _event("pass done", f"mailbox found classified {' '.join(State)}", "a pass with something in it; how many became what"),
    _event(
        "pass has a problem",
        "mailbox error",
        "the pass went on; some mail waits. `error` says why",
        "where it stays: what `error` says; `cubbyd status` shows it too",
        level="warning",
    ),
    _event(
        "pass failed",
        "mailbox kind error",
        "the pass broke off; tried again after 5 s at most, doubling up to 10 min, not before the time that the server names, "
        "and after a refused login not before 15 min",
        "where it stays: [runbook.md](runbook.md) by what `error` says",
        level="error",
    ),
    _event(
        "pass failed for a reason that is a fault of cubbyd",
        "mailbox",
        "an exception that nobody expected; `exception` says where. Tried again at the next poll",
        "send us this line; it holds no mail text",
        level="error",
    ),
    _event("not watching for now; polling goes on", "mailbox reason", "IDLE is down or not offered; polls find new mail"),
    _event(
        "the clock was set; polls are scheduled anew",
        "seconds",
        "the wall clock stepped by so many seconds",
        "where it comes often: look after the clock of this machine",
        level="warning",
    ),
    _event("configuration reloaded", "mailboxes model", "after SIGHUP: the new configuration is in force"),
    _event(
        "configuration not reloaded; the old one stays in force",
        "error",
        "after SIGHUP: the new configuration is wrong",
        "mend what `error` names, then reload again",
        level="error",
    ),
    _event(
        "a mailbox makes no progress; the watchdog will restart cubbyd",
        "mailbox",
        "its work stands still; stacks of all threads follow when the watchdog's time is up",
        "tell us what the stacks say",
        level="error",
    ),
    _event("state pruned", "mails kept_old before", "so many mails that were done with before this day were removed"),
    _event(
        "state not pruned",
        "error",
        "the daily removal of old rows failed; tried again tomorrow",
        "what `error` says",
        level="warning",
    ),
    _event(
        "calibration is missing",
        "reason",
        "the file of `[classifier] calibration` has nothing for this version of the classifier",
        "what `reason` says: mostly `cubbyd calibrate`",
        level="warning",
    ),
    _event(
        "a field was kept out of the log",
        "field of",
        "cubbyd or an extension logged a field that this table does not have; said once for each",
        "tell us",
        level="warning",
    ),
)

_MAILS: Final = (
    _event("mail filed", _MAIL, "it is in its category's folder, or labeled"),
    _event(
        "mail held",
        _MAIL,
        "left to people; `hold` says why: unsure, nothing to read, put back by a person, taken back by an undo, "
        "its category is not configured, the classifiers disagree",
        "a person reads it; with `urgent`, soon",
    ),
    _event("mail decided", _MAIL, "with `action` = observe; or the same mail under a new UID took over the decision on record"),
    _event("mail gone", _MAIL, "a person moved or deleted it first; `folder` says where it is, where that could be found"),
    _event(
        "mail quarantined",
        _MAIL,
        "tried too often, or the backend will never take it; it stays in the inbox",
        "a person files it; or mend what `error` says, and `cubbyd retry`",
        level="info, warning",
    ),
    _event(
        "mail moved by a person",
        "mailbox uidvalidity uid was category folder",
        "a person moved it to the folder of `category`, some ten minutes ago or more; `was` is what it had, and is missing "
        "where it was left to people. `cubbyd corrections` counts them",
    ),
    _event(
        "people's moves cannot be seen for now",
        "mailbox error",
        "the connection broke, or the server failed, at a look at the folders; mail is filed all the same",
        "where it stays: what `error` says",
        level="warning",
    ),
    _event(
        "a folder cannot be watched",
        "mailbox folder error",
        "what people move there is not seen; mail is filed all the same. Said once for each folder",
        "where it stays: what `error` says",
        level="warning",
    ),
    _event("mail undone", _MAIL, "taken back by `cubbyd undo`; `undo` is its number"),
    _event(
        "undo has a problem",
        "mailbox error",
        "an undo, or the end of one that was killed, met a refusal",
        "mend what `error` says, then give the command again",
        level="warning",
    ),
    _event(
        "keyword is not kept",
        "mailbox keyword",
        "the server said OK to a keyword and dropped it; the mail is moved all the same",
        '`action = "move"`',
        level="warning",
    ),
    _event("old mail is counted", "mailbox mails backlog", "an inbox was opened for the first time, or has a new UIDVALIDITY"),
    _event(
        "old mail is left alone",
        "mailbox mails",
        "how much of it is still there, at the start and once a day",
        "where it is to be filed: `[filing] backlog`",
    ),
    _event("old mail goes on", "mailbox left of seconds_left", "how much is `left` `of` how much, and about how long it takes"),
    _event("old mail is done", "mailbox of", "all old mail that was to be filed is done with"),
)

_CLASSIFIERS: Final = (
    _event(
        "the fallback answers",
        "classifier fallback error",
        "`[classifier] fallback` stands in for the chosen kind, once `error` came up",
        "where it stays: mend what `error` says",
        level="warning",
    ),
    _event("the classifier answers again", "classifier fallback", "the chosen kind is back"),
    _event(
        "text leaves the building", "endpoint model bytes", "a hosted model, or a server for vectors, was sent so many bytes"
    ),
    _event(
        "the hosted classifier gave no answer",
        "failure then request",
        "one call failed; `then` says what follows: retry, pause, or the mail goes to a person",
        "where it stays: docs/classifiers/openai.md has each `failure`",
        level="warning",
    ),
    _event(
        "the day's budget of the hosted classifier is nearly used up",
        "used",
        "at its end mail waits in the inbox until the next day",
        "raise the budget in the configuration, or let it wait",
        level="warning",
    ),
    _event("found out how the server can be asked", "mode", "the server was tried; the mode is kept until it changes"),
    _event("the server cannot be asked in this way", "mode failure", "one mode was refused; the next one is tried"),
    _event(
        "the server seems to have read a part of the text only; set context_tokens to what it can hold",
        "",
        "it counts far fewer tokens than were sent",
        "`context_tokens` in the configuration",
        level="warning",
    ),
    _event(
        'the server wrote more than it was allowed; it may want max_tokens_field = "max_tokens"',
        "",
        "it does not know the limit under its new name",
        "`max_tokens_field` in the configuration",
        level="warning",
    ),
    _event(
        "the server made no vector",
        "failure then request",
        "one call for a vector failed; `then` says what follows",
        "where it stays: docs/classifiers/embeddings.md",
        level="warning",
    ),
    _event(
        "the cache of vectors is damaged and begun anew",
        "file",
        "it costs time, and where vectors are paid, money",
        level="warning",
    ),
    _event(
        "the cache of vectors cannot be used; mail is classified without it",
        "file why",
        "the file cannot be read or written",
        "mend what `why` says",
        level="warning",
    ),
)

_TUNING: Final = (
    _event("masked text leaves the building", "file bytes lines", "`cubbyd finetune` uploads so many masked examples"),
    _event(
        "a file at the vendor could not be deleted",
        "file reason",
        "masked examples are still there",
        "`cubbyd finetune list` tries again; or delete it on the vendor's page",
        level="warning",
    ),
    _event(
        "it is not known whether a job was started",
        "start reason",
        "the vendor did not answer when one was ordered, nor now",
        "`cubbyd finetune list` looks again",
        level="warning",
    ),
    _event(
        "it is not known whether a file is at the vendor",
        "start reason",
        "an upload was broken off",
        "`cubbyd finetune list` looks again",
        level="warning",
    ),
    _event(
        "the losses could not be fetched",
        "job reason",
        "the curve of a finished job is still at the vendor",
        "`cubbyd finetune results` tries again",
        level="warning",
    ),
    _event("the losses are lost", "job reason", "the vendor does not give the curve of a job any more", level="warning"),
)

_WATCHERS: Final = (
    _event("metrics and /healthz are served", "address", "at this address: [monitoring.md](monitoring.md)"),
    _event(
        "no metrics and no /healthz for now; mail is filed all the same",
        "reason",
        "the address cannot be listened on; tried again",
        "what `reason` says: mostly another program is there",
        level="error",
    ),
    _event("a page was not delivered", "error", "whoever asked for it hung up or was too slow", level="debug"),
    _event("digest sent", "mailbox folder", "the digest lies in this folder"),
    _event(
        "the digest was not sent; it is tried again",
        "mailbox error",
        "the server did not take it",
        "where it stays: what `error` says",
        level="warning",
    ),
    _event(
        "the heartbeat was not taken",
        "reason",
        "`[heartbeat] url` does not answer as it should; said once",
        "look at what `reason` says; mail is filed all the same",
        level="warning",
    ),
    _event("the heartbeat is taken again", "", "`[heartbeat] url` answers again"),
)

_TOKENS: Final = (
    _event("token renewed", "mailbox provider expires", "a mailbox has a new token"),
    _event(
        "token not kept",
        "mailbox error",
        "the state directory could not be written; the token serves from memory, and is lost at a restart",
        "make room, or give the right to write; else `cubbyd login` after the restart",
        level="error",
    ),
)

EVENTS: Final[Mapping[str, Event]] = MappingProxyType(
    {event.name: event for event in (*_SERVICE, *_MAILS, *_CLASSIFIERS, *_TUNING, *_TOKENS, *_WATCHERS)}
)
"""All of them by name, in the order of the documentation."""

LINE: Final = frozenset({"event", "level", "timestamp", "logger", "exception"})
"""What every line may have besides; `logger` names a library that is not cubbyd."""


def unknown_fields(event: str, fields: frozenset[str]) -> frozenset[str]:
    """Tell which fields may not be logged with this event; of an unknown event, all but those of every line."""
    known = EVENTS.get(event)
    return fields - LINE - (known.fields if known else frozenset())


def as_table() -> str:
    """Give the table of the documentation, in Markdown."""
    lines = ["| event | level | fields | meaning | what to do |", "|---|---|---|---|---|"]
    for event in EVENTS.values():
        fields = " ".join(sorted(event.fields))
        lines.append(f"| {event.name} | {event.level} | {fields} | {event.meaning} | {event.action} |")
    return "\n".join(lines)
