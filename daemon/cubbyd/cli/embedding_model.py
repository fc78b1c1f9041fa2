"""`cubbyd embedding-model`: from a downloaded embedding model to a folder that the embeddings classifier loads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import click

from cubbyd.cli.output import say_json


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="The folder to write.")
@click.option(
    "--precision",
    type=click.Choice(["int8", "fp32"]),
    default="int8",
    show_default=True,
    help="int8 is a quarter of the size and faster; fp32 is exact.",
)
@click.option(
    "--sha256", default="", metavar="HEX", help="The digest that model.safetensors must have; known models need none."
)
@click.option("--name", default="", metavar="NAME", help="What the model is called; known models have a name.")
@click.option(
    "--max-tokens", default=0, type=click.IntRange(0, 8192), help="Cut texts to so many tokens; 0: as it was trained."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def command(
    *, source: Path, out: Path, precision: Literal["int8", "fp32"], sha256: str, name: str, max_tokens: int, as_json: bool
) -> None:
    """Convert a downloaded embedding model, once; nothing in the download is run.

    SOURCE is a folder, or a wheel or zip, with config.json, tokenizer.json and model.safetensors of a BERT model.

    \b
    Example:
      cubbyd embedding-model ./all-MiniLM-L6-v2 --out minilm
    """
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise click.BadParameter("a SHA-256 has 64 hex digits", param_hint="--sha256")
    if name and not re.fullmatch("[A-Za-z0-9._-]{1,100}", name):
        raise click.BadParameter("a name has letters, digits and . _ - alone", param_hint="--name")
    from cubbyd.training.embedder import convert

    manifest = convert(source, out, precision=precision, expected=sha256, name=name, max_tokens=max_tokens)
    if as_json:
        say_json({"folder": str(out), **manifest.model_dump(exclude={"format", "version", "versions"})})
        return
    click.echo(
        f"Wrote {out}: {manifest.name}, {manifest.precision}, {manifest.dimensions} dimensions, "
        f"texts of up to {manifest.max_tokens} tokens."
    )
    click.echo(f"Its weights have SHA-256 {manifest.weights_sha256}, as expected.")
    click.echo(f'Next: set folder = "{out}" in [classifier.embeddings], then `cubbyd train EXAMPLES.jsonl --kind embeddings`.')
