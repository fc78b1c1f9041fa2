"""A file that grows holds what was added and not taken back, whatever the order, and wherever it is opened again."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cubbyd.dataset import Example, read_examples
from cubbyd.dataset.growing import GrowingFile, left_over, text_key
from cubbyd.dataset.synthesis import count_wanted
from cubbyd.taxonomy import CategoryId

STEPS = st.lists(
    st.one_of(st.just("undo"), st.just("again"), st.text(max_size=20).map(lambda text: f"mail {text}")), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_a_growing_file_holds_what_a_list_would(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, there = Path(folder) / "out.jsonl", list[str]()
        growing = GrowingFile(file)
        for step in steps:
            if step == "again":
                growing.close()
                growing = GrowingFile(file)
            elif step == "undo":
                taken = growing.undo()
                assert (taken.body if taken else None) == (there.pop() if there else None)
            else:
                growing.add(Example(subject="", body=step))
                there.append(step)
        growing.close()
        assert [one.body for one in read_examples(file)] == there


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abcd")))
def test_what_is_done_and_what_is_left_are_all_there_is(every: list[str], done: list[str]) -> None:
    mails = [Example(subject="", body=text) for text in every]
    left = left_over(mails, [Example(subject="", body=text) for text in done])
    for text in "abc":
        assert [one.body for one in left].count(text) == max(0, every.count(text) - done.count(text))
    assert {text_key(one) for one in left} <= {text_key(one) for one in mails}


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 300), st.floats(0, 0.95))
def test_the_share_of_synthetic_mail_is_never_above_the_cap(real: int, synthetic: int, to: int, most: float) -> None:
    category = CategoryId("absence")
    mails = [
        Example(subject="", body="x", labels=(category,), origin=origin)
        for origin in ["real"] * real + ["synthetic"] * synthetic
    ]
    (wanted,) = count_wanted(mails, [category], to, most)
    assert wanted.missing >= 0
    assert real + synthetic + wanted.missing <= max(to, real + synthetic)
    if wanted.missing:
        assert synthetic + wanted.missing <= most * (real + synthetic + wanted.missing) + 1e-6
