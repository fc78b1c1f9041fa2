"""Whether a file is what a vendor or a backend accepts, fault by fault, with line numbers.

OpenAI's format and its minimum of 10 lines: its fine-tuning guide. Azure asks for a byte order mark and at most 512 MB:
"Customize a model with fine-tuning"; put together from memory, and not tried on their servers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

from cubbyd.dataset.example import read_line
from cubbyd.errors import InputFileError
from cubbyd.taxonomy import Taxonomy

FEWEST_LINES: Final = 10
LARGEST_BYTES: Final = 512 * 1024 * 1024
LONGEST_TOKENS: Final = 65_536
"""Of one example; more is cut off by the vendor."""
BYTES_A_TOKEN: Final = 4
FEWEST_OF_A_CATEGORY: Final = 2
SHOWN: Final = 10

ROLES: Final = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
CHAT_KEYS: Final = frozenset(("messages", "tools", "parallel_tool_calls", "functions"))
MESSAGE_KEYS: Final = frozenset(("role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal"))


class Target(StrEnum):
    """Who is to read the file."""

    CUBBYD = "cubbyd"  # cubbyd's own commands, `cubbyd train` among them
    OPENAI = "openai"  # chat fine-tuning at OpenAI and servers with the same calls
    AZURE = "azure"  # the same at Azure
    COMPLETION = "completion"  # prompt and completion, the older format


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What was found; errors are refused by the target, warnings are not."""

    target: Target
    lines: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[int]] = field(default_factory=dict)
    """The first lines of each fault."""
    labels: Counter[str] = field(default_factory=Counter)

    @property
    def is_accepted(self) -> bool:
        """Tell whether nothing was found that is refused."""
        return not self.errors

    def fail(self, what: str, line: int = 0) -> None:
        """Note a fault; 0 means the whole file."""
        self._note(self.errors, what, line)

    def warn(self, what: str, line: int = 0) -> None:
        """Note what is accepted and probably not meant."""
        self._note(self.warnings, what, line)

    def _note(self, counts: Counter[str], what: str, line: int) -> None:
        counts[what] += 1
        places = self.places.setdefault(what, [])
        if line and len(places) < SHOWN:
            places.append(line)


def validate(file: Path, target: Target, taxonomy: Taxonomy | None = None) -> Verdict:
    """Look through a file, line by line. Raises InputFileError where it cannot be read at all."""
    verdict = Verdict(target=target)
    check = _CHECKS[target]
    ends: Counter[str] = Counter()
    for number, line in _lines(file, verdict):
        if not line.strip():
            if target is not Target.CUBBYD:
                verdict.fail("empty line", number)
            continue
        verdict.lines += 1
        check(file, line, number, verdict, ends)
    _check_whole(file, verdict, taxonomy)
    if target is Target.COMPLETION:
        _check_ends(verdict, ends)
    return verdict


def _lines(file: Path, verdict: Verdict) -> Iterator[tuple[int, str]]:
    """Give the lines that are UTF-8, and note those that are not."""
    try:
        with file.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                has_mark = number == 1 and raw.startswith(b"\xef\xbb\xbf")
                if number == 1 and verdict.target is Target.AZURE and not has_mark:
                    verdict.warn("no byte order mark at the beginning; `cubbyd dataset export --mark` writes one", 1)
                if has_mark and verdict.target in (Target.OPENAI, Target.COMPLETION):
                    verdict.warn("a byte order mark at the beginning, which not every server takes", 1)
                try:
                    yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError:
                    verdict.lines += 1
                    verdict.fail("not UTF-8", number)
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error


def _object(line: str, number: int, verdict: Verdict) -> Mapping[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        verdict.fail("no JSON", number)
        return None
    if not isinstance(record, dict):
        verdict.fail("no JSON object", number)
        return None
    if len(line.encode("utf-8", "surrogatepass")) > LONGEST_TOKENS * BYTES_A_TOKEN:
        verdict.warn(f"probably longer than {LONGEST_TOKENS:,} tokens; the rest is cut off", number)
    return record


# --- ours --------------------------------------------------------------------------------------------------------------


def _check_example(file: Path, line: str, number: int, verdict: Verdict, _: Counter[str]) -> None:
    try:
        example = read_line(file, number, line)
    except InputFileError as error:
        verdict.fail(error.reason, number)
        return
    if not example.labels:
        verdict.warn("no label: training passes it over", number)
    verdict.labels.update(example.labels[:1])


# --- chat --------------------------------------------------------------------------------------------------------------


def _check_chat(_: Path, line: str, number: int, verdict: Verdict, __: Counter[str]) -> None:
    record = _object(line, number, verdict)
    if record is None:
        return
    for key in sorted(set(record) - CHAT_KEYS):
        verdict.fail(f"unknown key {key[:40]!r} beside messages", number)
    messages = record.get("messages")
    if not isinstance(messages, list) or not messages:
        verdict.fail("no list of messages", number)
        return
    for message in messages:
        _check_message(message, number, verdict)
    _check_turns([message for message in messages if isinstance(message, dict)], number, verdict)


def _check_message(message: object, number: int, verdict: Verdict) -> None:
    if not isinstance(message, dict):
        verdict.fail("a message is no object", number)
        return
    role = message.get("role")
    if role not in ROLES:
        verdict.fail(f"a role other than {', '.join(sorted(ROLES))}", number)
    for key in sorted(set(message) - MESSAGE_KEYS):
        verdict.fail(f"unknown key {key[:40]!r} in a message", number)
    if "weight" in message:
        weight = message["weight"]
        if role != "assistant":
            verdict.fail("a weight on a message that is not the assistant's", number)
        if isinstance(weight, bool) or weight not in (0, 1):
            verdict.fail("a weight other than 0 or 1", number)
    calls = message.get("tool_calls") or message.get("function_call")
    if not calls and not (isinstance(message.get("content"), str) and message["content"].strip()):
        verdict.fail("a message without text", number)


def _check_turns(messages: list[dict[str, Any]], number: int, verdict: Verdict) -> None:
    roles = [message.get("role") for message in messages]
    if "assistant" not in roles:
        verdict.fail("no message of the assistant: there is nothing to learn", number)
    elif roles[-1] != "assistant":
        verdict.fail("the last message is not the assistant's", number)
    if "user" not in roles:
        verdict.warn("no message of a user", number)
    answers = [message for message in messages if message.get("role") == "assistant"]
    if answers and all(message.get("weight") == 0 for message in answers):
        verdict.fail("every answer has weight 0: there is nothing to learn", number)
    if answers and isinstance(answers[-1].get("content"), str):
        verdict.labels[answers[-1]["content"].strip()] += 1


# --- prompt and completion ---------------------------------------------------------------------------------------------


def _check_completion(_: Path, line: str, number: int, verdict: Verdict, ends: Counter[str]) -> None:
    record = _object(line, number, verdict)
    if record is None:
        return
    for key in sorted(set(record) - {"prompt", "completion"}):
        verdict.fail(f"unknown key {key[:40]!r} beside prompt and completion", number)
    prompt, completion = record.get("prompt"), record.get("completion")
    if not (isinstance(prompt, str) and isinstance(completion, str)):
        verdict.fail("prompt and completion are not both strings", number)
        return
    if not completion.strip():
        verdict.fail("the completion is empty", number)
    if not prompt.strip():
        verdict.warn("the prompt is empty", number)
    ends[prompt[-4:]] += 1
    verdict.labels[completion.strip()] += 1


def _check_ends(verdict: Verdict, ends: Counter[str]) -> None:
    """Warn where prompts do not all end alike: the model then does not know where its answer begins."""
    if verdict.lines and len(ends) > 1:
        verdict.warn("the prompts do not all end with the same separator")


# --- the whole file ----------------------------------------------------------------------------------------------------


def _check_whole(file: Path, verdict: Verdict, taxonomy: Taxonomy | None) -> None:
    if verdict.target is Target.CUBBYD:
        _check_labels(verdict, taxonomy)
        return
    if verdict.lines < FEWEST_LINES:
        verdict.fail(f"fewer than {FEWEST_LINES} examples")
    if file.stat().st_size > LARGEST_BYTES:
        verdict.fail("larger than 512 MB")
    if verdict.lines and len(verdict.labels) < 2:  # noqa: PLR2004
        verdict.warn("every answer is the same: there is nothing to tell apart")


def _check_labels(verdict: Verdict, taxonomy: Taxonomy | None) -> None:
    """Hold the labels against what `cubbyd train` takes."""
    if len(verdict.labels) < 2:  # noqa: PLR2004
        verdict.fail("labels of fewer than two categories")
    if taxonomy is not None:
        for label in sorted(set(verdict.labels) - set(taxonomy.ids)):
            verdict.fail(f"label {label[:40]!r} is none of the configuration's")
        for id_ in taxonomy.ids:
            if not verdict.labels[id_]:
                verdict.fail(f"no example of {id_}, which the configuration has")
    for label, count in sorted(verdict.labels.items()):
        if count < FEWEST_OF_A_CATEGORY:
            verdict.warn(f"a single example of {label[:40]!r}: it cannot be measured")


_Check: TypeAlias = Callable[[Path, str, int, Verdict, Counter[str]], None]

_CHECKS: Final[Mapping[Target, _Check]] = {
    Target.CUBBYD: _check_example,
    Target.OPENAI: _check_chat,
    Target.AZURE: _check_chat,
    Target.COMPLETION: _check_completion,
}
