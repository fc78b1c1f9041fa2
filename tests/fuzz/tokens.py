"""What means something to a parser of mail, of HTML, of quotes: the pieces that changed mails are made of."""

from __future__ import annotations

from typing import Final

CHARSETS: Final = (
    *rb"""utf-8
us-ascii
iso-8859-1
iso-8859-15
windows-1252
koi8-r
windows-1251
mac-roman
utf-7
utf-16
utf-16le
utf-32
utf-8-sig
iso-2022-jp
iso-2022-kr
shift_jis
euc-jp
gb2312
gb18030
hz-gb-2312
big5
euc-kr
cp437
cp037
unknown-8bit
x-unknown
idna
punycode
rot13
zlib_codec
base64
unicode_escape
undefined
mbcs""".splitlines(),
    b"",
    b"\xff",
)
ENCODINGS: Final = (
    *rb"""base64
quoted-printable
7bit
8bit
binary
x-uuencode
uuencode
x-yencode
8-bit
base64;
BASE64 (c)
utf-8""".splitlines(),
    b"",
)
TYPES: Final = (
    *rb"""text/plain
text/html
text/enriched
text/calendar; method=REQUEST
text/rfc822-headers
multipart/mixed; boundary=B
multipart/alternative; boundary=B
multipart/related; boundary=C
multipart/digest; boundary=B
multipart/report; report-type=delivery-status; boundary=B
multipart/signed; protocol="application/pgp-signature"; boundary=B
multipart/encrypted; boundary=B
message/rfc822
message/global
message/delivery-status
message/partial
message/external-body
application/ms-tnef; name=winmail.dat
application/pkcs7-mime; smime-type=signed-data; name=smime.p7m
application/octet-stream; name*0*=utf-8''a%20; name*1=b.pdf
image/png
multipart/
/
text""".splitlines(),
    b"",
)
WORDS: Final = (
    *rb"""=?utf-8?q?Gr=C3=BC=C3=9Fe?=
=?utf-8?B?w7w=?=
=?iso-8859-1*de?Q?=FC_=E4?=
=?gb2312?B?1tA=?=
=?utf-8?q?=C3?= =?utf-8?q?=BC?=
=?x-unknown?q?a?=
=?utf-8?x?a?=
=?utf-8?b?
=?
?=
=?iso-2022-jp?B?GyRCJDMbKEI=?=
=?utf-7?q?+AGE-?=
=?utf-16?b?AGE=?=""".splitlines(),
)
ADDRESSES: Final = (
    *rb"""Ann Example <ann@example.com>
"Berg, Anna" <a@example.com>
Group: a@example.com, b@example.com;
<>
a@example.com (Ann (nested) Example)
<<a@example.com>>
(
a@b@c
mailto:a@example.com
Berg, A <a@b>
undisclosed-recipients:;
"\
=?utf-8?q?A=2C_B?= <a@example.com>
'a@example.com'""".splitlines(),
    b'"',
)
FIELDS: Final = (
    *rb"""From
To
Cc
Reply-To
Sender
Subject
Date
Message-ID
References
In-Reply-To
Content-Type
Content-Transfer-Encoding
Content-Disposition
Content-ID
Content-Location
Content-Language
List-Id
List-Unsubscribe
Precedence
Auto-Submitted
X-Autoreply
X-Failed-Recipients
Return-Path
MIME-Version
Received
content-type""".splitlines(),
    b"XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
    b"Subject ",
)
VALUES: Final = (
    *rb"""Fri, 20 Nov 2026 09:30:00 +0000
99 Foo 99999 99:99:99 +9999
Thu, 1 Jan 1970
0
<1@example.com> <2@example.com>
auto-replied
bulk
list
<list.example.com>
attachment; filename=a.pdf
attachment; filename*=iso-8859-1''%FC.pdf
Re: Fwd: AW: [list] WG: x
[Fwd: x]
;;;;""".splitlines(),
    b'inline; filename="=?utf-8?q?=C3=BC?="',
    b"\xfc\xe4 \xe2\x82\xac",
    b"\x00",
)
TAGS: Final = (
    *rb"""<p>
</p>
<div>
</div>
<br>
<table><tr><td>
</td></tr></table>
<li>
<ul>
<pre>
</pre>
<blockquote>
</blockquote>
<blockquote type="cite">
<div class="gmail_quote">
<div class="gmail_signature">
<div style="display:none">
<span hidden>
<div style="font-size:0">
<img alt="words" width=1>
<img alt="a b c">
<!--
-->
<![CDATA[
<!--[if mso]>
<![endif]-->
<style>
</style>
<script>
<title>
<textarea>
<template>
<svg>
<math>
<noscript>
<plaintext>
<frameset>
<a href='x'>
</a>
<o:p>&nbsp;</o:p>
&nbsp;
&#0;
&#xD800;
&zwj;
&#x202e;
&amp
&shy;
<
</
<a b='
<p style="white-space:pre">
<meta charset="utf-16">
<base>
<select><option>
<h1>
<hr>
<body>
</html>""".splitlines(),
    b'"',
    b"<x y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y y>",
)
LINES: Final = (
    *rb"""--
--B
--B--
--C
On Mon, 1 Oct 2025 at 7:30, Ann <a@example.com> wrote:
Am 1.10.25 schrieb Ann:
-----Original Message-----
---------- Forwarded message ---------
Begin forwarded message:
From: Ann
Von: Ann
Sent: Monday
Gesendet: Montag
To: Kelly
An: Kelly
Subject: x
Betreff: x
________________________________
********************
Sent from my iPhone
Thanks,
Mit freundlichen
> > x
>
| x
A> x
GR>
=> x
begin 644 a.txt
#0V%T
`
end
=ybegin line=128 size=1 name=a
=yend size=1
(This file must be converted with BinHex 4.0)
:
-----BEGIN PGP MESSAGE-----
-----END PGP MESSAGE-----
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256
-----BEGIN PGP SIGNATURE-----
[CHILD_1]
<mail>
<|a|>
CAUTION: This email originated from outside
Unsubscribe: https://example.com/u
list mailing list
Virus-free. www.x.com
BEGIN:VCALENDAR
BEGIN:VEVENT
DTSTART;TZID=Europe/Berlin:20261124T090000
DTEND:20261124T100000Z
SUMMARY:x\, y
RRULE:FREQ=DAILY
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
This e-mail and any attachments are confidential.
>From x
Final-Recipient: rfc822; a@example.com
Action: failed""".splitlines(),
    b"-- ",
    b"Le lun. 1 oct. 2025, Ann a \xc3\xa9crit :",
    b"El lun, 1 oct 2025, Ann escribi\xc3\xb3:",
    b"- -- ",
    b" folded",
    b"\ttab",
    b"",
    b" ",
    b"From ",
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
