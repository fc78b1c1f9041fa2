"""Looking at a data set and changing it: near-duplicates, stats, doubts, balance, masking, export, validation."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from cubbyd.cli import cli
from cubbyd.dataset import Example, read_examples, write_examples
from cubbyd.dataset.anonymize import Masking, anonymize
from cubbyd.dataset.balance import advise, recommend
from cubbyd.dataset.export import Answer, CannotExport, Exported, ExportFormat, Exporting, export_lines, make_codes, plain_text
from cubbyd.dataset.near import Clusters, NearIndex, cluster_near
from cubbyd.dataset.picture import draw_balance
from cubbyd.dataset.reading import Meanings, Reading, Skips
from cubbyd.dataset.source import SourceKind, read_source
from cubbyd.dataset.split import TEST, CannotSplit, Part, Tie, Wish, split
from cubbyd.dataset.stats import collect_stats
from cubbyd.dataset.validate import Target, validate
from cubbyd.errors import InputFileError
from cubbyd.redaction import Redactor
from cubbyd.redaction.known import Known
from cubbyd.redaction.person import Recognizer
from cubbyd.redaction.roster import parse_roster
from cubbyd.taxonomy import Category, CategoryId, Taxonomy
from cubbyd.training.suspicion import find_suspicions, sample_examples

LONG = (
    "Good morning, please note that {} will be collected by her grandmother at four today because I am in a meeting until six"
)
ROSTER = parse_roster("[children]\nMia Hofmann\n", "roster")


def example(body: str, label: str = "a", line: int = 1, **more: object) -> Example:
    return replace(Example(subject="", body=body, labels=(CategoryId(label),) if label else (), line=line), **more)  # type: ignore[arg-type]


def taxonomy(*ids: str) -> Taxonomy:
    return Taxonomy(
        tuple(
            Category(id=CategoryId(id_), code=10 * code, name=id_, description="", folder=id_, keyword=id_)
            for code, id_ in enumerate(ids, 1)
        )
    )


# --- near-duplicates ---------------------------------------------------------------------------------------------------


def near(*texts: str) -> list[int]:
    index, clusters = NearIndex(), Clusters(len(texts))
    for text in texts:
        index.add(text)
    cluster_near(index, clusters)
    return clusters.roots()


def test_a_long_mail_with_another_name_is_nearly_the_same_and_a_short_one_is_not() -> None:
    long = (
        LONG
        + ", and she will bring the signed form and the rain boots that we forgot to bring along on Monday morning; please also tell the kitchen that there are "
    )
    long += "two lunches less on Thursday and that we would like to have the menu of next week by mail as soon as it is printed"

    assert near(long.format("Mia"), "the invoice is wrong", long.format("LEO").replace(",", ""), "Mia is ill", "Leo is ill") == [
        0, 1, 0, 3, 4,
    ]  # fmt: skip


def test_texts_without_words_or_with_one_are_near_to_their_like_alone() -> None:
    assert near("", "hello", "...", "HELLO!", "hello world") == [0, 1, 0, 1, 4]


def test_every_cluster_of_many_copies_is_found() -> None:
    random = Random(5)
    words = [f"word{number}" for number in range(2000)]
    originals = [" ".join(random.choices(words, k=60)) for _ in range(40)]
    copies = [f"{original} {random.choice(words)}" for original in originals for _ in range(10)]
    random.shuffle(copies)

    roots = near(*copies)

    assert len(set(roots)) == 40
    assert all(copies[root].split()[:60] == copy.split()[:60] for root, copy in zip(roots, copies, strict=True))


# --- stats -------------------------------------------------------------------------------------------------------------


def test_a_text_under_two_labels_is_named_with_both_lines() -> None:
    stats = collect_stats([example("Fever", "a", 1), example("fever ", "b", 2), example("fever", "a", 3)])

    assert (stats.exact, stats.contradictions, stats.contradicting) == (2, 1, ((2, 1),))


def test_small_categories_and_the_imbalance_are_told() -> None:
    stats = collect_stats([example(f"text {number}", "big" if number < 60 else "tiny", number) for number in range(65)])

    assert (stats.imbalance, stats.small) == (12, ["tiny"])
    assert stats.lengths == (6, 6, 7, 7, 7)


def test_the_picture_is_an_svg_with_a_bar_for_each_category_and_no_markup_of_labels() -> None:
    picture = ET.fromstring(draw_balance({CategoryId("<b>&"): 30, CategoryId("x"): 10}, {CategoryId("x"): 5}))
    texts = [element.text for element in picture.iter() if element.tag.endswith("}text")]

    assert texts == ["45 labels in 2 categories", "written by people", "synthetic", "<b>&", "30", "x", "15 (5)"]


# --- doubtful labels ---------------------------------------------------------------------------------------------------


def labeled(count: int = 40) -> list[Example]:
    sentences = {"absence": "fever at home ill today number", "billing": "invoice tuition payment receipt number"}
    return [
        example(f"{text} {number}", label, 2 * number + place + 1)
        for number in range(count)
        for place, (label, text) in enumerate(sentences.items())
    ]


def test_a_wrong_label_comes_first() -> None:
    examples = labeled()
    examples[7] = replace(examples[7], labels=(CategoryId("absence"),))

    doubts = find_suspicions(examples, source="file")

    assert (doubts.suspicions[0].line, doubts.suspicions[0].better) == (8, "billing")
    assert doubts.suspicions[0].given < 0.5 < doubts.suspicions[0].probability
    assert doubts.looked_at == 80


def test_labels_of_one_category_cannot_be_doubted() -> None:
    with pytest.raises(InputFileError, match="two categories have two examples each"):
        find_suspicions([example("a b", "x"), example("c d", "x"), example("e f", "y")], source="file")


def test_a_sample_is_of_labeled_examples_in_their_order() -> None:
    sample = sample_examples([*labeled(), example("no label", "", 99)], most=10, seed=1)

    assert [one.line for one in sample] == sorted({one.line for one in sample})
    assert len(sample) == 10
    assert sample_examples([*labeled(), example("no label", "", 99)], most=10, seed=1) == sample
    assert 99 not in [one.line for one in sample_examples([example("no label", "", 99), *labeled()], most=100)]


# --- splitting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("examples", "wish", "said"),
    [
        ([], Wish(validation=Part(), test=Part(share=0.2)), "there are no examples"),
        (labeled(2), Wish(validation=Part(count=2), test=Part(count=2)), "validation and test want 4 of 4"),
        (labeled(2), Wish(validation=Part(), test=Part(count=1), newest_in_test=True), "no example has a date"),
        (
            [replace(one, origin="synthetic") for one in labeled(5)],
            Wish(validation=Part(), test=Part(share=0.2)),
            "nothing can go into the test set",
        ),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(examples: list[Example], wish: Wish, said: str) -> None:
    with pytest.raises(CannotSplit, match=said):
        split(examples, wish)


def test_a_sender_of_half_the_mail_ties_nothing_together() -> None:
    examples = [
        example(f"alpha {number} beta{number} gamma{number}", "a", number, sender="s-office" if number % 2 else f"s-{number}")
        for number in range(1, 101)
    ]
    division = split(examples, Wish(validation=Part(), test=Part(share=0.2), ties=frozenset({Tie.SENDER})))

    assert (division.common_senders, division.largest_group, division.size(TEST)) == (1, 1, 20)


def test_banking77_is_divided_evenly(shared: Path) -> None:
    reading = Reading(skips=Skips())
    division = split(
        read_source(shared / "data" / "banking77" / "data.jsonl", reading),
        Wish(validation=Part(share=0.1), test=Part(share=0.2)),
    )

    assert [division.size(side) for side in range(3)] == [9158, 1308, 2617]
    assert min(division.counts[TEST].values()) >= 0.9 * 0.2 * 75


# --- balance -----------------------------------------------------------------------------------------------------------


def test_weights_even_out_the_categories_and_repeats_are_bounded() -> None:
    large, middle, small = advise({CategoryId("l"): 400, CategoryId("m"): 100, CategoryId("s"): 10}, {CategoryId("s"): 4})

    assert large.weight * 400 == pytest.approx(middle.weight * 100) == pytest.approx(small.weight * 10)
    assert (large.repeats, middle.repeats, small.repeats) == (0.25, 1.0, 5.0)
    assert (small.synthetic, small.missing, large.missing) == (4, 40, 0)


@pytest.mark.parametrize(
    ("largest", "said"), [(60, "leave them as they are"), (200, "take nothing away"), (900, "compare the evaluation")]
)
def test_the_advice_follows_from_the_counts(largest: int, said: str) -> None:
    assert said in recommend(advise({CategoryId("l"): largest, CategoryId("s"): 60}, {}))


# --- masking -----------------------------------------------------------------------------------------------------------


def test_names_are_masked_imitated_placeholders_are_not_ours_and_ids_say_nothing() -> None:
    given = example(
        "Mia Hofmann is ill, and [CHILD_7] too. Call 0171 2345678.\n\n> When does Mia come back?",
        line=3, id="m-1", group="t-jana", sender="s-jana", date=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    )  # fmt: skip
    masking = Masking()

    first, second = anonymize([given, replace(given, id="m-2")], Redactor(ROSTER), masking)

    assert "Mia" not in first.body
    assert "[CHILD_1] is ill, and (CHILD_7) too" in first.body
    assert masking.masked["PHONE"] == 2
    assert (masking.examples, masking.touched, masking.leaking_examples) == (2, 2, 0)
    assert (first.id, first.group, first.sender, str(first.date)) == ("a1", "g-1", "s-2", "2026-11-20 00:00:00+00:00")
    assert (second.id, second.group, second.sender) == ("a2", "g-1", "s-2")
    assert first.labels == given.labels


def test_what_the_last_check_finds_is_left_out_and_its_line_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last check does not trust the finders: here they find nothing."""
    monkeypatch.setattr(Known, "find", lambda *_: iter(()))
    masking = Masking()
    given = [example("Mia Hofmann has a fever", line=4), example("the invoice is wrong", line=5)]

    assert [one.line for one in anonymize(given, Redactor(ROSTER), masking)] == [5]
    assert (masking.leaking, masking.leaking_examples, dict(masking.leaks)) == ([4], 1, {"a name of the roster": 1})


def test_nothing_is_written_where_a_name_is_left_unless_such_examples_may_be_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for finder in (Known, Recognizer):
        monkeypatch.setattr(finder, "find", lambda *_: iter(()))
    (tmp_path / "roster").touch(mode=0o600)
    (tmp_path / "roster").write_text("Mia Hofmann")
    write_examples(tmp_path / "e.jsonl", [example("Mia Hofmann has a fever"), example("the invoice is wrong")])
    arguments = ["dataset", "anonymize", "e.jsonl", "--roster", "roster", "--out", "m.jsonl"]

    refused = CliRunner().invoke(cli, arguments)
    assert str(refused.exception) == (
        "e.jsonl: after masking there is still a name of the roster in 1 examples (lines 1); nothing was written; "
        "change those lines, or leave them out with --drop-leaks"
    )
    assert not (tmp_path / "m.jsonl").exists()
    assert CliRunner().invoke(cli, [*arguments, "--drop-leaks"]).exit_code == 0
    assert [one.body for one in read_examples(tmp_path / "m.jsonl")] == ["the invoice is wrong"]


# --- export ------------------------------------------------------------------------------------------------------------


def how(answer: Answer, ids: Taxonomy | None = None) -> Exporting:
    return Exporting(answer=answer, codes=make_codes(answer, ids), text=plain_text, system="Sort.")


@pytest.mark.parametrize(
    ("form", "answer", "kind"),
    [
        (ExportFormat.CHAT, Answer.JSON, SourceKind.JSONL),
        (ExportFormat.CHAT, Answer.LETTER, SourceKind.JSONL),
        (ExportFormat.COMPLETION, Answer.CODE, SourceKind.JSONL),
        (ExportFormat.COMPLETION, Answer.LETTER, SourceKind.JSONL),
        (ExportFormat.CSV, Answer.ID, SourceKind.CSV),
    ],
)
def test_what_is_exported_can_be_imported_again(tmp_path: Path, form: ExportFormat, answer: Answer, kind: SourceKind) -> None:
    ids = taxonomy("absence", "billing")
    examples = [replace(one, subject="Fee, or fever", line=0) for one in labeled(3)]
    (tmp_path / "out").write_text("".join(export_lines(examples, form, how(answer, ids), Exported())))

    again = read_source(tmp_path / "out", Reading(skips=Skips(), meanings=Meanings(taxonomy=ids)), kind)

    assert [(one.subject, one.body, one.labels) for one in again] == [(one.subject, one.body, one.labels) for one in examples]


def test_the_older_format_has_a_separator_and_no_blank_before_the_code() -> None:
    (line,) = export_lines([example("the fee", "b")], ExportFormat.COMPLETION, how(Answer.CODE, taxonomy("a", "b")), Exported())

    assert json.loads(line) == {"prompt": "the fee\n\n###\n\n", "completion": "20 END"}


def test_examples_without_a_label_are_left_out_and_counted() -> None:
    done = Exported()

    assert len(list(export_lines([example("x", ""), example("y", "b")], ExportFormat.CHAT, how(Answer.JSON), done))) == 1
    assert (done.written, done.unlabeled) == (1, 1)


def test_codes_need_categories_and_letters_are_52() -> None:
    with pytest.raises(CannotExport, match="give --config FILE"):
        make_codes(Answer.LETTER, None)
    with pytest.raises(CannotExport, match="53 categories and 52 letters; take --answer code"):
        make_codes(Answer.LETTER, taxonomy(*(f"c{number}" for number in range(53))))
    with pytest.raises(CannotExport, match="line 1: 'zz' has no code"):
        list(export_lines([example("x", "zz")], ExportFormat.CHAT, how(Answer.CODE, taxonomy("a", "b")), Exported()))


# --- validation --------------------------------------------------------------------------------------------------------


def chat(answer: str = "billing", **more: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "the fee"}, {"role": "assistant", "content": answer, **more}]}


def verdict_of(
    file: Path, records: list[object], target: Target, ids: Taxonomy | None = None
) -> tuple[dict[str, list[int]], bool]:
    file.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in records))
    verdict = validate(file, target, ids)
    assert set(verdict.places) == set(verdict.errors) | set(verdict.warnings)
    return verdict.places, verdict.is_accepted


GOOD: list[object] = [chat(answer) for answer in ("billing", "absence") * 5]


def test_ten_good_lines_of_chat_messages_are_accepted(tmp_path: Path) -> None:
    assert verdict_of(tmp_path / "c", [*GOOD, chat(weight=1)], Target.OPENAI) == ({}, True)


def test_a_line_without_an_answer_to_learn_is_refused(tmp_path: Path) -> None:
    assert verdict_of(tmp_path / "c", [*GOOD, chat(weight=0)], Target.OPENAI) == (
        {"every answer has weight 0: there is nothing to learn": [11]},
        False,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ("", "empty line"),
        ([], "no JSON object"),
        ({"messages": []}, "no list of messages"),
        ({**chat(), "label": 1}, "unknown key 'label' beside messages"),
        (chat(weight=2), "a weight other than 0 or 1"),
        (chat(weight=True), "a weight other than 0 or 1"),
        (chat(""), "a message without text"),
        ({"messages": [{"role": "user", "content": "x"}]}, "no message of the assistant: there is nothing to learn"),
        ({"messages": [*chat()["messages"], {"role": "user", "content": "x"}]}, "the last message is not the assistant's"),
        (
            {"messages": [{"role": "user", "content": "x", "weight": 1}, chat()["messages"][1]]},
            "a weight on a message that is not",
        ),
        ({"messages": [{"role": "boss", "content": "x"}, *chat()["messages"]]}, "a role other than assistant, developer"),
        ({"messages": ["x", *chat()["messages"]]}, "a message is no object"),
    ],
)
def test_a_fault_of_chat_messages_is_named_with_its_line(tmp_path: Path, line: object, said: str) -> None:
    places, is_accepted = verdict_of(tmp_path / "c", [*GOOD, line], Target.OPENAI)

    assert [(what.startswith(said), where) for what, where in places.items()] == [(True, [11])]
    assert not is_accepted


def test_nine_lines_are_too_few(tmp_path: Path) -> None:
    assert verdict_of(tmp_path / "c", GOOD[:9], Target.OPENAI) == ({"fewer than 10 examples": []}, False)


def test_azure_asks_for_a_byte_order_mark_which_others_may_refuse(tmp_path: Path) -> None:
    assert list(verdict_of(tmp_path / "c", GOOD, Target.AZURE)[0].values()) == [[1]]
    (tmp_path / "c").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "c").read_bytes())

    assert dict(validate(tmp_path / "c", Target.AZURE).warnings) == {}
    assert dict(validate(tmp_path / "c", Target.OPENAI).warnings) == {
        "a byte order mark at the beginning, which not every server takes": 1
    }


def test_prompts_that_end_differently_are_warned_of(tmp_path: Path) -> None:
    pairs: list[object] = [{"prompt": f"mail {n}\n\n###\n\n", "completion": "AB"[n % 2]} for n in range(10)]

    assert verdict_of(tmp_path / "c", pairs, Target.COMPLETION) == ({}, True)
    assert verdict_of(tmp_path / "c", [*pairs, {"prompt": "mail", "completion": "A"}], Target.COMPLETION) == (
        {"the prompts do not all end with the same separator": []},
        True,
    )
    assert verdict_of(tmp_path / "c", [*pairs, {"prompt": "a", "completion": 3}], Target.COMPLETION)[1] is False


def test_our_own_files_are_held_against_the_configuration(tmp_path: Path) -> None:
    write_examples(tmp_path / "a", labeled(3))

    assert validate(tmp_path / "a", Target.CUBBYD, taxonomy("absence", "billing")).is_accepted
    assert dict(validate(tmp_path / "a", Target.CUBBYD, taxonomy("absence", "meals")).errors) == {
        "label 'billing' is none of the configuration's": 1,
        "no example of meals, which the configuration has": 1,
    }
    assert next(read_examples(tmp_path / "a")).labels == ("absence",)


def test_bytes_that_are_no_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"text": "x", "label": "a"}\n{"text": "\xff"}\n{"text": "y", "label": "b"}\n')

    verdict = validate(tmp_path / "a", Target.CUBBYD)
    assert (dict(verdict.errors), verdict.places["not UTF-8"]) == ({"not UTF-8": 1}, [2])
