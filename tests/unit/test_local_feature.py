"""What the local classifier sees of a mail, and what it makes of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cubbyd.classify import feature
from cubbyd.classify.feature import count_features, hash_grams, learn_vocabulary
from cubbyd.message.model import ClassifierInput, ParsedMessage


def mail(
    subject: str = "", text: str = "", quoted: str = "", sender: str = "", attachments: tuple[str, ...] = ()
) -> ClassifierInput:
    return ClassifierInput(
        subject=subject,
        text=text,
        quoted=quoted,
        sender=sender,
        attachments=attachments,
        flags=frozenset(),
        version="1",
        message=ParsedMessage(),
    )


def gram_count(counts: feature.Counts, gram: str) -> float:
    """Find the count of a run that is one gram by itself: hashing it alone gives it as the longest, last one."""
    place = np.flatnonzero(counts.grams == hash_grams(gram)[-1])
    return float(counts.gram_counts[place].sum())


def test_a_word_counts_by_the_field_it_stands_in() -> None:
    words = count_features(mail(subject="Lunch", text="No lunch today", quoted="lunch lunch")).words

    assert words["lunch"] == 2 + 1 + 2 * 0.5
    assert words["no lunch"] == 1


def test_a_pair_of_words_never_reaches_over_two_fields() -> None:
    words = count_features(mail(subject="sick", text="today")).words

    assert set(words) == {"sick", "today"}


def test_words_of_the_sender_and_of_attachments_are_marked_and_have_no_grams() -> None:
    counts = count_features(mail(sender="Rosa <rosa@example.org>", attachments=("Invoice-7.pdf",)))

    assert counts.words["from:rosa"] == 2
    assert {"file:invoice", "file:7", "file:pdf"} <= set(counts.words)
    assert "rosa" not in counts.words
    assert len(counts.grams) == 0


def test_a_run_of_more_than_forty_letters_is_no_word() -> None:
    words = count_features(mail(text=f"{'a' * 41} {'b' * 40}")).words

    assert set(words) == {"b" * 40}


def test_grams_stay_inside_a_word_and_the_spaces_around_it() -> None:
    grams = Counter(hash_grams("ab c").tolist())
    alone = hash_grams("ab").tolist() + hash_grams("c").tolist()

    assert grams == Counter(alone)
    assert len(alone) == len([" a", "ab", "b ", " ab", "ab ", " ab ", " c", "c ", " c "])


def test_grams_of_all_fields_are_counted_together() -> None:
    counts = count_features(mail(subject="bib", text="Bib and bib", quoted="bib"))

    # The whole padded word " bib " is the single gram of five, the last of those of "bib".
    assert gram_count(counts, "bib") == 2 + 2 * 1 + 0.5


@pytest.mark.parametrize("text", ["", " ", "\n\t \u2003"])
def test_a_text_without_letters_has_no_grams(text: str) -> None:
    assert len(hash_grams(text)) == 0
    assert len(count_features(mail(text=text)).grams) == 0


def test_a_rare_word_weighs_more_than_a_frequent_one_and_each_block_has_length_one() -> None:
    vocabulary = learn_vocabulary(count_features(mail(text=text)) for text in ("the fever", "the invoice", "the picnic"))
    columns, values = vocabulary.vectorize(count_features(mail(text="the fever unheard")))
    value = dict(zip(columns.tolist(), values.tolist(), strict=True))
    of_word = {word: value[column] for column, word in enumerate(vocabulary.words) if column in value}

    assert set(of_word) == {"fever", "the", "the fever"}
    assert of_word["fever"] == pytest.approx(of_word["the"] * (np.log(4 / 2) + 1))  # idf of 1 in 3 against 3 in 3
    is_word = columns < len(vocabulary.words)
    assert np.linalg.norm(values[is_word]) == pytest.approx(1)
    assert np.linalg.norm(values[~is_word]) == pytest.approx(1)


def test_a_mail_of_unknown_features_alone_is_an_empty_row() -> None:
    vocabulary = learn_vocabulary([count_features(mail(text="fever"))])
    columns, values = vocabulary.vectorize(count_features(mail(text="口座")))

    assert (len(columns), len(values)) == (0, 0)


def test_a_vocabulary_of_words_without_grams_works() -> None:
    vocabulary = learn_vocabulary([count_features(mail(sender="rosa"))])
    columns, values = vocabulary.vectorize(count_features(mail(text="fever", sender="rosa")))

    assert (columns.tolist(), values.tolist()) == ([0], [1])


def test_a_full_vocabulary_keeps_the_most_widespread_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature, "MAX_WORDS", 1)
    monkeypatch.setattr(feature, "MAX_GRAMS", 1)
    vocabulary = learn_vocabulary(count_features(mail(text=text)) for text in ("b", "ab", "xb b", "c b"))

    assert vocabulary.words == ("b",)
    assert vocabulary.grams.tolist() == [hash_grams("b").tolist()[1]]  # "b ", which ends every one of the texts
    assert vocabulary.document_counts.tolist() == [3, 4]


def test_many_examples_are_counted_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [count_features(mail(text=f"fever {number % 7} nap")) for number in range(50)]
    at_once = learn_vocabulary(counts)
    monkeypatch.setattr(feature, "_MERGE_EVERY", 3)
    in_parts = learn_vocabulary(iter(counts))

    assert in_parts.grams.tolist() == at_once.grams.tolist()
    assert in_parts.document_counts.tolist() == at_once.document_counts.tolist()
    assert in_parts.examples == 50
