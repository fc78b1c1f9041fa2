"""Boots a systemd beside this machine's, once, and gives what came of each story that was run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.conftest import ROOT
from tests.dovecot import DOVECOT

HERE = Path(__file__).parent
BOOT_SECONDS = 900
CANNOT_BOOT = 125
TOOLS = ("unshare", "systemctl", "systemd-run", "journalctl", "pivot_root", "openssl")
PYTHON = "LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/srv/cubbyd/daemon:/opt/packages PYTHONDONTWRITEBYTECODE=1"
"""The Python of the tests, as it is seen inside."""


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


def run_stories(folder: Path, stories: str, *, units: Path, seen: dict[Path, str], first: str = "true") -> dict[str, str]:
    """Run a file of stories inside, after the command `first`; give what is wrong with each: nothing for one that came true.

    `seen` says which folders are there at which place. Skips the test where no systemd can be booted.
    """
    out = folder / "out"
    seen = {
        ROOT: "/srv/cubbyd",
        Path(sys.base_prefix): "/opt/python",
        Path(sysconfig.get_path("purelib")): "/opt/packages",
    } | seen
    inside = (
        f"{first} && cd /srv/cubbyd && env {PYTHON} /opt/python/bin/python3 -m pytest "
        "-p no:cacheprovider -p no:randomly -p no:xdist -q "
        f"{stories} -o junit_logging=all --junitxml=/out/report.xml"
    )
    environment = os.environ | {"BIND": " ".join(f"{place}:{there}" for place, there in seen.items())}
    command: list[str | Path] = [HERE / "boot.sh", out, units, "/bin/sh", "-c", inside]
    boot = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, said = boot.communicate(timeout=BOOT_SECONDS)
    finally:
        boot.terminate()  # it ends all that runs inside
        boot.wait(60)
    if boot.returncode == CANNOT_BOOT:
        pytest.skip(f"no systemd can be booted here: {said.strip()[-300:]}")
    report = out / "report.xml"
    assert report.exists(), (out / "log").read_text()[-5000:]
    return {case.get("name", ""): _fault(case) for case in ET.parse(report).iter("testcase")}


def _fault(case: ET.Element) -> str:
    return "\n".join(f"{part.get('message')}\n{part.text}" for part in case if part.tag in ("failure", "error", "skipped"))
