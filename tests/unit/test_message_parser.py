"""Whole mails: which part is the text, which flags are set, and what is done with what is broken."""

from __future__ import annotations

import pytest

from cubbyd.message import Attachment, Flag, parse
from cubbyd.message.parser import MAX_MESSAGE_BYTES

HEADER = b"From: Kelly <kelly@example.com>\nTo: office@littlecubby.example\nSubject: Test\nMIME-Version: 1.0\n"


def _multipart(kind: str, *parts: str) -> bytes:
    body = "".join(f"--BB\n{part}\n" for part in parts)
    return HEADER + f'Content-Type: multipart/{kind}; boundary="BB"\n\npreamble\n{body}--BB--\nepilogue'.encode()


PLAIN = "Content-Type: text/plain; charset=utf-8\n\n"
HTML = "Content-Type: text/html; charset=utf-8\n\n"
LONG = "Wyatt will stay home with his grandmother until Friday of next week, please tell Ms. Rosa."


def test_preamble_and_epilogue_are_no_text() -> None:
    assert parse(_multipart("mixed", PLAIN + "Wyatt is sick")).text == "Wyatt is sick"


@pytest.mark.parametrize(
    ("plain", "html", "text"),
    [
        (LONG, "<p>something else that is very much longer than the plain text " + "word " * 40, LONG),
        ("see html", f"<p>{LONG}</p>", LONG),
        ("Your program does not support HTML, please use another one to read this message of ours", f"<p>{LONG}</p>", LONG),
        ("Wyatt is sick", "<p>Wyatt is <b>sick</b></p>", "Wyatt is sick"),
        ("<html><body><p>Wyatt is sick</p></body></html>", "", "Wyatt is sick"),
    ],
    ids=["plain wins", "too few words", "a stub", "no more words", "plain is html"],
)
def test_choice_between_plain_and_html(plain: str, html: str, text: str) -> None:
    assert parse(_multipart("alternative", PLAIN + plain, HTML + html)).text == text


@pytest.mark.parametrize(
    ("tail", "defect"),
    [
        (b"Content-Type: multipart/alternative\n\nWyatt is sick", "multipart without parts"),
        (b"Content-Type: multipart/mixed; boundary=ZZ\n\nWyatt is sick", "multipart without parts"),
        (b"Content-Type: multipart/mixed\n\n--guess\n\nWyatt is sick\n--guess--", "multipart without boundary parameter"),
        (b"Content-Type: multipart/mixed; boundary=BB\n\n--BB\n\nWyatt is sick", "multipart without its end"),
        (b"Content-Type: multipart/*; boundary=BB\n\n--BB\n\nWyatt is sick", "multipart without its end"),
        (b"Content-Type: text/plain; charset=DEFAULT\n\nWyatt is sick\xfc"[:-1], None),
    ],
)
def test_no_broken_structure_loses_the_text(tail: bytes, defect: str | None) -> None:
    message = parse(HEADER + tail)
    assert message.text == "Wyatt is sick"
    assert message.defects == ((defect,) if defect else ("charset label unknown or wrong",))


def test_a_cut_mail_is_flagged() -> None:
    assert Flag.TRUNCATED in parse(_multipart("mixed", PLAIN + "Wyatt is sick")[:-20]).flags
    assert Flag.TRUNCATED in parse(HEADER + b"\nsick" + b" " * MAX_MESSAGE_BYTES).flags
    assert Flag.TRUNCATED not in parse(_multipart("mixed", PLAIN + "Wyatt is sick")).flags


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
@pytest.mark.parametrize("before", [b"", b"\n\n", b"\xef\xbb\xbf", b"From kelly@example.com Tue Oct  6 06:41:08 2026\n"])
def test_line_ends_and_what_stands_before_the_header_do_not_matter(before: bytes, end: bytes) -> None:
    raw = _multipart("mixed", PLAIN + "Wyatt is sick", "Content-Type: image/png; name=a.png\n\nx")
    assert parse((before + raw).replace(b"\n", end)) == parse(raw)


def test_attachments_are_names_only() -> None:
    message = parse(
        _multipart(
            "mixed",
            PLAIN + "see the note",
            "Content-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment; filename=note.pdf\n\nSECRET",
            "Content-Type: text/plain\nContent-Disposition: attachment; filename=log.txt\n\nSECRET",
            "Content-Type: application/pgp-signature; name=signature.asc\n\nSECRET",
        )
    )
    assert message.text == "see the note"
    assert message.attachments == (
        Attachment(name="note.pdf", content_type="application/pdf"),
        Attachment(name="log.txt", content_type="text/plain"),
    )


def test_an_attached_mail_is_the_text_where_there_is_no_other() -> None:
    inner = "Content-Type: message/rfc822\n\nSubject: Re: Sick note\nFrom: x@example.org\n\nWyatt has a fever"
    alone, beside = parse(_multipart("mixed", inner)), parse(_multipart("mixed", PLAIN + "see below", inner))
    assert (alone.text, Flag.FORWARD in alone.flags) == ("Sick note\nWyatt has a fever", True)
    assert (beside.text, Flag.FORWARD in beside.flags) == ("see below\n\nSick note\nWyatt has a fever", True)


@pytest.mark.parametrize(
    ("raw", "flag"),
    [
        (HEADER + b"List-Id: <x.example>\n\nx", Flag.BULK),
        (HEADER + b"Precedence: bulk\n\nx", Flag.BULK),
        (HEADER + b"Auto-Submitted: auto-replied\n\nx", Flag.AUTO_REPLY),
        (HEADER + b"X-Autoreply: yes\n\nx", Flag.AUTO_REPLY),
        (HEADER + b"X-Failed-Recipients: a@b.c\n\nx", Flag.BOUNCE),
        (b"From: Mail Delivery Subsystem <mailer-daemon@example.com>\n\nx", Flag.BOUNCE),
        (b"Return-Path: <>\nFrom: postmaster@example.com\n\nx", Flag.BOUNCE),
        (_multipart("report; report-type=delivery-status", PLAIN + "x"), Flag.BOUNCE),
        (_multipart("mixed", PLAIN + "x", "Content-Type: message/delivery-status\n\nStatus: 5.1.1"), Flag.BOUNCE),
        (_multipart("mixed", PLAIN + "x", "Content-Type: message/disposition-notification\n\nx"), Flag.AUTO_REPLY),
        (_multipart("mixed", PLAIN + "x", "Content-Type: text/calendar\n\nSUMMARY:Tour"), Flag.CALENDAR),
        (_multipart("encrypted", "Content-Type: application/pgp-encrypted\n\nVersion: 1"), Flag.ENCRYPTED),
        (HEADER + b"Content-Type: application/pkcs7-mime; name=smime.p7m\n\nMIAGCSqG", Flag.ENCRYPTED),
        (HEADER + b"\n-----BEGIN PGP MESSAGE-----\n\nhF4DHXHP849r\n-----END PGP MESSAGE-----", Flag.ENCRYPTED),
        (_multipart("mixed", PLAIN + "x", "Content-Type: application/octet-stream; name=winmail.dat\n\nx"), Flag.TNEF),
    ],
)
def test_special_mail_is_flagged(raw: bytes, flag: Flag) -> None:
    assert parse(raw).flags == {flag}


def test_an_ordinary_mail_has_no_flag() -> None:
    raw = b"Return-Path: <>\nAuto-Submitted: no\nPrecedence: normal\n" + HEADER + b"\nWyatt is sick, says the postmaster"
    assert parse(raw).flags == frozenset()


def test_sealed_text_is_no_text() -> None:
    message = parse(HEADER + b"\nsee below\n-----BEGIN PGP MESSAGE-----\n\nhF4DHXHP849r\n-----END PGP MESSAGE-----")
    assert (message.text, message.subject) == ("see below", "Test")


def test_a_clear_signed_mail_is_its_text() -> None:
    raw = b"\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nWyatt is sick\n-----BEGIN PGP SIGNATURE-----\n\niQE\n-----END"
    assert parse(HEADER + raw).text == "Wyatt is sick"


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/mixed; boundary=B\n\n" + b"--B\nContent-Type: text/plain\n\nabc\n" * 100_000,
        b"Content-Type: multipart/mixed; boundary=B\n\n--B\n" * 3000,
        b"Content-Type: message/rfc822\n\n" * 3000,
        b"".join(b"Content-Type: multipart/mixed; boundary=B%d\n\n--B%d\n" % (depth, depth) for depth in range(3000)),
    ],
    ids=["many parts", "one boundary", "nested mails", "nested multiparts"],
)
def test_hostile_structure_is_cut_and_named(raw: bytes) -> None:
    message = parse(HEADER + raw)
    assert {"too many parts", "too many boundary lines", "nested too deeply"} & set(message.defects)
    assert not any(defect.startswith("exception") for defect in message.defects)


def test_what_is_no_mail_is_an_empty_message() -> None:
    for raw in (b"", b"\n", b"\r\r\r", b"\x00", b":", b"Subject"):
        message = parse(raw)
        assert (message.subject, message.defects) == ("", ())


def test_an_error_of_our_own_is_a_defect_and_no_exception() -> None:
    """What is no bytes at all stands for the fault that nobody foresaw."""
    message = parse("text")  # type: ignore[arg-type]
    assert message.defects == ("exception: TypeError",)
    assert not message.text
