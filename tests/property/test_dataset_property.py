"""What holds for every data set: a split loses nothing and tears nothing apart; what is written is read again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from cubbyd.dataset import Example, read_examples, write_examples
from cubbyd.dataset.balance import Trimmer
from cubbyd.dataset.split import SIDES, TEST, TRAIN, CannotSplit, Division, Part, Tie, Wish, split
from cubbyd.dataset.stats import collect_stats, digest
from cubbyd.taxonomy import CategoryId

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [
    "fever",
    "invoice",
    "lunch",
    "pickup",
    "nap",
    "coat",
    "garden",
    "bus",
    "song",
    "tooth",
    "paint",
    "bread",
    "shoe",
    "hat",
]

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
names = st.sampled_from(["", "", "a", "b", "c"])
made = st.builds(
    Example,
    subject=texts,
    body=texts,
    labels=st.lists(st.sampled_from("xyz"), max_size=2, unique=True).map(lambda some: tuple(map(CategoryId, some))),
    group=names,
    sender=names,
    origin=st.sampled_from(["", "real", "real", "synthetic", "synthetic:m"]),
    date=st.none() | st.integers(0, 300).map(lambda day: BEGIN + timedelta(days=day)),
    line=st.just(0),
)
sets = st.lists(made, min_size=1, max_size=60).map(
    lambda some: [replace(one, line=place, id=str(place)) for place, one in enumerate(some, 1)]
)
wishes = st.builds(
    Wish,
    validation=st.sampled_from([Part(), Part(share=0.1), Part(count=3)]),
    test=st.sampled_from([Part(share=0.2), Part(share=0.5), Part(count=2), Part()]),
    ties=st.sets(st.sampled_from(list(Tie))).map(frozenset),
    newest_in_test=st.booleans(),
    seed=st.integers(0, 3),
)


def divided(examples: list[Example], wish: Wish) -> Division | None:
    try:
        return split(examples, wish)
    except CannotSplit:
        return None


@given(sets, wishes)
@settings(max_examples=150, deadline=None)
def test_every_example_is_on_one_side_and_no_group_on_two(examples: list[Example], wish: Wish) -> None:
    division = divided(examples, wish)
    if division is None:
        return

    assert len(division.sides) == len(examples)
    assert sum(division.size(place) for place in range(len(SIDES))) == len(examples)
    sides: dict[int, set[int]] = {}
    for group, side in zip(division.groups, division.sides, strict=True):
        sides.setdefault(group, set()).add(side)
    assert all(len(some) == 1 for some in sides.values())


@given(sets, wishes)
@settings(max_examples=150, deadline=None)
def test_threads_and_equal_texts_stay_together_and_synthetic_ones_in_training(examples: list[Example], wish: Wish) -> None:
    division = divided(examples, wish)
    if division is None:
        return

    threads: dict[str, set[int]] = {}
    words: dict[str, set[int]] = {}
    for example, side in zip(examples, division.sides, strict=True):
        if example.group:
            threads.setdefault(example.group, set()).add(side)
        words.setdefault(f"{example.subject} {example.body}", set()).add(side)
        assert side == TRAIN or not example.is_synthetic
    if Tie.THREAD in wish.ties:
        assert all(len(some) == 1 for some in threads.values())
    if Tie.NEAR in wish.ties:
        assert all(len(some) == 1 for some in words.values())


@given(sets, wishes)
@settings(max_examples=100, deadline=None)
def test_with_the_newest_in_the_test_nothing_elsewhere_is_newer_unless_it_is_tied_to_something_synthetic(
    examples: list[Example], wish: Wish
) -> None:
    division = divided(examples, replace(wish, newest_in_test=True))
    if division is None or division.test_from is None:
        return

    bound = {group for group, example in zip(division.groups, examples, strict=True) if example.is_synthetic}
    for example, side, group in zip(examples, division.sides, division.groups, strict=True):
        if side != TEST and group not in bound and example.date:
            assert example.date < division.test_from


@given(sets, wishes)
@settings(max_examples=50, deadline=None)
def test_the_same_seed_gives_the_same_sides(examples: list[Example], wish: Wish) -> None:
    assert divided(examples, wish) == divided(examples, wish)


@given(st.lists(st.sampled_from("xyz"), min_size=30, max_size=200), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_untied_examples_are_divided_in_the_same_shares_in_every_category(labels: list[str], seed: int) -> None:
    examples = [Example(subject=str(place), body="", labels=(CategoryId(label),)) for place, label in enumerate(labels)]
    division = split(examples, Wish(validation=Part(), test=Part(share=0.2), ties=frozenset(), seed=seed))

    assert abs(division.size(TEST) - 0.2 * len(labels)) <= 0.5
    for label, count in Counter(labels).items():
        assert abs(division.counts[TEST][label] - 0.2 * count) <= 1


@given(sets)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_again(examples: list[Example]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "a.jsonl"
        write_examples(file, examples)

        assert list(read_examples(file)) == examples


@given(sets)
@settings(max_examples=60, deadline=None)
def test_stats_count_every_example_once(examples: list[Example]) -> None:
    stats = collect_stats(examples)
    different = {digest(f"{one.subject} \n {one.body}") for one in examples}

    assert stats.examples == len(examples)
    assert stats.exact == len(examples) - len(different)
    assert stats.categories == Counter(label for one in examples for label in one.labels)
    assert sum(counts.total() for counts in stats.origins.values()) == stats.categories.total() + stats.unlabeled


@given(sets, st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_trimming_keeps_so_many_of_each_and_real_ones_first(examples: list[Example], at_most: int) -> None:
    trimmer = Trimmer(at_most)
    for example in examples:
        trimmer.add(example)
    keep, lost = trimmer.finish()

    there = Counter(one.labels[0] for one in examples if one.labels)
    kept = [example for example, is_kept in zip(examples, keep, strict=True) if is_kept]
    left = Counter(one.labels[0] for one in kept if one.labels)
    assert left == Counter({label: min(count, at_most) for label, count in there.items()})
    assert lost == there - left
    for label in there:
        real = [one for one in examples if one.labels[:1] == (label,) and not one.is_synthetic]
        kept_real = [one for one in kept if one.labels[:1] == (label,) and not one.is_synthetic]
        assert len(kept_real) == min(len(real), at_most)
