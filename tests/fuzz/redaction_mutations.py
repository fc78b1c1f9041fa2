"""Changes to a text that get at what finds names, numbers and addresses in it."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

from tests.fuzz.mutations import cut, delete, double, overwrite
from tests.fuzz.tokens import LETTERS

MOST_REPEATS: Final = 3_000

NAMES: Final = (
    *"""Mia
Mia Hofmann
MIA HOFMANN
mia's
Mias
Hofmann, Mia
Hofmann-Baker
Will
will
May
Zoë Müller
Zoe Mueller
Zoe\u0308
Amir bin Khalid
Jo
Anne-Marie O'Neill
Mary Kate van der Berg
van der
de la
Rosa
Omar Haddad
J.T.
K. Stroud
Dr. Yılmaz
H.P.Yilmaz+kita@praxis.example
Hans-Peter
Ms.
Mrs. Love
Frau
Herr Dr. med.
Señora
Madame
Dear
Liebe
Hallo
Hi
Thanks,
LG
Mit freundlichen Grüßen
my son
meine Tochter
mon fils
ihr Bruder
and
und
&
Ladybug Room
Elementary
Street
St. Mary's""".splitlines(),
)
THINGS: Final = (
    *"""a@example.com
a@b
anna.hofmann82@example.org
mailto:
https://example.com/a?b=c
www.example.com
example.com/
+49 30 1234567
(415) 555-0100
0171/1234567
555-0100
DE89 3704 0044 0532 0130 00
DE89370400440532013000
GB82 WEST 1234 5698 7654 32
4111 1111 1111 1111
12 Main Street, Apt. 4
Hauptstraße 12a
10115 Berlin
12, rue de la Paix
PO Box 123
Springfield, IL 62701
born 3/4/2021
geb. 03.04.2021
DOB:
2021-03-04
March 4, 2021
am 4. März 2021
customer no. 12345
Kundennummer: A-12345
policy #AB-99-1
case 4711
$12.50
9:30
98.9
[CHILD_1]
[
]
1
12
-
.
,
:
;
(
)
/
'
’
@
#
_""".splitlines(),
)
SIGNS: Final = (
    "\n",
    "\n\n",
    " ",
    "  ",
    "\t",
    "\x00",
    "\r",
    "\u2028",
    "> ",
    "-- \n",
    "A-",
    "a.",
    "1-",
    "1 ",
    "0",
    "+",
    "A",
    "Aa",
    "a ",
)
ALL_TOKENS: Final = (*NAMES, *THINGS, *SIGNS, *LETTERS, "ß", "İ", "ı", "Σ", "ﬁ", "Ǆ", "１２", "٣", "²", "ª", "ʼ", "\udcff")

Change = Callable[[bytes, random.Random], bytes]


class RedactionMutator:
    """Changes texts; `others` are texts from which pieces are taken."""

    def __init__(self, others: Sequence[bytes]) -> None:
        self.others = others

    def __call__(self, raw: bytes, draw: random.Random, most_bytes: int) -> bytes:
        """Make one to four changes, and cut what is too long."""
        for _ in range(draw.randint(1, 4)):
            raw = draw.choice((*CHANGES, self._splice))(raw, draw)[: 4 * most_bytes]
        return raw[:most_bytes]

    def _splice(self, raw: bytes, draw: random.Random) -> bytes:
        """Put a piece of another text in."""
        other = draw.choice(self.others) if self.others else b""
        start = draw.randint(0, len(other))
        return _insert(raw, draw, other[start : start + draw.choice((5, 30, 200))])


def insert_token(raw: bytes, draw: random.Random) -> bytes:
    """Put something that means something anywhere."""
    return _insert(raw, draw, _token(draw))


def insert_words(raw: bytes, draw: random.Random) -> bytes:
    """Put some of it one after the other between two words."""
    gap = draw.choice((b" ", b" ", b"\n", b"-", b", ", b""))
    piece = gap.join(_token(draw) for _ in range(draw.randint(2, 6)))
    place = raw.find(b" ", draw.randint(0, len(raw))) + 1
    return raw[:place] + piece + b" " + raw[place:]


def repeat(raw: bytes, draw: random.Random) -> bytes:
    """Repeat some of it many times: what takes quadratic time shows."""
    token = b"".join(_token(draw) for _ in range(draw.randint(1, 3)))
    return _insert(raw, draw, token * draw.choice((3, 10, 30, 100, 300, MOST_REPEATS)))


def change_case(raw: bytes, draw: random.Random) -> bytes:
    """Write a piece in another case."""
    return _rewrite(raw, draw, draw.choice((str.upper, str.lower, str.title, str.swapcase)))


def change_form(raw: bytes, draw: random.Random) -> bytes:
    """Write a piece in another form of Unicode."""
    form = draw.choice(("NFD", "NFKC", "NFKD", "NFC"))
    return _rewrite(raw, draw, lambda text: unicodedata.normalize(form, text))  # type: ignore[arg-type]


def spread(raw: bytes, draw: random.Random) -> bytes:
    """Put a sign between the letters of a piece."""
    sign = draw.choice((" ", ".", "-", "\u200b", "\n", "_", "'"))
    return _rewrite(raw, draw, sign.join)


CHANGES: Final[tuple[Change, ...]] = (
    *(insert_token, insert_token, insert_words, insert_words, insert_words, repeat, change_case, change_form, spread),
    *(double, delete, cut, overwrite),
)


def _token(draw: random.Random) -> bytes:
    return draw.choice(draw.choice((NAMES, THINGS, ALL_TOKENS))).encode("utf-8", "surrogateescape")


def _rewrite(raw: bytes, draw: random.Random, change: Callable[[str], str]) -> bytes:
    start = draw.randint(0, len(raw))
    end = start + draw.choice((3, 10, 50, 1000))
    piece = raw[start:end].decode("utf-8", "surrogateescape")
    return raw[:start] + change(piece).encode("utf-8", "surrogateescape") + raw[end:]


def _insert(raw: bytes, draw: random.Random, piece: bytes) -> bytes:
    place = draw.randint(0, len(raw))
    return raw[:place] + piece + raw[place:]
