"""One configuration with a table for every kind, and one Dovecot: what is changed is `kind` alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd, write_examples
from tests.conftest import start_dovecot
from tests.dovecot import MAILDIR, Dovecot
from tests.embeddings import make_folder
from tests.mail import Outside, mail

from cubbyd.classify.registry import BACKENDS

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]
pytest.importorskip("openai", reason="the extra cubbyd[openai] is not installed")

from cubbyd.standin import Standin  # noqa: E402
from cubbyd.standin.server import KEY  # noqa: E402

SUBJECTS = ("Emma is ill today", "the invoice for Noah is wrong", "a milk allergy, no nuts please")
FILED = {"Absence": [SUBJECTS[0]], "Billing": [SUBJECTS[1]], "Meals": [SUBJECTS[2]]}
WORDS = {"ill": "absence", "invoice": "billing", "allergy": "meals"}
GROUPS = {"absence": "child", "meals": "child", "billing": "money"}
TRAINED = ("local", "embeddings", "hierarchical")
LOCAL, EMBEDDINGS = ('{ kind = "local", model = "local.model" }', '{ kind = "embeddings", model = "embeddings.model" }')

TABLES = f"""
[classifier.openai]
model = "gpt-6-luna"
mode = "decisions"
base_url = "BASE_URL"
api_key_file = "openai.key"

[classifier.embeddings]
folder = "tiny"

[classifier.cascade]
first = {LOCAL}
then = "openai"
unsure_below = 0.9

[classifier.shortlist]
first = {LOCAL}
then = "openai"
size = 2
sure_above = 0.9

[classifier.ensemble]
members = [{LOCAL}, {EMBEDDINGS}, "openai"]

[classifier.hierarchical]
tried = 2

[[rules]]
name = "illness"
subject_words = "ill"
category = "absence"

[[rules]]
name = "invoices"
subject_words = "invoice"
category = "billing"

[[rules]]
name = "allergies"
subject_words = "allergy"
category = "meals"
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, dovecots: dict[str, Dovecot]) -> Path:
    """A model file of each kind that is trained, made as the documentation says."""
    folder = tmp_path_factory.mktemp("models")
    make_folder(folder / "download", "int8").rename(folder / "tiny")
    examples = write_examples(folder / "examples.jsonl")
    server = start_dovecot(dovecots, MAILDIR)
    trainer = Cubbyd(folder, server, "nobody", more=TABLES.replace("BASE_URL", "http://127.0.0.1:1/v1"))
    add_groups(trainer.config)
    for kind in TRAINED:
        done = trainer("train", str(examples), "--kind", kind, "--out", f"{kind}.model")
        assert done.returncode == 0, done.stderr
    return folder


def add_groups(file: Path) -> None:
    text = file.read_text()
    for category, group in GROUPS.items():
        text = text.replace(f'id = "{category}"\n', f'id = "{category}"\ngroup = "{group}"\n')
    file.write_text(text)


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(WORDS) as server:
        yield server
    assert server.violations == []


def choose(folder: Path, dovecot: Dovecot, user: str, standin: Standin, kind: str, *, with_rules: bool) -> Cubbyd:
    cubbyd = Cubbyd(folder, dovecot, user, more=TABLES.replace("BASE_URL", standin.base_url))
    add_groups(cubbyd.config)
    (folder / "openai.key").touch(mode=0o600)
    (folder / "openai.key").write_text(KEY + "\n")
    text = cubbyd.config.read_text()
    if not with_rules:
        text = text[: text.index("[[rules]]")] + text[text.index("[[categories]]") :] if "[[categories]]" in text else text
    model = f'model = "{kind if kind in TRAINED else "local"}.model"\n'
    cubbyd.config.write_text(
        text.replace('[classifier]\nmodel = "cubbyd.model"\n', f'[classifier]\nkind = "{kind}"\n{model}threshold = 0.4\n')
    )
    return cubbyd


def test_there_is_no_kind_that_is_not_tried_here() -> None:
    assert set(BACKENDS) == {"local", "embeddings", "hierarchical", "openai", "cascade", "shortlist", "ensemble", "rules"}


@pytest.mark.parametrize("kind", BACKENDS)
def test_mail_is_filed_by_each_kind(
    tmp_path: Path, dovecot: Dovecot, user: str, outside: Outside, standin: Standin, models: Path, kind: str
) -> None:
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    cubbyd = choose(tmp_path, dovecot, user, standin, kind, with_rules=kind == "rules")
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS)))
    checked = cubbyd("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert outside.everything() == FILED
    records = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]
    assert {record["category"]: record["folder"] for record in records} == {name.lower(): name for name in FILED}
    assert all(record["model"] for record in records)
    is_remote = kind in {"openai", "cascade", "shortlist", "ensemble"}
    asked = [request for request in standin.requests if request.method == "POST"]
    assert bool(asked) is is_remote or kind in {"cascade", "shortlist"}, "those two may be sure of all"


def test_rules_come_before_any_kind_and_what_they_decide_leaves_no_trace_elsewhere(
    tmp_path: Path, dovecot: Dovecot, user: str, outside: Outside, standin: Standin, models: Path
) -> None:
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    cubbyd = choose(tmp_path, dovecot, user, standin, "openai", with_rules=True)
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS)))

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert outside.everything() == FILED
    assert [request for request in standin.requests if request.method == "POST"] == []


def test_a_mail_of_several_labels_has_all_their_keywords(
    tmp_path: Path, dovecot: Dovecot, user: str, outside: Outside, standin: Standin
) -> None:
    cubbyd = choose(tmp_path, dovecot, user, standin, "local", with_rules=False)
    text = cubbyd.config.read_text().replace('kind = "local"\n', 'kind = "local"\nlabels = "many"\n')
    cubbyd.config.write_text(text.replace("[filing]\n", '[filing]\naction = "move+label"\n'))
    examples = write_examples(tmp_path / "examples.jsonl")
    lines = examples.read_text().splitlines()
    both = [
        json.dumps({"subject": "", "body": f"{one['body']} And: {two['body']}", "labels": [one["label"], two["label"]]})
        for one, two in zip(map(json.loads, lines), map(json.loads, lines[32:] + lines[:32]), strict=True)
        if one["label"] != two["label"]
    ]
    examples.write_text("\n".join([*lines, *both]) + "\n")
    refused = cubbyd("check")
    assert refused.returncode == 78
    trained = cubbyd("train", str(examples), "--kind", "local", "--out", "local.model")
    assert trained.returncode == 0, trained.stderr
    text = "Emma has a fever and stays home, and the invoice is wrong, please send the receipt"
    outside.deliver(mail("hello", number=1, body=text), mail("hello", number=2, body="what is for lunch, no nuts please"))

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    found = {
        frozenset(flag for flag in flags if flag.startswith("cubbyd"))
        for folder in outside.everything()
        for flags in outside.flags(folder).values()
    }
    assert found == {frozenset({"cubbyd-absence", "cubbyd-billing"}), frozenset({"cubbyd-meals"})}
