"""A desk for each test, and one model that is trained for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.acceptance.desk import MAIL, Desk, write_examples


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model made by the command itself, from examples, in a folder without a configuration."""
    folder = tmp_path_factory.mktemp("training")
    write_examples(folder / "examples.jsonl")
    done = Desk(folder).call("train", "examples.jsonl", "--out", "cubbyd.model")
    assert "Trained on 18 examples in 3 categories; wrote cubbyd.model." in done.stdout
    assert "accuracy" in done.stdout
    assert "`cubbyd check`" in done.stdout
    return folder / "cubbyd.model"


@pytest.fixture
def ready(desk: Desk, trained: Path) -> Desk:
    """A configuration with its model beside it."""
    desk.configure('[classifier]\nmodel = "cubbyd.model"')
    (desk.folder / "cubbyd.model").write_bytes(trained.read_bytes())
    write_examples(desk.folder / "examples.jsonl")
    (desk.folder / "mail.eml").write_bytes(MAIL)
    return desk
