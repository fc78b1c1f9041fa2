"""The image, really built and run: it files two mails from a Dovecot over TLS, confined as compose.yaml confines it.

Only in `make test-deploy`, as the build takes minutes. With CUBBYD_BASE=docker.io/library/debian:bookworm-slim it is built on that;
with CUBBYD_IMAGES=/tmp/images the images are kept there, and the next run is quicker.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.acceptance.cubbyd import CATEGORIES, write_examples
from tests.conftest import ROOT
from tests.deploy.container import AROUND, CONFINED, Store, why_not
from tests.deploy.stated import UID, VERSION
from tests.dovecot import DOVECOT, PASSWORD, Dovecot
from tests.mail import Outside, mail
from tests.patience import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("CUBBYD_TEST_DEPLOY"), reason="builds an image: only in make test-deploy"),
]

CONTAINER = ROOT / "deploy" / "container"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    if reason := why_not():
        pytest.skip(reason)
    if kept := os.environ.get("CUBBYD_IMAGES"):
        yield Store(Path(kept))
        return
    folder = Path(tempfile.mkdtemp(prefix="cc-", dir="/tmp"))  # short: podman takes no path of more than 50 characters
    made = Store(folder)
    yield made
    made.remove_all()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def base(store: Store) -> str:
    if given := os.environ.get("CUBBYD_BASE"):
        store.buildah("pull", given)
        return given
    return store.make_base()


@pytest.fixture(scope="module")
def image(store: Store, base: str) -> str:
    return store.build(base, CONTAINER / "Dockerfile", ROOT, f"localhost/cubbyd:{VERSION}")


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    if DOVECOT is None:
        pytest.skip("no Dovecot on this machine: apt-get install dovecot-imapd")
    with Dovecot() as started:
        yield started


class Office:
    """A folder for /etc/cubbyd, one for the state, one for the secrets; and the container that sees them."""

    def __init__(self, store: Store, image: str, server: Dovecot, folder: Path) -> None:
        self._store, self._image, self._server = store, image, server
        self.etc, self.state, self.secrets = (folder / name for name in ("etc", "state", "secrets"))
        for place, owner, mode in ((self.etc, 0, 0o755), (self.state, UID, 0o700), (self.secrets, 0, 0o755)):
            place.mkdir()
            os.chown(place, owner, owner)
            place.chmod(mode)
        self.mounts: tuple[str, ...] = (f"--volume={self.etc}:/etc/cubbyd:ro", f"--volume={self.state}:/var/lib/cubbyd")
        secret = self.secrets / "office"
        secret.write_text(PASSWORD)
        os.chown(secret, UID, UID)
        secret.chmod(0o400)
        self.mounts += (f"--volume={secret}:/run/secrets/office:ro",)
        shutil.copy(server.certificate, self.etc / "ca.pem")
        write_examples(self.etc / "examples.jsonl")
        (self.etc / "cubbyd.toml").write_text(
            f'[mailboxes.office]\nhost = "localhost"\nport = {server.tls_port}\nca_file = "ca.pem"\nusername = "office"\n'
            f'password_credential = "office"\npoll_seconds = 5\n[filing]\nbacklog = "file"\n'
            f'[classifier]\nmodel = "/var/lib/cubbyd/cubbyd.model"\n{CATEGORIES}'
        )
        for file in self.etc.iterdir():
            file.chmod(0o644)

    def once(self, *command: str) -> str:
        """Run a command of cubbyd in a container of its own, and give what it says."""
        return self._store.podman("run", "--rm", *AROUND, *CONFINED, "--no-healthcheck", *self.mounts, self._image, *command)

    def start(self) -> None:
        self._store.podman("run", "--detach", "--name=cubbyd", *AROUND, *CONFINED, *self.mounts, self._image)

    def inside(self, *command: str) -> str:
        return self._store.podman("exec", "cubbyd", *command)

    def inside_code(self, *command: str) -> int:
        return self._store.podman_code("exec", "cubbyd", *command)

    def folders(self) -> dict[str, list[str]]:
        with Outside(self._server, "office") as client:
            return client.everything()


@pytest.fixture
def office(store: Store, image: str, server: Dovecot, tmp_path: Path) -> Iterator[Office]:
    yield Office(store, image, server, tmp_path)
    store.podman("rm", "--force", "cubbyd", check=False)


def test_a_confined_container_files_two_mails_is_healthy_and_stops_at_once(
    store: Store, office: Office, server: Dovecot
) -> None:
    with Outside(server, "office") as client:
        client.deliver(mail("Emma is ill today", number=1), mail("the invoice for Noah is wrong", number=2))
    office.once("train", "/etc/cubbyd/examples.jsonl", "--out", "/var/lib/cubbyd/cubbyd.model")
    assert "Everything is ready" in office.once("check")
    office.start()

    eventually(lambda: "Billing" in office.folders() and "INBOX" not in office.folders())
    assert office.folders() == {"Absence": ["Emma is ill today"], "Billing": ["the invoice for Noah is wrong"]}

    assert office.inside("cubbyd", "status", "--check") == "Mail is filed, and none waits too long.\n"
    assert store.podman_code("healthcheck", "run", "cubbyd") == 0
    kept = {file: file.stat() for file in office.state.rglob("*")}
    assert {file.name for file in kept} >= {"cubbyd.sqlite", "cubbyd.model"}
    assert {(known.st_uid, known.st_mode & 0o077) for known in kept.values()} == {(UID, 0)}
    assert office.inside("id", "-u").strip() == str(UID)
    assert {place for place in ("/", "/etc/cubbyd", "/opt/cubbyd", "/run", "/var/tmp") if writes(office, place)} == set()
    assert writes(office, "/var/lib/cubbyd")

    begun = time.monotonic()
    store.podman("stop", "--time=30", "cubbyd")
    assert time.monotonic() - begun < 20
    ended = json.loads(store.podman("inspect", "cubbyd"))[0]["State"]
    assert (ended["ExitCode"], ended["OOMKilled"]) == (0, False)


def writes(office: Office, place: str) -> bool:
    return office.inside_code("touch", f"{place}/attempt") == 0


def test_a_wrong_password_is_said_by_the_check_with_its_exit_code(store: Store, office: Office) -> None:
    secret = office.secrets / "office"
    secret.write_text("wrong")
    office.once("train", "/etc/cubbyd/examples.jsonl", "--out", "/var/lib/cubbyd/cubbyd.model")
    assert store.podman_code("run", "--rm", *AROUND, *CONFINED, *office.mounts, f"localhost/cubbyd:{VERSION}", "check") == 77


def test_the_image_has_no_tools_to_build_or_to_install_with(store: Store, image: str) -> None:
    tools = "gcc cc make pip pip3 uv hatchling git curl wget"
    found = store.podman("run", "--rm", *AROUND, "--no-healthcheck", "--entrypoint=sh", image, "-c", f"which sh {tools}; true")
    assert found == "/usr/bin/sh\n"


def test_a_pod_waits_for_its_model_and_then_finds_everything_where_kubernetes_puts_it(
    store: Store, image: str, tmp_path: Path
) -> None:
    """The manifest's own init container, configuration and modes of volumes; Kubernetes itself is not there."""
    manifests = {each["kind"]: each for each in yaml.safe_load_all((ROOT / "deploy/kubernetes/cubbyd.yaml").read_text())}
    (waiting,) = manifests["Deployment"]["spec"]["template"]["spec"]["initContainers"]
    volume, etc, secret = tmp_path / "volume", tmp_path / "etc", tmp_path / "office"
    for place, mode in ((volume, 0o2775), (etc, 0o755)):
        place.mkdir()
        os.chown(place, 0, UID)
        place.chmod(mode)
    (etc / "cubbyd.toml").write_text(manifests["ConfigMap"]["data"]["cubbyd.toml"])
    (etc / "cubbyd.toml").chmod(0o644)
    secret.write_text("of the pod")
    os.chown(secret, 0, UID)
    secret.chmod(0o440)
    examples, model = write_examples(tmp_path / "examples.jsonl"), tmp_path / "cubbyd.model"
    examples.write_text("".join(line for line in examples.read_text().splitlines(keepends=True) if '"meals"' not in line))
    subprocess.run([BIN / "cubbyd", "train", examples, "--out", model], check=True, capture_output=True)

    shell, *arguments = waiting["command"]
    seen = f"--volume={volume}:/var/lib/cubbyd"
    options = (*AROUND, *CONFINED, "--no-healthcheck", seen)
    store.podman("run", "--detach", "--name=model", *options, f"--entrypoint={shell}", image, *arguments)
    try:
        (command,) = re.findall(r"-c model -- sh -c '(.+)' <cubbyd.model", (ROOT / "docs/deployment.md").read_text())
        store.podman("exec", "--interactive", "model", "sh", "-c", command, given=model.read_bytes())
        assert store.podman("wait", "model").strip() == "0"
    finally:
        store.podman("rm", "--force", "model", check=False)

    found = (f"--volume={etc}:/etc/cubbyd:ro", f"--volume={secret}:/run/secrets/office:ro")
    said = store.podman("run", "--rm", *options, *found, image, "check", "--offline")
    assert "All that is on this machine is ready" in said


def test_the_trial_server_takes_the_secret_and_shows_a_certificate_of_its_own(store: Store, base: str, tmp_path: Path) -> None:
    dovecot = CONTAINER / "dovecot"
    image = store.build(base, dovecot / "Dockerfile", dovecot, f"localhost/cubbyd-trial-dovecot:{VERSION}")
    secret = tmp_path / "office"
    secret.write_text("trial-secret")
    secret.chmod(0o644)
    places = [f"--tmpfs={place}:mode=1777" for place in ("/run/dovecot", "/srv/mail", "/srv/certificate")]
    volume = f"--volume={secret}:/run/secrets/office:ro"
    store.podman("run", "--detach", "--name=server", *AROUND, *CONFINED, *places, volume, image)
    try:
        eventually(lambda: store.podman_code("healthcheck", "run", "server") == 0)
        assert store.podman_code("exec", "server", "doveadm", "auth", "test", "office", "trial-secret") == 0
        assert store.podman_code("exec", "server", "doveadm", "auth", "test", "office", "another") != 0
        asked = "openssl s_client -brief -connect localhost:1993 -CAfile /srv/certificate/server.pem -verify_return_error"
        assert store.podman_code("exec", "server", "sh", "-c", f"{asked} -verify_hostname dovecot </dev/null") == 0
    finally:
        store.podman("rm", "--force", "server", check=False)
