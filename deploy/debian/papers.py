"""Writes the papers of the Debian package: the copyright file, the changelog in Debian's form, and the list of parts (SBOM).

papers.py SITE_PACKAGES SBOM VERSION FOLDER, called by build.sh. The same input gives the same bytes: the SBOM's random number
is made from its parts, and its time is SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from datetime import UTC, datetime
from email.utils import format_datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path

AUTHOR = "The cubbyd developers"
SHORT = 60
"""Characters; a longer License field is the text of a license and no name."""


def main(site: Path, sbom: Path, version: str, folder: Path) -> None:
    """Write the three papers into the folder."""
    built = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    parts = sorted(distributions(path=[str(site)]), key=lambda one: one.name.lower())
    (folder / "copyright").write_text(copyright_of(parts), encoding="utf-8")
    (folder / "changelog").write_text(changelog(version, built), encoding="utf-8")
    (folder / "sbom.cdx.json").write_text(same_each_time(sbom.read_text(encoding="utf-8"), built), encoding="utf-8")


def copyright_of(parts: list[Distribution]) -> str:
    """Spell the copyright file (dep.debian.net, DEP-5): our license, and which license each bundled package has."""
    license_text = Path("LICENSE").read_text(encoding="utf-8")
    year = next(line for line in license_text.splitlines() if line.startswith("Copyright")).removeprefix("Copyright (c) ")
    body = license_text.split("\n\n", 2)[2].strip()
    bundled = "\n".join(f"  {one.name} {one.version}: {license_of(one)}" for one in parts if one.name != "cubbyd")
    return (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "Upstream-Name: cubbyd\n"
        "Comment:\n"
        " /opt/cubbyd holds these packages of the Python Package Index, unchanged. Their texts of\n"
        " license are in the folders *.dist-info beside them.\n .\n"
        f"{bundled}\n\n"
        f"Files: *\nCopyright: {year}\nLicense: Expat\n" + "\n".join(f" {line}" if line else " ." for line in body.splitlines())
    ) + "\n"


def license_of(part: Distribution) -> str:
    """Name the license of a package, as it names it itself."""
    given = part.metadata.json
    if isinstance(expression := given.get("license_expression") or given.get("license"), str) and len(expression) < SHORT:
        return expression
    classes = [one.rsplit(" :: ", 1)[1] for one in given.get("classifier", []) if one.startswith("License ::")]
    return ", ".join(classes) or "see its dist-info"


def changelog(version: str, built: datetime) -> str:
    """Spell the changelog that Debian's tools read; what changed is in CHANGELOG.md beside it."""
    entry = "  * CHANGELOG.md says what changed."
    return (
        f"cubbyd ({version}) stable; urgency=medium\n\n{entry}\n\n -- {AUTHOR} <cubbyd@localhost>  {format_datetime(built)}\n"
    )


def same_each_time(text: str, built: datetime) -> str:
    """Make a CycloneDX document a function of its parts and the time."""
    document = json.loads(text)
    document["metadata"]["timestamp"] = built.isoformat()
    document.pop("serialNumber", None)
    parts = json.dumps(document, sort_keys=True)
    document["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, parts).urn
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
