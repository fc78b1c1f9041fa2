"""The files of deploy/ say the same things in several places: versions, users, paths, secrets. They must not drift apart."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import ROOT
from tests.deploy.container import CONFINED
from tests.deploy.stated import UID, UV, VERSION

from cubbyd.cli.status import command
from cubbyd.config import load_config

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "container" / "Dockerfile").read_text()
TRIAL_SERVER = (DEPLOY / "container" / "dovecot" / "Dockerfile").read_text()
UNIT = (ROOT / "systemd" / "cubbyd.service").read_text()
STATE = "/var/lib/cubbyd"


def read(file: str) -> Any:
    return yaml.safe_load((DEPLOY / file).read_text())


COMPOSE = read("container/compose.yaml")
TRIAL = read("container/compose.trial.yaml")
MANIFESTS = {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes" / "cubbyd.yaml").read_text())}
POD = MANIFESTS["Deployment"]["spec"]["template"]["spec"]
ROLE = DEPLOY / "ansible" / "roles" / "cubbyd"


def test_every_file_names_the_version_of_the_package() -> None:
    named = re.findall(r'version="(\S+)"', DOCKERFILE)
    named += [
        service["image"].partition(":")[2]
        for part in (COMPOSE, TRIAL)
        for service in part["services"].values()
        if "image" in service
    ]
    named += [container["image"].partition(":")[2] for container in (*POD["initContainers"], *POD["containers"])]
    named += [MANIFESTS["Deployment"]["metadata"]["labels"]["app.kubernetes.io/version"]]
    named += re.findall(r"cubbyd_([\d.]+)_amd64\.deb", (DEPLOY / "ansible" / "site.yml").read_text())
    named += re.findall(r"-t cubbyd:(\S+)", DOCKERFILE)
    assert len(named) == 9
    assert set(named) == {VERSION}


def test_the_user_is_the_same_wherever_a_number_stands() -> None:
    assert set(map(int, re.findall(r"(?:--[ug]id|--owner|--group) (\d+)", DOCKERFILE))) == {UID}
    context = POD["securityContext"]
    assert {context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {UID}
    mail_user = set(map(int, re.findall(r"(?:--[ug]id|--owner|--group) (\d+)", TRIAL_SERVER)))
    assert mail_user == {UID + 1}
    assert set(map(int, re.findall(r"[ug]id=(\d+)", (DEPLOY / "container/dovecot/dovecot.conf").read_text()))) == mail_user


def test_the_paths_are_those_of_the_service() -> None:
    assert "/opt/cubbyd/bin/cubbyd --config /etc/cubbyd/cubbyd.toml" in UNIT
    stated = re.search(r"^ENV PATH.*?[^\\]$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert stated is not None
    environment = dict(re.findall(r"([A-Z_]+)=(\S+)", stated[0]))
    assert environment["PATH"].startswith("/opt/cubbyd/bin:")
    assert environment["CUBBYD_CONFIG"] == "/etc/cubbyd/cubbyd.toml"
    assert environment["STATE_DIRECTORY"] == STATE == re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)[0]
    assert f"ORT_DISABLE_TELEMETRY={environment['ORT_DISABLE_TELEMETRY']}" in UNIT

    places = dict(volume.split(":")[:2][::-1] for volume in COMPOSE["services"]["cubbyd"]["volumes"])
    assert places == {"/etc/cubbyd": "./etc", STATE: "state"}
    mounted = {mount["mountPath"] for mount in POD["containers"][0]["volumeMounts"]}
    assert mounted == {"/etc/cubbyd", "/run/secrets", STATE, "/tmp"}
    tasks = (ROLE / "tasks" / "main.yml").read_text()
    assert all(
        path in tasks for path in ("/opt/cubbyd/bin/cubbyd", "/etc/cubbyd/cubbyd.toml", "/etc/cubbyd/{{ item.key }}.password")
    )


def test_the_secret_has_the_name_that_the_configuration_asks_for() -> None:
    asked = set(
        re.findall(r'^ *password_credential = "(\w+)"', str(MANIFESTS["ConfigMap"]["data"]["cubbyd.toml"]), re.MULTILINE)
    )
    assert asked == set(MANIFESTS["Secret"]["stringData"]) == set(COMPOSE["secrets"]) == {"office"}
    assert f"LoadCredential={asked.pop()}:/etc/cubbyd/office.password" in UNIT


@pytest.mark.parametrize("name", ["compose's trial", "Kubernetes"])
def test_the_configuration_that_comes_with_it_is_a_right_one(name: str, tmp_path: Path) -> None:
    file = tmp_path / "cubbyd.toml"
    trial = (DEPLOY / "container" / "trial" / "cubbyd.toml").read_text()
    file.write_text(MANIFESTS["ConfigMap"]["data"]["cubbyd.toml"] if name == "Kubernetes" else trial)
    config = load_config(file)
    assert Path(str(config.classifier.model)).is_relative_to(STATE)


def test_the_trial_has_the_sample_facilitys_categories_and_its_servers_port_on_loopback_alone() -> None:
    sample = tomllib.loads((ROOT / "daemon/cubbyd/demo/sample/categories.toml").read_text())
    trial = tomllib.loads((DEPLOY / "container/trial/cubbyd.toml").read_text())
    assert trial["categories"] == sample["categories"]
    port = trial["mailboxes"]["office"]["port"]
    assert TRIAL["services"]["dovecot"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert [service.get("ports") for service in COMPOSE["services"].values()] == [None]
    assert f"port = {port}" in (DEPLOY / "container/dovecot/dovecot.conf").read_text()


@pytest.mark.parametrize("service", [COMPOSE["services"]["cubbyd"], TRIAL["services"]["train"], TRIAL["services"]["dovecot"]])
def test_every_container_of_compose_is_confined(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_image_is_tested_as_compose_confines_it() -> None:
    service = COMPOSE["services"]["cubbyd"]
    size = ",size=64m"
    meant = {
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        f"--tmpfs={service['tmpfs'][0].removesuffix(size)}",
    }
    assert set(CONFINED) == meant


def test_a_pod_may_do_no_more_than_kubernetes_calls_restricted_and_is_never_there_twice() -> None:
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*POD["initContainers"], *POD["containers"]):
        confined = container["securityContext"]
        assert confined == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    deployment = MANIFESTS["Deployment"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_health_is_asked_the_same_way_everywhere_and_a_stop_is_given_the_units_time() -> None:
    asked = ["cubbyd", "status", "--check"]
    assert command.make_context("status", asked[2:]).params["check"] is True
    assert str(asked).replace("'", '"') in DOCKERFILE
    (container,) = POD["containers"]
    assert container["readinessProbe"]["exec"]["command"] == container["livenessProbe"]["exec"]["command"] == asked
    assert f"TimeoutStopSec={COMPOSE['services']['cubbyd']['stop_grace_period']}" in UNIT
    assert f"TimeoutStopSec={POD['terminationGracePeriodSeconds']}s" in UNIT


def test_what_builds_the_image_is_the_makefiles_uv_and_every_package_has_a_hash() -> None:
    built = (DEPLOY / "container" / "build.txt").read_text()
    assert f"uv=={UV} " in built
    packages = re.split(r"^(?=\w)", built, flags=re.MULTILINE)[1:]
    assert len(packages) >= 5
    assert all("--hash=sha256:" in package for package in packages)


def test_the_context_of_the_build_is_a_list_of_what_may_come_in() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = set(" ".join(re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)).split())
    assert copied == allowed


def test_the_role_shows_no_password_and_checks_the_configuration_before_it_takes_its_place() -> None:
    tasks = {task["name"]: task for task in yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())}
    assert tasks["Write the passwords"]["no_log"] is True
    assert tasks["Write the passwords"]["ansible.builtin.copy"]["mode"] == "0600"
    checked = tasks["Write the configuration, once it is found right"]
    assert "%s" in checked["ansible.builtin.copy"]["validate"]
    assert "check --offline" in checked["vars"]["cubbyd_check"]
