"""The command `cubbyd`, and the border where our exceptions become a sentence and an exit code."""

from __future__ import annotations

import os
import sys

from cubbyd.cli import cli
from cubbyd.errors import CubbydError


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 failed, 2 wrong usage, 69, 75, 77, 78 as in sysexits.h."""
    os.umask(0o077)  # whatever we write is for our user alone, also where no unit file says so
    try:
        cli(prog_name="cubbyd")
    except CubbydError as error:
        print(f"cubbyd: {error}", file=sys.stderr)  # noqa: T201  (this is the command line)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `cubbyd history | head` is no failure
        sys.exit(0)


if __name__ == "__main__":
    main()
