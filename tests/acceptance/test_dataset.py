"""`cubbyd dataset` as a user calls it: from a pile of mail to sets, and what is said on the way; at 120,000 examples too."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.desk import TEXTS, Desk, clean_environment, json_lines

pytestmark = pytest.mark.slow

LARGE = 120_000
LABELS = 230
MEASURE = """
import re, sys
from pathlib import Path
from cubbyd.cli import cli
try:
    cli(sys.argv[1:], prog_name="cubbyd")
except SystemExit as done:
    status = Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024, file=sys.stderr)
    raise
"""


def write_table(desk: Desk) -> None:
    rows = [f'"{text} number {number}",{label}' for label, texts in TEXTS.items() for text in texts for number in range(8)]
    (desk.folder / "mails.csv").write_text("query,intent\n" + "\n".join(rows) + "\n,billing\n")


def test_from_a_table_to_sets_that_train(desk: Desk) -> None:
    desk.configure('[classifier]\nmodel = "cubbyd.model"')
    write_table(desk)
    done = desk.call("dataset", "import", "mails.csv", "--out", "e.jsonl")
    assert "Wrote 72 examples to e.jsonl." in done.stdout
    assert "skipped: 1 x no words (74)" in done.stdout

    done = desk.call("dataset", "stats", "e.jsonl", "--suspicious", "--picture", "balance.svg")
    assert "72 examples, 3 categories" in done.stdout
    assert "labels are doubted" in done.stdout
    assert (desk.folder / "balance.svg").read_text().startswith("<svg")
    assert "leave them as they are" in desk.call("dataset", "balance", "e.jsonl").stdout

    done = desk.call("dataset", "split", "e.jsonl", "--80-20", "--group-by", "thread", "--out", "sets")
    assert "Wrote sets/train.jsonl, sets/test.jsonl." in done.stdout
    counts = [len((desk.folder / "sets" / f"{side}.jsonl").read_text().splitlines()) for side in ("train", "test")]
    assert counts == [58, 14]
    assert {file.stat().st_mode & 0o777 for file in (desk.folder / "sets").iterdir()} == {0o600}

    desk.call("dataset", "validate", "sets/train.jsonl")
    desk.call("train", "sets/train.jsonl", "--out", "cubbyd.model")
    desk.call("classify", "--jsonl", "sets/test.jsonl")


def test_what_is_exported_for_a_vendor_passes_its_check(desk: Desk) -> None:
    desk.configure()
    write_table(desk)
    desk.call("dataset", "import", "mails.csv", "--out", "e.jsonl")

    desk.call("dataset", "export", "e.jsonl", "--format", "chat", "--out", "chat.jsonl")
    desk.call("dataset", "export", "e.jsonl", "--format", "completion", "--answer", "letter", "--out", "old.jsonl")

    assert "accepted for openai" in desk.call("dataset", "validate", "chat.jsonl", "--for", "openai").stdout
    assert "accepted for completion" in desk.call("dataset", "validate", "old.jsonl", "--for", "completion").stdout
    first = json.loads((desk.folder / "chat.jsonl").read_text().splitlines()[0])["messages"]
    assert [message["role"] for message in first] == ["system", "user", "assistant"]
    assert first[1]["content"].startswith("<mail>\nSubject: ")
    (refused,) = json_lines(desk.call("dataset", "validate", "old.jsonl", "--for", "openai", "--json", code=1).stdout)
    assert refused["accepted"] is False
    desk.call("dataset", "import", "chat.jsonl", "--out", "again.jsonl")
    labels = [
        [json.loads(line)["label"] for line in (desk.folder / f"{name}.jsonl").read_text().splitlines()]
        for name in ("e", "again")
    ]
    assert labels[0] == labels[1]


def test_masking_needs_no_configuration_and_keeps_the_labels(desk: Desk) -> None:
    (desk.folder / "roster.txt").touch(mode=0o600)
    (desk.folder / "roster.txt").write_text("[children]\nMia Hofmann\n")
    lines = ['{"text": "Mia Hofmann is ill", "label": "absence"}', '{"text": "the fee of Mia", "label": "billing"}']
    (desk.folder / "e.jsonl").write_text("\n".join(lines))

    done = desk.call("dataset", "anonymize", "e.jsonl", "--roster", "roster.txt", "--out", "m.jsonl")

    assert "something was masked in 2 of 2" in done.stdout
    written = [json.loads(line) for line in (desk.folder / "m.jsonl").read_text().splitlines()]
    assert [(one["body"], one["label"]) for one in written] == [
        ("[CHILD_1] is ill", "absence"),
        ("the fee of [CHILD_1]", "billing"),
    ]


def test_trimming_is_done_on_request_alone_and_says_what_it_took(desk: Desk) -> None:
    write_table(desk)
    desk.call("dataset", "import", "mails.csv", "--out", "e.jsonl")

    done = desk.call("dataset", "balance", "e.jsonl", "--at-most", "10", "--out", "small.jsonl", "--json")

    (facts,) = json_lines(done.stdout)
    assert facts["taken_away"] == {"absence": 14, "billing": 14, "pickup": 14}
    assert len((desk.folder / "small.jsonl").read_text().splitlines()) == 30


@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        ([], (50, 8, 14)),
        (["--80-20"], (58, 0, 14)),
        (["--train", "80%", "--test", "20%"], (58, 0, 14)),
        (["--train", "0.7"], (50, 8, 14)),
        (["--train", "20", "--validation", "0", "--test", "10"], (20, 0, 10)),
        (["--train", "50%", "--validation", "10%", "--test", "20%"], (36, 7, 14)),
    ],
)
def test_the_sides_are_as_large_as_wished(desk: Desk, arguments: list[str], sizes: tuple[int, ...]) -> None:
    write_table(desk)
    desk.call("dataset", "import", "mails.csv", "--out", "e.jsonl")

    (facts,) = json_lines(
        desk.call("dataset", "split", "e.jsonl", *arguments, "--group-by", "thread", "--out", "s", "--json").stdout
    )

    written = [desk.folder / "s" / f"{side}.jsonl" for side in ("train", "validation", "test")]
    assert tuple(len(file.read_text().splitlines()) if file.exists() else 0 for file in written) == pytest.approx(sizes, abs=1)
    assert facts["left_out"] == 72 - sum(len(file.read_text().splitlines()) for file in written if file.exists())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["import", "no.csv", "--out", "e.jsonl"], 1, "no.csv: does not exist; give a file, a folder, or imap:NAME"),
        (["import", "imap:office", "--out", "x.jsonl"], 78, "make one with `cubbyd init`, or give --config FILE"),
        (["import", "a.jsonl", "--encoding", "utf-99", "--out", "x.jsonl"], 2, "no such encoding; try utf-8-sig"),
        (["import", "a.jsonl", "--out", "a.jsonl"], 1, "is a source too; choose another --out"),
        (["import", "a.jsonl", "--out", "nowhere/x.jsonl"], 1, "cannot be written: No such file or directory"),
        (["stats", "empty.jsonl"], 1, "empty.jsonl: holds no examples"),
        (["split", "a.jsonl", "--test", "many", "--out", "s"], 2, "is neither a share such as 20% or 0.2 nor a count"),
        (["split", "a.jsonl", "--80-20", "--test", "10", "--out", "s"], 2, "--80-20 says it all"),
        (["split", "a.jsonl", "--test", "5", "--validation", "0", "--out", "s"], 1, "validation and test want 5 of 3 examples"),
        (["balance", "a.jsonl", "--at-most", "3"], 2, "--at-most and --out belong together"),
        (["export", "a.jsonl", "--format", "chat", "--answer", "letter", "--out", "c"], 1, "give --config FILE"),
        (["anonymize", "a.jsonl", "--out", "a.jsonl"], 2, "--out is the file of examples itself"),
    ],
)
def test_what_a_user_gets_wrong_is_said_in_a_sentence(desk: Desk, arguments: list[str], code: int, said: str) -> None:
    (desk.folder / "a.jsonl").write_text(
        '{"text": "x", "label": "a"}\n{"text": "y", "label": "b"}\n{"text": "z", "label": "b"}\n'
    )
    (desk.folder / "empty.jsonl").touch()

    assert said in " ".join(desk.call("dataset", *arguments, code=code).stderr.split())
    assert len((desk.folder / "a.jsonl").read_text().splitlines()) == 3


# --- 120,000 examples --------------------------------------------------------------------------------------------------


def write_many(file: Path) -> None:
    """Write mails of some 60 words with 230 labels, of which one in twenty is nearly another's double."""
    generator = random.Random(11)
    words = [f"{a}{b}" for a in ("ba", "ku", "lo", "mi", "ne", "so", "ti", "va") for b in (str(n) for n in range(900))]
    topics = [generator.sample(words, 40) for _ in range(LABELS)]
    text = ""
    with file.open("w", encoding="utf-8") as stream:
        for number in range(LARGE):
            label = generator.randrange(LABELS)
            if number % 20:
                text = " ".join([*generator.choices(topics[label], k=20), *generator.choices(words, k=40)])
            record = {"body": f"{text} {number}", "label": f"topic-{label}", "thread": number // 3, "date": 1.7e9 + 60 * number}
            stream.write(json.dumps(record) + "\n")


def measured(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run a command; give its peak of memory, in MB, too.

    From VmHWM (proc_pid_status(5)): ru_maxrss of a child begins with what its parent had at the fork.
    """
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "dataset", *arguments],
        cwd=folder, env=clean_environment() | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done, int(done.stderr.split()[-1])


def test_120_000_examples_take_little_memory(tmp_path: Path) -> None:
    write_many(tmp_path / "raw.jsonl")
    peaks: dict[str, int] = {}

    done, peaks["import"] = measured(tmp_path, "import", "raw.jsonl", "--out", "e.jsonl", "--json")
    assert json.loads(done.stdout)["examples"] == LARGE
    done, peaks["stats"] = measured(tmp_path, "stats", "e.jsonl", "--json")
    stats = json.loads(done.stdout)
    assert (stats["examples"], len(stats["categories"]), stats["threads"]) == (LARGE, LABELS, LARGE // 3)
    assert stats["near_duplicates"] >= LARGE // 20
    done, peaks["split"] = measured(tmp_path, "split", "e.jsonl", "--out", "sets", "--json")
    sides = json.loads(done.stdout)["sides"]
    assert sum(side["examples"] for side in sides.values()) == LARGE
    assert (tmp_path / "sets" / "test.jsonl").stat().st_size > 0

    print("peak memory, MB:", peaks)  # noqa: T201
    assert peaks["import"] < 160
    assert max(peaks.values()) < 400
