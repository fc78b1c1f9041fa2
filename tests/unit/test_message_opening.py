"""Where earlier mail begins, and what only looks like it; subjects, automatic mail, invitations."""

from __future__ import annotations

import pytest

from cubbyd.message import Flag, parse
from cubbyd.message.calendar import describe_invitation
from cubbyd.message.quote import split_text
from cubbyd.message.subject import read_subject

OLD = "We meet at the farm on Friday at nine, please bring boots and a hat."


@pytest.mark.parametrize("mark", ["| ", "=> ", "Greg> ", "GR>", "# ", ": ", "--] "])
def test_odd_marks_below_an_attribution_are_marks(mark: str) -> None:
    split = split_text(f"He comes.\n\nDana wrote:\n{mark}Will he come\n{mark}on Friday?")
    assert (split.new, split.quoted) == ("He comes.", "Will he come\non Friday?")


@pytest.mark.parametrize("mark", ["| ", "Greg> ", "GR>"])
def test_a_run_of_bars_or_names_is_quoted_without_an_attribution(mark: str) -> None:
    split = split_text(f"{mark}Will he come\n{mark}on Friday?\n\nHe comes.", reply=True)
    assert (split.new, split.quoted) == ("He comes.", "Will he come\non Friday?")


@pytest.mark.parametrize(
    "text",
    [
        "| Mon | pasta |\n| Tue | soup |",
        "+------+\n| Menu |\n| soup |\n+------+",
        "| only one line",
        "=> bring boots\n=> bring a hat",
        "# one\n# two",
        "Times:\n> 8:00 drop off\n> 15:00 pick up",
    ],
)
def test_tables_and_lists_are_no_quotes(text: str) -> None:
    split = split_text(text)
    assert (split.new, split.quoted) == (text, "")


@pytest.mark.parametrize(
    "text",
    [
        "Mia next week:\nFrom: Monday\nTo: Wednesday\nDate: 12 Oct\nShe is with her father",
        "New registration\n\nName: Mia Berg\nDate: 5 Oct 2026\nFrom: 8:00\nTo: 15:00\nSubject: Trial day\nComment: she likes Lego",
        "Von: 8:00\nAn: Montag\nDatum: 5.10.2026\nBetreff: Eingewöhnung",
        "Hallo,\nam Mittwoch um 9 schrieb der Arzt uns folgendes:\nMia darf wieder kommen.",
        "Mia is sick.\nFrom Monday on she is back.",
    ],
)
def test_what_parents_write_is_no_header_of_earlier_mail(text: str) -> None:
    assert split_text(text).new == text


def test_a_mailbox_files_mark_before_from_is_no_quote() -> None:
    split = split_text("Mia is sick.\n>From Monday on she is back.")
    assert (split.new, split.quoted) == ("Mia is sick.\nFrom Monday on she is back.", "")


def test_an_answer_point_by_point_may_begin_with_a_greeting() -> None:
    split = split_text("On Mon, 5 Oct 2026 Dana wrote:\n\nHi Dana,\n\n> Does he nap?\n\nYes.\n\n> For long?\n\nOne hour.")
    assert split.new == "Hi Dana,\n\nYes.\n\nOne hour."
    assert split.quoted == "Does he nap?\nFor long?"


def test_an_answer_below_the_old_mail_is_the_text_and_no_forward() -> None:
    block = "-----Original Message-----\nFrom: Dana\nSent: Monday\nTo: Kelly\nSubject: Trip"
    split = split_text(f"{block}\n\n> {OLD}\n\nYes, Mia comes.", reply=True)
    assert (split.new, split.quoted, split.forwarded) == ("Yes, Mia comes.", f"Trip\n{OLD}", False)


def test_marked_header_lines_do_not_begin_the_quoted_text() -> None:
    block = "-----Original Message-----\nFrom: Dana [mailto:d@x.example] On Behalf Of the whole\nteam\nSent: Monday\nTo: Kelly\nSubject: Re: Trip"
    marked = "\n".join(f"> {line}" for line in f"{block}\n\n{OLD}".split("\n"))
    split = split_text(f"Yes.\n\n{marked}", reply=True)
    assert (split.new, split.quoted) == ("Yes.", f"Trip\n\n{OLD}")


def test_lines_that_were_wrapped_twice_belong_to_the_quote() -> None:
    split = split_text(f"> {OLD} And then we all walk\nhome\n> together.\n> Bye\n\nFine!", reply=True)
    assert split.new == "Fine!"
    assert "home" in split.quoted


@pytest.mark.parametrize(
    "attribution",
    [
        "Kreş <k@x.example>, 5 Eki 2026 Pzt, 08:12 tarihinde şunu yazdı:",
        "pon., 5 paź 2026 o 08:12 Przedszkole <p@x.example> napisał(a):",
        "пн, 5 окт. 2026 г. в 08:12, Садик <s@x.example>:",
        "Dana <d@x.example> 于2026年10月5日周一 08:12写道\uff1a",
        "Il giorno lun 5 ott 2026 alle ore 08:12 Nido <n@x.example> ha scritto:",
        "Op ma 5 okt 2026 om 08:12 schreef Dana <d@x.example>:",
    ],
)
def test_attributions_of_many_languages(attribution: str) -> None:
    split = split_text(f"Yes.\n\n{attribution}\n> {OLD}")
    assert (split.new, split.quoted) == ("Yes.", OLD)


@pytest.mark.parametrize(
    "block",
    [
        "Da: Nido <n@x.example>\nInviato: lunedì 5 ottobre 2026\nA: Anna\nOggetto: Trip",
        "Van: Dana <d@x.example>\nVerzonden: maandag 5 oktober 2026\nAan: Anna\nOnderwerp: Trip",
        "От: Садик <s@x.example>\nОтправлено: понедельник\nКому: Анна\nТема: Trip",
        "Kimden: Kreş <k@x.example>\nGönderildi: Pazartesi\nKime: Anna\nKonu: Trip",
        "Von: Dana Whitlow\nGesendet: Montag, 5. Oktober 2026 08:12\nAn: Anna\nBetreff: Trip",
    ],
)
def test_blocks_of_many_languages(block: str) -> None:
    split = split_text(f"Yes.\n\n{block}\n\n{OLD}")
    assert (split.new, split.quoted) == ("Yes.", f"Trip\n\n{OLD}")


@pytest.mark.parametrize(
    ("value", "text", "flags"),
    [
        ("[Fwd: Menu]", "Menu", {Flag.FORWARD}),
        ("[Fwd: Re: Menu]", "Menu", {Flag.FORWARD, Flag.REPLY}),
        ("Menu (fwd)", "Menu", {Flag.FORWARD}),
        ("Fw: Menu", "Menu", {Flag.FORWARD}),
        ("I: Ordine", "Ordine", {Flag.FORWARD}),
        ("R: Menu", "Menu", {Flag.REPLY}),
        ("i: need help", "i: need help", set()),
        ("转发\uff1a菜单", "菜单", {Flag.FORWARD}),
        ("Ynt: Menü", "Menü", {Flag.REPLY}),
        ("AW: WG: Ausflug", "Ausflug", {Flag.REPLY}),
        ("WG: AW: Ausflug", "Ausflug", {Flag.FORWARD, Flag.REPLY}),
        ("[Eltern-Käfer] AW: Abholung", "Abholung", {Flag.REPLY}),
        ("Abwesenheitsmeldung Mia", "Abwesenheitsmeldung Mia", set()),
        ("Abwesenheitsnotiz: Ausflug", "Abwesenheitsnotiz: Ausflug", {Flag.AUTO_REPLY}),
        ("[Ticket#1] Automatic reply: Menu", "[Ticket#1] Automatic reply: Menu", {Flag.AUTO_REPLY}),
    ],
)
def test_subjects(value: str, text: str, flags: set[Flag]) -> None:
    subject = read_subject(value)
    assert (subject.text, set(subject.flags)) == (text, flags)


def test_an_answer_to_a_forwarded_mail_keeps_the_old_mail_quoted() -> None:
    block = "Von: Kita <k@x.example>\nGesendet: Montag\nAn: Eltern\nBetreff: WG: Ausflug"
    message = parse(
        f"Subject: AW: WG: Ausflug\nContent-Type: text/plain; charset=utf-8\n\nJa, Mia kommt mit.\n\n{block}\n\n{OLD}".encode()
    )
    assert (message.text, message.quoted, message.flags) == ("Ja, Mia kommt mit.", f"Ausflug\n\n{OLD}", frozenset({Flag.REPLY}))


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        ("Return-Path: <>\nFrom: Kelly <k@x.example>", {Flag.AUTO_REPLY}),
        ("Return-Path: <>\nAuto-Submitted: no\nFrom: Kelly <k@x.example>", set()),
        ("Precedence: bulk\nIn-Reply-To: <1@x>\nFrom: k@x.example", {Flag.BULK, Flag.AUTO_REPLY}),
        ("Precedence: bulk\nIn-Reply-To: <1@x>\nList-Id: <l.x>\nFrom: k@x.example", {Flag.BULK}),
        ("Mailing-List: contact x-help@x.example; run by ezmlm\nFrom: k@x.example", {Flag.BULK}),
        ("From: Postmaster <postmaster@x.example>\nSubject: Undeliverable: Menu", {Flag.BOUNCE}),
        ("Return-Path: <MAILER-DAEMON@x.example>\nFrom: System Administrator <postmaster@x.example>", {Flag.BOUNCE}),
        ("From: Postmaster <postmaster@x.example>\nSubject: Lunch", set()),
    ],
)
def test_automatic_mail(header: str, flags: set[Flag]) -> None:
    assert parse(f"{header}\n\nhello".encode()).flags == flags


@pytest.mark.parametrize(("value", "keyword"), [("Auto-Replied; x=y", "auto-replied"), ("no", "no"), ("(x)", ""), (None, "")])
def test_the_keyword_of_auto_submitted(value: str | None, keyword: str) -> None:
    header = f"Auto-Submitted: {value}\n" if value else "X: y\n"
    assert parse(f"{header}\nhello".encode()).auto_submitted == keyword


def test_in_a_bounce_the_header_of_the_returned_mail_is_part_of_the_report() -> None:
    body = "Your mail was not delivered:\nFrom: Kelly <k@x.example>\nDate: Mon, 5 Oct 2026 08:00\nTo: nobody@x.example\nSubject: Naps\nReason: mailbox full"
    message = parse(f"From: MAILER-DAEMON@x.example\nSubject: Returned mail\n\n{body}".encode())
    assert (message.text, message.quoted) == (body, "")


# --- invitations -------------------------------------------------------------------------------------------------------

EVENT = (
    'BEGIN:VCALENDAR\nMETHOD:{method}\nBEGIN:VTIMEZONE\nDESCRIPTION:zone\nEND:VTIMEZONE\nBEGIN:VEVENT\nSUMMARY;X="a:b":Tour\n'
    "DTSTART{start}\nDTEND{end}\nLOCATION:Owls room\nBEGIN:VALARM\nDESCRIPTION:Reminder\nEND:VALARM\nEND:VEVENT\n"
    "BEGIN:VEVENT\nSUMMARY:Other\nDESCRIPTION:other\nEND:VEVENT\nEND:VCALENDAR"
)


@pytest.mark.parametrize(
    ("method", "start", "end", "lines"),
    [
        (
            "REQUEST",
            ";TZID=Europe/Berlin:20261124T090000",
            ";TZID=Europe/Berlin:20261124T100000",
            ["Calendar request: Tour", "2026-11-24 09:00 to 10:00 (Europe/Berlin)", "Owls room"],
        ),
        (
            "CANCEL",
            ":20261124T090000Z",
            ":20261125T100000Z",
            ["Calendar event canceled: Tour", "2026-11-24 09:00 to 2026-11-25 10:00 (UTC)", "Owls room"],
        ),
        ("PUBLISH", ";VALUE=DATE:20261124", ";VALUE=DATE:20261125", ["Calendar publish: Tour", "2026-11-24", "Owls room"]),
        ("REPLY", ":soon", ":later", ["Calendar reply: Tour", "Owls room"]),
    ],
)
def test_invitations(method: str, start: str, end: str, lines: list[str]) -> None:
    assert describe_invitation(EVENT.format(method=method, start=start, end=end)).split("\n") == lines


@pytest.mark.parametrize("kind", ["text/calendar", "application/ics", "application/octet-stream"])
def test_a_calendar_file_is_listed_and_read(kind: str) -> None:
    event = EVENT.format(method="REQUEST", start=":20261124T090000", end=":20261124T100000")
    message = parse(
        f"Subject: Tour\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nPlease come to our tour, we show all rooms and the garden.\n"
        f"--B\nContent-Type: {kind}; name=tour.ics\nContent-Disposition: attachment\n\n{event}\n--B--".encode()
    )
    assert message.text.startswith("Calendar request: Tour\n2026-11-24 09:00 to 10:00\nOwls room\nPlease come")
    assert [attachment.name for attachment in message.attachments] == ["tour.ics"]
    assert Flag.CALENDAR in message.flags
