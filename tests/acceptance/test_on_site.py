"""Classified on this machine alone, a mail makes cubbyd talk to the IMAP server and to nobody else: the kernel is asked.

strace sees every socket of the process, those of native code too, which neither an audit hook nor a patched module would.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd, write_examples
from tests.dovecot import Dovecot
from tests.embeddings import make_folder
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS, eventually

from cubbyd.service.log import STRICT

pytestmark = [pytest.mark.slow, pytest.mark.dovecot]

SUBJECTS = ("Emma is ill today", "the invoice for Noah is wrong", "a milk allergy, no nuts please")
FILED = {"Absence": [SUBJECTS[0]], "Billing": [SUBJECTS[1]], "Meals": [SUBJECTS[2]]}
OF_A_SERVICE = ("PATH", "LANG", "LC_ALL", "OMP_NUM_THREADS", STRICT)
CALL = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg|bind)\(.*")
INTERNET = re.compile(r"sa_family=AF_INET6?, sin6?_port=htons\((\d+)\).*?\"([^\"]+)\"")
LOCAL = re.compile(r"sa_family=AF_UNIX, sun_path=@?\"([^\"]+)\"")
FAMILY = re.compile(r"\bsocket\((AF_\w+)")


@pytest.fixture
def strace(tmp_path: Path) -> list[str]:
    """Give the words before a command that has its sockets written to `trace`; the command stays our own child."""
    words = ["strace", "-D", "-f", "-qq", "-s", "64", "-e", "trace=network", "-o", str(tmp_path / "trace")]
    if shutil.which("strace") is None:
        pytest.skip("strace is not on this machine: apt-get install strace")
    if subprocess.run([*words, "/bin/true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("strace may not look at processes here")
    return words


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str) -> Cubbyd:
    account = f'host = "127.0.0.1"\nport = {dovecot.tls_port}\nca_file = "{dovecot.certificate}"'
    return Cubbyd(tmp_path, dovecot, user, mailbox=account)


def partners(trace: Path) -> set[tuple[str, int] | str]:
    """Tell to whom anything was sent or was to be sent: address and port, or the path of a socket."""
    calls = "\n".join(CALL.findall(trace.read_text()))
    return {(address, int(port)) for port, address in INTERNET.findall(calls)} | set(LOCAL.findall(calls))


def of_a_service(home: Path) -> dict[str, str]:
    """Give a service's environment: where CI=true, or ORT_DISABLE_TELEMETRY, onnxruntime would be silent of itself."""
    return {key: value for key, value in os.environ.items() if key in OF_A_SERVICE} | {"HOME": str(home)}


def file_mail(cubbyd: Cubbyd, strace: list[str], outside: Outside, home: Path) -> None:
    """Have the daemon file three mails, one of them while it watches, and end it as systemd does."""
    home.mkdir()
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS[:2])))
    with (cubbyd.folder / "log").open("w") as log:
        daemon = subprocess.Popen([*strace, *cubbyd.command("run")], stderr=log, cwd=cubbyd.folder, env=of_a_service(home))
    try:
        eventually(lambda: cubbyd.events().count("mail filed") == 2)
        outside.deliver(mail(SUBJECTS[2], number=2, body=SUBJECTS[2]))
        eventually(lambda: cubbyd.events().count("mail filed") == 3)
        time.sleep(5)  # one poll, and time to phone home in
    finally:
        daemon.terminate()
        assert daemon.wait(PATIENCE_SECONDS) == 0
    assert outside.everything() == FILED


@pytest.mark.parametrize("kind", ["local", "embeddings"])
def test_the_daemon_talks_to_the_mail_server_and_to_nobody_else(
    cubbyd: Cubbyd, dovecot: Dovecot, user: str, strace: list[str], tmp_path: Path, kind: str
) -> None:
    table = ""
    if kind == "embeddings":
        table = f'\n[classifier.embeddings]\nfolder = "{make_folder(tmp_path / "tiny", "int8")}"\n'
    chosen = f'[classifier]\nkind = "{kind}"\nthreshold = 0.4\n'
    cubbyd.config.write_text(cubbyd.config.read_text().replace("[classifier]\n", chosen) + table)
    examples = write_examples(tmp_path / "examples.jsonl")
    trained = cubbyd("train", str(examples), "--kind", kind, "--out", str(tmp_path / "cubbyd.model"))
    assert trained.returncode == 0, trained.stderr

    with Outside(dovecot, user) as outside:
        file_mail(cubbyd, strace, outside, tmp_path / "home")

    assert partners(tmp_path / "trace") == {("127.0.0.1", dovecot.tls_port)}
    assert set(FAMILY.findall((tmp_path / "trace").read_text())) == {"AF_INET"}, "no other kind of socket was even opened"
    assert list((tmp_path / "home").rglob("*")) == [], "nor is anything left for later in the home directory"


PHONES_HOME = "import onnxruntime, pathlib, time\nfor _ in range(200):\n    time.sleep(0.1)\n"


def test_what_onnxruntime_does_by_itself_would_be_seen(strace: list[str], tmp_path: Path) -> None:
    """In a network of its own, that leads nowhere, so that nothing is really sent."""
    pytest.importorskip("onnxruntime", reason="the extra cubbyd[embeddings] is not installed")
    apart = ["unshare", "--net"]
    if subprocess.run([*apart, "/bin/true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no network of its own can be made here; root can")
    process = subprocess.Popen([*apart, *strace, sys.executable, "-c", PHONES_HOME], env=of_a_service(tmp_path))
    try:
        eventually(lambda: (tmp_path / "trace").exists() and bool(partners(tmp_path / "trace")))
    finally:
        process.kill()
        process.wait()

    assert (tmp_path / ".cache").exists()


def test_a_socket_of_native_code_would_be_seen(strace: list[str], tmp_path: Path) -> None:
    native = "import ctypes\nlibc = ctypes.CDLL(None)\naddress = bytes([2, 0, 0, 9, 127, 0, 0, 1]) + bytes(8)\nlibc.connect(libc.socket(2, 2, 0), address, 16)\n"
    subprocess.run([*strace, sys.executable, "-c", native], check=True)

    eventually(lambda: partners(tmp_path / "trace") == {("127.0.0.1", 9)})
