"""`cubbyd evaluate` and `cubbyd compare` by the installed command, on the sample set and on a desk's mail."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.acceptance.desk import Desk, json_lines
from tests.acceptance.test_calibration import LATER, OTHER_NAMES, use, write_later

from cubbyd.demo import __file__ as demo

pytestmark = pytest.mark.slow

SAMPLE = Path(demo).parent / "sample" / "examples.jsonl"
HOSTILE = '<script src="https://evil.example/x.js"></script><img src=x onerror=alert(1)>\u202e'


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.said = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.fixture
def later(ready: Desk) -> Desk:
    write_later(ready.folder / "later.jsonl", OTHER_NAMES, wrong=3)
    return ready


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The sample set, its odd lines learned, its even ones kept apart."""
    desk = Desk(tmp_path_factory.mktemp("facility"))
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    (desk.folder / "first.jsonl").write_text("\n".join(lines[::2]) + "\n", encoding="utf-8")
    (desk.folder / "later.jsonl").write_text("\n".join(lines[1::2]) + "\n", encoding="utf-8")
    (desk.folder / "few.jsonl").write_text("\n".join(lines[::8]) + "\n", encoding="utf-8")
    labels = sorted({json.loads(line)["label"] for line in lines})
    desk.configure('[classifier]\nmodel = "cubbyd.model"', categories=" ".join(labels))
    desk.call("train", "first.jsonl", "--out", "cubbyd.model")
    desk.call("train", "few.jsonl", "--out", "few.model")
    return desk


def test_the_report_on_the_sample_set_says_all_that_was_asked(facility: Desk) -> None:
    (facts,) = json_lines(
        facility.call("evaluate", "later.jsonl", "--out", "report.html", "--learning-curve", "first.jsonl", "--json").stdout
    )

    page = Page(facility.folder / "report.html")
    for heading in (
        "Each category",
        "What is taken for what",
        "The ten costliest confusions",
        "Can its probabilities be believed?",
        "How much can be filed, and how well",
        "Are big categories favored?",
        "Would more examples help?",
        "What training made of the mail: a map",
    ):
        assert heading in page.said
    assert facts["map"]["sentence"] in page.said
    assert (
        facts["map"]["after"]["neighbor_purity"] > facts["map"]["before"]["neighbor_purity"] > facts["map"]["purity_by_chance"]
    )
    assert facts["filing"] in page.said
    assert re.fullmatch(
        r"With these thresholds \d+ % of mail is filed by itself and \d+\.\d in a hundred of those go wrong \(.*\)\.",
        facts["filing"],
    )
    numbers = facts["numbers"]
    assert numbers["mails"] == 527
    assert 0.6 < numbers["accuracy"]["low"] < numbers["accuracy"]["value"] < numbers["accuracy"]["high"] < 0.8
    filed, wrong = numbers["filed"]["value"], numbers["filed_wrong"]["value"]
    assert f"{100 * filed:.0f} % of mail" in facts["filing"]
    assert 1 - wrong > numbers["accuracy"]["value"], "the surest mail is told better than all of it"
    assert facts["learning_curve"]["steps"][-1]["examples"] == 527
    assert facts["learning_curve"]["steps"][-1]["accuracy"]["value"] == numbers["accuracy"]["value"], "it is the same model"
    assert facts["learning_curve"]["sentence"].startswith("Yes")
    assert page.tags & {"script", "link", "img", "iframe", "form"} == set()
    assert page.links == []
    assert (facility.folder / "report.html").stat().st_mode & 0o777 == 0o600


def test_the_map_can_be_left_out(facility: Desk) -> None:
    (facts,) = json_lines(facility.call("evaluate", "later.jsonl", "--out", "plain.html", "--without-map", "--json").stdout)

    assert facts["map"] is None
    assert "a map" not in Page(facility.folder / "plain.html").said


def test_a_calibrated_classifier_has_the_map_of_what_is_behind_its_curve(later: Desk) -> None:
    (plain,) = json_lines(later.call("evaluate", "later.jsonl", "--json").stdout)
    use(later)
    later.call("calibrate", "later.jsonl")

    (calibrated,) = json_lines(later.call("evaluate", "later.jsonl", "--json").stdout)

    assert "+cal:" in calibrated["model"]
    assert calibrated["map"] == plain["map"]
    assert plain["map"]["mails"] == 90


def test_more_training_mail_wins_and_the_recommendation_says_so(facility: Desk) -> None:
    options = ("--with", "few.model", "--with", "cubbyd.model")

    (facts,) = json_lines(facility.call("compare", "later.jsonl", *options, "--out", "comparison.html", "--json").stdout)

    assert facts["recommended"] == "cubbyd.model"
    (duel,) = facts["duels"]
    assert duel["decided"]
    assert duel["p_value"] < 0.001
    few, full = facts["classifiers"]
    assert duel["difference"]["value"] == pytest.approx(full["right"]["value"] - few["right"]["value"], abs=2e-4)
    assert facts["sentence"] in Page(facility.folder / "comparison.html").said
    said = facility.call("compare", "later.jsonl", *options)
    assert facts["sentence"] in said.stdout
    assert "answers of an earlier run" in said.stderr, "nobody is asked twice"


def test_a_model_does_not_beat_itself(later: Desk) -> None:
    (later.folder / "same.model").write_bytes((later.folder / "cubbyd.model").read_bytes())

    (facts,) = json_lines(later.call("compare", "later.jsonl", "--with", "same.model", "--json").stdout)

    assert (facts["duels"][0]["p_value"], facts["duels"][0]["decided"]) == (1.0, False)
    assert "cannot be told from" in facts["sentence"]


def test_a_mail_cannot_put_anything_on_the_page(later: Desk) -> None:
    lines = (later.folder / "later.jsonl").read_text().splitlines()
    lines += [
        json.dumps(
            {
                "subject": HOSTILE,
                "body": f"fever, sick at home today, ill, stays home, stomach bug, not coming {HOSTILE}",
                "label": "billing",
            }
        )
    ] * 3
    (later.folder / "later.jsonl").write_text("\n".join(lines) + "\n")

    later.call("evaluate", "later.jsonl", "--out", "report.html")

    page = Page(later.folder / "report.html")
    assert page.tags & {"script", "img"} == set()
    assert page.links == []
    assert "https://evil.example/x.js" in page.said, "it is shown as the text that it is"
    assert "\u202e" not in page.said, "and cannot turn around what follows"


def test_the_report_warns_of_the_mails_in_it_and_can_do_without(later: Desk) -> None:
    later.call("evaluate", "later.jsonl", "--out", "report.html")
    full = Page(later.folder / "report.html").said
    later.call("evaluate", "later.jsonl", "--out", "report.html", "--without-mails")
    bare = Page(later.folder / "report.html").said

    assert "This file holds text of mails." in full
    assert "says the mother of" in full
    assert "says the mother of" not in bare
    assert "no text of any mail is in this file" in bare
    assert "absence" in bare


def test_several_labels_are_measured_as_such(later: Desk) -> None:
    later.configure('[classifier]\nmodel = "cubbyd.model"\nlabels = "many"')
    later.call("train", "examples.jsonl", "--labels", "many", "--out", "cubbyd.model")

    (facts,) = json_lines(later.call("evaluate", "later.jsonl", "--out", "report.html", "--json").stdout)

    assert {"micro_f1", "macro_f1", "jaccard", "exact_match"} <= set(facts["numbers"])
    said = Page(later.folder / "report.html").said
    assert "exact match" in said
    assert "Jaccard" in said


def test_real_and_synthetic_mail_stand_in_two_columns(later: Desk) -> None:
    records = [json.loads(line) for line in (later.folder / "later.jsonl").read_text().splitlines()]
    for number, record in enumerate(records):
        record["origin"] = "synthetic:test" if number % 3 == 0 else "real"
    (later.folder / "mixed.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")

    (facts,) = json_lines(later.call("evaluate", "mixed.jsonl", "--out", "report.html", "--json").stdout)

    assert (facts["by_origin"]["real"]["mails"], facts["by_origin"]["synthetic"]["mails"]) == (60, 30)
    assert "synthetic (30 mails)" in Page(later.folder / "report.html").said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("evaluate absent.jsonl", 1, "absent.jsonl: cannot be read"),
        ("evaluate later.jsonl --model later.jsonl", 78, "later.jsonl"),
        ("evaluate later.jsonl --out nowhere/report.html", 1, "cannot be written"),
        ("evaluate later.jsonl --learning-curve later.jsonl", 1, "90 of its mails are in later.jsonl too"),
        ("evaluate later.jsonl --answers nowhere/kept.jsonl", 1, "cannot keep answers"),
        ("compare later.jsonl", 2, "Missing option '--with'"),
        ("compare later.jsonl --with a.toml --with b.toml", 78, "a.toml: (file): cannot be read"),
        ("compare later.jsonl --with cubbyd.model --with cubbyd.model", 2, "the same file is given twice"),
    ],
)
def test_a_mistake_is_named(later: Desk, arguments: str, code: int, said: str) -> None:
    assert said in " ".join(later.call(*arguments.split(), code=code).stderr.split())


def test_the_mail_that_the_model_was_trained_on_is_refused(desk: Desk) -> None:
    write_later(desk.folder / "all.jsonl", OTHER_NAMES)
    desk.configure(categories=" ".join(LATER))
    desk.call("train", "all.jsonl", "--out", "cubbyd.model")

    for command in (["evaluate", "all.jsonl"], ["compare", "all.jsonl", "--with", "cubbyd.model"]):
        assert "was trained on exactly these examples" in desk.call(*command, code=1).stderr


def test_a_remote_classifier_is_asked_only_once_the_cost_was_agreed_to_and_never_twice(later: Desk) -> None:
    pytest.importorskip("openai", reason="the extra cubbyd[openai] is not installed")
    from cubbyd.standin import Standin
    from cubbyd.standin.server import KEY

    (later.folder / "openai.key").touch(mode=0o600)
    (later.folder / "openai.key").write_text(KEY + "\n")
    words = {"fever": "absence", "sick": "absence", "ill": "absence", "collects": "pickup", "late": "pickup"}
    with Standin({**words, "invoice": "billing", "tuition": "billing", "receipt": "billing"}) as server:
        later.configure(
            '[classifier]\nkind = "openai"\n[classifier.openai]\nmodel = "gpt-6-luna"\n'
            f'base_url = "{server.base_url}"\napi_key_file = "openai.key"\n'
            "price_per_million_input_tokens = 0.1\nprice_per_million_output_tokens = 0.5"
        )

        assert "openai would be asked about 90 mails" in " ".join(later.call("evaluate", "later.jsonl", code=2).stderr.split())

        assert not [request for request in server.requests if b"mother" in request.content]
        (facts,) = json_lines(later.call("evaluate", "later.jsonl", "--yes", "--json").stdout)
        asked = len([request for request in server.requests if b"mother" in request.content])
        (again,) = json_lines(later.call("evaluate", "later.jsonl", "--yes", "--json").stdout)
        assert len([request for request in server.requests if b"mother" in request.content]) == asked == 90
    assert facts["money_per_1000"] > 0
    assert again["reused"] == 90
    assert again["numbers"] == facts["numbers"]
