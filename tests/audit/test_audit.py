"""The tools that look for known faults find them: in our code, and in what an installation is made of."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.desk import free_port
from tests.audit.faults import FAULTS, RIGHT
from tests.conftest import ROOT

AUDIT = ROOT / "deploy" / "audit"
TOOLS = ROOT / ".venv-audit" / "bin"
RULES = re.findall(r"^  - id: (\S+)$", (AUDIT / "rules.yml").read_text(), re.MULTILINE)
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


@pytest.fixture
def tools() -> None:
    if not (TOOLS / "semgrep").exists():
        pytest.skip("the tools of `make audit` are not installed; `make audit-code` installs them")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)


def locked() -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return [package for package in packages if package["name"] != "cubbyd"]


def test_every_file_that_an_installation_may_download_has_its_hash_in_the_lock() -> None:
    for package in locked():
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        assert [file["url"] for file in files if not SHA256.fullmatch(file.get("hash", ""))] == [], package["name"]
    assert len(locked()) > 50


def test_the_tools_of_the_audit_are_locked_by_hash_too() -> None:
    text = (AUDIT / "requirements.txt").read_text()
    pins = re.findall(r"^(\S+)==\S+((?: \\\n    --hash=sha256:[0-9a-f]{64})*)", text, re.MULTILINE)

    assert [name for name, hashes in pins if not hashes] == []
    assert {"bandit", "pip-audit", "semgrep"} <= {name for name, _ in pins}


def test_each_rule_has_a_fault_to_find() -> None:
    assert set(FAULTS) == set(RIGHT) == set(RULES)


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
def test_each_rule_finds_its_fault_and_leaves_right_code_alone(tmp_path: Path) -> None:
    for kind, samples in (("fault", FAULTS), ("right", RIGHT)):
        for rule, codes in samples.items():
            for number, code in enumerate(codes):
                (tmp_path / f"{kind}_{number}_{rule}.py").write_text(code + "\n")

    options = ("--metrics", "off", "--disable-version-check", "--quiet", "--no-git-ignore", "--jobs", "1", "--json")
    done = run(TOOLS / "semgrep", "scan", "--config", AUDIT / "rules.yml", *options, tmp_path)

    found = {
        (Path(result["path"]).stem, result["check_id"].rpartition(".")[2]) for result in json.loads(done.stdout)["results"]
    }
    wanted = {(f"fault_{number}_{rule}", rule) for rule, codes in FAULTS.items() for number in range(len(codes))}
    assert wanted - found == set()
    assert {file for file, _ in found if file.startswith("right")} == set()


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
def test_our_code_has_no_finding_and_a_fault_would_be_one(tmp_path: Path) -> None:
    clean = run(AUDIT / "code.sh")
    assert clean.returncode == 0, clean.stdout + clean.stderr

    (tmp_path / "load.py").write_text("import pickle\n\nmodel = pickle.loads(open('model', 'rb').read())\n")
    planted = run(AUDIT / "code.sh", tmp_path)
    assert planted.returncode == 1
    assert "B301" in planted.stdout
    assert "no-code-from-files" in planted.stdout


@contextmanager
def database(faults: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Answer like https://google.github.io/osv.dev/post-v1-query/ for the packages that have faults; nothing for all others."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = json.dumps({"vulns": found} if (found := faults.get(asked["package"]["name"])) else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
def test_the_audit_of_packages_tells_clean_from_faulty_from_not_asked() -> None:
    affected = {"package": {"name": "click", "ecosystem": "PyPI"}, "ranges": [], "versions": []}
    fault = {"id": "PYSEC-2026-1", "summary": "made up", "details": "made up", "aliases": [], "affected": [affected]}
    with database({}) as nothing_known:
        clean = run(AUDIT / "dependencies.sh", nothing_known)
    with database({"click": [fault]}) as click_is_bad:
        faulty = run(AUDIT / "dependencies.sh", click_is_bad)
    not_asked = run(AUDIT / "dependencies.sh", f"http://127.0.0.1:{free_port()}/v1/query")

    assert (clean.returncode, clean.stdout.endswith(f"none has a known fault, says {nothing_known}.\n")) == (0, True), clean
    assert (faulty.returncode, "PYSEC-2026-1" in faulty.stdout) == (1, True), faulty
    assert (not_asked.returncode, "NOT AUDITED" in not_asked.stderr) == (69, True), not_asked


def test_the_bill_of_materials_names_every_package_with_its_hash_and_comes_out_the_same_twice(tmp_path: Path) -> None:
    if not (ROOT / ".venv" / "bin" / "uv").exists():
        pytest.skip("no .venv here that `make` has made")
    for name in ("one.json", "two.json"):
        done = run(AUDIT / "sbom.sh", tmp_path / name)
        assert done.returncode == 0, done.stderr
    text = (tmp_path / "one.json").read_text()
    bill = json.loads(text)

    assert text == (tmp_path / "two.json").read_text()
    listed = {part["purl"].partition("?")[0] for part in bill["components"]}
    assert listed <= {f"pkg:pypi/{package['name']}@{package['version']}" for package in locked()}
    assert {part["name"] for part in bill["components"]} >= {"imapclient", "sqlalchemy", "openai", "onnxruntime"}
    assert not {part["name"] for part in bill["components"]} & {"pytest", "ruff", "mypy"}
    hashes = [place.get("hashes") for part in bill["components"] for place in part["externalReferences"]]
    assert all(hashes)
    assert len(hashes) > 50
