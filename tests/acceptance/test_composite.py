"""The kinds that are made of others file mail on Dovecot by the installed command; what is changed is `kind` alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cubbyd import EXAMPLES, Cubbyd, write_examples
from tests.dovecot import Dovecot
from tests.mail import Outside, mail

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]  # test_kinds.py has one of each

SUBJECTS = ("Emma is ill today", "the invoice for Noah is wrong", "a milk allergy, no nuts please", "zzz qqq")
FILED = {"Absence": [SUBJECTS[0]], "Billing": [SUBJECTS[1]], "Meals": [SUBJECTS[2]], "INBOX": [SUBJECTS[3]]}

NARROW = '{ kind = "local", model = "narrow.model" }'
"""A model that was never shown a mail about meals."""

TABLES = f"""
[classifier.cascade]
first = {NARROW}
then = "local"
unsure_below = 0.95

[classifier.shortlist]
first = "local"
then = {NARROW}
size = 2
sure_above = 0.5

[classifier.ensemble]
members = [{{ kind = "local", weight = 9 }}, {NARROW}]
"""


def train(folder: Path, examples: Path, name: str) -> None:
    command = [sys.executable, "-m", "cubbyd", "train", str(examples), "--out", str(folder / name)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("models")
    examples = write_examples(folder / "examples.jsonl")
    narrow = folder / "narrow.jsonl"
    lines = examples.read_text().splitlines()
    narrow.write_text("\n".join(line for line in lines if json.loads(line)["label"] != "meals") + "\n")
    train(folder, examples, "cubbyd.model")
    train(folder, narrow, "narrow.model")
    return {name: (folder / name).read_bytes() for name in ("cubbyd.model", "narrow.model")}


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str, models: dict[str, bytes]) -> Cubbyd:
    for name, content in models.items():
        (tmp_path / name).write_bytes(content)
    return Cubbyd(tmp_path, dovecot, user, more=TABLES)


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


def choose(cubbyd: Cubbyd, kind: str, more: str = "") -> None:
    text = cubbyd.config.read_text()
    cubbyd.config.write_text(text.replace("[classifier]\n", f'[classifier]\nkind = "{kind}"\nthreshold = 0.6\n') + more)


def deliver(outside: Outside) -> None:
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS)))


def history(cubbyd: Cubbyd) -> dict[str | None, dict[str, Any]]:
    records = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]
    return {record["category"]: record for record in records}


@pytest.mark.parametrize("kind", ["cascade", "shortlist", "ensemble"])
def test_mail_is_filed_by_each_of_them(cubbyd: Cubbyd, outside: Outside, kind: str) -> None:
    choose(cubbyd, kind)
    deliver(outside)
    checked = cubbyd("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert outside.everything() == FILED
    assert set(EXAMPLES) <= set(history(cubbyd))


def test_the_second_of_a_cascade_decides_what_the_first_cannot_know(cubbyd: Cubbyd, outside: Outside) -> None:
    choose(cubbyd, "cascade")
    deliver(outside)
    cubbyd("run", "--once")

    meals = history(cubbyd)["meals"]

    first, second = meals["model"].split()[0].split(">")
    assert first.startswith("local:")
    assert second.startswith("local:")
    assert first != second
    assert any("local was unsure" in reason for reason in meals["reasons"])


def test_a_disagreement_is_held_for_review_with_its_reason(cubbyd: Cubbyd, outside: Outside) -> None:
    choose(cubbyd, "ensemble")
    text = cubbyd.config.read_text().replace("members =", "review_on_disagreement = true\nmembers =")
    cubbyd.config.write_text(text.replace("[filing]\n", '[filing]\nunsure = "review"\n'))
    deliver(outside)

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert outside.everything() == {**{name: FILED[name] for name in ("Absence", "Billing")}, "Review": list(SUBJECTS[2:])}
    records = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]
    held = [record["hold"] for record in records if record["state"] == "held"]
    assert any(why.startswith("the classifiers disagree: meals / ") for why in held)
    assert "the classifiers disagree" in cubbyd("history").stdout.replace("\n", " ")


def test_the_weights_of_an_ensemble_are_found_on_labeled_mail(cubbyd: Cubbyd) -> None:
    choose(cubbyd, "ensemble")
    examples = write_examples(cubbyd.folder / "examples.jsonl")

    found = cubbyd("weigh", str(examples), "--json")
    shown = cubbyd("weigh", str(examples))

    assert (found.returncode, shown.returncode) == (0, 0), found.stderr + shown.stderr
    whole, narrow = json.loads(found.stdout)["members"]
    assert whole["accuracy"] > narrow["accuracy"] > 0.5, "the narrow one cannot know meals"
    assert whole["log_loss"] < narrow["log_loss"]
    assert whole["weight"] > 0.8
    assert 'members = [{ kind = "local", weight = ' in shown.stdout


def test_weights_from_a_handful_of_mails_are_refused(cubbyd: Cubbyd) -> None:
    choose(cubbyd, "ensemble")
    few = cubbyd.folder / "few.jsonl"
    few.write_text('{"subject": "ill", "body": "ill", "label": "absence"}\n')

    refused = cubbyd("weigh", str(few))

    assert refused.returncode == 1
    assert "few.jsonl: has 1 labeled examples; weights need 50 or more" in refused.stderr


def test_a_member_without_its_model_is_named(cubbyd: Cubbyd) -> None:
    choose(cubbyd, "cascade")
    (cubbyd.folder / "narrow.model").unlink()

    refused = cubbyd("run", "--once")

    assert refused.returncode == 78
    assert "narrow.model: there is no model yet" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_cascade_sends_out_only_what_the_local_one_is_unsure_of(cubbyd: Cubbyd, outside: Outside) -> None:
    pytest.importorskip("openai", reason="the extra cubbyd[openai] is not installed")
    from cubbyd.standin import Fault, Standin
    from cubbyd.standin.server import KEY

    (cubbyd.folder / "openai.key").touch(mode=0o600)
    (cubbyd.folder / "openai.key").write_text(KEY + "\n")
    with Standin({"allergy": "meals"}) as server:
        hosted = f'[classifier.openai]\nmodel = "gpt-6-luna"\nmode = "decisions"\nbase_url = "{server.base_url}"\napi_key_file = "openai.key"\n'
        choose(cubbyd, "cascade", f"{hosted}attempts = 1\n")
        text = cubbyd.config.read_text().replace('then = "local"\nunsure_below = 0.95', 'then = "openai"\nunsure_below = 0.7')
        cubbyd.config.write_text(text)
        deliver(outside)
        server.always(Fault.error(500))
        waiting = cubbyd("run", "--once", "--json")
        assert outside.everything() == {**{name: FILED[name] for name in ("Absence", "Billing")}, "INBOX": list(SUBJECTS[2:])}
        assert waiting.returncode == 69, waiting.stderr
        server.always(None)
        server.requests.clear()
        shutil.rmtree(cubbyd.folder / "state")  # else they would wait a minute

        done = cubbyd("run", "--once", "--json")

        assert done.returncode == 0, done.stderr
        assert outside.everything() == FILED
        sent = b"".join(request.content for request in server.requests)
        assert len(server.requests) == 2
    assert b"milk allergy" in sent
    assert b"invoice for Noah" not in sent
