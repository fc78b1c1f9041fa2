"""`cubbyd parse` by the installed command: one page or one JSON object a mail, and no mail that is an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.acceptance.desk import Desk, json_lines

SHARED = Path(os.environ.get("CUBBYD_SHARED") or Path(__file__).resolve().parents[3] / "shared") / "torture"
MAIL = """Subject: =?utf-8?q?Re:_M=C3=BCsli?=
From: "Jana Hofmann" <jana@mail.example>
To: office@facility.example
Date: Fri, 20 Nov 2026 07:12:00 +0100
Content-Language: en-US
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Mia stays home today.

On Thu, Nov 19, 2026 at 9:00 AM Office <office@facility.example> wrote:
> How is Mia?

--b
Content-Type: application/pdf; name=note.pdf
Content-Disposition: attachment

x
--b--
"""


def test_a_program_reads_everything_that_was_read(ready: Desk) -> None:
    (ready.folder / "mail.eml").write_text(MAIL)

    (shown,) = json_lines(ready.call("parse", "--json", "mail.eml").stdout)

    assert shown.pop("ms") >= 0
    assert shown == {
        "file": "mail.eml",
        "subject": "Müsli",
        "from": "Jana Hofmann <jana@mail.example>",
        "to": ["office@facility.example"],
        "cc": [],
        "reply_to": [],
        "date": "2026-11-20T07:12:00+01:00",
        "message_id": "",
        "references": [],
        "list_id": "",
        "auto_submitted": "",
        "language": "en",
        "flags": ["reply"],
        "text": "Mia stays home today.",
        "quoted": "How is Mia?",
        "signature": "",
        "attachments": [{"name": "note.pdf", "type": "application/pdf"}],
        "defects": [],
    }


def test_a_person_sees_a_page_without_control_characters(ready: Desk) -> None:
    (ready.folder / "mail.eml").write_bytes(b"Subject: a\x1b[31mb\r\n\r\nhello\x07 \x1b]0;x\x07there\r\n")

    done = ready.call("parse", "mail.eml")

    assert "hello" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(ready: Desk) -> None:
    (ready.folder / "mail.eml").write_text(MAIL)

    done = ready.call("parse", "--json", "gone.eml", "mail.eml", ".", code=1)

    assert [one["file"] for one in json_lines(done.stdout)] == ["mail.eml"]
    assert done.stderr.splitlines() == [
        "cubbyd: gone.eml: cannot be read: No such file or directory",
        "cubbyd: .: cannot be read: Is a directory",
    ]


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 1000, b"Content-Type: multipart/mixed\n\n" * 50, b"\n\n\n"])
def test_no_mail_is_an_error(ready: Desk, content: bytes) -> None:
    (ready.folder / "mail.eml").write_bytes(content)

    assert json_lines(ready.call("parse", "--json", "mail.eml").stdout)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real and malformed mails are not here")
def test_every_real_and_malformed_mail_is_read_within_a_second(ready: Desk) -> None:
    files = sorted(file for file in SHARED.rglob("*") if file.is_file() and file.name != "README.md")

    shown = json_lines(ready.call("parse", "--json", *map(str, files)).stdout)

    assert len(shown) == len(files)
    assert [one["file"] for one in shown if one["ms"] > 1000 or any("exception" in defect for defect in one["defects"])] == []
