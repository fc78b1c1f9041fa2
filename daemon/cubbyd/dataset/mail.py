"""A mail as an example: read by the package's own parser, so that training sees the text that serving sees.

The body is what was written now, then the quoted mail behind "> "; the subject begins with "Re:" or "Fwd:" where the mail's own
did. From these cubbyd.message.render makes the same subject, text and quoted mail again; of broken mails some one in fifty
comes out a little different, mostly in where the quoted mail begins.
"""

from __future__ import annotations

from datetime import datetime

from cubbyd.dataset.example import Example, body_of
from cubbyd.dataset.pseudonym import pseudonym
from cubbyd.message import ClassifierInput, parse, render, render_text
from cubbyd.message.model import Flag, ParsedMessage
from cubbyd.taxonomy import CategoryId


def subject_of(message: ParsedMessage) -> str:
    """Give the subject with one prefix that says what the mail is, where it has one."""
    if Flag.REPLY in message.flags:
        return f"Re: {message.subject}"
    return f"Fwd: {message.subject}" if Flag.FORWARD in message.flags else message.subject


def mail_to_example(
    raw: bytes, labels: tuple[CategoryId, ...], *, origin: str, line: int = 0, received: datetime | None = None
) -> Example | None:
    """Make an example of a mail; None where there is no word in it. The time of arrival counts where no date is written."""
    return input_to_example(render(parse(raw)), labels, origin=origin, line=line, received=received)


def input_to_example(
    given: ClassifierInput, labels: tuple[CategoryId, ...], *, origin: str, line: int = 0, received: datetime | None = None
) -> Example | None:
    """Make an example of a mail that has been read, in the same way."""
    message = given.message
    subject, body = subject_of(message), body_of(message.text, message.quoted)
    if not (message.subject.strip() or body.strip()):
        return None
    return Example(
        subject=subject,
        body=body,
        labels=labels,
        line=line,
        id=pseudonym("m", message.message_id) or pseudonym("x", f"{subject}\n{body}"),
        origin=origin,
        group=_thread(message),
        sender=pseudonym("s", message.sender.address.casefold()),
        date=message.date or received,
    )


def reads_the_same(example: Example, given: ClassifierInput) -> bool:
    """Tell whether an example of a mail is given to a classifier with the texts that the mail itself is given with."""
    made = render_text(example.subject, example.body)
    return (made.subject, made.text, made.quoted) == (given.subject, given.text, given.quoted)


def _thread(message: ParsedMessage) -> str:
    """Name the thread by its first mail (RFC 5322, 3.6.4); a mail that answers none may begin one."""
    return pseudonym("t", message.references[0] if message.references else message.message_id)
