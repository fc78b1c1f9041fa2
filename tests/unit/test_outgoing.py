"""The border of the building: what a remote backend may be given."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.configuration import load

from cubbyd.classify.border import Border, open_border
from cubbyd.errors import InputFileError
from cubbyd.message import parse, render, render_text
from cubbyd.message.render import Limits
from cubbyd.redaction import RedactionFailed, Redactor, parse_roster

MAIL = b"Subject: Mia\nFrom: Jana Hofmann <jana@mail.example>\n\nMia is sick. Call 555-0132.\n\n-- \nJana Hofmann\n"
ROSTER = parse_roster("[children]\nMia Hofmann\n", "roster.txt")


def test_what_leaves_is_masked() -> None:
    outgoing = Border(Redactor(ROSTER)).let_out(render(parse(MAIL)))

    assert outgoing.is_redacted
    assert (outgoing.given.subject, outgoing.given.text) == ("[CHILD_1]", "[CHILD_1] is sick. Call [PHONE_1].")
    assert "jana" not in f"{outgoing.given.sender} {outgoing.given.message}".lower()


def test_what_was_quoted_when_the_mail_says_little_is_masked_too() -> None:
    given = render_text(
        "Re: visit", "Yes.\n\nOn Mon, Nov 16, 2026 Rosa <rosa@facility.example> wrote:\n> Can Mia Hofmann come?"
    )

    text = Border(Redactor(ROSTER)).let_out(given).given.text

    assert "Can [CHILD_1] come?" in text


def test_a_known_name_that_is_still_there_stops_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    from cubbyd.redaction.known import Known

    monkeypatch.setattr(Known, "find", lambda *_: iter(()))

    with pytest.raises(RedactionFailed, match=r"^not sent: after masking there is still .*a name of the roster") as failed:
        Border(Redactor(ROSTER)).let_out(render(parse(MAIL)))
    assert "Mia" not in str(failed.value)


def test_names_leave_only_where_the_admin_said_so() -> None:
    outgoing = Border(None).let_out(render(parse(MAIL)))

    assert not outgoing.is_redacted
    assert outgoing.given.subject == "Mia"


def test_a_backend_is_given_as_much_as_it_wants() -> None:
    given = render_text("long", "word " * 3_000)

    assert len(given.text) == 4_000
    assert len(Border(Redactor(), Limits(text=8_000)).let_out(given).given.text) == 8_000


def test_the_configuration_decides(tmp_path: Path) -> None:
    file = tmp_path / "cubbyd.toml"
    roster = tmp_path / "roster.txt"
    roster.write_text("[children]\nMia Hofmann\n")
    roster.chmod(0o600)

    masking = open_border(load(file, '[redaction]\nroster_file = "roster.txt"'))
    open_hearted = open_border(load(file, "[redaction]\nallow_names_to_leave_the_building = true"))

    assert masking.let_out(render(parse(MAIL))).given.subject == "[CHILD_1]"
    assert open_hearted.let_out(render(parse(MAIL))).given.subject == "Mia"
    with pytest.raises(InputFileError, match=r"gone.txt: cannot be read"):
        open_border(load(file, '[redaction]\nroster_file = "gone.txt"'))
