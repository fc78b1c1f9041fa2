"""A hosted classifier that is configured for the stand-in, and mails to ask it about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.configuration import load

from cubbyd.classify.hosted.classifier import HostedClassifier
from cubbyd.classify.hosted.opening import open_hosted
from cubbyd.classify.protocol import Prediction
from cubbyd.clock import Clock
from cubbyd.config import Config
from cubbyd.errors import ClassifierError
from cubbyd.message import ClassifierInput, parse, render, render_text
from cubbyd.standin import Standin
from cubbyd.standin.server import KEY

WORDS = {"fever": "absence", "sick": "absence", "invoice": "billing", "tuition": "billing"}
ABSENT = render_text("Fever", "She is sick and stays home.")
UNCLEAR = render_text("Hello", "See you.")
ROSTER = "[children]\nMia Hofmann\n[parents]\nSabine Hofmann\n"


MODES = {
    "decisions": 'mode = "decisions"',
    "schema": 'mode = "schema"',
    "code": 'mode = "code"',
    "prompt": 'mode = "code"\nendpoint = "completions"',
}
"""The keys of [classifier.openai] for each way to ask, by a name for tests."""


def configure(folder: Path, base_url: str, more: str = "", sections: str = "", labels: str = "one") -> Config:
    """Write a right configuration for a server on this machine; `more` are keys of [classifier.openai]."""
    key, roster = folder / "openai.key", folder / "roster.txt"
    for file, content in ((key, KEY), (roster, ROSTER)):
        file.touch(mode=0o600)
        file.write_text(content + "\n", encoding="utf-8")
    keys = {
        "model": '"gpt-6-luna"',
        "mode": '"decisions"',
        "base_url": f'"{base_url}"',
        "api_key_file": '"openai.key"',
        "attempts": "2",
    }
    given = dict(line.split(" = ", 1) for line in more.splitlines() if " = " in line)
    lines = "\n".join(f"{name} = {value}" for name, value in (keys | given).items())
    redaction = "" if "[redaction]" in sections else '[redaction]\nroster_file = "roster.txt"\n'
    text = f'[classifier]\nkind = "openai"\nlabels = "{labels}"\n[classifier.openai]\n{lines}\n{redaction}{sections}\n[state]\ndirectory = "state"\n'
    return load(folder / "cubbyd.toml", text)


def hurried(config: Config, seconds: float) -> Config:
    """Wait for an answer for less than the second that is the least in a file."""
    assert config.classifier.openai is not None
    section = config.classifier.openai.model_copy(update={"timeout_seconds": seconds})
    return config.model_copy(update={"classifier": config.classifier.model_copy(update={"openai": section})})


@contextmanager
def opened(
    folder: Path, server: Standin | str, more: str = "", sections: str = "", clock: Clock | None = None, labels: str = "one"
) -> Iterator[HostedClassifier]:
    """Open the classifier as the daemon does."""
    base_url = server if isinstance(server, str) else server.base_url
    with running(configure(folder, base_url, more, sections, labels), clock) as classifier:
        yield classifier


@contextmanager
def running(config: Config, clock: Clock | None = None) -> Iterator[HostedClassifier]:
    """Open the classifier of a configuration, and close it."""
    classifier = open_hosted(config, clock)
    try:
        yield classifier
    finally:
        classifier.close()


def ask(classifier: HostedClassifier, given: ClassifierInput = ABSENT) -> Prediction | ClassifierError:
    """Ask about one mail; an outage is given instead of raised."""
    try:
        (outcome,) = classifier.classify([given])
    except ClassifierError as error:
        return error
    return outcome


def predict(classifier: HostedClassifier, given: ClassifierInput = ABSENT) -> Prediction:
    """Ask about one mail that has an answer."""
    outcome = ask(classifier, given)
    assert isinstance(outcome, Prediction), outcome
    return outcome


def read(raw: bytes) -> ClassifierInput:
    """Read a mail as the daemon does."""
    return render(parse(raw))
