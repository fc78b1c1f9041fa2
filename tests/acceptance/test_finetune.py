"""Hosted fine-tuning by the installed command, against the stand-in: from labeled mail to a model that the daemon asks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.acceptance.desk import Desk, clean_environment, json_lines
from tests.conftest import ROOT
from tests.finetune import BASE, write_mails
from tests.patience import PATIENCE_SECONDS
from tests.standin import connected

from cubbyd.standin import Fault, Standin
from cubbyd.standin.server import KEY

pytestmark = pytest.mark.slow

NAMES = ("Mia Hofmann", "Noah Ek", "Emma Lo", "Leo Braun", "Ava Kern", "Ben Roth", "Zoe Falk")
START = ("finetune", "start", "examples.jsonl", "--base", BASE)
QUICK = ("--poll-seconds", "0.05")


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin({}) as server:
        yield server
    assert server.violations == []
    assert server.files.names == [], "whatever happened, the vendor has no file at the end"


class Office(Desk):
    """A desk with labeled mail, and the stand-in for a vendor."""

    def __init__(self, folder: Path, standin: Standin) -> None:
        super().__init__(folder)
        for name, content in (("openai.key", KEY), ("roster.txt", "[children]\n" + "\n".join(NAMES))):
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(content + "\n")
        keys = f'model = "gpt-4o-mini"  # not tuned yet\nbase_url = "{standin.base_url}"\napi_key_file = "openai.key"\nattempts = 1'
        table = f'[classifier]\nkind = "openai"\n\n[classifier.openai]\n{keys}\nprice_per_million_training_tokens = 3.0'
        self.configure(f'{table}\n\n[redaction]\nroster_file = "roster.txt"', categories="absence billing")
        write_mails(folder / "examples.jsonl", "Hello,", NAMES)
        write_mails(folder / "validation.jsonl", "Good morning,", NAMES)
        write_mails(folder / "test.jsonl", "Dear team,", NAMES)

    def begin(self, *more: str) -> list[str]:
        """Start jobs; give their ids."""
        (facts,) = json_lines(self.call(*START, "--yes", "--json", *more).stdout)
        return [job["id"] for job in facts["jobs"]]

    def listed(self) -> list[dict[str, Any]]:
        """Give what the list says, without asking the vendor."""
        return json_lines(self.call("finetune", "list", "--offline", "--json").stdout)


@pytest.fixture
def office(tmp_path: Path, standin: Standin) -> Office:
    return Office(tmp_path, standin)


def test_a_sweep_is_started_watched_drawn_measured_adopted_and_then_sorts_mail(office: Office, standin: Standin) -> None:
    started = office.call(*START, "--validation", "validation.jsonl", "--epochs", "2,4", "--yes")
    assert "2027-01-06" in started.stderr
    assert "2027-01-14" in started.stderr
    assert "56 lines" in started.stderr
    assert "absence 28, billing 28" in started.stderr
    assert "Price: about 0." in started.stderr
    first, second = (line.split()[1] for line in started.stdout.splitlines() if line.startswith("Started"))
    sent = b"".join(request.content for request in standin.requests)
    assert not any(name.encode() in sent for name in " ".join(NAMES).split())

    watched = office.call("finetune", "watch", *QUICK)
    assert f"{first}: running" in watched.stdout
    assert f"{second}: succeeded, step 224 of 224, training loss" in watched.stdout
    assert standin.files.names == []

    shown = office.call("finetune", "results", "--out", "losses.svg")
    assert first in shown.stdout
    drawn = ET.parse(office.folder / "losses.svg").getroot()
    assert "".join(drawn.itertext()).count("validation loss") == 2

    priced = office.call("finetune", "adopt", second, "--test", "test.jsonl", code=2)
    assert "56 calls" in priced.stderr
    tried = office.call("finetune", "adopt", second, "--test", "test.jsonl", "--yes")
    assert "accuracy 1.000, macro-F1 1.000" in tried.stdout
    assert 'mode = "code"' in tried.stdout
    assert "ft:" not in (office.folder / "cubbyd.toml").read_text()
    adopted = office.call("finetune", "adopt", second, "--test", "test.jsonl", "--yes", "--write")
    assert "Next: `cubbyd check`" in adopted.stdout
    written = (office.folder / "cubbyd.toml").read_text()
    assert "# not tuned yet" in written
    assert 'model = "ft:gpt-4o-mini' in written

    standin.requests.clear()
    (office.folder / "mail.eml").write_bytes(b"Subject: fever\r\n\r\nMia Hofmann has a fever and stays home\r\n")
    (found,) = json_lines(office.call("classify", "mail.eml", "--json").stdout)
    assert found["decision"] == "absence"
    assert standin.requests[-1].body["model"].startswith(f"ft:{BASE}")


def test_nothing_is_sent_before_somebody_says_yes(office: Office, standin: Standin) -> None:
    asked = office.call(*START, code=2)
    assert "Send 56 masked mails" in asked.stderr
    assert "Add --yes to do so" in asked.stderr

    dry = office.call(*START, "--dry-run", "--save", "lines.jsonl")

    assert "Nothing was sent" in dry.stderr
    assert "Price: about 0." in dry.stderr
    assert "an epoch" in dry.stderr, "the vendor would choose how many"
    lines = [json.loads(line) for line in (office.folder / "lines.jsonl").read_text().splitlines()]
    assert {line["messages"][-1]["content"] for line in lines} == {"A", "B"}
    assert "Hofmann" not in (office.folder / "lines.jsonl").read_text()
    assert (office.folder / "lines.jsonl").stat().st_mode & 0o777 == 0o600
    assert standin.requests == []
    assert office.listed() == []


def test_ctrl_c_ends_the_watch_and_the_next_one_goes_on(office: Office, standin: Standin) -> None:
    standin.tunings.plan(*["queued"] * 3, *["running"] * 3, *["paused"] * 40, "running", "succeeded")
    (job,) = office.begin()
    command = [sys.executable, "-m", "cubbyd", "finetune", "watch", "--poll-seconds", "0.2"]
    watching = subprocess.Popen(
        command, cwd=office.folder, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert watching.stdout is not None
    seen = [watching.stdout.readline(), watching.stdout.readline(), watching.stdout.readline()]
    watching.send_signal(signal.SIGINT)
    _, errors = watching.communicate(timeout=PATIENCE_SECONDS)

    assert watching.returncode == 130
    assert seen[:2] == [f"{job}: queued\n", f"{job}: running\n"]
    assert "paused at the vendor" in seen[2]
    assert "the jobs go on" in errors
    assert "Traceback" not in errors
    (known,) = office.listed()
    assert known["undeleted"], "a job that goes on needs its file"

    for _ in range(60):  # the vendor resumes it
        look(standin, job)
    watched = office.call("finetune", "watch", *QUICK, "--json")

    assert [line["status"] for line in json_lines(watched.stdout)][-1] == "succeeded"


def look(standin: Standin, job: str) -> None:
    """Look at a job as its owner does on the vendor's page; each look moves it one state on."""
    with connected(standin) as client:
        client.fine_tuning.jobs.retrieve(job)


@pytest.mark.parametrize("request_number", [1, 2])
def test_ctrl_c_in_the_middle_of_a_start_loses_neither_a_file_nor_a_job(
    office: Office, standin: Standin, request_number: int
) -> None:
    """While the file is sent, and while the first job is ordered."""
    standin.then(*[Fault()] * (request_number - 1), Fault(wait=3.0))
    command = [sys.executable, "-m", "cubbyd", *START, "--yes"]
    starting = subprocess.Popen(command, cwd=office.folder, env=clean_environment(), stderr=subprocess.PIPE, text=True)
    while len(standin.requests) < request_number:
        assert starting.poll() is None
        time.sleep(0.02)
    starting.send_signal(signal.SIGINT)
    _, errors = starting.communicate(timeout=PATIENCE_SECONDS)

    assert starting.returncode == 130
    assert "Traceback" not in errors
    time.sleep(3.5)  # what was under way may still have its effect at the vendor
    office.call("finetune", "list")
    for sweep in office.listed():
        office.call("finetune", "cancel", sweep["start"])


def test_a_job_that_fails_in_the_middle_fails_the_watch_with_advice_and_leaves_no_file(
    office: Office, standin: Standin
) -> None:
    standin.tunings.plan("queued", "running", "failed", error={"code": "exceeded_quota", "message": "Mia.", "param": None})
    failing, working = office.begin("--epochs", "1,2")

    watched = office.call("finetune", "watch", *QUICK, code=1)

    assert f"{failing}: failed (exceeded_quota). The account has no money left" in watched.stderr
    assert f"{working}: succeeded" in watched.stdout
    assert standin.files.names == []
    refused = office.call("finetune", "adopt", failing, "--test", "test.jsonl", "--yes", code=1)
    assert "has made no model" in refused.stderr
    shown = office.call("finetune", "results")
    assert working in shown.stdout
    assert f"{failing}: failed (exceeded_quota), no losses" in shown.stderr


def test_a_training_file_that_expired_is_named(office: Office, standin: Standin) -> None:
    office.begin()
    standin.files.expire()

    watched = office.call("finetune", "watch", *QUICK, code=1)

    assert "invalid_training_file" in watched.stderr
    assert "larger --keep-days" in watched.stderr


def test_an_account_that_may_not_is_told_why_and_what_else_there_is(office: Office, standin: Standin) -> None:
    standin.tunings.is_closed = True

    refused = office.call(*START, "--yes", code=77)

    assert "2026-05-07" in refused.stderr
    assert "may not fine-tune" in refused.stderr
    assert "`cubbyd train`" in refused.stderr
    assert standin.files.names == []
    assert office.listed() == []


def test_a_canceled_job_leaves_no_file_and_another_cancel_changes_nothing(office: Office, standin: Standin) -> None:
    (job,) = office.begin()

    assert office.call("finetune", "cancel", job).stdout == f"Canceled {job}.\n"

    assert standin.files.names == []
    assert office.call("finetune", "cancel", job).stdout == f"{job}: cancelled.\n"
    assert "cancelled" in office.call("finetune", "list").stdout
    assert "is no job that was started here" in office.call("finetune", "cancel", "ftjob-other", code=1).stderr


def test_what_could_not_be_deleted_is_said_and_the_list_deletes_it(office: Office, standin: Standin) -> None:
    (job,) = office.begin()
    standin.then(Fault(), *[Fault.error(500)] * 1)  # the cancel, and the try to delete

    canceled = office.call("finetune", "cancel", job)

    assert "Still at the vendor, because deleting failed: file-" in canceled.stderr
    assert len(standin.files.names) == 1
    assert standin.files.names[0] in office.call("finetune", "list", "--offline").stdout
    assert "files at the vendor" not in office.call("finetune", "list").stdout


def test_a_start_of_which_half_failed_says_which_job_runs(office: Office, standin: Standin) -> None:
    standin.then(Fault(), Fault(), Fault.error(503))

    broken = office.call(*START, "--yes", "--epochs", "1,2", code=69)

    assert "Started all the same: ftjob-" in broken.stderr
    assert "(1 epoch)" in broken.stderr
    watched = office.call("finetune", "watch", *QUICK, code=1)
    assert "a job without an id: never started" in watched.stderr
    assert "succeeded" in watched.stdout


def test_a_test_set_that_the_model_has_learned_or_a_machine_wrote_measures_nothing(office: Office, standin: Standin) -> None:
    (job,) = office.begin("--epochs", "1")
    office.call("finetune", "watch", *QUICK)
    standin.requests.clear()

    learned = office.call("finetune", "adopt", job, "--test", "examples.jsonl", "--yes", "--write", code=1)
    assert "examples.jsonl, line 1: 56 of its mails were learned by the model" in learned.stderr
    made_up = [json.loads(line) | {"origin": "synthetic"} for line in (office.folder / "test.jsonl").read_text().splitlines()]
    (office.folder / "made-up.jsonl").write_text("".join(json.dumps(line) + "\n" for line in made_up))
    refused = office.call("finetune", "adopt", job, "--test", "made-up.jsonl", "--yes", "--write", code=1)
    assert "56 of its mails are synthetic" in refused.stderr

    assert standin.requests == []
    assert "ft:" not in (office.folder / "cubbyd.toml").read_text()


def test_categories_that_changed_since_the_training_are_noticed_before_anything_is_asked(office: Office) -> None:
    (job,) = office.begin("--epochs", "1")
    office.call("finetune", "watch", *QUICK)
    file = office.folder / "cubbyd.toml"
    file.write_text(file.read_text().replace('name = "Billing"', 'name = "Money"'))

    refused = office.call("finetune", "adopt", job, "--test", "test.jsonl", "--yes", code=1)

    assert "are not those that the model was taught with" in refused.stderr


def test_a_key_is_not_taken_to_another_server_than_the_jobs_are_at(office: Office) -> None:
    (job,) = office.begin()
    file = office.folder / "cubbyd.toml"
    before = file.read_text()
    with Standin({}) as other:
        file.write_text(
            "\n".join(f'base_url = "{other.base_url}"' if "base_url" in line else line for line in before.split("\n"))
        )
        for command in (["watch"], ["cancel", job], ["adopt", job, "--test", "test.jsonl"]):
            refused = office.call("finetune", *command, code=1)
            assert "was started at" in refused.stderr or "has made no model" in refused.stderr
        assert other.requests == []
    file.write_text(before)
    office.call("finetune", "cancel", job)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--epochs", "0"), "give numbers from 1 to 50"),
        (("--epochs", "1,2,3,4,5,6,7,8,9,10,11"), "10 at most"),
        (("--suffix", "Mia Hofmann"), "has letters, digits and - alone"),
        (("--keep-days", "31"), "is not in the range"),
    ],
)
def test_a_wrong_option_is_a_sentence(office: Office, arguments: tuple[str, ...], said: str) -> None:
    assert said in office.call(*START, "--yes", *arguments, code=2).stderr


def test_files_that_cannot_be_used_are_a_sentence(office: Office, standin: Standin) -> None:
    few = (office.folder / "examples.jsonl").read_text().splitlines()[:8]
    (office.folder / "few.jsonl").write_text("\n".join(few) + "\n")
    refused = office.call("finetune", "start", "few.jsonl", "--base", BASE, "--yes", code=1)
    assert "8 lines can be used, and at least 10 are needed" in refused.stderr
    assert "no example of billing" in refused.stderr
    shared = office.call(*START, "--validation", "examples.jsonl", "--yes", code=1)
    assert "56 of its mails are among the examples too" in shared.stderr
    assert "cannot be read" in office.call("finetune", "start", "none.jsonl", "--base", BASE, "--yes", code=1).stderr
    assert standin.requests == []


def test_before_anything_was_started_every_command_says_how_to_begin(office: Office) -> None:
    assert office.call("finetune", "list").stdout == "Nothing was started from here yet.\n"
    for command in (["watch"], ["results"], ["cancel", "x"], ["adopt", "x", "--test", "test.jsonl"]):
        assert "begin with: cubbyd finetune start" in office.call("finetune", *command, code=1).stderr


def test_the_commands_of_the_page_run_as_they_stand_there(office: Office) -> None:
    """All but the first, which divides more mail than there is here, and the last, which needs a mail server."""
    page = (ROOT / "docs" / "finetuning.md").read_text()
    block = page.split("## From labeled mail to a tuned model\n\n")[1].split("\n\n")[0]
    commands = [line.split()[1:] for line in block.splitlines()]
    assert [words[0] for words in commands] == ["dataset", *["finetune"] * 4, "check"]
    (office.folder / "sets").mkdir()
    for name, file in (("train", "examples"), ("validation", "validation"), ("test", "test")):
        (office.folder / f"{file}.jsonl").rename(office.folder / "sets" / f"{name}.jsonl")

    for words in commands[1:-1]:
        (job, *_) = [job["id"] for sweep in office.listed() for job in sweep["jobs"]] or [""]
        more = {"start": ["--yes"], "watch": QUICK}.get(words[1], ())
        office.call(*(job if word == "JOB" else word for word in words), *more)

    assert 'model = "ft:' in (office.folder / "cubbyd.toml").read_text()
