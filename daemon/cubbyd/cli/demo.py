"""`cubbyd demo`: the whole way of a mail on parts that come with cubbyd; no account, no key, no network."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cubbyd.cli.output import console, printable, say_json, table
from cubbyd.config import LogLevel, LogSection

if TYPE_CHECKING:
    from cubbyd.demo.rehearsal import Rehearsal, Sent
    from cubbyd.demo.server import DemoServer
    from cubbyd.demo.show import Outcome

LONGEST_SUBJECT = 38
SHOWN_REASONS = 3
WIDTH = 100


@click.command()
@click.option(
    "--backend",
    type=click.Choice(["local", "openai"]),
    default="local",
    show_default=True,
    help="openai: rehearse with a stand-in for the vendor's server, on this machine, at no cost.",
)
@click.option("--stay", is_flag=True, help="Keep server and daemon running, to look with a mail client; Ctrl-C ends it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each mail, and one with the sums.")
def command(*, backend: str, stay: bool, as_json: bool) -> None:
    """Start an embedded mail server, fill its inbox, train the classifier, file the mail, and show what happened.

    \b
    Example:
      cubbyd demo --stay
      cubbyd demo --backend openai
    """
    from cubbyd.demo.server import embedded_server
    from cubbyd.service.log import configure_logging

    configure_logging(LogSection(level=LogLevel.WARNING))
    with (
        tempfile.TemporaryDirectory(prefix="cubbyd-demo-") as name,
        _open_backend(backend) as rehearsal,
        embedded_server() as server,
    ):
        _show(server, Path(name), rehearsal, stay=stay, as_json=as_json)


@contextmanager
def _open_backend(backend: str) -> Iterator[Rehearsal | None]:
    if backend == "local":
        yield None
        return
    from cubbyd.demo.rehearsal import rehearsal

    with rehearsal() as running:
        yield running


def _show(server: DemoServer, folder: Path, rehearsal: Rehearsal | None, *, stay: bool, as_json: bool) -> None:
    from cubbyd.demo import show

    def tell(text: str) -> None:
        click.echo(text, err=as_json)

    config_file = show.prepare(server, folder, rehearsal.configure(folder) if rehearsal else show.LOCAL)
    config = show.load(config_file)
    mails = show.fill(server)
    tell(f"1. An IMAP server runs on {server.host}, with {len(mails)} mails in its INBOX.")
    if stay:
        _say_address(server)
    if rehearsal:
        tell(f"2. A stand-in for OpenAI runs at {rehearsal.address}: nothing leaves this machine, and nothing is paid.")
        tell("   It answers by likeness to the sample examples. How good a real model is, it does not show.")
    else:
        tell(f"2. Training the local classifier on the sample examples of {len(config.categories)} categories …")
        accuracy = show.train(folder, config, lambda _: None)
        tell(f"   done; cross-validated accuracy on these examples: {accuracy:.2f}.")
    tell("3. Filing, by the same code as the daemon …")
    report = show.file_all(config_file, config)
    found = show.outcomes(config, mails)
    counts = show.folder_counts(server)
    sent = rehearsal.sent(found) if rehearsal else None
    tell("4. A second pass …")
    again = show.file_all(config_file, config)
    if as_json:
        _print_json(found, counts, sent, second_pass_found=again.found)
    else:
        _print(found, counts)
        click.echo(
            f"The first pass handled {report.found} mails; the second found {again.found} new ones, and asked the "
            f"classifier {again.classified} times: nothing is handled twice."
        )
        if sent:
            _print_sent(sent)
        _say_what_next(is_rehearsal=sent is not None)
    if stay:
        _stay(config_file, server)


def _print_sent(sent: Sent) -> None:
    out = console()
    out.print("\nWhat was sent", style="bold")
    click.echo(
        f"{sent.calls} calls, {sent.bytes:,} bytes, {sent.input_tokens:,} tokens as the stand-in counts them. At the price of "
        f"November 2026 the vendor would have asked for {sent.money:.4f} USD."
    )
    if sent.violations:
        click.echo(f"{len(sent.violations)} requests were wrong, which is a mistake in cubbyd; the first: {sent.violations[0]}")
    else:
        click.echo("Each request was held against the vendor's own types, and none was wrong.")
    if sent.sample:
        outcome = sent.sample.outcome
        out.print("\nOne mail as it was sent: names and numbers masked, no sender", style="bold")
        for line in printable(sent.sample.text, lines=True).splitlines():
            click.echo(textwrap.fill(line, WIDTH, initial_indent="  │ ", subsequent_indent="  │ ") or "  │")
        answer = f"  → {outcome.folder}, p = {outcome.probability:.2f}" + (f" ({outcome.hold})" if outcome.hold else "")
        click.echo(answer)


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


def _print_json(found: list[Outcome], counts: Mapping[str, int], sent: Sent | None, *, second_pass_found: int) -> None:
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
    last = {**sums(found), "folders": dict(counts), "second_pass_found": second_pass_found}
    say_json(last | ({"sent": _sent_to_json(sent)} if sent else {}))


def _sent_to_json(sent: Sent) -> dict[str, object]:
    return {
        "calls": sent.calls,
        "bytes": sent.bytes,
        "input_tokens": sent.input_tokens,
        "money": round(sent.money, 6),
        "violations": list(sent.violations),
        "sample": sent.sample.text if sent.sample else None,
    }


def _short(subject: str) -> str:
    return subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1] + "…"


def _say_address(server: DemoServer) -> None:
    click.echo(
        f"   Look at it with a mail client: IMAP, server {server.host}, port {server.port}, no encryption, "
        f"user {server.user}, password {server.password}",
        err=True,
    )


def _say_what_next(*, is_rehearsal: bool) -> None:
    if is_rehearsal:
        click.echo(
            "\nNext, with a real server:\n"
            "  1. read docs/classifiers/openai.md: what leaves the building, and what it costs\n"
            "  2. cubbyd redact MAIL.eml shows what one of your own mails would look like\n"
            "  3. put [classifier.openai] into cubbyd.toml, as config.example.toml shows it\n"
            "  4. cubbyd --config cubbyd.toml run --once --observe, then cubbyd --config cubbyd.toml history"
        )
        return
    click.echo(
        "\nNext, with a real mailbox:\n"
        "  1. cubbyd --config cubbyd.toml init asks for your server, and proposes categories from its folders\n"
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
