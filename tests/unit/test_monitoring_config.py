"""[metrics], [digest] and [heartbeat]: off by default, and nothing that opens a door by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.configuration import fault, load

from cubbyd.config import Every


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cubbyd.toml"


def test_nothing_is_served_sent_or_called_by_default(file: Path) -> None:
    config = load(file)

    assert (config.metrics.listen, config.digest.every, config.heartbeat.url.get_secret_value()) == ("", Every.NEVER, "")


@pytest.mark.parametrize(
    ("listen", "address"),
    [("127.0.0.1:9464", ("127.0.0.1", 9464)), ("localhost:80", ("localhost", 80)), ("[::1]:9464", ("::1", 9464))],
)
def test_metrics_are_served_on_this_machine(file: Path, listen: str, address: tuple[str, int]) -> None:
    assert load(file, f'[metrics]\nlisten = "{listen}"').metrics.address == address


@pytest.mark.parametrize("listen", ["0.0.0.0:9464", "[::]:9464", "192.0.2.7:9464", "cubbyd.example.org:9464"])
def test_an_address_that_others_reach_needs_the_admins_word(file: Path, listen: str) -> None:
    said = str(fault(file, f'[metrics]\nlisten = "{listen}"'))

    assert "metrics" in said
    assert "can be reached from other machines" in said
    assert "allow_other_hosts = true" in said
    assert load(file, f'[metrics]\nlisten = "{listen}"\nallow_other_hosts = true').metrics.address


@pytest.mark.parametrize(
    "listen", ["9464", ":9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "::1:9464", "http://x:1", " a:1"]
)
def test_what_is_no_address_is_refused_with_one_that_is(file: Path, listen: str) -> None:
    assert "127.0.0.1:9464" in str(fault(file, f'[metrics]\nlisten = "{listen}"'))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('every = "month"', "'never', 'day' or 'week'"),
        ('at = "6:30"', '"06:30"'),
        ('at = "24:00"', '"06:30"'),
        ('weekday = "mon"', "'monday'"),
        ('time_zone = "Mars/Olympus"', "Europe/Berlin"),
        ('time_zone = "../../etc/passwd"', "Europe/Berlin"),
        ('folder = "a/"', "each level of a folder"),
    ],
)
def test_a_wrong_digest_says_what_is_right(file: Path, line: str, said: str) -> None:
    assert said in str(fault(file, f"[digest]\n{line}"))


@pytest.mark.parametrize("folder", ["INBOX", "inbox", "Billing", "billing"])
def test_a_digest_is_never_put_where_mail_is_watched_or_filed(file: Path, folder: str) -> None:
    said = str(fault(file, f'[digest]\nevery = "day"\nfolder = "{folder}"'))

    assert "digest.folder" in said
    assert "choose a folder of its own" in said


def test_a_folder_of_a_digest_that_is_not_sent_is_nobodys_trouble(file: Path) -> None:
    assert load(file, '[digest]\nfolder = "Billing"').digest_problem


def test_a_digest_goes_below_the_prefix_like_all_folders(file: Path) -> None:
    assert load(file, '[filing]\nfolder_prefix = "Sorted"').digest_folder == "Sorted/Digest"


@pytest.mark.parametrize("url", ["https://hc.example.org/ping/1234", "http://127.0.0.1:8080/x", "http://localhost/?a=b"])
def test_a_heartbeat_goes_out_protected_or_stays_here(file: Path, url: str) -> None:
    assert load(file, f'[heartbeat]\nurl = "{url}"').heartbeat.url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hc.example.org/lettuce",
        "ftp://lettuce",
        "lettuce",
        "https://",
        "https://a:lettuce@b.example",
        "https://x/lettu ce",
        "https://[x/lettuce",
    ],
)
def test_a_heartbeat_that_is_refused_is_not_repeated_as_it_may_hold_a_secret(file: Path, url: str) -> None:
    said = str(fault(file, f'[heartbeat]\nurl = "{url}"'))

    assert "heartbeat.url" in said
    assert "lettu" not in said


def test_the_heartbeats_address_shows_in_no_repr(file: Path) -> None:
    assert "lettuce" not in repr(load(file, '[heartbeat]\nurl = "https://hc.example.org/lettuce"'))
