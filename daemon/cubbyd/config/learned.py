"""Every secret that was read, so that none of them can be written to the log, whatever the sentence around it."""

from __future__ import annotations

import base64
import re
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

HIDDEN: Final = "[hidden]"

_SHORTEST: Final = 6
"""Characters; a shorter secret is hidden only where it stands as a word, or half of each sentence would go."""


_PASSING: Final = 256
"""How many tokens are remembered: one of an hour ago opens nothing any more, and a daemon runs for years."""


class LearnedSecrets:
    """The secrets of this process, and how they look on the wire; any thread may learn and hide."""

    def __init__(self) -> None:
        """Know none."""
        self._lock = threading.Lock()
        self._lasting: set[str] = set()
        self._passing: deque[str] = deque(maxlen=_PASSING)
        self._forms: tuple[str, ...] = ()
        """The longest first: one secret may be a part of another."""

    def learn(self, secret: SecretStr, *, is_passing: bool = False) -> None:
        """Hide this one from now on: as it is, percent-encoded, and in Base64 as in AUTHENTICATE PLAIN and XOAUTH2.

        A passing one, such as an access token, is forgotten once many newer ones have come.
        """
        value = secret.get_secret_value()
        with self._lock:
            if not value or value in self._lasting or value in self._passing:
                return
            if is_passing:
                self._passing.append(value)
            else:
                self._lasting.add(value)
            forms = {form for known in (*self._lasting, *self._passing) for form in _forms(known)}
            self._forms = tuple(sorted(forms, key=len, reverse=True))

    def hide(self, text: str) -> str:
        """Give the text without any secret that was learned."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN) if len(form) >= _SHORTEST else _hide_word(form, text)
        return text


def _forms(value: str) -> Iterator[str]:
    yield value
    yield quote(value, safe="")
    if len(value) >= _SHORTEST:
        for offset in range(3):  # where in a group of three bytes it may begin; the characters at both ends have strange bits
            first, last = (0, 2, 3)[offset], (offset + len(value.encode())) % 3
            encoded = base64.b64encode(b"\0" * offset + value.encode()).decode()
            yield encoded[first : len(encoded) - (0, 3, 2)[last]]


def _hide_word(word: str, text: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", HIDDEN, text)


LEARNED: Final = LearnedSecrets()
"""Those of this process: whoever reads a secret adds it."""
