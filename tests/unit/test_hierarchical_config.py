"""The groups of a configuration and the table of the hierarchical classifier: what is refused, and who is opened."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.composite import Told, mail, only
from tests.unit.configuration import MAILBOX, fault, load

from cubbyd.classify import registry
from cubbyd.classify.grouping import ask_about_groups, read_groups
from cubbyd.classify.hierarchical import HierarchicalClassifier
from cubbyd.classify.hierarchyfile import save_hierarchical
from cubbyd.classify.registry import open_backend
from cubbyd.config import Config, load_config
from cubbyd.dataset import Example
from cubbyd.errors import EXIT_CONFIG, ConfigError, ModelFileError
from cubbyd.taxonomy import CategoryId, GroupId
from cubbyd.training.hierarchical import train_hierarchical

KIND = '[classifier]\nkind = "hierarchical"\n'
GROUPED = {"absence": "child", "pickup": "child", "billing": "money"}
TEXTS = {
    "absence": ("a fever tonight", "home with a fever"),
    "pickup": ("grandma collects her", "his uncle collects him"),
    "billing": ("the invoice is wrong", "an invoice for May"),
}


def configure(folder: Path, table: str = "", groups: dict[str, str] | None = None) -> Config:
    categories = [
        f'[[categories]]\nid = "{id_}"\ncode = {code}\nname = "Mail on {id_}"\n' + (f'group = "{group}"\n' if group else "")
        for code, (id_, group) in enumerate((groups or GROUPED).items(), start=1)
    ]
    (folder / "c.toml").write_text("\n".join([MAILBOX, KIND, table, *categories]), encoding="utf-8")
    return load_config(folder / "c.toml")


def train(file: Path, groups: dict[str, str] | None = None) -> None:
    found: dict[GroupId, list[CategoryId]] = {}
    for category, group in (groups or GROUPED).items():
        found.setdefault(GroupId(CategoryId(group)), []).append(CategoryId(category))
    made = [Example(subject="", body=body, labels=(CategoryId(id_),)) for id_, bodies in TEXTS.items() for body in bodies]
    save_hierarchical(train_hierarchical(made, found), file, created=datetime(2026, 11, 21, tzinfo=UTC))


class Bench:
    """Kinds that note down with which configuration they were opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: dict[str, Told] = {}
        self.configs: dict[str, Config] = {}
        kinds = dict.fromkeys(("one", "two", "openai"), self.open)
        monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, **kinds, "broken": self.fail})

    def open(self, config: Config, _: Any) -> Told:
        kind, ids = config.classifier.kind, config.taxonomy.ids
        self.configs[kind] = config
        said = {category: 0.6 if category in {"billing", "money"} else 0.4 / (len(ids) - 1) for category in ids}
        self.opened[kind] = Told(kind=kind, categories=ids, otherwise=said)
        return self.opened[kind]

    def fail(self, config: Config, _: Any) -> Told:
        raise ModelFileError(config.classifier.model, "is broken")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


# --- groups ------------------------------------------------------------------------------------------------------------


def test_the_groups_are_those_of_the_categories_in_order(tmp_path: Path) -> None:
    config = configure(tmp_path)

    assert read_groups(config) == {"child": ("absence", "pickup"), "money": ("billing",)}
    assert [category.group for category in config.taxonomy] == ["child", "child", "money"]


def test_every_category_without_a_group_is_named(tmp_path: Path) -> None:
    config = configure(tmp_path, groups=GROUPED | {"pickup": "", "billing": ""})

    with pytest.raises(ConfigError) as caught:
        open_backend(config)

    assert [problem.key for problem in caught.value.problems] == ["categories[2].group", "categories[3].group"]
    assert all(name in str(caught.value) for name in ("'pickup'", "'billing'", 'group = "money"', "c.toml"))
    assert "'absence'" not in str(caught.value)


def test_a_single_group_is_no_choice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"all are in the group 'child'; .* two groups at least"):
        open_backend(configure(tmp_path, groups=dict.fromkeys(GROUPED, "child")))


def test_other_kinds_need_no_group_and_do_not_mind_one(tmp_path: Path) -> None:
    assert load(tmp_path / "a.toml").taxonomy.groups == {}
    assert load(tmp_path / "b.toml", first='group = "child"').taxonomy.groups == {"child": ("absence",)}


@pytest.mark.parametrize("group", ["", "Two Words", "-x", "a" * 41])
def test_a_group_is_written_like_an_id(tmp_path: Path, group: str) -> None:
    (problem,) = fault(tmp_path / "c.toml", first=f'group = "{group}"').problems

    assert problem.key == "categories[1].group"


@pytest.mark.parametrize(
    ("keys", "key", "said"),
    [
        ("tried = 0", "tried", "greater than or equal to 1"),
        ("tried = 51", "tried", "less than or equal to 50"),
        ("tried = 2.5", "tried", "integer"),
        ("enough = 1.5", "enough", "less than or equal to 1"),
        ("groups = 3", "groups", "must be a kind, such as"),
        ('within = { kind = "openai", model = "gpt" }', "within", "[classifier.openai]"),
        ('whithin = "local"', "whithin", "did you mean within"),
    ],
)
def test_a_wrong_table_is_refused_by_its_key(tmp_path: Path, keys: str, key: str, said: str) -> None:
    (problem,) = fault(tmp_path / "c.toml", f"{KIND}[classifier.hierarchical]\n{keys}").problems

    assert problem.key == f"classifier.hierarchical.{key}"
    assert said in problem.allowed


# --- opening -----------------------------------------------------------------------------------------------------------


def test_without_a_table_the_model_file_does_it_all(tmp_path: Path) -> None:
    train(tmp_path / "cubbyd.model")

    classifier = open_backend(configure(tmp_path))

    answer = only(classifier.classify([mail("an invoice")]))
    assert classifier.categories == tuple(answer.probabilities) == tuple(GROUPED)
    assert answer.top == "billing"


def test_without_a_file_the_way_to_one_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no model yet; make one: cubbyd train .* --kind hierarchical --out"):
        open_backend(configure(tmp_path))


@pytest.mark.parametrize(
    ("configured", "said"),
    [
        (GROUPED | {"billing": "child", "pickup": "money"}, "'pickup' in the group 'child', .* has it in 'money'"),
        ({"absence": "child", "billing": "money"}, "trained with the category 'pickup', which the configuration does not have"),
    ],
)
def test_a_model_of_other_groups_is_refused(tmp_path: Path, configured: dict[str, str], said: str) -> None:
    train(tmp_path / "cubbyd.model")

    with pytest.raises(ModelFileError, match=said) as caught:
        open_backend(configure(tmp_path, groups=configured))
    assert caught.value.exit_code == EXIT_CONFIG


def test_a_category_that_the_model_does_not_know_has_no_probability(tmp_path: Path) -> None:
    train(tmp_path / "cubbyd.model")

    classifier = open_backend(configure(tmp_path, groups=GROUPED | {"meals": "child", "tours": "visits"}))

    found = only(classifier.classify([mail("grandma collects")])).probabilities
    assert (found[CategoryId("meals")], found[CategoryId("tours")]) == (0.0, 0.0)
    assert sum(found.values()) == pytest.approx(1.0)


def test_members_of_any_kind_need_no_model_file_and_the_first_is_summed(tmp_path: Path, bench: Bench) -> None:
    table = '[classifier.hierarchical]\ngroups = "one"\nwithin = { kind = "two", model = "other.model" }\ntried = 1'

    classifier = open_backend(configure(tmp_path, table))

    assert isinstance(classifier, HierarchicalClassifier)
    assert bench.configs["two"].classifier.model == tmp_path / "other.model"
    assert bench.opened["one"].categories == tuple(GROUPED)
    answer = only(classifier.classify([mail("x")]))
    assert answer.probabilities == pytest.approx({"absence": 0.2, "pickup": 0.2, "billing": 0.6})
    assert answer.reasons[-1].text == "groups: money 0.60"
    classifier.close()
    assert [member.closed for member in bench.opened.values()] == [1, 1]


def test_one_that_takes_any_closed_set_is_asked_for_the_group_itself(tmp_path: Path, bench: Bench) -> None:
    train(tmp_path / "cubbyd.model")

    classifier = open_backend(configure(tmp_path, '[classifier.hierarchical]\ngroups = "openai"'))

    assert bench.opened["openai"].categories == ("child", "money")
    assert only(classifier.classify([mail("an invoice")])).top == "billing"


def test_the_groups_are_described_by_their_categories_whose_names_stay_unmasked(tmp_path: Path) -> None:
    asked = ask_about_groups(configure(tmp_path, '[redaction]\nkeep = ["Ladybug Room"]'))

    assert [(group.id, group.description) for group in asked.taxonomy] == [
        ("child", "Mail on absence; Mail on pickup"),
        ("money", "Mail on billing"),
    ]
    assert asked.redaction.keep == ("Ladybug Room", "Mail on absence", "Mail on pickup", "Mail on billing")
    assert asked.file == tmp_path / "c.toml"


def test_the_one_for_the_groups_is_closed_where_the_other_cannot_be_opened(tmp_path: Path, bench: Bench) -> None:
    with pytest.raises(ModelFileError, match="is broken"):
        open_backend(configure(tmp_path, '[classifier.hierarchical]\ngroups = "one"\nwithin = "broken"'))

    assert bench.opened["one"].closed == 1


def test_it_is_no_part_of_itself_and_may_be_one_of_another(tmp_path: Path, bench: Bench) -> None:
    with pytest.raises(ConfigError, match=r"classifier\.hierarchical: found 'hierarchical'"):
        open_backend(configure(tmp_path, '[classifier.hierarchical]\ngroups = "one"\nwithin = "hierarchical"'))

    train(tmp_path / "h.model")
    table = '[classifier.cascade]\nfirst = { kind = "hierarchical", model = "h.model" }\nthen = "two"'
    config = configure(tmp_path, table)
    cascade = config.model_copy(update={"classifier": config.classifier.model_copy(update={"kind": "cascade"})})
    assert open_backend(cascade).categories == tuple(GROUPED)
    assert bench.opened["two"].calls == []
