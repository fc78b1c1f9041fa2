"""The parts of the hosted classifier alone: the breaker, the ledger, the framed mail, the probability of a JSON answer."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from tests.hosted import WORDS, ask, opened, predict

from cubbyd.classify.hosted.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from cubbyd.classify.hosted.chat import read_tokens
from cubbyd.classify.hosted.ledger import DAYS_KEPT, LEDGER_NAME, Budget, Ledger, Prices
from cubbyd.classify.hosted.prompt import INSTRUCTIONS, PROBE, PROMPT_VERSION, Prompt, frame
from cubbyd.classify.hosted.schema import told_probability
from cubbyd.errors import ClassifierUnavailable
from cubbyd.message import ClassifierInput, render_text
from cubbyd.standin import Standin
from cubbyd.taxonomy import Category, CategoryId, Taxonomy
from cubbyd.testing import HandClock

# --- the breaker ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 11, 21, 8, 0, tzinfo=UTC))


@pytest.fixture
def breaker(clock: HandClock) -> Breaker:
    return Breaker("the server", clock)


def refused(breaker: Breaker) -> float:
    with pytest.raises(ClassifierUnavailable, match=r"the server: not asked for another .* because: ") as caught:
        breaker.admit()
    assert caught.value.retry_after_seconds is not None
    return caught.value.retry_after_seconds


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.admit()
        breaker.failed("it is down")


def test_failures_that_are_not_in_a_row_do_not_count(breaker: Breaker) -> None:
    for _ in range(3):
        fail(breaker, FAILURES - 1)
        breaker.admit()
        breaker.succeeded()
    breaker.admit()


def test_after_the_pause_one_call_tries_and_the_others_wait(breaker: Breaker, clock: HandClock) -> None:
    fail(breaker, FAILURES)
    assert refused(breaker) == FIRST_PAUSE
    clock.advance(FIRST_PAUSE - 10)
    assert refused(breaker) == 10
    clock.advance(10)
    breaker.admit()
    refused(breaker)
    breaker.succeeded()
    breaker.admit()
    breaker.admit()


def test_the_pause_doubles_while_the_tries_fail(breaker: Breaker, clock: HandClock) -> None:
    fail(breaker, FAILURES)
    pauses = []
    for _ in range(6):
        pauses.append(refused(breaker))
        clock.advance(pauses[-1])
        fail(breaker)
    assert pauses == [300, 600, 1200, 2400, LONGEST_PAUSE, LONGEST_PAUSE]
    clock.advance(refused(breaker))
    breaker.admit()
    breaker.succeeded()
    fail(breaker, FAILURES)
    assert refused(breaker) == FIRST_PAUSE


def test_a_call_that_was_not_made_leaves_the_try_to_another(breaker: Breaker, clock: HandClock) -> None:
    breaker.rest(60, "no money")
    clock.advance(60)
    breaker.admit()
    breaker.withdraw()
    breaker.admit()


# --- the ledger -----------------------------------------------------------------------------------------------------------


def test_a_day_has_so_many_calls(tmp_path: Path, clock: HandClock) -> None:
    ledger = Ledger(tmp_path / "state", Budget(calls_per_day=2), clock)
    ledger.reserve(0)
    ledger.reserve(0)
    with pytest.raises(
        ClassifierUnavailable, match=r"calls_per_day = 2; nothing is sent before 2026-11-22 00:00 UTC"
    ) as caught:
        ledger.reserve(0)
    assert caught.value.retry_after_seconds == 16 * 3600
    clock.advance(16 * 3600)
    ledger.reserve(0)


def test_money_is_counted_before_and_put_right_after(tmp_path: Path, clock: HandClock) -> None:
    ledger = Ledger(tmp_path, Budget(calls_per_day=100, money_per_day=0.001), clock)
    reserved = ledger.reserve(900)
    with pytest.raises(ClassifierUnavailable, match=r"money_per_day = 0\.001"):
        ledger.reserve(900)
    ledger.settle(reserved, 100, 40, 2)
    ledger.reserve(900)
    assert ledger.spent() == {"2026-11-21": {"calls": 2, "millionths": 1000, "input_tokens": 40, "output_tokens": 2}}


def test_a_month_ends_later_than_a_day(tmp_path: Path, clock: HandClock) -> None:
    ledger = Ledger(tmp_path, Budget(calls_per_day=100, money_per_month=0.002), clock)
    ledger.reserve(1000)
    clock.advance(86_400)
    ledger.reserve(1000)
    with pytest.raises(ClassifierUnavailable, match=r"money_per_month = 0\.002; nothing is sent before 2026-12-01 00:00 UTC"):
        ledger.reserve(1)
    clock.advance(9 * 86_400)
    ledger.reserve(1000)


def test_the_record_outlives_the_process_and_is_nobody_elses(tmp_path: Path, clock: HandClock) -> None:
    Ledger(tmp_path / "state", Budget(calls_per_day=1), clock).reserve(5)
    with pytest.raises(ClassifierUnavailable):
        Ledger(tmp_path / "state", Budget(calls_per_day=1), clock).reserve(5)
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "state").iterdir()} == {0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", ["", "{", "[]", '{"days": []}', '{"days": {"2026-11-21": {"calls": -1}}}', "\x00", "null"])
def test_a_damaged_record_stops_all_calls(tmp_path: Path, clock: HandClock, content: str) -> None:
    (tmp_path / LEDGER_NAME).write_text(content)
    with pytest.raises(ClassifierUnavailable, match="damaged; move it away"):
        Ledger(tmp_path, Budget(calls_per_day=9), clock).reserve(0)
    assert (tmp_path / LEDGER_NAME).read_text() == content


def test_a_record_that_cannot_be_written_stops_all_calls(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClassifierUnavailable, match="without it nothing is sent"):
        Ledger(tmp_path / "file" / "state", Budget(calls_per_day=9), clock).reserve(0)


def test_old_days_are_forgotten_and_this_month_is_not(tmp_path: Path, clock: HandClock) -> None:
    ledger = Ledger(tmp_path, Budget(calls_per_day=9), clock)
    for _ in range(100):
        ledger.reserve(1)
        clock.advance(86_400)
    assert len(ledger.spent()) == DAYS_KEPT


def test_threads_and_processes_lose_no_call(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom cubbyd.classify.hosted.ledger import Budget, Ledger\n"
        "from cubbyd.testing import HandClock\n"
        "ledger = Ledger(Path(sys.argv[1]), Budget(calls_per_day=10**6), HandClock())\n"
        "for _ in range(30): ledger.settle(ledger.reserve(7), 5)\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    ledger = Ledger(tmp_path, Budget(calls_per_day=10**6), HandClock())
    threads = [threading.Thread(target=lambda: [ledger.reserve(1) for _ in range(20)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    (day,) = ledger.spent().values()
    assert (day["calls"], day["millionths"]) == (100, 60 * 5 + 40)


def test_a_warning_comes_once_before_the_end(tmp_path: Path, clock: HandClock) -> None:
    ledger = Ledger(tmp_path, Budget(calls_per_day=10), clock)
    with structlog.testing.capture_logs() as logs:
        for _ in range(10):
            ledger.reserve(0)
    assert [line["used"] for line in logs] == ["80%"]


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 1000), st.floats(0, 1000))
def test_a_price_is_never_rounded_down(tokens: int, spoken: int, price: float, spoken_price: float) -> None:
    exact = tokens * price + spoken * spoken_price

    assert exact <= Prices(input=price, output=spoken_price).millionths(tokens, spoken) <= exact + 1
    assert Prices(input=None, output=None).millionths(tokens, spoken) == 0


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(WORDS) as server:
        yield server
    assert server.violations == []


def test_over_budget_nothing_is_sent(tmp_path: Path, standin: Standin) -> None:
    prices = "price_per_million_input_tokens = 1000.0\nprice_per_million_output_tokens = 0.0"
    with opened(tmp_path, standin, f"money_per_day = 0.3\n{prices}") as classifier:
        predict(classifier)
        error = ask(classifier)
        assert isinstance(error, ClassifierUnavailable)
        assert "the budget is used up: classifier.openai.money_per_day = 0.3; nothing is sent before" in str(error)
        assert error.retry_after_seconds is not None
        assert 0 < error.retry_after_seconds <= 86_400
        assert str(ask(classifier)) == str(error), "the breaker has nothing to do with it"
    assert len(standin.requests) == 1


# --- the framed mail ------------------------------------------------------------------------------------------------------

MARKERS = ("<mail>", "</mail>", "<quoted>", "</quoted>", "<|", "|>")
_TEXT = st.text(max_size=60) | st.lists(
    st.sampled_from([*MARKERS, "< mail >", "</MAIL>", "<", ">", "|", "/", "mail", "[CHILD_1]", " ", "x", "\uff1c", "\uff1e"]),
    max_size=12,
).map("".join)


def _made(subject: str, text: str, quoted: str, attachment: str) -> ClassifierInput:
    plain = render_text("x", "y")
    return ClassifierInput(
        subject=subject,
        text=text,
        quoted=quoted,
        sender="",
        attachments=(attachment,),
        flags=frozenset(),
        version=plain.version,
        message=plain.message,
    )


@given(_TEXT, _TEXT, _TEXT, _TEXT, st.booleans())
def test_no_mail_can_leave_its_frame(subject: str, text: str, quoted: str, attachment: str, is_redacted: bool) -> None:  # noqa: FBT001
    framed = frame(_made(subject, text, quoted, attachment), is_redacted=is_redacted).lower()

    assert [framed.count(tag) for tag in ("<mail>", "</mail>")] == [1, 1]
    assert framed.count("<quoted>") == framed.count("</quoted>") == (1 if quoted else 0)
    assert "<|" not in framed
    assert "|>" not in framed
    assert framed.startswith("<mail>\nsubject: ")
    assert framed.endswith("\n</mail>")


def test_placeholders_of_ours_stay_what_they_are() -> None:
    given_ = _made("[CHILD_1] is sick", "Ask [PERSON_2] <mail>", "", "a.pdf")

    assert (
        frame(given_, is_redacted=True)
        == "<mail>\nSubject: [CHILD_1] is sick\nAttachments: a.pdf\n\nAsk [PERSON_2] (mail)\n</mail>"
    )
    assert "(CHILD_1)" in frame(given_, is_redacted=False)


def test_the_words_of_a_prompt_change_with_its_version_alone() -> None:
    """Mend the digest and raise PROMPT_VERSION together: every prediction on record names the version."""
    categories = (
        Category(id=CategoryId("a"), code=1, name="A", description="One.", folder="A", keyword="a"),
        Category(id=CategoryId("b"), code=2, name="B", description="", folder="B", keyword="b"),
    )
    prompt = Prompt(Taxonomy(categories))
    mail = frame(_made("S", "T", "Q", "F"), is_redacted=True)
    told = json.dumps([INSTRUCTIONS, prompt.instructions(), prompt.choices(), prompt.schema(), mail])

    assert (PROMPT_VERSION, hashlib.sha256(told.encode()).hexdigest()[:16]) == ("1", "d12a77f7f26d5147")
    several = Prompt(Taxonomy(categories), many=True)
    codes = {CategoryId("a"): "A", CategoryId("b"): "B"}
    more = [
        several.task,
        several.instructions(),
        several.predicates(),
        several.schema(),
        prompt.code_instructions(codes),
        PROBE,
    ]
    assert hashlib.sha256(json.dumps(more).encode()).hexdigest()[:16] == "9e6a6af4b627946f"


# --- the probability of a JSON answer ---------------------------------------------------------------------------------------


def logprobs(*tokens: tuple[Any, Any]) -> dict[str, Any]:
    return {"content": [{"token": text, "logprob": value} for text, value in tokens]}


CONTENT = '{"category": "absence"}'


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        ([('{"category": "', -0.1), ("absence", math.log(0.6)), ('"}', -0.2)], 0.6),
        ([('{"category": "', 0.0), ("abs", math.log(0.5)), ("ence", math.log(0.5)), ('"}', 0.0)], 0.25),
        ([('{"category": "a', math.log(0.5)), ('bsence"}', math.log(0.5))], 0.25),
        ([(CONTENT, 0.0)], 0.999999),
        ([('{"category": "', 0.0), ("absence", -9999.0), ('"}', 0.0)], 0.0),
        ([('{"category": "', 0.0), ("billing", -0.1), ('"}', 0.0)], None),
        ([('{"category": "', 0.0), ("absence", None), ('"}', 0.0)], None),
        ([('{"category": "', 0.0), ("absence", 0.5), ('"}', 0.0)], None),
        ([('{"category": "', 0.0), ("absence", float("nan")), ('"}', 0.0)], None),
        ([('{"category": "', 0.0), (None, 0.0)], None),
        ([], None),
    ],
)
def test_the_tokens_that_spell_the_category_give_its_probability(tokens: list[tuple[Any, Any]], told: float | None) -> None:
    found = told_probability(CONTENT, "absence", read_tokens(logprobs(*tokens)))

    assert found == (pytest.approx(told) if told is not None else None)


@pytest.mark.parametrize("given_", [None, {}, {"content": None}, {"content": "x"}, {"content": ["x"]}, [], "x"])
def test_odd_log_probabilities_are_none(given_: object) -> None:
    assert told_probability(CONTENT, "absence", read_tokens(given_)) is None


def test_the_ledger_is_plain_json(tmp_path: Path, clock: HandClock) -> None:
    Ledger(tmp_path, Budget(calls_per_day=9), clock).reserve(3)

    assert json.loads((tmp_path / LEDGER_NAME).read_text())["days"]["2026-11-21"]["millionths"] == 3
