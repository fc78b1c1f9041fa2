"""A skewed set to run the toolkit on: two categories of 200 examples, the others of 60, and an even set to hold it against.

    python -m benchmarks.skewed FOLDER

writes mails.csv (1,120 texts), and even.jsonl: some 15 of each category that are not in it. Sixty of each category are from the
examples that ship with cubbyd. What makes two of them large is other people's: questions to a bank about charges and refunds
(banking77) go to billing, and questions about food (clinc150) to meals. Both are looked for in $CUBBYD_SHARED.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Final

from benchmarks.trial import SHARED

from cubbyd.demo.sample_mail import write_sample

LARGE: Final = 200
SMALL: Final = 60
MORE: Final = {
    "billing": (
        "banking77",
        {"extra_charge_on_statement", "transaction_charged_twice", "request_refund", "Refund_not_showing_up"},
    ),
    "meals": ("clinc150", {"ingredients_list", "nutrition_info", "meal_suggestion", "calories", "ingredient_substitution"}),
}


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    kept: list[tuple[str, str, str]] = []
    even: list[tuple[str, str, str]] = []
    for label, mails in _sample(folder).items():
        draw.shuffle(mails)
        kept += mails[:SMALL]
        even += mails[SMALL:]
        if label in MORE:
            kept += draw.sample(_others(*MORE[label], label), LARGE - SMALL)
    draw.shuffle(kept)
    with (folder / "mails.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("subject", "body", "category"), *kept])
    with (folder / "even.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(dict(zip(("subject", "body", "label"), row, strict=True))) + "\n" for row in even)
    print(f"{folder / 'mails.csv'}: {len(kept)} examples; {folder / 'even.jsonl'}: {len(even)}")


def _sample(folder: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Give the sample facility's examples by category: subject, body, label."""
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    with write_sample(folder).open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            found[row["label"]].append((row["subject"], row["body"], row["label"]))
    return found


def _others(name: str, wanted: set[str], label: str) -> list[tuple[str, str, str]]:
    """Give the texts of a public set that carry one of the wanted labels."""
    with (SHARED / "data" / name / "data.jsonl").open(encoding="utf-8") as file:
        return [("", row["text"], label) for row in map(json.loads, file) if row["label"] in wanted]


if __name__ == "__main__":
    main()
