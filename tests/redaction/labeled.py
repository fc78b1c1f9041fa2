"""Texts in which every name and number is marked, and what a redactor did with them.

`validation`, `holdout` and `holdout2` are templates with slots and lists of what to put into them, written by three other hands
without a look at the redactor. It was measured on each once before anybody looked at what it missed there; after that it was
tuned on the first, on the addresses of the second, and not at all on the third. `holdout2+more` fills the third with other
addresses, phone numbers, dates and numbers, by a fourth hand. `sample` marks the sample mailbox by hand.
A thing is recalled if every letter and digit of it is masked. A word outside all marks that is masked is masked for nothing.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from cubbyd.demo.sample_mail import sample_mails, sample_roster
from cubbyd.message import parse
from cubbyd.message.model import Address
from cubbyd.redaction import Kind, Redactor, Roster, Span, parse_roster
from cubbyd.redaction.roster import Person

HERE = Path(__file__).parent
WRITTEN = date(2026, 11, 20)
DECOYS = 150
"""Other people on the roster of a made-up facility."""

NAMES = "NAME"
"""What people of every kind are counted as."""

_SLOT = re.compile(r"\{([a-z]+)(2?)(?:\.(first|last))?\}")
_KIND_OF_SLOT = {
    "child": NAMES, "sibling": NAMES, "parent": NAMES, "staff": NAMES, "other": NAMES,
    "email": "EMAIL", "phone": "PHONE", "iban": "IBAN", "url": "URL", "address": "ADDRESS", "birthdate": "BIRTHDATE", "id": "NUMBER",
}  # fmt: skip
_ROSTER_KIND = {"child": Kind.CHILD, "sibling": Kind.CHILD, "parent": Kind.PARENT, "staff": Kind.STAFF}
_PEOPLE = frozenset(("CHILD", "PARENT", "STAFF", "PERSON"))
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """One mail: its texts, and in each of them what is to be masked: start, end, kind."""

    name: str
    texts: tuple[str, ...]
    marks: tuple[tuple[tuple[int, int, str], ...], ...]
    people: tuple[Address, ...] = ()
    roster: Roster = field(default_factory=Roster)
    written: date | None = WRITTEN


@dataclass(slots=True)
class Score:
    """What was found of what was to be found."""

    wanted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    spans: Counter[str] = field(default_factory=Counter)
    right_spans: Counter[str] = field(default_factory=Counter)
    words: int = 0
    masked_for_nothing: int = 0
    mails: int = 0
    clean: int = 0
    leaks: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def recall(self, kind: str) -> float:
        """Give the share of the things of a kind that are masked whole."""
        return self.found[kind] / self.wanted[kind] if self.wanted[kind] else 1.0

    def precision(self, kind: str) -> float:
        """Give the share of the spans that were called a kind and touch something marked, whatever its kind."""
        return self.right_spans[kind] / self.spans[kind] if self.spans[kind] else 1.0

    @property
    def for_nothing(self) -> float:
        """Give the words masked for nothing in 1,000 words that are nobody's."""
        return 1000 * self.masked_for_nothing / max(1, self.words)

    def add(self, mail: Marked, spans: Sequence[Sequence[Span]], leaks: Sequence[str]) -> None:
        """Count one mail."""
        missed = 0
        for text, marks, some in zip(mail.texts, mail.marks, spans, strict=True):
            covered = bytearray(len(text))
            for span in some:
                covered[span.start : span.end] = b"\x01" * (span.end - span.start)
                kind = NAMES if span.kind in _PEOPLE else str(span.kind)
                self.spans[kind] += 1
                is_right = any(start < span.end and span.start < end for start, end, _ in marks)
                self.right_spans[kind] += is_right
                if not is_right:
                    self.wrong.append(f"{mail.name} {span.finder} {kind}: {text[span.start : span.end]!r}")
            wanted = bytearray(len(text))
            for start, end, kind in marks:
                wanted[start:end] = b"\x01" * (end - start)
                is_found = all(covered[place] for place in range(start, end) if text[place].isalnum())
                self.wanted[kind] += 1
                self.found[kind] += is_found
                missed += not is_found
                if not is_found:
                    self.missed.append(
                        f"{mail.name} {kind}: {text[max(0, start - 25) : start]!r} >{text[start:end]}< {text[end : end + 15]!r}"
                    )
            for word in _WORD.finditer(text):
                if not any(wanted[word.start() : word.end()]):
                    self.words += 1
                    self.masked_for_nothing += any(covered[word.start() : word.end()])
        self.mails += 1
        self.clean += not missed
        self.leaks += bool(leaks)


def measure(mails: Sequence[Marked], make: dict[str, Any]) -> Score:
    """Mask every mail with a redactor of its own roster; make says what it is made of: vocabulary, keep, roster, people."""
    score = Score()
    use_roster, use_people = make.get("roster", True), make.get("people", True)
    for mail in mails:
        redactor = Redactor(mail.roster if use_roster else None, make["vocabulary"], make.get("keep", ()))
        done = redactor.mask(mail.texts, mail.people if use_people else (), mail.written)
        score.add(mail, done.spans, done.leaks)
    return score


# --- templates -------------------------------------------------------------------------------------------------------


@cache
def _load(name: str) -> tuple[list[dict[str, str]], dict[str, dict[str, list[str]]]]:
    name, _, more = name.partition("+")
    folder = HERE / name
    lines = (folder / "templates.jsonl").read_text(encoding="utf-8").splitlines()
    pools = json.loads((folder / "pools.json").read_text(encoding="utf-8"))
    for language, lists in json.loads((folder / f"{more}.json").read_text(encoding="utf-8")).items() if more else ():
        pools[language] |= lists
    return [json.loads(line) for line in lines if line], pools


def from_templates(name: str, fills: int, seed: int = 0) -> list[Marked]:
    """Fill every template of a set several times; the same seed gives the same mails."""
    templates, pools = _load(name)
    chance = random.Random(f"{name} {seed}")
    return [_fill(template, pools[template["language"]], chance) for _ in range(fills) for template in templates]


def _fill(template: dict[str, str], pool: dict[str, list[str]], chance: random.Random) -> Marked:
    drawn: dict[str, str] = {}
    texts, marks = [], []
    for key in ("subject", "body"):
        text, found = _fill_text(template[key], pool, drawn, chance)
        texts.append(text)
        marks.append(found)
    known = {
        slot: name
        for slot, name in drawn.items()
        if slot.rstrip("2") in _KIND_OF_SLOT and _KIND_OF_SLOT[slot.rstrip("2")] == NAMES
    }
    return Marked(
        name=template["id"],
        texts=tuple(texts),
        marks=tuple(marks),
        people=(_sender(drawn, pool, chance), Address(name="", address="office@facility.example")),
        roster=_roster(known, pool, chance),
    )


def _fill_text(
    text: str, pool: dict[str, list[str]], drawn: dict[str, str], chance: random.Random
) -> tuple[str, tuple[tuple[int, int, str], ...]]:
    pieces, marks, size, position = [], [], 0, 0
    for match in _SLOT.finditer(text):
        before = text[position : match.start()]
        value = _value(match, pool, drawn, chance)
        size += len(before)
        marks.append((size, size + len(value), _KIND_OF_SLOT[match[1]]))
        size += len(value)
        pieces += [before, value]
        position = match.end()
    return "".join([*pieces, text[position:]]), tuple(marks)


def _value(match: re.Match[str], pool: dict[str, list[str]], drawn: dict[str, str], chance: random.Random) -> str:
    slot, part = match[1] + match[2], match[3]
    if slot not in drawn:
        if _KIND_OF_SLOT[match[1]] != NAMES:
            drawn[slot] = chance.choice(pool[match[1]])
        elif match[1] in ("sibling", "parent") and "child" in drawn and chance.random() < 0.7:
            drawn[slot] = f"{chance.choice(pool['first'])}\t{drawn['child'].split(chr(9))[1]}"
        else:
            drawn[slot] = f"{chance.choice(pool['first'])}\t{chance.choice(pool['last'])}"
    first, _, last = drawn[slot].partition("\t")
    return {"first": first, "last": last}.get(part or "", drawn[slot].replace("\t", " "))


def _sender(drawn: dict[str, str], pool: dict[str, list[str]], chance: random.Random) -> Address:
    """Seven of ten mails have their sender's name in the header, which is a parent's where the text has one."""
    if chance.random() < 0.3:
        return Address(name="", address=f"user{chance.randrange(10_000)}@mail.example")
    name = drawn.get("parent") or f"{chance.choice(pool['first'])}\t{chance.choice(pool['last'])}"
    return Address(name=name.replace("\t", " "), address=f"user{chance.randrange(10_000)}@mail.example")


def _roster(known: dict[str, str], pool: dict[str, list[str]], chance: random.Random) -> Roster:
    """Put children, parents and staff of the mail on the roster, not third persons, and strangers beside them."""
    people = [
        Person(name.replace("\t", " "), _ROSTER_KIND[slot.rstrip("2")])
        for slot, name in known.items()
        if slot.rstrip("2") in _ROSTER_KIND
    ]
    strangers = {word for slot, name in known.items() if slot.startswith("other") for word in name.split("\t")}
    first = [name for name in pool["first"] if name not in strangers]
    last = [name for name in pool["last"] if name not in strangers]
    people += [
        Person(f"{chance.choice(first)} {chance.choice(last)}", chance.choice(list(_ROSTER_KIND.values())))
        for _ in range(DECOYS)
    ]
    return Roster(tuple(people))


# --- the sample mailbox, marked by hand ------------------------------------------------------------------------------


def from_sample() -> list[Marked]:
    """Read the mails and examples of the sample mailbox with the marks that a person gave them."""
    roster = parse_roster(sample_roster(), "roster.txt")
    raw = {mail.file: mail.raw for mail in sample_mails()}
    mails = []
    for line in (HERE / "sample" / "marks.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        message = parse(raw[entry["file"]])
        texts = (message.subject, message.text, message.quoted, message.signature, *(one.name for one in message.attachments))
        people = (message.sender, *message.to, *message.cc, *message.reply_to)
        written = message.date.date() if message.date else None
        mails.append(_marked(entry["file"], texts, entry["marks"], people, roster, written))
    return mails + list(_examples(roster))


def _examples(roster: Roster) -> Iterator[Marked]:
    from importlib.resources import files

    examples = (files("cubbyd.demo") / "sample" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    for line in (HERE / "sample" / "example_marks.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        example = json.loads(examples[entry["line"] - 1])
        yield _marked(f"example {entry['line']}", (example["subject"], example["body"]), entry["marks"], (), roster, WRITTEN)


def _marked(
    name: str,
    texts: tuple[str, ...],
    marks: list[dict[str, str]],
    people: tuple[Address, ...],
    roster: Roster,
    written: date | None,
) -> Marked:
    found = []
    for text in texts:
        spans: list[tuple[int, int, str]] = []
        for mark in sorted(marks, key=lambda mark: -len(mark["text"])):
            kind = NAMES if mark["kind"] in _PEOPLE else {"ID": "NUMBER"}.get(mark["kind"], mark["kind"])
            for match in re.finditer(rf"(?<![^\W_]){re.escape(mark['text'])}(?![^\W_])", text):
                if not any(start < match.end() and match.start() < end for start, end, _ in spans):
                    spans.append((match.start(), match.end(), kind))
        found.append(tuple(sorted(spans)))
    return Marked(name=name, texts=texts, marks=tuple(found), people=people, roster=roster, written=written)


def by_language(mails: Sequence[Marked]) -> dict[str, list[Marked]]:
    """Group mails by the language that their template's name begins with."""
    groups: dict[str, list[Marked]] = defaultdict(list)
    for mail in mails:
        groups[mail.name[:2]].append(mail)
    return groups
