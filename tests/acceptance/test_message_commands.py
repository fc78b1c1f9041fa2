"""`cubbyd parse` as a person and as a program calls it: no configuration, files in, a page or one JSON object a mail out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.acceptance.desk import Desk, json_lines

REPLY = """\
From: "Dunmore, Kelly" <kelly@example.com>
To: office@littlecubby.example, Dana <dana@littlecubby.example>
Reply-To: kelly@home.example
Subject: Re: =?utf-8?Q?M=C3=B6hren?=
Date: Tue, 6 Oct 2026 06:41:08 +0000
Message-ID: <2@example.com>
In-Reply-To: <1@littlecubby.example>
Auto-Submitted: no
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: text/plain; charset=utf-8

Wyatt is sick and he will not be in today.

Thanks,
Kelly

On Mon, Oct 5, 2026 at 4:12 PM Dana <dana@littlecubby.example> wrote:
> Will he come?
--B
Content-Type: application/pdf; name=note.pdf
Content-Disposition: attachment

x
"""
FIELDS = [
    "file",
    "subject",
    "from",
    "to",
    "cc",
    "reply_to",
    "date",
    "message_id",
    "references",
    "list_id",
    "auto_submitted",
    "text",
    "quoted",
    "signature",
    "attachments",
    "flags",
    "language",
    "defects",
    "ms",
]


def _write(desk: Desk, name: str, content: str | bytes) -> Path:
    file = desk.folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_a_program_gets_every_field_of_a_mail_in_one_object(desk: Desk) -> None:
    _write(desk, "mail.eml", REPLY)

    (found,) = json_lines(desk.call("parse", "--json", "mail.eml").stdout)

    assert list(found) == FIELDS
    assert found.pop("ms") >= 0
    assert found == {
        "file": "mail.eml",
        "subject": "Möhren",
        "from": {"name": "Dunmore, Kelly", "address": "kelly@example.com"},
        "to": [
            {"name": "", "address": "office@littlecubby.example"},
            {"name": "Dana", "address": "dana@littlecubby.example"},
        ],
        "cc": [],
        "reply_to": [{"name": "", "address": "kelly@home.example"}],
        "date": "2026-10-06T06:41:08+00:00",
        "message_id": "<2@example.com>",
        "references": ["<1@littlecubby.example>"],
        "list_id": "",
        "auto_submitted": "no",
        "text": "Wyatt is sick and he will not be in today.",
        "quoted": "Will he come?",
        "signature": "Thanks,\nKelly",
        "attachments": [{"name": "note.pdf", "content_type": "application/pdf"}],
        "flags": ["reply", "truncated"],
        "language": "en",
        "defects": ["multipart without its end"],
    }


def test_a_person_gets_a_page_on_which_old_mail_is_marked(desk: Desk) -> None:
    _write(desk, "mail.eml", REPLY)

    done = desk.call("parse", "mail.eml")

    lines = done.stdout.splitlines()
    assert lines[:3] == ["mail.eml", "subject      Möhren", "from         Dunmore, Kelly <kelly@example.com>"]
    assert "attachment   note.pdf (application/pdf)" in lines
    assert "defect       multipart without its end" in lines
    assert lines[lines.index("text") + 1] == "Wyatt is sick and he will not be in today."
    assert lines[lines.index("quoted") + 1] == "| Will he come?"
    assert lines[lines.index("signature") + 1 :][:2] == ["| Thanks,", "| Kelly"]
    assert done.stderr == ""


def test_no_configuration_is_needed_and_a_broken_one_is_no_obstacle(desk: Desk) -> None:
    _write(desk, "mail.eml", REPLY)
    _write(desk, "cubbyd.toml", "this is no TOML")

    assert "Wyatt is sick" in desk.call("parse", "mail.eml").stdout


def test_nothing_in_a_mail_reaches_the_terminal_as_a_command(desk: Desk) -> None:
    evil = "\x1b]0;owned\x07\x1b[31mred\x9b2J[bold]text[/bold]\u202egpj"
    _write(
        desk,
        "evil.eml",
        f"From: {evil} <a@example.com>\nSubject: {evil}\nContent-Type: text/plain; charset=utf-8\n"
        f'Content-Disposition: inline; filename="{evil}"\n\n{evil}\n\n> {evil}\n> x\n> y\n',
    )

    said = desk.call("parse", "evil.eml").stdout

    assert all(letter.isprintable() or letter == "\n" for letter in said)
    assert "[bold]text[/bold]" in said


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(desk: Desk) -> None:
    _write(desk, "first.eml", REPLY)
    _write(desk, "last.eml", "Subject: last\n\nbye")
    (desk.folder / "folder").mkdir()

    done = desk.call("parse", "--json", "first.eml", "nowhere.eml", "folder", "last.eml", code=1)

    assert [line["file"] for line in json_lines(done.stdout)] == ["first.eml", "last.eml"]
    assert done.stderr.splitlines() == [
        "cubbyd: nowhere.eml: cannot be read: No such file or directory",
        "cubbyd: folder: cannot be read: Is a directory",
    ]


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00\xff" * 100, b"no mail at all"])
def test_whatever_a_file_holds_is_read(desk: Desk, content: bytes) -> None:
    _write(desk, "odd.eml", content)

    (found,) = json_lines(desk.call("parse", "--json", "odd.eml").stdout)

    assert list(found) == FIELDS
    assert found["date"] is None
    assert not any(defect.startswith("exception") for defect in found["defects"])


def test_a_file_larger_than_any_mail_is_cut_and_that_is_said(desk: Desk) -> None:
    file = _write(desk, "large.eml", "Subject: large\n\nWyatt is sick today.\n")
    os.truncate(file, 26 * 1024 * 1024)

    (found,) = json_lines(desk.call("parse", "--json", "large.eml").stdout)

    assert found["text"] == "Wyatt is sick today."
    assert "truncated" in found["flags"]


def test_calling_it_without_a_file_says_how(desk: Desk) -> None:
    assert "FILE.eml" in desk.call("parse", code=2).stderr
