"""Real and malformed mails of other projects' test suites through `cubbyd parse`: none is an error, none is slow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.acceptance.desk import Desk, json_lines

TORTURE = Path(os.environ.get("CUBBYD_SHARED") or Path(__file__).resolve().parents[3] / "shared") / "torture"


@pytest.mark.skipif(not TORTURE.is_dir(), reason="the real and malformed mails are not here")
def test_every_mail_is_read_within_a_second(ready: Desk) -> None:
    files = sorted(file for file in TORTURE.rglob("*") if file.is_file() and file.name != "README.md")

    shown = json_lines(ready.call("parse", "--json", *map(str, files)).stdout)

    assert len(shown) == len(files) > 500
    assert [one["file"] for one in shown if one["ms"] > 1000 or any("exception" in defect for defect in one["defects"])] == []
