"""The unit files: those for one facility and for several stay alike, systemd finds no fault, and little is left open."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import ROOT

SYSTEMD = ROOT / "systemd"
UNITS = sorted([*SYSTEMD.glob("*.service"), *SYSTEMD.glob("*.timer")])
DROP_INS = sorted((SYSTEMD / "drop-ins").glob("*.conf"))
ANALYZE = shutil.which("systemd-analyze")
TIMEOUT_SECONDS = 60
NEWER_THAN_250 = {"RestartMode", "RestartSteps", "RestartMaxDelaySec"}

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze on this machine: apt-get install systemd")


def settings(file: Path) -> list[tuple[str, str]]:
    """Read the assignments of a unit file, in order."""
    lines = [line.partition("=") for line in file.read_text().splitlines() if re.match(r"[A-Z]\w*=", line)]
    return [(key, value) for key, _, value in lines]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units in a folder, with a command that is there whether or not cubbyd is installed."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/cubbyd/bin/cubbyd", "/bin/true"))
    return tmp_path


def test_the_units_for_several_facilities_are_made_from_those_for_one(tmp_path: Path) -> None:
    subprocess.run([ROOT / "deploy" / "setup" / "units.sh", tmp_path], check=True, timeout=TIMEOUT_SECONDS)

    made = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert set(made) == {"cubbyd@.service", "cubbyd-health@.service", "cubbyd-health@.timer"}
    assert made == {name: (SYSTEMD / name).read_text() for name in made}, "run: make units"


def test_what_differs_between_facilities_is_user_state_configuration_password_and_timer() -> None:
    one, several = settings(SYSTEMD / "cubbyd.service"), settings(SYSTEMD / "cubbyd@.service")

    assert [key for key, _ in one] == [key for key, _ in several]
    differing = {key: value for (key, old), (_, value) in zip(one, several, strict=True) if old != value}
    assert differing == {
        "Description": "cubbyd files a shared mailbox (%i)",
        "Wants": "cubbyd-health@%i.timer",
        "ExecStart": "/opt/cubbyd/bin/cubbyd --config /etc/cubbyd/%i.toml run",
        "ExecReload": "/opt/cubbyd/bin/cubbyd --config /etc/cubbyd/%i.toml check --offline",
        "LoadCredential": "office:/etc/cubbyd/%i.password",
        "User": "cubbyd-%i",
        "StateDirectory": "cubbyd-%i",
        "NoExecPaths": "/tmp /var/tmp /dev/shm /var/lib/private/cubbyd-%i",
    }


def test_the_look_after_the_daemon_has_its_user_and_state_and_no_network() -> None:
    daemon, health = (dict(settings(SYSTEMD / f"{name}.service")) for name in ("cubbyd", "cubbyd-health"))

    shared = ("User", "StateDirectory", "DynamicUser", "UMask")
    assert [health[key] for key in shared] == [daemon[key] for key in shared]
    assert (health["PrivateNetwork"], health["RestrictAddressFamilies"]) == ("yes", "AF_UNIX")
    assert "LoadCredential" not in health


def test_no_credential_is_in_a_unit_and_each_is_loaded_from_a_file_of_root_s() -> None:
    for unit in UNITS:
        for key, value in settings(unit):
            assert not key.startswith("SetCredential")
            assert key != "LoadCredential" or re.fullmatch(r"\w+:/etc/cubbyd/[\w%]+\.password", value)


def test_only_the_drop_in_for_newer_systemd_has_what_older_ones_do_not_know() -> None:
    for file in [*UNITS, *DROP_INS]:
        newer = NEWER_THAN_250 & {key for key, _ in settings(file)}
        assert bool(newer) == (file.name == "50-systemd-254.conf"), file.name


@needs_systemd
def test_systemd_finds_no_fault_in_any_unit(installed: Path) -> None:
    checked = analyze("verify", *(str(installed / unit.name) for unit in UNITS))

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("drop_in", [file for file in DROP_INS if "254" not in file.name], ids=lambda file: file.name)
def test_systemd_finds_no_fault_in_a_drop_in(installed: Path, drop_in: Path) -> None:
    folder = installed / "cubbyd.service.d"
    folder.mkdir()
    uncommented = re.sub(r"^# ?(?=[A-Z]\w*=)", "", drop_in.read_text(), flags=re.MULTILINE)
    (folder / drop_in.name).write_text(uncommented)

    checked = analyze("verify", str(installed / "cubbyd.service"))

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@needs_systemd
def test_systemd_finds_a_planted_fault(installed: Path) -> None:
    unit = installed / "cubbyd.service"
    unit.write_text(unit.read_text().replace("Type=notify", "Type=notified"))

    checked = analyze("verify", str(unit))

    assert "notified" in checked.stderr


@needs_systemd
@pytest.mark.parametrize(
    ("unit", "most"),
    [("cubbyd.service", 1.1), ("cubbyd@.service", 1.1), ("cubbyd-health.service", 0.2), ("cubbyd-health@.service", 0.2)],
)
def test_little_is_left_open(installed: Path, unit: str, most: float) -> None:
    """The scale of `systemd-analyze security` goes from 0 to 10; what remains for the daemon is the network that it needs."""
    checked = analyze("security", "--offline=true", "--no-pager", f"--threshold={round(most * 10)}", str(installed / unit))

    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", checked.stdout)
    assert found, checked.stderr
    assert float(found[1]) <= most
    assert checked.returncode == 0
