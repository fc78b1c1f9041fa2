"""`cubbyd state backup`: a copy of the state file that was read back and found whole."""

from __future__ import annotations

from pathlib import Path

import click

from cubbyd.cli.output import say_json
from cubbyd.config import find_config, load_config


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--overwrite", is_flag=True, help="Replace FILE where it exists, once the new copy is whole.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.pass_obj
def command(config_file: Path | None, *, file: Path, overwrite: bool, as_json: bool) -> None:
    """Copy the state file to FILE, readable by you alone; the copy is read back before it takes that name.

    To restore it: stop cubbyd, put it in the place of cubbyd.sqlite in the state directory, and remove the files
    cubbyd.sqlite-wal and cubbyd.sqlite-shm beside it.

    \b
    Example:
      cubbyd --config cubbyd.toml state backup /var/backups/cubbyd.sqlite --overwrite
    """
    from cubbyd.journal.upkeep import back_up

    config = load_config(find_config(config_file))
    made = back_up(config.state.directory, file, overwrite=overwrite)
    if as_json:
        say_json({"file": made.file, "mails": made.mails, "bytes": made.size_bytes, "version": made.version})
        return
    click.echo(f"{made.file}: {made.mails} mails, {made.size_bytes} bytes, version {made.version}; read back and whole.")
