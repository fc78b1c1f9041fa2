"""The local kind files mail on Dovecot by the installed command, with what `cubbyd train` can be asked for beside the usual."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import EXAMPLES, NAMES, Cubbyd, write_examples
from tests.acceptance.desk import Desk
from tests.dovecot import Dovecot
from tests.mail import Outside, mail

SUBJECTS = ("Emma is ill today", "the invoice for Noah is wrong")


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str) -> Cubbyd:
    return Cubbyd(tmp_path, dovecot, user)


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


def train(cubbyd: Cubbyd, examples: Path, *wishes: str) -> None:
    done = cubbyd("train", str(examples), *wishes, "--out", str(cubbyd.folder / "cubbyd.model"))
    assert done.returncode == 0, done.stderr


def run(cubbyd: Cubbyd) -> None:
    done = cubbyd("run", "--once")
    assert done.returncode == 0, done.stderr


@pytest.mark.dovecot
def test_a_mail_is_filed_and_the_most_similar_example_is_named_where_subjects_are_kept(
    cubbyd: Cubbyd, outside: Outside
) -> None:
    train(cubbyd, write_examples(cubbyd.folder / "examples.jsonl"), "--keep-subjects")
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS)))

    run(cubbyd)

    assert outside.everything() == {"Absence": [SUBJECTS[0]], "Billing": [SUBJECTS[1]]}
    records = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]
    assert any('like "Emma is ill today" (absence)' in record["reasons"] for record in records)
    assert (cubbyd.folder / "cubbyd.model").stat().st_mode & 0o777 == 0o600
    assert (cubbyd.folder / "state" / "cubbyd.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.dovecot
def test_a_mail_about_two_things_gets_the_keywords_of_both(cubbyd: Cubbyd, outside: Outside) -> None:
    text = cubbyd.config.read_text().replace("[classifier]\n", '[filing]\naction = "label"\n[classifier]\nlabels = "many"\n')
    cubbyd.config.write_text(text)
    both = [
        {"subject": f"{one.format(name)}, and {other.format(name)}", "labels": ["absence", "billing"]}
        for one, other in zip(EXAMPLES["absence"], EXAMPLES["billing"], strict=True)
        for name in NAMES
    ]
    examples = write_examples(cubbyd.folder / "examples.jsonl")
    with examples.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in both)
    train(cubbyd, examples)
    outside.deliver(mail("Emma is ill today, and the invoice for Emma is wrong", number=1, body="Hello"))

    run(cubbyd)

    (record,) = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]
    assert {record["category"], *record["others"]} == {"absence", "billing"}
    (flags,) = outside.flags("INBOX").values()
    assert {"cubbyd-absence", "cubbyd-billing"} <= {flag.lower() for flag in flags}


def test_a_model_of_another_kind_of_labels_is_refused_before_any_mail_is_touched(desk: Desk) -> None:
    desk.call("train", str(write_examples(desk.folder / "examples.jsonl")), "--labels", "many", "--out", "cubbyd.model")
    desk.configure('[classifier]\nmodel = "cubbyd.model"')

    refused = desk.call("run", "--once", code=78)

    assert 'was trained for labels = "many", and the configuration has "one"' in refused.stderr


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (["--kind", "hierarchical", "--keep-subjects"], "--keep-subjects is for --kind local"),
        (["--kind", "hierarchical", "--labels", "many"], "--labels many is for --kind local and embeddings"),
    ],
)
def test_a_wish_that_a_kind_does_not_grant_is_refused(desk: Desk, wish: list[str], said: str) -> None:
    write_examples(desk.folder / "examples.jsonl")

    assert said in desk.call("train", "examples.jsonl", *wish, "--out", "m", code=2).stderr
    assert not (desk.folder / "m").exists()
