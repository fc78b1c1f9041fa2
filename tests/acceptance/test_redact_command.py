"""`cubbyd redact` by the installed command: what a director sees, what a program reads, and what would not be sent."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.acceptance.desk import Desk, json_lines

pytestmark = pytest.mark.slow

MAIL = """Subject: Mia
From: Jana Hofmann <jana.hofmann@mail.example>
To: office@facility.example
Date: Fri, 20 Nov 2026 07:12:00 +0000

Hi Rosa,

Mia has a fever and stays home on Tuesday, call 555-0132.

Jana
"""


def write_mail(desk: Desk) -> None:
    (desk.folder / "mail.eml").write_text(MAIL)


def test_a_person_sees_a_mail_before_and_after(ready: Desk) -> None:
    write_mail(ready)

    done = ready.call("redact", "mail.eml", environment={"COLUMNS": "120"})

    assert "Mia has a fever" in done.stdout
    assert "555-0132" in done.stdout
    assert "[PHONE_1]" in done.stdout
    assert "last check: no name of the roster and no address of the header is left" in done.stdout
    assert "No roster was used" in done.stderr


def test_a_program_reads_the_masked_mail_alone(ready: Desk) -> None:
    write_mail(ready)
    (ready.folder / "roster.txt").write_text("[children]\nMia Hofmann\n[parents]\nJana Hofmann\n[staff]\nRosa Delgado\n")
    (ready.folder / "roster.txt").chmod(0o600)

    (shown,) = json_lines(ready.call("redact", "--json", "--roster", "roster.txt", "mail.eml").stdout)

    assert shown["subject"] == "[CHILD_1]"
    assert shown["text"] == "Hi [STAFF_1],\n\n[CHILD_1] has a fever and stays home on Tuesday, call [PHONE_1].\n\n[PARENT_1]"
    assert shown["sender"] == "[PARENT_1]"
    assert shown["masked"] == {"CHILD": 2, "STAFF": 1, "PARENT": 2, "PHONE": 1}
    assert shown["leaks"] == []
    assert not {"Mia", "Jana", "Rosa"} & set(str(shown).replace("'", " ").split())


def test_the_roster_of_the_configuration_is_used_and_one_that_others_can_read_is_not(ready: Desk) -> None:
    write_mail(ready)
    ready.configure('[redaction]\nroster_file = "roster.txt"\nkeep = ["Tuesday"]')
    roster = ready.folder / "roster.txt"
    roster.write_text("[children]\nMia Hofmann\n")
    roster.chmod(0o640)

    refused = ready.call("redact", "mail.eml", code=1)
    assert refused.stderr == f"cubbyd: {roster}: can be read by others (mode 0640); run: chmod 600 {roster}\n"

    roster.chmod(0o600)
    (shown,) = json_lines(ready.call("redact", "--json", "mail.eml").stdout)
    assert shown["subject"] == "[CHILD_1]"


def test_examples_are_masked_line_by_line(ready: Desk) -> None:
    (ready.folder / "some.jsonl").write_text('{"subject": "hi", "body": "my son Kofi is sick"}\n{"text": "an invoice"}\n')

    shown = json_lines(ready.call("redact", "--json", "some.jsonl").stdout)

    assert [one["input"] for one in shown] == ["some.jsonl:1", "some.jsonl:2"]
    assert shown[0]["text"] == "my son [CHILD_1] is sick"


def test_without_a_configuration_it_works_too(ready: Desk) -> None:
    write_mail(ready)
    (ready.folder / "cubbyd.toml").unlink()

    assert "[PHONE_1]" in ready.call("redact", "--json", "mail.eml").stdout


def test_a_missing_file_is_named(ready: Desk) -> None:
    assert ready.call("redact", "gone.eml", code=1).stderr == "cubbyd: gone.eml: cannot be read: No such file or directory\n"


def test_lists_that_are_not_installed_are_named_with_the_way_to_get_them(ready: Desk) -> None:
    """Without the extra, the command says so; it does not mask half of what it should."""
    write_mail(ready)
    hide = "import sys; sys.modules['spellchecker'] = None; sys.argv[1:] = ['redact', 'mail.eml']; from cubbyd.__main__ import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", hide], cwd=ready.folder, env=os.environ, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr == "cubbyd: The lists of names are not installed; add them with: pip install 'cubbyd[redaction]'.\n"
