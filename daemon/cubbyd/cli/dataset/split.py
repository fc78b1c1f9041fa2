"""`cubbyd dataset split`: training, validation and test, with nothing on two sides."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from cubbyd.cli.dataset.common import json_option, read_with_progress
from cubbyd.cli.output import console, say_json, table
from cubbyd.dataset import read_examples
from cubbyd.dataset.split import LARGE_GROUP, SIDES, TEST, Division, Part, Tie, Wish, split
from cubbyd.dataset.writer import open_new, spell_line


class _PartType(click.ParamType[Part]):
    """A share ("20%", "0.2") or a count ("150")."""

    name = "share or count"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Part:
        """Read it; ends the command with a usage error where it is neither."""
        if isinstance(value, Part):
            return value
        text = str(value).strip()
        try:
            if text.endswith("%"):
                return self._share(float(text[:-1]) / 100)
            return self._share(float(text)) if "." in text else Part(count=self._count(int(text)))
        except ValueError:
            self.fail(f"{text!r} is neither a share such as 20% or 0.2 nor a count such as 150", param, ctx)

    @staticmethod
    def _share(share: float) -> Part:
        if not 0 <= share < 1:
            raise ValueError
        return Part(share=share)

    @staticmethod
    def _count(count: int) -> int:
        if count < 0:
            raise ValueError
        return count


PART = _PartType()
BY_DATE = frozenset((Tie.THREAD, Tie.NEAR))
"""A sender who wrote lately would carry all her older mail into the test."""


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="FOLDER", help="For the files.")
@click.option("--train", type=PART, help="Share or count; else all that is left.")
@click.option("--validation", type=PART, help="Share or count for choosing thresholds; else 10%.")
@click.option("--test", type=PART, help="Share or count for measuring; else 20%.")
@click.option("--80-20", "eighty_twenty", is_flag=True, help="80 % for training, 20 % for the test, no validation.")
@click.option(
    "--group-by",
    multiple=True,
    type=click.Choice([*(tie.value for tie in Tie), "nothing"]),
    help="What stays together; else all of them.",
)
@click.option("--test-by-date", is_flag=True, help="The newest examples are the test: how a model does on next month's mail.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="The same seed, the same sets.")
@json_option
def command(*, examples: Path, out: Path, as_json: bool, **options: Any) -> None:
    """Divide EXAMPLES into train.jsonl, validation.jsonl and test.jsonl; each gets its share of every category.

    Threads, senders and near-duplicates stay on one side. Synthetic examples, and what belongs together with them, are for
    training alone.

    \b
    Example:
      cubbyd dataset split examples.jsonl --test 20% --validation 10% --out sets
      cubbyd dataset split examples.jsonl --80-20 --test-by-date --out sets
    """
    train: Part | None = options["train"]
    division = split(read_with_progress(examples, "looking"), _wish(options))
    keep = _thin_out(division, train) if train else division.sides
    digests = _write(examples, out, keep)
    left_out = len(division.sides) - sum(keep.count(side) for side in range(len(SIDES)))
    if as_json:
        say_json(_as_json(division, out, digests, left_out))
    else:
        _print(division, out, left_out)


def _wish(options: Mapping[str, Any]) -> Wish:
    parts = {name: options[name] for name in ("train", "validation", "test") if options[name]}
    if options["eighty_twenty"] and parts:
        raise click.UsageError("--80-20 says it all; leave --train, --validation and --test out")
    validation, test = _rest(parts) if not options["eighty_twenty"] else (Part(), Part(share=0.2))
    by_date = options["test_by_date"]
    return Wish(
        validation=validation,
        test=test,
        ties=_ties(options["group_by"], by_date=by_date),
        newest_in_test=by_date,
        seed=options["seed"],
    )


def _rest(parts: Mapping[str, Part]) -> tuple[Part, Part]:
    """Give the parts for validation and test: those given, else the usual ones, as far as --train leaves room for them."""
    room = 1.0 - sum(part.share for part in parts.values())
    test = parts.get("test", Part(share=max(0.0, min(0.2, room))))
    if "validation" in parts:
        return parts["validation"], test
    room -= 0.0 if "test" in parts else test.share
    return Part(share=max(0.0, round(min(0.1, room), 6))), test


def _ties(chosen: tuple[str, ...], *, by_date: bool) -> frozenset[Tie]:
    if "nothing" in chosen:
        if len(chosen) > 1:
            raise click.UsageError("--group-by nothing and something else contradict each other")
        return frozenset()
    return frozenset(map(Tie, chosen)) or (BY_DATE if by_date else frozenset(Tie))


ROUNDING = 0.01
"""Groups are whole and shares are rounded: what so small a share leaves over is training too."""

LEFT_OUT = 255
"""In the place of a side: no file."""


def _thin_out(division: Division, train: Part) -> bytes:
    """Leave training examples out where fewer are wanted than there are: every so many of them, evenly over the file."""
    there, total = division.size(0), len(division.sides)
    wanted = train.of(total)
    if train.count and wanted > there:
        raise click.UsageError(f"--train wants {wanted} examples, and {there} are left; make validation or test smaller")
    if wanted >= there or (not train.count and wanted + ROUNDING * total >= there):
        return division.sides
    sides, seen = bytearray(division.sides), 0
    for place, side in enumerate(division.sides):
        if side == 0:
            seen += 1
            if seen * wanted // there == (seen - 1) * wanted // there:
                sides[place] = LEFT_OUT
    return bytes(sides)


def _write(file: Path, folder: Path, sides: bytes) -> dict[str, str]:
    """Write the files in a second pass; give the SHA-256 of each."""
    from hashlib import sha256

    from cubbyd.errors import InputFileError

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(folder, f"cannot be made: {error.strerror}; choose another --out") from error
    wanted = {place: side for place, side in enumerate(SIDES) if place in sides}
    digests = {place: sha256() for place in wanted}
    with ExitStack() as stack:
        streams = {place: stack.enter_context(open_new(folder / f"{side}.jsonl")) for place, side in wanted.items()}
        for example, place in zip(read_examples(file), sides, strict=True):
            if place in streams:
                line = spell_line(example)
                streams[place].write(line)
                digests[place].update(line.encode())
    for place, side in enumerate(SIDES):
        if place not in wanted and (stale := folder / f"{side}.jsonl").exists():
            stale.replace(old := stale.with_suffix(".jsonl.old"))
            click.echo(f"{stale} was of an earlier split; it is {old} now", err=True)
    return {side: digests[place].hexdigest() for place, side in wanted.items()}


# --- what was done -----------------------------------------------------------------------------------------------------


def _notes(division: Division) -> list[str]:
    total = len(division.sides)
    together = f"{division.several:,} groups of several examples stay together; the largest has {division.largest_group:,}"
    notes = [together if division.several else "no two examples belong together"]
    if division.largest_group > LARGE_GROUP * total:
        notes.append("one group holds more than a fifth of everything; tie less, with --group-by thread --group-by near")
    if division.common_senders:
        notes.append(f"{division.common_senders} senders wrote more than 5 % each, and tie nothing together")
    if division.synthetic:
        kept = division.kept_with_synthetic
        notes.append(f"{division.synthetic:,} synthetic examples, and {kept:,} that belong with them, are for training alone")
    if division.test_from:
        notes.append(f"the test set holds everything from {division.test_from:%Y-%m-%d %H:%M} on")
    missing = [label for label in sorted(set().union(*division.counts)) if not division.counts[TEST][label]]
    if missing and division.size(TEST):
        notes.append(f"not in the test set, so not measured: {', '.join(missing[:10])}{', …' if len(missing) > 10 else ''}")  # noqa: PLR2004
    return notes


def _print(division: Division, out: Path, left_out: int) -> None:
    total = len(division.sides)
    labels = sorted(set().union(*division.counts), key=lambda label: (-sum(counts[label] for counts in division.counts), label))
    rows = [[label, *(counts[label] for counts in division.counts)] for label in labels]
    sizes = [division.size(place) for place in range(len(SIDES))]
    rows.append(["all", *(f"{size:,} ({100 * size / total:.1f} %)" for size in sizes)])
    console().print(table("", ["category", *SIDES], rows))
    for note in _notes(division):
        click.echo(note)
    if left_out:
        click.echo(f"{left_out:,} training examples were left out, because --train wants fewer")
    click.echo(f"Wrote {', '.join(f'{out / side}.jsonl' for place, side in enumerate(SIDES) if sizes[place])}.")


def _as_json(division: Division, out: Path, digests: dict[str, str], left_out: int) -> dict[str, object]:
    return {
        "out": str(out),
        "sides": {
            side: {"examples": division.size(place), "sha256": digests.get(side), "labels": dict(division.counts[place])}
            for place, side in enumerate(SIDES)
        },
        "left_out": left_out,
        "groups_of_several": division.several,
        "largest_group": division.largest_group,
        "synthetic": division.synthetic,
        "real_kept_with_synthetic": division.kept_with_synthetic,
        "common_senders": division.common_senders,
        "test_from": division.test_from,
        "notes": _notes(division),
    }
