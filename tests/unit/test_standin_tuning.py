"""The stand-in's fine-tuning jobs, through the vendor's SDK: what they go through, what comes out, and what is refused."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai.types.fine_tuning import FineTuningJob
from tests.standin import connected, line, lines, refused, upload

from cubbyd.standin import Standin

BASE = "gpt-4o-mini-2024-07-18"
ILL = ["Mia is sick", "a fever since last night", "threw up, stays home", "sick again, sorry", "fever and a cough"]
BILL = ["the invoice is wrong", "tuition paid twice", "a receipt for the tuition", "refund this invoice", "invoice for May"]
LESSONS = [*(line(told, "A") for told in ILL), *(line(told, "B") for told in BILL)]
PREFERENCE: dict[str, Any] = {
    "input": {"messages": [{"role": "user", "content": "sick"}]},
    "preferred_output": [{"role": "assistant", "content": "absence"}],
    "non_preferred_output": [{"role": "assistant", "content": "billing"}],
}


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin({}) as server:
        yield server


@pytest.fixture
def client(standin: Standin) -> Iterator[openai.OpenAI]:
    with connected(standin) as sdk:
        yield sdk


def begin(client: openai.OpenAI, *examples: dict[str, Any], **more: Any) -> FineTuningJob:
    given: dict[str, Any] = {"model": BASE, "training_file": upload(client, *(examples or LESSONS)).id} | more
    return client.fine_tuning.jobs.create(**given)


def follow(client: openai.OpenAI, job: FineTuningJob) -> tuple[FineTuningJob, list[str]]:
    """Ask until the job is over; give it, and the states that it was seen in."""
    states = [str(job.status)]
    while states[-1] not in {"succeeded", "failed", "cancelled"}:
        job = client.fine_tuning.jobs.retrieve(job.id)
        states.append(job.status)
    return job, states


def said(client: openai.OpenAI, model: str | None, told: str, **more: Any) -> str:
    answer = client.chat.completions.create(
        **({"model": model, "messages": [{"role": "user", "content": told}], "max_completion_tokens": 50} | more)
    )
    return str(answer.choices[0].message.content)


def test_a_job_looks_into_its_file_waits_runs_and_succeeds_one_state_a_poll(standin: Standin, client: openai.OpenAI) -> None:
    job, states = follow(client, begin(client, suffix="cubby", seed=7, metadata={"run": "1"}))

    assert states == ["validating_files", "queued", "running", "succeeded"]
    assert job.fine_tuned_model is not None
    assert job.fine_tuned_model.startswith(f"ft:{BASE}:stand-in:cubby:")
    assert job.finished_at is not None
    assert (job.seed, job.metadata) == (7, {"run": "1"})
    assert client.models.retrieve(job.fine_tuned_model).owned_by == "org-stand-in"
    assert standin.violations == []


def test_the_model_that_comes_out_has_learned_the_lines(client: openai.OpenAI) -> None:
    model = follow(client, begin(client))[0].fine_tuned_model

    assert said(client, model, "our daughter has a fever") == "A"
    assert said(client, model, "please correct the invoice") == "B"
    assert [said(client, model, told) for told in (*ILL, *BILL)] == ["A"] * 5 + ["B"] * 5


def test_the_model_says_how_likely_each_answer_is(client: openai.OpenAI) -> None:
    model = follow(client, begin(client))[0].fine_tuned_model
    assert model is not None
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "a fever"}],
        max_completion_tokens=1,
        logprobs=True,
        top_logprobs=5,
    )

    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    likely = {token.token: math.exp(token.logprob) for token in logprobs.content[0].top_logprobs}
    assert likely.keys() == {"A", "B"}
    assert likely["A"] > 0.9
    assert sum(likely.values()) == pytest.approx(1.0, abs=1e-6)


def test_the_model_keeps_to_the_schema_and_to_the_length_that_are_asked_for(client: openai.OpenAI) -> None:
    model = follow(client, begin(client))[0].fine_tuned_model
    rule = {"type": "string", "enum": ["B", "C"]}

    def one_key(rule: dict[str, Any]) -> dict[str, Any]:
        schema = {"type": "object", "properties": {"code": rule}, "required": ["code"], "additionalProperties": False}
        return {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}

    wanted, several = one_key(rule), one_key({"type": "array", "items": rule})

    assert json.loads(said(client, model, "the invoice", response_format=wanted)) == {"code": "B"}
    assert json.loads(said(client, model, "the invoice", response_format=several)) == {"code": ["B"]}
    assert json.loads(said(client, model, "fever", response_format=wanted))["code"] in {"B", "C"}, "A is none of them"
    assert said(client, model, "the invoice", response_format=wanted, max_completion_tokens=1) == '{"co'


def test_the_steps_are_told_in_events_checkpoints_and_a_result_file(client: openai.OpenAI) -> None:
    job, _ = follow(client, begin(client, method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 4}}}))
    events = [event.message for event in client.fine_tuning.jobs.list_events(job.id, limit=3)]
    checkpoints = client.fine_tuning.jobs.checkpoints.list(job.id).data
    rows = base64.b64decode(client.files.content(job.result_files[0]).read()).decode().splitlines()

    assert events[0] == "The job has successfully completed"
    assert events[-1] == f"Created fine-tuning job: {job.id}"
    assert [checkpoint.step_number for checkpoint in checkpoints] == [40, 30, 20], "the last three epochs"
    assert checkpoints[0].fine_tuned_model_checkpoint == job.fine_tuned_model
    assert said(client, checkpoints[1].fine_tuned_model_checkpoint, "the invoice is wrong") == "B"
    assert rows[0] == "step,train_loss,train_mean_token_accuracy"
    losses = [float(row.split(",")[1]) for row in rows[1:]]
    assert losses[-1] < losses[0], "it learns"


def test_a_validation_file_is_measured_too(client: openai.OpenAI) -> None:
    job, _ = follow(client, begin(client, validation_file=upload(client, line("a sick child", "A")).id))

    metrics = client.fine_tuning.jobs.checkpoints.list(job.id).data[0].metrics
    assert metrics.full_valid_mean_token_accuracy == 1.0
    assert metrics.full_valid_loss is not None


def test_preferences_are_learned_as_what_was_preferred(client: openai.OpenAI) -> None:
    job, _ = follow(
        client, begin(client, *[PREFERENCE] * 10, method={"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1}}})
    )

    assert said(client, job.fine_tuned_model, "sick") == "absence"


def test_a_job_can_be_made_to_fail_and_to_hang(standin: Standin, client: openai.OpenAI) -> None:
    standin.tunings.plan("running", "failed", error={"code": "exceeded_quota", "message": "No money.", "param": None})
    job, states = follow(client, begin(client))
    standin.tunings.plan("queued")
    stuck = begin(client)

    assert states == ["validating_files", "running", "failed"]
    assert job.error is not None
    assert job.error.code == "exceeded_quota"
    assert job.fine_tuned_model is None
    assert [client.fine_tuning.jobs.retrieve(stuck.id).status for _ in range(3)] == ["queued"] * 3
    with pytest.raises(ValueError, match="no state of a job: done"):
        standin.tunings.plan("done")


def test_a_job_whose_file_was_deleted_fails_and_one_that_has_read_it_does_not(client: openai.OpenAI) -> None:
    early, late = begin(client), begin(client)
    client.fine_tuning.jobs.retrieve(late.id)
    for job in (early, late):
        client.files.delete(job.training_file)

    assert follow(client, early)[1] == ["validating_files", "failed"]
    assert follow(client, late)[0].status == "succeeded"


@pytest.mark.parametrize(
    ("examples", "more", "code"),
    [
        (LESSONS[:9], {}, "invalid_n_examples"),
        (LESSONS, {"method": {"type": "dpo"}}, "invalid_training_file"),
        ([*LESSONS, PREFERENCE], {}, "invalid_training_file"),
    ],
)
def test_a_job_fails_over_a_file_that_is_not_for_it(
    client: openai.OpenAI, examples: list[dict[str, Any]], more: dict[str, Any], code: str
) -> None:
    job, states = follow(client, begin(client, *examples, **more))

    assert states == ["validating_files", "failed"]
    assert job.error is not None
    assert (job.error.code, job.error.param) == (code, "training_file")


def test_a_job_can_be_canceled_until_it_is_over(client: openai.OpenAI) -> None:
    job = begin(client)

    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"
    refused(lambda: client.fine_tuning.jobs.cancel(job.id))


def test_jobs_are_listed_newest_first(client: openai.OpenAI) -> None:
    ids = [begin(client).id for _ in range(3)]

    marked = begin(client, metadata={"run": "7"}).id

    assert [job.id for job in client.fine_tuning.jobs.list(limit=2)] == [marked, *ids[::-1]]
    assert [job.id for job in client.fine_tuning.jobs.list(metadata={"run": "7"})] == [marked]


def test_a_new_customer_is_refused_as_at_openai(standin: Standin, client: openai.OpenAI) -> None:
    standin.tunings.is_closed = True

    with pytest.raises(openai.PermissionDeniedError):
        begin(client)
    assert client.fine_tuning.jobs.list().data == []
    assert standin.violations == [], "the request was right"


def test_a_model_that_was_deleted_answers_no_more(client: openai.OpenAI) -> None:
    model = follow(client, begin(client))[0].fine_tuned_model
    assert model is not None

    assert client.models.delete(model).deleted
    with pytest.raises(openai.NotFoundError) as gone:
        said(client, model, "sick")
    assert gone.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"model": "gpt-6-luna"}, "model"),
        ({"model": "babbage-002"}, "model"),
        ({"training_file": "file-none"}, "training_file"),
        ({"validation_file": "file-none"}, "validation_file"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"seed": "7"}, "seed"),
        ({"metadata": {str(number): "x" for number in range(17)}}, "metadata"),
        ({"metadata": {"x" * 65: "x"}}, "metadata"),
        ({"metadata": {"x": "x" * 513}}, "metadata"),
        ({"metadata": {"x": 1}}, "metadata"),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters"),
        ({"method": {"type": "supervised", "supervised": {"hyperparameters": {"batch_size": 257}}}}, "hyperparameters"),
        (
            {"method": {"type": "supervised", "supervised": {"hyperparameters": {"learning_rate_multiplier": 0}}}},
            "hyperparameters",
        ),
        ({"method": {"type": "magic"}}, "method"),
        ({"method": {"type": "reinforcement"}}, "method"),
        ({"integrations": [{"type": "wandb"}]}, "integrations"),
        ({"extra_body": {"epochs": 3}}, "epochs"),
    ],
)
def test_a_wrong_job_is_refused(standin: Standin, client: openai.OpenAI, wrong: dict[str, Any], param: str) -> None:
    assert refused(lambda: begin(client, **wrong))["param"] == param
    assert len(standin.violations) == 1
    assert client.fine_tuning.jobs.list().data == []


def test_a_file_for_batches_is_none_for_training(client: openai.OpenAI) -> None:
    request = {"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {}}
    other = upload(client, request, purpose="batch").id

    assert refused(lambda: begin(client, training_file=other))["code"] == "invalid_file_purpose"


def test_what_is_not_there_is_not_found(client: openai.OpenAI) -> None:
    jobs = client.fine_tuning.jobs
    looks: list[Callable[[str], object]] = [jobs.retrieve, jobs.cancel, jobs.list_events, jobs.checkpoints.list]
    for look in looks:
        with pytest.raises(openai.NotFoundError):
            look("ftjob-none")


def test_a_paused_job_goes_on_once_it_is_resumed(standin: Standin, client: openai.OpenAI) -> None:
    standin.tunings.plan("running", "paused", "running", "succeeded")

    _, states = follow(client, begin(client))

    assert states == ["validating_files", "running", "paused", "running", "succeeded"]
    assert standin.violations == []


def test_files_with_a_day_of_expiry_are_gone_when_it_is_reached(standin: Standin, client: openai.OpenAI) -> None:
    kept = upload(client, *LESSONS)
    content = lines(*LESSONS)
    client.files.create(file=("x.jsonl", content), purpose="fine-tune", expires_after={"anchor": "created_at", "seconds": 3600})
    job = begin(client, training_file=standin.files.names[-1])

    standin.files.expire()

    assert standin.files.names[0] == kept.id
    error = follow(client, job)[0].error
    assert error is not None
    assert error.code == "invalid_training_file"
