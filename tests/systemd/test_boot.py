"""The units under a systemd that was really booted, beside this machine and thrown away afterwards: the stories of inside.py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.conftest import ROOT
from tests.dovecot import DOVECOT

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
STORIES = re.findall(r"^def (test_\w+)", (HERE / "inside.py").read_text(), re.MULTILINE)
BOOT_SECONDS = 900
CANNOT_BOOT = 125
TOOLS = ("unshare", "systemctl", "systemd-run", "journalctl", "pivot_root", "openssl")

WRAPPER = """#!/bin/sh
export LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/srv/cubbyd/daemon:/opt/packages PYTHONDONTWRITEBYTECODE=1
exec /opt/python/bin/python3 -m cubbyd "$@"
"""
INSIDE = (
    "mkdir -p /opt/cubbyd/bin && cp /srv/boot/cubbyd /opt/cubbyd/bin/ && cd /srv/cubbyd && "
    "LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/srv/cubbyd/daemon:/opt/packages PYTHONDONTWRITEBYTECODE=1 "
    "exec /opt/python/bin/python3 -m pytest -p no:cacheprovider -p no:randomly -p no:xdist -q tests/systemd/inside.py "
    "-o junit_logging=all --junitxml=/out/report.xml"
)


def why_not() -> str | None:
    """Tell what this machine lacks to boot a systemd; None where it lacks nothing that can be seen beforehand."""
    if os.geteuid() != 0:
        return "only root can boot a systemd beside this machine's"
    missing = [tool for tool in TOOLS if shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    if missing or not Path("/lib/systemd/systemd").exists():
        return f"not on this machine: {', '.join(missing) or 'systemd'}"
    if DOVECOT is None:
        return "no Dovecot on this machine: apt-get install dovecot-imapd"
    return None


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Boot once; give what is wrong with each story, which is nothing for one that came true."""
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("boot")
    units, own, out = folder / "units", folder / "own", folder / "out"
    shutil.copytree(ROOT / "systemd", units, ignore=shutil.ignore_patterns("drop-ins"))
    own.mkdir()
    (own / "cubbyd").write_text(WRAPPER)
    for path, mode in ((folder, 0o755), (own, 0o755), (own / "cubbyd", 0o755)):
        path.chmod(mode)
    seen = {
        ROOT: "/srv/cubbyd",
        own: "/srv/boot",
        sys.base_prefix: "/opt/python",
        sysconfig.get_path("purelib"): "/opt/packages",
    }
    environment = os.environ | {"BIND": " ".join(f"{place}:{inside}" for place, inside in seen.items())}
    command = [HERE / "boot.sh", out, units, "/bin/sh", "-c", INSIDE]
    done = subprocess.run(command, env=environment, timeout=BOOT_SECONDS, capture_output=True, text=True, check=False)
    if done.returncode == CANNOT_BOOT:
        pytest.skip(f"no systemd can be booted here: {done.stderr.strip()[-300:]}")
    report = out / "report.xml"
    assert report.exists(), (out / "log").read_text()[-5000:]
    return {case.get("name", ""): _fault(case) for case in ET.parse(report).iter("testcase")}


def _fault(case: ET.Element) -> str:
    return "\n".join(f"{part.get('message')}\n{part.text}" for part in case if part.tag in ("failure", "error", "skipped"))


@pytest.mark.parametrize("story", STORIES)
def test_under_a_booted_systemd(outcomes: dict[str, str], story: str) -> None:
    assert outcomes[story] == "", outcomes[story]
