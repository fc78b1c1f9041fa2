"""The tables of the classifiers that are made of others: what is refused, and how their members are opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.composite import Told, mail, only
from tests.unit.configuration import fault, load

from cubbyd.classify import registry
from cubbyd.classify.cascade import CascadeClassifier
from cubbyd.classify.ensemble import EnsembleClassifier
from cubbyd.classify.protocol import Classifier
from cubbyd.classify.registry import open_backend
from cubbyd.classify.shortlist import ShortlistClassifier
from cubbyd.config import Config, IfThenFails
from cubbyd.errors import ConfigError, ModelFileError
from cubbyd.taxonomy import CategoryId

PAIR = 'first = "one"\nthen = "two"\n'
MEMBERS = 'members = ["one", { kind = "two", weight = 3 }]\n'
TABLES = {"cascade": PAIR, "shortlist": PAIR, "ensemble": MEMBERS}
MADE = {"cascade": CascadeClassifier, "shortlist": ShortlistClassifier, "ensemble": EnsembleClassifier}


def table(kind: str, keys: str) -> str:
    return f'[classifier]\nkind = "{kind}"\n[classifier.{kind}]\n{keys}'


class Bench:
    """Kinds that note down how they were opened."""

    def __init__(self) -> None:
        self.opened: dict[str, Told] = {}
        self.configs: list[Config] = []

    def add(self, monkeypatch: pytest.MonkeyPatch, **failing: Exception) -> None:
        def open_(config: Config, _: Any) -> Classifier:
            self.configs.append(config)
            kind = config.classifier.kind
            if kind in failing:
                raise failing[kind]
            self.opened[kind] = Told(kind=kind, categories=(CategoryId("billing"), CategoryId("absence")))
            return self.opened[kind]

        monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "one": open_, "two": open_})


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    made.add(monkeypatch)
    return made


@pytest.mark.parametrize("kind", TABLES)
def test_members_are_opened_closed_and_listed_in_the_order_of_the_configuration(
    tmp_path: Path, bench: Bench, kind: str
) -> None:
    classifier = open_backend(load(tmp_path / "c.toml", table(kind, TABLES[kind])))

    assert isinstance(classifier, MADE[kind])
    assert classifier.categories == ("absence", "billing")
    assert list(bench.opened) == ["one", "two"]
    classifier.close()
    assert [member.closed for member in bench.opened.values()] == [1, 1]


@pytest.mark.parametrize("kind", TABLES)
def test_a_kind_without_its_table_is_refused(tmp_path: Path, kind: str) -> None:
    config = load(tmp_path / "c.toml", f'[classifier]\nkind = "{kind}"')

    with pytest.raises(ConfigError, match=rf"classifier.{kind}: .*needs a table \[classifier.{kind}\]"):
        open_backend(config)


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize(("named", "said"), [("opneai", "found 'opneai'"), ("cascade", "found 'cascade'")])
def test_an_unknown_member_and_itself_are_refused_at_its_own_table(tmp_path: Path, named: str, said: str) -> None:
    config = load(tmp_path / "c.toml", table("cascade", f'first = "one"\nthen = "{named}"'))

    with pytest.raises(ConfigError) as caught:
        open_backend(config)

    (problem,) = caught.value.problems
    assert problem.key == "classifier.cascade"
    assert said in problem.allowed
    assert "ensemble" in problem.allowed
    assert "cascade" not in problem.allowed.split(";")[1]


@pytest.mark.usefixtures("bench")
def test_they_nest_but_not_in_themselves(tmp_path: Path) -> None:
    outer = table("cascade", 'first = "one"\nthen = "ensemble"')
    assert isinstance(open_backend(load(tmp_path / "c.toml", f"{outer}\n[classifier.ensemble]\n{MEMBERS}")), CascadeClassifier)

    circle = load(tmp_path / "c.toml", f'{outer}\n[classifier.ensemble]\nmembers = ["two", "cascade"]')
    with pytest.raises(ConfigError, match=r"classifier\.ensemble: found 'cascade'"):
        open_backend(circle)


def test_what_was_opened_is_closed_where_the_next_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.add(monkeypatch, two=ModelFileError("two.model", "is broken"))

    with pytest.raises(ModelFileError):
        open_backend(load(tmp_path / "c.toml", table("cascade", PAIR)))

    assert bench.opened["one"].closed == 1


@pytest.mark.parametrize("kind", ["shortlist", "ensemble"])
@pytest.mark.parametrize(("labels", "total"), [("one", 1.0), ("many", 1.7)])
def test_the_configurations_labels_say_whether_probabilities_sum_to_one(
    tmp_path: Path, bench: Bench, kind: str, labels: str, total: float
) -> None:
    text = table(kind, TABLES[kind]).replace("[classifier]", f'[classifier]\nlabels = "{labels}"')
    classifier = open_backend(load(tmp_path / "c.toml", text))
    for member in bench.opened.values():
        member.otherwise = {CategoryId("absence"): 0.8, CategoryId("billing"): 0.9}

    assert sum(only(classifier.classify([mail("x")])).probabilities.values()) == pytest.approx(total)


def test_a_member_has_a_model_file_of_its_own_or_the_general_one(tmp_path: Path, bench: Bench) -> None:
    keys = 'first = "one"\nthen = { kind = "two", model = "models/other.model" }'

    open_backend(load(tmp_path / "c.toml", table("shortlist", keys)))

    assert [config.classifier.model for config in bench.configs] == [
        tmp_path / "cubbyd.model",
        tmp_path / "models" / "other.model",
    ]
    assert [config.file for config in bench.configs] == [tmp_path / "c.toml"] * 2


def test_the_files_of_an_ensembles_members_count_from_the_configurations_folder(tmp_path: Path) -> None:
    keys = 'members = [{ kind = "local" }, { kind = "local", model = "b.model" }]'
    section = load(tmp_path / "c.toml", table("ensemble", keys)).classifier.ensemble

    assert section is not None
    assert [(member.kind, member.model, member.weight) for member in section.members] == [
        ("local", None, 1.0),
        ("local", tmp_path / "b.model", 1.0),
    ]


def test_the_defaults(tmp_path: Path) -> None:
    cascade = load(tmp_path / "c.toml", table("cascade", PAIR)).classifier.cascade
    shortlist = load(tmp_path / "c.toml", table("shortlist", PAIR)).classifier.shortlist

    assert cascade is not None
    assert shortlist is not None
    assert (cascade.unsure_below, cascade.margin_below, cascade.if_then_fails) == (0.8, 0.0, IfThenFails.RETRY)
    assert (shortlist.size, shortlist.sure_above) == (5, 0.95)


@pytest.mark.parametrize(
    ("kind", "keys", "key", "said"),
    [
        ("cascade", 'first = "one"', "cascade.then", "is missing"),
        ("cascade", 'first = "one"\nthen = "one"', "cascade", "same classifier"),
        ("cascade", PAIR + "unsure_below = 0.0", "cascade", "would never be asked"),
        ("cascade", PAIR + "unsure_below = 1.5", "cascade.unsure_below", "less than or equal to 1"),
        ("cascade", PAIR + "unsure_below = true", "cascade.unsure_below", "number"),
        ("cascade", PAIR + 'if_then_fails = "shrug"', "cascade.if_then_fails", "'keep_first'"),
        ("cascade", PAIR + "unsure = 0.5", "cascade.unsure", "did you mean unsure_below"),
        ("cascade", 'first = { kind = "local", modle = "m" }\nthen = "two"', "cascade.first.modle", "did you mean model"),
        ("cascade", 'first = { kind = "openai", model = "gpt" }\nthen = "two"', "cascade.first", "[classifier.openai]"),
        ("cascade", 'first = 3\nthen = "two"', "cascade.first", "must be a kind, such as"),
        ("cascade", 'first = { kind = "local", model = "" }\nthen = "two"', "cascade.first.model", "the path of a file"),
        ("shortlist", PAIR + "size = 1", "shortlist.size", "greater than or equal to 2"),
        ("shortlist", PAIR + "size = 2.5", "shortlist.size", "integer"),
        ("ensemble", 'members = ["one"]', "ensemble", "at least 2 are needed, and 1 given"),
        ("ensemble", 'members = ["one", "one"]', "ensemble", "twice"),
        ("ensemble", 'members = ["one", { kind = "two", weight = 0 }]', "ensemble.members[2].weight", "greater than 0"),
        ("ensemble", 'members = ["one", { kind = "two", wieght = 1 }]', "ensemble.members[2].wieght", "did you mean weight"),
        ("ensemble", MEMBERS + "review_on_disagreement = 1", "ensemble.review_on_disagreement", "boolean"),
    ],
)
def test_a_wrong_table_is_refused_by_its_key(tmp_path: Path, kind: str, keys: str, key: str, said: str) -> None:
    (problem,) = fault(tmp_path / "c.toml", table(kind, keys)).problems

    assert problem.key == f"classifier.{key}"
    assert said in problem.allowed
