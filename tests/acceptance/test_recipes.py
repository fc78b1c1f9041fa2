"""`cubbyd recipes` by the installed command, on a skewed part of the sample set with mail that passes for synthetic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.acceptance.desk import Desk, json_lines
from tests.acceptance.test_evaluation import Page

from cubbyd.demo import __file__ as demo

pytestmark = pytest.mark.slow

SAMPLE = Path(demo).parent / "sample" / "examples.jsonl"
LABELS = ("absence", "billing", "meals", "pickup")
BIG = "absence"


def write(file: Path, records: list[dict[str, str]]) -> None:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One category of 40 examples, three of 10 with 20 synthetic ones each, and a test set of the rest."""
    desk = Desk(tmp_path_factory.mktemp("recipes"))
    records = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    training, test = [], []
    for label in LABELS:
        own = [{"origin": "real"} | record for record in records if record["label"] == label]
        many = 40 if label == BIG else 10
        training += own[:many]
        training += [record | {"origin": "synthetic:model"} for record in ([] if label == BIG else own[many : many + 20])]
        test += own[40:]
    write(desk.folder / "train.jsonl", training)
    write(desk.folder / "real.jsonl", [record for record in training if record["origin"] == "real"])
    write(desk.folder / "test.jsonl", test)
    copies = [record | {"origin": "synthetic"} for record in training if record["origin"] == "real"]
    write(desk.folder / "copied.jsonl", [*(record for record in training if record["origin"] == "real"), *copies])
    write(desk.folder / "mixed.jsonl", [*test, training[-1]])
    write(desk.folder / "shared.jsonl", [*test, training[0]])
    return desk


def configure(desk: Desk, line: str, categories: str = " ".join(LABELS)) -> str:
    """Write a configuration that no other test finds; give its name."""
    desk.configure(f"[classifier]\n{line}", categories=categories)
    (desk.folder / "cubbyd.toml").rename(desk.folder / "own.toml")
    return "own.toml"


def test_the_mixes_are_compared_on_the_same_test_set_and_one_is_recommended(facility: Desk) -> None:
    options = ("--draws", "2", "--out", "recipes.html", "--models", "models")

    done = facility.call("recipes", "train.jsonl", "--test", "test.jsonl", *options, "--json")

    (facts,) = json_lines(done.stdout)
    recipes = {recipe["name"]: recipe for recipe in facts["recipes"]}
    assert list(recipes) == [
        "real only",
        "real only, unweighted",
        "real + synthetic",
        "synthetic, then real",
        "real, then synthetic",
        "trimmed",
    ]
    assert facts["big_categories"] == [BIG]
    assert recipes["real only"]["against_baseline"] is None
    assert recipes["real only"]["training"] == "70 examples"
    assert recipes["real + synthetic"]["training"] == "70 + 60 examples"
    assert recipes["real only, unweighted"]["bias"]["value"] > recipes["real only"]["bias"]["value"]
    assert recipes["real + synthetic"]["macro_f1"]["value"] > recipes["real only"]["macro_f1"]["value"]
    assert len(recipes["trimmed"]["draws"]) == 2
    assert facts["recommended"] in recipes
    assert facts["sentence"] in Page(facility.folder / "recipes.html").said
    assert (facility.folder / "recipes.html").stat().st_mode & 0o777 == 0o600
    assert len(list((facility.folder / "models").iterdir())) == 6
    config = configure(facility, 'model = "models/real-synthetic.model"')
    (told,) = json_lines(facility.call("--config", config, "evaluate", "test.jsonl", "--json", "--without-map").stdout)
    assert told["numbers"]["accuracy"]["value"] == recipes["real + synthetic"]["accuracy"]["value"], "it is that model"


def test_without_synthetic_examples_what_needs_them_is_named_and_left_out(facility: Desk) -> None:
    done = facility.call("recipes", "real.jsonl", "--test", "test.jsonl", "--draws", "1")

    assert 'Not tried: real + synthetic: TRAINING has no synthetic examples (origin "synthetic")' in done.stdout
    assert done.stdout.splitlines()[-1].startswith(("Take ", "Stay with real only"))


def test_synthetic_examples_that_only_repeat_the_real_ones_are_no_stage_and_the_others_are_tried(facility: Desk) -> None:
    (facts,) = json_lines(facility.call("recipes", "copied.jsonl", "--test", "test.jsonl", "--draws", "1", "--json").stdout)

    assert "no texts of its own" in facts["skipped"]["synthetic, then real"]
    both = next(recipe for recipe in facts["recipes"] if recipe["name"] == "real + synthetic")
    assert both["against_baseline"]["accuracy"]["value"] == 0, "a repeated text is learned once"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("train.jsonl", "--test", "mixed.jsonl"), 1, "1 of its examples are synthetic"),
        (("train.jsonl", "--test", "shared.jsonl"), 1, "read the same as one in train.jsonl"),
        (("nothing.jsonl", "--test", "test.jsonl"), 1, "cannot be read"),
        (("train.jsonl",), 2, "--test"),
        (("train.jsonl", "--test", "test.jsonl", "--to", "1"), 2, "--to"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(facility: Desk, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in facility.call("recipes", *arguments, code=code).stderr


def test_several_categories_a_mail_are_refused(facility: Desk) -> None:
    config = configure(facility, 'labels = "many"')

    done = facility.call("--config", config, "recipes", "train.jsonl", "--test", "test.jsonl", code=2)

    assert "one category a mail" in done.stderr


def test_with_a_configuration_its_categories_are_the_only_labels(facility: Desk) -> None:
    config = configure(facility, "", categories="absence billing meals")

    done = facility.call("--config", config, "recipes", "train.jsonl", "--test", "test.jsonl", code=1)

    assert "unknown label 'pickup'; the configuration has absence, billing, meals" in done.stderr
