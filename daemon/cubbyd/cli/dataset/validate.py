"""`cubbyd dataset validate`: whether a file is what its reader accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cubbyd.cli.dataset.common import json_option, optional_taxonomy
from cubbyd.cli.output import printable, say_json
from cubbyd.dataset.validate import Target, Verdict, validate
from cubbyd.errors import EXIT_FAILED


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--for",
    "target",
    type=click.Choice([one.value for one in Target]),
    default=Target.CUBBYD.value,
    show_default=True,
    help="Who is to read it.",
)
@json_option
@click.pass_obj
def command(config_file: Path | None, *, file: Path, target: str, as_json: bool) -> None:
    """Check FILE, and name every kind of fault with its lines. Ends with 1 where it would be refused.

    \b
    Example:
      cubbyd dataset validate examples.jsonl
      cubbyd dataset validate chat.jsonl --for openai
    """
    wanted = Target(target)
    verdict = validate(file, wanted, optional_taxonomy(config_file) if wanted is Target.CUBBYD else None)
    if as_json:
        say_json(_as_json(verdict))
    else:
        _print(file, verdict)
    click.get_current_context().exit(0 if verdict.is_accepted else EXIT_FAILED)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    def entries(counts: dict[str, int]) -> list[dict[str, Any]]:
        return [{"what": what, "count": count, "lines": verdict.places[what]} for what, count in counts.items()]

    return {
        "target": verdict.target,
        "accepted": verdict.is_accepted,
        "lines": verdict.lines,
        "errors": entries(verdict.errors),
        "warnings": entries(verdict.warnings),
    }


def _print(file: Path, verdict: Verdict) -> None:
    for sign, counts in (("✗", verdict.errors), ("!", verdict.warnings)):
        for what, count in counts.most_common():
            places = verdict.places[what]
            more = ", …" if count > len(places) else ""
            where = f" (line{'s' if count > 1 else ''} {', '.join(map(str, places))}{more})" if places else ""
            click.echo(f"{sign} {f'{count:,} x ' if count > 1 else ''}{printable(what)}{where}")
    click.echo(
        f"{file}: {verdict.lines:,} examples, accepted for {verdict.target}."
        if verdict.is_accepted
        else f"{file}: {verdict.lines:,} examples; {verdict.target} would refuse it."
    )
