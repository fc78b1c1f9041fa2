"""A hierarchical model is trained by its groups, saved as one file, and read back whole or refused by name."""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.sealed import write_sealed

from cubbyd.classify import hierarchyfile
from cubbyd.classify.hierarchical import HierarchicalClassifier, InnerModels
from cubbyd.classify.hierarchyfile import HierarchicalModel, load_hierarchical, save_hierarchical
from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.modelfile import save_model
from cubbyd.dataset import Example
from cubbyd.errors import EXIT_CONFIG, InputFileError, ModelFileError
from cubbyd.message.render import RENDERER_VERSION, render_text
from cubbyd.taxonomy import CategoryId, GroupId
from cubbyd.training.hierarchical import accuracy_within, train_hierarchical

CREATED = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TEXTS = {
    "absence": ("a fever tonight", "home with a fever", "the fever is high", "fever once more"),
    "pickup": ("grandma collects her", "his uncle collects him", "who collects her today"),
    "billing": ("the invoice is wrong", "an invoice for May", "one invoice too many"),
}
GROUPS = {
    GroupId(CategoryId("child")): (CategoryId("absence"), CategoryId("pickup")),
    GroupId(CategoryId("money")): (CategoryId("billing"),),
}


def examples(texts: dict[str, tuple[str, ...]] | None = None) -> list[Example]:
    return [
        Example(subject="", body=body, labels=(CategoryId(label),), line=line)
        for label, bodies in (texts or TEXTS).items()
        for line, body in enumerate(bodies, start=1)
    ]


@pytest.fixture(scope="module")
def model() -> HierarchicalModel:
    return train_hierarchical(examples(), GROUPS)


@pytest.fixture
def file(model: HierarchicalModel, tmp_path: Path) -> Path:
    file = tmp_path / "cubby.model"
    save_hierarchical(model, file, created=CREATED)
    return file


def load(file: Path) -> HierarchicalModel:
    return load_hierarchical(file, renderer=RENDERER_VERSION)


def classifier(model: HierarchicalModel) -> HierarchicalClassifier:
    return HierarchicalClassifier(LocalClassifier(model.among), InnerModels.of(model), GROUPS, shares=model.shares)


# --- training ----------------------------------------------------------------------------------------------------------


def test_there_is_a_model_for_the_groups_and_one_within_each_that_has_a_choice(model: HierarchicalModel) -> None:
    child, money = model.groups

    assert model.among.categories == ("child", "money")
    assert model.among.examples == (7, 3)
    assert child.model is not None
    assert (child.model.categories, child.model.examples) == (("absence", "pickup"), (4, 3))
    assert money.model is None
    assert model.shares == {"absence": 4 / 7, "pickup": 3 / 7, "billing": 1.0}
    assert accuracy_within(model) == child.model.quality.accuracy


def test_the_same_examples_and_groups_give_the_same_model_and_other_ones_another(model: HierarchicalModel) -> None:
    other = {
        GroupId(CategoryId("a")): (CategoryId("absence"),),
        GroupId(CategoryId("b")): (CategoryId("pickup"), CategoryId("billing")),
    }

    assert train_hierarchical(examples(), GROUPS).identity == model.identity
    assert train_hierarchical(examples(), other).identity != model.identity
    assert train_hierarchical(examples()[:-1], GROUPS).identity != model.identity


def test_the_first_label_counts_and_an_example_without_one_is_passed_over(model: HierarchicalModel) -> None:
    several = [Example(subject="", body=one.body, labels=(*one.labels, CategoryId("pickup"))) for one in examples()]

    found = train_hierarchical([*several, Example(subject="", body="hm", line=99)], GROUPS)

    assert (found.among.examples, found.shares) == (model.among.examples, model.shares)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            TEXTS | {"gardening": ("weeds",)},
            "line 1: unknown label 'gardening'; the configuration has absence, pickup, billing",
        ),
        ({"absence": TEXTS["absence"], "billing": TEXTS["billing"]}, "no example of pickup; add some"),
        (TEXTS | {"absence": ("a fever",), "pickup": ("an aunt",)}, "group child: every category has a single example"),
    ],
)
def test_examples_that_cannot_be_learned_from_are_refused_by_name(texts: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(InputFileError, match=r"^some") as caught:
        train_hierarchical(examples(texts), GROUPS, source="some")

    assert said in str(caught.value)


# --- the file ----------------------------------------------------------------------------------------------------------


def test_a_loaded_model_is_the_saved_one(file: Path, model: HierarchicalModel) -> None:
    loaded = load(file)
    mails = [render_text("", body) for body in ("a fever", "grandma collects", "the invoice")]

    assert (loaded.identity, loaded.shares) == (model.identity, model.shares)
    assert [(group.id, group.categories) for group in loaded.groups] == list(GROUPS.items())
    one, other = (classifier(some).classify(mails) for some in (loaded, model))
    assert [answer.probabilities for answer in one] == [answer.probabilities for answer in other]  # type: ignore[union-attr]
    assert [answer.top for answer in one] == ["absence", "pickup", "billing"]  # type: ignore[union-attr]


def test_the_same_model_and_date_give_the_same_bytes(file: Path, model: HierarchicalModel) -> None:
    before = file.read_bytes()

    save_hierarchical(model, file, created=CREATED)

    assert file.read_bytes() == before
    assert [other.name for other in file.parent.iterdir()] == [file.name], "nothing is left beside it"


def change(file: Path, *, digests: bool = True, **changes: Callable[[bytes], bytes]) -> None:
    """Write the file anew with members changed, and the manifest's hashes made to fit, as an attacker would."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    last: Callable[[bytes], bytes] = changes.pop("manifest", lambda manifest: manifest)
    for name, alter in changes.items():
        members[f"{name.replace('_', '-')}.model"] = alter(members[f"{name.replace('_', '-')}.model"])
    manifest = json.loads(members["manifest.json"])
    if digests:
        manifest["members"] = {name: sha256(member).hexdigest() for name, member in members.items() if name != "manifest.json"}
    members["manifest.json"] = last(json.dumps(manifest).encode())
    write_sealed(file, members)


def put(**values: Any) -> Callable[[bytes], bytes]:
    return lambda manifest: json.dumps({**json.loads(manifest), **values}).encode()


def group(name: str, *categories: str) -> dict[str, Any]:
    return {"id": name, "categories": categories}


CHILD, MONEY = group("child", "absence", "pickup"), group("money", "billing")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"manifest": put(version=1)}, "version 1, kind 'hierarchical'; this cubbyd reads version 2"),
        ({"manifest": put(kind="local")}, "kind 'local'; this cubbyd reads version 2, kind 'hierarchical'"),
        ({"manifest": put(groups=[CHILD])}, "no sound model file"),
        ({"manifest": put(groups=[CHILD, group("money", "absence")])}, "no sound model file"),
        ({"manifest": put(groups=[CHILD, group("child", "billing")])}, "no sound model file"),
        ({"manifest": put(groups=[CHILD, group("cash", "billing")])}, "no sound model file"),
        ({"manifest": put(groups=[group("child", "absence", "meals"), MONEY])}, "no sound model file"),
        ({"manifest": put(groups=[CHILD, MONEY, group("more", "meals")])}, "no sound model file"),
        ({"manifest": put(extra=1)}, "no sound model file"),
        ({"manifest": lambda _: b"[]"}, "no model file of cubbyd"),
        ({"within_0": lambda _: b"PK"}, "no sound model file"),
        ({"groups": lambda member: member[:-30]}, "is damaged or was changed"),
        ({"within_0": lambda member: member + b"x", "digests": False}, "is damaged"),
    ],
)
def test_a_file_that_is_not_sound_is_refused_by_its_own_name(file: Path, changes: dict[str, Any], said: str) -> None:
    change(file, **changes)

    with pytest.raises(ModelFileError) as caught:
        load(file)

    assert said in str(caught.value)
    assert caught.value.exit_code == EXIT_CONFIG
    assert str(caught.value).startswith(f"{file}: "), "not that of a temporary file"
    assert "/within" not in str(caught.value)


def test_a_model_of_another_renderer_or_kind_is_refused(file: Path, model: HierarchicalModel, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="renderer version"):
        load_hierarchical(file, renderer="0")

    save_model(model.among, tmp_path / "flat.model", created=CREATED)
    with pytest.raises(ModelFileError, match="kind 'local'; this cubbyd reads version 2, kind 'hierarchical'"):
        load(tmp_path / "flat.model")


def test_whatever_changes_in_the_bytes_there_is_a_named_error(file: Path) -> None:
    sound, draw = file.read_bytes(), random.Random(4)
    for _ in range(150):
        broken = bytearray(sound)
        for _ in range(draw.randint(1, 3)):
            broken[draw.randrange(len(broken))] ^= draw.randrange(1, 256)
        file.write_bytes(broken if draw.random() < 0.8 else broken[: draw.randrange(len(broken))])
        if broken != sound:  # three changes can take one another back
            with pytest.raises(ModelFileError, match=re.escape(str(file))):
                load(file)


def test_a_model_that_would_be_too_large_to_read_is_not_written(
    model: HierarchicalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchyfile, "MAX_FILE_BYTES", hierarchyfile._OVERHEAD + 1000)

    with pytest.raises(ModelFileError, match="a model has at most"):
        save_hierarchical(model, tmp_path / "m", created=CREATED)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_named(model: HierarchicalModel, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="nowhere/m: cannot be written"):
        save_hierarchical(model, tmp_path / "nowhere" / "m", created=CREATED)
