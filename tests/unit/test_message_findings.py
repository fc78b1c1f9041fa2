"""What two people found who read a thousand real mails beside what was made of them: each a small mail of our own."""

from __future__ import annotations

import base64
import time
from datetime import datetime

import pytest

from cubbyd.message import Attachment, Flag, ParsedMessage, parse
from cubbyd.message.charset import decode
from cubbyd.message.header import parse_addresses, parse_date
from cubbyd.message.html import html_to_text

HEADER = "From: Kelly <kelly@example.com>\nSubject: Test\nMIME-Version: 1.0\n"
PLAIN = "Content-Type: text/plain; charset=utf-8\n\n"
HTML = "Content-Type: text/html; charset=utf-8\n\n"
NOTE = "Wyatt will stay home with his grandmother until Friday of next week, please tell Ms. Rosa."
SICK_NOTE = "Content-Type: message/rfc822\n\nSubject: Sick note\n\nWyatt has a fever."


def _multipart(kind: str, *parts: str, boundary: str = "BB", end: str = "--BB--\n") -> str:
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n' + "".join(f"--BB\n{part}\n" for part in parts) + end


def _parse(mail: str) -> ParsedMessage:
    return parse((HEADER + mail).encode())


def _names(message: ParsedMessage) -> list[str]:
    return [attachment.name for attachment in message.attachments]


# --- letters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        (b"see you at the caf\xe9", "iso-8859-1", "see you at the café"),
        (b"Viel Spa\xdf", "us-ascii", "Viel Spaß"),
        (b"Jos\xe9", "", "José"),
        (b"Gr\xc3\xbc\xc3", "utf-8", "Grü"),  # cut inside a letter, and surely UTF-8
    ],
)
def test_an_accent_at_the_very_end_is_not_taken_for_a_cut_letter(data: bytes, label: str, text: str) -> None:
    assert decode(data, label)[0] == text


def test_an_accent_at_the_end_of_a_name_and_of_a_subject_stays() -> None:
    message = parse(b"From: =?ISO-8859-1?Q?Ren=E9?= <rene@example.com>\nSubject: Trip to the caf\xe9\n\nx")
    assert (message.sender.name, message.subject) == ("René", "Trip to the café")


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        ("Mañana no voy, señora".encode(), "windows-1251", "Mañana no voy, señora"),
        ("it’s".encode(), "iso-8859-2", "it’s"),
        ("завтра в садик".encode("cp1251"), "windows-1251", "завтра в садик"),
        ("żółw śpi".encode("iso-8859-2"), "iso-8859-2", "żółw śpi"),
        ("ลบ".encode("cp874"), "tis-620", "ลบ"),  # two letters of Thai whose bytes are one of UTF-8
    ],
)
def test_utf8_under_the_label_of_another_alphabet(data: bytes, label: str, text: str) -> None:
    assert decode(data, label)[0] == text


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        (b"Zustellung +APw-ber Nacht", "unicode-1-1-utf-7", "Zustellung über Nacht"),
        (b"+AD4 Gr+APw-n\n+ZZZZ!", "utf-7", "> Grün"),  # one bad run does not leave the others as they are
        (b"\x1b$B$*5Y$_-!\x1b(B ok", "iso-2022-jp", "お休み"),  # a sign that only one maker's machines had
    ],
)
def test_letters_in_seven_bits_with_a_fault_are_still_letters(data: bytes, label: str, text: str) -> None:
    assert decode(data, label)[0].startswith(text)


# --- transfer encodings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["base64 (as sent)", '"base64"', "Base-64", "base64; x=y"])
def test_a_transfer_encoding_that_is_spelled_in_another_way(name: str) -> None:
    assert _parse(f"Content-Transfer-Encoding: {name}\n\n{base64.b64encode(NOTE.encode()).decode()}").text == NOTE


@pytest.mark.parametrize("name", ["quoted-printable (generated)", "quoted printable", "QuotedPrintable"])
def test_quoted_printable_that_is_spelled_in_another_way(name: str) -> None:
    assert _parse(f"Content-Transfer-Encoding: {name}\n\nWyatt is =73ick").text == "Wyatt is sick"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Gr=C3=BC=C3=9Fe, Wyatt bleibt heute=\n zu Hause.", "Grüße, Wyatt bleibt heute zu Hause."),
        (base64.encodebytes(f"{NOTE} Grüße".encode()).decode(), f"{NOTE} Grüße"),
    ],
    ids=["quoted-printable", "base64"],
)
def test_an_encoding_whose_field_was_lost_on_the_way_is_known_by_its_look(body: str, text: str) -> None:
    message = _parse(f"\n{body}")
    assert (message.text, message.defects) == (text, ("transfer encoding missing",))


@pytest.mark.parametrize(
    "body",
    [
        "The form is at https://forms.example/?name=C3=BCr&x=yes",  # an equals sign that quoted-printable would not have
        "A lunch = 5 dollars, =20 kids",
        "x" * 70,  # letters of base64 that are no text
        NOTE,
    ],
)
def test_what_only_looks_encoded_stays_as_it_is(body: str) -> None:
    message = _parse(f"\n{body}\n")
    assert (message.text, message.defects) == (body, ())


# --- names, addresses, dates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Kelly Dunmore kelly@example.com", [("Kelly Dunmore", "kelly@example.com")]),
        ("Dunmore, Kelly <kelly@example.com>", [("Dunmore, Kelly", "kelly@example.com")]),
        ("a@example.com, Sam <sam@example.com>", [("", "a@example.com"), ("Sam", "sam@example.com")]),
        ("'Kelly' <kelly@example.com>", [("Kelly", "kelly@example.com")]),
        ("Pat (a \\) smile (dear one)) <pat(home)@example.com>", [("Pat", "pat@example.com")]),
        ("(the office (and Rosa)) office@example.com", [("the office (and Rosa)", "office@example.com")]),
        ("Rosa <@relay.example,@mx.example:rosa@example.com>", [("Rosa", "rosa@example.com")]),
        ("Parents:(nobody (yet));", []),
        ("Undisclosed-Recipients:@mx.example;", []),
    ],
)
def test_addresses_as_programs_and_people_write_them(value: str, found: list[tuple[str, str]]) -> None:
    assert [(address.name, address.address) for address in parse_addresses(value)] == found


def test_the_sender_is_the_first_who_has_an_address() -> None:
    assert parse(b"From: Office, Front Desk, office@example.com\n\nx").sender.address == "office@example.com"


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("Wed 7 Oct 2026 06:09:22 PM EDT", "2026-10-07T18:09:22-04:00"),
        ("Wed, 7 Oct 2026 12:05 am +0200", "2026-10-07T00:05:00+02:00"),
        ("Wed, 7 Oct 2026 18:09:22 -0400", "2026-10-07T18:09:22-04:00"),
        ("Wed, 7 Oct 3609 18:09:22 -0400", None),
    ],
)
def test_dates_by_a_clock_of_twelve_hours_or_a_broken_one(value: str, date: str | None) -> None:
    assert parse_date(value) == (date and datetime.fromisoformat(date))


@pytest.mark.parametrize(
    "value", ["(" * 16_000, "((a" * 5_000, "(\\" * 8_000, "<(a\\" * 4_000, "a, b " * 3_000, "( " * 5_000 + ")" * 5_000]
)
def test_hostile_addresses_take_linear_time(value: str) -> None:
    started = time.process_time()
    list(parse_addresses(value))
    assert time.process_time() - started < 0.5


# --- which parts are the text --------------------------------------------------------------------------------------


def test_of_the_alternatives_one_is_read_whatever_its_type() -> None:
    enriched = "Content-Type: text/enriched\n\n<bold>Wyatt</bold> is <color><param>red</param>sick</color> << 39"
    assert _parse(_multipart("alternative", PLAIN + "Wyatt is sick", enriched)).text == "Wyatt is sick"
    assert _parse(enriched).text == "Wyatt is sick < 39"
    assert _parse(_multipart("alternative", PLAIN + NOTE, PLAIN + f"<html><p>{NOTE}</p></html>")).text == NOTE


def test_alternatives_inside_of_an_alternative_are_one_choice() -> None:
    inner = _multipart("alternative", PLAIN + NOTE, HTML + f"<p>{NOTE}").replace("BB", "CC")
    assert (
        _parse(_multipart("alternative", PLAIN + "Wyatt stays home, see the page below, thank you, Kelly", inner)).text.count(
            "Wyatt"
        )
        == 1
    )


def test_a_footer_beside_an_html_letter_is_not_all_that_is_read() -> None:
    footer = "This mail was scanned by the gateway. Please open no attachments from people whom you do not know."
    message = _parse(_multipart("mixed", HTML + f"<p>{NOTE}</p>", PLAIN + footer))
    assert message.text.startswith(NOTE)


def test_an_html_letter_around_a_file_is_read_whole() -> None:
    pdf = "Content-Type: application/pdf; name=form.pdf\n\nx"
    message = _parse(_multipart("mixed", HTML + "<p>Please sign this:", pdf, HTML + "<p>and send it back"))
    assert (message.text, _names(message)) == ("Please sign this:\n\nand send it back", ["form.pdf"])


def test_text_of_a_type_that_nobody_knows_is_text_unless_it_is_a_file() -> None:
    assert _parse(f"Content-Type: text/txt\n\n{NOTE}").text == NOTE
    assert _parse(_multipart("mixed", PLAIN + "hi", f"Content-Type: text/richtext\n\n<bold>{NOTE}</bold>")).text.endswith(NOTE)
    message = _parse(_multipart("mixed", PLAIN + "see the list", "Content-Type: text/x-list; name=list.x\n\nSECRET"))
    assert (message.text, _names(message)) == ("see the list", ["list.x"])


def test_a_named_text_is_read_and_listed() -> None:
    message = _parse(_multipart("mixed", PLAIN + "Good morning", f"Content-Type: text/plain; name=note.txt\n\n{NOTE}"))
    assert (message.text, _names(message)) == (f"Good morning\n\n{NOTE}", ["note.txt"])


# --- attached mails and bounces ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ("Sent from my iPhone", "Sick note\nWyatt has a fever."),
        ("FYI", "FYI\n\nSick note\nWyatt has a fever."),
        (NOTE, NOTE),
    ],
    ids=["a signature", "a word", "a letter"],
)
def test_an_attached_mail_is_read_where_its_sender_wrote_next_to_nothing(own: str, text: str) -> None:
    message = _parse(_multipart("mixed", PLAIN + own, SICK_NOTE))
    assert (message.text, Flag.FORWARD in message.flags) == (text, own != NOTE)


def test_an_attached_mail_that_is_not_read_is_listed_once_by_its_subject() -> None:
    message = _parse(_multipart("mixed", PLAIN + NOTE, SICK_NOTE))
    assert message.attachments == (Attachment(name="Sick note", content_type="message/rfc822"),)


def test_every_attached_mail_keeps_its_subject() -> None:
    message = _parse(_multipart("mixed", SICK_NOTE, SICK_NOTE.replace("Sick note", "Another")))
    assert message.text == "Sick note\nWyatt has a fever.\n\nAnother\nWyatt has a fever."


def test_an_attached_mail_may_be_encoded_against_the_rules() -> None:
    inner = base64.encodebytes(SICK_NOTE.partition("\n\n")[2].encode()).decode()
    message = _parse(_multipart("mixed", f"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{inner}"))
    assert message.text == "Sick note\nWyatt has a fever."


def test_a_bounce_without_words_is_its_report_and_no_forward() -> None:
    report = "Content-Type: message/delivery-status\n\nDiagnostic-Code: the mailbox is full"
    message = _parse(_multipart("report; report-type=delivery-status", report, SICK_NOTE))
    assert (message.text, message.flags) == ("Diagnostic-Code: the mailbox is full", frozenset({Flag.BOUNCE}))


# --- files ---------------------------------------------------------------------------------------------------------


def _picture(name: str) -> str:
    named = f'; filename="{name}"' if name else ""
    return f"Content-Type: image/jpeg\nContent-Disposition: inline{named}\nContent-ID: <P1@x>\n\nx"


@pytest.mark.parametrize(
    ("html", "name", "names"),
    [
        (NOTE, "doctor.jpg", ["doctor.jpg"]),
        ('<img src="cid:p1@x">', "doctor.jpg", ["doctor.jpg"]),
        (f'{NOTE}<img src="cid:P1@x">', "IMG_1234.HEIC", ["IMG_1234.HEIC"]),
        ('<img src="cid:P1@x">', "image001.png", ["image001.png"]),
        (f'{NOTE}<img src="cid:P1@x">', "image001.png", []),
        (f'{NOTE}<img src="cid:P1@x">', "", []),
        (NOTE, "", [""]),
    ],
    ids=["not shown", "all there is", "a camera's", "a logo alone", "a logo", "shown without a name", "not shown, no name"],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_pictures_are_files_unless_they_decorate(html: str, name: str, names: list[str], is_first: bool) -> None:  # noqa: FBT001
    parts = (_picture(name), HTML + html)
    assert _names(_parse(_multipart("related", *(parts if is_first else reversed(parts))))) == names


def test_many_pages_of_hostile_html_take_the_time_of_one() -> None:
    page = HTML + "<div>" * 15_000
    mail = _multipart("mixed", PLAIN + NOTE, *[page] * 30)
    started = time.process_time()
    message = _parse(mail)
    assert time.process_time() - started < 2.0  # measured: 0.3 s; each page for itself takes 6 s
    assert (message.text, Flag.TRUNCATED in message.flags) == (NOTE, True)


def test_encoded_mails_in_encoded_mails_are_opened_up_to_a_limit() -> None:
    mail = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n" * 9 + "Subject: deep\n\n"
    deep, large = _parse(mail), _parse(mail + "x" * 4_000_000)
    assert (deep.text, deep.defects) == ("deep", ())
    assert large.defects == ("too many encoded mails",)


def test_many_pictures_in_much_html_take_bounded_time() -> None:
    html = HTML + "<p>some words</p>" + "x" * 2_000_000
    mail = _multipart("related", *[html] * 8, *[_picture("image001.png")] * 200)
    started = time.process_time()
    _parse(mail)
    assert time.process_time() - started < 1.0  # measured: 0.1 s; reading all pages for each picture takes 2 s


@pytest.mark.parametrize(
    ("fields", "attachment"),
    [
        ("Content-Type: image/jpeg", ("", "image/jpeg")),
        ("Content-Type: image/jpeg\nContent-Location: https://x.example/a/Photo%2025.jpg?b", ("Photo 25.jpg", "image/jpeg")),
        ('Content-Type: ; name="face.jpg"', ("face.jpg", "application/octet-stream")),
        ('Content-Type: image/png\nContent-Disposition: attachment; name="a.png"', ("a.png", "image/png")),
        ('Content-Type: image/png; name="C:\\scan\\a.png"', ("a.png", "image/png")),
        ('Content-Type: image/png; name="/home/scan/a.png"', ("a.png", "image/png")),
        ('Content-Type: image/png; name="Invoice 3/2026.png"', ("Invoice 3/2026.png", "image/png")),
        ('Content-Type: image/png; name="a \\"b\\".png"', ('a "b".png', "image/png")),
    ],
)
def test_a_file_is_listed_however_it_is_named(fields: str, attachment: tuple[str, str]) -> None:
    message = _parse(_multipart("mixed", f"{fields}\n\nx"))
    assert message.attachments == (Attachment(name=attachment[0], content_type=attachment[1]),)


# --- broken structure ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "before"),
    [
        ("Content-Type: multipart/mixed; boundary=other", ""),
        ("Content-Type: multipart/mixed; boundary=B", "This is a mail in many parts.\n\n"),
        ("Content-Type: multipart/mixed", "This is a mail in many parts.\n\n"),
    ],
)
def test_a_boundary_that_is_told_wrongly_is_found(fields: str, before: str) -> None:
    body = f"{before}--BB\n{PLAIN}{NOTE}\n--BB\nContent-Type: image/png; name=a.png\n\nx\n--BB--\n"
    message = _parse(f"{fields}\n\n{body}")
    assert (message.text, _names(message)) == (NOTE, ["a.png"])
    assert len(message.defects) == 1


def test_what_follows_a_closing_line_is_a_part_where_another_boundary_line_opens_it() -> None:
    """Programs exist that give an inner multipart the boundary of the outer one."""
    inner = _multipart("alternative", PLAIN + "Wyatt is sick", HTML + "<p>Wyatt is sick", end="--BB--\n")
    message = _parse(_multipart("mixed", inner, "Content-Type: image/gif; name=chart.gif\n\nx"))
    assert (message.text, _names(message)) == ("Wyatt is sick", ["chart.gif"])


def test_a_closing_line_is_no_text() -> None:
    empty = "Content-Type: message/rfc822\n\nSubject: Returned\nContent-Type: multipart/mixed; boundary=CC\n\n--CC--\n"
    assert _parse(_multipart("mixed", PLAIN + NOTE, empty)).text == NOTE
    assert _parse("Content-Type: multipart/mixed; boundary=BB\n\n--BB--\n").text == ""
    assert _parse(_multipart("mixed", PLAIN + NOTE, end="--BB-\n")).text == NOTE


def test_a_torn_alternative_does_not_show_its_other_form_as_well() -> None:
    torn = "Content-Type: multipart/related; boundary=ZZ\n\nWyatt stays home, as this says once more."
    assert _parse(_multipart("alternative", PLAIN + NOTE, torn)).text == NOTE


# --- what of HTML is seen ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<td style="font-size:0px"><div style="font-size:13px">We close on Friday.</div></td>', "We close on Friday."),
        ('<div style="font-size:0"><div style="font:14px Arial"><p style="color:red">seen</p></div></div>', "seen"),
        ('<div style="font-size:0">SECRET<p style="font-size:1.2em">SECRET</p></div>seen', "seen"),
        ('<div style="font-size:1px;line-height:1px">SECRET</div>seen', "seen"),
        ('<div style="VISIBILITY:hidden">SECRET<p style="visibility:visible">seen</p></div>', "seen"),
        ('<div style="color:transparent">SECRET<p style="color:#333">seen</p></div>', "seen"),
        ('<div style="font-size:0;color:transparent">SECRET<p style="font-size:12px">SECRET</p></div>seen', "seen"),
        ('<div style="font-size:0"><img alt="Summer party"></div>', "Summer party"),
        ('<div style="visibility:hidden"><img alt="SECRET"></div>seen', "seen"),
        ('<td style="font-size:0"><b style="font-size:9px">one</b> <b style="font-size:9px">two</b></td>', "one two"),
        ('<ul style="font-size:0"><li>SECRET</li></ul>seen', "seen"),
        ('<div style="height:0;overflow:hidden">SECRET</div>seen', "seen"),
        ('<div style="line-height:0;overflow:hidden">seen</div>', "seen"),
        ('<div style="display:none"><p style="display:block;font-size:12px">SECRET</p></div>seen', "seen"),
    ],
)
def test_hidden_text_may_be_shown_again_below(html: str, text: str) -> None:
    assert html_to_text(f"<table><tr>{html}</tr></table>" if html.startswith("<td") else html).strip() == text


def test_two_documents_do_not_run_into_each_other() -> None:
    assert html_to_text("<html>one</html>\n<HTML>two</HTML>").split() == ["one", "two"]
    assert html_to_text("<body>one</body><body>two</body>").split() == ["one", "two"]


def test_what_a_form_was_filled_in_with_is_seen() -> None:
    html = 'Reason:<textarea rows="3">fever, since\nMonday <b> & cough</textarea><p>Thanks</p>'
    assert html_to_text(html) == "Reason:\nfever, since\nMonday <b> & cough\nThanks"
    assert html_to_text("<textarea><script>x") == "<script>x"


def test_text_that_is_moved_to_the_right_is_no_quoted_mail() -> None:
    indented = '<blockquote style="margin:0 0 0 40px;border:none;padding:0"><p>Wyatt is sick</p></blockquote>'
    assert html_to_text(f"<p>Hello</p>{indented}<p>Kelly</p>") == "Hello\nWyatt is sick\nKelly"


def test_a_signature_that_a_mail_program_calls_so_is_one() -> None:
    message = _parse(f'{HTML}<p>{NOTE}</p><div class="gmail_signature">Kelly Dunmore<br>Nurse<br>Mercy Hospital</div>')
    assert (message.text, message.signature) == (NOTE, "Kelly Dunmore\nNurse\nMercy Hospital")


@pytest.mark.parametrize(
    "html",
    [
        '<p style="font-size:0">' * 20_000,
        '<p style="font-size:0;' + "a:b;" * 400 + '">x</p>' + "<i></i>" * 100,
        "<html><body>" * 10_000,
        "<textarea>" * 100_000,
        "<textarea><" * 100_000,
    ],
    ids=lambda html: html[:12],
)
def test_hostile_styles_take_bounded_time(html: str) -> None:
    started = time.process_time()
    html_to_text(html)
    assert time.process_time() - started < 2.0
