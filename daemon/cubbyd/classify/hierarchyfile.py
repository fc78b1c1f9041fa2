"""The file of a hierarchical model: a container of whole local-model files, one for the groups and one for each group.

    manifest.json         the groups with their categories, the data's fingerprint, and the SHA-256 of every model
    groups.model          a local model whose categories are the groups
    within-0.model ...    for the first group, and so on, a local model of its categories; none where it has but one

What stands in a local model's file is its own business (cubbyd.classify.modelfile); the container's safety is in
cubbyd.classify.container.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from cubbyd.classify.container import (
    FORMAT,
    MAX_FILE_BYTES,
    demand,
    digest_members,
    open_container,
    read_manifest,
    read_members,
    save_container,
    to_json,
)
from cubbyd.classify.modelfile import LocalModel, load_model, save_model
from cubbyd.errors import ModelFileError
from cubbyd.taxonomy import CategoryId, GroupId

FORMAT_VERSION: Final = 2
KIND: Final = "hierarchical"

MAX_GROUPS: Final = 250
MAX_CATEGORIES_OF_A_GROUP: Final = 250

_GROUPS: Final = "groups.model"
_OVERHEAD: Final = 1024 * 1024
"""More than the container needs for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group, and what tells its categories apart."""

    id: GroupId
    categories: tuple[CategoryId, ...]
    model: LocalModel | None
    """None where it has a single category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchicalModel:
    """A trained model for the groups, and one within each."""

    among: LocalModel
    """Its categories are the groups' ids."""
    groups: tuple[Group, ...]
    data_sha256: str
    """The fingerprint of the training data, of all groups."""

    @property
    def identity(self) -> str:
        """The model's name: 16 hex digits that change when anything but the date changes."""
        models = [self.among.identity, *(group.model.identity for group in self.groups if group.model)]
        return sha256(to_json([_describe(self.groups), models])).hexdigest()[:16]

    @property
    def shares(self) -> dict[CategoryId, float]:
        """The share that each category has of its group's training examples, 0 to 1."""
        found: dict[CategoryId, float] = {}
        for group in self.groups:
            if group.model is None:
                found[group.categories[0]] = 1.0
            else:
                total = sum(group.model.examples)
                found |= {id_: n / total for id_, n in zip(group.model.categories, group.model.examples, strict=True)}
        return found


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    categories: tuple[str, ...] = Field(min_length=1, max_length=MAX_CATEGORIES_OF_A_GROUP)


class _Manifest(BaseModel):
    """What a model file says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["cubbyd-model"]
    version: Literal[2]
    kind: Literal["hierarchical"]
    created: AwareDatetime
    groups: tuple[_Group, ...] = Field(min_length=2, max_length=MAX_GROUPS)
    data_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    members: dict[str, str]
    """The SHA-256 of each member, by its name in the file."""

    @model_validator(mode="after")
    def _all_differ(self) -> Self:
        categories = [category for group in self.groups for category in group.categories]
        if len({group.id for group in self.groups}) < len(self.groups) or len(set(categories)) < len(categories):
            message = "a group or a category stands twice"
            raise ValueError(message)
        return self


def save_hierarchical(model: HierarchicalModel, file: Path, *, created: datetime, card: object = None) -> None:
    """Write a model in place of what was there, in one step; the same model, card and date give the same bytes.

    Raises ModelFileError where the file cannot be written, or would be larger than one may be.
    """
    models = {_GROUPS: model.among} | {
        _name(number): group.model for number, group in enumerate(model.groups) if group.model is not None
    }
    members = _as_bytes(file, models, created)
    if (size := sum(map(len, members.values()))) > MAX_FILE_BYTES - _OVERHEAD:
        reason = f"would have {size} bytes, a model has at most {MAX_FILE_BYTES}; train it on fewer or shorter examples"
        raise ModelFileError(file, reason)
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "kind": KIND,
        "groups": _describe(model.groups),
        "data_sha256": model.data_sha256,
        "members": digest_members(members),
    }
    save_container(file, manifest, members, created=created, card=card)


def load_hierarchical(file: Path, *, renderer: str) -> HierarchicalModel:
    """Read a model that was trained on texts of this version of the renderer.

    Whatever the bytes are, either a sound model comes back or ModelFileError is raised; no code in the file is ever run.
    """
    with open_container(file) as archive:
        manifest = _Manifest.model_validate(read_manifest(file, archive, version=FORMAT_VERSION, kind=KIND))
        inner = [_name(number) for number, group in enumerate(manifest.groups) if len(group.categories) > 1]
        models = _from_bytes(file, read_members(file, archive, (_GROUPS, *inner), manifest.members), renderer)
        groups = tuple(
            Group(
                id=GroupId(CategoryId(group.id)),
                categories=tuple(map(CategoryId, group.categories)),
                model=models.get(_name(number)),
            )
            for number, group in enumerate(manifest.groups)
        )
        _demand_same(models[_GROUPS].categories, [group.id for group in groups])
        for group in groups:
            if group.model is not None:
                _demand_same(group.model.categories, group.categories)
        return HierarchicalModel(among=models[_GROUPS], groups=groups, data_sha256=manifest.data_sha256)


def _name(number: int) -> str:
    return f"within-{number}.model"


def _describe(groups: Iterable[Group]) -> list[dict[str, object]]:
    return [{"id": group.id, "categories": list(group.categories)} for group in groups]


def _demand_same(found: Iterable[CategoryId], due: Iterable[CategoryId]) -> None:
    demand(sorted(found) == sorted(due), "a model within is not of the categories that it is said to be of")


def _as_bytes(file: Path, models: Mapping[str, LocalModel], created: datetime) -> dict[str, bytes]:
    """Give each model as the bytes of a file of its own."""
    try:
        with TemporaryDirectory(prefix="cubbyd-") as folder:
            for name, model in models.items():
                save_model(model, Path(folder, name), created=created)
            return {name: Path(folder, name).read_bytes() for name in models}
    except OSError as error:
        raise ModelFileError(file, f"cannot be put together in a temporary folder: {error.strerror}") from error
    except ModelFileError as error:
        raise ModelFileError(file, error.reason) from error


def _from_bytes(file: Path, members: Mapping[str, bytes], renderer: str) -> dict[str, LocalModel]:
    """Read each member as a file of its own, with all that is demanded of one; an error names the file that it stands in."""
    models: dict[str, LocalModel] = {}
    with TemporaryDirectory(prefix="cubbyd-") as folder:
        for name, content in members.items():
            place = Path(folder, name)
            place.write_bytes(content)
            try:
                models[name] = load_model(place, renderer=renderer)
            except ModelFileError as error:
                raise ModelFileError(file, error.reason) from error
            place.unlink()
    return models
