"""Build and run images without docker: buildah and podman of Debian, as root, in a store that is thrown away afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.conftest import ROOT

HERE = Path(__file__).parent
TOOLS = ("buildah", "podman", "crun", "mmdebstrap", "unshare")
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
"""What this machine trusts; a proxy's own authority is among it where there is one."""
BUILD_SECONDS = 1500
COMMAND_SECONDS = 300
CONFINED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--tmpfs=/tmp:mode=1777,noexec,nosuid,nodev")
"""As compose.yaml has it; a test keeps the two alike."""
AROUND = (
    "--pull=never",
    "--network=host",
    "--read-only-tmpfs=false",  # docker makes no exceptions to read-only; podman would make /run and /var/tmp writable
    "--cgroups=disabled",
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=1024:1024",
)
"""What podman needs to be like docker, and to run inside another machine's confinement; no part of what is tested."""


def why_not() -> str | None:
    """Tell what this machine lacks to build and run an image; None where it lacks nothing."""
    if os.geteuid() != 0:
        return "only root can build and run images beside docker"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"not on this machine: {', '.join(missing)}" if missing else None


class Store:
    """Images and containers below one folder."""

    def __init__(self, folder: Path) -> None:
        places = [f"--root={folder / 'images'}", f"--runroot={folder / 'run'}"]
        probe = subprocess.run(["buildah", *places, "--storage-driver=overlay", "images"], capture_output=True, check=False)
        self._options = [*places, f"--storage-driver={'overlay' if probe.returncode == 0 else 'vfs'}"]
        self._folder = folder

    def buildah(self, *arguments: str) -> str:
        return _run("buildah", *self._options, *arguments)

    def podman(self, *arguments: str, check: bool = True, given: bytes | None = None) -> str:
        command = (str(HERE / "podman.sh"), *self._options, "--cgroup-manager=cgroupfs", *arguments)
        return _run(*command, check=check, given=given)

    def podman_code(self, *arguments: str) -> int:
        command = [str(HERE / "podman.sh"), *self._options, "--cgroup-manager=cgroupfs", *arguments]
        return subprocess.run(command, capture_output=True, timeout=COMMAND_SECONDS, check=False).returncode

    def make_base(self) -> str:
        """Make a base like debian:bookworm-slim from Debian's packages, as no registry can be relied on; give its name."""
        name = "localhost/debian:bookworm-slim"
        if name in self.buildah("images", "--format={{.Name}}:{{.Tag}}").split():
            return name
        archive = self._folder / "base.tar"
        _run("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(archive))
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, str(archive), "/")
        self.buildah("commit", "--quiet", "--rm", container, name)
        archive.unlink()
        return name

    def build(self, base: str, dockerfile: Path, context: Path, name: str) -> str:
        """Build an image from a Dockerfile; give its name."""
        given = [f"--build-arg=BASE={base}", f"--file={dockerfile}", f"--tag={name}"]
        trusted = [f"--secret=id=ca,src={TRUSTED}"] if TRUSTED.exists() else []
        self.buildah("bud", "--layers", "--isolation=chroot", "--format=docker", "--pull-never", *trusted, *given, str(context))
        return name

    def remove_all(self) -> None:
        self.podman("rm", "--all", "--force", check=False)
        self.podman("rmi", "--all", "--force", check=False)


def _run(*command: str, check: bool = True, given: bytes | None = None) -> str:
    done = subprocess.run(command, capture_output=True, input=given, timeout=BUILD_SECONDS, cwd=ROOT, check=False)
    said, errors = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{said[-3000:]}\n{errors[-3000:]}"
    return said
