"""The urgent net: words that mean that a person should look soon, whatever a rule or a model makes of the mail.

It looks at what the sender wrote now: the text, and the subject. Quoted mail is looked at only where there is no text of the
sender's own, and the subject of a reply only then too: both are earlier mail, which was looked at when it came, and a
conversation about a scraped knee would be urgent for a week. A subject that begins with Re: and answers nothing counts.
The signature never does.

The net only adds. It is thrown over the outermost classifier, and what is inside does not know of it. Only mail that a rule
says is never to be touched is not marked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Final

from cubbyd.classify.members import Outcome
from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.config import Config
from cubbyd.errors import ConfigError, Problem
from cubbyd.message.model import ClassifierInput, Flag, ParsedMessage
from cubbyd.message.phrase import PhraseIndex, normalize_phrase, split_words

OWN_WORDS: Final = "your own words"
"""The theme of the phrases that the admin adds; which of them it was is not said."""

SAYS: Final = "the urgent net: "


class UrgentNet:
    """Phrases by theme, looked for in mail; it never changes."""

    def __init__(self, themes: Mapping[str, Sequence[str]]) -> None:
        """Take the phrases, in any spelling, of each theme."""
        self._themes: dict[str, dict[str, None]] = {}
        for theme, phrases in themes.items():
            for phrase in phrases:
                self._themes.setdefault(normalize_phrase(phrase), {})[theme] = None
        self._index = PhraseIndex(self._themes)

    def __len__(self) -> int:
        """Count the phrases."""
        return len(self._themes)

    def themes_in(self, message: ParsedMessage) -> tuple[str, ...]:
        """Name the themes of which a mail has a phrase, in alphabetical order."""
        found = [self._index.find(split_words(text)) for text in _texts(message)]
        return tuple(sorted({theme for phrases in found for phrase in phrases for theme in self._themes[phrase]}))


def _texts(message: ParsedMessage) -> tuple[str, ...]:
    if not message.text:
        return (message.subject, message.quoted)
    is_answer = Flag.REPLY in message.flags and bool(message.references)
    return (message.text,) if is_answer else (message.subject, message.text)


class UrgentClassifier:
    """A classifier with the net over it; as thread-safe as that one is."""

    def __init__(self, net: UrgentNet, inner: Classifier) -> None:
        """Take the net, and the classifier, which is closed with this."""
        self.inner = inner
        self.provenance, self.categories, self.batch_size = inner.provenance, inner.categories, inner.batch_size
        self._net = net

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input as the classifier does, with the mark. Raises what the classifier raises."""
        outcomes = self.inner.classify(inputs)
        return [self._mark(given, outcome) for given, outcome in zip(inputs, outcomes, strict=True)]

    def close(self) -> None:
        """Close the classifier."""
        self.inner.close()

    def _mark(self, given: ClassifierInput, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Prediction) or outcome.stays:
            return outcome
        themes = self._net.themes_in(given.message)
        if not themes:
            return outcome
        said = SAYS + ", ".join(themes)
        return replace(outcome, urgent=f"{outcome.urgent}; {said}" if outcome.urgent else said)


@cache
def shipped_themes() -> Mapping[str, tuple[str, ...]]:
    """Read the phrases that ship with cubbyd, all languages together, by theme; normalized."""
    tables = tomllib.loads((files("cubbyd.classify") / "urgent.toml").read_text("utf-8"))
    return {
        theme: tuple(normalize_phrase(phrase) for phrases in languages.values() for phrase in phrases)
        for theme, languages in tables.items()
    }


def make_net(config: Config) -> UrgentNet | None:
    """Make the net that the configuration describes; None where it is off. Raises ConfigError.

    An entry of `without` is a theme, or a phrase of the shipped list; what is neither would take nothing out.
    """
    section = config.urgent
    if not section.enabled:
        return None
    themes = {theme: dict.fromkeys(phrases) for theme, phrases in shipped_themes().items()}
    for entry in section.without:
        phrase = normalize_phrase(entry)
        if phrase not in shipped_themes() and all(phrase not in phrases for phrases in shipped_themes().values()):
            allowed = f"neither a phrase of the shipped list nor one of its themes ({', '.join(sorted(shipped_themes()))})"
            raise ConfigError(config.file, (Problem(key="urgent.without", found=repr(entry), allowed=allowed),))
        themes.pop(phrase, None)
        for phrases in themes.values():
            phrases.pop(phrase, None)
    if section.words:
        themes[OWN_WORDS] = dict.fromkeys(section.words)
    return UrgentNet({theme: tuple(phrases) for theme, phrases in themes.items()})
