"""kind = "openai" files mail on Dovecot against the stand-in, by the installed command and by nothing but the configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd, write_examples
from tests.dovecot import Dovecot
from tests.hosted import MODES
from tests.mail import Outside, mail

from cubbyd.standin import Fault, Standin
from cubbyd.standin.dialect import VLLM
from cubbyd.standin.server import KEY

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]  # test_kinds.py has one of each

WORDS = {"ill": "absence", "invoice": "billing", "allergy": "meals"}
PLACED = {"Absence": ["Mia Hofmann is ill"], "Billing": ["the invoice for Noah"], "INBOX": ["zzz qqq"]}


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(WORDS) as server:
        yield server
    assert server.violations == []


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


class Hosted(Cubbyd):
    """The command with a configuration of which the classifier's table is another."""

    def choose(self, standin: Standin, more: str = "", redaction: str = 'roster_file = "roster.txt"') -> None:
        for name, content in (("openai.key", KEY), ("roster.txt", "[children]\nMia Hofmann\n")):
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_text(content + "\n")
        kind = '[classifier]\nkind = "openai"\nthreshold = 0.6\n'
        keys = f'model = "gpt-6-luna"\nbase_url = "{standin.base_url}"\napi_key_file = "openai.key"\nattempts = 1\n{more or MODES["decisions"]}\n'
        text = self.config.read_text().replace('[classifier]\nmodel = "cubbyd.model"\n', f"{kind}[classifier.openai]\n{keys}")
        self.config.write_text(f"{text}\n[redaction]\n{redaction}\n")


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str) -> Hosted:
    return Hosted(tmp_path, dovecot, user)


def deliver(outside: Outside, *subjects: str) -> None:
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(subjects)))


@pytest.mark.parametrize("mode", MODES)
def test_mail_is_filed_by_the_hosted_classifier(cubbyd: Hosted, outside: Outside, standin: Standin, mode: str) -> None:
    cubbyd.choose(standin, MODES[mode])
    deliver(outside, "Mia Hofmann is ill", "the invoice for Noah", "zzz qqq")
    checked = cubbyd("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert [(request.method, request.path) for request in standin.requests] == [("GET", "/v1/models")]
    assert not (cubbyd.folder / "state" / "spending.json").exists()
    for said in ("mode: ", f"address: {standin.base_url}", "names: masked", "budget left: 2,000 calls today", "listed: yes"):
        assert said in checked.stdout
    standin.requests.clear()

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert outside.everything() == PLACED
    assert len(standin.requests) == 3
    assert b"Hofmann" not in b"".join(request.content for request in standin.requests)
    assert KEY not in done.stdout + done.stderr
    records = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]
    assert {record["category"] for record in records} == {"absence", "billing", None}
    assert {file.stat().st_mode & 0o777 for file in (cubbyd.folder / "state").iterdir()} == {0o600}


def test_a_refused_mail_goes_to_people_with_a_star_and_the_others_are_filed(
    cubbyd: Hosted, outside: Outside, standin: Standin
) -> None:
    cubbyd.choose(standin)
    cubbyd.config.write_text(cubbyd.config.read_text().replace("[filing]\n", '[filing]\nunsure = "review"\n'))
    deliver(outside, "the invoice for Noah", "Emma is ill")
    standin.then(Fault.refusal())

    done = cubbyd("run", "--once", "--json")

    assert json.loads(done.stdout)["filed"] == json.loads(done.stdout)["held"] == 1
    (refused,) = outside.everything()["Review"]
    assert refused in {"the invoice for Noah", "Emma is ill"}
    assert ["\\Flagged" in flags for flags in outside.flags("Review").values()] == [True]
    records = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]
    assert [record["urgent"] for record in records if record["state"] == "held"] == ["the classifier will not speak of it"]
    assert "URGENT" in cubbyd("history").stdout


def test_an_outage_leaves_all_mail_where_it_is_and_the_next_runs_file_it(
    cubbyd: Hosted, outside: Outside, standin: Standin
) -> None:
    cubbyd.choose(standin)
    deliver(outside, "Mia Hofmann is ill", "the invoice for Noah", "zzz qqq")
    standin.always(Fault.error(500))
    failed = cubbyd("run", "--once")
    assert failed.returncode == 69
    assert outside.everything() == {"INBOX": ["Mia Hofmann is ill", "the invoice for Noah", "zzz qqq"]}
    assert len(standin.requests) == 1, "the pass ends at the first"
    standin.always(None)

    done = cubbyd("run", "--once")  # those that were not asked about; once one is answered, the first is due again
    again = cubbyd("run", "--once")

    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    assert outside.everything() == PLACED


def test_a_server_without_decisions_is_found_out_once_and_files_mail_all_the_same(cubbyd: Hosted, outside: Outside) -> None:
    with Standin(WORDS, dialect=VLLM) as standin:
        cubbyd.choose(standin, 'mode = "auto"')
        deliver(outside, "Mia Hofmann is ill", "the invoice for Noah")
        done = cubbyd("run", "--once")
        assert done.returncode == 0, done.stderr
        assert len(standin.requests) == 4, "two are tried, two are asked about"
        assert "mode: auto: schema" in cubbyd("check").stdout
        standin.requests.clear()
        outside.deliver(mail("zzz qqq", number=9, body="zzz qqq"))

        done = cubbyd("run", "--once")

        assert done.returncode == 0, done.stderr
        assert [request.path for request in standin.requests] == ["/v1/chat/completions"]
        assert standin.violations == []
    assert outside.everything() == PLACED
    models = {json.loads(line)["model"] for line in cubbyd("history", "--json").stdout.splitlines()}
    assert {model.split()[1] for model in models} == {"schema"}


def test_check_fails_where_no_mail_would_be_answered(cubbyd: Hosted, standin: Standin) -> None:
    cubbyd.choose(standin)
    standin.always(Fault.error(401))

    refused = cubbyd("check")

    assert refused.returncode == 69
    assert "the key was refused" in refused.stdout
    assert "Traceback" not in refused.stderr


def test_check_tells_of_a_hosted_classifier_inside_of_another(cubbyd: Hosted, standin: Standin) -> None:
    cubbyd.choose(standin)
    text = cubbyd.config.read_text().replace('kind = "openai"', 'kind = "cascade"')
    cubbyd.config.write_text(f'{text}\n[classifier.cascade]\nfirst = "local"\nthen = "openai"\n')
    write_model(cubbyd.folder)
    standin.then(Fault.keys(data=[{"id": "gpt-6-luna", "shutdown_date": "2020-01-01"}]))

    facts = {found["check"]: found for found in map(json.loads, cubbyd("check", "--json").stdout.splitlines())}

    assert facts["classifier cascade.first: local"]["file"].endswith("cubbyd.model")
    hosted = facts["classifier cascade.then: openai"]
    assert hosted["address"] == standin.base_url
    assert "was to be shut down on 2020-01-01" in hosted["warnings"][0]
    assert hosted["ok"]
    assert "file" not in facts["classifier cascade"]


def write_model(folder: Path) -> None:
    examples = write_examples(folder / "examples.jsonl")
    command = [sys.executable, "-m", "cubbyd", "train", str(examples), "--out", str(folder / "cubbyd.model")]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)


def test_a_configuration_that_would_let_names_out_is_refused(cubbyd: Hosted, outside: Outside, standin: Standin) -> None:
    cubbyd.choose(standin, redaction="allow_names_to_leave_the_building = true")
    deliver(outside, "Mia Hofmann is ill")
    for arguments in (["run", "--once"], ["check"]):
        refused = cubbyd(*arguments)
        assert refused.returncode == 78
        assert "zero_data_retention" in refused.stdout + refused.stderr
        assert "Traceback" not in refused.stderr
    assert standin.requests == []
    assert outside.everything() == {"INBOX": ["Mia Hofmann is ill"]}


def test_what_classify_prints_for_a_program_is_that_and_no_log(cubbyd: Hosted, standin: Standin) -> None:
    cubbyd.choose(standin, "")  # it finds out the mode first, and would say so
    (cubbyd.folder / "mail.eml").write_bytes(mail("Mia Hofmann is ill"))

    done = cubbyd("classify", "mail.eml", "--json")

    assert done.returncode == 0, done.stderr
    (found,) = (json.loads(line) for line in done.stdout.splitlines())
    assert found["decision"] == "absence"
