"""Training lines: each is the chat by which the tuned model will be asked about such a mail, with the right answer at its end.

The instructions come from the code that asks (cubbyd.classify.hosted), the mail from the same renderer through the same border:
names are masked before anything is written or sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cubbyd.classify.border import Border, open_border
from cubbyd.classify.hosted.code import Code
from cubbyd.classify.hosted.prompt import PROMPT_VERSION, Prompt, frame
from cubbyd.classify.hosted.schema import MOST_CHOICES, Schema
from cubbyd.config import Config, Labels, OpenAISection
from cubbyd.config.hosted import Effort, Endpoint, Mode
from cubbyd.dataset import Example
from cubbyd.errors import ConfigError, Problem
from cubbyd.message import RENDERER_VERSION, render_text
from cubbyd.message.render import Limits
from cubbyd.redaction import RedactionFailed
from cubbyd.taxonomy import CategoryId

DIGEST_LENGTH: Final = 16


class Taught(StrEnum):
    """What the model is taught to answer; the mode of [classifier.openai] that asks for it."""

    CODE = "code"  # one letter or number: every category has a probability
    SCHEMA = "schema"  # JSON with the category, or with a list of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An example that is not in the file, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A training file."""

    lines: tuple[str, ...]
    """JSON, without the end of the line."""
    labels: tuple[tuple[CategoryId, ...], ...]
    """Of each line."""
    texts: tuple[str, ...]
    """A digest of what each mail says: by it a test set is kept apart from what was learned."""
    skipped: tuple[Skipped, ...] = ()

    @property
    def content(self) -> bytes:
        """The file as it is uploaded."""
        return "".join(f"{line}\n" for line in self.lines).encode()


class Teacher:
    """Makes training lines for one configuration and one way of asking."""

    def __init__(self, config: Config, taught: Taught) -> None:
        """Take the categories, the limits and the border. Raises ConfigError, InputFileError, NamesMissing."""
        self.taught = taught
        section = serving_section(config, taught)
        many = config.classifier.labels is Labels.MANY
        prompt = Prompt(config.taxonomy, many)
        if taught is Taught.CODE and many:
            raise _error(config, "labels", 'a code says one category, and this is "many"; add --teach schema')
        if taught is Taught.SCHEMA and len(config.taxonomy) > MOST_CHOICES:
            raise _error(config, "openai.mode", f'"schema" takes {MOST_CHOICES} categories at most')
        try:
            self._wire: Code | Schema = Code(section, prompt) if taught is Taught.CODE else Schema(section, prompt)
        except ValueError as error:
            raise _error(config, "openai.mode", str(error)) from error
        self._border = open_masking_border(config, section)

    @property
    def fingerprint(self) -> str:
        """A digest of all that a tuned model must be asked with: instructions, codes, versions; not of the model's name."""
        told = {key: value for key, value in self._wire.body("").items() if key in {"messages", "response_format"}}
        codes = [self._wire.spell([category]) for category in self._wire.categories]
        asked = [told, codes, PROMPT_VERSION, RENDERER_VERSION]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]

    def teach(self, examples: Iterable[Example]) -> Lesson:
        """Make the lines; an example that cannot be one is passed over, and told of."""
        lines, labels, texts, skipped = [], [], [], []
        for example in examples:
            made = self._line(example)
            if isinstance(made, Skipped):
                skipped.append(made)
            else:
                lines.append(made)
                labels.append(example.labels)
                texts.append(digest_text(example))
        return Lesson(lines=tuple(lines), labels=tuple(labels), texts=tuple(texts), skipped=tuple(skipped))

    def _line(self, example: Example) -> str | Skipped:
        given = render_text(example.subject, example.body)
        if given.is_empty:
            return Skipped(line=example.line, why="has nothing to read")
        if not example.labels and isinstance(self._wire, Code):
            return Skipped(line=example.line, why="has no label")
        if unknown := [label for label in example.labels if label not in self._wire.categories]:
            return Skipped(line=example.line, why=f"has the label {unknown[0]!r}, which the configuration does not have")
        try:
            answer = self._wire.spell(example.labels)
            outgoing = self._border.let_out(given)
        except (ValueError, RedactionFailed) as error:
            why = f"after masking there is still {', '.join(error.leaks)}" if isinstance(error, RedactionFailed) else str(error)
            return Skipped(line=example.line, why=why)
        asked = self._wire.body(frame(outgoing.given, is_redacted=outgoing.is_redacted))["messages"]
        return json.dumps({"messages": [*asked, {"role": "assistant", "content": answer}]}, ensure_ascii=False)


def serving_section(config: Config, taught: Taught, model: str = "") -> OpenAISection:
    """Give the section by which a tuned model is asked; what other modes need alone is as it was. Raises ConfigError."""
    section = config.classifier.openai
    if section is None:
        raise _error(config, "openai", "fine-tuning needs a table [classifier.openai]; config.example.toml shows it")
    if taught is Taught.CODE and section.endpoint is not Endpoint.CHAT:
        raise _error(config, "openai.endpoint", 'the models that can be tuned are chats; set endpoint = "chat"')
    if taught is Taught.CODE and section.reasoning_effort not in {Effort.AUTO, Effort.NONE}:
        raise _error(config, "openai.reasoning_effort", '"auto" or "none": a model that is taught codes does not reason')
    changes = {"mode": Mode(taught.value)} | ({"model": model} if model else {})
    if taught is Taught.SCHEMA and not section.instructions:
        raise _error(config, "openai.instructions", "false is for --teach code alone; take the key out")
    return section.model_copy(update=changes)


def open_masking_border(config: Config, section: OpenAISection) -> Border:
    """Open a border that masks. Raises ConfigError where the configuration lets names out: a file stays at the vendor."""
    if config.redaction.allow_names_to_leave_the_building:
        raise ConfigError(
            config.file,
            (
                Problem(
                    key="redaction.allow_names_to_leave_the_building",
                    found="True",
                    allowed="a training file stays at the vendor while it is used, whatever a contract says of calls, and a "
                    "model can repeat what it learned; take this key out, so that names are masked in training and in use",
                ),
            ),
        )
    return open_border(config, Limits(text=section.text_chars, quoted=section.quoted_chars))


def digest_text(example: Example) -> str:
    """Give a digest of what a mail says, whatever its case."""
    given = render_text(example.subject, example.body)
    said = f"{given.subject}\n{given.text}\n{given.quoted}".casefold()
    return hashlib.sha256(said.encode()).hexdigest()[:DIGEST_LENGTH]


def shared(texts: Sequence[str], seen: Iterable[str]) -> list[int]:
    """Give the places of texts that were seen before."""
    known = set(seen)
    return [place for place, text in enumerate(texts) if text in known]


def _error(config: Config, key: str, allowed: str) -> ConfigError:
    return ConfigError(config.file, (Problem(key=f"classifier.{key}", found="", allowed=allowed),))
