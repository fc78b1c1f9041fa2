"""What a rehearsal concludes: how much files itself, what a month brings, what leaves, and whether it is time to move mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.configuration import load

from cubbyd.classify.protocol import Cost, Prediction, Provenance
from cubbyd.cli.rehearsed import print_prospect
from cubbyd.config import Config
from cubbyd.dataset import Example
from cubbyd.dataset.account import Chosen, Listed
from cubbyd.dataset.mail import mail_to_example
from cubbyd.dataset.reading import Skips
from cubbyd.errors import ClassifierRejected
from cubbyd.evaluation.answer import to_answers
from cubbyd.evaluation.kept import Sheet
from cubbyd.evaluation.score import Estimate, judge
from cubbyd.evaluation.whole import Evaluation, evaluate
from cubbyd.mailbox.protocol import FolderStatus, RawMessage
from cubbyd.message import render_text
from cubbyd.setup.expectation import (
    WINDOW,
    Circumstances,
    count_per_month,
    doubts,
    right_when_filed,
    share_by_category,
    try_thresholds,
)
from cubbyd.setup.filed import Filed, FiledFolder, FiledMail, read_filed
from cubbyd.setup.known import Training, Unproven, find_training
from cubbyd.setup.leaving import count_bytes, find_services
from cubbyd.setup.prospect import Prospect, Seen, make_prospect
from cubbyd.taxonomy import CategoryId

ABSENCE, BILLING = CategoryId("absence"), CategoryId("billing")
CATEGORIES = (ABSENCE, BILLING)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CALM = Circumstances(may_be_known=0, moves_already=False)
LOCAL = Provenance(kind="local", model="m", renderer="1")
HOSTED = """
[classifier]
kind = "openai"
[classifier.openai]
model = "gpt-6-luna"
api_key_file = "openai.key"
mode = "schema"
"""
PRICED = "price_per_million_input_tokens = 1.0\nprice_per_million_output_tokens = 2.0\n"


def filed(label: CategoryId, number: int, *, text: str = "fever", received: datetime = NOW) -> FiledMail:
    subject = f"{text} {number}"
    example = Example(subject=subject, body="", labels=(label,), group=f"t{number}", id=f"m-{number}", origin="real")
    return FiledMail(example=example, given=render_text(subject, ""), received=received)


def said(probability: float, *, provenance: Provenance = LOCAL, request_id: str = "", money: float = 0.0) -> Prediction:
    """A prediction for absence with this probability."""
    return Prediction(
        probabilities={ABSENCE: probability, BILLING: 1 - probability},
        provenance=provenance,
        request_id=request_id,
        cost=Cost(money=money),
    )


def measure(pairs: Sequence[tuple[FiledMail, Prediction]], *, failed: int = 0, bar: float = 0.5) -> Evaluation:
    failures = (ClassifierRejected("no"),) * failed
    sheet = Sheet(
        provenance=LOCAL,
        answers=to_answers(CATEGORIES, [(mail.example, one) for mail, one in pairs], failures),
        mails=tuple(mail.example for mail, _ in pairs),
        milliseconds=np.ones(len(pairs)),
        money=np.array([one.cost.money for _, one in pairs]),
        unread=0,
        reused=0,
    )
    return evaluate("the local classifier", sheet, np.full(2, bar))


def good(count: int = 100, *, wrong: int = 0, probability: float = 0.9) -> list[tuple[FiledMail, Prediction]]:
    """Mails of absence, some of which people filed as billing."""
    return [(filed(BILLING if number < wrong else ABSENCE, number), said(probability)) for number in range(count)]


# --- by itself ---------------------------------------------------------------------------------------------------------


def test_a_higher_threshold_files_less_and_what_it_files_is_right_more_often() -> None:
    pairs = [*good(60, probability=0.97), *[(filed(BILLING, 100 + number), said(0.75)) for number in range(20)]]
    steps = {step.threshold: step for step in try_thresholds(measure(pairs).sheet.answers, several=False)}

    low, high, none = steps[0.5], steps[0.9], steps[0.99]
    assert low.filed is not None
    assert low.right is not None
    assert (low.filed.value, low.right.value) == (1.0, 0.75)
    assert high.filed is not None
    assert high.right is not None
    assert (high.filed.value, high.right.value) == (0.75, 1.0)
    assert none.right is None, "nothing is filed, so that nothing can be right"


def test_with_few_mistakes_the_exact_bound_counts_where_it_is_lower_than_the_bootstraps() -> None:
    right = right_when_filed(measure(good(60, wrong=1)).judged)

    assert right is not None
    assert right.value == pytest.approx(59 / 60)
    assert right.low == pytest.approx(0.9106, abs=1e-3), "Clopper and Pearson, 59 of 60, two-sided 95 %"


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.2, 0.45, 0.6, 0.8, 0.999])), min_size=1, max_size=25))
def test_the_categories_add_up_to_the_whole(drawn: list[tuple[bool, float]]) -> None:
    pairs = [(filed(BILLING if is_billing else ABSENCE, place), said(p)) for place, (is_billing, p) in enumerate(drawn)]
    judged = judge(to_answers(CATEGORIES, [(mail.example, one) for mail, one in pairs], ()), np.full(2, 0.7))
    shares = share_by_category(judged)

    assert sum(one.mails for one in shares) == len(pairs)
    assert sum(one.filed for one in shares) == int(judged.filed.sum())
    assert sum(one.right for one in shares) == int(judged.filed_right.sum())
    assert all(one.right <= one.filed for one in shares)


# --- a month -----------------------------------------------------------------------------------------------------------


def folder(*days_ago: float, most: int = 10_000) -> FiledFolder:
    """A folder with mails of these ages, in the order of their UIDs; the last `most` of them were read."""
    arrivals = [NOW - timedelta(days=days) for days in days_ago]
    return FiledFolder(
        folder="F",
        category=ABSENCE,
        mails=len(arrivals),
        read=min(most, len(arrivals)),
        is_whole=len(arrivals) <= most,
        recent=sum(arrival >= NOW - WINDOW for arrival in arrivals),
        first=min([*arrivals[:1], *arrivals[-most:]], default=None),
    )


def test_a_month_is_counted_by_the_mail_of_the_last_ninety_days() -> None:
    steady = folder(*range(1, 400))

    assert count_per_month([steady], NOW) == pytest.approx(30.4, abs=0.5)
    assert count_per_month([steady, folder(*range(1, 400))], NOW) == pytest.approx(60.9, abs=1.0)


def test_an_account_younger_than_that_counts_from_its_first_mail() -> None:
    assert count_per_month([folder(20, 10, 5, 1), folder(3)], NOW) == pytest.approx(5 / 20 * 30.44, rel=0.01)


@given(st.permutations([days + 0.5 for days in range(40)]), st.integers(1, 60))
def test_how_much_was_read_and_in_which_order_it_lies_changes_little(days: list[float], most: int) -> None:
    old = folder(100.0)

    assert count_per_month([folder(*days, most=most), old], NOW) == pytest.approx(40 / 90 * 30.44, rel=0.01)


@pytest.mark.parametrize("folders", [[], [folder()], [folder(0.1, 0.2, 3.0)], [folder(200.0, 300.0)]])
def test_nothing_is_said_of_a_month_without_history(folders: list[FiledFolder]) -> None:
    assert count_per_month(folders, NOW) is None


# --- is it time --------------------------------------------------------------------------------------------------------


def test_nothing_speaks_against_many_right_answers() -> None:
    whole = measure(good(200))

    assert doubts(whole, right_when_filed(whole.judged), CALM, precision=0.95) == ()


@pytest.mark.parametrize(
    ("whole", "circumstances", "said_"),
    [
        (measure(good(20)), CALM, "20 mails are too few"),
        (measure(good(200, wrong=20)), CALM, "95% is wanted"),
        (measure(good(100, probability=0.6), bar=0.9), CALM, "nothing is filed by itself"),
        (measure(good(100), failed=20), CALM, "20 of 120 mails got no answer"),
        (measure(good(200)), Circumstances(may_be_known=7, moves_already=False), "7 of these mails may have been trained on"),
        (measure(good(200)), Circumstances(may_be_known=0, moves_already=True), "measured in part against itself"),
    ],
)
def test_each_doubt_is_said(whole: Evaluation, circumstances: Circumstances, said_: str) -> None:
    found = doubts(whole, right_when_filed(whole.judged), circumstances, precision=0.95)

    assert any(said_ in doubt for doubt in found), found


# --- what was trained on -----------------------------------------------------------------------------------------------


def training(*unproven: Unproven, ids: Sequence[str] = (), texts: Sequence[str] = ()) -> Training:
    return Training(files=(), unproven=unproven, ids=frozenset(ids), texts=frozenset(texts))


def test_only_mail_that_came_later_than_a_model_is_new_to_it_for_sure() -> None:
    known = training(Unproven(name="cubbyd.model", created=NOW))

    assert known.may_know(filed(ABSENCE, 1, received=NOW - timedelta(days=1)))
    assert not known.may_know(filed(ABSENCE, 1, received=NOW + timedelta(seconds=1)))
    assert training(Unproven(name="ft:gpt", created=None)).may_know(filed(ABSENCE, 1, received=NOW + timedelta(days=9)))
    assert not training().may_know(filed(ABSENCE, 1))


def test_mail_is_known_by_its_id_or_by_its_words(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text('{"subject": "fever", "body": "he is  ill", "id": "m-1"}\n')
    config = load(tmp_path / "cubbyd.toml", "[classifier]\nkind = 'rules'")

    known = find_training(config, [tmp_path / "e.jsonl"])

    assert known.knows(Example(subject="other", body="words", id="m-1"))
    assert known.knows(Example(subject="fever", body="he\nis ill", id="m-2"))
    assert not known.knows(Example(subject="fever", body="she is ill", id=""))


def test_a_hosted_model_that_was_fine_tuned_may_know_everything(tmp_path: Path) -> None:
    config = load(tmp_path / "cubbyd.toml", HOSTED.replace("gpt-6-luna", "ft:gpt-6-luna:house"))

    assert [one.name for one in find_training(config, []).unproven] == ["ft:gpt-6-luna:house"]


# --- what leaves -------------------------------------------------------------------------------------------------------


def test_on_this_machine_nothing_leaves_and_elsewhere_it_is_counted_masked(tmp_path: Path) -> None:
    (tmp_path / "roster.txt").write_text("[children]\nMia Hofmann\n")
    (tmp_path / "roster.txt").chmod(0o600)
    roster = '[redaction]\nroster_file = "roster.txt"\n'
    here = load(tmp_path / "a.toml", f'{HOSTED}base_url = "http://127.0.0.1:1/v1"\n{roster}')
    there = load(tmp_path / "b.toml", f"{HOSTED}{PRICED}{roster}")
    mail = render_text("fever", "Mia Hofmann is ill today")

    assert find_services([load(tmp_path / "c.toml", "[classifier]\nkind = 'local'")]) == ()
    (local,), (remote,) = find_services([here]), find_services([there, there])
    assert (local.is_here, local.has_prices) == (True, False)
    assert (remote.is_here, remote.has_prices, remote.is_masked) == (False, True, True)
    sent = remote.spell(mail)
    assert "Hofmann" not in sent
    assert "fever" in sent
    assert "Absence" in sent, "the question counts too"
    assert count_bytes(remote, [mail, mail]) == 2 * len(sent.encode())


def prospect(
    config: Config, pairs: list[tuple[FiledMail, Prediction]], *, a_month: int | None = 1000, fallback: Config | None = None
) -> Prospect:
    mails = tuple(mail for mail, _ in pairs)
    seen = Seen(
        filed=Filed(mails=mails, folders=(), unread=0),
        skips=Skips(),
        missing=(),
        training=training(),
        left_out=0,
        may_be_known=0,
        answered=tuple(pairs),
        services=find_services([config]),
        standby=find_services([fallback] if fallback else []),
    )
    return make_prospect(config, measure(pairs), seen, now=NOW, mails_per_month=a_month, precision=0.9)


def test_a_month_at_a_vendor_costs_what_these_mails_cost_and_sends_what_these_sent(tmp_path: Path) -> None:
    config = load(tmp_path / "cubbyd.toml", f'{HOSTED}{PRICED}[filing]\naction = "observe"')
    rules = replace(LOCAL, kind="rules")
    asked = [(mail, said(0.9, request_id="r", money=0.002)) for mail, _ in good(75)]
    by_rule = [(mail, said(1.0, provenance=rules)) for mail, _ in good(25)]

    found = prospect(config, [*asked, *by_rule])

    assert found.money_per_month == pytest.approx(1000 * 0.75 * 0.002)
    (traffic,) = found.traffic
    assert traffic.asked == 75
    assert traffic.mails_per_month == pytest.approx(750)
    assert traffic.bytes_per_month == pytest.approx(750 * traffic.bytes_each)
    assert traffic.bytes_each > 300
    assert found.is_ready


def test_without_prices_or_a_months_mail_no_cost_is_made_up(tmp_path: Path) -> None:
    priced = load(tmp_path / "a.toml", f"{HOSTED}{PRICED}")
    free = load(tmp_path / "b.toml", HOSTED)
    pairs = [(mail, said(0.9, request_id="r")) for mail, _ in good(60)]

    assert prospect(free, pairs).money_per_month is None
    assert prospect(priced, pairs, a_month=None).money_per_month is None
    assert prospect(priced, pairs, a_month=None).traffic[0].bytes_per_month is None


def test_a_person_reads_what_leaves_what_it_costs_and_last_of_all_how_to_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load(tmp_path / "cubbyd.toml", f'{HOSTED}{PRICED}[filing]\naction = "observe"')

    print_prospect(prospect(config, [(mail, said(0.9, request_id="r", money=0.002)) for mail, _ in good(200)]))

    shown = capsys.readouterr().out
    assert "They cost about 2.00 in the currency of your prices." in shown
    assert "Leaves the building for https://api.openai.com/v1: text with names and numbers masked, of 200 of 200 mails" in shown
    assert shown.index("Leaves the building") < shown.index('set action = "move"')

    print_prospect(prospect(config, good(20), a_month=None))
    shown = capsys.readouterr().out
    assert "say it with --mails-per-month N" in shown
    assert "Not yet:\n  - 20 mails are too few" in shown
    assert 'action = "move"' not in shown


def test_a_fallback_that_would_send_mail_away_is_not_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    local = load(tmp_path / "a.toml", "[classifier]\nkind = 'local'")
    hosted = load(tmp_path / "b.toml", HOSTED)

    print_prospect(prospect(local, good(60), fallback=hosted))

    shown = capsys.readouterr().out
    assert "Nothing leaves the building while the classifier itself answers." in shown
    assert "the fallback sends mail to https://api.openai.com/v1: text with names and numbers masked." in shown


def test_names_that_leave_as_they_are_are_shouted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load(
        tmp_path / "cubbyd.toml", f"{HOSTED}zero_data_retention = true\n[redaction]\nallow_names_to_leave_the_building = true"
    )

    print_prospect(prospect(config, [(mail, said(0.9, request_id="r")) for mail, _ in good(60)]))

    shown = capsys.readouterr().out
    assert "TEXT AS IT IS, NAMES AND ALL" in shown
    assert "the configuration has no prices" in shown


# --- reading -----------------------------------------------------------------------------------------------------------


class Account:
    """An account with one folder that notes how it was opened."""

    def __init__(self, mails: dict[int, RawMessage]) -> None:
        self.mails, self.opened, self.fetched = mails, [], []  # type: ignore[var-annotated]

    def folders(self) -> list[Listed]:
        return []

    def name_on_server(self, folder_: str) -> str:
        return folder_

    def select(self, folder_: str, *, read_only: bool) -> FolderStatus:
        self.opened.append((folder_, read_only))
        return FolderStatus(uidvalidity=1)

    def all_uids(self) -> list[int]:
        return sorted(self.mails)

    def count_since(self, day: date) -> int:
        return sum(mail.received_at.date() >= day for mail in self.mails.values())

    def fetch(self, uids: Sequence[int]) -> dict[int, RawMessage]:
        self.fetched += list(uids)
        return {uid: self.mails[uid] for uid in uids}


def test_the_newest_mails_of_a_folder_are_read_and_it_is_opened_read_only() -> None:
    contents = {
        1: b"Subject: old\n\nold",
        2: b"Subject: gone\n\ngone",
        3: b"\n\n",
        4: b"Subject: fever\nMessage-ID: <4@x>\n\nill",
    }
    account = Account(
        {uid: RawMessage(uid=uid, content=content, received_at=NOW, is_deleted=uid == 2) for uid, content in contents.items()}
    )

    found = read_filed(account, [Chosen(folder="Absence", label=ABSENCE)], most=3, since=NOW.date())

    assert account.opened == [("Absence", True)]
    assert account.fetched == [1, 2, 3, 4], "the first one for the time of its arrival alone"
    assert [mail.given.subject for mail in found.mails] == ["fever"]
    assert found.mails[0].example == mail_to_example(contents[4], (ABSENCE,), origin="real", received=NOW)
    assert found.unread == 1
    (one,) = found.folders
    assert (one.mails, one.read, one.is_whole, one.recent) == (4, 2, False, 4)


def test_an_estimate_is_never_surer_than_its_value() -> None:
    right = right_when_filed(measure(good(3)).judged)
    assert isinstance(right, Estimate)
    assert right.low <= right.value <= right.high
