"""`cubbyd train`: from labeled examples to a model file."""

from __future__ import annotations

from pathlib import Path

import click

from cubbyd.cli.output import say_json
from cubbyd.clock import SystemClock
from cubbyd.config import find_config, load_config
from cubbyd.dataset import read_examples
from cubbyd.errors import InputFileError
from cubbyd.taxonomy import Taxonomy


@click.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="MODEL", help="The model file to write.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="The same seed and examples give the same model.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(config_file: Path | None, *, examples: Path, out: Path, seed: int, as_json: bool) -> None:
    """Train the local classifier on EXAMPLES, a file of JSON lines.

    A line is {"subject": "...", "body": "...", "label": "absence"}; "text" may stand for subject and body, "labels" for
    several. Where a configuration is found, its categories are the only labels allowed.

    \b
    Example:
      cubbyd train examples.jsonl --out cubbyd.model
    """
    from cubbyd.classify.modelfile import save_model
    from cubbyd.training.local import train_local

    taxonomy = _taxonomy(config_file)
    loaded = list(read_examples(examples))
    if not loaded:
        raise InputFileError(examples, "holds no examples")
    model = train_local(loaded, taxonomy, seed=seed, source=str(examples), progress=lambda text: click.echo(text, err=True))
    save_model(model, out, created=SystemClock().now())
    quality = model.quality
    facts = {
        "model": str(out),
        "examples": len(loaded),
        "categories": len(model.categories),
        "accuracy": round(quality.accuracy, 4),
        "macro_f1": round(quality.macro_f1, 4),
        "calibration_error": round(quality.calibration_error, 4),
    }
    if as_json:
        say_json(facts)
        return
    click.echo(f"Trained on {len(loaded)} examples in {len(model.categories)} categories; wrote {out}.")
    click.echo(
        f"Cross-validated on the same examples: accuracy {quality.accuracy:.3f}, macro-F1 {quality.macro_f1:.3f}, "
        f"expected calibration error {quality.calibration_error:.3f}."
    )
    click.echo(f'Next: set model = "{out}" in [classifier], then `cubbyd check`.')


def _taxonomy(config_file: Path | None) -> Taxonomy | None:
    """Take the configuration's categories where there is a configuration; training works without one."""
    from cubbyd.errors import ConfigError

    try:
        file = find_config(config_file)
    except ConfigError:
        return None
    return load_config(file).taxonomy
