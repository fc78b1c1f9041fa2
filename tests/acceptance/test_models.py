"""`cubbyd train --store` and `cubbyd models`: a model is kept, shown, used, refused and gone back from, by the installed command."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.acceptance.desk import Desk, json_lines, write_examples
from tests.dovecot import Dovecot
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second model of the same examples, by another seed."""
    desk = Desk(tmp_path_factory.mktemp("other"))
    write_examples(desk.folder / "examples.jsonl")
    desk.call("train", "examples.jsonl", "--seed", "7", "--out", "other.model")
    return desk.folder / "other.model"


@pytest.fixture
def stocked(ready: Desk, other: Path) -> Desk:
    """A desk whose model is in use, and in the store as v1 beside another, v2."""
    for file in (ready.folder / "cubbyd.model", other):
        ready.call("models", "add", str(file))
    return ready


def in_use(desk: Desk) -> list[str]:
    return [one["model"] for one in json_lines(desk.call("models", "list", "--json").stdout) if one["active"]]


def model_of_answers(desk: Desk) -> str:
    """Give the version of the model that answers."""
    (answer,) = json_lines(desk.call("classify", "--json", "mail.eml").stdout)
    model: str = answer["provenance"]["model"]
    return model


def test_from_training_to_the_model_in_use_and_back(ready: Desk) -> None:
    first = model_of_answers(ready)
    trained = ready.call("train", "examples.jsonl", "--seed", "7", "--store").stdout
    assert "put into the store as v1." in trained
    assert "Next: cubbyd models show v1, cubbyd models use v1." in trained
    assert model_of_answers(ready) == first, "training alone changes nothing that is in use"

    used = ready.call("models", "use", "v1").stdout
    assert "The model that was in use is now in the store too, as v2." in used
    assert "v1 is in use now, before it was v2" in used
    assert "systemctl reload cubbyd" in used
    second = model_of_answers(ready)
    assert second != first

    assert "v2 is in use now, before it was v1" in ready.call("models", "rollback").stdout
    assert model_of_answers(ready) == first
    assert "no model was in use before" in ready.call("models", "rollback", code=1).stderr
    ready.call("check", code=69)  # there is no mail server; the model is all right


def test_the_list_marks_the_one_in_use_and_names_what_each_is(stocked: Desk) -> None:
    text = stocked.call("models", "list").stdout
    one, two = json_lines(stocked.call("models", "list", "--json").stdout)

    assert "v1 *" in text
    assert "* in use: " in text
    assert [one["active"], two["active"]] == [True, False]
    assert (one["kind"], one["categories"], one["examples"], one["problem"]) == ("local", 3, 18, "")


def test_an_empty_store_says_how_to_fill_it(ready: Desk) -> None:
    assert "Next: cubbyd train EXAMPLES.jsonl --store" in ready.call("models", "list").stdout
    assert "there is no model 'v1'; there are: none yet" in ready.call("models", "use", "v1", code=1).stderr


@pytest.mark.parametrize("named", [[], ["v1"], ["1"], ["cubbyd.model"]])
def test_the_card_is_shown_by_name_by_file_and_of_the_one_in_use(stocked: Desk, named: list[str]) -> None:
    text = stocked.call("models", "show", *named).stdout
    (said,) = json_lines(stocked.call("models", "show", *named, "--json").stdout)

    assert "## Held-out quality" in text
    assert "| examples.jsonl" in text.replace("| file                  ", "")
    assert "fever" not in text
    assert said["card"]["data"]["examples"] == 18
    assert said["card"]["categories"][0]["id"] == "absence"
    assert said["card"]["held_out"]["numbers"]["accuracy"].keys() == {"value", "low", "high"}


def test_a_card_needs_no_configuration_where_a_file_is_named(tmp_path: Path, other: Path) -> None:
    assert "# other.model" in Desk(tmp_path).call("models", "show", str(other)).stdout


def test_training_without_a_place_for_the_model_is_wrong_usage(ready: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert "give --out MODEL, or --store" in ready.call("train", "examples.jsonl", code=2).stderr

    bare = Desk(tmp_path_factory.mktemp("bare"))
    write_examples(bare.folder / "examples.jsonl")
    assert "--store needs a configuration" in bare.call("train", "examples.jsonl", "--store", code=2).stderr


def test_a_model_of_other_categories_is_refused_and_the_one_in_use_stays(stocked: Desk) -> None:
    stocked.configure('[classifier]\nmodel = "cubbyd.model"', categories="absence billing gardening")

    said = stocked.call("models", "use", "v2", code=78).stderr

    assert "v2.model: was trained with the category 'pickup', which the configuration does not have" in said
    assert in_use(stocked) == ["v1"]


def test_a_model_of_another_kind_is_refused_with_the_key_to_change(stocked: Desk) -> None:
    stocked.configure('[classifier]\nkind = "embeddings"\nmodel = "cubbyd.model"\n[classifier.embeddings]\nfolder = "tiny"')

    said = stocked.call("models", "use", "v2", code=78).stderr

    assert 'is of kind "local"' in said
    assert 'set kind = "local" in [classifier]' in said


def test_a_classifier_without_a_model_file_has_no_use_for_one(stocked: Desk) -> None:
    rule = '[[rules]]\nname = "a"\nfrom_domain = "x.example"\ncategory = "billing"'
    stocked.configure(f'[classifier]\nkind = "rules"\n{rule}')

    assert "reads no model file; nothing would use it" in stocked.call("models", "use", "v2", code=78).stderr


def test_a_member_of_an_ensemble_that_reads_the_model_is_asked_whether_it_fits(stocked: Desk, other: Path) -> None:
    shutil.copy(other, stocked.folder / "second.model")
    members = 'members = ["local", { kind = "local", model = "second.model" }]'
    stocked.configure(f'[classifier]\nkind = "ensemble"\nmodel = "cubbyd.model"\n[classifier.ensemble]\n{members}')

    assert "v2 is in use now" in stocked.call("models", "use", "v2").stdout


def test_a_category_without_an_example_is_a_warning(stocked: Desk) -> None:
    stocked.configure('[classifier]\nmodel = "cubbyd.model"', categories="absence billing pickup gardening")

    done = stocked.call("models", "use", "v2")

    assert "the model knows no example of: gardening" in done.stderr
    assert in_use(stocked) == ["v2"]


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_file_with_a_byte_changed_is_refused_by_use_check_show_and_the_daemon(stocked: Desk, share: float) -> None:
    for file in (stocked.folder / "models" / "v2.model", stocked.folder / "cubbyd.model"):
        content = bytearray(file.read_bytes())
        content[int(len(content) * share)] ^= 4
        file.write_bytes(content)

    for arguments in (["models", "use", "v2"], ["models", "show", "v2"], ["run", "--once"], ["classify", "mail.eml"]):
        (line,) = (line for line in stocked.call(*arguments, code=78).stderr.splitlines() if line.startswith("cubbyd: "))
        assert ".model: is " in line
        assert "train it again" in line
    checked = json_lines(stocked.call("check", "--json", code=78).stdout)
    assert [one["errors"] for one in checked if one["check"] == "classifier local" and "cubbyd.model: is " in one["errors"][0]]
    assert "v2" in stocked.call("models", "list").stdout, "the list stays readable, with the fault beside the name"
    assert [bool(one["problem"]) for one in json_lines(stocked.call("models", "list", "--json").stdout)] == [False, True]


def test_a_broken_model_in_use_is_laid_aside_for_a_sound_one(stocked: Desk) -> None:
    (stocked.folder / "cubbyd.model").write_bytes(b"broken")

    done = stocked.call("models", "use", "v1").stdout

    assert "What was in its place is no model that can be read; it is kept as" in done
    assert in_use(stocked) == ["v1"]


def test_the_history_says_what_was_in_use_when(stocked: Desk) -> None:
    stocked.call("models", "use", "v2")
    stocked.call("models", "rollback")

    done = [(one["action"], one["version"]) for one in json_lines(stocked.call("models", "history", "--json").stdout)]

    assert done == [("add", "v1"), ("add", "v2"), ("use", "v1"), ("use", "v2"), ("rollback", "v1")]
    assert "back in use" in stocked.call("models", "history").stdout


def test_a_folder_that_cannot_be_written_is_told_before_training(ready: Desk) -> None:
    (ready.folder / "models").write_text("a file in the place of the folder")

    done = ready.call("train", "examples.jsonl", "--store", code=1)

    assert "models: cannot be written" in done.stderr
    assert "cross-validation" not in done.stderr


def test_training_in_a_terminal_or_not_says_how_far_it_is(ready: Desk) -> None:
    done = ready.call("train", "examples.jsonl", "--store", "--json")

    (facts,) = json_lines(done.stdout)
    assert facts["version"] == "v1"
    assert facts["model"].endswith("models/v1.model")
    assert "cross-validation, 3 of 5" in done.stderr


# --- the daemon --------------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.mark.dovecot
def test_a_running_daemon_takes_the_model_in_use_at_a_reload_and_not_before(
    tmp_path: Path, dovecot: Dovecot, user: str, outside: Outside
) -> None:
    cubbyd = Cubbyd(tmp_path, dovecot, user)
    cubbyd.train()
    stored = cubbyd("train", str(tmp_path / "examples.jsonl"), "--seed", "9", "--store")
    assert stored.returncode == 0, stored.stderr
    process = cubbyd.start()
    try:
        eventually(lambda: "started" in cubbyd.events())
        used = cubbyd("models", "use", "v1")
        assert used.returncode == 0, used.stderr
        outside.deliver(mail("Emma is ill today", number=1, body="Emma is ill today"))
        eventually(lambda: "Absence" in outside.everything())
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "configuration reloaded" in cubbyd.events())
        outside.deliver(mail("Noah has a milk allergy", number=2, body="Noah has a milk allergy"))
        eventually(lambda: "Meals" in outside.everything())
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
    models = [line["model"] for line in cubbyd.log() if line["event"] in {"started", "configuration reloaded"}]
    assert len(models) == len(set(models)) == 2
    assert json.loads(cubbyd("models", "list", "--json").stdout.splitlines()[0])["active"]
