"""The pages that lead through commands show what the commands print, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("page", ["datasets", "tutorial"])
def test_every_command_of_the_page_is_run_and_prints_what_the_page_says(page: str) -> None:
    pytest.importorskip("pymap", reason="the demo's server is not installed")
    command = [sys.executable, str(ROOT / "docs" / "walkthrough.py"), page, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)

    assert done.returncode == 0, done.stderr


def test_the_tutorial_takes_ten_commands() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")

    assert len(re.findall(r"^\$ cubbyd ", text, re.MULTILINE)) == 10
