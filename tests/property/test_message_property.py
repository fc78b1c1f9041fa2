"""What holds of every mail whatever: it is read, within limits, and the same mail has the same fingerprint."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cubbyd.message import ClassifierInput, ParsedMessage, parse, render, render_text
from cubbyd.message.html import html_to_text
from cubbyd.message.identity import fingerprint
from cubbyd.message.quote import split_text
from cubbyd.message.unicode import clean_line, clean_text

GOLDEN = [mail.read_bytes() for mail in sorted((Path(__file__).parents[1] / "golden").glob("*.eml"))]
assert GOLDEN, "the mutations start from the golden mails"

UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ud800-\udfff]")

# Pieces that mean something to a parser, between bytes that mean nothing.
TOKENS = st.sampled_from(
    [
        *(
            b"From: ",
            b"Subject: ",
            b"Content-Type: ",
            b"Content-Transfer-Encoding: ",
            b"Date: ",
            b"\n",
            b"\r\n",
            b"\r",
            b"\n\n",
        ),
        *(b"multipart/mixed; boundary=B", b"--B\n", b"--B--\n", b"text/html", b"text/plain; charset=", b"message/rfc822"),
        *(
            b"base64",
            b"quoted-printable",
            b"x-uuencode",
            b"utf-7",
            b"utf-16",
            b"iso-2022-jp",
            b"hz-gb-2312",
            b"=?utf-8?q?",
            b"?=",
        ),
        *(
            b"filename*0*=",
            b"''",
            b'"',
            b";",
            b"<",
            b">",
            b"(",
            b"\\",
            b"=",
            b"> ",
            b"On 1 x wrote:\n",
            b"-- \n",
            b"\xff\xfe",
            b"\x1b$B",
        ),
        *(b"<div hidden>", b"<blockquote>", b"<!--", b"<style>", b"<img alt='", b"-----Original Message-----\n", b"Fwd: "),
    ]
)
MAILS = st.lists(TOKENS | st.binary(max_size=8), max_size=60).map(b"".join)


@st.composite
def mutated_mails(draw: st.DrawFn) -> bytes:
    """Take a golden mail and cut, double, overwrite and insert."""
    raw = bytearray(draw(st.sampled_from(GOLDEN)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 80)))
        raw[start:end] = draw(st.sampled_from([b"", bytes(raw[start:end]) * 2]) | TOKENS | st.binary(max_size=20))
    return bytes(raw)


def _check_message(message: ParsedMessage) -> None:
    assert not any(defect.startswith("exception") for defect in message.defects)
    for text in (message.subject, message.text, message.quoted, message.signature, message.sender.name, message.list_id):
        assert not UNWANTED.search(text)
        assert unicodedata.is_normalized("NFC", text)
        assert text == text.strip()
    assert message.date is None or message.date.tzinfo is not None


def _check_rendered(rendered: ClassifierInput) -> None:
    assert len(rendered.subject) <= 300
    assert len(rendered.text) <= 4000
    assert len(rendered.quoted) <= 1500


@given(st.binary(max_size=2000) | MAILS | mutated_mails())
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_read(raw: bytes) -> None:
    message = parse(raw)
    _check_message(message)
    _check_rendered(render(message))


@given(st.sampled_from(GOLDEN), st.data())
@settings(max_examples=100, deadline=None)
def test_a_mail_may_be_cut_anywhere(raw: bytes, data: st.DataObject) -> None:
    cut = raw[: data.draw(st.integers(0, len(raw)))]
    _check_message(parse(cut))


@given(st.text(st.characters(), max_size=400), st.lists(st.text(st.characters(), max_size=600), max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_example_is_rendered_within_the_limits(subject: str, pieces: list[str]) -> None:
    _check_rendered(render_text(subject, "\n> On 1 x wrote:\n".join(pieces) * 3))


@given(st.text(st.characters(), max_size=500))
@settings(max_examples=300, deadline=None)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)
    assert clean_line(clean_line(text)) == clean_line(text)
    assert not UNWANTED.search(clean_text(text))


LINES = st.sampled_from(
    [
        *(
            "Wyatt is sick",
            "",
            "> old",
            "On 1 Oct Dana wrote:",
            "From: Dana",
            "Sent: Tuesday",
            "To: Kelly",
            "Subject: Naps",
            "--",
        ),
        *("-----Original Message-----", "Begin forwarded message:", "Thanks,", "Kelly", "Sent from my iPhone", "_" * 30),
    ]
)


@given(st.lists(LINES, max_size=25), st.booleans())
@settings(max_examples=300, deadline=None)
def test_splitting_loses_no_line_that_is_text(lines: list[str], forward: bool) -> None:  # noqa: FBT001 - drawn by name
    split = split_text("\n".join(lines), forward=forward)
    parts = f"{split.new}\n{split.quoted}\n{split.signature}".split("\n")
    for line in ("Wyatt is sick", "Kelly", "old"):
        assert sum(part.lstrip("> ") == line for part in parts) == sum(given_line.lstrip("> ") == line for given_line in lines)


@given(
    st.lists(
        st.sampled_from(
            ["<p>", "</p>", "<div hidden>", "</div>", "<!--", "-->", "<style>", "</style>", "<b", '"', ">", "x ", "<td>"]
        )
    )
)
@settings(max_examples=300, deadline=None)
def test_any_markup_becomes_text(pieces: list[str]) -> None:
    assert html_to_text("".join(pieces) + '<div style="display:none">SECRET</div>').count("SECRET") in (0, 1)


@given(
    st.binary(max_size=300) | mutated_mails().map(lambda raw: raw.partition(b"\n\n")[0]),
    st.binary(max_size=100),
    st.text(max_size=30),
)
@settings(max_examples=300, deadline=None)
def test_a_header_and_the_whole_mail_have_one_fingerprint(block: bytes, body: bytes, internal_date: str) -> None:
    header = block.rstrip(b"\r\n") + b"\r\n\r\n"
    assert fingerprint(header + body, internal_date) == fingerprint(header, internal_date)
