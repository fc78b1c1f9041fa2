"""The model file: the same bytes for the same model, the same model back, and a named error for anything else."""

from __future__ import annotations

import io
import json
import os
import random
import stat
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.sealed import write_sealed

from cubbyd.classify import container
from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.modelfile import LocalModel, load_model, save_model
from cubbyd.config import Labels
from cubbyd.dataset.example import Example
from cubbyd.errors import EXIT_CONFIG, ModelFileError
from cubbyd.message.render import RENDERER_VERSION, render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import train_local

CREATED = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def model() -> LocalModel:
    bodies = {"absence": ("a fever", "home with a fever", "fiebre mañana"), "billing": ("the invoice", "an invoice", "tuition")}
    return train_local(
        [Example(subject="", body=body, labels=(CategoryId(label),)) for label, texts in bodies.items() for body in texts]
    )


@pytest.fixture
def file(model: LocalModel, tmp_path: Path) -> Path:
    file = tmp_path / "cubby.model"
    save_model(model, file, created=CREATED)
    return file


def load(file: Path) -> LocalModel:
    return load_model(file, renderer=RENDERER_VERSION)


def change(file: Path, **changes: Callable[[bytes], bytes]) -> None:
    """Write the file anew with members changed, and the hashes of manifest and file made to fit, as an attacker would."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    last = changes.pop("manifest", None)
    for name, alter in changes.items():
        whole = next(member for member in members if member.startswith(name))
        members[whole] = alter(members[whole])
    manifest = json.loads(members["manifest.json"])
    manifest["members"] = {name: sha256(member).hexdigest() for name, member in members.items() if name != "manifest.json"}
    members["manifest.json"] = json.dumps(manifest).encode()
    if last is not None:
        members["manifest.json"] = last(members["manifest.json"])
    write_sealed(file, members)


def put(**values: object) -> Callable[[bytes], bytes]:
    return lambda manifest: json.dumps({**json.loads(manifest), **values}).encode()


def array(values: Any, dtype: str) -> Callable[[bytes], bytes]:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(values, dtype=np.dtype(dtype)), version=(1, 0))
    return lambda _: stream.getvalue()


def test_a_loaded_model_is_the_saved_one(file: Path, model: LocalModel) -> None:
    loaded = load(file)
    mail = render_text("", "a fever, mañana")

    assert loaded.identity == model.identity
    assert (loaded.categories, loaded.examples, loaded.quality) == (model.categories, model.examples, model.quality)
    assert loaded.vocabulary.words == model.vocabulary.words
    answers = [LocalClassifier(either).classify([mail])[0] for either in (model, loaded)]
    assert answers[0].probabilities == answers[1].probabilities
    assert answers[0].reasons == answers[1].reasons


def test_the_same_model_gives_the_same_bytes_and_only_the_date_tells_them_apart(
    file: Path, model: LocalModel, tmp_path: Path
) -> None:
    again, later = tmp_path / "again.model", tmp_path / "later.model"
    save_model(model, again, created=CREATED)
    save_model(model, later, created=CREATED.replace(year=2027))

    assert again.read_bytes() == file.read_bytes()
    assert later.read_bytes() != file.read_bytes()
    assert load(later).identity == load(file).identity


def test_the_manifest_says_what_the_model_is_and_where_it_comes_from(file: Path, model: LocalModel) -> None:
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))

    assert (manifest["format"], manifest["version"], manifest["kind"]) == ("cubbyd-model", 3, "local")
    assert manifest["created"] == "2026-11-20T08:30:00+00:00"
    assert manifest["categories"] == [{"id": "absence", "examples": 3}, {"id": "billing", "examples": 3}]
    assert manifest["renderer"] == RENDERER_VERSION
    assert manifest["data_sha256"] == model.data_sha256
    assert set(manifest["versions"]) == {"cubbyd", "numpy", "scikit-learn"}
    assert set(manifest["quality"]) == {"examples", "accuracy", "macro_f1", "calibration_error"}


def test_a_model_of_several_labels_with_subjects_is_the_same_after_a_round_trip(tmp_path: Path) -> None:
    both = (CategoryId("absence"), CategoryId("billing"))
    bodies = {"a fever": both[:1], "home with a fever": both[:1], "the invoice": both[1:], "an invoice": both[1:]}
    told = [Example(subject=body, body=body, labels=labels) for body, labels in bodies.items()]
    told.append(Example(subject="Both", body="a fever and an invoice", labels=both))
    model = train_local(told, labels=Labels.MANY, keep_subjects=True)
    save_model(model, tmp_path / "many.model", created=CREATED)

    again = load(tmp_path / "many.model")

    assert again.identity == model.identity
    assert (again.labels, again.slopes, again.shifts) == (Labels.MANY, model.slopes, model.shifts)
    assert sorted(again.similar.subjects) == ["Both", "a fever", "an invoice", "home with a fever", "the invoice"]
    asked = [render_text("", "fever"), render_text("", "")]
    first, second = (LocalClassifier(one).classify(asked) for one in (model, again))
    assert [one.probabilities for one in first] == [one.probabilities for one in second]
    assert first[1].probabilities == {"absence": 0.6, "billing": 0.6}, "of a mail without a word, how many have it"


def test_saving_replaces_the_old_file_whole_and_leaves_nothing_beside_it(file: Path, model: LocalModel) -> None:
    file.write_bytes(b"an old model")
    save_model(model, file, created=CREATED)

    assert load(file).identity == model.identity
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_beside_it(
    file: Path, model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(ModelFileError, match="cannot be written: No space left on device"):
        save_model(model, file, created=CREATED)

    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_named(model: LocalModel, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere/cubby\.model: cannot be written"):
        save_model(model, tmp_path / "nowhere" / "cubby.model", created=CREATED)


def test_a_model_for_another_renderer_is_refused(file: Path) -> None:
    with pytest.raises(ModelFileError, match=r"renderer version .\d., this is .0.; train it again: cubbyd train") as refused:
        load_model(file, renderer="0")

    assert refused.value.file == file
    assert refused.value.exit_code == EXIT_CONFIG


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"manifest": put(format="other")}, "is no model file of cubbyd"),
        ({"manifest": put(version=2)}, r"version 2, kind 'local'; this cubbyd reads version 3"),
        ({"manifest": put(labels="some")}, "no sound model"),
        ({"manifest": put(labels="many")}, "no sound model"),
        ({"manifest": put(slopes=[1.0, 1.0], shifts=[0.0, 0.0])}, "no sound model"),
        ({"manifest": put(mails=0)}, "no sound model"),
        ({"similar_columns": lambda member: member[:-4] + b"\xff\xff\xff\x7f"}, "no sound model"),
        ({"similar_labels": lambda member: member[:-4] + b"\x02\x00\x00\x00"}, "no sound model"),
        ({"similar_lines": lambda member: member[:-4] + b"\xff\xff\xff\xff"}, "no sound model"),
        ({"similar_values": lambda member: member[:-2] + b"\x00\x7e"}, "no sound model"),
        ({"subjects": lambda _: b'["one of six"]'}, "no sound model"),
        ({"manifest": put(kind="blend")}, "kind 'blend'"),
        ({"manifest": put(members={})}, "is damaged"),
        ({"manifest": put(surprise=1)}, "no sound model"),
        ({"manifest": put(temperature=0)}, "no sound model"),
        ({"manifest": put(temperature="NaN")}, "no sound model"),
        ({"manifest": put(categories=[{"id": "absence", "examples": 3}] * 2)}, "no sound model"),
        ({"manifest": put(categories=[{"id": "absence", "examples": 6}])}, "no sound model"),
        ({"manifest": lambda _: b"[" * 100_000}, "no sound model"),
        ({"manifest": lambda _: b"\xff"}, "no sound model"),
        ({"words": lambda _: b'["b", "a"]'}, "no sound model"),
        ({"words": lambda _: b"[1]"}, "no sound model"),
        ({"bias": array([[0.0, 1.0]], "f4")}, "no sound model"),
        ({"bias": array([0.0, 1.0], "f8")}, "no sound model"),
        ({"bias": array([0.0, float("nan")], "f4")}, "no sound model"),
        ({"bias": array([{"an": "object"}, 1], "O")}, "no sound model"),
        ({"bias": lambda member: member.replace(b"(2,)", b"(-2,)")}, "no sound model"),
        ({"weights": lambda member: member.replace(b"'shape': (", b"'shape': (9999999999999,")}, "no sound model"),
        ({"grams": array([2, 1], "u8")}, "no sound model"),
        ({"grams": lambda member: member[:-4]}, "no sound model"),
        ({"document_counts": lambda member: member[:-4] + b"\xff\xff\xff\xff"}, "no sound model"),
    ],
)
def test_a_model_file_that_is_not_what_it_says_is_refused(
    file: Path, changes: dict[str, Callable[[bytes], bytes]], reason: str
) -> None:
    load(file)
    change(file, **changes)

    with pytest.raises(ModelFileError, match=rf"cubby\.model: .*{reason}.*; train it again"):
        load(file)


def test_a_changed_file_without_a_lie_still_loads(file: Path) -> None:
    """The helper above breaks nothing by itself, so the refusals are for what each case changes."""
    change(file)

    assert load(file).categories == ("absence", "billing")


def test_a_file_whose_members_are_compressed_is_refused_since_it_could_unpack_to_anything(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    write_sealed(file, members, compression=zipfile.ZIP_DEFLATED)

    with pytest.raises(ModelFileError, match="no sound model"):
        load(file)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_FILE_BYTES", 1000)

    with pytest.raises(ModelFileError, match="a model has at most 1000"):
        load(file)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        load(tmp_path / "absent.model")
    with pytest.raises(ModelFileError, match="no regular file"):
        load(tmp_path)


def test_a_file_of_before_there_was_a_seal_is_told_its_version_and_one_without_is_damaged(file: Path) -> None:
    change(file, manifest=put(version=2))
    unsealed = file.read_bytes()
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b""
    assert len(file.read_bytes()) < len(unsealed)
    with pytest.raises(ModelFileError, match="version 2, kind 'local'; this cubbyd reads version 3"):
        load(file)

    change(file, manifest=put(version=3))
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b""
    with pytest.raises(ModelFileError, match="is damaged or was changed: its bytes do not give its checksum; train it again"):
        load(file)


def test_no_byte_of_a_file_can_change_without_its_being_refused(file: Path) -> None:
    sound, chance = file.read_bytes(), random.Random(0)
    headers = [place for mark in (b"PK", b"\x93NUMPY", b"{") for place in _all_places(sound, mark)]
    for _ in range(1500):
        damaged = bytearray(sound)
        place = chance.choice(headers) + chance.randrange(60) if chance.random() < 0.8 else chance.randrange(len(sound))
        damaged[min(place, len(sound) - 1)] ^= 1 << chance.randrange(8)
        file.write_bytes(damaged[: chance.randrange(len(sound))] if chance.random() < 0.1 else damaged)
        with pytest.raises(ModelFileError, match=r"cubby\.model: "):
            load(file)

    file.write_bytes(sound)
    assert len(load(file).identity) == 16


def _all_places(data: bytes, mark: bytes) -> list[int]:
    return [place for place in range(len(data)) if data.startswith(mark, place)]


def test_the_file_can_be_read_by_whom_the_umask_allows(file: Path) -> None:
    beside = file.with_name("beside")
    beside.write_bytes(b"")

    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(beside.stat().st_mode)
