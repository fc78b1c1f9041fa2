"""Reading sources into examples: what is taken, what is skipped, and why."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from cubbyd.dataset import Example, read_examples, write_examples
from cubbyd.dataset.mail import mail_to_example, reads_the_same
from cubbyd.dataset.reading import Columns, Meanings, Reading, Skips, read_meanings
from cubbyd.dataset.source import SourceKind, read_source, tell_kind
from cubbyd.errors import InputFileError
from cubbyd.message import parse, render
from cubbyd.taxonomy import Category, CategoryId, Taxonomy

TAXONOMY = Taxonomy(
    tuple(
        Category(id=CategoryId(id_), code=code, name=id_.title(), description="", folder=f"Mail/{id_.title()}", keyword=id_)
        for code, id_ in ((7, "absence"), (3, "billing"), (12, "meals"))
    )
)
MAIL = b"From: Jana <jana@example.org>\nMessage-ID: <1@x>\nDate: Fri, 20 Nov 2026 09:30:00 +0100\nSubject: Re: %s\n\n%s\n"


def reading(**options: Any) -> Reading:
    return Reading(skips=Skips(), **options)


def known(**options: Any) -> Reading:
    return reading(meanings=Meanings(taxonomy=TAXONOMY), **options)


def taken(file: Path, how: Reading, kind: SourceKind | None = None) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(example.subject, example.body, example.labels) for example in read_source(file, how, kind)]


def lines(file: Path, *records: object) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


# --- JSON lines --------------------------------------------------------------------------------------------------------


def test_keys_are_guessed_by_what_they_are_usually_called(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", {"query": "Where is my card", "intent": "card", "split": "train"}, {"Betreff": "x"})

    assert taken(file, reading()) == [("", "Where is my card", ("card",)), ("x", "", ())]


def test_a_text_under_an_unusual_key_is_named_by_the_user(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", {"zz": "Where", "yy": "card"})

    with pytest.raises(InputFileError, match="no column looks like the text; name it with --body; there are: 'yy', 'zz'"):
        taken(file, reading())
    assert taken(file, reading(columns=Columns(body="zz", label="yy"))) == [("", "Where", ("card",))]


def test_what_cannot_be_used_is_counted_with_its_lines(tmp_path: Path) -> None:
    how = reading()
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a"}\n{\n\n[1]\n{"text": 7}\n{"text": " "}\n{"text": "b", "label": {}}\n{"text": "c"}\n')

    assert [text for _, text, _ in taken(file, how)] == ["a", "c"]
    assert how.skips.places == {
        "no JSON": ["2"],
        "no JSON object": ["4"],
        "the text is no string": ["5"],
        "no words": ["6"],
        "the label is neither a string nor a number nor a list of them": ["7"],
    }


def test_of_many_skipped_lines_ten_are_remembered_and_all_counted(tmp_path: Path) -> None:
    how = reading()
    file = tmp_path / "a.jsonl"
    file.write_text("{\n" * 50)

    assert taken(file, how) == []
    assert how.skips.counts["no JSON"] == 50
    assert how.skips.places["no JSON"] == [str(number) for number in range(1, 11)]


def test_dates_are_iso_or_seconds_and_senders_become_pseudonyms(tmp_path: Path) -> None:
    how = reading()
    records = [
        {"text": "a", "date": 1012542254.0, "from": "jana@example.org"},
        {"text": "b", "date": "2026-11-20T09:30:00+01:00", "from": "JANA@example.org"},
        {"text": "c", "date": "2026-11-20 09:30"},
        {"text": "d", "date": "yesterday"},
    ]
    first, second, third, fourth = read_source(lines(tmp_path / "a.jsonl", *records), how)

    assert str(first.date) == "2002-02-01 05:44:14+00:00"
    assert first.sender == second.sender
    assert "jana" not in first.sender
    assert str(third.date) == "2026-11-20 09:30:00+00:00"
    assert fourth.date is None
    assert dict(how.skips.notes) == {"date that cannot be read, left out": 1}


# --- prompt and completion, chat ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("completion", "labels"),
    [
        (" 3 END", ("billing",)),
        ("7", ("absence",)),
        (12, ("meals",)),
        (" B END", ("billing",)),
        (" AC END", ("absence", "meals")),
        (" 0,1,1 END", ("billing", "meals")),
        ("3, 12", ("billing", "meals")),
        ("billing###", ("billing",)),
        ("Mail/Meals", ("meals",)),
    ],
)
def test_a_completion_is_a_code_a_letter_a_list_or_a_vector(
    tmp_path: Path, completion: object, labels: tuple[str, ...]
) -> None:
    file = lines(tmp_path / "old.jsonl", {"prompt": "Subject: Tuition\n\nThe fee\n\n###\n\n", "completion": completion})

    assert taken(file, known()) == [("Tuition", "The fee", labels)]


def test_codes_of_the_users_own_list_count_before_those_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "codes").write_text("# old numbers\n3 = meals\n\nx = absence\n")
    file = lines(tmp_path / "old.jsonl", *({"prompt": f"mail {code} ->", "completion": f" {code}@"} for code in "3x"))
    how = reading(meanings=Meanings(given=read_meanings(tmp_path / "codes"), taxonomy=TAXONOMY), ending="@")

    assert taken(file, how) == [("", "mail 3", ("meals",)), ("", "mail x", ("absence",))]


@pytest.mark.parametrize(
    ("text", "said"), [("3 billing", "line 1: write CODE = label"), ("3=a\n3=b", "line 2: '3' stands there twice")]
)
def test_a_faulty_list_of_codes_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "codes").write_text(text)

    with pytest.raises(InputFileError, match=said):
        read_meanings(tmp_path / "codes")


def test_a_code_that_nobody_knows_is_kept_and_noted(tmp_path: Path) -> None:
    how = known()
    file = lines(tmp_path / "old.jsonl", {"prompt": "x ->", "completion": " 99 END"})

    assert taken(file, how) == [("", "x", ("99",))]
    assert how.skips.places == {"label that the configuration does not have": ["1"]}


def test_chat_messages_are_the_last_question_and_its_answer(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Sort."}
    framed = "<mail>\nSubject: Fee\n\nToo high\n<quoted>\nearlier\n</quoted>\n</mail>"
    how = known()
    file = lines(
        tmp_path / "chat.jsonl",
        {
            "messages": [
                system,
                {"role": "user", "content": framed},
                {"role": "assistant", "content": '{"category": "billing"}'},
            ]
        },
        {"messages": [{"role": "user", "content": "Lunch?"}, {"role": "assistant", "content": "12", "weight": 1}]},
        {"messages": [{"role": "user", "content": "Lunch?"}, {"role": "assistant", "content": "12", "weight": 0}]},
        {"messages": [system]},
        {"messages": [{"role": "user", "content": "Lunch?"}, {"role": "assistant", "content": "{"}]},
    )

    assert taken(file, how) == [("Fee", "Too high\n\n> earlier", ("billing",)), ("", "Lunch?", ("meals",))]
    assert how.skips.places == {
        "the answer has weight 0": ["3"],
        "no message of a user with text, or none of the assistant": ["4"],
        "no label in the answer": ["5"],
    }


# --- CSV ---------------------------------------------------------------------------------------------------------------


def test_a_table_has_any_delimiter_and_cells_with_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('Betreff;Nachricht;Kategorie\r\nFieber;"Mia ist krank;\r\nheute";absence\r\n\r\nkurz;x\r\n', newline="")
    how = known()

    assert taken(file, how) == [("Fieber", "Mia ist krank;\r\nheute", ("absence",))]
    assert how.skips.places == {"another number of cells than the first line has": ["5"]}


def test_a_table_of_excel_is_read_in_its_encoding(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("text,label\nKündigung,billing\n".encode("cp1252"))

    with pytest.raises(InputFileError, match="is not utf-8; give another with --encoding, such as cp1252"):
        taken(file, reading())
    assert taken(file, reading(columns=Columns(encoding="cp1252"))) == [("", "Kündigung", ("billing",))]


def test_a_column_of_0_and_1_for_each_label(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,absence,meals\nill,1,0\nill and hungry,1,1\nhello,0,0\nodd,2,0\n")
    how = reading()

    assert taken(file, how) == [
        ("", "ill", ("absence",)),
        ("", "ill and hungry", ("absence", "meals")),
        ("", "hello", ()),
    ]
    assert how.skips.places == {"a column of a label holds neither 0 nor 1": ["5"]}


def test_a_label_may_be_called_as_a_column_usually_is_and_rows_have_numbers(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,text,date,question\n0,when,1,1\n1,what,0,1\n2,ill,0,0\n")

    assert [(one.id, one.body, one.labels, one.date) for one in read_source(file, reading())] == [
        ("0", "when", ("date", "question"), None),
        ("1", "what", ("question",), None),
        ("2", "ill", (), None),
    ]


def test_a_list_of_labels_is_told_from_a_name_with_a_comma(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "a.jsonl", {"text": "x", "label": "Fees, late"}, {"text": "y", "label": "fees,late"}, {"label": "z"}
    )
    how = reading()

    assert taken(file, how) == [("", "x", ("Fees, late",)), ("", "y", ("fees", "late"))]
    assert how.skips.places == {"no key of the text": ["3"]}


def test_a_one_hot_table_without_a_heading_needs_the_labels(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("ill,1,0,0\nthe fee,0,1,0\n")

    assert taken(file, known()) == [("", "ill", ("absence",)), ("", "the fee", ("billing",))]
    assert taken(file, reading(columns=Columns(one_hot=("a", "b", "c"))))[1] == ("", "the fee", ("b",))
    with pytest.raises(InputFileError, match="has 3 columns of 0 and 1 without names; give --one-hot with 3 labels"):
        taken(file, reading())


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,label\nx,y\n")

    with pytest.raises(InputFileError, match="line 1: has no column 'intent'; there are: 'text', 'label'"):
        taken(file, reading(columns=Columns(label="intent")))


# --- mails -------------------------------------------------------------------------------------------------------------


def test_a_mail_becomes_the_text_that_a_classifier_would_be_given() -> None:
    raw = MAIL % (b"Fever", b"She stays home.\n\nOn Monday the office wrote:\n> Is Mia coming?\n> Thank you")
    example = mail_to_example(raw, (), origin="real")

    assert example is not None
    assert (example.subject, example.body) == ("Re: Fever", "She stays home.\n\n> Is Mia coming?\n> Thank you")
    assert reads_the_same(example, render(parse(raw)))
    assert str(example.date) == "2026-11-20 09:30:00+01:00"
    assert (example.id[:2], example.group[:2], example.sender[:2]) == ("m-", "t-", "s-")


def test_answers_share_the_group_of_the_mail_that_began_the_thread() -> None:
    first = mail_to_example(MAIL % (b"Fever", b"She is ill"), (), origin="real")
    answer = mail_to_example(b"In-Reply-To: <1@x>\nMessage-ID: <2@x>\nSubject: Re: Fever\n\nGet well", (), origin="real")

    assert first is not None
    assert answer is not None
    assert first.group == answer.group != ""


def test_nine_of_ten_broken_mails_read_the_same_as_examples(shared: Path) -> None:
    files = [file for file in (shared / "torture").rglob("*") if file.is_file()][:600]
    pairs = [(render(parse(file.read_bytes())), mail_to_example(file.read_bytes(), (), origin="real")) for file in files]
    same = [reads_the_same(example, given) for given, example in pairs if example is not None]

    assert len(same) > 300
    assert sum(same) > 0.9 * len(same)


def test_an_mbox_is_cut_at_its_from_lines_and_its_name_is_the_label(tmp_path: Path) -> None:
    file = tmp_path / "absence.mbox"
    file.write_bytes(
        b"From a@b Fri\n" + MAIL % (b"One", b"ill\n\n>From here on better\nFrom the middle") + b"\nFrom c@d Sat\nSubject:\n\n\n"
        b"\nFrom c@d Sat\n" + MAIL % (b"Two", b"well")
    )
    how = known()

    assert taken(file, how) == [
        ("Re: One", "ill\n\nFrom here on better\nFrom the middle", ("absence",)),
        ("Re: Two", "well", ("absence",)),
    ]
    assert how.skips.places == {"no words in subject and text": ["mail 2"]}


@pytest.mark.parametrize("folder", ["Billing/cur", ".Billing/new", "Mail/Billing/cur", ".Mail.Billing/cur", "Billing"])
def test_the_folder_of_a_maildir_or_of_eml_files_is_the_label(tmp_path: Path, folder: str) -> None:
    name = "1700000000.M1.host:2,S" if folder.endswith(("cur", "new")) else "a.eml"
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "cur").mkdir()
    (tmp_path / folder / name).write_bytes(MAIL % (b"Fee", b"too high"))
    (tmp_path / folder / "dovecot.index").write_bytes(b"\0\1")
    (tmp_path / "cur" / "1.M2.host:2,").write_bytes(MAIL % (b"Other", b"in the inbox"))

    assert sorted(taken(tmp_path, known())) == [("Re: Fee", "too high", ("billing",)), ("Re: Other", "in the inbox", ())]


def test_what_a_source_is_is_told_by_name_or_content(tmp_path: Path) -> None:
    for name, content in {"a": b"From x\n", "b": b"\xef\xbb\xbf{}", "c": b"???"}.items():
        (tmp_path / name).write_bytes(content)

    assert [tell_kind(tmp_path / name) for name in ("a", "b", "x.CSV", "x.eml", ".")] == [
        "mbox",
        "jsonl",
        "csv",
        "eml",
        "mails",
    ]
    with pytest.raises(InputFileError, match="cannot tell what this is; say it with --format, one of jsonl, csv, mbox"):
        tell_kind(tmp_path / "c")


# --- writing -----------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_again_as_it_was_and_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    records = [
        {"text": "ü \ud800 half", "labels": ["a", "b"], "id": 3, "origin": "synthetic:m", "group": "g", "sender": "s"},
        {"subject": "x", "body": "", "label": "a", "date": "2026-11-21T10:00:00-05:00"},
    ]
    first = list(read_examples(lines(tmp_path / "b.jsonl", *records)))

    assert write_examples(file, first) == 2
    assert list(read_examples(file)) == first
    assert [example.is_synthetic for example in first] == [True, False]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_source_that_breaks_off_leaves_the_old_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("before")

    def breaks_off() -> Any:
        yield Example(subject="x", body="")
        raise InputFileError("b", "breaks off")

    with pytest.raises(InputFileError, match="breaks off"):
        write_examples(file, breaks_off())
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.jsonl", "before")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "x", "date": "soon"}', "date must be as 2026-11-21T08:30:00"),
        ('{"text": "x", "group": ["a"]}', "group must be a string or a whole number"),
        ('{"text": "x", "id": true}', "id must be a string or a whole number"),
    ],
)
def test_a_wrong_date_or_group_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "a.jsonl").write_text(line)

    with pytest.raises(InputFileError, match=f"line 1: {said}"):
        list(read_examples(tmp_path / "a.jsonl"))


def test_public_data_is_read_whole(shared: Path, tmp_path: Path) -> None:
    how = reading()
    count = sum(1 for _ in read_source(shared / "data" / "banking77" / "data.jsonl", how))
    table = tmp_path / "b.csv"
    with table.open("w", newline="") as stream:
        rows = [
            ["query", "intent"],
            *([one.body, *one.labels] for one in read_source(shared / "data/banking77/data.jsonl", how)),
        ]
        csv.writer(stream).writerows(rows)

    assert (count, sum(1 for _ in read_source(table, how)), how.skips.counts) == (13_083, 13_083, {})
