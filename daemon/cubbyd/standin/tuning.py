"""/fine_tuning/jobs: a job looks into its file, waits, runs and ends, one state a poll; what comes out has learned the lines.

At OpenAI fine-tuning is closed to new customers since May 2026: set `is_closed` to be refused as they are, with 403. The text
and the code of that refusal are ours, because the vendor does not document them; the status is the vendor's.
"""

from __future__ import annotations

import base64
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cubbyd.standin.catalog import Catalog
from cubbyd.standin.endpoint import Body, Call, Endpoint, Numbers, Refused, now, page
from cubbyd.standin.file import Files
from cubbyd.standin.learned import Learned, Step
from cubbyd.standin.line import is_preference

FEWEST_LINES: Final = 10
LONGEST_SUFFIX: Final = 64
MOST_METADATA: Final = 16
LONGEST_KEY: Final = 64
LONGEST_VALUE: Final = 512
CHECKPOINTS: Final = 3
"""The last epochs of a job stay usable."""
FILES: Final = ("training_file", "validation_file")
USUAL: Final = ("queued", "running", "succeeded")
ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})
STATES: Final = frozenset({"validating_files", "queued", "running", "paused"}) | ENDED
NOT_TUNABLE: Final = ("gpt-6", "text-embedding-", "babbage-002", "davinci-002", "gpt-3.5-turbo", "gpt-4.1-nano", "o4-mini")
"""Cannot be tuned, or shut down on 2026-10-23."""
AUTOMATIC: Final = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8}
RANGES: Final = {"n_epochs": (1, 50), "batch_size": (1, 256), "learning_rate_multiplier": (1e-9, math.inf)}

_JOB: Final = "openai.types.fine_tuning:FineTuningJob"
_EVENT: Final = "openai.types.fine_tuning:FineTuningJobEvent"
_CHECKPOINT: Final = "openai.types.fine_tuning.jobs:FineTuningJobCheckpoint"
_SAYS: Final = {
    "queued": "Files validated, moving job to queued state",
    "running": "Fine-tuning job started",
    "paused": "The job was paused",
    "succeeded": "The job has successfully completed",
    "failed": "The job failed",
    "cancelled": "The job was cancelled",
}


@dataclass(slots=True, kw_only=True)
class _Job:
    described: Body
    states: deque[str]
    error: Body | None
    lines: Mapping[str, list[Body]] = field(default_factory=dict)
    """Of its files, by "training_file" and "validation_file", once it has looked into them."""
    events: list[Body] = field(default_factory=list)
    checkpoints: list[Body] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.described["status"] in ENDED


class Tunings:
    """All jobs, and the models that came out of them."""

    def __init__(self, numbers: Numbers, files: Files, catalog: Catalog) -> None:
        """Begin with none."""
        self.is_closed = False
        """Refuse every new job, as OpenAI does to who never had one."""
        self._numbers, self._files, self._catalog = numbers, files, catalog
        self._jobs: dict[str, _Job] = {}
        self._learned: dict[str, Learned] = {}
        self._plans: deque[tuple[tuple[str, ...], Body | None]] = deque()

    def plan(self, *states: str, error: Body | None = None) -> None:
        """Say which states the next job goes through, one a poll, after "validating_files"; the last one stays.

        A job that is planned to fail tells of this error: code, message, param.
        """
        if wrong := set(states) - STATES:
            raise ValueError(f"no state of a job: {', '.join(sorted(wrong))}")
        self._plans.append((states, error))

    def knows(self, model: str) -> bool:
        """Tell whether a model was made here, if it was deleted since or not."""
        return model in self._learned

    def learned(self, model: str) -> Learned:
        """Give what a model that was made here has learned. Raises Refused for a deleted one."""
        if model not in self._catalog:
            raise Refused(f"The model `{model}` does not exist", status=404, param="model", code="model_not_found")
        return self._learned[model]

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Give the endpoints."""
        jobs, job = "/fine_tuning/jobs", "/fine_tuning/jobs/{job}"
        listed, evented = "openai.types.fine_tuning:JobListParams", "openai.types.fine_tuning:JobListEventsParams"
        create = "openai.types.fine_tuning:JobCreateParams"
        paged = "openai.types.fine_tuning.jobs:CheckpointListParams"
        return (
            Endpoint(method="POST", path=jobs, handle=self._create, request=create, answer=_JOB),
            Endpoint(method="GET", path=jobs, handle=self._list, query=listed, answer=_JOB, is_list=True, unpack=_as_typed),
            Endpoint(method="GET", path=job, handle=self._poll, answer=_JOB, unpack=_as_typed),
            Endpoint(method="POST", path=f"{job}/cancel", handle=self._cancel, answer=_JOB),
            Endpoint(
                method="GET",
                path=f"{job}/events",
                handle=lambda call: page(self._find(call).events[::-1], call),
                query=evented,
                answer=_EVENT,
                is_list=True,
            ),
            Endpoint(
                method="GET",
                path=f"{job}/checkpoints",
                handle=lambda call: page(self._find(call).checkpoints[::-1], call, default=10),
                query=paged,
                answer=_CHECKPOINT,
                is_list=True,
            ),
        )

    def _create(self, call: Call) -> Body:
        given = call.body
        if self.is_closed:
            message = "Fine-tuning is no longer available to organizations that have not used it before."
            raise Refused(message, status=403, code="fine_tuning_not_available")
        self._check(given)
        method = _method(given)
        name = self._numbers.make("ftjob-")
        described = {
            "id": name,
            "object": "fine_tuning.job",
            "model": given["model"],
            "created_at": now(),
            "finished_at": None,
            "fine_tuned_model": None,
            "organization_id": "org-stand-in",
            "result_files": [],
            "status": "validating_files",
            "validation_file": given.get("validation_file"),
            "training_file": given["training_file"],
            "hyperparameters": method[method["type"]].get("hyperparameters", {}),
            "trained_tokens": None,
            "error": None,
            "seed": given.get("seed") or 0,
            "estimated_finish": None,
            "integrations": [],
            "metadata": given.get("metadata"),
            "method": method,
        }
        states, error = self._plans.popleft() if self._plans else (USUAL, None)
        job = _Job(described=described | {"suffix": given.get("suffix")}, states=deque(states), error=error)
        self._jobs[name] = job
        self._say(job, f"Created fine-tuning job: {name}")
        self._say(job, f"Validating training file: {given['training_file']}")
        return _shown(job)

    def _check(self, given: Body) -> None:
        """Hold a new job against what stands in the API's prose. Raises Refused."""
        if given["model"].startswith(NOT_TUNABLE):
            message = f"Model {given['model']} is not available for fine-tuning or does not exist."
            raise Refused(message, param="model", code="model_not_available")
        if _method(given)["type"] == "reinforcement":
            message = "The stand-in does not do reinforcement fine-tuning."
            raise Refused(message, param="method", code="method_not_available")
        for key in FILES:
            if given.get(key) is not None:
                self._files.get(given[key], param=key, status=400, purpose="fine-tune")
        if len(given.get("suffix") or "") > LONGEST_SUFFIX:
            message = f"Invalid 'suffix': string too long. Expected at most {LONGEST_SUFFIX} characters."
            raise Refused(message, param="suffix", code="string_above_max_length")
        check_metadata(given.get("metadata"))
        method = _method(given)
        for key, value in method[method["type"]].get("hyperparameters", {}).items():
            lowest, highest = RANGES.get(key, (-math.inf, math.inf))
            if isinstance(value, int | float) and not lowest <= value <= highest:
                message = f"Invalid '{key}': expected a value from {lowest} to {highest}, but got {value}."
                raise Refused(message, param="hyperparameters", code="invalid_value")

    def _list(self, call: Call) -> Body:
        wanted = call.query.get("metadata", {})
        found = [job for job in reversed(self._jobs.values()) if wanted.items() <= (job.described["metadata"] or {}).items()]
        return page([_shown(job) for job in found], call)

    def _poll(self, call: Call) -> Body:
        job = self._find(call)
        if job.is_over or not job.states:
            return _shown(job)
        state, error = job.states.popleft(), job.error
        if job.described["status"] == "validating_files" and (wrong := self._wrong_file(job)):
            state, error = "failed", wrong
        self._enter(job, state, error)
        return _shown(job)

    def _find(self, call: Call) -> _Job:
        name = call.names["job"]
        if name not in self._jobs:
            raise Refused(f"Could not find fine tune: {name}", status=404, param="fine_tune_id", code="fine_tune_not_found")
        return self._jobs[name]

    def _cancel(self, call: Call) -> Body:
        job = self._find(call)
        if job.is_over:
            message = f"Job has already completed: {job.described['id']}"
            raise Refused(message, param="fine_tuning_job_id", code="invalid_value")
        self._enter(job, "cancelled", None)
        return _shown(job)

    def _wrong_file(self, job: _Job) -> Body | None:
        """Look at what only the job can know: the number of lines, and whether they are for its method."""
        kind = job.described["method"]["type"]
        names = {key: job.described[key] for key in FILES if job.described[key] is not None}
        try:
            job.lines = {key: self._files.lines(name) for key, name in names.items()}
        except Refused as gone:
            return {"code": "invalid_training_file", "message": gone.message, "param": "training_file"}
        for key, lines in job.lines.items():
            if key == "training_file" and len(lines) < FEWEST_LINES:
                message = f"Training file has {len(lines)} example(s), but must have at least {FEWEST_LINES} examples."
                return {"code": "invalid_n_examples", "message": message, "param": key}
            if any(is_preference(line) != (kind == "dpo") for line in lines):
                message = f"The file has lines that are not for the method '{kind}'."
                return {"code": f"invalid_{key}", "message": message, "param": key}
        return None

    def _enter(self, job: _Job, state: str, error: Body | None) -> None:
        job.described["status"] = state
        if state in ENDED:
            job.described["finished_at"] = now()
        if state == "failed":
            job.described["error"] = error or {"code": "server_error", "message": "The job failed.", "param": None}
        if state == "succeeded":
            self._train(job)
        if state in _SAYS:
            self._say(job, _SAYS[state], level="error" if state == "failed" else "info")

    def _train(self, job: _Job) -> None:
        """Learn the lines; make the model, its checkpoints, its result file and the events of its steps."""
        described = job.described
        settings = {key: _number(described["hyperparameters"].get(key), usual) for key, usual in AUTOMATIC.items()}
        lines, valid = (job.lines.get(key, []) for key in FILES)
        steps = Learned(lines).run(valid, int(settings["n_epochs"]), int(settings["batch_size"]))
        model = f"ft:{described['model']}:stand-in:{described['suffix'] or ''}:{self._numbers.make('', 8)}"
        for step in steps[-CHECKPOINTS:]:
            self._keep(job, step, model if step is steps[-1] else f"{model}:ckpt-step-{step.number}")
        for step in steps:
            self._say(job, f"Step {step.number}: training loss={step.metrics['train_loss']:.2f}", data=_metrics(step))
        self._say(job, f"New fine-tuned model created: {model}")
        results = base64.b64encode(_table(steps).encode())
        described["result_files"] = [self._files.add("step_metrics.csv", results, "fine-tune-results")]
        described["hyperparameters"] = settings
        described["fine_tuned_model"] = model
        described["trained_tokens"] = sum(step.tokens for step in steps)

    def _keep(self, job: _Job, step: Step, model: str) -> None:
        self._learned[model] = step.learned
        self._catalog.add(model, owner="org-stand-in", created=now())
        checkpoint = {
            "id": self._numbers.make("ftckpt_"),
            "object": "fine_tuning.job.checkpoint",
            "created_at": now(),
            "fine_tuned_model_checkpoint": model,
            "fine_tuning_job_id": job.described["id"],
            "metrics": _metrics(step),
            "step_number": step.number,
        }
        job.checkpoints.append(checkpoint)

    def _say(self, job: _Job, message: str, *, level: str = "info", data: Body | None = None) -> None:
        event = {
            "id": self._numbers.make("ftevent-"),
            "object": "fine_tuning.job.event",
            "created_at": now(),
            "level": level,
            "message": message,
            "type": "metrics" if data else "message",
            "data": data or {},
        }
        job.events.append(event)


def check_metadata(metadata: Mapping[str, str] | None) -> None:
    """Hold metadata against the API's limits. Raises Refused."""
    pairs = (metadata or {}).items()
    if len(pairs) > MOST_METADATA or any(len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE for key, value in pairs):
        message = f"Invalid 'metadata': {MOST_METADATA} pairs at most, of {LONGEST_KEY} and {LONGEST_VALUE} characters."
        raise Refused(message, param="metadata", code="invalid_value")


def _method(given: Mapping[str, Any]) -> Body:
    """Give the method with its settings, which older clients send beside it."""
    method = given.get("method") or {"type": "supervised", "supervised": {"hyperparameters": given.get("hyperparameters", {})}}
    return {**method, method["type"]: method.get(method["type"], {})}


def _shown(job: _Job) -> Body:
    return {key: value for key, value in job.described.items() if key != "suffix"}


def _as_typed(answer: Body) -> Body:
    """Give an answer without the state "paused": the API and the SDK can pause a job, and the SDK's type has no such state."""
    if "data" in answer:
        return answer | {"data": [_as_typed(job) for job in answer["data"]]}
    return answer | {"status": "running"} if answer["status"] == "paused" else answer


def _number(given: str | float | None, usual: float) -> float:
    return given if isinstance(given, int | float) else usual


def _metrics(step: Step) -> Body:
    return {"step": float(step.number), **step.metrics}


def _table(steps: list[Step]) -> str:
    columns = list(steps[0].metrics)
    rows = [[str(step.number), *(f"{step.metrics[column]:.5f}" for column in columns)] for step in steps]
    return "".join(",".join(row) + "\n" for row in [["step", *columns], *rows])
