"""The command line: one thin module for each command, imported when it is called.

`cubbyd --help` must not wait for numpy and SQLAlchemy, so the commands are named here and loaded late.
"""

from __future__ import annotations

import importlib
import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import click

from cubbyd import __version__

COMMANDS = {
    "demo": "Show the whole way of a mail, on a mail server and a sample mailbox that come with cubbyd.",
    "init": "Write a configuration for a mail account: asks, tests the login, proposes categories from its folders.",
    "login": "Log in to a mailbox at Microsoft or Google, with tokens in the place of a password.",
    "check": "Check the configuration, the mail server and the model; change nothing.",
    "rehearse": "Say what to expect before anything is moved: on the mail that people have filed, changing nothing.",
    "run": "Watch the mailboxes and file their mail.",
    "dataset": "Turn a pile of mail into examples: import, look at, divide, mask, export.",
    "train": "Train a classifier on labeled examples.",
    "models": "List, show and choose trained models; go back to the one before.",
    "finetune": "Fine-tune a model at a vendor, where it still lets you.",
    "embedding-model": "Convert a downloaded embedding model for the embeddings classifier.",
    "weigh": "Find how much each member of an ensemble should count.",
    "calibrate": "Make the classifier's probabilities hold, on labeled mail.",
    "thresholds": "Find from which probability each category can be believed, on labeled mail.",
    "evaluate": "Write a report on how good the classifier is, on labeled mail.",
    "compare": "Put classifiers side by side on the same labeled mail, and recommend one.",
    "recipes": "Find which mix of training mail is best: real, synthetic, trimmed, weighted.",
    "classify": "Classify mail files or examples; no mailbox needed.",
    "parse": "Show what cubbyd reads in mail files.",
    "redact": "Show mail files before and after masking: what would leave the building.",
    "status": "Show how each mailbox is doing.",
    "digest": "Say what was filed in the last days and what needs a person, on the screen or as a mail.",
    "history": "Show what went where, and why.",
    "corrections": "Show what people moved to another category, and make examples of it.",
    "undo": "Take filed mail back to the inbox.",
    "retry": "Give quarantined mail another chance.",
    "state": "Look after the state file: back up, check, prune.",
}


class LateGroup(click.Group):
    """A group that imports a command's module when the command is needed."""

    late: ClassVar[Mapping[str, str]] = COMMANDS
    """The commands and what they do, in the order in which a newcomer meets them."""
    package: ClassVar[str] = "cubbyd.cli"
    """Where their modules are: of the same name, or with _ behind it where the name is a word of Python."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Name the commands."""
        return list(self.late)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command."""
        if cmd_name not in self.late:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"{self.package}.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands for --help without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.late.items()))


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The configuration; else $CUBBYD_CONFIG, ./cubbyd.toml, /etc/cubbyd/cubbyd.toml.",
)
@click.version_option(__version__, prog_name="cubbyd")
@click.pass_context
def cli(context: click.Context, config_file: Path | None) -> None:
    """Watch a shared IMAP inbox and file each mail into the right folder, once.

    \b
    Begin here:
      cubbyd demo
      cubbyd --config cubbyd.toml init
      cubbyd --config cubbyd.toml check
      cubbyd --config cubbyd.toml run --once --observe
    """
    context.obj = config_file
