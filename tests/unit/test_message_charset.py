"""Bytes to text where the label lies, and the one spelling of text."""

from __future__ import annotations

import pytest

from cubbyd.message import charset
from cubbyd.message.charset import decode, find_codec
from cubbyd.message.transfer import decode_transfer
from cubbyd.message.unicode import clean_line, clean_text


@pytest.mark.parametrize(
    ("data", "label", "text", "is_true"),
    [
        ("Grüße".encode(), "", "Grüße", True),
        ("Grüße".encode(), "us-ascii", "Grüße", False),
        ("Grüße".encode(), "iso-8859-1", "Grüße", False),
        ("Grüße – „Köln“".encode("cp1252"), "utf-8", "Grüße – „Köln“", False),
        ("Grüße – €".encode("cp1252"), "ISO-8859-1", "Grüße – €", True),  # what senders of latin-1 mean
        ("Grüße".encode("cp1252"), "DEFAULT", "Grüße", False),
        ("Привет".encode("koi8-r"), "koi8-r", "Привет", True),
        ("お休みします".encode("shift_jis"), "iso-2022-jp", "お休みします", False),
        ("镕".encode("gb18030"), "gb2312", "镕", True),
        (b"\xff\xfe" + "Grüße".encode("utf-16-le"), "utf-16", "Grüße", True),
        (b"\xef\xbb\xbfhello", "", "hello", True),
        ("Mañana".encode()[:3], "utf-8", "Ma", True),  # a fetch cut the mail inside a letter
    ],
)
def test_decode(data: bytes, label: str, text: str, is_true: bool) -> None:  # noqa: FBT001 - a column of the table
    assert decode(data, label) == (text, is_true)


@pytest.mark.parametrize("label", ["zlib_codec", "rot13", "idna", "punycode", "unicode_escape", "hex", "../os", "x" * 1000])
def test_codecs_that_are_no_charsets_are_unknown(label: str) -> None:
    assert find_codec(label) == ""
    assert decode("Grüße".encode(), label) == ("Grüße", False)


def test_every_codec_of_the_table_exists() -> None:
    for codec in charset._CODECS.values():
        assert b"".decode(codec) == ""


@pytest.mark.parametrize(
    ("data", "encoding", "result"),
    [
        (b"SGFsbG8gRnJhdSBTY2huZWlkZXIs\n!!IE1pYSBpc3Qga3Jhbms", "base64", b"Hallo Frau Schneider, Mia ist krank"),
        (b"TWlh=\nIGlzdA==IGtyYW5r", "BASE64 ", b"Mia ist krank"),  # padding in the middle
        (b"-_-_", "base64", b"\xfb\xff\xbf"),  # the alphabet of URLs
        (b"Gr=c3=bc=c3=9fe =  \naus K=C3=B6ln = 5=", "quoted-printable", "Grüße aus Köln = 5".encode()),
        (b"begin 644 a.txt\n#0V%T\n`\nend\nafter", "x-uuencode", b"Cat"),
        (b"as it is", "utf-8", b"as it is"),
    ],
)
def test_transfer_encodings(data: bytes, encoding: str, result: bytes) -> None:
    assert decode_transfer(data, encoding, 1000) == result


def test_no_more_comes_out_than_was_asked_for() -> None:
    for encoding in ("base64", "quoted-printable", "x-uuencode", "8bit"):
        assert len(decode_transfer(b"begin 644 a\n" + b"QUJD\n" * 10_000, encoding, 100)) <= 100


def test_nothing_invisible_is_left() -> None:
    text = clean_text(
        "Kran\u200bk\u200dmel\ufeffdung\u00ad \u202efor\u202c\x00 Mia\x07\u00a0\u2003now\r\n\r\n\r\n \tCafe\u0301\u2028x\r"
    )
    assert text == "Krankmeldung for Mia now\n\nCafé\nx"


def test_scripts_and_signs_of_the_world_are_kept() -> None:
    for text in ("ابني مريض اليوم", "孩子今天生病", "½ день 🍼", "ﬁn"):
        assert clean_text(text) == text


def test_a_line_is_one_line() -> None:
    assert clean_line(" Parents'\r\n\tevening\u2029on  Monday ") == "Parents' evening on Monday"
