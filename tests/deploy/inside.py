"""Run by test_ansible.py under a systemd of its own, as root: the role of deploy/ansible, applied again and again.

Not collected by a normal run: it installs cubbyd on the machine. The folder of the playbook is in $CUBBYD_PLAY.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.acceptance.cubbyd import CATEGORIES
from tests.dovecot import PASSWORD, Dovecot
from tests.mail import Outside, mail
from tests.patience import eventually

HERE = Path(os.environ["CUBBYD_PLAY"])
PLAY = Path("/tmp/play")
RECAP = re.compile(r"changed=(\d+) .*failed=(\d+)")


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with Dovecot() as started:
        yield started


class Admin:
    """Who has the playbook, and this machine as the only host."""

    def __init__(self, server: Dovecot) -> None:
        self._server = server
        shutil.copytree(HERE, PLAY)
        shutil.copy(server.certificate, PLAY / "ca.pem")
        self.said = ""

    def write(self, *, more: str = "", password: str = PASSWORD) -> None:
        (PLAY / "cubbyd.toml").write_text(
            f'[mailboxes.office]\nhost = "localhost"\nport = {self._server.tls_port}\nca_file = "ca.pem"\nusername = "office"\n'
            f'password_credential = "office"\npoll_seconds = 5\n[filing]\nbacklog = "file"\n{more}\n{CATEGORIES}'
        )
        given = yaml.safe_load((HERE / "given.yml").read_text())
        variables = given | {
            "ansible_python_interpreter": "/usr/bin/python3",
            "cubbyd_config": str(PLAY / "cubbyd.toml"),
            "cubbyd_model": str(HERE / "cubbyd.model"),
            "cubbyd_ca_file": str(PLAY / "ca.pem"),
            "cubbyd_passwords": {"office": password, "kitchen": "another"},
        }
        play = {"hosts": "all", "connection": "local", "vars": variables, "roles": [{"role": "cubbyd"}]}
        (PLAY / "site.yml").write_text(yaml.safe_dump([play]))

    def apply(self) -> tuple[int, int]:
        """Apply the playbook; give how many tasks changed something and how many failed."""
        environment = {
            "PATH": f"{os.environ['CUBBYD_ANSIBLE']}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_ROLES_PATH": "/srv/cubbyd/deploy/ansible/roles",
            "ANSIBLE_NOCOLOR": "1",
        }
        command = ["ansible-playbook", "-vvv", "--diff", "-i", "localhost,", str(PLAY / "site.yml")]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
        self.said = done.stdout + done.stderr
        recap = RECAP.search(done.stdout)
        assert recap, self.said
        return int(recap[1]), int(recap[2])

    def folders(self) -> dict[str, list[str]]:
        with Outside(self._server, "office") as client:
            return client.everything()


def systemctl(*arguments: str) -> str:
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=60, check=False).stdout.strip()


def process() -> str:
    return systemctl("show", "--property=MainPID", "--value", "cubbyd")


def test_the_role_installs_once_changes_nothing_twice_and_lets_no_wrong_file_in(server: Dovecot) -> None:
    admin = Admin(server)
    with Outside(server, "office") as client:
        client.deliver(mail("Emma is ill today", number=1), mail("the invoice for Noah is wrong", number=2))

    admin.write()
    changed, failed = admin.apply()
    assert (changed > 5, failed) == (True, 0), admin.said
    eventually(lambda: admin.folders() == {"Absence": ["Emma is ill today"], "Billing": ["the invoice for Noah is wrong"]})
    assert (systemctl("is-enabled", "cubbyd"), systemctl("is-active", "cubbyd")) == ("enabled", "active")
    assert Path("/etc/cubbyd/office.password").stat().st_mode & 0o777 == 0o600
    assert "LoadCredential=kitchen:/etc/cubbyd/kitchen.password" in systemctl("cat", "cubbyd")
    assert PASSWORD not in admin.said

    first = process()
    assert admin.apply() == (0, 0), admin.said
    assert process() == first

    admin.write(more="nonsense = 1")
    assert admin.apply() == (0, 1), admin.said
    assert "nonsense" in admin.said
    assert "nonsense" not in Path("/etc/cubbyd/cubbyd.toml").read_text()
    assert sorted(file.name for file in Path("/etc/cubbyd").iterdir() if file.name.startswith(".")) == []
    assert (process(), systemctl("is-active", "cubbyd")) == (first, "active")

    admin.write(more='folder_prefix = "Sorted"')
    changed, failed = admin.apply()
    assert (changed, failed) == (2, 0), admin.said  # the file, and the reload
    assert process() == first
    with Outside(server, "office") as client:
        client.deliver(mail("Noah has a milk allergy", number=3))
    eventually(lambda: "Sorted/Meals" in admin.folders())

    admin.write(more='folder_prefix = "Sorted"', password="another")
    changed, failed = admin.apply()
    assert (changed, failed) == (2, 0), admin.said  # the password, and the restart
    assert process() != first
