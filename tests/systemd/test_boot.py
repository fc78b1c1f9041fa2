"""The units under a systemd that was really booted, beside this machine and thrown away afterwards: the stories of inside.py."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.systemd.boot import PYTHON, run_stories, why_not

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("boot")]  # booted once

STORIES = re.findall(r"^def (test_\w+)", (Path(__file__).parent / "inside.py").read_text(), re.MULTILINE)
WRAPPER = f"""#!/bin/sh
export {PYTHON}
exec /opt/python/bin/python3 -m cubbyd "$@"
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Boot once; give what is wrong with each story, which is nothing for one that came true."""
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("boot")
    units, own = folder / "units", folder / "own"
    shutil.copytree(ROOT / "systemd", units, ignore=shutil.ignore_patterns("drop-ins"))
    own.mkdir()
    (own / "cubbyd").write_text(WRAPPER)
    for path, mode in ((folder, 0o755), (own, 0o755), (own / "cubbyd", 0o755)):
        path.chmod(mode)
    first = "mkdir -p /opt/cubbyd/bin && cp /srv/boot/cubbyd /opt/cubbyd/bin/"
    return run_stories(folder, "tests/systemd/inside.py", units=units, seen={own: "/srv/boot"}, first=first)


@pytest.mark.parametrize("story", STORIES)
def test_under_a_booted_systemd(outcomes: dict[str, str], story: str) -> None:
    assert outcomes[story] == "", outcomes[story]
