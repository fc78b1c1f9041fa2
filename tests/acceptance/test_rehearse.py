"""`cubbyd rehearse` against a real Dovecot: what it says of the filed mail, and that nothing in the account changes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cubbyd import EXAMPLES, Cubbyd
from tests.conftest import start_dovecot
from tests.dovecot import MAILDIRPP, Dovecot
from tests.mail import Outside, mail

from cubbyd.standin import Standin
from cubbyd.standin.server import KEY

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

CHILDREN = ["Tom", "Ida", "Lou", "Kim", "Sam"]
NOW = datetime.now(UTC)
PRICES = "price_per_million_input_tokens = 1.0\nprice_per_million_output_tokens = 4.0\n"
WORDS = {
    "ill": "absence",
    "fever": "absence",
    "sick": "absence",
    "invoice": "billing",
    "receipt": "billing",
    "tuition": "billing",
}


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str) -> Cubbyd:
    made = Cubbyd(tmp_path, dovecot, user, more='[filing]\naction = "observe"')
    made.train()
    return made


def fill(outside: Outside, folders: dict[str, str], *, most: int = 1000, inbox: bool = True) -> None:
    """File mails about each category into its folder, one a day, the newest today."""
    number = 1000
    for folder, category in folders.items():
        outside.make_folder(folder)
        texts = [text.format(name) for text in EXAMPLES[category] for name in CHILDREN][:most]
        for age, text in enumerate(reversed(texts)):
            number += 1
            raw = mail(text, number=number, body=f"Hello, {text}. Regards, number {number}")
            flags = "\\Seen" if age % 2 else ""
            outside.deliver(raw, folder=folder, flags=flags, received=NOW - timedelta(days=len(texts) - age, minutes=5))
    if inbox:
        outside.deliver(mail("unfiled"))


def snapshot(outside: Outside) -> dict[str, Any]:
    folders = outside.folders()
    return {
        "subscribed": outside.subscribed(),
        "flags": {folder: outside.flags(folder) for folder in folders},
        "mails": {folder: outside.subjects_by_uid(folder) for folder in folders},
    }


def rehearse(cubbyd: Cubbyd, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = cubbyd("rehearse", *arguments, timeout=120)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    return done


def said(cubbyd: Cubbyd, *arguments: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(rehearse(cubbyd, "--json", *arguments).stdout)
    return result


ALL = {"Absence": "absence", "Billing": "billing", "Meals": "meals"}


def test_what_to_expect_is_said_and_nothing_in_the_account_changes(cubbyd: Cubbyd, outside: Outside) -> None:
    fill(outside, ALL)
    outside.deliver(mail("the invoice for Tom, misfiled", number=5000), folder="Absence", received=NOW - timedelta(days=3))
    outside.store("Meals", "1", "\\Deleted")
    before = snapshot(outside)

    found = said(cubbyd)
    shown = rehearse(cubbyd).stdout

    assert snapshot(outside) == before
    assert not (cubbyd.folder / "state").exists(), "nor is anything remembered"
    assert found["expectation"]["mails"] == 60
    assert [(one["folder"], one["mails"], one["read"]) for one in found["folders"]] == [
        ("Absence", 21, 21),
        ("Billing", 20, 20),
        ("Meals", 20, 19),
    ]
    accuracy = found["expectation"]["numbers"]["accuracy"]
    assert 0.8 < accuracy["value"] < 1.0, "one mail lies where it does not belong"
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert {"right": "absence", "chosen": "billing", "mails": 1, "filed": 1} in found["expectation"]["confusions"]
    assert found["by_category"]["billing"]["filed"] > found["by_category"]["billing"]["right"] - 1
    assert [step["threshold"] for step in found["by_threshold"]] == [0.5, 0.7, 0.8, 0.9, 0.95, 0.99]
    shares = [step["filed"]["value"] for step in found["by_threshold"]]
    assert shares == sorted(shares, reverse=True)
    assert found["may_be_known"] == 0, "the examples lie beside the model, and none of this mail is in them"
    assert found["trained_on"] == [str(cubbyd.folder / "examples.jsonl")]
    assert 80 < found["per_month"]["mails"] < 100, "60 mails in 20 days"
    assert found["per_month"]["money"] == 0
    assert found["leaves_the_building"] == []
    assert "misfiled" not in json.dumps(found), "no text of a mail"
    assert "Nothing leaves the building." in shown
    assert "the inbox: nobody has filed its mail (INBOX)" in shown
    assert "They cost nothing" in shown


def test_how_to_switch_is_said_only_where_the_numbers_allow_it(cubbyd: Cubbyd, outside: Outside) -> None:
    fill(outside, ALL)

    ready = said(cubbyd, "--precision", "0.5")
    assert ready["doubts"] == []
    assert 'set action = "move" in [filing]' in ready["next"]
    assert 'set action = "move" in [filing]' in rehearse(cubbyd, "--precision", "0.5").stdout.splitlines()[-1]

    strict = said(cubbyd, "--precision", "0.9999")
    assert not strict["ready"]
    assert strict["next"] is None
    assert "100% is wanted" in strict["doubts"][0]
    shown = rehearse(cubbyd, "--precision", "0.9999").stdout
    assert "Not yet:" in shown
    assert 'action = "move"' not in shown

    few = said(cubbyd, "--precision", "0.5", "--most", "5")
    assert few["expectation"]["mails"] == 15
    assert any("15 mails are too few" in doubt for doubt in few["doubts"])
    assert 80 < few["per_month"]["mails"] < 100, "what comes is counted on the server, however much is read"
    assert said(cubbyd, "--most", "5", "--mails-per-month", "900")["per_month"]["mails"] == 900


def test_mail_that_was_trained_on_is_left_out_or_the_numbers_are_said_to_flatter(cubbyd: Cubbyd, outside: Outside) -> None:
    fill(outside, ALL)
    imported = cubbyd("dataset", "import", "imap:office", "--out", "all.jsonl")
    assert imported.returncode == 0, imported.stderr
    lines = (cubbyd.folder / "all.jsonl").read_text().splitlines()
    (cubbyd.folder / "train.jsonl").write_text("\n".join(lines[::2]) + "\n")
    trained = cubbyd("train", "train.jsonl", "--out", "cubbyd.model")
    assert trained.returncode == 0, trained.stderr

    found = said(cubbyd)
    assert (found["left_out"], found["expectation"]["mails"], found["may_be_known"]) == (30, 30, 0)

    (cubbyd.folder / "train.jsonl").rename(cubbyd.folder / "elsewhere.jsonl")
    found = said(cubbyd)
    assert (found["left_out"], found["expectation"]["mails"], found["may_be_known"]) == (0, 60, 60)
    assert any("flatter" in doubt for doubt in found["doubts"])
    assert "! 60 of them arrived before cubbyd.model was made" in rehearse(cubbyd).stdout

    found = said(cubbyd, "--trained-on", "elsewhere.jsonl")
    assert (found["left_out"], found["expectation"]["mails"], found["may_be_known"]) == (30, 30, 0)

    assert "all of them were trained on" in rehearse(cubbyd, "--trained-on", "all.jsonl", code=1).stderr


def test_folders_that_are_missing_are_named_and_a_map_says_what_others_mean(
    tmp_path: Path, dovecots: dict[str, Dovecot], user: str
) -> None:
    server = start_dovecot(dovecots, MAILDIRPP)
    cubbyd = Cubbyd(tmp_path, server, user, more='[filing]\naction = "observe"')
    cubbyd.train()
    with Outside(server, user) as outside:
        fill(outside, {"INBOX.Absence": "absence", "INBOX.Food": "meals"})
        before = snapshot(outside)
        (tmp_path / "map").write_text("Food = meals\n")

        found = said(cubbyd, "office", "--map", "map")

        assert snapshot(outside) == before, "and they are not made"
    assert found["folders_to_be_created"] == ["Billing", "Meals"]
    assert {one["folder"]: one["category"] for one in found["folders"]} == {"INBOX.Absence": "absence", "INBOX.Food": "meals"}


def host(cubbyd: Cubbyd, base_url: str) -> None:
    """Let a hosted classifier decide, behind one rule."""
    for name, content in (("openai.key", KEY), ("roster.txt", "[children]\nTom Hofmann\n")):
        (cubbyd.folder / name).touch(mode=0o600)
        (cubbyd.folder / name).write_text(content + "\n")
    cubbyd.write(
        more=f'[classifier.openai]\nmodel = "gpt-6-luna"\nmode = "schema"\nbase_url = "{base_url}"\n'
        f'api_key_file = "openai.key"\n{PRICES}\n[redaction]\nroster_file = "roster.txt"\n[[rules]]\nname = "tuition"\n'
        'subject_words = ["tuition"]\ncategory = "billing"\n'
    )
    cubbyd.config.write_text(cubbyd.config.read_text().replace('model = "cubbyd.model"', 'kind = "openai"'))


def test_a_hosted_classifier_is_asked_after_its_price_is_said_and_what_leaves_is_counted(
    cubbyd: Cubbyd, outside: Outside
) -> None:
    fill(outside, ALL, most=11)
    with Standin(WORDS) as standin:
        host(cubbyd, standin.base_url)

        refused = rehearse(cubbyd, code=2)
        assert "33 mails one by one" in refused.stderr
        assert standin.requests == []

        found = said(cubbyd, "--yes", "--mails-per-month", "1000")
        asked = len(standin.requests)

    by_rule = 1
    assert asked == 33 - by_rule, "what a rule decides is shown to nobody"
    assert found["leaves_the_building"] == [], "the stand-in is on this machine"
    assert found["per_month"]["mails"] == 1000
    assert found["per_month"]["money"] > 0
    assert found["expectation"]["money_per_1000"] == pytest.approx(found["per_month"]["money"], abs=1e-3)
    assert b"Hofmann" not in b"".join(request.content for request in standin.requests)
    assert any("files into these folders already" in doubt for doubt in found["doubts"]), "action is move by default"


def test_a_fallback_is_not_what_is_measured_and_the_thresholds_are_those_of_the_whole(cubbyd: Cubbyd, outside: Outside) -> None:
    fill(outside, ALL)
    rule = '[[rules]]\nname = "never"\nsubject_words = ["zebra"]\ncategory = "meals"\n'
    text = cubbyd.config.read_text().replace('model = "cubbyd.model"', 'model = "cubbyd.model"\nfallback = "rules"')
    cubbyd.config.write_text(text + rule)
    measured = cubbyd("thresholds", "examples.jsonl", "--cross-validate", "--precision", "0.8", "--write")
    assert measured.returncode == 0, measured.stderr
    cubbyd.config.write_text(text.replace("fallback =", 'calibration = "cubbyd.calibration.json"\nfallback =') + rule)
    written = json.loads((cubbyd.folder / "cubbyd.calibration.json").read_text())["thresholds"][0]["thresholds"]

    found = said(cubbyd)

    assert found["expectation"]["kind"] == "local"
    assert {name: one["threshold"] for name, one in found["expectation"]["categories"].items()} == {
        name: pytest.approx(value, abs=1e-4) for name, value in written.items()
    }
    assert found["leaves_in_an_outage"] == []


def test_what_cannot_be_rehearsed_is_said(cubbyd: Cubbyd, outside: Outside) -> None:
    assert "no filed mail to rehearse on" in rehearse(cubbyd, code=1).stderr
    assert "no such mailbox; give one of office" in rehearse(cubbyd, "nord", code=78).stderr
    (cubbyd.folder / "map").write_text("Food = sweets\n")
    assert "unknown category 'sweets'" in rehearse(cubbyd, "--map", "map", code=1).stderr
    (cubbyd.folder / "cubbyd.model").unlink()
    fill(outside, {"Absence": "absence"})
    assert "there is no model yet" in rehearse(cubbyd, code=78).stderr
