"""A real Dovecot for the tests: below one folder, on loopback, in any of three layouts, as root or as anybody.

Any user name exists, with the password `secret`; a new user for each test is cheaper than a new server.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.patience import PATIENCE_SECONDS

PASSWORD = "secret"
DOVECOT = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, slots=True)
class Layout:
    """How mail lies on the disk, and what folders are called."""

    name: str
    location: str
    separator: str = "/"
    prefix: str = ""


MAILDIR = Layout("maildir", "maildir:~/Maildir:LAYOUT=fs")
MAILDIRPP = Layout("maildir++", "maildir:~/Maildir", ".", "INBOX.")
MDBOX = Layout("mdbox", "mdbox:~/mdbox")
LAYOUTS = (MAILDIR, MAILDIRPP, MDBOX)


class Dovecot:
    """A server that is up while the context lasts."""

    def __init__(self, layout: Layout = MAILDIR, *, capability: str = "", extra: str = "", fsync: str = "never") -> None:
        """`capability` replaces what the server announces; `extra` goes into its configuration."""
        self._layout, self._capability, self._extra, self._fsync = layout, capability, extra, fsync
        self.folder = Path(tempfile.mkdtemp(prefix="dc-", dir="/tmp"))  # short: a socket's path has 107 characters
        self.port, self.tls_port = free_port(), free_port()
        self.certificate = self.folder / "tls.crt"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._make_certificate()
        (self.folder / "home").mkdir()
        for path in (self.folder, self.folder / "home"):
            path.chmod(0o755)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("nobody")
            os.chown(self.folder / "home", owner.pw_uid, owner.pw_gid)
        (self.folder / "dovecot.conf").write_text(self._configuration(), encoding="utf-8")
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start, and wait until it greets."""
        assert DOVECOT is not None
        command = [DOVECOT, "-F", "-c", str(self.folder / "dovecot.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    if connection.recv(100).startswith(b"* OK"):
                        return
            except OSError:
                time.sleep(0.05)
        log = self.folder / "dovecot.log"
        raise RuntimeError(f"Dovecot did not start: {log.read_text() if log.exists() else 'no log'}")

    @property
    def prefix(self) -> str:
        """What every folder's name begins with, but the inbox's."""
        return self._layout.prefix

    @property
    def group(self) -> int:
        """The process group of the server and its sessions."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Stop it, sessions included."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # sessions outlive their master
            self._process = None

    def _make_certificate(self) -> None:
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        files = ["-keyout", str(self.folder / "tls.key"), "-out", str(self.certificate)]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *subject, *files]
        subprocess.run(command, check=True, capture_output=True)

    def _configuration(self) -> str:
        mail_user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        own = mail_user.pw_name
        login, internal = ("dovenull", "dovecot") if os.geteuid() == 0 else (own, own)
        group = internal if os.geteuid() == 0 else grp.getgrgid(os.getegid()).gr_name
        capability = f"imap_capability = {self._capability}" if self._capability else ""
        return f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
instance_name = {self.folder.name}
log_path = {self.folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{self.certificate}
ssl_key = <{self.folder}/tls.key
disable_plaintext_auth = no
auth_failure_delay = 0
default_login_user = {login}
default_internal_user = {internal}
default_internal_group = {group}
first_valid_uid = 0
first_valid_gid = 0
mail_fsync = {self._fsync}
mail_max_userip_connections = 200
{capability}
mail_location = {self._layout.location}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={mail_user.pw_uid} gid={mail_user.pw_gid} home={self.folder}/home/%u
}}
namespace inbox {{
  inbox = yes
  separator = {self._layout.separator}
  prefix = {self._layout.prefix}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = {self.tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
{self._extra}
"""


def free_port() -> int:
    """Find a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
