"""The digest: a mail that says in plain words what became of the mail of a day or a week, and what needs a person.

Counts alone: no subject, sender or text of anybody's mail is in it, because the state file has none. Pure, but for `gather`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final
from uuid import uuid4

from cubbyd import __version__
from cubbyd.config import Backlog, Config
from cubbyd.filing import Hold
from cubbyd.journal import Ends, Expense, Journal, Moves
from cubbyd.lifecycle import State
from cubbyd.message.own import DIGEST_FIELD
from cubbyd.service.due import zone_of
from cubbyd.service.duration import age
from cubbyd.service.view import MailboxView, look_at

DOMAIN: Final = "cubbyd.invalid"
"""A domain that nobody can have (RFC 6761, 6.4): an answer to a digest goes nowhere."""

REASONS: Final[Mapping[str, str]] = {
    Hold.UNSURE: "the classifier was not sure enough",
    Hold.EMPTY: "nothing to read in it",
    Hold.UNKNOWN: "its category is no longer configured",
    Hold.TAKEN_BACK: "had been taken back by an undo",
    Hold.DIGEST: "a digest of cubbyd",
}
ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
ASKED: Final = "a rule or the classifier asks for a person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a digest is made of."""

    view: MailboxView
    """The mailbox as it is now."""
    since: datetime
    until: datetime
    now: datetime
    ends: Ends
    expense: Expense
    held_in_inbox: int
    """Mails that were left to people and have not been seen to leave the inbox, whenever that was."""
    names: Mapping[str, str]
    """The categories' names by id."""
    files_old_mail: bool
    zone: tzinfo | None
    """In which times are said; None: this machine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A heading, with counts or sentences below it."""

    title: str
    counts: Sequence[tuple[str, int]] = ()
    sentences: Sequence[str] = ()


def gather(
    config: Config, journal: Journal, name: str, since: datetime, until: datetime, now: datetime, *, is_running: bool = True
) -> Facts:
    """Read what became of the mail of a mailbox in [since, until), and how it stands now. Raises StateError."""
    return Facts(
        view=look_at(journal, config, name, now, is_running=is_running),
        since=since,
        until=until,
        now=now,
        ends=journal.tally.ends(name, since, until),
        expense=journal.tally.expense(name, since, until),
        held_in_inbox=journal.tally.held_in_inbox(name),
        names={category.id: category.name for category in config.taxonomy},
        files_old_mail=config.filing.backlog is not Backlog.IGNORE,
        zone=zone_of(config.digest),
    )


def compose(facts: Facts, recipient: str) -> bytes:
    """Write the mail: RFC 5322, plain text with an HTML alternative. The recipient is named where it is an address."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = f"cubbyd <cubbyd@{DOMAIN}>"
    if ADDRESS.fullmatch(recipient):
        mail["To"] = recipient
    mail["Subject"] = subject_of(facts)
    mail["Date"] = format_datetime(facts.now)
    mail["Message-ID"] = f"<digest.{uuid4().hex}@{DOMAIN}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's vacation notice answers it
    mail[DIGEST_FIELD] = __version__
    mail.set_content(as_text(facts))
    mail.add_alternative(as_html(facts), subtype="html")
    return mail.as_bytes()


def subject_of(facts: Facts) -> str:
    """Say the most important in one line."""
    filed, held = sum(facts.ends.filed.values()), sum(facts.ends.held.values())
    needs = len(list(_needs(facts)))
    person = "1 thing needs a person" if needs == 1 else f"{needs or 'nothing'} {'things need' if needs else 'needs'} a person"
    return f"cubbyd, {facts.view.name}: {filed:,} filed, {held:,} held, {person}"


def as_text(facts: Facts) -> str:
    """Write it for any mail client, and for a terminal."""
    lines = [_title(facts), _span(facts)]
    for part in parts_of(facts):
        lines += ["", part.title.upper()]
        width = max((len(name) for name, _ in part.counts), default=0)
        lines += [f"  {name.ljust(width)}  {count:>7,}" for name, count in part.counts]
        lines += [f"  {sentence}" for sentence in part.sentences]
    return "\n".join([*lines, "", f"-- \ncubbyd {__version__}", ""])


def as_html(facts: Facts) -> str:
    """Write it as simple HTML: no picture, no link, no script."""
    body = [f'<h1 style="font-size:20px">{escape(_title(facts))}</h1><p>{escape(_span(facts))}</p>']
    cell = "padding:2px 24px 2px 0"
    for part in parts_of(facts):
        rows = "".join(
            f'<tr><td style="{cell}">{escape(name)}</td><td style="padding:2px 0;text-align:right">{count:,}</td></tr>'
            for name, count in part.counts
        )
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in part.sentences)
        table = f'<table style="border-collapse:collapse">{rows}</table>' if rows else ""
        body.append(f'<h2 style="font-size:16px;margin:24px 0 4px">{escape(part.title)}</h2>{table}{said}')
    style = "font-family:sans-serif;font-size:14px;line-height:1.5;max-width:640px"
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>cubbyd</title></head><body style="{style}">'
        f'{"".join(body)}<p style="color:#666666;margin-top:32px">cubbyd {escape(__version__)}</p></body></html>'
    )


def parts_of(facts: Facts) -> list[Part]:
    """Say everything, what needs a person first."""
    ends, needs = facts.ends, list(_needs(facts))
    held = _by_reason(ends.held)
    filed = [(facts.names.get(category, f"{category} (no longer configured)"), count) for category, count in ends.filed.items()]
    corrected = [
        *((_said(facts, one), one.mails) for one in ends.moves if one.is_correction),
        ("put back into the inbox by a person", ends.held.get(Hold.PUT_BACK, 0)),
        ("taken back by an undo", ends.taken_back),
    ]
    parts = [
        Part(title="Needs a person", sentences=needs or ["Nothing does."]),
        Part(title=f"Filed: {sum(ends.filed.values()):,}", counts=filed, sentences=() if filed else ["Nothing was filed."]),
    ]
    if held:
        parts.append(Part(title=f"Held for people: {sum(held.values()):,}", counts=list(held.items())))
    if known := [(name, count) for name, count in corrected if count]:
        parts.append(Part(title="Corrected", counts=known))
    parts.append(Part(title="Waiting", sentences=list(_waiting(facts))))
    if facts.expense.tokens or facts.expense.money:
        parts.append(Part(title="Cost", sentences=[_cost(facts.expense)]))
    return parts


def _said(facts: Facts, moves: Moves) -> str:
    """Say from which category to which people moved mail."""
    was, now = (facts.names.get(name, name) if name else "held for people" for name in (moves.was, moves.category))
    return f"{was} -> {now}"


def _needs(facts: Facts) -> Iterator[str]:
    view = facts.view
    if view.trouble is not None:
        verb = "Filing has stopped" if view.trouble.has_stopped else "Mail is left behind"
        since = f" since {_when(view.trouble.since, facts.zone)}" if view.trouble.since else ""
        yield f"{verb}{since}: {view.trouble.what}. What to do: {view.trouble.way_out}."
    if facts.ends.urgent:
        yield f"{_mails(facts.ends.urgent)} marked as urgent came in: look for the flag (the star of mail clients)."
    if facts.held_in_inbox:
        yield f"{_mails(facts.held_in_inbox)} in the inbox that cubbyd leaves to people, new or old: file by hand, or answer."
    if quarantined := view.count({State.QUARANTINED}):
        yield f"{_mails(quarantined)} failed again and again and stayed in the inbox: file by hand. `cubbyd history` says why."


def _waiting(facts: Facts) -> Iterator[str]:
    view = facts.view
    yield f"{_mails(view.waiting)} still to be handled." if view.waiting else "No mail is still to be handled."
    if view.oldest_unfiled is not None:
        yield f"The oldest mail that is not filed came in {age(view.oldest_unfiled, facts.now)} ago."
    if view.old_mail_left:
        what = "still to be filed" if facts.files_old_mail else "left alone"
        yield f"From before cubbyd's first day: {_mails(view.old_mail_left)}, {what}."


def _cost(expense: Expense) -> str:
    money = f"{expense.money:,.4f}".rstrip("0").rstrip(".")
    paid = f"cost {money}, in the currency of the configured prices" if expense.money else "have no price in the configuration"
    return f"{expense.tokens:,} tokens for {_mails(expense.answers)} {paid}."


def _by_reason(held: Mapping[str, int]) -> dict[str, int]:
    """Name why mail was held in our own words; what was put back is told as a correction."""
    said: dict[str, int] = {}
    for reason, count in held.items():
        if reason != Hold.PUT_BACK:
            name = REASONS.get(reason, ASKED)
            said[name] = said.get(name, 0) + count
    return said


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count:,} mails"


def _title(facts: Facts) -> str:
    return f"What became of the mail of {facts.view.name}"


def _span(facts: Facts) -> str:
    return f"from {_when(facts.since, facts.zone)} to {_when(facts.until, facts.zone)}"


def _when(moment: datetime, zone: tzinfo | None) -> str:
    return moment.astimezone(zone).strftime("%A, %d %B %Y, %H:%M %Z")
