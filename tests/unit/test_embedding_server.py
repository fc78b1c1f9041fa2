"""Vectors from a server, over real sockets: what goes out, what comes back, and what each failure leads to."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.composite import only
from tests.embeddings import TEXTS
from tests.hosted import ROSTER
from tests.unit.configuration import fault, load

pytest.importorskip("openai", reason="the extra cubbyd[openai] is not installed")

from cubbyd.classify.embedding.cache import Embedder
from cubbyd.classify.embedding.model import save_embedding_model
from cubbyd.classify.embedding.opening import open_embedder, open_embeddings
from cubbyd.classify.embedding.server import read_vectors
from cubbyd.classify.embedding.source import Embedded, Outcome
from cubbyd.classify.hosted.answer import Reply
from cubbyd.classify.hosted.failure import Failure
from cubbyd.config import Config
from cubbyd.dataset.example import Example
from cubbyd.errors import ClassifierError, ClassifierUnavailable, ConfigError, ModelFileError, NeedsPerson
from cubbyd.message import render_text
from cubbyd.standin import Fault, Standin
from cubbyd.standin.server import KEY
from cubbyd.taxonomy import CategoryId
from cubbyd.training.embedding import train_embeddings

NOW = datetime(2026, 11, 1, tzinfo=UTC)
TWO = [Example(subject="", body=body, labels=(CategoryId(label),)) for label in ("absence", "billing") for body in TEXTS[label]]


def configure(folder: Path, base_url: str, more: str = "", sections: str = "") -> Config:
    for file, content in ((folder / "openai.key", KEY), (folder / "roster.txt", ROSTER)):
        file.touch(mode=0o600)
        file.write_text(content + "\n", encoding="utf-8")
    keys = {
        "model": '"text-embedding-3-small"',
        "dimensions": "64",
        "base_url": f'"{base_url}"',
        "api_key_file": '"openai.key"',
        "attempts": "2",
    }
    given = dict(line.split(" = ", 1) for line in more.splitlines() if " = " in line)
    lines = "\n".join(f"{name} = {value}" for name, value in (keys | given).items())
    redaction = "" if "[redaction]" in sections else '[redaction]\nroster_file = "roster.txt"\n'
    cache = "" if "[classifier.embeddings]" in sections else "[classifier.embeddings]\ncached_vectors = 0\n"
    text = f'[classifier]\nkind = "embeddings"\n{cache}[classifier.embeddings.server]\n{lines}\n{redaction}{sections}\n'
    return load(folder / "cubbyd.toml", f'{text}[state]\ndirectory = "state"\n')


@contextmanager
def opened(folder: Path, server: Standin, more: str = "", sections: str = "") -> Iterator[Embedder]:
    embedder = open_embedder(configure(folder, server.base_url, more, sections))
    try:
        yield embedder
    finally:
        embedder.close()


@pytest.fixture
def server() -> Iterator[Standin]:
    with Standin({}) as running:
        yield running
        assert running.violations == []


def ask(embedder: Embedder, *bodies: str) -> list[Outcome]:
    return embedder.embed([render_text("", body) for body in bodies])


def vectors(outcomes: list[Outcome]) -> list[np.ndarray]:
    assert all(isinstance(outcome, Embedded) for outcome in outcomes), outcomes
    return [outcome.vector for outcome in outcomes if isinstance(outcome, Embedded)]


def test_a_batch_is_one_call_and_every_vector_has_length_one(tmp_path: Path, server: Standin) -> None:
    with opened(tmp_path, server) as embedder:
        found = vectors(ask(embedder, "a fever", "the invoice", "a fever again"))

    assert [np.linalg.norm(vector) for vector in found] == pytest.approx([1, 1, 1])
    assert found[0] @ found[2] > found[0] @ found[1] + 0.3
    (request,) = server.requests
    assert request.path.endswith("/embeddings")
    assert request.body["input"] == ["a fever", "the invoice", "a fever again"]
    assert (request.body["dimensions"], request.body["encoding_format"]) == (64, "float")


def test_packed_vectors_are_the_same_ones(tmp_path: Path, server: Standin) -> None:
    with opened(tmp_path, server) as plain, opened(tmp_path, server, 'encoding_format = "base64"') as packed:
        one, other = vectors(ask(plain, "a fever")), vectors(ask(packed, "a fever"))

    assert one[0] == pytest.approx(other[0], abs=1e-6)


def test_names_are_masked_before_they_leave(tmp_path: Path, server: Standin) -> None:
    with opened(tmp_path, server) as embedder:
        vectors(ask(embedder, "Mia Hofmann has a fever. Sabine Hofmann"))

    assert "Hofmann" not in server.requests[0].content.decode()
    assert "has a fever" in server.requests[0].body["input"][0]


def test_names_leave_only_where_the_admin_says_that_nothing_is_kept(tmp_path: Path, server: Standin) -> None:
    names = "[redaction]\nallow_names_to_leave_the_building = true\n"

    with pytest.raises(ConfigError, match=r"classifier\.embeddings\.server\.zero_data_retention"):
        open_embedder(configure(tmp_path, server.base_url, "", names))
    with opened(tmp_path, server, "zero_data_retention = true", names) as embedder:
        vectors(ask(embedder, "Mia Hofmann has a fever."))
    assert "Hofmann" in server.requests[0].content.decode()


def test_what_was_asked_once_is_not_sent_again(tmp_path: Path, server: Standin) -> None:
    cached = "[classifier.embeddings]\ncached_vectors = 100\n"
    for _ in range(2):
        with opened(tmp_path, server, "", cached) as embedder:
            vectors(ask(embedder, "a fever", "the invoice"))

    assert len(server.requests) == 1


def test_a_fault_that_passes_is_tried_again(tmp_path: Path, server: Standin) -> None:
    server.then(Fault.error(503))
    with opened(tmp_path, server) as embedder:
        vectors(ask(embedder, "a fever"))

    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 302])
def test_a_server_that_gives_nothing_makes_mail_wait_and_never_a_category(tmp_path: Path, server: Standin, status: int) -> None:
    server.always(Fault.error(status))
    with opened(tmp_path, server, "patience_seconds = 5") as embedder, pytest.raises(ClassifierUnavailable):
        ask(embedder, "a fever", "the invoice")


def test_one_blocked_mail_is_urgent_and_the_others_of_its_batch_have_vectors(tmp_path: Path, server: Standin) -> None:
    blocked = Fault.error(400, "content_filter")
    server.then(blocked, blocked)  # the batch, then its first mail alone
    with opened(tmp_path, server) as embedder:
        first, second = ask(embedder, "blocked", "the invoice")

    assert isinstance(first, NeedsPerson)
    assert isinstance(second, Embedded)


def test_a_text_that_is_too_long_is_sent_by_half(tmp_path: Path, server: Standin) -> None:
    server.then(Fault.error(400, "context_length_exceeded"))
    with opened(tmp_path, server) as embedder:
        vectors(ask(embedder, "fever " * 100))

    sizes = [len(request.body["input"][0]) for request in server.requests]
    assert sizes[1] == sizes[0] // 2


def test_the_budget_ends_the_calls_and_names_its_key(tmp_path: Path, server: Standin) -> None:
    with opened(tmp_path, server, "calls_per_day = 1") as embedder:
        vectors(ask(embedder, "a fever"))
        with pytest.raises(ClassifierUnavailable, match=r"classifier\.embeddings\.server\.calls_per_day = 1"):
            ask(embedder, "the invoice")

    assert len(server.requests) == 1


def reply(*data: Any) -> Reply:
    return Reply(body={"data": list(data)})


def item(index: object, embedding: object) -> dict[str, object]:
    return {"object": "embedding", "index": index, "embedding": embedding}


def test_answers_are_sorted_by_their_index_and_packed_ones_are_read_unasked() -> None:
    packed = base64.b64encode(np.array([3, 4], dtype="<f4").tobytes()).decode()

    first, second = read_vectors(reply(item(1, [0, 2]), item(0, packed)), 2, 0)

    assert first.tolist() == pytest.approx([0.6, 0.8])
    assert second.tolist() == [0, 1]


@pytest.mark.parametrize(
    "data",
    [
        (),
        (item(0, [1.0]),),
        (item(0, [1.0]), item(0, [1.0])),
        (item(0, [1.0]), item(2, [1.0])),
        (item(0, [1.0]), item(1, [1.0, 2.0])),
        (item(0, [1.0]), item(1, [])),
        (item(0, [1.0]), item(1, [0.0])),
        (item(0, [1.0]), item(1, [float("nan")])),
        (item(0, [1.0]), item(1, [10**400])),
        (item(0, [1.0]), item(1, "no base64!")),
        (item(0, [1.0]), item(1, ["1.0"])),
        (item(0, [1.0]), item(1, [True])),
        (item(0, [1.0]), item("1", [1.0])),
        (item(0, [1.0]), "a text"),
        (item(0, [1.0]), item(1, None)),
    ],
)
def test_an_answer_outside_the_rules_is_none(data: tuple[object, ...]) -> None:
    with pytest.raises(Failure):
        read_vectors(reply(*data), 2, 0)


def test_fewer_dimensions_than_asked_for_are_refused() -> None:
    with pytest.raises(Failure):
        read_vectors(reply(item(0, [1.0, 2.0])), 1, 3)
    with pytest.raises(Failure):
        read_vectors(Reply(body={"data": "none"}), 1, 0)


def test_a_classifier_is_trained_and_asked_by_a_server_alone(tmp_path: Path, server: Standin) -> None:
    config = configure(tmp_path, server.base_url)
    embedder = open_embedder(config)
    model = train_embeddings(TWO, embedder, config.taxonomy)
    embedder.close()
    save_embedding_model(model, config.classifier.model, created=NOW)

    classifier = open_embeddings(config)
    answer = only(classifier.classify([render_text("", "a fever")]))
    server.always(Fault.error(400, "content_filter"))
    (refused,) = classifier.classify([render_text("", "another fever")])
    classifier.close()

    assert answer.top == "absence"
    assert answer.cost.input_tokens > 0
    assert answer.request_id
    assert isinstance(refused, ClassifierError)


def test_a_model_of_other_vectors_is_refused_with_the_way_out(tmp_path: Path, server: Standin) -> None:
    config = configure(tmp_path, server.base_url)
    embedder = open_embedder(config)
    save_embedding_model(train_embeddings(TWO, embedder), config.classifier.model, created=NOW)
    embedder.close()

    with pytest.raises(ModelFileError, match="was trained on vectors of 'text-embedding-3-small"):
        open_embeddings(configure(tmp_path, server.base_url, "dimensions = 32"))
    many = config.model_copy(update={"classifier": config.classifier.model_copy(update={"labels": "many"})})
    with pytest.raises(ModelFileError, match='labels = "one"'):
        open_embeddings(many)


def test_without_a_model_the_command_that_makes_one_is_named(tmp_path: Path, server: Standin) -> None:
    with pytest.raises(ModelFileError, match="--kind embeddings"):
        open_embeddings(configure(tmp_path, server.base_url))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("[classifier.embeddings]\n", "found neither"),
        (
            '[classifier.embeddings]\nfolder = "m"\n[classifier.embeddings.server]\nmodel = "m"\napi_key_env = "K"\n',
            "found both",
        ),
        ("[classifier.embeddings.server]\nmodel = 'm'\n", "exactly one of api_key_file"),
        ("[classifier.embeddings.server]\nmodel = 'm'\napi_key = 'sk'\n", "does not belong in this file"),
        ("[classifier.embeddings.server]\nmodel = 'm'\napi_key_env = 'K'\nbase_url = 'http://example.org'\n", "https://"),
        ("[classifier.embeddings.server]\nmodel = 'm'\napi_key_env = 'K'\nmoney_per_day = 1.0\n", "price_per_million_input"),
        ("[classifier.embeddings]\nfolder = 'm'\ncached = 1\n", "did you mean cached_vectors"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path: Path, table: str, reason: str) -> None:
    assert reason in str(fault(tmp_path / "cubbyd.toml", table))
