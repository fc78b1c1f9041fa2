"""What the model files of a configuration say of where they come from: their kind, and the fingerprint of their data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from cubbyd.classify.container import MANIFEST, open_container, read_member
from cubbyd.config import Config
from cubbyd.config.composite import MEMBER_TABLES, WITHOUT_FILE, MemberSection


class Origin(BaseModel):
    """The part of a manifest that every kind of model file has."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: str
    data_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """The fingerprint of the training data (cubbyd.dataset.digest_examples)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model file that a classifier reads, and where it comes from."""

    file: Path
    origin: Origin


def read_origin(file: Path) -> Origin:
    """Read where a model file comes from. Raises ModelFileError where it is none."""
    with open_container(file) as archive:
        return Origin.model_validate_json(read_member(archive, MANIFEST))


def trained_parts(config: Config) -> Iterator[Trained]:
    """Find the model files that the configured kind reads, itself or in what it is made of. Raises ModelFileError."""
    section = config.classifier
    for kind, file in dict.fromkeys(_parts(config, MemberSection(kind=section.kind), frozenset())):
        if file.is_file() and (origin := read_origin(file)).kind == kind:
            yield Trained(file=file, origin=origin)


def _parts(config: Config, member: MemberSection, outer: frozenset[str]) -> Iterator[tuple[str, Path]]:
    if member.kind not in WITHOUT_FILE:
        yield member.kind, member.model or config.classifier.model
    table = getattr(config.classifier, member.kind, None) if member.kind in MEMBER_TABLES else None
    if table is None or member.kind in outer:
        return
    for key in MEMBER_TABLES[member.kind]:
        given = getattr(table, key)
        for inner in given if isinstance(given, tuple) else (given,):
            yield from _parts(config, inner, outer | {member.kind})
