"""A text that names nobody: what is masked, what stays, and that one person has one placeholder."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from cubbyd.errors import InputFileError
from cubbyd.message.model import Address, Attachment, ParsedMessage
from cubbyd.redaction import Finder, Kind, Redactor, Roster, load_vocabulary, parse_roster, read_roster

ROSTER = parse_roster(
    """
    [children]
    Mia Hofmann
    Will Baker     # also a verb
    May Chen
    Zoë Müller
    [parents]
    Jana Hofmann
    [staff]
    Rosa Delgado
    """,
    "roster.txt",
)
WRITTEN = date(2026, 11, 20)


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    """Knows the roster and the lists of names."""
    return Redactor(ROSTER, load_vocabulary(), keep=["Ladybug Room"])


def masked(redactor: Redactor, *texts: str, people: tuple[Address, ...] = (), written: date | None = WRITTEN) -> str:
    return " / ".join(redactor.mask(texts, people, written).texts)


# --- the roster --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Mia Hofmann is sick", "[CHILD_1] is sick"),
        ("MIA is sick, mia's fever is high", "[CHILD_1] is sick, [CHILD_1]'s fever is high"),
        ("Mias Fieber", "[CHILD_1] Fieber"),
        ("zoe mueller", "[CHILD_1]"),
        ("Jana, Mia and Rosa", "[PARENT_1], [CHILD_1] and [STAFF_1]"),
    ],
)
def test_a_name_of_the_roster_is_masked_however_it_is_spelled(redactor: Redactor, text: str, shown: str) -> None:
    assert masked(redactor, text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Will will not come", "[CHILD_1] will not come"),
        ("He starts in May, on May 4", "He starts in May, on May 4"),
        ("please tell May that", "please tell [CHILD_1] that"),
        ("Mai kommt", "Mai kommt"),
    ],
)
def test_a_name_that_is_also_a_word_is_told_by_case_and_place(redactor: Redactor, text: str, shown: str) -> None:
    assert masked(redactor, text) == shown


def test_a_first_name_and_the_full_name_are_one_person(redactor: Redactor) -> None:
    assert masked(redactor, "Mia", "Mia Hofmann and Jana Hofmann") == "[CHILD_1] / [CHILD_1] and [PARENT_1]"


def test_a_roster_names_the_line_that_is_wrong() -> None:
    with pytest.raises(InputFileError, match=r"roster.txt, line 2: unknown heading"):
        parse_roster("Mia\n[kids]\n", "roster.txt")
    with pytest.raises(InputFileError, match="line 1: is no name"):
        parse_roster("4711\n", "roster.txt")


def test_a_roster_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "roster.txt"
    file.write_text("Mia Hofmann\n")
    file.chmod(0o644)
    with pytest.raises(InputFileError, match="chmod 600"):
        read_roster(file)
    file.chmod(0o600)
    assert [person.name for person in read_roster(file).people] == ["Mia Hofmann"]


# --- names without a roster --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hi Theresa,\nbest,\nAaliyah", "Hi [PERSON_1],\nbest,\n[PERSON_2]"),
        ("my son Kofi Mensah has a cold", "my son [CHILD_1] has a cold"),
        ("Ms. Okonkwo and Dr. van der Berg called", "Ms. [PERSON_1] and Dr. [PERSON_2] called"),
        ("my daughter summer is home", "my daughter [CHILD_1] is home"),
        ("theo threw up, theos mom here", "[PERSON_1] threw up, [PERSON_1] mom here"),
        ("Liebe Frau Öztürk, unser Sohn Çağan ist krank", "Liebe Frau [PERSON_1], unser Sohn [CHILD_1] ist krank"),
        ("Hola, mi hija Ximena está enferma", "Hola, mi hija [CHILD_1] está enferma"),
    ],
)
def test_names_are_told_by_the_words_around_and_by_lists(redactor: Redactor, text: str, shown: str) -> None:
    assert masked(redactor, text) == shown


def test_a_name_found_once_is_masked_everywhere(redactor: Redactor) -> None:
    assert masked(redactor, "Wren", "My daughter Wren is sick. Wren stays home.") == (
        "[CHILD_1] / My daughter [CHILD_1] is sick. [CHILD_1] stays home."
    )


def test_names_of_the_header_are_masked_and_those_of_an_office_are_none(redactor: Redactor) -> None:
    people = (
        Address(name="Summer Quill", address="sq@mail.example"),
        Address(name="Little Cubby Office", address="office@x.example"),
    )

    text = masked(redactor, "Summer here. Quill family. The little office of cubby is closed", people=people)

    assert text == "[PERSON_1] here. [PERSON_1] family. The little office of cubby is closed"


# --- shapes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("jana+kita@mail.example.org", Kind.EMAIL),
        ("JANA@MAIL.EXAMPLE", Kind.EMAIL),
        ("jana (at) mail.example", Kind.EMAIL),
        ("https://forms.example/f?id=77&x=a", Kind.URL),
        ("www.foo.example/bar", Kind.URL),
        ("photos.example.com/a", Kind.URL),
        ("(415) 555-0132", Kind.PHONE),
        ("415.555.0132", Kind.PHONE),
        ("+1 415 555 0132", Kind.PHONE),
        ("4155550132", Kind.PHONE),
        ("555-0132", Kind.PHONE),
        ("030/123456-78", Kind.PHONE),
        ("+49 (0)30 1234567", Kind.PHONE),
        ("06 12 34 56 78", Kind.PHONE),
        ("DE89 3704 0044 0532 0130 00", Kind.IBAN),
        ("de89370400440532013000", Kind.IBAN),
        ("GB29 NWBK 6016 1331 9268 19", Kind.IBAN),
        ("214 Maple Grove Ave, Apt 3B, Springfield, IL 62704", Kind.ADDRESS),
        ("15 w 4th st", Kind.ADDRESS),
        ("PO Box 123", Kind.ADDRESS),
        ("10 Downing Street, London SW1A 2AA", Kind.ADDRESS),
        ("Karl-Marx-Straße 12a, 12043 Berlin-Neukölln", Kind.ADDRESS),
        ("Am Alten Markt 7\n50667 Köln", Kind.ADDRESS),
        ("C/ Mayor, 5, 3º B, 28013 Madrid", Kind.ADDRESS),
        ("12 bis rue des Lilas, 75011 Paris", Kind.ADDRESS),
        ("078-05-1120", Kind.NUMBER),
        ("KV-2231-88", Kind.NUMBER),
    ],
)
def test_what_has_a_shape_is_masked_whole(redactor: Redactor, text: str, kind: Kind) -> None:
    assert masked(redactor, f"please note {text} for us") == f"please note [{kind}_1] for us"


@pytest.mark.parametrize(
    "text",
    [
        "policy no. 88213377", "customer number A-99812", "Kundennummer: 4711-22", "invoice INV-2026-0417",
        "póliza 5512-B7", "Aktenzeichen 12 F 334/26",
    ],
)  # fmt: skip
def test_a_number_is_masked_where_a_word_says_whose_it_is(redactor: Redactor, text: str) -> None:
    assert "[NUMBER_1]" in masked(redactor, text)


@pytest.mark.parametrize(
    "text",
    [
        "She is out on Tuesday and Wednesday from 8:30 to 15:00.",
        "We are away from Nov 23 to 27, 2026, back on 11/30/2026 (Monday).",
        "Am 24.11.2026 um 9 Uhr, dann vom 1.12. bis 4.12.",
        "We paid $1,250.00 on 12/01/2026 and 62,50 € before; the deposit is 150 EUR.",
        "5 ml twice a day, 101.5 degrees, room 12, ages 3-4, 2026/27, COVID-19.",
        "The Ladybug Room bakes at Halloween. English and Spanish, Lego and Zoom.",
        "PLEASE CALL ME TODAY ABOUT THE FIELD TRIP",
        "Permission Slip For The Pumpkin Farm",
        "Die Eingewöhnungszeit beginnt nach den Sommerferien im Kindergarten.",
    ],
)
def test_what_carries_the_category_stays(redactor: Redactor, text: str) -> None:
    assert masked(redactor, text) == text


def test_a_full_date_is_one_of_birth_where_it_is_said_or_far_from_the_mails_own(redactor: Redactor) -> None:
    assert masked(redactor, "born 03/14/2026") == "born [BIRTHDATE_1]"
    assert masked(redactor, "Mia (14. März 2022)") == "[CHILD_1] ([BIRTHDATE_1])"
    assert masked(redactor, "on 03/14/2026") == "on 03/14/2026"
    assert masked(redactor, "on 03/14/2026", written=None) == "on [BIRTHDATE_1]"


# --- a mail ------------------------------------------------------------------------------------------------------------


def test_a_mail_leaves_without_addresses_ids_and_names(redactor: Redactor) -> None:
    mail = ParsedMessage(
        subject="Mia",
        sender=Address(name="Jana Hofmann", address="jana.hofmann@mail.example"),
        to=(Address(name="Kita", address="kita@facility.example"),),
        date=datetime(2026, 11, 20, 7, tzinfo=UTC),
        message_id="<jana-1@mail.example>",
        references=("<kita-9@facility.example>",),
        list_id="parents.facility.example",
        text="Mia is sick. Write to jana.hofmann@mail.example",
        quoted="Dear Jana, how is Mia?",
        signature="Jana Hofmann\n555-0132",
        attachments=(Attachment(name="Krankschreibung_Mia.pdf", content_type="application/pdf"),),
    )

    safe, done = redactor.redact(mail)

    assert (safe.subject, safe.text) == ("[CHILD_1]", "[CHILD_1] is sick. Write to [EMAIL_1]")
    assert (safe.quoted, safe.signature) == ("Dear [PARENT_1], how is [CHILD_1]?", "[PARENT_1]\n[PHONE_1]")
    assert safe.sender == Address(name="[PARENT_1]")
    assert safe.attachments[0].name == "Krankschreibung_[CHILD_1].pdf"
    assert (safe.to, safe.message_id, safe.references, safe.list_id) == ((), "", (), "")
    assert done.leaks == ()
    assert {span.finder for span in done.spans[0]} == {Finder.ROSTER}


def test_what_is_still_there_is_said_without_being_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last check does not trust the finders: here they find nothing."""
    from cubbyd.redaction.known import Known

    monkeypatch.setattr(Known, "find", lambda *_: iter(()))
    blind = Redactor(ROSTER)

    leaks = blind.mask(["Mia Hofmann has a fever"], [Address(address="a@b")]).leaks

    assert leaks == ("a name of the roster",)


def test_an_address_of_the_header_that_is_still_there_is_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cubbyd.redaction.redactor.find_patterns", lambda *_: iter(()))

    assert Redactor().mask(["write to jo@b.example"], [Address(address="Jo@b.example")]).leaks == ("an address of the header",)


def test_without_lists_and_roster_shapes_and_cues_are_still_found() -> None:
    assert masked(Redactor(Roster()), "Dear Kofi, call 555-0132") == "Dear [PERSON_1], call [PHONE_1]"


@pytest.mark.parametrize(
    "unit",
    [
        "A-", "\n", "A ", "1 ", "1 A ", "calle A ", "1", "1-", "a.", "a@", "ab12-", "id ", "account number ", "12 rue de ", "Straße ",
        "Aaaaaa ", "1 Aaaa Bbbb Cccc Dddd ", "(", "DE89 3704 ", "a", "jan 1 ", "12.", "12/", "+1 (", "A. ", "born ", "born 1.1.2020 ",
        "www.", "x (at) ", "a(at)a", "5550132 ext ", "12345 A, ", "1\n", "-", "1 . ", "1 (2) ", "Mia ", "Mia-", "Dear ", "'", "a'",
        "ä", "my son ", "Mrs. ", "d'A ", "1 (at) 1.", "Thanks\n", "A.B.", "\u00a0", "C/ ", "12 Cap", "Z\u0301",
    ],
)  # fmt: skip
def test_no_text_makes_it_slow(redactor: Redactor, unit: str) -> None:
    """Twice the text takes at most some three times the time; a pattern that backtracks takes four times and more."""
    text = (unit * 20_000)[:20_000]
    start = time.process_time()
    redactor.mask([text], (), WRITTEN)
    assert time.process_time() - start < 1.5
