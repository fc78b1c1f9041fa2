"""How much of what names somebody is masked, how much is masked for nothing, how long it takes, and what it costs in accuracy.

    python -m benchmarks.redaction [--fills 10] [--misses 20] [--sets tuning,holdout,sample] [--json]

The sets are in tests/redaction (labeled.py says what they are). Each is measured with a roster and without one; then, on
the hold-out set, with some sources of names alone. Ordinary texts, in which hardly anybody is named, are those of clinc150 and
banking77, which are not part of the repository: they are looked for in `data` of $CUBBYD_SHARED, by default `../shared`
beside it, and skipped where they are absent.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.redaction.labeled import NAMES, Marked, Score, from_sample, from_templates, measure

from cubbyd.classify.local import LocalClassifier
from cubbyd.dataset import Example, read_examples
from cubbyd.demo.sample_mail import sample_mails, write_sample
from cubbyd.message import ClassifierInput, ParsedMessage, parse, render
from cubbyd.redaction import Redactor, load_vocabulary
from cubbyd.redaction.vocabulary import NOTHING
from cubbyd.training.local import train_local

SHARED: Final = Path(os.environ.get("CUBBYD_SHARED") or Path(__file__).resolve().parents[2] / "shared")
KINDS: Final = (NAMES, "EMAIL", "PHONE", "IBAN", "URL", "ADDRESS", "BIRTHDATE", "NUMBER")
SETS: Final = ("validation", "holdout", "holdout2", "holdout2+more", "sample")
ORDINARY_TEXTS: Final = 2_000
ROUNDS: Final = 5


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--fills", type=int, default=10, help="how often each template is filled")
    parser.add_argument(
        "--misses", type=int, default=0, help="print so many of what was missed and of what was masked for nothing"
    )
    parser.add_argument("--sets", default=",".join(SETS), help="which sets, separated by commas")
    parser.add_argument("--quick", action="store_true", help="the sets alone: no ablation, no accuracy")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    vocabulary = load_vocabulary()
    rows: list[dict[str, Any]] = []
    for name in options.sets.split(","):
        mails = from_sample() if name == "sample" else from_templates(name, options.fills)
        for roster in (True, False):
            score = measure(mails, {"vocabulary": vocabulary, "roster": roster})
            rows.append({"set": name, "roster": roster, **_row(score), "ms": round(_milliseconds(mails, roster=roster), 2)})
            for line in [*_some(score.missed, options.misses), *_some(score.wrong, options.misses)]:
                sys.stderr.write(f"{line}\n")
    _show("Sets", rows, as_json=options.json)
    if not options.quick:
        _show("Sources of names, hold-out set", list(_ablation(options.fills)), as_json=options.json)
        _show("Ordinary texts", list(_ordinary()), as_json=options.json)
        _show("Accuracy on the sample mailbox", list(_accuracy()), as_json=options.json)


def _row(score: Score) -> dict[str, Any]:
    recall = {f"recall {kind}": round(score.recall(kind), 3) for kind in KINDS if score.wanted[kind]}
    precision = {f"precision {kind}": round(score.precision(kind), 3) for kind in KINDS if score.spans[kind]}
    return {
        "mails": score.mails,
        "clean": round(score.clean / score.mails, 3),
        "for nothing per 1,000": round(score.for_nothing, 1),
        "leaks": score.leaks,
        **recall,
        **precision,
    }


def _some(lines: list[str], count: int) -> list[str]:
    step = max(1, len(lines) // max(1, count))
    return lines[::step][:count]


def _milliseconds(mails: Sequence[Marked], *, roster: bool) -> float:
    """Time the masking of a mail by a redactor that is there already, as in a daemon; the median of rounds."""
    redactor = Redactor(mails[0].roster if roster else None, load_vocabulary())
    some = mails[:200]
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for mail in some:
            redactor.mask(mail.texts, mail.people, mail.written)
        rounds.append((time.process_time() - start) * 1000 / len(some))
    return statistics.median(rounds)


def _ablation(fills: int) -> Iterator[dict[str, Any]]:
    mails = from_templates("holdout", fills)
    every = load_vocabulary()
    for name, make in {
        "shapes and cues alone": {"vocabulary": NOTHING, "roster": False, "people": False},
        "and header": {"vocabulary": NOTHING, "roster": False},
        "and roster": {"vocabulary": NOTHING},
        "shapes, cues, lists of names": {"vocabulary": every, "roster": False, "people": False},
        "and header ": {"vocabulary": every, "roster": False},
        "all": {"vocabulary": every},
    }.items():
        score = measure(mails, make)
        names = round(score.recall(NAMES), 3)
        yield {
            "sources": name,
            "recall names": names,
            "clean": round(score.clean / score.mails, 3),
            "for nothing per 1,000": round(score.for_nothing, 1),
        }


def _ordinary() -> Iterator[dict[str, Any]]:
    """Mask short texts in which hardly anybody is named; what is masked there is masked for nothing."""
    redactor = Redactor(None, load_vocabulary())
    for name in ("clinc150", "banking77"):
        files = sorted((SHARED / "data" / name).glob("*.jsonl")) if (SHARED / "data" / name).is_dir() else []
        texts = [json.loads(line)["text"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]
        if not texts:
            yield {"set": name, "words": 0, "masked per 1,000": "skipped: not here"}
            continue
        texts = texts[:: max(1, len(texts) // ORDINARY_TEXTS)][:ORDINARY_TEXTS]
        words = sum(len(text.split()) for text in texts)
        masked = sum(len(text[span.start : span.end].split()) for text in texts for span in redactor.mask([text]).spans[0])
        yield {"set": name, "words": words, "masked per 1,000": round(1000 * masked / words, 1)}


def _accuracy() -> Iterator[dict[str, Any]]:
    """Train and ask with mail as it is and with masked mail, in all four ways."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        examples = list(read_examples(write_sample(Path(folder))))
    mails = [mail for mail in sample_mails() if mail.truth]
    redactor = Redactor(None, load_vocabulary())
    models = {kind: _train(examples, redactor if kind == "masked" else None) for kind in ("plain", "masked")}
    for trained, model in models.items():
        for asked in ("plain", "masked"):
            inputs = [_input(parse(mail.raw), redactor if asked == "masked" else None) for mail in mails]
            answers = model.classify(inputs)
            right = sum(getattr(answer, "top", None) == mail.truth for answer, mail in zip(answers, mails, strict=True))
            yield {"trained on": trained, "asked with": asked, "mails": len(mails), "accuracy": round(right / len(mails), 3)}


def _input(message: ParsedMessage, redactor: Redactor | None) -> ClassifierInput:
    return render(redactor.redact(message)[0] if redactor else message)


def _train(examples: Sequence[Example], redactor: Redactor | None) -> LocalClassifier:
    if redactor is not None:
        masked = [redactor.mask((example.subject, example.body)).texts for example in examples]
        examples = [
            Example(subject=subject, body=body, labels=example.labels, line=example.line)
            for (subject, body), example in zip(masked, examples, strict=True)
        ]
    return LocalClassifier(train_local(examples))


def _show(title: str, rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            print(json.dumps({"table": title, **row}))
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(str(row.get(column, '')) for column in columns)} |")


if __name__ == "__main__":
    main()
