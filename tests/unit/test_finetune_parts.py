"""Losses, their picture, the measure of a tuned model, and the edit of the configuration."""

from __future__ import annotations

import base64
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from tests.hosted import configure

from cubbyd.config import load_config
from cubbyd.errors import ClassifierError, ConfigError, InputFileError
from cubbyd.evaluation.answer import Answers
from cubbyd.taxonomy import CategoryId
from cubbyd.training.finetune.adopt import edit, write
from cubbyd.training.finetune.curve import Curves, draw, read_curves
from cubbyd.training.finetune.measure import measure

TABLE = b"step,train_loss,train_accuracy,valid_loss,full_valid_loss\n1,2.5,0.1,2.0,\n2,1.0,0.5,1.5,1.4\n3,nan,,,1.6\n"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("content", [TABLE, base64.b64encode(TABLE), b"\xef\xbb\xbf" + TABLE])
def test_losses_are_read_packed_or_not_and_those_of_the_whole_file_first(content: bytes) -> None:
    curves = read_curves("job", content)

    assert curves.train == ((1, 2.5), (2, 1.0))
    assert curves.valid == ((2, 1.4), (3, 1.6))
    assert curves.best_valid == (2, 1.4)


def test_without_a_validation_file_there_is_no_second_curve() -> None:
    curves = read_curves("job", b"step,train_loss,valid_loss\n2,0.5,\n1,1.0,\n")

    assert curves.train == ((1, 1.0), (2, 0.5))
    assert curves.valid == ()
    assert curves.best_valid is None


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"<html>"])
def test_what_is_no_table_of_losses_is_named(content: bytes) -> None:
    with pytest.raises(ValueError, match="the result file"):
        read_curves("job", content)


def circles(drawn: str) -> list[tuple[float, float]]:
    return [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in ET.fromstring(drawn).iter(f"{SVG}circle")]


def test_the_picture_has_a_panel_for_each_job_on_the_same_scale() -> None:
    high = Curves(title="high", train=((1, 4.0), (2, 2.0)), valid=((2, 3.0),))
    low = Curves(title="low <2>", train=((1, 1.0), (4, 0.0)), valid=())
    drawn = draw([high, low])

    assert "low &lt;2&gt;" in drawn
    (x1, y1), (x2, y2), (x3, y3), (_, y4), (x5, y5) = circles(drawn)
    assert x1 == pytest.approx((x5 - 64) / 4 + 64, abs=0.2), "a step is as wide in both"
    assert x2 == x3
    assert y1 < y3 < y2, "a greater loss is higher"
    assert y4 - y1 - 260 == pytest.approx((y5 - 260 - y1) * 3 / 4, abs=0.2), "and a loss as high"
    assert drawn.count(">validation loss<") == 1
    assert all(f">{tick}</text>" in drawn for tick in ("0", "1", "2", "3", "4"))


@pytest.mark.parametrize("losses", [(), ((1, 0.0),), ((0, 1e-9),), ((1, 1e6),)])
def test_odd_losses_make_a_picture_too(losses: tuple[tuple[int, float], ...]) -> None:
    drawn = draw([Curves(title="x", train=losses, valid=())])

    assert len(circles(drawn)) == len(losses)
    assert all(44 - 0.1 <= y <= 260 - 44 + 0.1 for _, y in circles(drawn))


def answers(probabilities: list[list[float]], truths: list[list[int]], failures: int = 0) -> Answers:
    count = len(probabilities)
    return Answers(
        categories=(CategoryId("absence"), CategoryId("billing")),
        probabilities=np.array(probabilities),
        truths=np.array(truths, dtype=bool),
        held=np.zeros(count, dtype=bool),
        groups=np.arange(count),
        dates=None,
        failures=tuple(ClassifierError("x") for _ in range(failures)),
    )


def test_a_mail_without_an_answer_counts_as_wrong() -> None:
    found = measure(answers([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [[1, 0], [0, 1], [0, 1]], failures=1), several=False)

    assert (found.mails, found.answered) == (4, 3)
    assert found.accuracy == pytest.approx(2 / 4)
    assert found.macro_f1 == pytest.approx(2 / 3)  # absence: 2/3, billing: 2/3


def test_of_several_labels_all_must_be_right() -> None:
    found = measure(answers([[0.9, 0.7], [0.9, 0.7], [0.1, 0.2]], [[1, 1], [1, 0], [0, 0]]), several=True)

    assert found.accuracy == pytest.approx(2 / 3)
    assert found.macro_f1 == pytest.approx((1.0 + 2 / 3) / 2)


NEW = {"model": "ft:gpt-4o-mini:x::1", "mode": "code"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '[classifier.openai] # v\nmodel = "a"   # old\nmode = "schema"\n\n[state]\nmodel = "a"\n',
            '[classifier.openai] # v\nmodel = "ft:gpt-4o-mini:x::1"   # old\nmode = "code"\n\n[state]\nmodel = "a"\n',
        ),
        (
            "x = 1\r\n[ classifier . openai ]\r\nmodel = 'a'\r\n",
            'x = 1\r\n[ classifier . openai ]\r\nmode = "code"\r\nmodel = "ft:gpt-4o-mini:x::1"\r\n',
        ),
        ('[classifier.openai]\nmodel="a"', '[classifier.openai]\nmode = "code"\nmodel="ft:gpt-4o-mini:x::1"'),
    ],
)
def test_two_lines_change_and_comments_stay(before: str, after: str) -> None:
    assert edit(before, NEW) == after


@pytest.mark.parametrize(
    "text",
    [
        'classifier.openai.model = "a"\n',
        '[classifier]\nopenai = { model = "a" }\n',
        '[classifier.openai]\nmodel = """a"""\n',
        '[classifier.openai]\n"model" = "a"\n',
    ],
)
def test_a_spelling_that_cannot_be_changed_by_line_is_refused(text: str) -> None:
    tomllib.loads(text)  # it is right, and means the same
    with pytest.raises(ValueError, match=r"has no line|cannot be changed by line|Cannot overwrite"):
        edit(text, NEW)


def test_the_configuration_reads_the_new_model_afterwards(tmp_path: Path) -> None:
    config = configure(tmp_path, "http://127.0.0.1:9/v1")
    config.file.chmod(0o640)

    write(config.file, NEW)

    section = load_config(config.file).classifier.openai
    assert section is not None
    assert (section.model, str(section.mode)) == ("ft:gpt-4o-mini:x::1", "code")
    assert config.file.stat().st_mode & 0o777 == 0o640
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cubbyd.toml", "openai.key", "roster.txt"]


def test_a_change_that_would_make_the_configuration_wrong_is_not_written(tmp_path: Path) -> None:
    config = configure(tmp_path, "http://127.0.0.1:9/v1", 'mode = "schema"\nreasoning_effort = "low"')
    before = config.file.read_text()

    with pytest.raises(ConfigError):
        write(config.file, NEW)

    assert config.file.read_text() == before
    assert not (tmp_path / ".cubbyd.toml.new").exists()


def test_a_file_that_cannot_be_edited_says_which_lines_to_change(tmp_path: Path) -> None:
    file = tmp_path / "cubbyd.toml"
    file.write_text('classifier.openai.model = "a"\n')

    with pytest.raises(InputFileError, match=r"by hand: \[classifier.openai\], model = "):
        write(file, NEW)
