"""New text, quoted text, signature: in the words of the mail programs that people use."""

from __future__ import annotations

import time

import pytest

from cubbyd.message.quote import split_text

ATTRIBUTIONS = [
    "On Tue, Oct 6, 2026 at 4:12 PM Little Cubby <office@littlecubby.example> wrote:",
    "On Tue, Oct 6, 2026 at 4:12 PM Little Cubby Childcare, Main Office <\noffice@littlecubby.example> wrote:",
    "On Tuesday, October 6, 2026, 04:12:33 PM EDT, Dana <dana@littlecubby.example>\nwrote:",
    "On Oct 6, 2026, at 4:12 PM, Dana Whitlow <dana@littlecubby.example> wrote:",
    "El mar, 6 oct 2026 a las 16:12, Little Cubby (<office@littlecubby.example>) escribió:",
    "El 6 oct 2026, a las 16:12, Dana Whitlow escribió:",
    "Am Di., 6. Okt. 2026 um 16:12 Uhr schrieb Little Cubby <\noffice@littlecubby.example>:",
    "Am 06.10.2026 um 16:12 schrieb Dana Whitlow:",
    "Little Cubby <office@littlecubby.example> schrieb am Di., 6. Okt. 2026, 16:12:",
    "Le mar. 6 oct. 2026 à 16:12, Little Cubby <office@littlecubby.example> a écrit :",
    "Le 6 oct. 2026 à 16:12, Dana Whitlow a écrit :",
    "2026-10-06 16:12 GMT-04:00 Dana Whitlow <dana@littlecubby.example>:",
]

BLOCKS = [
    "From: Dana <d@x.example>\nSent: Tuesday, October 6, 2026 4:12 PM\nTo: Kelly\nSubject: Naps",
    "________________________________\nVon: Dana <d@x.example>\nGesendet: Dienstag, 6. Oktober 2026 16:12\nAn: Kelly\nBetreff: Naps",
    "De: Dana <d@x.example>\nEnviado el: martes, 6 de octubre de 2026 16:12\nPara: Kelly\nAsunto: Naps",
    "De : Dana <d@x.example>\nEnvoyé : mardi 6 octobre 2026 16:12\nÀ : Kelly\nObjet : Naps",
    "*From:* Dana <d@x.example>\n*Sent:* Tuesday\n*To:* Kelly; Sam;\nMarta\n*Subject:* Naps",
    "-----Original Message-----\nFrom: Dana\nSent: Tuesday\nTo: Kelly\nSubject: Naps",
    "-----Ursprüngliche Nachricht-----\nVon: Dana\nGesendet: Dienstag\nAn: Kelly\nBetreff: Naps",
    "-----Mensaje original-----\nDe: Dana\nEnviado: martes\nPara: Kelly\nAsunto: Naps",
    "-----Message d'origine-----\nDe : Dana\nEnvoyé : mardi\nÀ : Kelly\nObjet : Naps",
]

FORWARDS = [
    "---------- Forwarded message ---------\nFrom: Lab <l@x.example>\nDate: Wed, Oct 14\nSubject: Panel\nTo: Tom\n\n",
    "Begin forwarded message:\n\nFrom: Lab <l@x.example>\nSubject: Panel\nDate: October 14\nTo: Tom\n\n",
    "-------- Weitergeleitete Nachricht --------\nBetreff: Panel\nDatum: Wed\nVon: Lab <l@x.example>\nAn: Tom\n\n",
    "---------- Mensaje reenviado ---------\nDe: Lab <l@x.example>\nFecha: mié\nAsunto: Panel\nPara: Tom\n\n",
]


@pytest.mark.parametrize("mark", ["> ", ""], ids=["marked", "bare"])
@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_an_attribution_opens_earlier_mail(attribution: str, mark: str) -> None:
    split = split_text(f"Yes, she may nap longer.\n\n{attribution}\n{mark}How long does she nap?\n{mark}Dana")
    assert split.new == "Yes, she may nap longer."
    assert split.quoted == "How long does she nap?\nDana"


@pytest.mark.parametrize("block", BLOCKS)
def test_header_lines_open_earlier_mail_and_leave_its_subject(block: str) -> None:
    split = split_text(f"Yes, she may nap longer.\n\n{block}\n\nHow long does she nap?")
    assert split.new == "Yes, she may nap longer."
    assert split.quoted == "Naps\n\nHow long does she nap?"
    assert not split.forwarded


@pytest.mark.parametrize("comment", ["", "No more cashews please!\n\n"], ids=["alone", "with a comment"])
@pytest.mark.parametrize("opening", FORWARDS)
def test_what_is_forwarded_is_the_message(opening: str, comment: str) -> None:
    split = split_text(f"{comment}{opening}Positive for cashew.\n\nOn Oct 13, 2026 Tom wrote:\n> Any news?", forward=True)
    assert split.forwarded
    assert split.new == f"{comment}Panel\n\nPositive for cashew."
    assert split.quoted == "Any news?"


def test_answers_between_quoted_lines_are_new() -> None:
    split = split_text("Dana wrote:\n> Does he nap?\n\nOnly on weekends.\n\n> Strawberries?\n\nNo!")
    assert split.new == "Only on weekends.\n\nNo!"
    assert split.quoted == "Does he nap?\nStrawberries?"


@pytest.mark.parametrize(
    "text",
    [
        "On Monday my mother wrote a list:\nmilk, pears",
        "On Friday we leave at 3.\nPlease send her jacket.",
        "El niño tiene fiebre desde las 3",
        "Am Montag kommt Oma um 16 Uhr:\nbitte Leni mitgeben",
        "From: my kitchen table\nTo: all of you\nwe had a lovely summer",
        "From Monday on: half days only. To be clear: until June.",
        "Date: Oct 5\nTime: 5 pm\nPlace: gym",
        "I wrote:\nplease call me",
    ],
)
def test_plain_text_is_left_alone(text: str) -> None:
    split = split_text(text)
    assert (split.new, split.quoted, split.signature) == (text, "", "")


@pytest.mark.parametrize(
    "signature",
    [
        "Sent from my iPhone",
        "Get Outlook for Android",
        "Enviado desde mi iPhone",
        "Von meinem iPhone gesendet",
        "Diese Nachricht wurde von meinem Android Mobiltelefon mit GMX Mail gesendet.",
        "Envoyé de mon iPhone",
        "Best regards,\nKelly Dunmore\nDunmore & Sons | 555-0136",
        "Mit freundlichen Grüßen\nAnna Becker",
        "Saludos cordiales,\nLucía Paredes\ntel. 555-0187",
        "Cordialement,\nFrançois",
        "thanks\nkelly",
        "CONFIDENTIALITY NOTICE: this e-mail is meant for the person it is addressed to.",
        "This message may contain privileged information intended only for the addressee.",
    ],
)
def test_signatures(signature: str) -> None:
    split = split_text(f"Wyatt stays home today.\n\n{signature}")
    assert (split.new, split.signature) == ("Wyatt stays home today.", signature)


def test_dashes_open_a_signature() -> None:
    split = split_text("Wyatt stays home.\n\n--\nKelly Dunmore\n12 Elder Street")
    assert (split.new, split.signature) == ("Wyatt stays home.", "Kelly Dunmore\n12 Elder Street")


@pytest.mark.parametrize(
    "text",
    [
        "Best,\nKelly\n\nPS: Wyatt is sick tomorrow",
        "Thanks!\nWill she be fed before we come?",
        "Thank you\nfor the photos, we loved them all",
        "Danke",
        "Sent from my mother with love: cookies",
    ],
)
def test_what_could_be_a_message_is_no_signature(text: str) -> None:
    assert split_text(text).new == text


@pytest.mark.parametrize(
    "piece",
    [
        "On 1 ",
        "> ",
        "From: a\nTo: ",
        "wrote: ",
        "schrieb am 1 ",
        "_" * 20 + "\n",
        "--\n",
        "Thanks\n",
        "a" * 395 + ":\n",
        "A-",
        "+1 (",
    ],
)
def test_hostile_text_takes_bounded_time(piece: str) -> None:
    started = time.process_time()
    split_text(piece * (200_000 // len(piece)))
    assert time.process_time() - started < 1.0
