"""Changes to a mail that get past the first line of a parser: they know headers, boundaries, encodings, charsets and HTML.

`Mutator` is a pure function of its arguments and the given random numbers, so that a seed is enough to repeat a mail.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import random
import re
from collections.abc import Callable, Sequence
from typing import Final

MOST_REPEATS: Final = 5_000

CHARSETS: Final = (
    *(b"utf-8", b"us-ascii", b"iso-8859-1", b"iso-8859-15", b"windows-1252", b"koi8-r", b"windows-1251", b"mac-roman"),
    *(b"utf-7", b"utf-16", b"utf-16le", b"utf-32", b"utf-8-sig", b"iso-2022-jp", b"iso-2022-kr", b"shift_jis", b"euc-jp"),
    *(b"gb2312", b"gb18030", b"hz-gb-2312", b"big5", b"euc-kr", b"cp437", b"cp037", b"unknown-8bit", b"x-unknown"),
    *(b"idna", b"punycode", b"rot13", b"zlib_codec", b"base64", b"unicode_escape", b"undefined", b"mbcs", b"", b"\xff"),
)
ENCODINGS: Final = (
    *(b"base64", b"quoted-printable", b"7bit", b"8bit", b"binary", b"x-uuencode", b"uuencode", b"x-yencode", b"8-bit"),
    *(b"base64;", b"BASE64 (c)", b"", b"utf-8"),
)
TYPES: Final = (
    *(b"text/plain", b"text/html", b"text/enriched", b"text/calendar; method=REQUEST", b"text/rfc822-headers"),
    *(b"multipart/mixed; boundary=B", b"multipart/alternative; boundary=B", b"multipart/related; boundary=C"),
    *(b"multipart/digest; boundary=B", b"multipart/report; report-type=delivery-status; boundary=B"),
    *(b'multipart/signed; protocol="application/pgp-signature"; boundary=B', b"multipart/encrypted; boundary=B"),
    *(b"message/rfc822", b"message/global", b"message/delivery-status", b"message/partial", b"message/external-body"),
    *(b"application/ms-tnef; name=winmail.dat", b"application/pkcs7-mime; smime-type=signed-data; name=smime.p7m"),
    *(b"application/octet-stream; name*0*=utf-8''a%20; name*1=b.pdf", b"image/png", b"multipart/", b"/", b"text", b""),
)
WORDS: Final = (
    *(b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", b"=?utf-8?B?w7w=?=", b"=?iso-8859-1*de?Q?=FC_=E4?=", b"=?gb2312?B?1tA=?="),
    *(b"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", b"=?x-unknown?q?a?=", b"=?utf-8?x?a?=", b"=?utf-8?b?", b"=?", b"?="),
    *(b"=?iso-2022-jp?B?GyRCJDMbKEI=?=", b"=?utf-7?q?+AGE-?=", b"=?utf-16?b?AGE=?="),
)
ADDRESSES: Final = (
    *(b"Ann Example <ann@example.com>", b'"Berg, Anna" <a@example.com>', b"Group: a@example.com, b@example.com;", b"<>"),
    *(
        b"a@example.com (Ann (nested) Example)",
        b"<<a@example.com>>",
        b'"',
        b"(",
        b"a@b@c",
        b"mailto:a@example.com",
        b"Berg, A <a@b>",
    ),
    *(b"undisclosed-recipients:;", b'"\\', b"=?utf-8?q?A=2C_B?= <a@example.com>", b"'a@example.com'"),
)
FIELDS: Final = (
    *(b"From", b"To", b"Cc", b"Reply-To", b"Sender", b"Subject", b"Date", b"Message-ID", b"References", b"In-Reply-To"),
    *(
        b"Content-Type",
        b"Content-Transfer-Encoding",
        b"Content-Disposition",
        b"Content-ID",
        b"Content-Location",
        b"Content-Language",
    ),
    *(
        b"List-Id",
        b"List-Unsubscribe",
        b"Precedence",
        b"Auto-Submitted",
        b"X-Autoreply",
        b"X-Failed-Recipients",
        b"Return-Path",
    ),
    *(b"MIME-Version", b"Received", b"X" * 101, b"Subject ", b"content-type"),
)
VALUES: Final = (
    *(
        b"Fri, 20 Nov 2026 09:30:00 +0000",
        b"99 Foo 99999 99:99:99 +9999",
        b"Thu, 1 Jan 1970",
        b"0",
        b"<1@example.com> <2@example.com>",
    ),
    *(
        b"auto-replied",
        b"bulk",
        b"list",
        b"<list.example.com>",
        b"attachment; filename=a.pdf",
        b'inline; filename="=?utf-8?q?=C3=BC?="',
    ),
    *(
        b"attachment; filename*=iso-8859-1''%FC.pdf",
        b"Re: Fwd: AW: [list] WG: x",
        b"[Fwd: x]",
        b"\xfc\xe4 \xe2\x82\xac",
        b";;;;",
        b"\x00",
    ),
)
TAGS: Final = (
    *(
        b"<p>",
        b"</p>",
        b"<div>",
        b"</div>",
        b"<br>",
        b"<table><tr><td>",
        b"</td></tr></table>",
        b"<li>",
        b"<ul>",
        b"<pre>",
        b"</pre>",
    ),
    *(
        b"<blockquote>",
        b"</blockquote>",
        b'<blockquote type="cite">',
        b'<div class="gmail_quote">',
        b'<div class="gmail_signature">',
    ),
    *(
        b'<div style="display:none">',
        b"<span hidden>",
        b'<div style="font-size:0">',
        b'<img alt="words" width=1>',
        b'<img alt="a b c">',
    ),
    *(
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"<!--[if mso]>",
        b"<![endif]-->",
        b"<style>",
        b"</style>",
        b"<script>",
        b"<title>",
        b"<textarea>",
    ),
    *(
        b"<template>",
        b"<svg>",
        b"<math>",
        b"<noscript>",
        b"<plaintext>",
        b"<frameset>",
        b"<a href='x'>",
        b"</a>",
        b"<o:p>&nbsp;</o:p>",
    ),
    *(
        b"&nbsp;",
        b"&#0;",
        b"&#xD800;",
        b"&zwj;",
        b"&#x202e;",
        b"&amp",
        b"&shy;",
        b"<",
        b"</",
        b"<a b='",
        b'"',
        b"<x" + b" y" * 50 + b">",
    ),
    *(
        b'<p style="white-space:pre">',
        b'<meta charset="utf-16">',
        b"<base>",
        b"<select><option>",
        b"<h1>",
        b"<hr>",
        b"<body>",
        b"</html>",
    ),
)
LINES: Final = (
    *(
        b"--",
        b"-- ",
        b"--B",
        b"--B--",
        b"--C",
        b"On Mon, 1 Oct 2025 at 7:30, Ann <a@example.com> wrote:",
        b"Am 1.10.25 schrieb Ann:",
    ),
    *(b"Le lun. 1 oct. 2025, Ann a \xc3\xa9crit :", b"El lun, 1 oct 2025, Ann escribi\xc3\xb3:", b"-----Original Message-----"),
    *(
        b"---------- Forwarded message ---------",
        b"Begin forwarded message:",
        b"From: Ann",
        b"Von: Ann",
        b"Sent: Monday",
        b"Gesendet: Montag",
    ),
    *(
        b"To: Kelly",
        b"An: Kelly",
        b"Subject: x",
        b"Betreff: x",
        b"_" * 32,
        b"*" * 20,
        b"Sent from my iPhone",
        b"Thanks,",
        b"Mit freundlichen",
    ),
    *(
        b"> > x",
        b">",
        b"| x",
        b"A> x",
        b"GR>",
        b"=> x",
        b"begin 644 a.txt",
        b"#0V%T",
        b"`",
        b"end",
        b"=ybegin line=128 size=1 name=a",
    ),
    *(
        b"=yend size=1",
        b"(This file must be converted with BinHex 4.0)",
        b":",
        b"-----BEGIN PGP MESSAGE-----",
        b"-----END PGP MESSAGE-----",
    ),
    *(
        b"-----BEGIN PGP SIGNED MESSAGE-----",
        b"Hash: SHA256",
        b"-----BEGIN PGP SIGNATURE-----",
        b"- -- ",
        b"[CHILD_1]",
        b"<mail>",
        b"<|a|>",
    ),
    *(
        b"CAUTION: This email originated from outside",
        b"Unsubscribe: https://example.com/u",
        b"list mailing list",
        b"Virus-free. www.x.com",
    ),
    *(
        b"BEGIN:VCALENDAR",
        b"BEGIN:VEVENT",
        b"DTSTART;TZID=Europe/Berlin:20261124T090000",
        b"DTEND:20261124T100000Z",
        b"SUMMARY:x\\, y",
    ),
    *(b"RRULE:FREQ=DAILY", b"STATUS:CANCELLED", b"END:VEVENT", b"END:VCALENDAR", b" folded", b"\ttab", b"", b" ", b"x" * 80),
    *(
        b"This e-mail and any attachments are confidential.",
        b"From ",
        b">From x",
        b"Final-Recipient: rfc822; a@example.com",
        b"Action: failed",
    ),
)
LETTERS: Final = (
    *(
        "\u00fc",
        "e\u0301",
        "\u0301",
        "\u200b",
        "\u202e",
        "\ufeff",
        "\u00ad",
        "\u3164",
        "\U000e0041",
        "\uff3bCHILD\uff3f1\uff3d",
        "\u2028",
    ),
    *(
        "\u0085",
        "\u00a0",
        "\U0001f600\u200d",
        "\u05d0",
        "\u4e2d",
        "\ufb01",
        "\u1100\u1161",
        "\u2126",
        "\ufffe",
        "\x1b$B",
        "\x0e",
        "\x00",
    ),
)
ALL_TOKENS: Final = (
    *CHARSETS,
    *ENCODINGS,
    *TYPES,
    *WORDS,
    *ADDRESSES,
    *VALUES,
    *TAGS,
    *LINES,
    *(letter.encode() for letter in LETTERS),
    *(letter.encode("utf-16-le") for letter in LETTERS),
    *(
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b";",
        b":",
        b"=",
        b"> ",
        b"\\",
        b"\xff\xfe",
        b"\xc3",
        b"\xe2\x82",
        b"=C3",
        b"=\n",
        b"+AGE-",
    ),
)

Change = Callable[[bytes, random.Random], bytes]


class Mutator:
    """Changes mails; `others` are mails from which pieces are taken."""

    def __init__(self, others: Sequence[bytes]) -> None:
        self.others = others

    def __call__(self, raw: bytes, draw: random.Random, most_bytes: int) -> bytes:
        """Make one to four changes, and cut what is too long."""
        for _ in range(draw.randint(1, 4)):
            raw = draw.choice((*CHANGES, self._splice))(raw, draw)[: 4 * most_bytes]
        return raw[:most_bytes]

    def _splice(self, raw: bytes, draw: random.Random) -> bytes:
        """Put lines of another mail in."""
        lines = draw.choice(self.others).splitlines(keepends=True) if self.others else []
        start = draw.randint(0, len(lines))
        return _insert_line(raw, draw, b"".join(lines[start : start + draw.randint(1, 20)]))


def insert_token(raw: bytes, draw: random.Random) -> bytes:
    """Put something that means something to a parser anywhere."""
    return _insert(raw, draw, draw.choice(ALL_TOKENS))


def insert_lines(raw: bytes, draw: random.Random) -> bytes:
    """Put lines that mean something to what splits texts between the lines."""
    return _insert_line(raw, draw, b"".join(line + b"\n" for line in draw.choices(LINES, k=draw.randint(1, 6))))


def insert_tags(raw: bytes, draw: random.Random) -> bytes:
    """Put tags into the text, with or without words between them."""
    return _insert(raw, draw, draw.choice((b"", b" ", b"word ", b"\n")).join(draw.choices(TAGS, k=draw.randint(1, 8))))


def repeat(raw: bytes, draw: random.Random) -> bytes:
    """Repeat a token or a few of them many times: what takes quadratic time shows."""
    token = b"".join(draw.choices(ALL_TOKENS, k=draw.randint(1, 3)))
    return _insert(raw, draw, token * draw.choice((10, 100, 1000, MOST_REPEATS)))


def double(raw: bytes, draw: random.Random) -> bytes:
    """Repeat a piece of the mail where it stands."""
    start, end = _span(raw, draw)
    return raw[:end] + raw[start:end] * draw.choice((1, 1, 2, 10, 200)) + raw[end:]


def delete(raw: bytes, draw: random.Random) -> bytes:
    """Leave a piece out."""
    start, end = _span(raw, draw)
    return raw[:start] + raw[end:]


def cut(raw: bytes, draw: random.Random) -> bytes:
    """Cut the mail off, as a fetch of its head does."""
    return raw[: draw.randint(0, len(raw))]


def overwrite(raw: bytes, draw: random.Random) -> bytes:
    """Put bytes that mean nothing over some others."""
    place = draw.randint(0, len(raw))
    noise = draw.randbytes(draw.randint(1, 8))
    return raw[:place] + noise + raw[place + len(noise) :]


def add_field(raw: bytes, draw: random.Random) -> bytes:
    """Put a header field in front."""
    return _field(draw) + raw


def fold_field(raw: bytes, draw: random.Random) -> bytes:
    """Fold a line of the header, or unfold one."""
    head, gap, body = raw.partition(b"\n\n")
    places = [place.start() for place in re.finditer(b" " if draw.random() < 0.5 else rb"\n[ \t]", head)]
    if not places:
        return raw
    place = draw.choice(places)
    fold = draw.choice((b"\n ", b"\n\t", b"\n \n ", b" ", b"\r\n "))
    return head[:place] + fold + head[place + 1 :] + gap + body


def relabel_charset(raw: bytes, draw: random.Random) -> bytes:
    """Let a charset label lie: of a part, of an encoded word."""
    charset = draw.choice(CHARSETS)
    if draw.random() < 0.5:
        return re.sub(rb"""(charset=["']?)[\w.:-]*""", lambda found: found[1] + charset, raw, count=1)
    return re.sub(rb"=\?[\w.:-]+\?", lambda _: b"=?" + charset + b"?", raw, count=1)


def retype(raw: bytes, draw: random.Random) -> bytes:
    """Let a part call itself something else."""
    kind = draw.choice(TYPES)
    return re.sub(rb"(?i)(content-type:[ \t]*)[^\n;]*", lambda found: found[1] + kind, raw, count=draw.randint(1, 3))


def encode_body(raw: bytes, draw: random.Random) -> bytes:
    """Give the body a transfer encoding, and say so; now and then say another one."""
    head, _, body = raw.partition(b"\n\n")
    encodings: dict[bytes, Callable[[bytes], bytes]] = {
        b"base64": base64.encodebytes,
        b"quoted-printable": quopri.encodestring,
        b"x-uuencode": lambda data: b"begin 644 a\n" + b"".join(map(binascii.b2a_uu, _pieces(data, 45))) + b"`\nend\n",
    }
    label, encode = draw.choice(list(encodings.items()))
    if draw.random() < 0.2:
        label = draw.choice(ENCODINGS)
    return head + b"\nContent-Transfer-Encoding: " + label + b"\n\n" + encode(body)


def recode_body(raw: bytes, draw: random.Random) -> bytes:
    """Write the body in another charset, and say so; now and then say another one."""
    head, _, body = raw.partition(b"\n\n")
    charset = draw.choice(
        ("utf-16", "utf-7", "iso-2022-jp", "gb18030", "hz", "shift_jis", "utf-32", "cp1252", "euc_kr", "utf-8-sig")
    )
    label = charset.encode() if draw.random() < 0.8 else draw.choice(CHARSETS)
    data = body.decode("utf-8", "replace").encode(charset, "replace")
    head = re.sub(rb"(?im)^content-(?:type|transfer-encoding):[^\n]*\n(?:[ \t][^\n]*\n)*", b"", head + b"\n")
    kind = draw.choice((b"text/plain", b"text/html"))
    data = base64.encodebytes(data)
    return head + b"Content-Type: " + kind + b"; charset=" + label + b"\nContent-Transfer-Encoding: base64\n\n" + data


def wrap(raw: bytes, draw: random.Random) -> bytes:
    """Make the mail a part of another: attached, or one of several."""
    inner = draw.choice((b"Content-Type: message/rfc822\n\n" + raw, raw))
    others = b"".join(
        b"--B\nContent-Type: "
        + draw.choice(TYPES)
        + b"\n"
        + _field(draw)
        + b"\n"
        + draw.choice(LINES)
        + b"\n"
        + draw.choice(TAGS)
        + b"\n"
        for _ in range(draw.randint(0, 3))
    )
    parts = [others, b"--B\n" + inner + b"\n"]
    draw.shuffle(parts)
    kind = draw.choice((b"mixed", b"alternative", b"related", b"digest", b"report", b"signed", b"encrypted", b"x"))
    header = b"From: a@example.com\nContent-Type: multipart/" + kind + b"; boundary=B\n\n"
    return header + b"".join(parts) + draw.choice((b"--B--\n", b""))


def nest(raw: bytes, draw: random.Random) -> bytes:
    """Put the mail into many multiparts or attached mails, one in the other."""
    depth = draw.choice((2, 10, 60, 300))
    if draw.random() < 0.5:
        return b"Content-Type: message/rfc822\n\n" * depth + raw
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(depth)) + raw


def quote(raw: bytes, draw: random.Random) -> bytes:
    """Quote the end of the body as a reply does."""
    lines = raw.splitlines()
    start = draw.randint(0, len(lines))
    mark = draw.choice((b"> ", b">", b"> > ", b"| ", b"A> ", b"=> ", b" > "))
    return b"\n".join((*lines[:start], draw.choice(LINES), *(mark + line for line in lines[start:])))


def change_line_ends(raw: bytes, draw: random.Random) -> bytes:
    """Write other line ends, everywhere or in some places."""
    end = draw.choice((b"\r\n", b"\r", b"\n\r", b"\x0b", b"\xe2\x80\xa8", b" \n"))
    return raw.replace(b"\n", end, draw.choice((-1, 1, 3)))


CHANGES: Final[tuple[Change, ...]] = (
    *(insert_token, insert_token, insert_lines, insert_lines, insert_tags, insert_tags, repeat, double, delete, cut, overwrite),
    *(add_field, fold_field, relabel_charset, retype, encode_body, recode_body, wrap, nest, quote, change_line_ends),
)


def _field(draw: random.Random) -> bytes:
    name = draw.choice(FIELDS)
    value = b" ".join(draw.choice(draw.choice((TYPES, WORDS, ADDRESSES, VALUES, ENCODINGS))) for _ in range(draw.randint(1, 3)))
    return name + b": " + value + b"\n"


def _insert(raw: bytes, draw: random.Random, piece: bytes) -> bytes:
    place = draw.randint(0, len(raw))
    return raw[:place] + piece + raw[place:]


def _insert_line(raw: bytes, draw: random.Random, piece: bytes) -> bytes:
    place = raw.find(b"\n", draw.randint(0, len(raw))) + 1
    return raw[:place] + piece + raw[place:]


def _span(raw: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randint(0, len(raw))
    return start, min(len(raw), start + draw.choice((1, 4, 20, 100, 1000)))


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]
