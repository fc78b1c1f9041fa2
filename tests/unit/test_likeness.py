"""Subjects of examples as reasons: kept only on request, shown only where they are alike, readable for the owner alone."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cubbyd.classify.feature import count_features, learn_vocabulary
from cubbyd.classify.likeness import FEATURES, MAX_SUBJECT, clean_subject, shorten
from cubbyd.classify.local import MAX_EXAMPLES_SHOWN, LocalClassifier
from cubbyd.classify.modelfile import LocalModel, load_model, save_model
from cubbyd.classify.protocol import Prediction
from cubbyd.dataset.example import Example
from cubbyd.errors import ModelFileError
from cubbyd.message.render import RENDERER_VERSION, render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.keep import MAX_OF_CATEGORY, keep_examples
from cubbyd.training.local import Recipe, train_local

CREATED = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
MAILS = {
    "absence": ("Fever again", "Stomach bug", "Home with a cold", "Chicken pox"),
    "billing": ("Invoice for March", "Tuition paid twice", "Receipt please", "Late fee"),
}


def examples() -> list[Example]:
    return [
        Example(subject=subject, body=f"Hello, {subject.lower()}, thanks", labels=(CategoryId(label),))
        for label, subjects in MAILS.items()
        for subject in subjects
    ]


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return train_local(examples(), recipe=Recipe(keep_subjects=True))


@pytest.fixture
def file(model: LocalModel, tmp_path: Path) -> Path:
    save_model(model, tmp_path / "m", created=CREATED)
    return tmp_path / "m"


def likened(model: LocalModel, subject: str, body: str = "") -> list[str]:
    (found,) = LocalClassifier(model).classify([render_text(subject, body)])
    assert isinstance(found, Prediction)
    return [reason.text for reason in found.reasons if reason.text.startswith("like ")]


def test_the_most_similar_example_is_named_by_its_subject_and_category(model: LocalModel) -> None:
    assert likened(model, "A fever, again")[0] == 'like "Fever again" (absence)'
    assert likened(model, "Stomach bugs")[0] == 'like "Stomach bug" (absence)'
    assert likened(model, "the invoice of March")[0] == 'like "Invoice for March" (billing)'


def test_what_is_like_nothing_is_likened_to_nothing_and_never_to_more_than_two(model: LocalModel) -> None:
    assert likened(model, "口座") == []
    assert likened(model, "qqq zzz") == []
    assert 1 <= len(likened(model, "Fever again, stomach bug, home with a cold, chicken pox")) <= MAX_EXAMPLES_SHOWN


def test_a_subject_that_many_examples_share_is_named_once() -> None:
    again = [Example(subject="Fever again", body=f"room {n}", labels=(CategoryId("absence"),)) for n in range(5)]

    assert (
        likened(train_local([*examples(), *again], recipe=Recipe(keep_subjects=True)), "Fever again").count(
            'like "Fever again" (absence)'
        )
        == 1
    )


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path: Path) -> None:
    plain = train_local(examples())
    save_model(plain, tmp_path / "m", created=CREATED)

    assert plain.kept is None
    assert likened(plain, "Fever again") == []
    assert b"Fever again" not in (tmp_path / "m").read_bytes()
    assert b"Chicken pox" not in (tmp_path / "m").read_bytes()


def test_a_file_with_subjects_is_its_owners_alone_whatever_the_umask(file: Path) -> None:
    assert b"Chicken pox" in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_loaded_model_names_the_same_examples(file: Path, model: LocalModel) -> None:
    loaded = load_model(file, renderer=RENDERER_VERSION)

    assert loaded.identity == model.identity
    assert likened(loaded, "Chicken pox today") == likened(model, "Chicken pox today") != []


def test_a_subject_with_control_signs_is_made_fit_for_a_terminal() -> None:
    assert clean_subject("a\x1b[31m\nred\u202e line\t!") == "a [31m red line !"
    assert clean_subject(" \n\x00 ") == ""
    assert len(clean_subject("x" * 500)) == MAX_SUBJECT


def test_examples_without_a_subject_are_not_kept() -> None:
    bare = [Example(subject="", body=example.body, labels=example.labels) for example in examples()]
    model = train_local(bare, recipe=Recipe(keep_subjects=True))

    assert model.kept is not None
    assert model.kept.subjects == ()
    assert likened(model, "Fever again") == []


def test_of_a_large_category_those_are_kept_that_are_unlike_one_another() -> None:
    mails = [render_text(f"the same letter {number % 3}", "of always the same words") for number in range(200)]
    odd = [render_text(f"quite another thing called {name}", f"{name} {name}") for name in ("quince", "zebra", "fjord")]
    everything = [*mails, *odd]
    vocabulary = learn_vocabulary(map(count_features, everything))

    kept = keep_examples(everything, np.zeros(len(everything), dtype=np.int64), vocabulary, 1, seed=0)

    assert len(kept.subjects) == MAX_OF_CATEGORY
    assert {subject.split()[-1] for subject in kept.subjects} >= {"quince", "zebra", "fjord"}
    assert len(set(kept.subjects)) == 6


def test_a_kept_row_has_the_heaviest_features_and_length_one() -> None:
    columns, values = shorten(np.arange(100), np.arange(100, dtype=np.float32))

    assert sorted(columns.tolist()) == list(range(100 - FEATURES, 100))
    assert np.linalg.norm(values) == pytest.approx(1)
    few, small = shorten(np.array([7]), np.array([3.0], dtype=np.float32))
    assert (few[0], small[0], small[1:].any()) == (7, 1.0, False)


def change(file: Path, name: str, member: bytes) -> None:
    """Change one member, and the manifest's hash to fit, as an attacker would."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[name] = member
    manifest = json.loads(members["manifest.json"])
    manifest["members"][name] = sha256(member).hexdigest()
    members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for own, content in members.items():
            archive.writestr(own, content)


def array(values: Any, dtype: str) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(values, dtype=np.dtype(dtype)), version=(1, 0))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("subjects.json", lambda _: json.dumps(["a\x1b[0m"] * 8).encode()),
        ("subjects.json", lambda _: json.dumps(["x" * 81] * 8).encode()),
        ("subjects.json", lambda _: json.dumps(["only one"]).encode()),
        ("kept_labels.npy", lambda _: array([2] * 8, "i4")),
        ("kept_labels.npy", lambda _: array([-1] * 8, "i4")),
        ("kept_columns.npy", lambda _: array(np.full((8, FEATURES), 10**8), "i4")),
        ("kept_values.npy", lambda _: array(np.full((8, FEATURES), np.inf), "f4")),
        ("kept_values.npy", lambda member: member[:-4]),
    ],
)
def test_spoiled_subjects_are_refused(file: Path, name: str, spoil: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        member = archive.read(name)
    change(file, name, spoil(member))

    with pytest.raises(ModelFileError, match="no sound model"):
        load_model(file, renderer=RENDERER_VERSION)
