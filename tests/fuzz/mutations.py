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

from tests.fuzz.tokens import ADDRESSES, ALL_TOKENS, CHARSETS, ENCODINGS, FIELDS, LINES, TAGS, TYPES, VALUES, WORDS

MOST_REPEATS: Final = 5_000

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
    return _insert(raw, draw, token * draw.choice((3, 10, 30, 100, 300, MOST_REPEATS)))


def double(raw: bytes, draw: random.Random) -> bytes:
    """Repeat a piece of the mail where it stands."""
    start, end = _span(raw, draw)
    return raw[:end] + raw[start:end] * draw.choice((1, 1, 1, 2, 5, 50)) + raw[end:]


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


def seal(raw: bytes, draw: random.Random) -> bytes:
    """Put the mail into an S/MIME envelope as signed data (RFC 5652), whole or in pieces, now and then with a broken length."""
    signed_data, data = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
    pieces = b"".join(_tagged(b"\x04", piece, draw) for piece in _pieces(raw, draw.choice((1000, 100_000))))
    content = draw.choice((_tagged(b"\x04", raw, draw), b"\x24\x80" + pieces + b"\0\0", _tagged(b"\x24", pieces, draw)))
    inner = b"\x30\x80" + data + draw.choice((b"\xa0\x80" + content + b"\0\0", _tagged(b"\xa0", content, draw))) + b"\0\0"
    envelope = b"\x30\x80" + signed_data + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00" + inner
    header = b"Content-Type: application/pkcs7-mime; name=smime.p7m" + draw.choice((b"; smime-type=signed-data", b""))
    return header + b"\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(envelope)


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
    *(add_field, fold_field, relabel_charset, retype, encode_body, recode_body, wrap, nest, seal, quote, change_line_ends),
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


def _tagged(tag: bytes, content: bytes, draw: random.Random) -> bytes:
    """Write an ASN.1 value with its length in four bytes, which is wrong one time in twenty."""
    length = len(content) if draw.random() < 0.95 else draw.getrandbits(16)
    return tag + b"\x84" + length.to_bytes(4, "big") + content


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]
