"""kind = "hierarchical" is trained, explained, and files mail on Dovecot, by the installed command and the configuration alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd, write_examples
from tests.acceptance.desk import Desk, json_lines
from tests.dovecot import Dovecot
from tests.mail import Outside, mail

from cubbyd.standin import Standin
from cubbyd.standin.server import KEY

pytestmark = pytest.mark.slow

GROUPS = {"absence": "child", "meals": "child", "billing": "money"}
SUBJECTS = ("Emma is ill today", "the invoice for Noah is wrong", "a milk allergy, no nuts please", "zzz qqq")
FILED = {"Absence": [SUBJECTS[0]], "Billing": [SUBJECTS[1]], "Meals": [SUBJECTS[2]], "INBOX": [SUBJECTS[3]]}

WORDS = {"ill": "absence", "allergy": "meals", "today": "child", "nuts": "child", "wrong": "money"}
"""What the stand-in understands of a mail: of the one question the category, of the other the group."""


def add_groups(file: Path, kind: str) -> None:
    """Turn a configuration into one of the hierarchical kind."""
    text = file.read_text().replace("[classifier]\n", f'[classifier]\nkind = "{kind}"\nthreshold = 0.6\n')
    for category, group in GROUPS.items():
        text = text.replace(f'id = "{category}"\n', f'id = "{category}"\ngroup = "{group}"\n')
    file.write_text(text)


# --- the commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def grouped(desk: Desk) -> Desk:
    desk.configure('[classifier]\nmodel = "cubbyd.model"', categories=" ".join(GROUPS))
    add_groups(desk.folder / "cubbyd.toml", "hierarchical")
    write_examples(desk.folder / "examples.jsonl")
    return desk


def test_the_configurations_kind_is_trained_and_says_how_good_it_is(grouped: Desk) -> None:
    said = grouped.call("train", "examples.jsonl", "--out", "cubbyd.model").stdout
    (facts,) = json_lines(grouped.call("train", "examples.jsonl", "--out", "cubbyd.model", "--json").stdout)

    assert "the right group" in said
    assert "Next: `cubbyd check`." in said
    assert (facts["examples"], facts["categories"], facts["groups"]) == (96, 3, 2)
    assert 0.9 < facts["group_accuracy"] <= 1
    assert 0.9 < facts["accuracy_within_group"] <= 1
    assert (grouped.folder / "cubbyd.model").stat().st_mode & 0o077 == 0


def test_what_it_says_of_a_mail_names_words_and_the_groups_that_were_tried(grouped: Desk) -> None:
    grouped.call("train", "examples.jsonl", "--out", "cubbyd.model")
    (grouped.folder / "mail.eml").write_bytes(b"Subject: nuts\r\n\r\nNo nuts for her please, a milk allergy\r\n")

    (found,) = json_lines(grouped.call("classify", "mail.eml", "--json").stdout)
    shown = grouped.call("classify", "mail.eml").stdout

    assert found["decision"] == "meals"
    assert found["provenance"]["kind"] == "hierarchical"
    *words, tried = [reason["text"] for reason in found["reasons"]]
    assert words
    assert tried.startswith("groups: child ")
    assert "groups: child" in " ".join(shown.split())


def test_a_category_without_a_group_is_named_before_anything_is_trained(grouped: Desk) -> None:
    file = grouped.folder / "cubbyd.toml"
    file.write_text(file.read_text().replace('group = "money"\n', ""))

    (line,) = grouped.call("train", "examples.jsonl", "--out", "m", code=78).stderr.splitlines()

    assert "cubbyd.toml" in line
    assert "categories[3].group: category 'billing' is in no group" in line
    assert not (grouped.folder / "m").exists()


def test_groups_are_taken_from_a_configuration_and_from_nowhere_else(grouped: Desk) -> None:
    (grouped.folder / "cubbyd.toml").unlink()

    done = grouped.call("train", "examples.jsonl", "--kind", "hierarchical", "--out", "m", code=2)

    assert "needs a configuration, in which every category has a group" in done.stderr


def test_a_model_of_the_other_kind_is_refused_either_way(grouped: Desk) -> None:
    grouped.call("train", "examples.jsonl", "--kind", "local", "--out", "cubbyd.model")
    (grouped.folder / "mail.eml").write_bytes(b"Subject: nuts\r\n\r\nNo nuts\r\n")

    (line,) = grouped.call("classify", "mail.eml", code=78).stderr.splitlines()
    assert "cubbyd.model: is of version 3, kind 'local'" in line
    assert "kind 'hierarchical'" in line


# --- on Dovecot --------------------------------------------------------------------------------------------------------


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str) -> Cubbyd:
    return Cubbyd(tmp_path, dovecot, user)


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


def deliver(outside: Outside) -> None:
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS)))


@pytest.mark.dovecot
def test_mail_is_filed_by_a_trained_one(cubbyd: Cubbyd, outside: Outside) -> None:
    add_groups(cubbyd.config, "hierarchical")
    cubbyd.train()
    deliver(outside)
    checked = cubbyd("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert outside.everything() == FILED
    records = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]
    assert {record["category"] for record in records} == {*GROUPS, None}


@pytest.mark.dovecot
def test_mail_is_filed_by_a_hosted_one_that_is_asked_for_the_group_and_then_within_it(cubbyd: Cubbyd, outside: Outside) -> None:
    add_groups(cubbyd.config, "hierarchical")
    for name, content in (("openai.key", KEY), ("roster.txt", "[children]\nMia Hofmann\n")):
        (cubbyd.folder / name).touch(mode=0o600)
        (cubbyd.folder / name).write_text(content + "\n")
    deliver(outside)
    with Standin(WORDS) as server:
        cubbyd.config.write_text(
            f'{cubbyd.config.read_text()}\n[redaction]\nroster_file = "roster.txt"\n[classifier.hierarchical]\n'
            f'groups = "openai"\nwithin = "openai"\ntried = 1\n[classifier.openai]\nmodel = "gpt-6-luna"\nmode = "decisions"\n'
            f'base_url = "{server.base_url}"\napi_key_file = "openai.key"\nattempts = 1\n'
        )

        done = cubbyd("run", "--once", "--json")

        assert server.violations == []
        asked = [sorted(choice["value"] for choice in one.body["questions"][0]["choices"]) for one in server.requests]

    assert done.returncode == 0, done.stderr
    assert outside.everything() == FILED
    assert sorted(asked) == [["absence", "meals"]] * 3 + [["child", "money"]] * 4, (
        "money has nothing to choose, and is not asked"
    )
