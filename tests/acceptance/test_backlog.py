"""The first start on an inbox that already holds mail, as an admin meets it: what is said, and what is done."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.acceptance.desk import BACKLOG
from tests.conftest import start_dovecot
from tests.dovecot import MAILDIR, Dovecot
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, dovecots: dict[str, Dovecot]) -> bytes:
    folder = tmp_path_factory.mktemp("backlog")
    Cubbyd(folder, start_dovecot(dovecots, MAILDIR), "nobody").train()
    return (folder / "cubbyd.model").read_bytes()


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str, model: bytes) -> Cubbyd:
    """One that was told nothing about old mail."""
    made = Cubbyd(tmp_path, dovecot, user)
    (tmp_path / "cubbyd.model").write_bytes(model)
    tell(made, "")
    return made


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


def tell(cubbyd: Cubbyd, backlog: str) -> None:
    """Write what is to be done with old mail into the configuration; the default where nothing is said."""
    cubbyd.write()
    line = f"backlog = {backlog}\n" if backlog else ""
    cubbyd.config.write_text(cubbyd.config.read_text().replace(BACKLOG, line))


def deliver(outside: Outside, count: int, subject: str = "Emma is ill today") -> None:
    outside.deliver(*(mail(subject, number=number, body=subject) for number in range(count)))


def test_a_first_start_leaves_old_mail_alone_and_says_so_plainly(cubbyd: Cubbyd, outside: Outside) -> None:
    deliver(outside, 3)
    checked = cubbyd("check")

    first = cubbyd("run", "--once")
    status = cubbyd("status")
    deliver(outside, 1, "the invoice for Noah is wrong")
    second = cubbyd("run", "--once", "--json")

    assert "what was in the inbox before cubbyd first opened it is left alone" in checked.stdout.replace("\n", " ")
    assert '3 mails were here before; left alone; set backlog = "file" in [filing]' in first.stdout
    assert "office: 3 mails were there before cubbyd and are left alone" in status.stdout
    assert json.loads(second.stdout) == {
        "mailbox": "office", "ok": True, "found": 1, "classified": 1, "filed": 1, "old_mail": 3,
    }  # fmt: skip
    assert outside.everything() == {"INBOX": ["Emma is ill today"] * 3, "Billing": ["the invoice for Noah is wrong"]}


def test_told_to_it_files_old_mail_and_has_nothing_more_to_say_of_it(cubbyd: Cubbyd, outside: Outside) -> None:
    deliver(outside, 3)
    cubbyd("run", "--once")
    tell(cubbyd, '"file"')

    done = cubbyd("run", "--once")

    assert done.returncode == 0, done.stderr
    assert "before" not in done.stdout
    assert "before cubbyd" not in cubbyd("status").stdout
    assert outside.everything() == {"Absence": ["Emma is ill today"] * 3}


def test_days_file_what_came_of_late(cubbyd: Cubbyd, outside: Outside) -> None:
    deliver(outside, 2)
    tell(cubbyd, "7")

    assert "left alone where it came more than 7 days earlier" in cubbyd("check").stdout.replace("\n", " ")
    cubbyd("run", "--once")

    assert outside.everything() == {"Absence": ["Emma is ill today"] * 2}


def test_a_daemon_that_is_stopped_in_the_middle_shows_how_much_is_left_and_goes_on(cubbyd: Cubbyd, outside: Outside) -> None:
    deliver(outside, 400)
    tell(cubbyd, '"file"')

    running = cubbyd.start()
    until = time.monotonic() + PATIENCE_SECONDS
    while "Absence" not in outside.folders():
        assert time.monotonic() < until
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE_SECONDS) == 0
    between = json.loads(cubbyd("status", "--json").stdout)
    said = cubbyd("status").stdout
    done = cubbyd("run", "--once")

    assert 0 < between["old_mail_left"] < between["old_mail_total"] == 400
    assert f"office: {between['old_mail_left']} of 400 mails that were there before cubbyd are still to be filed" in said
    assert done.returncode == 0, done.stderr
    assert outside.everything() == {"Absence": ["Emma is ill today"] * 400}
    assert "old mail goes on" in cubbyd.events()
