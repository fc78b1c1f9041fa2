"""`cubbyd finetune`: a model at a vendor learns labeled mail; started, watched, measured, and adopted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import click

from cubbyd.cli import LateGroup

SUBCOMMANDS: Final[Mapping[str, str]] = {
    "start": "Check and price labeled mail, ask, send it masked, and start one job or several.",
    "watch": "Watch jobs to their end, fetch the losses, delete the files at the vendor.",
    "list": "List what was started from here, and which files are still at the vendor.",
    "cancel": "Cancel jobs.",
    "results": "Show the losses of jobs, and draw them.",
    "adopt": "Measure a tuned model on a test set, and put it into the configuration.",
}


class FinetuneGroup(LateGroup):
    """The subcommands of `cubbyd finetune`."""

    late: ClassVar[Mapping[str, str]] = SUBCOMMANDS
    package: ClassVar[str] = "cubbyd.cli.finetune"


@click.group(cls=FinetuneGroup)
def command() -> None:
    """Fine-tune a model at a vendor, for existing customers of OpenAI and for other vendors that speak its wire.

    The vendor is that of [classifier.openai]. Most facilities do better with `cubbyd train`, on this machine: see
    docs/finetuning.md, which has the days on which vendors end it.

    \b
    Example:
      cubbyd finetune start examples.jsonl --base gpt-4o-mini-2024-07-18 --epochs 2,4
      cubbyd finetune watch
      cubbyd finetune results --out losses.svg
      cubbyd finetune adopt JOB --test held-out.jsonl --yes --write
    """
