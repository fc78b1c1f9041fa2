"""The watchdog is fed by progress of all, and of nothing less."""

from __future__ import annotations

import threading

import pytest
from tests.patience import PATIENCE_SECONDS

from cubbyd.config import Config
from cubbyd.service.build import longest_step_seconds
from cubbyd.service.pulse import LONGEST_REST_SECONDS, Pulse
from cubbyd.testing import HandClock

WATCHDOG_SECONDS = 600.0


class Dog:
    """Counts how often it was fed."""

    def __init__(self) -> None:
        self.meals = 0

    def feed(self) -> None:
        self.meals += 1


@pytest.fixture
def dog() -> Dog:
    return Dog()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def pulse(dog: Dog, clock: HandClock) -> Pulse:
    return Pulse(watchdog_seconds=WATCHDOG_SECONDS, feed=dog.feed, clock=clock)


def test_the_dog_is_fed_once_all_have_made_progress(pulse: Pulse, dog: Dog) -> None:
    office, kitchen = pulse.enlist("office"), pulse.enlist("kitchen")

    office()
    assert dog.meals == 0
    kitchen()
    assert dog.meals == 1


def test_one_that_hangs_starves_the_dog_however_busy_the_others_are(pulse: Pulse, dog: Dog) -> None:
    office, _hanging, main = pulse.enlist("office"), pulse.enlist("kitchen"), pulse.enlist("main")

    for _ in range(1000):
        office()
        main()

    assert dog.meals == 0


def test_progress_before_the_last_meal_does_not_count_for_the_next(pulse: Pulse, dog: Dog) -> None:
    office, kitchen = pulse.enlist("office"), pulse.enlist("kitchen")
    for beat in (office, office, kitchen):
        beat()
    assert dog.meals == 1

    kitchen()
    assert dog.meals == 1
    office()
    assert dog.meals == 2


def test_one_that_has_ended_is_not_waited_for_and_its_thread_counts_no_more(pulse: Pulse, dog: Dog) -> None:
    """After a reload, a thread of the old configuration may still hang; the one of the new must not be fed by it."""
    old, new = pulse.enlist("office"), pulse.enlist("office")
    old.end()

    old()
    assert dog.meals == 0
    new()
    assert dog.meals == 1


def test_a_silence_of_half_the_time_is_told_once_and_again_after_it_was_broken(pulse: Pulse, clock: HandClock) -> None:
    office, kitchen = pulse.enlist("office"), pulse.enlist("kitchen")
    clock.advance(WATCHDOG_SECONDS / 2 + 1)
    office()

    assert pulse.silent() == ["kitchen"]
    assert pulse.silent() == []
    kitchen()
    clock.advance(WATCHDOG_SECONDS / 2 - 1)
    assert pulse.silent() == []
    clock.advance(2)
    assert pulse.silent() == ["office", "kitchen"]


def test_who_has_nothing_to_do_reports_well_before_the_time_is_up(dog: Dog, clock: HandClock) -> None:
    rests = [Pulse(watchdog_seconds=seconds, feed=dog.feed, clock=clock).rest_seconds for seconds in (4.0, 40.0, 3600.0, None)]

    assert rests == [1.0, 10.0, LONGEST_REST_SECONDS, None]


def test_without_a_watchdog_nothing_is_fed_and_no_silence_told(dog: Dog, clock: HandClock) -> None:
    pulse = Pulse(watchdog_seconds=None, feed=dog.feed, clock=clock)
    office = pulse.enlist("office")
    clock.advance(1e9)
    office()

    assert pulse.silent() == []
    assert dog.meals == 0


def test_threads_that_report_at_once_lose_no_round_and_make_none_up(pulse: Pulse, dog: Dog) -> None:
    rounds, beats = 500, [pulse.enlist(str(number)) for number in range(4)]
    gate = threading.Barrier(len(beats))

    def work(number: int) -> None:
        for _ in range(rounds):
            gate.wait()
            beats[number]()
            gate.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(beats))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert dog.meals == rounds


def config(**mailbox: int) -> Config:
    account = {"host": "mail.example.org", "username": "u", "password_env": "P"}
    return Config.model_validate(
        {
            "mailboxes": {"office": account, "kitchen": account | mailbox},
            "categories": [{"id": "a", "code": 1, "name": "A"}, {"id": "b", "code": 2, "name": "B"}],
        }
    )


def test_the_longest_step_is_the_slowest_mailbox_s() -> None:
    assert longest_step_seconds(config()) == 15 + 4 * 90
    assert longest_step_seconds(config(read_timeout_seconds=900, connect_timeout_seconds=300)) == 300 + 4 * 900
