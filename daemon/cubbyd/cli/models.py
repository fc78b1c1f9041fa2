"""`cubbyd models`: the models that were trained, which one is in use, and going back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cubbyd.cli.output import console, local_time, say_json, table
from cubbyd.config import Config, find_config, load_config

if TYPE_CHECKING:
    from cubbyd.training.store import ModelStore, Switch, Version

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


@click.group()
def command() -> None:
    """Keep trained models, choose the one in use, and go back.

    The models are in the folder `models` beside the model file that [classifier] names; that file is a copy of the one in use.

    \b
    Example:
      cubbyd models list
      cubbyd models use v2
      cubbyd models rollback
      cubbyd train examples.jsonl --store
    """


@command.command("list")
@as_json_option
@click.pass_obj
def list_(config_file: Path | None, *, as_json: bool) -> None:
    """List the models of the store; the one in use is marked."""
    _, store = _open(config_file)
    versions, history = store.versions(), store.history()
    used = {event.version: event.time for event in history if event.action != "add"}
    if as_json:
        for version in versions:
            say_json({**_facts(version), "last_used": used.get(version.name)})
        return
    if not versions:
        click.echo(f"No models in {store.folder} yet. Next: cubbyd train EXAMPLES.jsonl --store, or cubbyd models add MODEL.")
        return
    rows = [
        [
            f"{version.name}{' *' if version.is_active else ''}",
            *_cells(version),
            local_time(used[version.name]) if version.name in used else "never",
            version.problem,
        ]
        for version in versions
    ]
    headings = ("model", "kind", "trained", "examples", "categories", "held-out accuracy", "put in use", "")
    console().print(table("", headings, rows))
    if any(version.is_active for version in versions):
        click.echo(f"* in use: {store.active}")
    elif store.active.exists():
        click.echo(f"In use is {store.active}, which is none of these; keep it too: cubbyd models add {store.active}")
    else:
        click.echo(f"None is in use: there is no {store.active}. Next: cubbyd models use {versions[-1].name}")


@command.command()
@click.argument("model", required=False)
@as_json_option
@click.pass_obj
def show(config_file: Path | None, *, model: str | None, as_json: bool) -> None:
    """Show the card of MODEL: a name of the store (v3), or a model file; by default the one in use.

    The card is what the trainer wrote: data, held-out quality with intervals, versions, seed, date. It is Markdown.
    """
    from cubbyd.classify.card import read_about
    from cubbyd.cli.carded import describe, to_markdown

    if model is not None and (Path(model).suffix or Path(model).exists()):
        file = Path(model)
    else:
        _, store = _open(config_file)
        file = store.find(model).file if model is not None else store.active
    about = read_about(file)
    if as_json:
        say_json({"file": str(file), **describe(about)})
    else:
        click.echo(to_markdown(file, about))


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json_option
@click.pass_obj
def add(config_file: Path | None, *, file: Path, as_json: bool) -> None:
    """Put a copy of the model FILE into the store."""
    _, store = _open(config_file)
    known = {version.name for version in store.versions()}
    version = store.add(file)
    if as_json:
        say_json({**_facts(version), "added": version.name not in known})
        return
    was = "is in the store already, as" if version.name in known else "is now in the store, as"
    click.echo(f"{file} {was} {version.name}.")
    click.echo(f"Next: cubbyd models show {version.name}, cubbyd models use {version.name}.")


@command.command()
@click.argument("model")
@as_json_option
@click.pass_obj
def use(config_file: Path | None, *, model: str, as_json: bool) -> None:
    """Put MODEL, a name of the store, in the place of the one in use.

    Refused, and nothing changed, where it does not fit the configuration: another kind, categories that the configuration
    does not have, texts of another renderer, a file that was changed. The one in use before stays in the store.
    """
    config, store = _open(config_file)
    warnings: list[str] = []
    _say(store, store.use(model, lambda file: warnings.extend(_fit(config, file))), warnings, as_json=as_json)


@command.command()
@as_json_option
@click.pass_obj
def rollback(config_file: Path | None, *, as_json: bool) -> None:
    """Go back to the model that was in use before this one."""
    config, store = _open(config_file)
    warnings: list[str] = []
    _say(store, store.rollback(lambda file: warnings.extend(_fit(config, file))), warnings, as_json=as_json)


@command.command()
@as_json_option
@click.pass_obj
def history(config_file: Path | None, *, as_json: bool) -> None:
    """Show which model was put in use when, oldest first."""
    _, store = _open(config_file)
    events = store.history()
    if as_json:
        for event in events:
            say_json(event.model_dump())
        return
    if not events:
        click.echo(f"Nothing was done in {store.folder} yet.")
        return
    words = {"add": "added", "use": "put in use", "rollback": "back in use"}
    rows = [[local_time(event.time), event.version, words[event.action], event.sha256[:12]] for event in events]
    console().print(table("", ("time", "model", "", "sha256"), rows))


def _open(config_file: Path | None) -> tuple[Config, ModelStore]:
    from cubbyd.clock import SystemClock
    from cubbyd.training.store import ModelStore

    config = load_config(find_config(config_file))
    return config, ModelStore(config.classifier.model, SystemClock())


def _fit(config: Config, file: Path) -> list[str]:
    from cubbyd.classify.fitting import demand_fit

    return demand_fit(config, file)


def _facts(version: Version) -> Mapping[str, Any]:
    about = version.about
    facts = {"model": version.name, "file": str(version.file), "active": version.is_active, "problem": version.problem}
    if about is None:
        return facts
    return {
        **facts,
        "kind": about.kind,
        "created": about.created,
        "examples": about.card.data.different if about.card else None,
        "categories": len(about.categories),
        "accuracy": about.accuracy,
        "sha256": version.sha256,
    }


def _cells(version: Version) -> list[object]:
    about = version.about
    if about is None:
        return [""] * 5
    accuracy = "" if about.accuracy is None else f"{about.accuracy:.3f}"
    examples = about.card.data.different if about.card else ""
    return [about.kind, local_time(about.created), examples, len(about.categories), accuracy]


def _say(store: ModelStore, done: Switch, warnings: list[str], *, as_json: bool) -> None:
    for warning in warnings:
        click.echo(f"! {warning}", err=True)
    if as_json:
        facts = {"before": done.before, "kept": done.kept, "aside": str(done.aside) if done.aside else None}
        say_json({**_facts(done.version), "active": True, "changed": done.changed, **facts, "warnings": warnings})
        return
    name = done.version.name
    if not done.changed:
        click.echo(f"{name} is in use already; nothing was changed.")
        return
    if done.kept:
        click.echo(f"The model that was in use is now in the store too, as {done.kept}.")
    if done.aside:
        click.echo(f"What was in its place is no model that can be read; it is kept as {done.aside}.")
    click.echo(f"{name} is in use now{f', before it was {done.before}' if done.before else ''}: {store.active}")
    click.echo("Next: cubbyd check, then systemctl reload cubbyd (or SIGHUP): a running daemon has its old model until then.")
