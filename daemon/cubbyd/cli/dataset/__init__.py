"""`cubbyd dataset`: one thin module for each subcommand, imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import click

from cubbyd.cli import LateGroup

SUBCOMMANDS: Final[Mapping[str, str]] = {
    "import": "Make examples of files, folders of mail, or a mail account.",
    "stats": "Count, and look for duplicates, threads and doubtful labels.",
    "label": "Label by hand, one key for each category, or by a strong model asked twice.",
    "synthesize": "Fill small categories with mail that a model writes, checked and marked.",
    "balance": "Say what to do about large and small categories.",
    "split": "Divide into training, validation and test.",
    "anonymize": "Mask names, addresses and numbers.",
    "export": "Write chat messages, prompts and completions, or CSV.",
    "validate": "Check a file against what a vendor or cubbyd itself accepts.",
}


class DatasetGroup(LateGroup):
    """The subcommands of `cubbyd dataset`."""

    late: ClassVar[Mapping[str, str]] = SUBCOMMANDS
    package: ClassVar[str] = "cubbyd.cli.dataset"


@click.group(cls=DatasetGroup)
def command() -> None:
    """Turn a pile of mail into examples, and examples into sets that can be trusted.

    \b
    Example:
      cubbyd dataset import mails.csv --out examples.jsonl
      cubbyd dataset stats examples.jsonl --suspicious
      cubbyd dataset split examples.jsonl --test 20% --out sets
    """
