"""The line of `systemctl status`: what fails first, then how much was done."""

from __future__ import annotations

from collections import Counter

from cubbyd.errors import MailboxUnavailable
from cubbyd.filing import PassReport
from cubbyd.lifecycle import State
from cubbyd.service.headline import Standing, headline


def standing(name: str, *reports: PassReport) -> Standing:
    made = Standing(name=name)
    for report in reports:
        made.add(report)
    return made


def test_what_all_mailboxes_filed_is_added_up() -> None:
    office = standing("office", PassReport(became=Counter({State.FILED: 2})), PassReport(became=Counter({State.HELD: 1})))
    kitchen = standing("kitchen", PassReport(became=Counter({State.FILED: 10, State.GONE: 3})))

    assert headline([office, kitchen], observe=False) == "12 filed, 1 held"


def test_quarantined_mail_is_named_where_there_is_any() -> None:
    office = standing("office", PassReport(became=Counter({State.QUARANTINED: 1})))

    assert headline([office], observe=False) == "0 filed, 0 held, 1 quarantined"


def test_a_failing_mailbox_comes_first_until_a_pass_goes_through() -> None:
    office = standing("office", PassReport(problems=[MailboxUnavailable("mailbox office: no answer in time")]))
    assert headline([office], observe=False) == "office fails: mailbox office: no answer in time; 0 filed, 0 held"

    office.add(PassReport())
    assert headline([office], observe=False) == "0 filed, 0 held"


def test_before_the_first_pass_it_says_so() -> None:
    line = headline([standing("office"), standing("kitchen", PassReport())], observe=False)

    assert line == "first pass of office is under way; 0 filed, 0 held"


def test_observing_it_counts_decisions_and_claims_no_filing() -> None:
    office = standing("office", PassReport(classified=5, became=Counter({State.DECIDED: 5})))

    assert headline([office], observe=True) == "observing: 5 decided, nothing is changed"
