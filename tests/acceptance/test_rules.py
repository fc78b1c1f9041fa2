"""The admin's rules and the urgent net on Dovecot, by the installed command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.dovecot import Dovecot
from tests.mail import Outside, mail

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

BILL, BOARD, ILL, HURT = "Invoice 7 of the caterer", "the board meets", "Emma is ill today", "the invoice for Noah is wrong"
RULES = """
[[rules]]
name = "private"
subject_words = ["the board"]
never_touch = true

[[rules]]
name = "caterer"
from_domain = "example.com"
header = { Return-Path = "ann@" }
subject_words = "invoice 7"
category = "meals"
"""


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str) -> Cubbyd:
    return Cubbyd(tmp_path, dovecot, user, more=RULES)


def deliver(outside: Outside) -> None:
    outside.deliver(
        mail(BILL, number=1),
        mail(BOARD, number=2, body="Somebody is bleeding."),
        mail(ILL, number=3),
        mail(HURT, number=4, body="And by the way: he hit his head."),
    )


def choose(cubbyd: Cubbyd, kind: str, more: str = "") -> None:
    text = cubbyd.config.read_text()
    cubbyd.config.write_text(text.replace("[classifier]\n", f'[classifier]\nkind = "{kind}"\nthreshold = 0.6\n') + more)


def decided(cubbyd: Cubbyd) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]


def test_rules_alone_file_what_they_know_and_leave_the_rest(cubbyd: Cubbyd, outside: Outside) -> None:
    choose(cubbyd, "rules")
    deliver(outside)
    checked = cubbyd("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "✓ rules" in checked.stdout
    assert not (cubbyd.folder / "cubbyd.model").exists()

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert outside.everything() == {"Meals": [BILL], "INBOX": [BOARD, ILL, HURT]}
    holds = sorted(record["hold"] for record in decided(cubbyd) if record["state"] == "held")
    assert holds == ["no rule matches", "no rule matches", "rule private: never touch"]


def test_rules_come_before_the_local_model(cubbyd: Cubbyd, outside: Outside) -> None:
    """The model would file the caterer's invoice as billing, as it does with the other one."""
    choose(cubbyd, "local")
    cubbyd.train()
    deliver(outside)

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert outside.everything() == {"Meals": [BILL], "Absence": [ILL], "Billing": [HURT], "INBOX": [BOARD]}
    (by_rule,) = (record for record in decided(cubbyd) if record["category"] == "meals")
    assert by_rule["reasons"] == ["rule caterer"]
    assert by_rule["probability"] == 1.0


def test_the_urgent_mark_is_in_what_is_said_of_a_mail(cubbyd: Cubbyd) -> None:
    choose(cubbyd, "rules")
    (cubbyd.folder / "hurt.eml").write_bytes(mail(HURT, body="And by the way: he hit his head."))
    (cubbyd.folder / "board.eml").write_bytes(mail(BOARD, body="Somebody is bleeding."))

    done = cubbyd("classify", "hurt.eml", "board.eml", "--json")

    hurt, board = (json.loads(line) for line in done.stdout.splitlines())
    assert hurt["urgent"] == "the urgent net: injury"
    assert "urgent" not in board
    assert board["stays"]


@pytest.mark.parametrize(
    ("odd", "code", "mark", "said"),
    [
        (
            'name = "late"\nsubject_words = "the board of parents"\ncategory = "billing"',
            78,
            "✗",
            "rule 'late' never decides: it says billing, and 'private', before it, says never touch",
        ),
        (
            'name = "odd"\nfrom = "a@b.example"\nfrom_domain = "c.example"\ncategory = "billing"',
            78,
            "✗",
            "rule 'odd' can never match",
        ),
        (
            'name = "twice"\nsubject_words = "The Board"\nnever_touch = true',
            0,
            "!",
            "rule 'twice' never decides: it says the same",
        ),
    ],
)
def test_check_names_a_rule_that_never_decides(cubbyd: Cubbyd, odd: str, code: int, mark: str, said: str) -> None:
    choose(cubbyd, "rules", f"\n[[rules]]\n{odd}\n")

    checked = cubbyd("check")

    assert checked.returncode == code, checked.stdout + checked.stderr
    (line,) = (line.strip() for line in checked.stdout.splitlines() if "rule '" in line)
    assert line.startswith(f"{mark} {said}")
    (found,) = (one for one in map(json.loads, cubbyd("check", "--json").stdout.splitlines()) if one["check"] == "rules")
    assert found["ok"] is (code == 0)


def test_a_rule_for_a_category_that_is_not_there_is_refused_by_every_command(cubbyd: Cubbyd) -> None:
    choose(cubbyd, "rules", '\n[[rules]]\nname = "x"\nto = "a@b.example"\ncategory = "nowhere"\n')

    refused = cubbyd("run", "--once")

    assert refused.returncode == 78
    assert "rule 'x' has the category 'nowhere'; allowed: absence, billing, meals" in refused.stderr
    assert "Traceback" not in refused.stderr
