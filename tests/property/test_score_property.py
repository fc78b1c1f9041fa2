"""Scores of any answers at all: every number lies in its interval, and every page is well-formed whatever the mail says."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.calibration import world

from cubbyd.evaluation.answer import Answers
from cubbyd.evaluation.markup import page, tag
from cubbyd.evaluation.score import judge, score

WORLDS = st.builds(world, st.integers(1, 80), st.sampled_from([0.5, 1.0, 3.0]), st.integers(0, 10_000))


@settings(deadline=None, max_examples=40)  # the first call imports scipy
@given(WORLDS, st.floats(0, 1), st.booleans())
def test_an_interval_holds_its_number(answers: Answers, bar: float, several: bool) -> None:  # noqa: FBT001
    found = score(judge(answers, np.full(4, bar), several=several), draws=30)

    estimates = [
        *found.numbers.values(),
        *(estimate for one in found.categories for estimate in (one.precision, one.recall, one.f1, one.bias)),
    ]
    for estimate in filter(None, estimates):
        assert estimate.low <= estimate.value <= estimate.high
    for name, number in found.numbers.items():
        assert number is None or (number.low >= 0 and (name == "log_loss" or number.high <= 1 + 1e-9)), name


class Texts(HTMLParser):
    """Reads a page as a browser does: its tags, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert all(not name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.said += data


@given(st.text(max_size=200), st.text(max_size=50))
def test_no_text_becomes_a_tag(body: str, title: str) -> None:
    reader, plain = Texts(), Texts()
    reader.feed(page(title, tag("p", body, aria_label=body)))
    plain.feed(page("a", tag("p", "b", aria_label="c")))

    assert reader.tags == plain.tags


@given(st.text(max_size=100))
def test_any_text_makes_well_formed_svg(said: str) -> None:
    assert ET.fromstring(tag("svg", tag("title", said), tag("text", said, data_said=said))).tag == "svg"
