"""The command `cubbyd`, and the border where our exceptions become a sentence and an exit code."""

from __future__ import annotations

import os
import sys

import click

from cubbyd.cli import cli
from cubbyd.errors import CubbydError

EXIT_INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 failed, 2 wrong usage, 69, 75, 77, 78 as in sysexits.h."""
    os.umask(0o077)  # whatever we write is for our user alone, also where no unit file says so
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `cubbyd history | head` is no failure
        code = 0
    sys.exit(code)


def _run() -> int:
    """Invoke the command; cli.main() would turn a closed pipe into a failure before we see it."""
    try:
        with cli.make_context("cubbyd", sys.argv[1:]) as context:
            cli.invoke(context)
    except CubbydError as error:
        _say(f"cubbyd: {error}")
        return error.exit_code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("cubbyd: interrupted", err=True)
        return EXIT_INTERRUPTED
    return 0


def _say(sentence: str) -> None:
    """Say why it ends; to the journal as an error, not as news."""
    if "JOURNAL_STREAM" in os.environ:
        from cubbyd.service.line import goes_to_journal, with_priority

        sentence = with_priority(sentence, "error") if goes_to_journal(sys.stderr) else sentence
    click.echo(sentence, err=True)


if __name__ == "__main__":
    main()
