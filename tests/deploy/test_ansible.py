"""The Ansible role under a systemd that was really booted, with the package and with a wheel: the story of inside.py.

Only in `make test-deploy`, which installs Ansible into a folder of its own ($CUBBYD_TEST_DEPLOY).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import write_examples
from tests.conftest import ROOT
from tests.deploy.stated import VERSION
from tests.systemd.boot import why_not

TOOLS = os.environ.get("CUBBYD_TEST_DEPLOY", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TOOLS, reason="needs Ansible: only in make test-deploy"),
]

BIN = Path(sys.executable).parent
PACKAGE = ROOT / "dist" / f"cubbyd_{VERSION}_amd64.deb"
BOOT_SECONDS = 900
INSIDE = (
    "cd /srv/cubbyd && LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/srv/cubbyd/daemon:/opt/packages PYTHONDONTWRITEBYTECODE=1 "
    "CUBBYD_PLAY=/srv/play CUBBYD_ANSIBLE={tools}/bin exec /opt/python/bin/python3 -m pytest -p no:cacheprovider "
    "-p no:randomly -p no:xdist -q tests/deploy/inside.py"
)


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=BOOT_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def play(tmp_path: Path) -> Path:
    """What the playbook hands over; a model."""
    folder = tmp_path / "play"
    folder.mkdir()
    run(BIN / "cubbyd", "train", write_examples(tmp_path / "examples.jsonl"), "--out", folder / "cubbyd.model")
    return folder


def apply(folder: Path, out: Path, units: Path) -> None:
    """Boot, and let the story of inside.py happen with what is in the folder."""
    units.mkdir()
    seen = {ROOT: "/srv/cubbyd", folder: "/srv/play", TOOLS: TOOLS}
    seen |= {sys.base_prefix: "/opt/python", sysconfig.get_path("purelib"): "/opt/packages"}
    environment = os.environ | {"BIND": " ".join(f"{place}:{inside}" for place, inside in seen.items())}
    command: list[str | Path] = [ROOT / "tests/systemd/boot.sh", out, units, "/bin/sh", "-c", INSIDE.format(tools=TOOLS)]
    boot = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, said = boot.communicate(timeout=BOOT_SECONDS)
    finally:
        boot.terminate()
        boot.wait(60)
    log = out / "log"
    assert boot.returncode == 0, said + (log.read_text()[-8000:] if log.exists() else "")


def test_the_role_with_the_package(play: Path, tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    if not PACKAGE.exists():
        pytest.skip(f"no {PACKAGE.relative_to(ROOT)}: make deb")
    shutil.copy(PACKAGE, play)
    (play / "given.yml").write_text(f"cubbyd_deb: /srv/play/{PACKAGE.name}\n")
    apply(play, tmp_path / "out", tmp_path / "units")


def test_the_role_with_a_wheel_and_requirements_checked_by_hash(play: Path, tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    requirements, wheels = play / "requirements.txt", play / "wheels"
    run(BIN / "uv", "build", "--quiet", "--wheel", "--out-dir", play)
    run(BIN / "uv", "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--output-file", requirements)
    download = ("download", "--quiet", "--only-binary=:all:", "--require-hashes", "--requirement", requirements)
    run(Path(TOOLS) / "bin" / "pip", *download, "--dest", wheels)
    (play / "given.yml").write_text(
        f"cubbyd_wheel: /srv/play/cubbyd-{VERSION}-py3-none-any.whl\ncubbyd_requirements: /srv/play/requirements.txt\n"
        "cubbyd_units: /srv/cubbyd/systemd\ncubbyd_pip_arguments: --no-index --find-links /srv/play/wheels\n"
    )
    apply(play, tmp_path / "out", tmp_path / "units")
