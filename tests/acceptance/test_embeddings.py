"""The embeddings kind files mail on Dovecot by the installed command: with a model of this machine, and with a server's vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd, write_examples
from tests.acceptance.desk import Desk
from tests.dovecot import Dovecot
from tests.embeddings import make_folder, write_download
from tests.mail import Outside, mail

pytestmark = pytest.mark.slow

SUBJECTS = ("Emma is ill today", "the invoice for Noah is wrong", "a milk allergy, no nuts please")
FILED = {"Absence": [SUBJECTS[0]], "Billing": [SUBJECTS[1]], "Meals": [SUBJECTS[2]]}


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str) -> Cubbyd:
    return Cubbyd(tmp_path, dovecot, user)


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


def file_mail(cubbyd: Cubbyd, outside: Outside, table: str) -> None:
    """Choose the kind, train as the documentation says, and run once."""
    text = cubbyd.config.read_text().replace("[classifier]\n", '[classifier]\nkind = "embeddings"\nthreshold = 0.4\n')
    cubbyd.config.write_text(text + table)
    examples = write_examples(cubbyd.folder / "examples.jsonl")
    trained = cubbyd("train", str(examples), "--kind", "embeddings", "--out", str(cubbyd.folder / "cubbyd.model"))
    assert trained.returncode == 0, trained.stderr
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(SUBJECTS)))
    checked = cubbyd("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert outside.everything() == FILED


@pytest.mark.dovecot
def test_mail_is_filed_with_a_model_of_this_machine(cubbyd: Cubbyd, outside: Outside, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "tiny", "int8")

    file_mail(cubbyd, outside, f'\n[classifier.embeddings]\nfolder = "{folder}"\n')

    history = cubbyd("history", "--json").stdout
    assert "most similar examples are absence" in history
    assert (tmp_path / "state" / "vectors.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.dovecot
def test_mail_is_filed_with_the_vectors_of_a_server(cubbyd: Cubbyd, outside: Outside) -> None:
    pytest.importorskip("openai", reason="the extra cubbyd[openai] is not installed")
    from cubbyd.standin import Standin
    from cubbyd.standin.server import KEY

    (cubbyd.folder / "key").touch(mode=0o600)
    (cubbyd.folder / "key").write_text(KEY + "\n")
    with Standin({}) as server:
        keys = f'model = "text-embedding-3-small"\nbase_url = "{server.base_url}"\napi_key_file = "key"\ndimensions = 256\n'
        file_mail(cubbyd, outside, f"\n[classifier.embeddings.server]\n{keys}")
        assert server.violations == []
        assert all(request.path.endswith("/embeddings") for request in server.requests)


def test_a_download_becomes_a_folder_and_the_next_step_is_said(desk: Desk) -> None:
    pytest.importorskip("onnx", reason="the extra cubbyd[embedding-model] is not installed")
    pytest.importorskip("onnxruntime", reason="the extra cubbyd[embedding-model] is not installed")
    digest = write_download(desk.folder / "download")

    refused = desk.call("embedding-model", "download", "--out", "tiny", code=1)
    done = desk.call("embedding-model", "download", "--out", "tiny", "--sha256", digest)

    assert f"--sha256 {digest}" in refused.stderr
    assert "32 dimensions" in done.stdout
    assert 'folder = "tiny"' in done.stdout


def test_training_without_an_embedding_model_says_how_to_name_one(desk: Desk) -> None:
    write_examples(desk.folder / "examples.jsonl")

    refused = desk.call("train", "examples.jsonl", "--kind", "embeddings", "--out", "m.model", code=2)

    assert "--embedding-model FOLDER" in refused.stderr
    desk.configure('[classifier]\nkind = "embeddings"')
    missing = desk.call("run", "--once", code=78)
    assert "[classifier.embeddings]" in missing.stderr
