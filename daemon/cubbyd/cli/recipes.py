"""`cubbyd recipes`: which mix of training mail is best, measured on the same test set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.labeled import read_labels, write_private
from cubbyd.cli.output import console, say_json, table
from cubbyd.cli.train import find_own_config
from cubbyd.clock import SystemClock
from cubbyd.config import Config, Labels
from cubbyd.dataset import Example
from cubbyd.errors import InputFileError

if TYPE_CHECKING:
    from cubbyd.classify.modelfile import LocalModel
    from cubbyd.evaluation.recipe import Gain, Tasting, Trial
    from cubbyd.evaluation.score import Estimate
    from cubbyd.taxonomy import CategoryId
    from cubbyd.training.recipe import Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    training: Path
    test: Path
    at_most: int | None
    draws: int
    seed: int
    out: Path | None
    models: Path | None


@click.command()
@click.argument("training", type=click.Path(path_type=Path))
@click.option(
    "--test",
    type=click.Path(path_type=Path),
    required=True,
    metavar="TEST",
    help="Labeled mail to measure on: none of it synthetic, none of it in TRAINING.",
)
@click.option(
    "--to",
    "at_most",
    type=click.IntRange(2),
    metavar="N",
    help="trimmed: examples that each category keeps; default: as many as the smallest has, but at least 10.",
)
@click.option("--draws", default=5, show_default=True, type=click.IntRange(1, 50), help="trimmed: how often to cut at random.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="The same seed and examples give the same numbers.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="REPORT.html", help="A report to write, one HTML file.")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Keep the model of each recipe (of its first draw) here.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to standard error.")
@click.pass_obj
def command(config_file: Path | None, /, *, as_json: bool, **wished: Any) -> None:
    """Train the local classifier on several mixes of TRAINING, and say which is best on the same test set.

    Mixes: real only (the baseline), real only without weights, real and synthetic together, the one after the other in both
    orders, and trimmed. Synthetic is what has the origin "synthetic". Where a configuration is found, its categories are the
    only labels allowed.

    \b
    Example:
      cubbyd recipes train.jsonl --test test.jsonl
      cubbyd recipes train.jsonl --test test.jsonl --out recipes.html --models recipes
    """
    from cubbyd.evaluation.recipe import facts

    wish = Wish(**wished)
    config = find_own_config(config_file)
    training, test, categories = _read(config, wish)
    tasting, skipped, models = _taste(training, test, categories, config, wish)
    if wish.models is not None:
        _save(models, wish.models)
    if wish.out is not None:
        from cubbyd.evaluation.recipereport import write_recipes

        without = [(one.name, one.why) for one in skipped]
        write_private(wish.out, write_recipes(tasting, without, source=wish.test.name, created=SystemClock().now()))
    if as_json:
        files = {"report": str(wish.out) if wish.out else None, "models": str(wish.models) if wish.models else None}
        say_json(facts(tasting) | {"skipped": {one.name: one.why for one in skipped}} | files)
        return
    _print(tasting, skipped, wish)


def _read(config: Config | None, wish: Wish) -> tuple[list[Example], list[Example], tuple[CategoryId, ...]]:
    """Read both sets, and refuse what would not be fair. Gives them with the categories of both."""
    from cubbyd.training.recipe import refuse_unfair

    if config is not None and config.classifier.labels is Labels.MANY:
        raise click.UsageError('recipes are for one category a mail; the configuration has classifier.labels = "many"')
    taxonomy = config.taxonomy if config else None
    training, test = (read_labels(taxonomy, file) for file in (wish.training, wish.test))
    if not any(not example.is_synthetic for example in training):
        raise InputFileError(wish.training, "has no real examples, which every recipe is held against; add some")
    refuse_unfair(test, training, wish.test, wish.training.name)
    occurring = sorted({label for example in (*training, *test) for label in example.labels})
    return training, test, taxonomy.ids if taxonomy else tuple(occurring)


def _taste(
    training: list[Example], test: list[Example], categories: tuple[CategoryId, ...], config: Config | None, wish: Wish
) -> tuple[Tasting, list[Skipped], dict[str, LocalModel]]:
    from cubbyd.evaluation.recipe import taste
    from cubbyd.training.recipe import Skipped, list_recipes, try_recipe

    recipes, skipped = list_recipes(training, at_most=wish.at_most, draws=wish.draws, seed=wish.seed)
    trials: list[Trial] = []
    models: dict[str, LocalModel] = {}
    for recipe in recipes:
        try:
            trial, model = try_recipe(
                recipe,
                test,
                categories,
                source=str(wish.training),
                taxonomy=config.taxonomy if config else None,
                seed=wish.seed,
                progress=lambda text: click.echo(text, err=True),
            )
        except InputFileError as error:
            if not trials:  # the baseline, without which there is nothing to compare
                raise
            skipped.append(Skipped(name=recipe.name, why=error.reason))
            continue
        trials.append(trial)
        models[recipe.name.value] = model
    counts = Counter(example.labels[0] for example in training if not example.is_synthetic)
    return taste(trials, counts), skipped, models


def _save(models: dict[str, LocalModel], folder: Path) -> None:
    from cubbyd.classify.modelfile import save_model

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(folder, f"cannot be made: {error.strerror}; name another with --models FOLDER") from error
    for name, model in models.items():
        save_model(model, folder / f"{spell(name)}.model", created=SystemClock().now())


def spell(name: str) -> str:
    """Spell a recipe as the name of a file: "real + synthetic" is real-synthetic."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def _print(tasting: Tasting, skipped: list[Skipped], wish: Wish) -> None:
    rows = [
        [
            one.trial.name,
            _span(one.accuracy),
            _span(one.macro_f1),
            "-" if one.bias is None else _span(one.bias, digits=2),
            *_against(one.gain),
        ]
        for one in tasting.results
    ]
    console().print(table("", ["", "accuracy", "macro-F1", "bias", "gain", "p", "p of F1"], rows))
    for one in tasting.results:
        low, high = one.trial.spread
        spread = f"; the mean of them, each alone {low:.3f} to {high:.3f}" if len(one.trial.draws) > 1 else ""
        click.echo(f"{one.trial.name}: {one.trial.said}{spread}.")
    for left in skipped:
        click.echo(f"Not tried: {left.name}: {left.why}.")
    if tasting.big:
        click.echo(f"Bias: how many times as often as it is right a big category is chosen ({', '.join(tasting.big)}).")
    click.echo(
        f"On {tasting.mails} test mails; each number has its 95 % interval behind it. Gain: points of accuracy more than the "
        "first; p: how often chance alone would do as much to accuracy, and to macro-F1, corrected for the number of recipes."
    )
    click.echo(tasting.sentence)
    if wish.out is not None:
        click.echo(f"Wrote {wish.out}.")
    if wish.models is not None:
        click.echo(f"The models are in {wish.models}.")


def _span(one: Estimate, digits: int = 3) -> str:
    return f"{one.value:.{digits}f} {one.low:.{digits}f}-{one.high:.{digits}f}"


def _against(gain: Gain | None) -> tuple[str, str, str]:
    if gain is None:
        return "", "", ""
    return f"{100 * gain.accuracy.value:+.1f}", _chance(gain.p_value), _chance(gain.p_macro_f1)


def _chance(p_value: float) -> str:
    return f"{p_value:.2g}" if p_value >= 0.001 else "<0.001"  # noqa: PLR2004
