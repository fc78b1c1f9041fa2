"""Awkward mail, awkward keywords, and a server that says OK to what it does not do, through whole passes on a real Dovecot."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tests.dovecot import MAILDIR, Dovecot
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.faults.test_servers import deliver, later, office, reach
from tests.mail import Outside, mail
from tests.rig import Office, rules, words_classifier

from cubbyd.errors import InsecureConnection, MailboxUnavailable
from cubbyd.lifecycle import State
from cubbyd.taxonomy import Category, CategoryId, Taxonomy
from cubbyd.testing import WordClassifier

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

# --- Message-IDs -------------------------------------------------------------------------------------------------------


def with_id(subject: str, line: bytes, number: int = 1) -> bytes:
    """A mail with another line, or none, in the place of its Message-ID."""
    return mail(subject, number=number).replace(b"Message-ID: <%d@example.com>\r\n" % number, line)


TWIN = with_id("ill twin", b"Message-ID: <twin@example.com>\r\n")
AWKWARD_IDS = {
    "none": with_id("ill none", b""),
    "empty": with_id("ill empty", b"Message-ID:\r\n"),
    "two": with_id("ill two", b"Message-ID: <a@example.com>\r\nMessage-ID: <b@example.com>\r\n"),
    "folded": with_id("ill folded", b"Message-ID:\r\n <folded@example.com>\r\n"),
    "of 300 characters": with_id("ill long", b"Message-ID: <" + b"x" * 288 + b"@example.com>\r\n"),
    "8-bit": with_id("ill 8bit", b"Message-ID: <\xe4\xf6\xfc@example.com>\r\n"),
    "of another mail": with_id("ill same", b"Message-ID: <twin@example.com>\r\n", number=2),
    "twin": TWIN,
    "the other twin": TWIN,
}


@pytest.mark.parametrize("kind", [Kind.CUT_AFTER, Kind.CUT_BEFORE])
def test_mail_is_told_apart_whatever_its_message_id_is_like(tmp_path: Path, dovecot: Dovecot, user: str, kind: Kind) -> None:
    """The answer to the MOVE is lost, so that each mail must be found again by what it is."""
    classifier = words_classifier()
    with FaultProxy(dovecot.port, Fault(kind, "UID MOVE")) as proxy, Outside(dovecot, user) as outside:
        outside.deliver(*AWKWARD_IDS.values())
        here = office(reach(dovecot, user, port=proxy.port), tmp_path, classifier=classifier)
        with pytest.raises(MailboxUnavailable):
            here.run()
        later(here)

        assert len(outside.subjects("Absence")) == len(AWKWARD_IDS)
        assert outside.subjects("INBOX") == []
    uids = [record.target_uid for record in here.records()]
    assert len(set(uids)) == len(AWKWARD_IDS)
    assert sorted(Counter(classifier.asked).values()) == [1] * (len(AWKWARD_IDS) - 2) + [2], "each twin is a mail"


def test_the_hour_that_comes_twice_tells_two_mails_apart(tmp_path: Path, dovecot: Dovecot, user: str) -> None:
    """On the night when the clocks go back, half past two comes once in summer time, and an hour later in winter time."""
    summer, winter = (datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=hours))) for hours in (2, 1))
    with FaultProxy(dovecot.port, Fault(Kind.CUT_AFTER, "UID MOVE")) as proxy, Outside(dovecot, user) as outside:
        outside.deliver(TWIN, received=summer)
        outside.deliver(TWIN, received=winter)
        here = office(reach(dovecot, user, port=proxy.port), tmp_path)
        with pytest.raises(MailboxUnavailable):
            here.run()
        later(here)

        assert outside.everything() == {"Absence": ["ill twin"] * 2}
    first, second = here.records()
    assert first.fingerprint != second.fingerprint
    assert (first.received_at, second.received_at) == (summer, winter)


# --- content -----------------------------------------------------------------------------------------------------------


def large(subject: str, megabytes: int) -> bytes:
    return mail(subject, number=60, body=("x" * 76 + "\r\n") * (megabytes * 1_000_000 // 78))


def many_parts(subject: str, parts: int) -> bytes:
    part = "--b\r\nContent-Type: text/plain\r\n\r\na part\r\n"
    text = mail(subject, number=61, body=part * parts + "--b--")
    return text.replace(b"Message-ID", b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\nMessage-ID', 1)


def in_charset(subject: str, charset: str, body: bytes) -> bytes:
    header = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: 8bit\r\nMessage-ID"
    return mail(subject, number=62, body="BODY").replace(b"Message-ID", header % charset.encode(), 1).replace(b"BODY", body)


AWKWARD = {
    "60 MB": large("ill and long", 60),
    "1,000 parts": many_parts("ill in parts", 1_000),
    "unknown charset": in_charset("ill unknown charset", "x-klingon", b"\xe4\xf6\xfc is ill"),
    "charset that is no name": in_charset("ill charset", '"\xc3\xa4 "', b"is ill"),
    "8-bit header": mail("ill EMMA", number=63).replace(b"EMMA", b"\xc4nne"),
    "NUL": mail("ill NUL", number=64, body="before AFTER").replace(b"AFTER", b"\0\0 after"),
    "no header": b"\r\nOnly a body, without any header.\r\n",
    "nothing": b"\r\n",
}


def drop(server: Dovecot, user: str, name: str, raw: bytes) -> None:
    """Deliver a mail as a file, as a delivery agent may: APPEND refuses some of them."""
    folder = server.folder / "home" / user / "Maildir"
    file = folder / "tmp" / f"{1_795_000_000}.{name}.awkward"
    file.write_bytes(raw)
    shutil.chown(file, (folder / "new").stat().st_uid, (folder / "new").stat().st_gid)
    file.rename(folder / "new" / file.name)


def test_mail_of_any_kind_goes_through_a_whole_pass_and_stops_no_other(tmp_path: Path, dovecot: Dovecot, user: str) -> None:
    with Outside(dovecot, user) as outside:
        outside.subjects("INBOX")  # makes the folder
        for number, (_, raw) in enumerate(AWKWARD.items()):
            drop(dovecot, user, str(number), raw)
        outside.deliver(mail("the invoice", number=99))
        here = office(reach(dovecot, user), tmp_path)

        report = here.run()

        assert not report.problems
        assert len(outside.uids("Absence")) == len([name for name in AWKWARD if name not in {"no header", "nothing"}])
        assert len(outside.uids("INBOX")) == 2, "what cannot be read is for people"
        assert outside.subjects("Billing") == ["the invoice"]
        assert outside.seen() == 0
    assert Counter(record.state for record in here.records()) == {State.FILED: len(AWKWARD) - 1, State.HELD: 2}
    sizes = {
        file.stat().st_size for file in (dovecot.folder / "home" / user / "Maildir" / "Absence").rglob("*") if file.is_file()
    }
    assert {len(raw) for name, raw in AWKWARD.items() if name not in {"no header", "nothing"}} <= sizes, "nothing is altered"


# --- a server that says OK ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["UID STORE", "UID MOVE"])
def test_a_server_that_says_ok_and_does_nothing_is_not_believed(
    tmp_path: Path, dovecot: Dovecot, user: str, command: str
) -> None:
    classifier = words_classifier()
    with FaultProxy(dovecot.port) as proxy, Outside(dovecot, user) as outside:
        deliver(outside)
        wanted = rules(move=command == "UID MOVE", label=command == "UID STORE")
        here = office(reach(dovecot, user, port=proxy.port), tmp_path, rules=wanted, classifier=classifier)
        proxy.swallows = lambda name: name == command

        report = here.run()

        assert not [record for record in here.records() if record.state is State.FILED]
        assert len(outside.subjects("INBOX")) == 4
        if command == "UID STORE":
            assert all("dropped the keyword" in str(problem) for problem in report.problems)
            assert report.problems
        proxy.swallows = lambda _name: False
        later(here)
        assert Counter(record.state for record in here.records()) == {State.FILED: 3, State.HELD: 1}
    assert max(Counter(classifier.asked).values()) == 1


def test_a_move_that_is_done_and_refused_in_words_is_looked_up_and_not_repeated(
    tmp_path: Path, dovecot: Dovecot, user: str
) -> None:
    with FaultProxy(dovecot.port, Fault(Kind.NO_AFTER, "UID MOVE")) as proxy, Outside(dovecot, user) as outside:
        outside.deliver(mail("ill again", number=1))
        here = office(reach(dovecot, user, port=proxy.port), tmp_path)

        here.run()

        assert proxy.commands.count("UID MOVE") == 1
        assert outside.everything() == {"Absence": ["ill again"]}
        assert [record.state for record in here.records()] == [State.FILED]


# --- keywords ----------------------------------------------------------------------------------------------------------

MANY = [f"c{number:02}" for number in range(30)]
MANY_CATEGORIES = Taxonomy(
    tuple(
        Category(id=CategoryId(name), code=code, name=name, description="", folder=name, keyword=f"cubbyd-{name}-{'x' * 39}")
        for code, name in enumerate(MANY, 1)
    )
)
"""More than the 26 that a maildir of Dovecot can keep in the names of its files, and each of 50 characters."""


def test_more_keywords_than_a_maildir_keeps_cost_no_mail_its_place_and_no_second_question(tmp_path: Path, user: str) -> None:
    classifier = WordClassifier(MANY, {name: name for name in MANY})
    assert {len(category.keyword) for category in MANY_CATEGORIES.categories} == {50}
    wanted = rules(move=False, label=True)
    wanted = type(wanted)(**{name: getattr(wanted, name) for name in wanted.__slots__} | {"taxonomy": MANY_CATEGORIES})
    with Dovecot(MAILDIR) as server:
        with Outside(server, user) as outside:
            outside.deliver(*(mail(f"about {name}", number=number) for number, name in enumerate(MANY)))
        here = office(reach(server, user), tmp_path, rules=wanted, classifier=classifier)
        here.run()
        with Outside(server, user) as outside:
            labels = {flag for flags in outside.flags("INBOX").values() for flag in flags if flag.startswith("cubbyd-")}
            assert labels == {category.keyword for category in MANY_CATEGORIES.categories}
        server.stop()
        for index in (server.folder / "home" / user / "Maildir").glob("dovecot.index*"):
            index.unlink()
        server.start()
        later(here)
        here.run(full_scan=True)
        with Outside(server, user) as outside:
            assert len(outside.uids("INBOX")) == len(MANY)
    assert Counter(record.state for record in here.records() if record.state is not State.VOID) == {State.FILED: len(MANY)}
    assert max(Counter(classifier.asked).values()) == 1


# --- the server itself -------------------------------------------------------------------------------------------------


def test_an_expired_certificate_is_refused_and_no_password_goes_out(tmp_path: Path, user: str) -> None:
    with Dovecot(MAILDIR) as server:
        server.stop()
        key, certificate, request = str(server.folder / "tls.key"), str(server.certificate), str(server.folder / "request")
        ask = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", request]
        ask += ["-addext", "subjectAltName=IP:127.0.0.1"]
        sign = ["x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-copy_extensions", "copy", "-out", certificate]
        for arguments in (ask, sign):
            subprocess.run(["openssl", *arguments], capture_output=True, check=True)
        server.start()
        who = reach(server, user, security="tls", port=server.tls_port, ca_file=server.certificate)

        with pytest.raises(InsecureConnection, match="expired"):
            office(who, tmp_path).run()

        assert "Login" not in (server.folder / "dovecot.log").read_text()


@pytest.fixture
def small_disk() -> Iterator[Dovecot]:
    """A server whose mail lies on a disk of 3 MB."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    with Dovecot(MAILDIR, capability="IMAP4rev1 UIDPLUS") as server:
        home = server.folder / "home"
        owner = f"uid={home.stat().st_uid},gid={home.stat().st_gid},mode=0755"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size=3m,{owner}", "tmpfs", str(home)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("no small disk can be mounted here")
        try:
            yield server
        finally:
            server.stop()
            subprocess.run(["umount", str(home)], check=True)


def test_a_full_disk_of_the_server_leaves_mail_in_the_inbox_until_there_is_room(
    tmp_path: Path, user: str, small_disk: Dovecot
) -> None:
    body = "x" * 60_000
    with Outside(small_disk, user) as outside:
        outside.deliver(*(mail(f"ill {number}", number=number, body=body) for number in range(10)))
    filler = small_disk.folder / "home" / "filler"
    fill(filler)
    classifier = words_classifier()
    here = office(reach(small_disk, user), tmp_path, classifier=classifier)

    said = try_pass(here)

    assert said, "it is said that nothing could be filed"
    filler.unlink()
    for _ in range(3):
        later(here)
    with Outside(small_disk, user) as outside:
        assert outside.count_subjects() == Counter(f"ill {number}" for number in range(10))
        assert len(outside.subjects("Absence")) == 10
        assert outside.seen() == 0
    assert max(Counter(classifier.asked).values()) == 1


def fill(filler: Path) -> None:
    """Write until no room is left."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def try_pass(here: Office) -> list[str]:
    """One pass; give what it says went wrong."""
    try:
        return [str(problem) for problem in here.run().problems]
    except MailboxUnavailable as error:
        return [str(error)]
