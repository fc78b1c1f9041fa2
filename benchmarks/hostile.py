"""Mails that are made to hurt: each is small to send, and takes some parser of mail minutes or gigabytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

WORDS: Final = b"Mia is sick today and stays at home.\n"
HEAD: Final = b"From: Ann <ann@example.com>\n"


def _mail(fields: bytes = b"Subject: x\n", body: bytes = WORDS) -> bytes:
    return HEAD + fields + b"\n" + body


def _multipart(body: bytes) -> bytes:
    return _mail(b"Content-Type: multipart/mixed; boundary=B\n", body)


def _html(body: bytes) -> bytes:
    return _mail(b"Content-Type: text/html; charset=utf-8\n", b"<html><body><p>Mia is sick</p>" + body + b"</body></html>\n")


def _nested_multiparts(depth: int) -> bytes:
    levels = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(depth))
    return HEAD + levels + b"\n" + WORDS


def _nested_encoded(depth: int, size: int) -> bytes:
    level = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n"
    return HEAD + level * depth + b"Subject: x\n\n" + b"word =3D word\n" * (size // 14)


def _odd_charsets() -> bytes:
    names = (
        b"idna",
        b"punycode",
        b"zlib_codec",
        b"bz2",
        b"rot13",
        b"hex",
        b"base64",
        b"undefined",
        b"unicode_escape",
        b"mbcs",
        b"x" * 99,
    )
    parts = (b'--B\nContent-Type: text/plain; charset="%s"\n\n%s\xfc\n' % (name, WORDS) for name in names * 20)
    words = b" ".join(b"=?%s?q?=FC?=" % name for name in names * 20)
    return _mail(b"Subject: " + words + b"\nContent-Type: multipart/mixed; boundary=B\n", b"".join(parts) + b"--B--\n")


def _attachment(size: int) -> bytes:
    line = b"QUJD" * 19 + b"\n"
    header = b"--B\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\n"
    return _multipart(b"--B\n\n" + WORDS + header + line * (size // len(line)) + b"--B--\n")


HEADER_INPUTS: Final[dict[str, Callable[[], bytes]]] = {
    "Content-Type with 100,000 semicolons": lambda: _mail(b"Content-Type: text/plain" + b";" * 100_000 + b"\n"),
    "Subject of 1 MB": lambda: _mail(b"Subject: " + b"word " * 200_000 + b"\n"),
    "Subject of 20,000 encoded words": lambda: _mail(b"Subject: " + b"=?utf-8?q?=C3?=" * 20_000 + b"\n"),
    "Subject of 200,000 folded lines": lambda: _mail(b"Subject: x" + b"\n x" * 200_000 + b"\n"),
    "To with 50,000 addresses": lambda: _mail(b"To: " + b"Ann <a@b.example>, " * 50_000 + b"\n"),
    "To of 100,000 quotation marks": lambda: _mail(b"To: " + b'"' * 100_000 + b"\n"),
    "20,000 parameters": lambda: _mail(
        b"Content-Type: text/plain" + b"".join(b"; n%d*=utf-8''x" % number for number in range(20_000)) + b"\n"
    ),
    "References of 100,000 mails": lambda: _mail(
        b"References:" + b"".join(b" <%d@example.com>" % number for number in range(100_000)) + b"\n"
    ),
}
BODY_INPUTS: Final[dict[str, Callable[[], bytes]]] = {
    "100,000 parts": lambda: _multipart(b"--B\nContent-Type: text/plain\n\nMia is sick\n" * 100_000 + b"--B--\n"),
    "1,000,000 empty parts": lambda: _multipart(b"--B\n\n\n" * 1_000_000 + b"--B--\n"),
    "3,000 nested multiparts": lambda: _nested_multiparts(3_000),
    "2,000 nested mails": lambda: HEAD + b"Content-Type: message/rfc822\n\n" * 2_000 + b"Subject: x\n\n" + WORDS,
    "220 parts and words of odd charsets": _odd_charsets,
    "attachment of 27 MB": lambda: _attachment(27_000_000),
    "line of 20 MB": lambda: _mail(body=b"word " * 4_000_000 + b"\n"),
    "line of 20 MB without a blank": lambda: _mail(body=b"w" * 20_000_000 + b"\n"),
    "1,000,000 quoted lines": lambda: _mail(body=WORDS + b"> word\n" * 1_000_000),
    "100,000 attributions": lambda: _mail(body=b"On Mon, 1 Oct 2025 at 7:30, Ann <a@b.example> wrote:\n> x\ny\n" * 100_000),
    "1,000,000 empty lines": lambda: _mail(body=b"\n" * 1_000_000 + WORDS),
    "45 nested mails in quoted-printable": lambda: _nested_encoded(45, 5_000_000),
    "8,000 '<mailto:' without an end": lambda: _mail(body=b"<mailto:" * 8_000),
    "200 kB of accents on one letter": lambda: _mail(
        b"Content-Type: text/plain; charset=utf-8\n", b"a" + "\u0301\u0323\u0345".encode() * 33_000
    ),
    "signature mark and 200 kB without a blank": lambda: _mail(body=WORDS + b"--\nAnn\n" + b"w" * 200_000 + b"\n"),
    "2 MB of marks and accents": lambda: _mail(
        b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n", "e\u0301\u0323\u200b".encode() * 250_000
    ),
}
HTML_INPUTS: Final[dict[str, Callable[[], bytes]]] = {
    "HTML: 40,000 nested elements": lambda: _html(b"<div>" * 40_000 + b"deep" + b"</div>" * 40_000),
    "HTML: 60 parts of 15,000 nested elements": lambda: _multipart(
        b"--B\nContent-Type: text/html\n\n"
        + (b"<div>" * 15_000 + b"deep\n--B\nContent-Type: text/html\n\n") * 60
        + b"\n--B--\n"
    ),
    "HTML: 40,000 nested block quotes": lambda: _html(b"<blockquote>" * 40_000 + b"deep"),
    "HTML: 200,000 attributes in a tag": lambda: _html(
        b"<p " + b" ".join(b"a%d=x" % number for number in range(200_000)) + b">words</p>"
    ),
    "HTML: 300,000 cells": lambda: _html(b"<table><tr>" + b"<td>x</td>" * 300_000 + b"</tr></table>"),
    "HTML: 60,000 open comments": lambda: _html(b"<!--" * 60_000),
    "HTML: 60,000 comments": lambda: _html(b"<!-- x -->" * 60_000),
    "HTML: 100,000 unclosed formats": lambda: _html(b"<b><i><u><a>" * 25_000 + b"<p>x" * 4_000),
    "HTML: 1 MB of less-than signs": lambda: _html(b"<" * 1_000_000),
    "HTML: 1 MB of character references": lambda: _html(b"&#8203;&zwj;&amp" * 62_500),
}
INPUTS: Final = HEADER_INPUTS | BODY_INPUTS | HTML_INPUTS
