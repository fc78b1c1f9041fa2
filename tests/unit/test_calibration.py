"""A calibrated classifier, and the file that its curve and the thresholds come from: used for exactly one version, or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.calibration import curve_of, thresholds_of
from tests.composite import ABSENCE, BILLING, CATEGORIES, DOWN, Told, chances, mail, only
from tests.unit.configuration import load

from cubbyd.classify import registry
from cubbyd.classify.calibrated import (
    CalibratedChooser,
    CalibratedClassifier,
    backend_of,
    calibration_in_force,
    shortcomings,
    thresholds_in_force,
)
from cubbyd.classify.calibration import (
    NEVER,
    CalibrationFile,
    Isotonic,
    Platt,
    Temperature,
    read_calibration,
    write_calibration,
)
from cubbyd.classify.protocol import Classifier, Prediction, Provenance
from cubbyd.classify.registry import load_classifier, open_backend, open_uncalibrated
from cubbyd.config import Config, Labels
from cubbyd.errors import EXIT_CONFIG, ClassifierError, ClassifierUnavailable, ConfigError
from cubbyd.filing import decide, rules_of
from cubbyd.message import ClassifierInput
from cubbyd.service import build
from cubbyd.taxonomy import CategoryId

NAME = "cubbyd.calibration.json"
KEY = f'calibration = "{NAME}"\n'

# --- the classifier ----------------------------------------------------------------------------------------------------


def test_a_temperature_makes_a_classifier_less_sure_and_keeps_its_order() -> None:
    told = Told(otherwise=chances(0.9, 0.06, 0.04))

    answer = only(CalibratedClassifier(told, curve_of(told, 2.0)).classify([mail("hello")]))

    roots = [0.9**0.5, 0.06**0.5, 0.04**0.5]
    assert list(answer.probabilities.values()) == pytest.approx([root / sum(roots) for root in roots])
    assert tuple(answer.probabilities) == CATEGORIES


def test_all_but_the_probabilities_is_what_the_backend_said() -> None:
    told = Told(money=0.5, request_id="r-1", hold="ask somebody")
    bare, calibrated = (only(one.classify([mail("hello")])) for one in (told, CalibratedClassifier(told, curve_of(told, 3.0))))

    assert (calibrated.reasons, calibrated.cost, calibrated.request_id) == (bare.reasons, bare.cost, bare.request_id)
    assert calibrated.hold == "ask somebody"


def test_a_calibrated_prediction_names_the_version_of_its_curve() -> None:
    told = Told()
    one, other = (CalibratedClassifier(told, curve_of(told, temperature)) for temperature in (2.0, 3.0))

    assert one.provenance.model.startswith("1+cal:")
    assert one.provenance.model != other.provenance.model
    assert only(one.classify([mail("hello")])).provenance == one.provenance


def test_what_is_no_answer_stays_none() -> None:
    error = ClassifierError("odd")
    told = Told(says={"odd": error})
    down = Told(outage=DOWN)

    assert list(CalibratedClassifier(told, curve_of(told)).classify([mail("odd")])) == [error]
    with pytest.raises(ClassifierUnavailable):
        CalibratedClassifier(down, curve_of(down)).classify([mail("hello")])


def test_closing_it_closes_the_backend() -> None:
    told = Told()

    CalibratedClassifier(told, curve_of(told)).close()

    assert told.closed == 1


# --- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "curve",
    [
        Temperature(temperature=1.7),
        Platt(slopes=(1.0, 0.5, 2.0), offsets=(0.0, -1.0, 0.3), is_shared=True),
        Isotonic(curves=(((0.0, 0.1), (1.0, 0.9)), ((0.5, 0.5),), ((0.1, 0.2), (0.2, 0.2), (0.9, 1.0)))),
    ],
)
def test_what_is_written_is_read_back(tmp_path: Path, curve: Any) -> None:
    told = Told()
    content = CalibrationFile().with_calibration(curve_of(told, curve=curve))
    content = content.with_thresholds(thresholds_of(told.provenance, absence=0.8125, billing="never"))

    write_calibration(tmp_path / NAME, content)

    assert read_calibration(tmp_path / NAME) == content
    assert content.thresholds[0].values == {ABSENCE: 0.8125, BILLING: NEVER}
    assert [file.name for file in tmp_path.iterdir()] == [NAME], "nothing is left beside it"


def test_a_new_curve_takes_the_place_of_the_old_one_and_no_other() -> None:
    told, other = Told(), Told(kind="other")
    content = CalibrationFile().with_calibration(curve_of(told, 2.0)).with_calibration(curve_of(other, 3.0))

    content = content.with_calibration(curve_of(told, 4.0))

    assert len(content.calibrations) == 2
    found = content.calibration_of(told.provenance, CATEGORIES)
    assert found is not None
    assert found.curve == Temperature(temperature=4.0)


def test_a_curve_for_other_categories_is_none_for_these() -> None:
    told = Told()
    content = CalibrationFile().with_calibration(curve_of(told))

    assert content.calibration_of(told.provenance, CATEGORIES) is not None
    assert content.calibration_of(told.provenance, CATEGORIES[:2]) is None
    assert content.calibration_of(Provenance(kind="told", model="2", renderer=told.provenance.renderer), CATEGORIES) is None


def test_a_file_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    assert read_calibration(tmp_path / NAME) == read_calibration(None) == CalibrationFile()


def sound(told: Told) -> dict[str, Any]:
    made = CalibrationFile().with_calibration(curve_of(told)).with_thresholds(thresholds_of(told.provenance, absence=0.5))
    said: dict[str, Any] = json.loads(made.model_dump_json())
    return said


def broken() -> dict[str, str | bytes]:
    """Contents that are no calibration file, by what is wrong with them."""
    made: dict[str, str | bytes] = {
        "nothing": "",
        "cut": json.dumps(sound(Told()))[:-40],
        "bytes": b"\xff\xfe\x00",
        "a list": "[]",
        "deep": "[" * 100_000,
    }
    changes: dict[str, Any] = {
        "format": ("format", "something else"),
        "version": ("version", 2),
        "unknown key": ("more", 1),
        "temperature of 0": ("calibrations", 0, "curve", "temperature", 0),
        "no number": ("calibrations", 0, "curve", "temperature", "warm"),
        "unknown method": ("calibrations", 0, "curve", "method", "magic"),
        "threshold above 1": ("thresholds", 0, "thresholds", "absence", 1.5),
        "threshold of words": ("thresholds", 0, "thresholds", "absence", "often"),
        "too few curves": ("calibrations", 0, "curve", {"method": "isotonic", "curves": [[[0, 0], [1, 1]]]}),
        "a curve that falls": ("calibrations", 0, "curve", {"method": "isotonic", "curves": [[[0, 1], [1, 0]]] * 3}),
        "too few offsets": (
            "calibrations",
            0,
            "curve",
            {"method": "platt", "slopes": [1, 1, 1], "offsets": [0], "is_shared": True},
        ),
    }
    for name, (*path, value) in changes.items():
        content = place = sound(Told())
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        made[name] = json.dumps(content)
    return made


BROKEN = broken()


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path, name: str) -> None:
    content = BROKEN[name]
    (tmp_path / NAME).write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(ConfigError, match=r"is damaged.*cubbyd calibrate EXAMPLES.jsonl") as caught:
        read_calibration(tmp_path / NAME)

    assert caught.value.exit_code == EXIT_CONFIG
    assert str(tmp_path / NAME) in str(caught.value)


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_calibration(tmp_path)
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        write_calibration(tmp_path / "nowhere" / NAME, CalibrationFile())


# --- loading -----------------------------------------------------------------------------------------------------------


class Choosy(Told):
    """A backend that can be asked the narrower question."""

    def classify_among(self, inputs: list[ClassifierInput], among: list[list[CategoryId]], /) -> list[Any]:
        return [
            Prediction(probabilities=dict.fromkeys(few, 1 / len(few)), provenance=self.provenance)
            for _, few in zip(inputs, among, strict=True)
        ]


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Told]:
    """Backends called far, near, and choosy, which know the two categories of the small configuration."""
    made: dict[str, Told] = {}

    def open_(config: Config, _: Any) -> Classifier:
        kind = config.classifier.kind
        otherwise = {ABSENCE: 0.9, BILLING: 0.1}
        made[kind] = (Choosy if kind == "choosy" else Told)(kind=kind, categories=CATEGORIES[:2], otherwise=otherwise)
        return made[kind]

    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "far": open_, "near": open_, "choosy": open_})
    return made


def far(kind: str = "far") -> Told:
    return Told(kind=kind, categories=CATEGORIES[:2])


def configure(folder: Path, keys: str = KEY, kind: str = "far", **more: str) -> Config:
    return load(folder / "cubbyd.toml", f'[classifier]\nkind = "{kind}"\n{keys}', **more)


def test_a_classifier_is_calibrated_where_the_file_knows_its_version(tmp_path: Path) -> None:
    write_calibration(tmp_path / NAME, CalibrationFile().with_calibration(curve_of(far(), 2.0)))
    config = configure(tmp_path)

    classifier = load_classifier(config)

    assert isinstance(backend_of(classifier), CalibratedClassifier)
    assert only(classifier.classify([mail("hello")])).probabilities[ABSENCE] == pytest.approx(0.75)
    assert shortcomings(config, classifier) == []
    assert open_uncalibrated(config).provenance == far().provenance


def test_without_the_key_nothing_is_calibrated_and_nothing_is_missing(tmp_path: Path) -> None:
    write_calibration(tmp_path / NAME, CalibrationFile().with_calibration(curve_of(far(), 2.0)))
    config = configure(tmp_path, keys="")

    classifier = load_classifier(config)

    assert classifier.provenance == far().provenance
    assert (shortcomings(config, classifier), calibration_in_force(classifier)) == ([], None)


def test_a_classifier_of_another_version_runs_as_it_is_and_the_log_says_the_way_out(tmp_path: Path) -> None:
    write_calibration(tmp_path / NAME, CalibrationFile().with_calibration(curve_of(far("near"), 2.0)))

    with structlog.testing.capture_logs() as logs:
        classifier = build.load_classifier(configure(tmp_path))

    assert classifier.provenance == far().provenance
    (line,) = logs
    assert (line["log_level"], line["event"]) == ("warning", "calibration is missing")
    assert "cubbyd calibrate EXAMPLES.jsonl" in line["reason"]


def test_a_damaged_file_keeps_the_classifier_from_loading_and_leaves_none_open(tmp_path: Path, opened: dict[str, Told]) -> None:
    (tmp_path / NAME).write_text("{}]")

    with pytest.raises(ConfigError):
        load_classifier(configure(tmp_path))

    assert opened["far"].closed == 1


def test_members_have_curves_of_their_own_and_the_whole_may_have_one_more(tmp_path: Path) -> None:
    table = KEY + '[classifier.cascade]\nfirst = "far"\nthen = "near"\nunsure_below = 0.5\n'
    config = configure(tmp_path, table, kind="cascade")
    write_calibration(tmp_path / NAME, CalibrationFile().with_calibration(curve_of(far(), 2.0)))
    bare = open_backend(config)
    assert only(bare.classify([mail("hello")])).probabilities[ABSENCE] == pytest.approx(0.75)
    assert "+cal:" in bare.provenance.model

    write_calibration(tmp_path / NAME, read_calibration(tmp_path / NAME).with_calibration(curve_of(bare, 2.0)))
    whole = load_classifier(config)

    assert only(whole.classify([mail("hello")])).probabilities[ABSENCE] == pytest.approx(3**0.5 / (1 + 3**0.5))


def test_a_backend_that_can_choose_among_a_few_still_can(tmp_path: Path) -> None:
    write_calibration(tmp_path / NAME, CalibrationFile().with_calibration(curve_of(far("choosy"), 2.0)))

    classifier = open_backend(configure(tmp_path, kind="choosy"))

    assert isinstance(classifier, CalibratedChooser)
    assert only(classifier.classify_among([mail("hello")], [CATEGORIES[:2]])).probabilities[BILLING] == 0.5


# --- thresholds --------------------------------------------------------------------------------------------------------


def test_a_measured_threshold_stands_below_the_category_s_own_and_above_the_general_one(tmp_path: Path) -> None:
    content = CalibrationFile().with_thresholds(thresholds_of(far().provenance, absence=0.7, billing=0.7))
    write_calibration(tmp_path / NAME, content)
    config = configure(tmp_path, f"{KEY}threshold = 0.2\n", first="threshold = 0.9")
    classifier = load_classifier(config)

    rules = rules_of(config, thresholds=thresholds_in_force(config, classifier))

    assert [category.threshold for category in rules.taxonomy] == [0.9, 0.7]
    assert rules.threshold == 0.2


def test_a_category_that_nothing_was_measured_for_has_the_general_threshold(tmp_path: Path) -> None:
    config = configure(tmp_path)

    assert [category.threshold for category in rules_of(config, thresholds={ABSENCE: 0.7}).taxonomy] == [0.7, None]


def test_no_probability_is_enough_for_a_category_that_never_keeps_the_promise(tmp_path: Path) -> None:
    taxonomy = configure(tmp_path).taxonomy.with_thresholds({ABSENCE: NEVER})
    sure, certain = (
        Prediction(probabilities={ABSENCE: p, BILLING: 1 - p}, provenance=far().provenance) for p in (0.999999, 1.0)
    )

    assert decide(sure, taxonomy, 0.5).category is None
    assert decide(certain, taxonomy, 0.5).category == ABSENCE, "a rule of the admin's, which is certain"


def test_rules_before_a_classifier_change_neither_its_curve_nor_its_thresholds(tmp_path: Path) -> None:
    content = CalibrationFile().with_calibration(curve_of(far(), 2.0))
    write_calibration(tmp_path / NAME, content)
    rule = '[[rules]]\nname = "a"\nto = "a@b.example"\ncategory = "billing"\n'
    config = configure(tmp_path, KEY + rule)
    write_calibration(tmp_path / NAME, content.with_thresholds(thresholds_of(open_backend(config).provenance, absence=0.7)))

    classifier = load_classifier(config)

    assert "rules:" in classifier.provenance.model
    assert thresholds_in_force(config, classifier) == {ABSENCE: 0.7}
    assert shortcomings(config, classifier) == []


@pytest.mark.parametrize("change", ["version", "labels"])
def test_thresholds_of_another_version_or_other_labels_are_not_used_and_that_is_said(tmp_path: Path, change: str) -> None:
    measured = (
        thresholds_of(far("near").provenance, absence=0.7)
        if change == "version"
        else thresholds_of(far().provenance, Labels.MANY, absence=0.7)
    )
    write_calibration(tmp_path / NAME, CalibrationFile().with_calibration(curve_of(far("far"))).with_thresholds(measured))
    config = configure(tmp_path)
    classifier = load_classifier(config)

    assert thresholds_in_force(config, classifier) == {}
    assert "are not used; measure again: cubbyd thresholds EXAMPLES.jsonl --write" in shortcomings(config, classifier)[0]


def test_a_new_curve_makes_old_thresholds_void(tmp_path: Path) -> None:
    """They were measured on other probabilities."""
    content = CalibrationFile().with_calibration(curve_of(far(), 2.0))
    write_calibration(tmp_path / NAME, content)
    config = configure(tmp_path)
    content = content.with_thresholds(thresholds_of(open_backend(config).provenance, absence=0.7))
    write_calibration(tmp_path / NAME, content)
    assert thresholds_in_force(config, load_classifier(config)) == {ABSENCE: 0.7}

    write_calibration(tmp_path / NAME, content.with_calibration(curve_of(far(), 3.0)))

    assert thresholds_in_force(config, load_classifier(config)) == {}


def test_behind_a_fallback_the_first_one_s_curve_counts(tmp_path: Path) -> None:
    write_calibration(tmp_path / NAME, CalibrationFile().with_calibration(curve_of(far(), 2.0)))
    config = configure(tmp_path, f'{KEY}fallback = "near"\n')

    classifier = load_classifier(config)

    assert shortcomings(config, classifier) == []
    assert calibration_in_force(classifier) == curve_of(far(), 2.0)
