"""What others' checkers say of the files in deploy/; and that they say something where there is something to say.

Only in `make test-deploy`, which installs them into a folder of its own ($CUBBYD_TEST_DEPLOY).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import ROOT

TOOLS = os.environ.get("CUBBYD_TEST_DEPLOY", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TOOLS, reason="needs linters: only in make test-deploy"),
]

CONTAINER = "deploy/container"
COMPOSE = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
KUBERNETES = ("kubernetes-validate", "--strict")
ANSIBLE = ("ansible-lint", "--offline", "--profile", "production")
CASES = [
    pytest.param(("hadolint",), f"{CONTAINER}/Dockerfile", "USER 10001:10001\n", "USER root\n", id="Dockerfile"),
    pytest.param(("hadolint",), f"{CONTAINER}/dovecot/Dockerfile", "USER 10002:10002\n", "USER root\n", id="trial server"),
    pytest.param(COMPOSE, f"{CONTAINER}/compose.yaml", "read_only: true", "read_onyl: true", id="compose"),
    pytest.param(COMPOSE, f"{CONTAINER}/compose.trial.yaml", "ports: [", "port: [", id="compose of the trial"),
    pytest.param(KUBERNETES, "deploy/kubernetes/cubbyd.yaml", "runAsNonRoot: true", "runAsNonRoot: 1", id="Kubernetes"),
    pytest.param(KUBERNETES, "deploy/kubernetes/cubbyd.yaml", "replicas: 1", "replica: 1", id="Kubernetes, a wrong key"),
]


def check(*command: str | Path, folder: Path = ROOT) -> tuple[int, str]:
    path = f"{TOOLS}/bin:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "ANSIBLE_HOME": str(Path(TOOLS) / "home"), "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("command", "file", "right", "wrong"), CASES)
def test_the_checker_finds_nothing_and_finds_a_planted_fault(
    command: tuple[str, ...], file: str, right: str, wrong: str, tmp_path: Path
) -> None:
    code, said = check(*command, ROOT / file)
    assert code == 0, said

    text = (ROOT / file).read_text()
    assert right in text
    spoiled = tmp_path / Path(file).name
    spoiled.write_text(text.replace(right, wrong))
    assert check(*command, spoiled)[0] != 0


def test_ansible_lint_finds_nothing_and_finds_a_planted_fault(tmp_path: Path) -> None:
    code, said = check(*ANSIBLE, ".", folder=ROOT / "deploy" / "ansible")
    assert code == 0, said

    spoiled = shutil.copytree(ROOT / "deploy" / "ansible", tmp_path / "ansible")
    tasks = spoiled / "roles" / "cubbyd" / "tasks" / "main.yml"
    tasks.write_text(tasks.read_text().replace('    mode: "0600"\n', ""))
    assert check(*ANSIBLE, ".", folder=spoiled)[0] != 0
