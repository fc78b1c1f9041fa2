"""Real and malformed mails of other projects' test suites, where the folder with them is at hand.

The folder is named by the environment variable CUBBYD_SHARED; it is not part of the repository.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cubbyd.message import Flag, ParsedMessage, parse, render

SHARED = Path(os.environ.get("CUBBYD_SHARED", Path(__file__).parents[3] / "shared"))
TORTURE = SHARED / "torture"

pytestmark = pytest.mark.skipif(not TORTURE.is_dir(), reason="no folder of malformed mails: CUBBYD_SHARED names none")

# What must hold of the named cases: the subject, then the text; None where anything may stand.
CASES = {
    "attachment-rfc2231": ("Test", "siehe Anhang"),
    "attachments-only": ("", ""),
    "auto-reply": ("Automatische Antwort: Ausflug", "Ich bin bis 12.5. nicht im Haus."),
    "bounce-dsn": ("Undelivered", "Delivery failed"),
    "calendar-invite": ("Einladung", "Calendar request: Elterngespräch, Mia\n2024-05-06 08:00 (UTC)"),
    "charset-gb2312-real-gbk": ("Test", "张三今天请假镕"),
    "charset-iso2022jp": ("こんにちは", "お休みします"),
    "charset-koi8-8bit": ("Test", "Привет мир"),
    "charset-lie-ascii": ("Test", "Grüße"),
    "charset-lie-sjis": ("Test", "お休みします"),
    "charset-lie-utf8": ("Test", "Grüße – „Köln“"),
    "charset-missing-utf8": ("Test", "Grüße aus Köln"),
    "charset-non-text-codec": ("Test", "Grüße"),
    "charset-unknown": ("Test", "Grüße"),
    "cte-broken-base64": ("Test", "Hallo Frau Schneider, Mia ist krank"),
    "cte-qp-soft-broken": ("Test", "Grüße aus Köln = 5"),
    "cte-unknown": ("Test", "Grüße"),
    "encrypted": ("Attest", ""),
    "forward-as-attachment": ("", "Krankmeldung\nMia hat Fieber"),
    "header-junk-line": ("Rechnung", "Mia ist krank"),
    "header-limits": (None, "Mia ist krank"),
    "html-deep-300": ("Test", "Mia ist krank\ntief\ndanach"),
    "html-hidden-preheader": ("Test", "Rechnung 12 €"),
    "html-only-outlook": ("Test", "Hallo,\nMia ist krank."),
    "line-endings": ("Rechnung", "Mia ist\nkrank"),
    "malformed-address": ("Test", "Mia ist krank"),
    "mp-alternative-stub": (
        "Test",
        "Liebe Eltern, der Ausflug fällt aus. Wir bleiben in der Einrichtung und backen Kekse.",
    ),
    "mp-boundary-never-used": ("Test", "Mia ist krank"),
    "mp-missing-end": ("Test", "Mia ist krank"),
    "mp-no-boundary-param": ("Test", "Mia ist krank"),
    "mp-preamble-epilogue": ("Test", "Mia ist krank"),
    "nul-and-controls": ("Test", "Mia ist krank [0m"),
    "rtl-cjk": ("Test", "ابني مريض اليوم 孩子今天生病"),
    "subject-b64-split": ("Krankmeldung für Mia", "Mia ist krank"),
    "subject-ew-no-space": ('"Kündigung"(März)', "hi"),
    "subject-folded-tab": ("Elternabend am Montag", "x"),
    "subject-missing": ("", "Mia ist krank"),
    "subject-prefix-chain": ("Rechnung Mai", "x"),
    "subject-q-underscore": ("Grüße aus dem Süden", "hi"),
    "subject-raw-8bit": ("Kündigung", "hi"),
    "subject-unknown-charset": ("Hallo WeltHallo", "body"),
    "text-declared-html-is-plain": ("Test", "Mia ist krank"),
    "tnef-winmail": ("Vertrag", "Mia ist krank"),
    "utf16-bom": ("Test", "Grüße"),
    "zero-width-obfuscation": ("Kündigung", "Krankmeldung"),
}

FLAGS = {
    "auto-reply": {Flag.AUTO_REPLY},
    "bounce-dsn": {Flag.BOUNCE},
    "calendar-invite": {Flag.CALENDAR},
    "encrypted": {Flag.ENCRYPTED},
    "forward-as-attachment": {Flag.FORWARD},
    "mp-missing-end": {Flag.TRUNCATED},
    "subject-prefix-chain": {Flag.REPLY},
    "subject-q-underscore": {Flag.REPLY},
    "tnef-winmail": {Flag.TNEF},
}

ATTACHMENTS = {
    "attachment-rfc2231": ["Kündigung.pdf", "Maßnahme.pdf"],
    "attachments-only": ["Krankschreibung_Mia.pdf"],
    "encrypted": ["smime.p7m"],
    "tnef-winmail": ["winmail.dat"],
}


def _read(case: str) -> ParsedMessage:
    return parse((TORTURE / "cases40" / f"{case}.eml").read_bytes())


def test_every_named_case_is_expected() -> None:
    assert {file.stem for file in (TORTURE / "cases40").glob("*.eml")} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_named_case(case: str) -> None:
    message = _read(case)
    subject, text = CASES[case]
    assert message.text == text
    assert subject is None or message.subject == subject
    assert message.flags == FLAGS.get(case, set())
    assert [attachment.name for attachment in message.attachments] == ATTACHMENTS.get(case, [])


def test_every_mail_is_read_in_time_and_without_an_exception() -> None:
    mails = sorted(TORTURE.rglob("*.eml"))
    assert len(mails) > 800
    for mail in mails:
        raw = mail.read_bytes()
        started = time.process_time()
        message = parse(raw)
        render(message)
        assert time.process_time() - started < 1.0, mail.name
        assert not any(defect.startswith("exception") for defect in message.defects), mail.name
