"""The features of any text at all, against scikit-learn's own analyzer and against themselves."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from cubbyd.classify.feature import count_features, hash_grams, learn_vocabulary
from cubbyd.message.model import ClassifierInput, ParsedMessage

# Surrogates too: JSON can write a lone one, and it must not stop the training.
ANY_TEXT = st.text(st.characters(), max_size=80)
WORDY_TEXT = st.text(st.sampled_from("abcä. \n"), max_size=40)

CHAR_WB = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), lowercase=False).build_analyzer()


@st.composite
def mails(draw: st.DrawFn) -> ClassifierInput:
    text = st.one_of(ANY_TEXT, WORDY_TEXT)
    return ClassifierInput(
        subject=draw(text),
        text=draw(text),
        quoted=draw(text),
        sender=draw(text),
        attachments=tuple(draw(st.lists(text, max_size=2))),
        flags=frozenset(),
        version="1",
        message=ParsedMessage(),
    )


@given(st.one_of(ANY_TEXT, WORDY_TEXT))
def test_the_hashes_are_those_of_scikit_learns_ngrams_within_words(text: str) -> None:
    ngrams, hashes = Counter(CHAR_WB(text)), Counter(hash_grams(text).tolist())

    # Hashes have no names: they are the same n-grams if they are as many, and occur as often.
    assert sorted(hashes.values()) == sorted(ngrams.values())


@given(WORDY_TEXT, WORDY_TEXT)
def test_texts_share_as_many_hashes_as_ngrams(one: str, other: str) -> None:
    assert len(set(hash_grams(one).tolist()) & set(hash_grams(other).tolist())) == len(set(CHAR_WB(one)) & set(CHAR_WB(other)))


@settings(max_examples=50)
@given(st.lists(mails(), min_size=1, max_size=4), mails())
def test_every_mail_becomes_a_row_of_finite_values_in_distinct_known_columns(
    examples: list[ClassifierInput], asked: ClassifierInput
) -> None:
    vocabulary = learn_vocabulary(map(count_features, examples))
    columns, values = vocabulary.vectorize(count_features(asked))

    assert len(columns) == len(values) == len(set(columns.tolist()))
    assert all(0 <= column < len(vocabulary) for column in columns.tolist())
    assert np.isfinite(values).all()
    assert (values > 0).all()


@settings(max_examples=50)
@given(st.lists(mails(), min_size=1, max_size=4))
def test_a_vocabulary_knows_every_feature_of_its_examples(examples: list[ClassifierInput]) -> None:
    vocabulary = learn_vocabulary(map(count_features, examples))

    for counts in map(count_features, examples):
        columns, _ = vocabulary.vectorize(counts)
        assert len(columns) == len(counts.words) + len(counts.grams)
