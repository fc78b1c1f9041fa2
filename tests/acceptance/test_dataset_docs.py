"""The page on data sets shows what the commands print, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def test_every_command_of_the_page_is_run_and_prints_what_the_page_says() -> None:
    command = [sys.executable, str(ROOT / "docs" / "walkthrough.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr
