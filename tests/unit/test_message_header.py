"""The header: what senders mean, out of what they send."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cubbyd.message.header import Headers, decode_words, parse_addresses, parse_date, parse_ids, parse_parameters, split_header
from cubbyd.message.model import Address, Flag
from cubbyd.message.subject import read_subject


def _headers(raw: bytes) -> tuple[Headers, bytes]:
    headers, body = split_header(raw, 0, len(raw))
    return headers, raw[body:]


def test_a_junk_line_does_not_end_the_header() -> None:
    headers, body = _headers(b"Received: x\nFrom me Mon May  6 08:15:00 2026\nthis is junk\nSubject: Invoice\n\nHello\n")
    assert headers.text("subject") == "Invoice"
    assert body == b"Hello\n"


def test_a_folded_field_is_one_line() -> None:
    headers, _ = _headers(b"Subject: Parents'\n\tevening\n  on Monday\nX: y\n\n")
    assert headers.text("subject") == "Parents' evening on Monday"


def test_text_without_any_field_is_all_body() -> None:
    headers, body = _headers(b"Wyatt is sick\n\nKelly\n")
    assert not headers.fields
    assert body == b"Wyatt is sick\n\nKelly\n"


def test_where_no_empty_line_ends_the_header_the_last_field_does() -> None:
    headers, body = _headers(b"Subject: hi\nWyatt is sick\n")
    assert headers.text("subject") == "hi"
    assert body == b"Wyatt is sick\n"


def test_what_stands_behind_an_overlong_field_is_still_read() -> None:
    headers, body = _headers(b"Subject: " + b"x " * 500_000 + b"\nContent-Type: text/html\n\nHello")
    assert headers.parameters("content-type") == ("text/html", {})
    assert len(headers.text("subject")) <= 16 * 1024
    assert body == b"Hello"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?UTF-8?B?S3JhbmttZWxkdW5nIGbD?= =?UTF-8?B?vHIgTWlh?=", "Krankmeldung für Mia"),  # cut inside a letter
        ("AW: =?iso-8859-1?Q?Gr=FC=DFe_aus?= dem =?iso-8859-1?Q?S=FCden?=", "AW: Grüße aus dem Süden"),
        ('"=?utf-8?q?K=C3=BCndigung?="(=?utf-8?q?M=C3=A4rz?=)', '"Kündigung"(März)'),  # glued to its surroundings
        ("=?x-unknown?Q?Hallo_Welt?= =?foo-8?B?SGFsbG8=?=", "Hallo WeltHallo"),
        ("=?utf-8?Q?Are_you_coming??=", "Are you coming?"),
        ("=?utf-8*en?Q?caf=C3=A9?=", "café"),  # with a language, RFC 2231
        ("=?ISO-2022-JP?B?GyRCJDMkcyRLJEEkTxsoQg==?=", "こんにちは"),
        ("a =?utf-8?Q?b", "a =?utf-8?Q?b"),  # never closed
    ],
)
def test_encoded_words(value: str, text: str) -> None:
    assert decode_words(value) == text


@pytest.mark.parametrize("raw", ["Kündigung".encode(), "Kündigung".encode("cp1252")])
def test_raw_letters_in_a_header_are_utf8_or_western(raw: bytes) -> None:
    headers, _ = _headers(b"Subject: " + raw + b"\n\n")
    assert headers.text("subject") == "Kündigung"


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("Kelly Dunmore <kelly@example.com>", [("Kelly Dunmore", "kelly@example.com")]),
        (
            '"Whitlow, Dana" <dana@example.com>, sam@example.com',
            [("Whitlow, Dana", "dana@example.com"), ("", "sam@example.com")],
        ),
        ("sam@example.com (Sam Ode)", [("Sam Ode", "sam@example.com")]),
        ("Parents: a@example.com, b@example.com;", [("", "a@example.com"), ("", "b@example.com")]),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?Q?M=C3=BCller=2C_Grete?= <g@example.com>", [("Müller, Grete", "g@example.com")]),
        ('"Anna <anna@example.com>', [("Anna", "anna@example.com")]),  # a quote that never ends
        ('"', []),
        ("<[x@y.z]>", [("", "[x@y.z]")]),
        ("Reception", [("Reception", "")]),
    ],
)
def test_addresses(value: str, addresses: list[tuple[str, str]]) -> None:
    assert list(parse_addresses(value)) == [Address(name=name, address=address) for name, address in addresses]


def test_parameters_in_pieces_and_in_encoded_words() -> None:
    value = 'attachment; filename*0*=UTF-8\'\'K%C3%BCndi; filename*1*=gung.pdf; x="a;\\"b"; name==?utf-8?B?TWHDn25haG1l?='
    assert parse_parameters(value) == ("attachment", {"filename": "Kündigung.pdf", "x": 'a;"b', "name": "Maßnahme"})


def test_dates_are_aware_and_nonsense_is_none() -> None:
    assert parse_date("Tue, 6 Oct 2026 06:41:08 -0400") == datetime(2026, 10, 6, 10, 41, 8, tzinfo=UTC)
    without_zone = parse_date("Tue, 6 Oct 2026 06:41:08 -0000")
    assert without_zone is not None
    assert without_zone.tzinfo is UTC
    assert [parse_date(value) for value in ("", "soon", "Tue, 99 Oct 2026 06:41:08 +0000", "1 1 1 1", "9" * 500)] == [None] * 5


def test_of_many_references_the_first_and_the_newest_are_kept() -> None:
    ids = parse_ids(" ".join(f"<{number}@x>" for number in range(500)))
    assert (ids[0], ids[1], ids[-1], len(ids)) == ("<0@x>", "<401@x>", "<499@x>", 100)


@pytest.mark.parametrize(
    ("value", "text", "flags"),
    [
        ("[EXTERN] AW: Re[2]: WG: Rechnung Mai", "Rechnung Mai", {Flag.REPLY}),  # an answer to a forward is no forward
        ("WG: AW: Rechnung Mai", "Rechnung Mai", {Flag.FORWARD, Flag.REPLY}),
        ("RV: Horario", "Horario", {Flag.FORWARD}),
        ("TR : Cantine", "Cantine", {Flag.FORWARD}),
        ("***SPAM*** Re: Menu", "Menu", {Flag.REPLY}),
        ("Regarding Friday: pickup", "Regarding Friday: pickup", set()),
        ("[URGENT] lice", "[URGENT] lice", set()),
        ("Automatic reply: Picnic", "Automatic reply: Picnic", {Flag.AUTO_REPLY}),
        ("Re:", "", {Flag.REPLY}),
    ],
)
def test_subject_prefixes_become_flags(value: str, text: str, flags: set[Flag]) -> None:
    subject = read_subject(value)
    assert (subject.text, set(subject.flags)) == (text, flags)


def test_a_list_tag_falls_only_where_the_mail_comes_from_a_list() -> None:
    assert read_subject("Re: [directors] Fire drill", from_list=True).text == "Fire drill"
    assert read_subject("Re: [directors] Fire drill").text == "[directors] Fire drill"
