"""Training on vectors: what is learned, what is measured, what is refused; the model file; the cache."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.composite import only
from tests.embeddings import TEXTS, examples

from cubbyd.classify.embedding.cache import CACHE_NAME, Embedder, VectorCache
from cubbyd.classify.embedding.classifier import EmbeddingClassifier
from cubbyd.classify.embedding.index import Index
from cubbyd.classify.embedding.model import EmbeddingModel, load_embedding_model, save_embedding_model
from cubbyd.classify.embedding.source import Embedded, Outcome, spell
from cubbyd.config import Labels
from cubbyd.dataset.example import Example
from cubbyd.errors import ClassifierRejected, ClassifierUnavailable, InputFileError, ModelFileError
from cubbyd.message import RENDERER_VERSION, ClassifierInput, render_text
from cubbyd.standin.vector import embed as by_words
from cubbyd.taxonomy import CategoryId
from cubbyd.training.embedding import Plan, train_embeddings
from cubbyd.training.head import HEADS

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SIZE = 64


class WordVectors:
    """Vectors of the stand-in, made in this process; it remembers what it was asked."""

    batch_size = 4

    def __init__(self, size: int = SIZE) -> None:
        self.model, self.dimensions = f"by words {size}", size
        self.asked: list[str] = []

    def text(self, given: ClassifierInput) -> str:
        return spell(given)

    def embed(self, texts: Sequence[str]) -> list[Outcome]:
        self.asked += texts
        return [Embedded(vector=by_words(text, self.dimensions)) for text in texts]

    def close(self) -> None:
        self.asked.clear()


class Silent(WordVectors):
    """A source that has no answer."""

    def embed(self, texts: Sequence[str]) -> list[Outcome]:
        return [ClassifierRejected("no vector") for _ in texts]


def train(plan: Plan | None = None, given: list[Example] | None = None) -> EmbeddingModel:
    return train_embeddings(given or examples(), Embedder(WordVectors()), plan=plan)


def classifier(model: EmbeddingModel, size: int = SIZE) -> EmbeddingClassifier:
    return EmbeddingClassifier(model, Embedder(WordVectors(size)))


def top(model: EmbeddingModel, subject: str, body: str = "") -> str:
    return only(classifier(model).classify([render_text(subject, body)])).top


@pytest.mark.parametrize("plan", [Plan(), Plan(adapter=True), *(Plan(heads=(name,)) for name in HEADS)], ids=str)
def test_every_head_alone_and_all_together_tell_the_categories(plan: Plan) -> None:
    model = train(plan)

    assert [top(model, text) for text in ("a fever", "the wrong invoice", "his uncle collects her")] == list(TEXTS)
    assert set(model.heads) <= set(plan.heads)
    assert model.quality.examples == 15


def test_the_same_examples_give_the_same_model() -> None:
    assert train().identity == train().identity
    assert train().identity != train(Plan(heads=("means",))).identity


def test_the_order_of_heads_on_the_command_line_changes_nothing_but_the_order() -> None:
    one, other = train(Plan(heads=("words", "logistic"))), train(Plan(heads=("logistic", "words")))

    assert one.heads == pytest.approx(other.heads)
    assert one.vector_weights == pytest.approx(other.vector_weights, abs=1e-4)


def test_vectors_alone_need_no_words_in_the_file() -> None:
    model = train(Plan(heads=("logistic",)))

    assert len(model.vocabulary) == 0
    assert top(model, "fever") == "absence"


def test_a_mail_can_have_several_categories_and_none() -> None:
    both = [
        Example(subject="", body=f"{absence}, and {billing}", labels=(CategoryId("absence"), CategoryId("billing")))
        for absence, billing in zip(TEXTS["absence"], TEXTS["billing"], strict=True)
    ]
    model = train(Plan(labels=Labels.MANY), [*examples(), *both, *both[:2]])

    answer = only(classifier(model).classify([render_text("", "a fever, and the invoice")])).probabilities
    none = only(classifier(model).classify([render_text("", "zzz qqq")])).probabilities

    assert min(answer[CategoryId("absence")], answer[CategoryId("billing")]) > 0.5 > answer[CategoryId("pickup")]
    assert sum(answer.values()) > 1.1
    assert sum(none.values()) < 1.1
    assert model.quality.examples == 20, "repetitions count once"


def test_an_example_counts_for_its_first_category_where_mail_has_one() -> None:
    given = [replace(example, labels=(*example.labels, CategoryId("other"))) for example in examples()]

    assert train(given=given).categories == tuple(TEXTS)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (examples({"absence": TEXTS["absence"]}), "at least two categories"),
        (examples({label: texts[:1] for label, texts in TEXTS.items()}), "a single example"),
    ],
)
def test_examples_that_teach_nothing_are_refused(given: list[Example], reason: str) -> None:
    with pytest.raises(InputFileError, match=reason):
        train(given=given)


def test_an_example_without_a_vector_ends_training_and_is_not_left_out() -> None:
    with pytest.raises(ClassifierRejected):
        train_embeddings(examples(), Embedder(Silent()))


def test_reasons_are_words_and_how_many_similar_examples_agree_but_no_text_of_an_example() -> None:
    reasons = only(classifier(train()).classify([render_text("", "a fever tonight")])).reasons

    assert reasons[0].text.startswith("5 of the 10 most similar examples are absence, the nearest in line 1 of")
    assert "fever" in [reason.text for reason in reasons[1:]]
    assert all(reason.text in {"fever", "home"} or "fever" in reason.text for reason in reasons[1:])


def test_a_model_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    model = train(Plan(adapter=True))
    save_embedding_model(model, tmp_path / "one.model", created=NOW)
    save_embedding_model(model, tmp_path / "two.model", created=NOW)

    loaded = load_embedding_model(tmp_path / "one.model", renderer=RENDERER_VERSION)

    assert loaded.identity == model.identity
    assert (tmp_path / "one.model").read_bytes() == (tmp_path / "two.model").read_bytes()
    given = [render_text("the invoice", "is wrong")]
    assert only(classifier(loaded).classify(given)).probabilities == only(classifier(model).classify(given)).probabilities


def test_a_damaged_file_is_a_fault_of_the_file_wherever_the_damage_is(tmp_path: Path) -> None:
    file = tmp_path / "m.model"
    save_embedding_model(train(), file, created=NOW)
    whole = file.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        with pytest.raises(ModelFileError, match=r"m\.model: "):
            load_embedding_model(file, renderer=RENDERER_VERSION)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError):
        load_embedding_model(file, renderer=RENDERER_VERSION)
    file.write_bytes(whole)
    with pytest.raises(ModelFileError, match="renderer version"):
        load_embedding_model(file, renderer="other")


def test_vectors_of_another_length_pause_the_mail_and_say_to_train_again() -> None:
    (outcome,) = classifier(train(), size=32).classify([render_text("fever", "")])

    assert isinstance(outcome, ClassifierUnavailable)
    assert "32 dimensions" in str(outcome)
    assert "cubbyd train" in str(outcome)


def test_the_index_finds_the_nearest_first() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.8, 0.6], [-1, 0]], dtype=np.float32)
    index = Index(vectors=vectors, targets=np.eye(4, dtype=np.bool_), lines=np.arange(1, 5, dtype=np.int32))

    places, cosines = index.nearest(np.array([1, 0], dtype=np.float32))

    assert places.tolist() == [0, 2, 1, 3]
    assert cosines.tolist() == pytest.approx([1, 0.8, 0, -1])
    assert index.votes(vectors[2]).argmax() == 2


def test_a_vector_is_made_once_for_each_text_model_and_number_of_dimensions(tmp_path: Path) -> None:
    mails = [render_text("", "a fever"), render_text("", "the invoice"), render_text("", "a fever")]

    def ask(size: int) -> tuple[list[str], list[Outcome]]:
        source = WordVectors(size)
        embedder = Embedder(source, VectorCache(tmp_path, source.model, size, 100))
        outcomes = embedder.embed(mails)
        asked = list(source.asked)
        embedder.close()
        return asked, outcomes

    first, made = ask(64)
    again, found = ask(64)
    other, _ = ask(32)

    assert (first, again, other) == (["a fever", "the invoice"], [], ["a fever", "the invoice"])
    for one, two in zip(made, found, strict=True):
        assert isinstance(one, Embedded)
        assert isinstance(two, Embedded)
        assert np.array_equal(one.vector, two.vector)
    assert stat.S_IMODE((tmp_path / CACHE_NAME).stat().st_mode) == 0o600


def test_the_cache_holds_no_text_and_forgets_the_oldest(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, "m", 8, most=10)
    for number in range(30):
        cache.add([(f"secret text {number}", by_words(f"w{number}", 8))])

    assert cache.find("secret text 0") is None
    assert cache.find("secret text 29") is not None
    cache.close()
    with sqlite3.connect(tmp_path / CACHE_NAME) as connection:
        assert connection.execute("select count(*) from vectors").fetchone() == (10,)
    connection.close()
    assert b"secret" not in (tmp_path / CACHE_NAME).read_bytes()


def test_a_broken_cache_is_begun_anew_and_one_that_cannot_be_used_costs_no_mail(tmp_path: Path) -> None:
    (tmp_path / CACHE_NAME).write_bytes(b"no database at all, but long enough to look like one" * 50)
    cache = VectorCache(tmp_path, "m", 8, most=10)
    cache.add([("text", by_words("text", 8))])
    assert cache.find("text") is not None
    cache.close()
    (tmp_path / "taken").write_text("a file where the folder should be")

    useless = VectorCache(tmp_path / "taken", "m", 8, most=10)
    useless.add([("text", by_words("text", 8))])

    assert useless.find("text") is None
    useless.close()


def test_a_mail_without_a_word_is_not_asked_about() -> None:
    source = WordVectors()

    (outcome,) = Embedder(source).embed([render_text("", "")])

    assert isinstance(outcome, Embedded)
    assert not outcome.vector.any()
    assert source.asked == []


# --- the map -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_adapter", [True, False])
def test_mails_are_placed_by_vectors_before_and_behind_the_adapter_or_by_scores(has_adapter: bool) -> None:  # noqa: FBT001
    model = train(Plan(adapter=has_adapter))
    mails = [render_text(text, "") for text in ("a fever", "", "the wrong invoice", "his uncle", "no fever", "collects her")]

    found = classifier(model).place(mails)

    assert found.rows.tolist() == [0, 2, 3, 4, 5], "a mail without a word has no vector"
    assert found.is_shared is has_adapter
    np.testing.assert_allclose(found.before[1], by_words("the wrong invoice", SIZE), atol=1e-6)
    if has_adapter:
        np.testing.assert_allclose(found.after[1], model.adapt(by_words("the wrong invoice", SIZE)), atol=1e-6)
    else:
        assert found.after.shape == (5, len(model.categories))
        assert model.categories[int(found.after[1].argmax())] == top(model, "the wrong invoice")


def test_where_no_vector_comes_no_mail_has_a_place() -> None:
    silent = EmbeddingClassifier(train(), Embedder(Silent()))

    assert len(silent.place([render_text("a fever", "")]).rows) == 0
