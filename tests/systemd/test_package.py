"""The Debian package: built twice the same, and its whole life under a systemd that was really booted, told in package.py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.systemd.boot import run_stories, why_not

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]  # built and booted once

STORIES = re.findall(r"^def (test_\w+)", (Path(__file__).parent / "package.py").read_text(), re.MULTILINE)
DEBIAN_PYTHON = "import sys; sys.exit(sys.version_info < (3, 11))"
DEPENDS = ("python3", "systemd", "ca-certificates", "libstdc++6")
NEWER = "9.9.9"


MEMORY = Path("/dev/shm")
NEEDED_BYTES = 3 << 30
"""For what is built in memory where there is room: some 20 000 files."""


def build(tree: Path, out: Path, **more: str) -> Path:
    """Build as `make deb` does, with the uv of these tests."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1790000000"} | more
    command = [tree / "deploy/debian/build.sh", Path(sys.executable).with_name("uv"), out]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("not on this machine: dpkg-deb")
    if (
        not Path("/usr/bin/python3").exists()
        or subprocess.run(["/usr/bin/python3", "-c", DEBIAN_PYTHON], check=False).returncode
    ):
        pytest.skip("Debian's own Python, from 3.11 on, is not on this machine: apt-get install python3")
    is_roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > NEEDED_BYTES
    return build(ROOT, tmp_path_factory.mktemp("first"), **({"TMPDIR": str(MEMORY)} if is_roomy else {}))


def test_built_twice_in_different_places_it_is_the_same_byte_for_byte(package: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "another place"
    shutil.copytree(ROOT, elsewhere, ignore=shutil.ignore_patterns(".*", "tests", "benchmarks", "dist"))
    again = build(elsewhere, tmp_path / "dist", TZ="Asia/Tokyo", LANG="C.UTF-8", TMPDIR=str(tmp_path))
    assert again.name == package.name
    assert again.read_bytes() == package.read_bytes(), f"compare {again} and {package}"


@pytest.fixture(scope="module")
def outcomes(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Boot once; give what is wrong with each story, which is nothing for one that came true."""
    if reason := why_not():
        pytest.skip(reason)
    if missing := [name for name in DEPENDS if not is_installed(name)]:
        pytest.skip(f"packages of Debian that are not on this machine: apt-get install {' '.join(missing)}")
    folder = tmp_path_factory.mktemp("package")
    dist, units = folder / "dist", folder / "units"
    dist.mkdir()
    units.mkdir()
    shutil.copy(package, dist / "cubbyd.deb")
    repack(package, dist / "newer.deb", folder / "tree")
    for path in (folder, dist):
        path.chmod(0o755)
    return run_stories(folder, "tests/systemd/package.py", units=units, seen={dist: "/srv/dist"})


def is_installed(name: str) -> bool:
    said = subprocess.run(["dpkg-query", "-Wf", "${Status}", name], capture_output=True, text=True, check=False).stdout
    return said == "install ok installed"


def repack(package: Path, newer: Path, tree: Path) -> None:
    """Make a package of a higher version out of this one: the next release, which says so itself."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {NEWER}", control.read_text(), flags=re.MULTILINE))
    (module,) = tree.glob("opt/cubbyd/lib/python3*/site-packages/cubbyd/__init__.py")
    module.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{NEWER}"', module.read_text()))
    for compiled in (module.parent / "__pycache__").glob("__init__.*.pyc"):
        compiled.unlink()
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zzstd", "-z1", "--build", tree, newer], check=True, capture_output=True)
    shutil.rmtree(tree)


@pytest.mark.parametrize("story", STORIES)
def test_the_life_of_an_installation(outcomes: dict[str, str], story: str) -> None:
    assert outcomes[story] == "", outcomes[story]
