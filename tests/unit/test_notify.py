"""What systemd hears of the daemon, over a real datagram socket; and that one who does not listen holds up nothing."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.manager import ListeningManager

from cubbyd.service.notify import LONGEST_STATUS, SEND_SECONDS, Manager


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[ListeningManager]:
    with ListeningManager(tmp_path / "notify") as manager:
        yield manager


@pytest.fixture
def manager(listening: ListeningManager) -> Manager:
    return Manager.from_environment(listening.environment())


def test_ready_comes_with_its_status_in_one_message(manager: Manager, listening: ListeningManager) -> None:
    manager.ready("0 filed")

    assert listening.take() == [{"READY": "1", "STATUS": "0 filed"}]


def test_a_reload_says_when_it_began_on_the_clock_that_systemd_compares(manager: Manager, listening: ListeningManager) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    (message,) = listening.take()
    assert message["RELOADING"] == "1"
    assert before <= int(message["MONOTONIC_USEC"]) <= after


def test_stopping_and_signs_of_life_are_messages_of_their_own(manager: Manager, listening: ListeningManager) -> None:
    manager.alive()
    manager.allow(21.5)
    manager.stopping()

    first, second, third = listening.take()
    assert (first, second, third["STOPPING"]) == ({"WATCHDOG": "1"}, {"WATCHDOG_USEC": "21500000"}, "1")


def test_a_status_of_many_lines_cannot_become_another_assignment(manager: Manager, listening: ListeningManager) -> None:
    manager.status("office fails: the server said\nREADY=1\nMAINPID=1")

    assert listening.take() == [{"STATUS": "office fails: the server said READY=1 MAINPID=1"}]


def test_a_long_status_is_cut_and_odd_characters_go_through(manager: Manager, listening: ListeningManager) -> None:
    manager.status("Büro " + "x" * 10_000)
    manager.status("\udcff is no text")

    long, odd = listening.take()
    assert len(long["STATUS"]) == LONGEST_STATUS
    assert long["STATUS"].startswith("Büro x")
    assert odd["STATUS"] == "? is no text"


def test_a_socket_in_the_abstract_namespace_is_reached_too() -> None:
    with ListeningManager(f"@cubbyd-test-{os.getpid()}") as listening:
        Manager.from_environment(listening.environment()).ready("0 filed")

        assert listening.take() == [{"READY": "1", "STATUS": "0 filed"}]


def test_without_a_manager_nothing_is_sent_and_there_is_no_watchdog() -> None:
    alone = Manager.from_environment({"WATCHDOG_USEC": "1000000"})

    alone.ready("0 filed")
    alone.stopping()

    assert alone == Manager(address=None, watchdog_seconds=None)


@pytest.mark.parametrize("address", ["/no/such/socket", "nonsense", "@nobody-is-here", "/" + "x" * 300, "a\0b"])
def test_a_manager_that_is_not_there_is_no_error(address: str) -> None:
    Manager(address=address).ready("0 filed")


def test_a_manager_that_does_not_read_holds_the_work_up_for_seconds_only(manager: Manager) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.settimeout(0.1)
        with suppress(TimeoutError):
            while True:
                filler.sendto(b"x", str(manager.address))

    begun = time.monotonic()
    manager.alive()

    assert SEND_SECONDS * 0.5 < time.monotonic() - begun < SEND_SECONDS * 5


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "77"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_only_where_it_is_set_and_meant_for_us(environment: dict[str, str], seconds: float | None) -> None:
    manager = Manager.from_environment({"NOTIFY_SOCKET": "/run/notify", **environment}, process=77)

    assert manager.watchdog_seconds == seconds
