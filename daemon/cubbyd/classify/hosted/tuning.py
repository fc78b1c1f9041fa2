"""Files and fine-tuning jobs at the vendor, through the same gate as mail: one address, no redirects, no environment.

Every call is made once; whoever calls decides whether to try again. The shapes are those of the SDK's resources `files` and
`fine_tuning.jobs` (openai 3.52.0); nothing of an answer is believed before it was looked at.
"""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cubbyd.classify.hosted.failure import Action, Event, Failure, Symptom, describe
from cubbyd.config import Config, OpenAISection, read_api_key
from cubbyd.errors import ConfigError, Problem, TuningError, TuningNotPermitted, TuningUnavailable

if TYPE_CHECKING:
    from cubbyd.classify.hosted.client import Client

UPLOAD_SECONDS: Final = 600.0
RUN_KEY: Final = "cubbyd_run"
"""The metadata key by which a job is found again whose answer was lost. Its value is random and says nothing."""
ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})
NEWEST: Final = 100
PURPOSE: Final = "fine-tune"
NOT_FOUND: Final = 404
WRONG_REQUEST: Final = frozenset({400, 401, 404, 409, 422})
"""Waiting does not mend it."""

NOT_ALLOWED: Final = "not allowed"
SAYS: Final = {
    NOT_ALLOWED: "the vendor does not let this key do that",
    "input blocked": "a filter of the vendor refused it",
    "text too long": "the vendor says that it is too long",
    "body too large": "the file is too large for the vendor; use fewer examples",
    "model gone": "the vendor has no such model; choose another with --base",
    "no endpoint": "the vendor has no such job or file any more, or does not offer fine-tuning at this base_url",
    "request refused": "the vendor does not take this; can the model of --base be tuned?",
    "redirect": "the vendor points elsewhere; nothing is sent there",
}
"""What is said of a row of failure.TABLE where its own words speak of mail."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_MODEL: Final = re.compile(r"[\x21-\x7e]{1,200}")
_CODE: Final = re.compile(r"[a-z0-9_.-]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a job is asked to do."""

    base: str
    training_file: str
    validation_file: str | None
    suffix: str
    seed: int
    epochs: int | None
    """None: the vendor chooses."""
    run: str
    """The random name of this job, for finding it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A job as the vendor tells of it."""

    id: str
    status: str
    model: str = ""
    """The tuned model; empty until it is there."""
    base: str = ""
    epochs: int | None = None
    batch_size: int | None = None
    estimated_finish: int | None = None
    """Unix time."""
    trained_tokens: int | None = None
    error_code: str = ""
    """A code of letters and digits; what the vendor says in words may quote a line of the file and is not kept."""
    result_files: tuple[str, ...] = ()
    run: str = ""

    @property
    def is_over(self) -> bool:
        """Tell whether nothing changes any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the training, as the events tell of it."""

    number: int
    train_loss: float | None = None
    valid_loss: float | None = None


class TuningClient:
    """Files and jobs at one vendor. Raises TuningError and its kinds alone."""

    def __init__(self, client: Client, section: OpenAISection) -> None:
        """Take the connection."""
        self._client, self._seconds = client, float(section.timeout_seconds)
        self._server = f"fine-tuning ({urlsplit(section.base_url).netloc})"

    def upload(self, name: str, content: bytes, *, expires_seconds: int) -> str:
        """Upload a file that the vendor deletes by itself after so many seconds; give its id."""
        expiry: Any = {"anchor": "created_at", "seconds": expires_seconds}
        body = self._call(
            lambda sdk, timeout: sdk.files.with_raw_response.create(
                file=(name, content), purpose=PURPOSE, expires_after=expiry, timeout=timeout
            ),
            max(self._seconds, UPLOAD_SECONDS),
        )
        return self._id(body)

    def find_files(self, name: str) -> list[str]:
        """Give the ids of files of this name among the newest hundred of the account."""
        body = self._call(lambda sdk, timeout: sdk.files.with_raw_response.list(limit=NEWEST, timeout=timeout), self._seconds)
        return [self._id(file) for file in self._data(body) if file.get("filename") == name]

    def delete_file(self, file: str) -> None:
        """Delete a file; one that is gone already is no fault."""
        try:
            self._client.call(lambda sdk, timeout: sdk.files.with_raw_response.delete(file, timeout=timeout), self._seconds)
        except Failure as failure:
            if failure.symptom.status != NOT_FOUND:
                raise self._error(failure) from failure

    def read_file(self, file: str) -> bytes:
        """Read a result file."""
        try:
            return self._client.fetch(
                lambda sdk, timeout: sdk.files.with_raw_response.content(file, timeout=timeout), self._seconds
            )
        except Failure as failure:
            raise self._error(failure) from failure

    def create(self, order: Order) -> Seen:
        """Start a job. Where the answer is lost it is looked for, and never ordered twice."""
        hyperparameters = {} if order.epochs is None else {"n_epochs": order.epochs}
        given: dict[str, Any] = {
            "model": order.base,
            "training_file": order.training_file,
            "suffix": order.suffix,
            "seed": order.seed,
            "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
            "metadata": {RUN_KEY: order.run},
        } | ({"validation_file": order.validation_file} if order.validation_file else {})
        try:
            reply = self._client.call(
                lambda sdk, timeout: sdk.fine_tuning.jobs.with_raw_response.create(**given, timeout=timeout), self._seconds
            )
        except Failure as failure:
            if failure.symptom.event is not Event.STATUS or failure.symptom.status >= 500:  # noqa: PLR2004  (it may exist)
                found = [job for job in self.list_jobs() if job.run == order.run]
                if found:
                    return found[0]
            raise self._error(failure) from failure
        return self._seen(reply.body)

    def look(self, job: str) -> Seen:
        """Look at a job."""
        return self._seen(
            self._call(
                lambda sdk, timeout: sdk.fine_tuning.jobs.with_raw_response.retrieve(job, timeout=timeout), self._seconds
            )
        )

    def cancel(self, job: str) -> Seen:
        """Cancel a job."""
        return self._seen(
            self._call(lambda sdk, timeout: sdk.fine_tuning.jobs.with_raw_response.cancel(job, timeout=timeout), self._seconds)
        )

    def list_jobs(self) -> list[Seen]:
        """Give the newest hundred jobs of the account, newest first."""
        body = self._call(
            lambda sdk, timeout: sdk.fine_tuning.jobs.with_raw_response.list(limit=NEWEST, timeout=timeout), self._seconds
        )
        return [self._seen(job) for job in self._data(body)]

    def last_step(self, job: str) -> Step | None:
        """Give the newest step that the events of a job tell of; None where there is none yet."""
        body = self._call(
            lambda sdk, timeout: sdk.fine_tuning.jobs.with_raw_response.list_events(job, limit=20, timeout=timeout),
            self._seconds,
        )
        for event in self._data(body):
            data = event.get("data")
            if isinstance(data, Mapping) and (number := _number(data.get("step"))) is not None:
                losses = _number(data.get("train_loss")), _number(data.get("full_valid_loss", data.get("valid_loss")))
                return Step(number=int(number), train_loss=losses[0], valid_loss=losses[1])
        return None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _call(self, request: Any, seconds: float) -> Mapping[str, Any]:
        try:
            return self._client.call(request, seconds).body
        except Failure as failure:
            raise self._error(failure) from failure

    def _error(self, failure: Failure) -> TuningError:
        """Say a failure for people; which kind it is says whether waiting helps."""
        text = describe(failure, self._server, SAYS.get(failure.row.name, ""))
        if failure.row.name == NOT_ALLOWED:
            return TuningNotPermitted(text)
        if failure.row.action is Action.PAUSE and failure.symptom.status in WRONG_REQUEST:
            return TuningError(text)
        if failure.row.action in {Action.RETRY, Action.PAUSE, Action.ONCE_MORE}:
            return TuningUnavailable(text, retry_after_seconds=failure.pause)
        return TuningError(text)

    def _odd(self) -> TuningError:
        return self._error(Failure(Symptom(event=Event.FOREIGN)))

    def _id(self, body: Mapping[str, Any]) -> str:
        found = body.get("id")
        if not isinstance(found, str) or not _ID.fullmatch(found):
            raise self._odd()
        return found

    def _data(self, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        data = body.get("data")
        if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
            raise self._odd()
        return data

    def _seen(self, body: Mapping[str, Any]) -> Seen:
        status, model, base = (body.get(key) or "" for key in ("status", "fine_tuned_model", "model"))
        if not isinstance(status, str) or not _CODE.fullmatch(status):
            raise self._odd()
        error, files, metadata = body.get("error"), body.get("result_files"), body.get("metadata")
        code = error.get("code") if isinstance(error, Mapping) else ""
        settings = _settings(body)
        return Seen(
            id=self._id(body),
            status=status,
            model=model if isinstance(model, str) and _MODEL.fullmatch(model) else "",
            base=base if isinstance(base, str) and _MODEL.fullmatch(base) else "",
            epochs=_whole(settings.get("n_epochs")),
            batch_size=_whole(settings.get("batch_size")),
            estimated_finish=_whole(body.get("estimated_finish")),
            trained_tokens=_whole(body.get("trained_tokens")),
            error_code=code if isinstance(code, str) and _CODE.fullmatch(code) else "",
            result_files=tuple(file for file in files if isinstance(file, str) and _ID.fullmatch(file))
            if isinstance(files, list)
            else (),
            run=str(metadata.get(RUN_KEY, "")) if isinstance(metadata, Mapping) else "",
        )


def open_tuning(config: Config, trust: ssl.SSLContext | None = None) -> TuningClient:
    """Open the connection to the vendor of [classifier.openai]; nothing is sent. Raises ConfigError."""
    section = config.classifier.openai
    if section is None:
        text = "fine-tuning needs the vendor's address and key in a table [classifier.openai]; config.example.toml shows it"
        raise ConfigError(config.file, (Problem(key="classifier.openai", found="", allowed=text),))
    if find_spec("openai") is None:
        text = "fine-tuning needs the package openai; install it with: pip install 'cubbyd[openai]'"
        raise ConfigError(config.file, (Problem(key="classifier.openai", found="", allowed=text),))
    from cubbyd.classify.hosted.client import Client
    from cubbyd.classify.hosted.opening import open_trust

    key = read_api_key(config.file, section)
    return TuningClient(Client(section, key, trust or open_trust(config, section), has_files=True), section)


def _settings(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the settings of a job: those that the vendor chose, else those that were asked for."""
    settings = body.get("hyperparameters")
    if isinstance(settings, Mapping) and settings:
        return settings
    method = body.get("method")
    part = method.get(method.get("type", "")) if isinstance(method, Mapping) else None
    found = part.get("hyperparameters") if isinstance(part, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _whole(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number >= 0 else None
