"""The store keeps every model, puts one in use whole or not at all, and finds its way back."""

from __future__ import annotations

import json
import os
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.sealed import write_sealed

from cubbyd.classify.modelfile import LocalModel, load_model, save_model
from cubbyd.clock import SystemClock
from cubbyd.dataset import Example
from cubbyd.errors import ModelFileError, ModelStoreError
from cubbyd.message.render import RENDERER_VERSION
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import train_local
from cubbyd.training.store import HISTORY, ModelStore

BODIES = {"absence": ("a fever", "home with a fever", "fever"), "billing": ("the invoice", "an invoice", "tuition")}
DAY = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return train_local(
        [Example(subject="", body=body, labels=(CategoryId(label),)) for label, texts in BODIES.items() for body in texts]
    )


class Shelf:
    """A store with three models in it, v1 to v3, none in use yet."""

    def __init__(self, folder: Path, model: LocalModel) -> None:
        self.active = folder / "cubbyd.model"
        self.store = ModelStore(self.active, SystemClock())
        self.made = [folder / f"made-{number}" for number in (1, 2, 3)]
        for days, file in enumerate(self.made):
            save_model(model, file, created=DAY + timedelta(days=days))
            self.store.add(file)

    @property
    def in_use(self) -> list[str]:
        return [version.name for version in self.store.versions() if version.is_active]

    def use(self, name: str) -> None:
        assert self.store.use(name, fits).changed

    def rollback(self) -> str:
        return self.store.rollback(fits).version.name


@pytest.fixture
def shelf(tmp_path: Path, model: LocalModel) -> Shelf:
    return Shelf(tmp_path, model)


def fits(_: Path) -> None:
    """Say nothing against a model."""


def test_models_are_numbered_as_they_come_and_nothing_is_in_use_by_itself(shelf: Shelf) -> None:
    assert [version.name for version in shelf.store.versions()] == ["v1", "v2", "v3"]
    assert [version.file.read_bytes() for version in shelf.store.versions()] == [file.read_bytes() for file in shelf.made]
    assert shelf.in_use == []
    assert not shelf.active.exists()


def test_a_model_that_is_there_is_not_added_again(shelf: Shelf) -> None:
    assert shelf.store.add(shelf.made[1]).name == "v2"
    assert len(shelf.store.versions()) == 3


def test_a_number_is_never_given_twice_though_its_file_is_gone(shelf: Shelf, model: LocalModel) -> None:
    shelf.store.find("v3").file.unlink()
    save_model(model, shelf.made[2], created=DAY + timedelta(days=9))

    assert shelf.store.add(shelf.made[2]).name == "v4"


def test_what_is_no_model_is_not_added(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no model")
    with pytest.raises(ModelFileError, match="notes: is no sound model file"):
        shelf.store.add(tmp_path / "notes")

    assert len(shelf.store.versions()) == 3


def test_using_a_model_puts_its_bytes_in_place_and_going_back_puts_those_of_before(shelf: Shelf) -> None:
    for name in ("v1", "2", "v3"):
        shelf.use(name)
    assert shelf.active.read_bytes() == shelf.made[2].read_bytes()
    assert load_model(shelf.active, renderer=RENDERER_VERSION).categories == ("absence", "billing")

    assert [shelf.rollback(), shelf.rollback()] == ["v2", "v1"]
    assert shelf.active.read_bytes() == shelf.made[0].read_bytes()
    with pytest.raises(ModelStoreError, match="no model was in use before"):
        shelf.rollback()
    assert shelf.in_use == ["v1"]


def test_using_the_one_in_use_changes_nothing_and_is_no_history(shelf: Shelf) -> None:
    shelf.use("v1")
    before = shelf.store.history()

    assert not shelf.store.use("v1", fits).changed
    assert shelf.store.history() == before


def test_a_model_that_is_not_there_is_answered_with_those_that_are(shelf: Shelf) -> None:
    with pytest.raises(ModelStoreError, match="there is no model 'v9'; there are: v1, v2, v3"):
        shelf.store.use("v9", fits)


def test_a_model_that_does_not_fit_leaves_the_one_in_use(shelf: Shelf) -> None:
    def refuse(file: Path) -> None:
        raise ModelFileError(file, "is of another kind")

    shelf.use("v1")
    history = shelf.store.history()
    with pytest.raises(ModelFileError, match=r"v2\.model: is of another kind"):
        shelf.store.use("v2", refuse)

    assert shelf.in_use == ["v1"]
    assert shelf.store.history() == history


def test_the_model_in_use_that_came_from_elsewhere_is_kept_and_can_be_gone_back_to(shelf: Shelf, model: LocalModel) -> None:
    save_model(model, shelf.active, created=DAY + timedelta(days=30))
    elsewhere = shelf.active.read_bytes()
    done = shelf.store.use("v1", fits)

    assert (done.kept, done.before) == ("v4", "v4")
    assert shelf.rollback() == "v4"
    assert shelf.active.read_bytes() == elsewhere


def test_a_version_that_was_copied_into_place_by_hand_can_be_gone_back_to(shelf: Shelf) -> None:
    shelf.use("v1")
    shelf.active.write_bytes(shelf.made[2].read_bytes())
    shelf.use("v2")

    assert [shelf.rollback(), shelf.rollback()] == ["v3", "v1"]


def test_what_is_in_the_place_of_the_model_and_none_is_laid_aside_not_lost(shelf: Shelf) -> None:
    shelf.active.write_text("not a model")
    done = shelf.store.use("v1", fits)

    assert done.aside is not None
    assert done.aside.read_text() == "not a model"
    assert shelf.in_use == ["v1"]


def test_writing_over_the_model_in_use_spoils_no_version(shelf: Shelf) -> None:
    shelf.use("v1")
    shelf.active.write_bytes(b"a copy went over it")

    assert [version.problem for version in shelf.store.versions()] == ["", "", ""]
    shelf.use("v1")
    assert shelf.active.read_bytes() == shelf.made[0].read_bytes()


def test_a_version_that_changed_is_shown_with_its_fault_and_not_used(shelf: Shelf) -> None:
    shelf.use("v1")
    file = shelf.store.find("v2").file
    broken = bytearray(file.read_bytes())
    broken[len(broken) // 2] ^= 1
    file.write_bytes(broken)

    assert "checksum" in shelf.store.find("v2").problem or "no sound model" in shelf.store.find("v2").problem
    with pytest.raises(ModelFileError, match=r"v2\.model: is "):
        shelf.store.use("v2", fits)
    assert shelf.in_use == ["v1"]


def test_a_sound_model_in_the_place_of_the_one_that_was_added_is_not_used(shelf: Shelf) -> None:
    """Its own checksum holds; what it had when it was added is in the history."""
    shelf.store.find("v2").file.write_bytes(shelf.made[2].read_bytes())

    with pytest.raises(ModelFileError, match="is not the file that was put into the store as v2"):
        shelf.store.use("v2", fits)


@pytest.mark.parametrize("fails_at", range(6))
def test_wherever_the_disk_fails_there_is_the_old_model_or_the_new_one_and_the_way_back(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    shelf.use("v1")
    calls = 0

    def failing(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > fails_at:
            raise OSError(28, "No space left on device")
        os.fdatasync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        try:
            shelf.store.use("v2", fits)
        except ModelStoreError as error:
            assert "No space left on device" in str(error)  # noqa: PT017

    assert len(shelf.in_use) == 1
    if shelf.in_use == ["v2"]:
        assert shelf.rollback() == "v1"
    else:
        shelf.use("v2")
    assert not [file for file in shelf.active.parent.rglob(".*") if file.name != ".lock"], "nothing half-written stays"


def test_a_file_that_changes_while_it_is_copied_is_not_used(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.use("v1")
    copyfile = shutil.copyfile

    def changing(source: Path, target: Path) -> None:
        copyfile(source, target)
        with target.open("ab") as stream:
            stream.write(b"x")

    monkeypatch.setattr(shutil, "copyfile", changing)
    with pytest.raises(ModelFileError, match="changed while it was copied"):
        shelf.store.use("v2", fits)
    assert shelf.in_use == ["v1"]


def test_the_model_in_use_keeps_the_mode_that_the_admin_gave_it(shelf: Shelf) -> None:
    """The daemon is another user: a model that it cannot read would be none."""
    shelf.use("v1")
    shelf.active.chmod(0o640)
    shelf.use("v2")

    assert stat.S_IMODE(shelf.active.stat().st_mode) == 0o640


def test_a_link_in_the_place_of_the_model_is_replaced_and_what_it_names_stays(shelf: Shelf) -> None:
    shelf.active.symlink_to(shelf.made[2])
    shelf.use("v1")

    assert not shelf.active.is_symlink()
    assert shelf.made[2].read_bytes() == shelf.store.find("v3").file.read_bytes()
    assert shelf.rollback() == "v3"


def test_a_line_of_the_history_that_is_none_is_named(shelf: Shelf) -> None:
    file = shelf.store.folder / HISTORY
    file.write_text(file.read_text() + "{}\n")

    with pytest.raises(ModelStoreError, match=r"history\.jsonl: line 4 is no entry of a model store"):
        shelf.store.versions()


def test_the_history_says_what_was_done_and_when(shelf: Shelf) -> None:
    shelf.use("v2")
    shelf.use("v1")
    shelf.rollback()

    lines = [json.loads(line) for line in (shelf.store.folder / HISTORY).read_text().splitlines()]
    done = [(line["action"], line["version"]) for line in lines]
    assert done == [("add", "v1"), ("add", "v2"), ("add", "v3"), ("use", "v2"), ("use", "v1"), ("rollback", "v2")]
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)


def test_a_sealed_file_of_an_unknown_kind_is_listed_by_what_it_says(shelf: Shelf, tmp_path: Path) -> None:
    manifest = {"format": "cubbyd-model", "version": 7, "kind": "oracle", "created": "2031-01-01T00:00:00+00:00"}
    write_sealed(tmp_path / "oracle", {"manifest.json": json.dumps(manifest).encode()})

    about = shelf.store.add(tmp_path / "oracle").about
    assert about is not None
    assert (about.kind, about.version, about.card) == ("oracle", 7, None)
