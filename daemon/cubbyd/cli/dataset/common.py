"""What the subcommands share: the configuration where there is one, and how findings are said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from cubbyd.cli.output import printable
from cubbyd.config import Config, find_config, load_config
from cubbyd.dataset import Example, read_examples
from cubbyd.dataset.reading import Skips
from cubbyd.errors import ConfigError, InputFileError
from cubbyd.taxonomy import Taxonomy

MANY = 5000
"""Examples after which a person wants to see that something happens."""


def optional_config(given: Path | None) -> Config | None:
    """Load the configuration; None where none was given and none is in its usual place."""
    try:
        file = find_config(given)
    except ConfigError:
        return None
    return load_config(file)


def optional_taxonomy(given: Path | None) -> Taxonomy | None:
    """Take the configuration's categories, where there is a configuration."""
    config = optional_config(given)
    return config.taxonomy if config else None


def read_with_progress(file: Path, doing: str) -> Iterator[Example]:
    """Read examples, and say on standard error how many there were. Raises InputFileError for a file without any."""
    count = 0
    for count, example in enumerate(read_examples(file), start=1):
        yield example
        if count % MANY == 0:
            click.echo(f"{doing}: {count:,} examples", err=True)
    if not count:
        raise InputFileError(file, "holds no examples")


def say_skips(skips: Skips) -> None:
    """Say what was passed over and why, with the first places of each reason."""
    for heading, counts in (("skipped", skips.counts), ("taken, with a note", skips.notes)):
        for reason, count in counts.most_common():
            places = [printable(place) for place in skips.places.get(reason, [])]
            more = ", …" if count > len(places) else ""
            click.echo(f"  {heading}: {count:,} x {reason}" + (f" ({', '.join(places)}{more})" if places else ""))


def skips_to_json(skips: Skips) -> dict[str, Any]:
    """Give the same for a program."""

    def entries(counts: Mapping[str, int]) -> list[dict[str, Any]]:
        return [{"reason": reason, "count": count, "first": skips.places.get(reason, [])} for reason, count in counts.items()]

    return {"skipped": entries(skips.counts), "notes": entries(skips.notes)}


def bar(count: int, longest: int, width: int = 40) -> str:
    """Draw a bar of blocks for a terminal; anything above nothing shows."""
    if not count:
        return ""
    eighths = max(1, round(count / max(1, longest) * width * 8))
    whole, part = divmod(eighths, 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[part].strip()


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")(function)
