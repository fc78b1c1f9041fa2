"""`cubbyd run`: the daemon, or one pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cubbyd.cli.output import say_json
from cubbyd.config import Backlog, Config, find_config, load_config
from cubbyd.errors import CubbydError

if TYPE_CHECKING:
    from cubbyd.filing import PassReport

OLD_MAIL = "old_mail"
"""How --json calls what was in the inbox before and is left alone, or is still to be filed."""


@click.command()
@click.option("--once", is_flag=True, help="Do one pass over every mailbox, then exit.")
@click.option("--observe", is_flag=True, help='Decide and record, change nothing (as action = "observe").')
@click.option("--json", "as_json", is_flag=True, help="With --once: print a line of JSON for each mailbox.")
@click.pass_obj
def command(config_file: Path | None, *, once: bool, observe: bool, as_json: bool) -> None:
    """Watch the mailboxes and file their mail, until told to stop.

    SIGTERM finishes the mail in hand and exits; SIGHUP reads the configuration again.

    \b
    Example:
      cubbyd --config cubbyd.toml run --once --observe
    """
    if as_json and not once:
        raise click.UsageError("--json goes with --once; the daemon's log is JSON by itself where it is no terminal")
    file = find_config(config_file)
    config = load_config(file)
    from cubbyd.service.log import configure_logging

    configure_logging(config.log)
    if not once:
        from cubbyd.service.daemon import Daemon

        Daemon(file, config, observe=observe).run()
        return
    from cubbyd.service.once import run_once

    outcomes = run_once(file, config, observe=observe)
    worst = 0
    for name, outcome in outcomes.items():
        problems = [outcome] if isinstance(outcome, CubbydError) else outcome.problems
        worst = worst or next((problem.exit_code for problem in problems), 0)
        facts: dict[str, object] = {"mailbox": name, "ok": not problems}
        if not isinstance(outcome, CubbydError):
            facts |= {"found": outcome.found, "classified": outcome.classified}
            facts |= {str(state): count for state, count in sorted(outcome.became.items())}
            facts |= {OLD_MAIL: outcome.backlog_left} if outcome.backlog_left else {}
        if problems:
            facts["error"] = str(problems[0])
        if as_json:
            say_json(facts)
        else:
            click.echo(_sentence(facts, observe=observe) + _old_mail(config, outcome))
    click.get_current_context().exit(worst)


def _sentence(facts: dict[str, object], *, observe: bool) -> str:
    counts = [f"{value} {key}" for key, value in facts.items() if key not in ("mailbox", "ok", "error", OLD_MAIL)]
    text = f"{facts['mailbox']}: {', '.join(counts)}" if counts else f"{facts['mailbox']}:"
    if observe:
        text += "; nothing was changed (observe)"
    if "error" in facts:
        text += f" failed: {facts['error']}" if not counts else f"; a problem: {facts['error']}"
    return text + ("; see `cubbyd history`" if facts["ok"] else "; see `cubbyd status`")


def _old_mail(config: Config, outcome: PassReport | CubbydError) -> str:
    """Say what was there before and is there still; nothing where there is none."""
    if isinstance(outcome, CubbydError) or not outcome.backlog_left:
        return ""
    if config.filing.backlog is Backlog.IGNORE:
        return (
            f"\n  {outcome.backlog_left} mails were here before; left alone; "
            'set backlog = "file" in [filing], or a number of days, to have them filed'
        )
    return f"\n  {outcome.backlog_left} mails that were here before are still to be filed; the next run goes on"
