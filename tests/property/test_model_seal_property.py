"""No byte of a model file of any kind can change, go or come without its being refused, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.embeddings import examples, make_folder

from cubbyd.classify.card import Card, DataCard, HeldOutCard, Measured, card_bytes, read_about
from cubbyd.classify.embedding.cache import Embedder
from cubbyd.classify.embedding.model import load_embedding_model, save_embedding_model
from cubbyd.classify.embedding.opening import open_folder
from cubbyd.classify.hierarchyfile import load_hierarchical, save_hierarchical
from cubbyd.classify.modelfile import load_model, save_model
from cubbyd.classify.origin import read_origin
from cubbyd.dataset import digest_examples
from cubbyd.errors import ModelFileError
from cubbyd.message.render import RENDERER_VERSION
from cubbyd.taxonomy import CategoryId, GroupId
from cubbyd.training.embedding import train_embeddings
from cubbyd.training.hierarchical import train_hierarchical
from cubbyd.training.local import train_local

CREATED = datetime(2026, 11, 21, tzinfo=UTC)
GROUPS = {
    GroupId(CategoryId("child")): (CategoryId("absence"), CategoryId("pickup")),
    GroupId(CategoryId("money")): (CategoryId("billing"),),
}
LOADERS: dict[str, Callable[..., object]] = {
    "local": load_model,
    "embeddings": load_embedding_model,
    "hierarchical": load_hierarchical,
}


def card(kind: str) -> dict[str, Any]:
    made = Card(
        kind=kind,
        format=1,
        renderer=RENDERER_VERSION,
        created=CREATED,
        seconds=1.0,
        seed=0,
        settings={},
        data=DataCard(file="mails.jsonl", sha256="0" * 64, examples=15, different=15, origins={"real": 15}),
        held_out=HeldOutCard(method="none", examples=15, numbers={"accuracy": Measured(value=0.5, low=0.4, high=0.6)}),
        categories=(),
        versions={},
    )
    return card_bytes(made)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each kind, with a card."""
    folder = tmp_path_factory.mktemp("kinds")
    made = {kind: folder / f"{kind}.model" for kind in LOADERS}
    save_model(train_local(examples()), made["local"], created=CREATED, card=card("local"))
    grouped = train_hierarchical(examples(), GROUPS)
    save_hierarchical(grouped, made["hierarchical"], created=CREATED, card=card("hierarchical"))
    embedder = Embedder(open_folder(make_folder(folder / "tiny", "fp32")))
    save_embedding_model(train_embeddings(examples(), embedder), made["embeddings"], created=CREATED, card=card("embeddings"))
    embedder.close()
    return made


@pytest.mark.parametrize("kind", LOADERS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**9), change=st.integers(1, 255), what=st.sampled_from(("flip", "cut", "insert", "append")))
def test_a_change_anywhere_is_refused_by_the_kind_and_by_whoever_shows_the_card(
    files: dict[str, Path], tmp_path: Path, kind: str, place: int, change: int, what: str
) -> None:
    sound = files[kind].read_bytes()
    place %= len(sound)
    end = {"flip": bytes([sound[place] ^ change]) + sound[place + 1 :], "cut": b"", "insert": bytes([change]) + sound[place:]}
    broken = sound + bytes([change]) if what == "append" else sound[:place] + end[what]
    file = tmp_path / "broken.model"
    file.write_bytes(broken)

    reads: list[Callable[[], object]] = [lambda: LOADERS[kind](file, renderer=RENDERER_VERSION), lambda: read_about(file)]
    for read in reads:
        with pytest.raises(ModelFileError, match=r"broken\.model: (is no sound|is damaged|is of version|is no model)"):
            read()


@pytest.mark.parametrize("byte", range(12, 20))
def test_a_directory_that_is_said_to_lie_elsewhere_is_refused_as_damage(
    files: dict[str, Path], tmp_path: Path, byte: int
) -> None:
    """The size and the place of a zip's directory (APPNOTE 4.3.16): some lead to before the beginning of the file."""
    broken = bytearray(files["local"].read_bytes())
    broken[broken.rindex(b"PK\5\6") + byte] ^= 0x55
    file = tmp_path / "broken.model"
    file.write_bytes(broken)

    with pytest.raises(ModelFileError, match=r"broken\.model: (is no sound|is damaged)"):
        read_about(file)


@pytest.mark.parametrize("kind", LOADERS)
def test_the_file_as_it_was_written_is_read_by_its_own_kind_alone(files: dict[str, Path], kind: str) -> None:
    LOADERS[kind](files[kind], renderer=RENDERER_VERSION)
    about = read_about(files[kind])
    assert (about.kind, about.accuracy) == (kind, 0.5)
    assert set(about.categories) == {"absence", "billing", "pickup"}

    for other in LOADERS.keys() - {kind}:
        with pytest.raises(ModelFileError, match=f"kind '{kind}'; this cubbyd reads version ., kind '{other}'"):
            LOADERS[other](files[kind], renderer=RENDERER_VERSION)


@pytest.mark.parametrize("kind", LOADERS)
def test_every_kind_names_the_data_that_it_was_trained_on(files: dict[str, Path], kind: str) -> None:
    origin = read_origin(files[kind])

    assert (origin.kind, origin.data_sha256) == (kind, digest_examples(examples()))
