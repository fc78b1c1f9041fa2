"""`cubbyd demo`: the whole way of a mail on parts that come with cubbyd; no account, no key, no network."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cubbyd.cli.output import console, say_json, table
from cubbyd.config import LogLevel, LogSection

if TYPE_CHECKING:
    from cubbyd.demo.server import DemoServer
    from cubbyd.demo.show import Outcome

LONGEST_SUBJECT = 38
SHOWN_REASONS = 3


@click.command()
@click.option("--stay", is_flag=True, help="Keep server and daemon running, to look with a mail client; Ctrl-C ends it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each mail, and one with the sums.")
def command(*, stay: bool, as_json: bool) -> None:
    """Start an embedded mail server, fill its inbox, train the classifier, file the mail, and show what happened.

    \b
    Example:
      cubbyd demo --stay
    """
    from cubbyd.demo import show
    from cubbyd.demo.server import embedded_server
    from cubbyd.service.log import configure_logging

    configure_logging(LogSection(level=LogLevel.WARNING))

    def tell(text: str) -> None:
        click.echo(text, err=as_json)

    with tempfile.TemporaryDirectory(prefix="cubbyd-demo-") as name, embedded_server() as server:
        folder = Path(name)
        config_file = show.prepare(server, folder)
        config = show.load(config_file)
        mails = show.fill(server)
        tell(f"1. An IMAP server runs on {server.host}, with {len(mails)} mails in its INBOX.")
        if stay:
            _say_address(server)
        tell(f"2. Training the local classifier on the sample examples of {len(config.categories)} categories …")
        accuracy = show.train(folder, config, lambda _: None)
        tell(f"   done; cross-validated accuracy on these examples: {accuracy:.2f}.")
        tell("3. Filing, by the same code as the daemon …")
        report = show.file_all(config_file, config)
        found = show.outcomes(config, mails)
        counts = show.folder_counts(server)
        tell("4. A second pass …")
        again = show.file_all(config_file, config)
        if as_json:
            _print_json(found, counts, second_pass_found=again.found)
        else:
            _print(found, counts)
            click.echo(
                f"The first pass handled {report.found} mails; the second found {again.found} new ones, and asked the "
                f"classifier {again.classified} times: nothing is handled twice."
            )
            _say_what_next()
        if stay:
            _stay(config_file, server)


def _print(found: list[Outcome], counts: Mapping[str, int]) -> None:
    rows = [
        [
            _mark(outcome),
            _short(outcome.subject),
            outcome.folder,
            f"{outcome.probability:.2f}",
            ", ".join(outcome.reasons[:SHOWN_REASONS]),
            "" if outcome.is_right else outcome.truth or "nowhere",
        ]
        for outcome in found
    ]
    out = console()
    out.print(table("\nWhat went where", ["", "subject", "folder", "p", "because of", "belongs to"], rows))
    out.print("✓ right   ✗ wrong   ? held in Review for a person, though it has a category\n")
    widest = max(map(len, counts))
    out.print("The folders, as the server counts them", style="bold")
    for name, count in counts.items():
        out.print(f"  {name:<{widest}} {count:4d} {'█' * count}", markup=False)
    click.echo()
    _print_sums(found)


def _mark(outcome: Outcome) -> str:
    if outcome.is_right:
        return "✓"
    return "✗" if outcome.is_filed else "?"


def sums(found: list[Outcome]) -> dict[str, int]:
    """Count how the pass did against the known truth."""
    known = [outcome for outcome in found if outcome.truth is not None]
    filed = [outcome for outcome in known if outcome.is_filed]
    nowhere = [outcome for outcome in found if outcome.truth is None]
    return {
        "mails": len(found),
        "with_category": len(known),
        "filed": len(filed),
        "filed_right": sum(outcome.is_right for outcome in filed),
        "held": len(known) - len(filed),
        "belong_nowhere": len(nowhere),
        "belong_nowhere_held": sum(not outcome.is_filed for outcome in nowhere),
    }


def _print_sums(found: list[Outcome]) -> None:
    count = sums(found)
    right, filed = count["filed_right"], count["filed"]
    click.echo(
        f"Of {count['with_category']} mails with a known category, {filed} were filed, {right} of them right "
        f"({right / max(filed, 1):.0%}); {count['held']} were held for a person in the Review folder."
    )
    click.echo(f"Of {count['belong_nowhere']} mails that belong nowhere, {count['belong_nowhere_held']} were held.")


def _print_json(found: list[Outcome], counts: Mapping[str, int], *, second_pass_found: int) -> None:
    for outcome in found:
        say_json(
            {
                "subject": outcome.subject,
                "category": outcome.category,
                "truth": outcome.truth,
                "folder": outcome.folder,
                "probability": round(outcome.probability, 4),
                "reasons": outcome.reasons,
                "hold": outcome.hold,
            }
        )
    say_json({**sums(found), "folders": dict(counts), "second_pass_found": second_pass_found})


def _short(subject: str) -> str:
    return subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1] + "…"


def _say_address(server: DemoServer) -> None:
    click.echo(
        f"   Look at it with a mail client: IMAP, server {server.host}, port {server.port}, no encryption, "
        f"user {server.user}, password {server.password}",
        err=True,
    )


def _say_what_next() -> None:
    click.echo(
        "\nNext, with a real mailbox:\n"
        "  1. copy config.example.toml to cubbyd.toml, and put your server and categories in\n"
        "  2. cubbyd train YOUR-EXAMPLES.jsonl --out cubbyd.model\n"
        "  3. cubbyd --config cubbyd.toml check\n"
        "  4. cubbyd --config cubbyd.toml run --once --observe, then cubbyd --config cubbyd.toml history"
    )


def _stay(config_file: Path, server: DemoServer) -> None:
    from cubbyd.demo import show
    from cubbyd.service.daemon import Daemon

    _say_address(server)
    click.echo("The daemon is running: put a mail into the INBOX and watch it go. Ctrl-C ends server and daemon.", err=True)
    Daemon(config_file, show.load(config_file)).run()
