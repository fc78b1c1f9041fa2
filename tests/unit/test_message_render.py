"""The classifier's view: the same for a mail and for an example, and never too long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cubbyd.message import RENDERER_VERSION, Address, Attachment, Flag, ParsedMessage, parse, render, render_text

BODIES = [
    "Wyatt is sick today, he stays home with grandma.",
    "Yes please!\n\nOn Tue, Oct 6, 2026 at 4:12 PM Little Cubby <office@littlecubby.example> wrote:\n> Shall we keep Rory until six?",
    "Claro que sí\u200b, señora Dana.\u00a0Mañana.\r\n\r\n\r\nSaludos,\r\nLucía\r\n\r\nEnviado desde mi iPhone",
    "FYI\n\n---------- Forwarded message ---------\nFrom: Lab\nDate: Wed\nSubject: Panel\nTo: Tom\n\nPositive for cashew.",
    "-----BEGIN PGP MESSAGE-----\nabc",
    "word " * 3000,
    "",
]


@pytest.mark.parametrize("subject", ["Re: [EXT] Naps", "Fwd: Panel", "Automatic reply: Naps", "Grüße 🍼", ""])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:12])
def test_a_mail_and_an_example_of_the_same_text_are_rendered_alike(subject: str, body: str) -> None:
    raw = f"From: Kelly <k@example.com>\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{body}".encode()
    rendered = render(parse(raw))
    assert rendered.sender == "Kelly <k@example.com>"
    assert replace(rendered, sender="") == render_text(subject, body)


def test_the_text_keeps_its_beginning_and_its_end() -> None:
    rendered = render(ParsedMessage(text="BEGIN " + "x" * 10_000 + " END"))
    assert len(rendered.text) == 4000
    assert rendered.text.startswith("BEGIN x")
    assert rendered.text.endswith("x END")
    assert rendered.text.index("…") == 3001
    assert Flag.TRUNCATED in rendered.flags


def test_what_fits_is_not_touched() -> None:
    rendered = render(ParsedMessage(subject="s" * 300, text="x" * 4000, quoted="q" * 1500))
    assert (rendered.subject, len(rendered.text), rendered.flags) == ("s" * 300, 4000, frozenset())


def test_quoted_mail_has_full_weight_where_little_was_written() -> None:
    quoted = "Shall we keep Rory until six on Friday?"
    few, enough = (
        render(ParsedMessage(text=text, quoted=quoted)) for text in ("Yes, that works fine", "Yes, that works fine too")
    )
    assert (few.text, few.quoted) == (f"Yes, that works fine\n\n{quoted}", "")
    assert (enough.text, enough.quoted) == ("Yes, that works fine too", quoted)


def test_names_of_attachments_are_what_an_empty_mail_says() -> None:
    files = (Attachment(name="note.pdf", content_type="application/pdf"), Attachment(name="", content_type="image/png"))
    rendered = render(ParsedMessage(attachments=files, sender=Address(address="k@example.com")))
    assert (rendered.attachments, rendered.sender, rendered.is_empty) == (("note.pdf",), "k@example.com", False)
    assert render(ParsedMessage()).is_empty


def test_the_version_goes_with_it() -> None:
    assert render_text("a", "b").version == RENDERER_VERSION == "2"


def test_a_sentence_without_blanks_is_not_little() -> None:
    text = "孩子今天生病了，请告诉老师，我们明天带医生的证明来，麻烦您把作业交给她的姐姐带回家，非常感谢。"
    assert render(ParsedMessage(text=text, quoted="old")).quoted == "old"
