"""Which mail a model was trained on: its answers about that say nothing of its answers about new mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cubbyd.classify.card import read_about
from cubbyd.classify.origin import trained_parts
from cubbyd.config import Config
from cubbyd.dataset import Example, digest_examples, read_examples
from cubbyd.errors import InputFileError
from cubbyd.setup.filed import FiledMail


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """A model of which it is not known what it was trained on."""

    name: str
    """The file's, or a hosted model's."""
    created: datetime | None
    """Mail that arrived later cannot have been in its training; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What is known about the training of the models in use."""

    files: tuple[Path, ...]
    """The files of examples that were found."""
    unproven: tuple[Unproven, ...]
    ids: frozenset[str]
    texts: frozenset[str]

    def knows(self, example: Example) -> bool:
        """Tell whether a mail was trained on: the same mail, or one that reads the same."""
        return example.id in self.ids or _text_of(example) in self.texts

    def may_know(self, mail: FiledMail) -> bool:
        """Tell whether a mail may have been trained on, as far as one can tell by the time of its arrival."""
        return any(one.created is None or mail.received <= one.created for one in self.unproven)


def find_training(config: Config, given: Sequence[Path], *, near: Iterable[Path] = ()) -> Training:
    """Find the examples that the models of a configuration were trained on, by their fingerprint.

    Looks at the given files, and for the name on a model's card in the folders `near` and in that of the model. A given file
    counts whatever its fingerprint is: a part of it may have been trained on. Raises InputFileError, ModelFileError.
    """
    read = {file: list(read_examples(file)) for file in given}
    digests = {digest_examples(examples) for examples in read.values()}
    unproven: list[Unproven] = []
    for part in trained_parts(config):
        if part.origin.data_sha256 in digests:
            continue
        about = read_about(part.file)
        name = about.card.data.file if about.card else ""
        places = [folder / name for folder in (*near, part.file.absolute().parent)] if name else []
        found = next((file for file in places if _holds(file, part.origin.data_sha256)), None)
        if found is None:
            unproven.append(Unproven(name=part.file.name, created=about.created))
        else:
            read[found] = list(read_examples(found))
    tuned = config.classifier.openai.model if config.classifier.openai is not None else ""
    if tuned.startswith("ft:") and not given:
        unproven.append(Unproven(name=tuned, created=None))
    everything = [example for examples in read.values() for example in examples]
    return Training(
        files=tuple(read),
        unproven=tuple(unproven),
        ids=frozenset(example.id for example in everything if example.id),
        texts=frozenset(map(_text_of, everything)),
    )


def _holds(file: Path, digest: str) -> bool:
    """Tell whether a file is the one with this fingerprint; one that cannot be read is not."""
    try:
        return file.is_file() and digest_examples(read_examples(file)) == digest
    except InputFileError:
        return False


def _text_of(example: Example) -> str:
    words = " ".join(f"{example.subject} {example.body}".split())
    return sha256(words.encode("utf-8", "surrogatepass")).hexdigest()
