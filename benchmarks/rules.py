"""How often the urgent net rings, and how long rules and net take.

    python -m benchmarks.rules [--json]

Rings: the sample mailbox, the examples that ship with it, and the golden mails of the tests; as shipped, nothing taken out.
The phrases were chosen with these mails in view, so that other mail may ring more often, and be missed
more often. Among mail of the category `incident` it ought to ring, elsewhere mostly not.

Speed: processor time, the median of five rounds, of the sample mailbox, already parsed, against 1 and 1000 rules that do not
match, and against the net; and the worst of some hostile mails (a megabyte of text, the longest subject).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from cubbyd.classify.rule import Rulebook, compile_rules
from cubbyd.classify.urgent import UrgentNet, shipped_themes
from cubbyd.config import RuleSection
from cubbyd.dataset import read_examples
from cubbyd.demo.sample_mail import sample_mails
from cubbyd.message import ParsedMessage, parse, render_text

ROUNDS: Final = 5
GOLDEN: Final = Path(__file__).resolve().parents[1] / "tests" / "golden"
HOSTILE: Final = {
    "one word of a phrase, again and again": "not " * 250_000,
    "the beginning of a phrase, again and again": "nobody came to " * 70_000,
    "one long word": "a" * 1_000_000,
    "letters with marks": "\u0915\u093f" * 333_000,
    "signs": "!?" * 500_000,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    net = UrgentNet(shipped_themes())
    found = {
        "phrases": len(net),
        "rings": _rings(net),
        "microseconds_a_mail": _speed(net),
        "hostile_milliseconds": _hostile(net),
    }
    print(json.dumps(found, ensure_ascii=False) if as_json else _table(found))


def _rings(net: UrgentNet) -> dict[str, dict[str, Any]]:
    file = Path(str(files("cubbyd.demo") / "sample" / "examples.jsonl"))
    examples = [(render_text(one.subject, one.body).message, one.labels[0]) for one in read_examples(file)]
    return {
        "sample mailbox": _count(net, [(parse(mail.raw), mail.truth or "") for mail in sample_mails()]),
        "examples": _count(net, examples),
        "golden mails": _count(net, [(parse(mail.read_bytes()), "") for mail in sorted(GOLDEN.glob("*.eml"))]),
    }


def _count(net: UrgentNet, mails: Sequence[tuple[ParsedMessage, str]]) -> dict[str, Any]:
    rung = [(net.themes_in(message), label) for message, label in mails]
    return {
        "mails": len(mails),
        "rung": sum(bool(themes) for themes, _ in rung),
        "themes": dict(Counter(theme for themes, _ in rung for theme in themes).most_common()),
        "categories": dict(Counter(label for themes, label in rung if themes and label).most_common()),
    }


def _speed(net: UrgentNet) -> dict[str, float]:
    mails = [parse(mail.raw) for mail in sample_mails()]
    one, thousand = _rulebook(1), _rulebook(1000)
    return {
        "1 rule": _microseconds(one.find, mails),
        "1000 rules": _microseconds(thousand.find, mails),
        "urgent net": _microseconds(net.themes_in, mails),
    }


def _rulebook(count: int) -> Rulebook:
    given = (
        {
            "name": str(number),
            "from_domain": ["example.com", f"d{number}.example"],
            "subject_words": f"no such words {number}",
            "header": {"X-Mailer": f"Mailer {number}"},
            "category": "billing",
        }
        for number in range(count)
    )
    return Rulebook(compile_rules(RuleSection.model_validate(rule) for rule in given))


def _microseconds(look: Callable[[ParsedMessage], object], mails: Iterable[ParsedMessage]) -> float:
    each = list(mails)
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for message in each:
            look(message)
        rounds.append((time.process_time() - began) / len(each) * 1e6)
    return round(statistics.median(rounds), 1)


def _hostile(net: UrgentNet) -> dict[str, float]:
    rules = _rulebook(1000)

    def look(message: ParsedMessage) -> None:
        rules.find(message)
        net.themes_in(message)

    return {
        name: round(_microseconds(look, [ParsedMessage(subject=text[:1000], text=text)]) / 1000, 1)
        for name, text in HOSTILE.items()
    }


def _table(found: dict[str, Any]) -> str:
    lines = [f"{found['phrases']} phrases"]
    for name, rings in found["rings"].items():
        share = rings["rung"] / rings["mails"]
        lines.append(f"{name}: {rings['rung']} of {rings['mails']} mails ({share:.1%})")
        lines += [f"    {key}: {_spell(rings[key])}" for key in ("themes", "categories") if rings[key]]
    lines += [f"{name}: {took} µs a mail" for name, took in found["microseconds_a_mail"].items()]
    lines += [f"hostile, {name}: {took} ms" for name, took in found["hostile_milliseconds"].items()]
    return "\n".join(lines)


def _spell(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


if __name__ == "__main__":
    main()
