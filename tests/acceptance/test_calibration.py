"""`cubbyd calibrate` and `cubbyd thresholds` by the installed command, and mail on Dovecot filed by what they wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cubbyd import EXAMPLES, Cubbyd
from tests.acceptance.desk import Desk, json_lines
from tests.dovecot import Dovecot
from tests.mail import Outside, mail

pytestmark = pytest.mark.slow

LATER = {
    "absence": ("fever since last night", "sick again, stays home", "she is ill, home today"),
    "billing": ("invoice of May", "the tuition was taken twice", "a receipt please"),
    "pickup": ("grandma collects", "late for pick-up today", "uncle collects him at five"),
}
OTHER_NAMES = ["Ida", "Paul", "Nora", "Finn", "Lea", "Tom", "Eva", "Max", "Kim", "Jon"]
NAME = "cubbyd.calibration.json"


def write_later(file: Path, names: list[str], *, wrong: int = 0) -> None:
    """Write labeled mail that came after training; the first few have a label that is wrong."""
    lines = []
    for number, name in enumerate(names):
        for label, texts in LATER.items():
            for text in texts:
                said = "billing" if label == "absence" and number < wrong else label
                lines.append(json.dumps({"subject": text, "body": f"{text}, says the mother of {name}", "label": said}))
    file.write_text("\n".join(lines) + "\n")


@pytest.fixture
def later(ready: Desk) -> Desk:
    write_later(ready.folder / "later.jsonl", OTHER_NAMES)
    return ready


def calibration(desk: Desk) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((desk.folder / NAME).read_text())
    return said


def use(desk: Desk, more: str = "") -> None:
    desk.configure(f'[classifier]\nmodel = "cubbyd.model"\ncalibration = "{NAME}"\n{more}')


def test_calibrating_writes_a_file_and_says_what_to_do_with_it(later: Desk) -> None:
    done = later.call("calibrate", "later.jsonl")

    assert "as it is" in done.stdout
    assert "temperature" in done.stdout
    assert f'Next: put calibration = "{NAME}" into [classifier]' in done.stdout
    (entry,) = calibration(later)["calibrations"]
    assert (entry["kind"], entry["examples"]) == ("local", 90)


def test_the_curve_is_in_force_once_the_key_names_the_file(later: Desk) -> None:
    (bare,) = json_lines(later.call("classify", "mail.eml", "--json").stdout)
    use(later)
    assert "cubbyd.calibration.json has no calibration for this version" in later.call("check", code=69).stdout

    (facts,) = json_lines(later.call("calibrate", "later.jsonl", "--json").stdout)

    (answer,) = json_lines(later.call("classify", "mail.eml", "--json").stdout)
    assert answer["provenance"]["model"] == facts["model"]
    assert facts["model"].startswith(bare["provenance"]["model"] + "+cal:")
    assert facts["tried"]["as it is"]["calibration_error"] >= facts["tried"][facts["method"]]["calibration_error"] - 0.05
    if facts["temperature"] != 1.0:
        assert answer["probabilities"] != bare["probabilities"]
    said = later.call("check", code=69).stdout
    assert "calibration: temperature, found on 90 mails" in said
    assert "!" not in said


def test_a_dry_run_writes_nothing(later: Desk) -> None:
    done = later.call("calibrate", "later.jsonl", "--dry-run")

    assert "Nothing was written" in done.stdout
    assert not (later.folder / NAME).exists()


@pytest.mark.parametrize("command", ["calibrate", "thresholds"])
def test_the_mail_that_the_model_was_trained_on_is_refused(desk: Desk, command: str) -> None:
    write_later(desk.folder / "all.jsonl", OTHER_NAMES)
    desk.configure()
    desk.call("train", "all.jsonl", "--out", "cubbyd.model")

    done = desk.call(command, "all.jsonl", code=1)

    assert "all.jsonl: cubbyd.model was trained on exactly these examples" in done.stderr
    assert not (desk.folder / NAME).exists()


def test_thresholds_are_printed_and_nothing_is_written_unless_asked(later: Desk) -> None:
    done = later.call("thresholds", "later.jsonl", "--precision", "0.9")

    assert all(category in done.stdout for category in LATER)
    assert "Nothing was written" in done.stdout
    assert not (later.folder / NAME).exists()


def test_the_model_can_be_named_before_the_examples(later: Desk) -> None:
    (later.folder / "other.model").write_bytes((later.folder / "cubbyd.model").read_bytes())
    (later.folder / "cubbyd.model").unlink()

    (facts,) = json_lines(later.call("thresholds", "other.model", "later.jsonl", "--precision", "0.9", "--json").stdout)

    assert facts["mails"] == 90
    assert set(facts["categories"]) == set(LATER)
    later.call("thresholds", "later.jsonl", "--json", code=78)


def test_a_category_with_too_few_mails_is_never_filed_and_says_how_many_it_takes(later: Desk) -> None:
    done = later.call("thresholds", "later.jsonl", "--precision", "0.99")

    assert "Never filed by itself: absence, billing, pickup." in done.stdout
    assert "It takes 230 right ones in a row" in done.stdout


def test_categories_with_too_few_mails_prove_a_threshold_together(later: Desk) -> None:
    alone = later.call("thresholds", "later.jsonl", "--precision", "0.94")
    done = later.call("thresholds", "later.jsonl", "--precision", "0.94", "--together", "--write")

    assert "add --together" in alone.stdout
    assert "Never filed by itself" not in done.stdout
    assert "* one threshold for these" in done.stdout
    thresholds = calibration(later)["thresholds"][0]["thresholds"]
    assert set(thresholds) == set(LATER)
    assert len(set(thresholds.values())) == 1


def test_written_thresholds_decide_and_an_own_threshold_stands_above_them(later: Desk) -> None:
    use(later, "threshold = 0.1")
    later.call("thresholds", "later.jsonl", "--precision", "0.99", "--write")

    (answer,) = json_lines(later.call("classify", "mail.eml", "--json").stdout)

    assert (answer["decision"], answer["hold"]) == (None, "unsure")
    checked = later.call("check", code=69).stdout
    assert "absence never (measured)" in checked
    assert "has no calibration for this version" not in checked, "thresholds were measured without one"
    text = (later.folder / "cubbyd.toml").read_text()
    (later.folder / "cubbyd.toml").write_text(text.replace('id = "absence"', 'id = "absence"\nthreshold = 0.3'))
    (answer,) = json_lines(later.call("classify", "mail.eml", "--json").stdout)
    assert answer["decision"] == "absence"
    assert "absence 0.300 (configured), billing never (measured)" in later.call("check", code=69).stdout


def test_with_cross_validation_the_training_mail_itself_can_be_used(desk: Desk) -> None:
    write_later(desk.folder / "all.jsonl", OTHER_NAMES, wrong=3)
    desk.configure()
    desk.call("train", "all.jsonl", "--out", "cubbyd.model")

    done = desk.call("thresholds", "all.jsonl", "--precision", "0.7", "--cross-validate", "--write", "--json")

    (facts,) = json_lines(done.stdout)
    assert facts["mails"] == 90
    assert facts["right"] < 90, "three labels are wrong, which a model that had seen them would have learned by heart"
    assert calibration(desk)["thresholds"][0]["model"] == facts["model"]


@pytest.mark.parametrize("command", ["check", "calibrate later.jsonl", "thresholds later.jsonl", "run --once"])
def test_a_damaged_file_is_named_with_the_way_out(later: Desk, command: str) -> None:
    use(later)
    (later.folder / NAME).write_text('{"format": "cubbyd-calibration", "version": 1, "calibrations": [{}]}')

    done = later.call(*command.split(), code=78)

    said = done.stdout + done.stderr
    assert f"{NAME}: classifier.calibration: is damaged at calibrations.0" in said
    assert "cubbyd calibrate EXAMPLES.jsonl" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("thresholds later.jsonl --precision 1", 2, "--precision"),
        ("thresholds a b later.jsonl", 2, "give one MODEL at most"),
        ("thresholds later.jsonl later.jsonl", 78, "is no sound model file"),
        ("thresholds nowhere.jsonl", 1, "nowhere.jsonl: cannot be read"),
        ("calibrate few.jsonl", 1, "few.jsonl: has 9 labeled examples; at least 50 are needed"),
        ("calibrate strange.jsonl", 1, "strange.jsonl, line 1: unknown label 'gardening'"),
    ],
)
def test_a_mistake_is_named(later: Desk, arguments: str, code: int, said: str) -> None:
    write_later(later.folder / "few.jsonl", ["Ida"])
    (later.folder / "strange.jsonl").write_text('{"text": "weeds", "label": "gardening"}\n')

    assert said in later.call(*arguments.split(), code=code).stderr


def test_a_remote_classifier_is_asked_only_once_the_cost_was_agreed_to(later: Desk) -> None:
    pytest.importorskip("openai", reason="the extra cubbyd[openai] is not installed")
    from cubbyd.standin import Standin
    from cubbyd.standin.server import KEY

    (later.folder / "openai.key").touch(mode=0o600)
    (later.folder / "openai.key").write_text(KEY + "\n")
    words = {"fever": "absence", "sick": "absence", "ill": "absence", "collects": "pickup", "late": "pickup"}
    with Standin({**words, "invoice": "billing", "tuition": "billing", "receipt": "billing"}) as server:
        later.configure(
            f'[classifier]\nkind = "openai"\ncalibration = "{NAME}"\n[classifier.openai]\nmodel = "gpt-6-luna"\n'
            f'base_url = "{server.base_url}"\napi_key_file = "openai.key"\n'
            "price_per_million_input_tokens = 0.1\nprice_per_million_output_tokens = 0.5"
        )

        refused = later.call("calibrate", "later.jsonl", code=2)

        said = " ".join(refused.stderr.split())
        assert "openai would be asked about 90 mails one by one: up to 90 calls" in said
        assert "in the currency of your prices" in said
        assert "add --yes" in said
        assert not [request for request in server.requests if b"mother" in request.content]
        later.call("calibrate", "later.jsonl", "--yes")
        assert len([request for request in server.requests if b"mother" in request.content]) == 90
    assert calibration(later)["calibrations"][0]["kind"] == "openai"


# --- on a mail server --------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.mark.dovecot
def test_mail_is_filed_by_measured_thresholds_with_a_calibrated_classifier(
    tmp_path: Path, dovecot: Dovecot, user: str, outside: Outside
) -> None:
    cubbyd = Cubbyd(tmp_path, dovecot, user)
    cubbyd.train()
    text = cubbyd.config.read_text()
    cubbyd.config.write_text(text.replace("[classifier]\n", f'[classifier]\ncalibration = "{NAME}"\nthreshold = 0.999\n'))
    lines = [
        json.dumps({"subject": said.format(name), "body": said.format(name), "label": label})
        for label, texts in EXAMPLES.items()
        for said in texts
        for name in (OTHER_NAMES[:8] if label != "meals" else OTHER_NAMES[:1])
    ]
    (tmp_path / "later.jsonl").write_text("\n".join(lines) + "\n")
    for command in (["calibrate", "later.jsonl"], ["thresholds", "later.jsonl", "--precision", "0.9", "--write"]):
        done = cubbyd(*command)
        assert done.returncode == 0, done.stderr
    subjects = ("Ida is ill today", "the invoice for Paul is wrong", "Ida has a milk allergy", "zzz qqq")
    outside.deliver(*(mail(subject, number=number, body=subject) for number, subject in enumerate(subjects)))

    done = cubbyd("run", "--once", "--json")

    assert done.returncode == 0, done.stderr
    assert "calibration is missing" not in done.stderr
    assert outside.everything() == {
        "Absence": [subjects[0]],
        "Billing": [subjects[1]],
        "INBOX": [subjects[2], subjects[3]],
    }, "four mails about meals prove nothing, and nobody is sure of the last"
    records = [json.loads(line) for line in cubbyd("history", "--json").stdout.splitlines()]
    assert all("+cal:" in record["model"] for record in records if record["model"])
