"""The map of the test mail: places whose distances are kept, axes that are the same, and numbers against those of others."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import silhouette_score
from tests.calibration import NAMES
from tests.embeddings import examples as few_examples

from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.place import Coordinates, Places, Placing, place_rows
from cubbyd.dataset import Example
from cubbyd.evaluation.atlas import Atlas, distances, draw_atlas, facts, make_atlas, purities, silhouette
from cubbyd.evaluation.kept import ask_all
from cubbyd.evaluation.scatter import COLORS, MOST_TOLD, SHAPES
from cubbyd.evaluation.scatter import draw_atlas as draw
from cubbyd.message.render import render_text
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import train_local

LABELS = [NAMES[place % 3] for place in range(60)]


def cloud(lumps: float, *, seed: int = 0, dimensions: int = 6) -> Coordinates:
    """Sixty points of three categories, which lie apart by so much."""
    middles = np.eye(3, dimensions)[[NAMES.index(label) for label in LABELS]]
    return lumps * middles + np.random.default_rng(seed).standard_normal((60, dimensions))


def places(before: Coordinates, after: Coordinates, *, is_shared: bool) -> Places:
    return Places(
        rows=np.arange(60), before=before, after=after, is_shared=is_shared, before_is="raw vectors", after_is="scores"
    )


def atlas(before: Coordinates, after: Coordinates, *, is_shared: bool = False) -> Atlas:
    return draw_atlas(places(before, after, is_shared=is_shared), LABELS, of=60)


# --- the numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lumps", [0.0, 1.0, 5.0])
def test_the_silhouette_is_that_of_scikit_learn(lumps: float) -> None:
    points, labels = cloud(lumps), np.array([NAMES.index(label) for label in LABELS])
    labels[0] = 7  # a category's only mail

    assert silhouette(distances(points), labels) == pytest.approx(silhouette_score(points, labels))


def test_purity_is_the_share_of_neighbors_of_the_same_category() -> None:
    points = np.array([[0.0], [1.0], [2.1], [10.0], [11.0]])

    found = purities(distances(points), np.array([0, 0, 1, 1, 1]), neighbors=2)

    assert found.tolist() == [0.5, 0.5, 0.0, 1.0, 1.0]


def test_lumps_are_drawn_apart_and_the_sentence_says_so() -> None:
    better, worse, same = (atlas(cloud(a), cloud(b, seed=1)) for a, b in ((0, 5), (5, 0), (0, 0)))

    assert better.after.purity > 0.9
    assert better.before.purity < 0.5
    assert better.chance == pytest.approx(19 / 59)
    assert better.sentence.endswith("training draws the categories apart.")
    assert worse.sentence.endswith("training mixes the categories.")
    assert same.sentence.endswith("training changes nothing that is sure.")
    assert facts(better)["after"]["silhouette"] == pytest.approx(better.after.silhouette, abs=1e-4)


# --- the axes ----------------------------------------------------------------------------------------------------------


def test_sparse_rows_keep_all_their_distances_in_fewer_dimensions() -> None:
    generator = np.random.default_rng(3)
    rows = [(np.sort(generator.choice(5000, 40, replace=False)), generator.random(40).astype(np.float32)) for _ in range(30)]
    table = np.zeros((30, 5000))
    for row, (columns, values) in enumerate(rows):
        table[row, columns] = values

    found = place_rows(rows, 5000)

    assert found.shape[1] <= 30
    np.testing.assert_allclose(distances(found), distances(table), atol=1e-6)


def test_in_one_space_what_did_not_change_lies_at_the_same_place_on_both_sides() -> None:
    before = cloud(2.0)

    drawn = atlas(before, 3 * before + 40, is_shared=True)

    np.testing.assert_allclose(drawn.after.points, drawn.before.points, atol=1e-9)
    assert drawn.before.shown == pytest.approx(drawn.after.shown)


def test_in_one_space_both_sides_have_the_axes_of_both_together() -> None:
    """Before, mails differ along the first axis; after, along the second: the map has both, and each side is a line."""
    spread = np.linspace(-1, 1, 60)[:, None]

    drawn = atlas(spread * np.eye(1, 4, 0), spread * np.eye(1, 4, 1) * 0.9, is_shared=True)

    directions = [np.linalg.svd(side.points)[2][0] for side in (drawn.before, drawn.after)]
    assert abs(directions[0] @ directions[1]) == pytest.approx(0, abs=1e-6)


def test_different_spaces_are_turned_to_lie_alike() -> None:
    """The same places, turned in three dimensions more: the map of them is the same again."""
    before = cloud(2.0) * [5, 3, 0.1, 0.1, 0.1, 0.1]
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((9, 9)))[0][:6]

    drawn = atlas(before, before @ turn * 7)

    np.testing.assert_allclose(drawn.after.points, drawn.before.points, atol=1e-9)


def test_mails_that_all_lie_at_one_place_make_a_map_too() -> None:
    drawn = atlas(np.ones((60, 4)), cloud(3.0))

    assert np.abs(drawn.before.points).max() == 0
    assert all(np.isfinite(side.points).all() for side in (drawn.before, drawn.after))


# --- a classifier's own ------------------------------------------------------------------------------------------------


def many() -> list[Example]:
    return [
        Example(subject=f"{word} {one.subject}", body=one.body, labels=one.labels, line=one.line)
        for word in ("hello", "dear", "hi")
        for one in few_examples()
    ]


def test_the_local_classifier_places_mails_by_words_and_by_scores() -> None:
    classifier = LocalClassifier(train_local(few_examples()))
    mails = [render_text("", "fever at home"), render_text("", "\u4f60\u597d"), render_text("", "the invoice")]

    found = classifier.place(mails)

    assert isinstance(classifier, Placing)
    assert found.rows.tolist() == [0, 2], "the second has no word that the model knows"
    told = [classifier.classify([mails[row]])[0].probabilities for row in found.rows]
    order = [max(one, key=lambda category: one[category]) for one in told]
    assert [classifier.categories[place] for place in found.after.argmax(axis=1)] == order
    assert np.linalg.norm(found.before, axis=1) == pytest.approx(math.sqrt(2)), "words have length 1, and so have n-grams"


def test_mails_without_a_known_word_have_no_place() -> None:
    classifier = LocalClassifier(train_local(few_examples()))

    found = classifier.place([render_text("", "\u4f60\u597d")])

    assert (len(found.rows), len(found.before), len(found.after)) == (0, 0, 0)


def test_a_map_is_made_of_a_test_set_and_of_a_few_mails_there_is_none() -> None:
    classifier = LocalClassifier(train_local(few_examples()))
    sheets = [ask_all(classifier, some, categories=classifier.categories) for some in (many(), few_examples())]

    full, few = (make_atlas(classifier, sheet) for sheet in sheets)

    assert few is None
    assert full is not None
    assert len(full.labels) == 45
    assert full.after.purity > full.before.purity
    assert make_atlas(object(), sheets[0]) is None, "a classifier that cannot say"


# --- the picture -------------------------------------------------------------------------------------------------------


def test_every_category_has_a_shape_and_color_of_its_own_and_neighbors_share_neither() -> None:
    looks = [(place % len(COLORS), place % len(SHAPES)) for place in range(MOST_TOLD)]

    assert len(set(looks)) == MOST_TOLD
    assert all(a[0] != b[0] and a[1] != b[1] for a, b in pairwise(looks))


def test_the_picture_has_every_mail_once_on_each_side_and_a_legend() -> None:
    page = "".join(draw(atlas(cloud(2.0), cloud(3.0))))

    assert len(re.findall(r"M\d", page)) == 2 * 60 + 3, "and one in the legend for each category"
    places_drawn = [float(value) for pair in re.findall(r"M([\d.]+) ([\d.]+)", page) for value in pair]
    assert min(places_drawn) > 0
    assert max(places_drawn) < 460
    assert all(f"{name}</span>" in page for name in NAMES[:3])
    assert page.count("<h3>") == 2


def test_beyond_what_shapes_can_tell_categories_are_gray_and_counted() -> None:
    labels = [CategoryId(f"c{place:02}") for place in range(60)]

    page = "".join(draw(draw_atlas(places(cloud(1.0), cloud(1.0), is_shared=False), labels, of=60)))

    assert "18 other categories" in page
    assert "c41</span>" in page
    assert "c42</span>" not in page
