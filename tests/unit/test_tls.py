"""How the connection to a mail server is protected: TLS 1.2 or newer, verified, and no key of the configuration changes that."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.conftest import ROOT
from tests.keys import make_server_certificate

from cubbyd.config import MailboxSection, OAuthSection
from cubbyd.errors import InsecureConnection, MailboxError, MailboxUnavailable
from cubbyd.mailbox import Account, open_mailbox

OFF = (
    "CERT_NONE",
    "CERT_OPTIONAL",
    "check_hostname = False",
    "check_hostname=False",
    "verify=False",
    "_create_unverified",
    "verify = False",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tls")
    make_server_certificate(made)
    return made


@contextmanager
def listening(folder: Path, newest: ssl.TLSVersion, address: str = "127.0.0.1") -> Iterator[tuple[int, list[str]]]:
    """A server that greets as IMAP does, and speaks no newer TLS than this; gives its port, and what it spoke."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "provider.crt", folder / "provider.key")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, newest
    spoken: list[str] = []
    with socket.create_server((address, 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    plain, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(plain, server_side=True) as one:
                        spoken.append(one.version() or "")
                        one.sendall(b"* OK hello\r\n* BYE that was all\r\n")
                    plain.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], spoken
        listener.shutdown(socket.SHUT_RDWR)


def connect(port: int, **more: object) -> MailboxError:
    """Connect as cubbyd does; give what ended it."""
    values = {"host": "localhost", "port": port, "username": "u", "password_env": "UNUSED", "connect_timeout_seconds": 5}
    section = MailboxSection.model_validate(values | {"read_timeout_seconds": 5} | more)
    with pytest.raises(MailboxError) as caught:
        open_mailbox(Account(name="office", section=section, password=SecretStr("secret")))
    return caught.value


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
@pytest.mark.parametrize(
    ("newest", "speaks"),
    [(ssl.TLSVersion.TLSv1_1, []), (ssl.TLSVersion.TLSv1_2, ["TLSv1.2"]), (ssl.TLSVersion.TLSv1_3, ["TLSv1.3"])],
    ids=lambda value: getattr(value, "name", ""),
)
def test_tls_1_2_or_newer_is_spoken_and_nothing_older(folder: Path, newest: ssl.TLSVersion, speaks: list[str]) -> None:
    with listening(folder, newest) as (port, spoken):
        error = connect(port, ca_file=folder / "provider.crt")

    assert sorted(set(spoken)) == speaks
    assert isinstance(error, MailboxUnavailable)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_the_old_server_of_these_tests_does_speak_with_whoever_lets_it(folder: Path) -> None:
    """A test of the tests: else the one above would prove nothing."""
    context = ssl.create_default_context(cafile=str(folder / "provider.crt"))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        listening(folder, ssl.TLSVersion.TLSv1_1) as (port, _),
        socket.create_connection(("localhost", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as one,
    ):
        assert one.version() == "TLSv1.1"


def test_an_authority_of_ones_own_and_the_hosts_name_both_count(folder: Path) -> None:
    with listening(folder, ssl.TLSVersion.TLSv1_3) as (port, _):
        unknown = connect(port)
    with listening(folder, ssl.TLSVersion.TLSv1_3, "127.0.0.2") as (port, _):
        another = connect(port, ca_file=folder / "provider.crt", host="127.0.0.2")

    for error in (unknown, another):
        assert isinstance(error, InsecureConnection)
        assert "give the certificate authority in ca_file" in str(error)
    assert "127.0.0.2" in str(another)


def test_there_is_no_switch_to_turn_the_check_off() -> None:
    keys = {*MailboxSection.model_fields, *OAuthSection.model_fields}
    assert not [key for key in keys if any(word in key for word in ("verify", "insecure", "trust", "check"))]

    sources = list((ROOT / "daemon").rglob("*.py"))
    assert len(sources) > 100
    assert not [(file.name, word) for file in sources for word in OFF if word in file.read_text(encoding="utf-8")]
