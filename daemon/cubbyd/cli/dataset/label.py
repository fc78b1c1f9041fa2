"""`cubbyd dataset label`: a person's session at the terminal, or two opinions of a strong model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cubbyd.cli.output import printable_path
from cubbyd.config import Config, LogSection, find_config, load_config
from cubbyd.config.model import LogLevel
from cubbyd.dataset import Example, read_examples
from cubbyd.errors import InputFileError


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The labeled examples; goes on there."
)
@click.option("--keep-labels", is_flag=True, help="Take what has a label as it is, without showing it.")
@click.option("--no-guess", is_flag=True, help="Do not ask the configured classifier first.")
@click.option("--by", type=click.Choice(["openai"]), help="Let the model of [classifier.openai] label; it is asked twice.")
@click.option(
    "--second-model", default="", metavar="MODEL", help="With --by: another model of the same server for the second time."
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="With --by: of the shuffled order."
)
@click.option("--yes", is_flag=True, help="Ask a hosted model, which costs money.")
@click.option("--json", "as_json", is_flag=True, help="With --by: print the counts as one JSON object.")
@click.pass_obj
def command(config_file: Path | None, /, *, examples: Path, out: Path, by: str | None, as_json: bool, **options: Any) -> None:
    """Label EXAMPLES: one mail at a time, one key for each category; what has no label yet comes first.

    Each answer is in FILE before the next mail is shown, and the next call goes on where this one ended. Enter takes the
    classifier's guess, u takes the last answer back, s skips, q ends.

    With --by a hosted model is asked about each mail that has no label, twice, with the categories in two orders. Where both
    answers are the same they are taken; the rest stays without a label, for a person, who then finds both guesses.

    \b
    Example:
      cubbyd --config cubbyd.toml dataset label mails.jsonl --by openai --yes --out machine.jsonl
      cubbyd --config cubbyd.toml dataset label machine.jsonl --keep-labels --out labeled.jsonl
    """
    if out.resolve() == examples.resolve():
        raise click.UsageError("--out is the file of examples itself; choose another")
    config = load_config(find_config(config_file))
    given = list(read_examples(examples))
    if not given:
        raise InputFileError(examples, "holds no examples")
    _know_labels(config, examples, given)
    if by is None:
        if options["second_model"] or as_json:
            raise click.UsageError("--second-model and --json go with --by openai")
        from cubbyd.cli.dataset.session import label_by_hand
        from cubbyd.service.log import configure_logging

        configure_logging(LogSection(level=LogLevel.WARNING))  # lines between the mails would only disturb

        kept = [example for example in given if example.labels] if options["keep_labels"] else []
        guess, may_cost = not options["no_guess"], options["yes"]
        label_by_hand(config, examples, (kept, given), out, guess=guess, may_cost=may_cost)
        return
    from cubbyd.cli.dataset.opinions import label_by_model
    from cubbyd.service.log import configure_logging

    configure_logging(config.log)
    seed, second_model = options["seed"], options["second_model"]
    label_by_model(config, given, out, seed=seed, second_model=second_model, is_paid=options["yes"], as_json=as_json)


def _know_labels(config: Config, file: Path, examples: list[Example]) -> None:
    for example in examples:
        for label in example.labels:
            if label not in config.taxonomy:
                known = ", ".join(config.taxonomy.ids)
                reason = f"unknown label {label!r}; known by {printable_path(config.file)}: {known}"
                raise InputFileError(file, reason, line=example.line)
