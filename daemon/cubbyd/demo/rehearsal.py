"""The demo with a hosted classifier: the vendor's SDK, masking and all, with a stand-in in the place of the vendor's server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cubbyd.demo.sample_mail import sample_examples, sample_roster
from cubbyd.demo.show import THRESHOLD, Outcome
from cubbyd.standin import Recorded, Standin

MODEL: Final = "gpt-6-luna"
PRICE: Final = 0.10
"""USD for a million input tokens of that model with `decisions`, in November 2026; output is free there."""
KEY: Final = "sk-rehearsal"
REQUEST_ID: Final = "req_"

_PLACEHOLDER: Final = re.compile(r"\[([A-Z]+)_\d+\]")
_MAIL: Final = re.compile(r"<mail>\n(.*)\n</mail>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One mail as it was sent, and what came of it."""

    text: str
    """Masked."""
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What left for the stand-in during the rehearsal."""

    calls: int
    bytes: int
    input_tokens: int
    money: float
    """USD that the vendor would have asked for, at PRICE."""
    violations: tuple[str, ...]
    """Requests that the vendor's own types do not allow: mistakes of cubbyd."""
    sample: Sample | None


class Rehearsal:
    """A stand-in that is up, and the configuration that leads to it."""

    def __init__(self, standin: Standin) -> None:
        """Take a stand-in that answers."""
        self._standin = standin

    @property
    def address(self) -> str:
        """Where the stand-in listens."""
        return self._standin.base_url

    def configure(self, folder: Path) -> str:
        """Write the key and the roster into a folder; give the sections that use them."""
        for name, text in (("openai.key", KEY), ("roster.txt", sample_roster())):
            file = folder / name
            file.touch(mode=0o600)
            file.write_text(text, encoding="utf-8")
        return f"""[classifier]
kind = "openai"
threshold = {THRESHOLD}

[classifier.openai]
model = "{MODEL}"
mode = "decisions"
base_url = "{self.address}"
api_key_file = "openai.key"
price_per_million_input_tokens = {PRICE}
price_per_million_output_tokens = 0.0

[redaction]
roster_file = "roster.txt"
"""

    def sent(self, outcomes: Sequence[Outcome]) -> Sent:
        """Sum up what was sent; the sample is a short mail in which much had to be masked."""
        requests = [request for request in self._standin.requests if request.method == "POST"]
        shown = {outcome.request_id: outcome for outcome in outcomes}
        told = {f"{REQUEST_ID}{number}": request for number, request in enumerate(self._standin.requests, start=1)}
        samples = [Sample(text=_mail(request), outcome=shown[name]) for name, request in told.items() if name in shown]
        return Sent(
            calls=len(requests),
            bytes=sum(len(request.content) for request in requests),
            input_tokens=sum(outcome.input_tokens for outcome in outcomes),
            money=sum(outcome.money for outcome in outcomes),
            violations=tuple(self._standin.violations),
            sample=max(samples, key=_telling, default=None),
        )


@contextmanager
def rehearsal() -> Iterator[Rehearsal]:
    """Run a stand-in while the context lasts. Raises CubbydError where the extra `openai` is not installed."""
    from cubbyd.standin.likeness import Likeness

    with Standin(Likeness(sample_examples()), key=KEY) as standin:
        yield Rehearsal(standin)


def _mail(request: Recorded) -> str:
    found = _MAIL.search(request.mail)
    return found[1] if found else request.mail


def _telling(sample: Sample) -> tuple[int, int]:
    return len(set(_PLACEHOLDER.findall(sample.text))), -len(sample.text)
