"""What the files of deploy/ must agree on, each from its one source."""

from __future__ import annotations

import re

from tests.conftest import ROOT

from cubbyd import __version__

VERSION = __version__
UID = int(re.findall(r"^USER (\d+):\d+$", (ROOT / "deploy/container/Dockerfile").read_text(), re.MULTILINE)[-1])
UV = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]
