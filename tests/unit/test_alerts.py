"""The alert rules, tried by Prometheus' own tool where it is at hand; `make test-alerts` fetches it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
UNPACKED = ROOT / ".venv" / "promtool" / "usr" / "bin" / "promtool"
PROMTOOL = shutil.which("promtool") or (str(UNPACKED) if UNPACKED.exists() else None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMTOOL is None, reason="no promtool on this machine: make test-alerts fetches it"),
]


def promtool(*arguments: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def test_the_rules_are_right_and_fire_when_they_should_and_at_no_other_time() -> None:
    for arguments in (("check", "rules", "cubbyd.rules.yml"), ("test", "rules", "tests.yml")):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_that_fires_it() -> None:
    rules, tests = (FOLDER / "cubbyd.rules.yml").read_text(), (FOLDER / "tests.yml").read_text()
    fired = {part.split("exp_alerts", 1)[0].strip() for part in tests.split("alertname: ") if "exp_alerts" in part}
    alerts = {line.partition("alert: ")[2] for line in rules.splitlines() if "alert: " in line}
    assert len(alerts) == 10
    assert alerts <= {name.partition("\n")[0] for name in fired}


def test_a_rule_that_never_fires_is_found(tmp_path: Path) -> None:
    for file in FOLDER.iterdir():
        shutil.copy(file, tmp_path)
    rules = tmp_path / "cubbyd.rules.yml"
    rules.write_text(rules.read_text().replace("cubbyd_healthy == 0", "cubbyd_healthy == 2"))

    assert promtool("test", "rules", "tests.yml", folder=tmp_path).returncode == 1
